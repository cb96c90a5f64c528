//! `fairban run`: the running service.
//!
//! ```text
//! follower thread:  inputs ─► whole lines ─► parsed, merged while behind ─┐
//! control thread:   requests of the operator ─────────────────────────────┼─► engine thread: journal, then desk
//! signals, helper ────────────────────────────────────────────────────────┘      ├─► whoever shuts sources out
//!                                                                                 └─► database, tail
//! ```

mod desk;
mod in_force;
mod intake;
mod timeline;
