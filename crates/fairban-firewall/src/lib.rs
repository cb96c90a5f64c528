//! Bans into the kernel: the contract that every way of shutting somebody out keeps, and these ways.

mod client;
pub mod enforcer;
pub mod fw;
pub mod limits;
pub mod lists;
pub mod model;
mod netlink;
mod nft;
mod prefixes;
pub mod protocol;
mod remove;

pub use client::{BackOff, NftEnforcer, Reach};
pub use nft::{Features, Settings};
pub use remove::{RemoveError, remove_everything};
