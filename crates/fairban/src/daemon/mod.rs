//! `fairban run`: the running service.
//!
//! ```text
//! follower thread:  inputs ─► whole lines ─► parsed, merged while behind ─┐
//! control thread:   requests of the operator ─────────────────────────────┼─► engine thread: journal, then desk
//! signals, helper ────────────────────────────────────────────────────────┘      ├─► whoever shuts sources out
//!                                                                                 └─► database, tail
//! ```

mod alarms;
mod assistant;
mod audit;
mod desk;
mod doors;
mod history;
mod in_force;
mod intake;
mod keeper;
mod office;
mod reading;
mod recorder;
mod reload;
mod run;
mod timeline;
mod told;

pub(crate) use self::audit::audit;
pub(crate) use self::history::Record;
pub(crate) use self::keeper::ROLL_AFTER_BYTES;
pub(crate) use self::run::run;
