//! Bans into the kernel: the contract that every way of shutting somebody out keeps.

pub mod enforcer;
pub mod model;
