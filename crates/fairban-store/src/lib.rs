//! What fairban remembers, in one directory that only its owner may enter.
//!
//! Three parts, each usable alone:
//!
//! - [`journal`]: what went into the engine, in order, before the engine saw it. With a snapshot it makes the engine
//!   again after any crash; so it is small and short.
//! - [`snapshots`]: the engine's state at a point of the journal, the newest two; [`roll`] makes the next one from the last
//!   one and the journal, beside the running daemon, and drops what of the journal is no longer needed.
//! - [`database`]: what the engine concluded and what operators did, for people: an `SQLite` file with a documented schema.
//!   Nothing is decided by it, so a damaged or full disk costs history and never a ban.
//!
//! [`state_dir`] is the directory itself, with the lock that keeps a second daemon out. Nothing here asks a clock: time
//! comes in as an argument or through [`database::Clock`]. Journal and snapshots reach their files through [`disk::Disk`],
//! so that tests can make disks full, read-only and lying.

pub mod database;
pub mod disk;
pub mod faults;
pub mod journal;
pub mod roll;
pub mod snapshots;
pub mod state_dir;

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// A file's name in a message: bytes outside printable ASCII escaped.
fn shown(path: &Path) -> String {
    fairban_core::escape::escaped(path.as_os_str().as_bytes()).to_string()
}
