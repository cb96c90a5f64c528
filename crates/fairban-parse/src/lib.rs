//! Log lines in, login events out.
//!
//! ```text
//! line ─► envelope (stamp, program, pid) ─► grammar of the program ─► AuthEvent
//! ```
//!
//! Everything but [`clock::Clock`] is a function of one line, so that lines can be parsed on many cores in any order;
//! the clock turns stamps into points of time and sees the lines of a file in order.

pub mod clock;
pub mod envelope;
mod gap;
pub mod health;
pub mod parser;
pub mod record;
pub mod secret;
pub mod service;
pub mod stamp;
