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
mod bites;
mod desk;
mod doors;
mod enforcers;
mod floor;
mod helped;
mod history;
mod hours;
mod in_force;
mod intake;
mod keeper;
mod left;
mod limiting;
mod office;
mod port25;
mod reading;
mod recorder;
mod reload;
mod run;
mod since;
mod timeline;
mod told;
mod withheld;

pub(crate) use self::assistant::program;
pub(crate) use self::audit::audit;
pub(crate) use self::bites::GRACE_SECONDS;
pub(crate) use self::enforcers::{Chosen, chosen};
pub(crate) use self::history::Record;
pub(crate) use self::keeper::ROLL_AFTER_BYTES;
pub(crate) use self::run::run;
