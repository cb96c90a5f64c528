//! The judge of fairban.
//!
//! Log lines become [`event::AuthEvent`]s in `fairban-parse`; here they become attempts ([`join`]), evidence and
//! verdicts. Everything in this crate is a function of the events it was given, in order: it asks no clock, reads no
//! file, opens no socket, starts no thread, and so replaying a log gives the verdicts that the live service gave.

pub mod account;
mod decay;
pub mod effect;
pub mod engine;
pub mod escape;
pub mod event;
pub mod join;
mod judge;
pub mod limits;
pub mod nats;
mod table;
mod tables;
pub mod time;
mod weights;
