//! The control socket: how `fairban`'s verbs, and anybody's programs, talk to the service that is running.
//!
//! One JSON object a line each way over a Unix stream socket, every object with its version. `docs/control.md` is the
//! contract, and its examples are tests. Three things shape this crate:
//!
//! - **The types are a contract of their own.** They are not the engine's, so the engine may change without breaking
//!   anybody's script, and this crate knows no engine.
//! - **Whoever connects may be an attacker, or just slow.** One thread serves all clients with `poll`; every line, queue
//!   and table has a bound; what a client does never makes the thread that judges wait.
//! - **Text from outside is [`Shown`]**: escaped before it is put into an answer, and again when an answer is read. So
//!   nothing that an attacker got into a log reaches a terminal as it was.
//!
//! The service binds with [`Server::bind`], starts the thread with [`Server::start`], takes [`Asked`] from a channel and
//! answers each by [`Reply::send`]. Verbs use [`Client`].

mod client;
mod group;
mod moment;
mod prefix;
mod request;
mod response;
mod rights;
mod server;
mod shown;

pub use client::{Client, ClientError, TailAnswer, Tailed};
pub use moment::{Moment, NotAMoment};
pub use prefix::{NotAPrefix, parse_prefix};
pub use request::{
    About, BAN_SECONDS_MAX, BadRequest, LIMIT_NAME_BYTES_MAX, LIMIT_PORTS_MAX, LimitChange, NOTE_BYTES_MAX,
    ROWS_MAX, Request, Whom,
};
pub use response::*;
pub use rights::{Class, Peer};
pub use server::{
    Access, Asked, BindError, Patience, Publisher, Readers, Reply, Running, Server, StartError, read_door,
};
pub use shown::Shown;

/// The version of the protocol: the `v` of every object. It changes when an old program would misunderstand a new one;
/// further fields in answers do not change it.
pub const VERSION: u32 = 1;

/// Most bytes of a request's line, its line feed included.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// Most bytes of an answer's line, its line feed included. What is longer is asked for in parts.
pub const RESPONSE_BYTES_MAX: usize = 512 * 1024;
