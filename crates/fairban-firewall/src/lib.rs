//! Bans into the kernel: the contract that every way of shutting somebody out keeps, and these ways.

pub mod enforcer;
pub mod model;
mod netlink;
mod nft;
mod prefixes;
pub mod protocol;
