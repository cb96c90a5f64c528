//! The program `fairban-fw`: the only one with the right to change the firewall, and with nothing else.
//!
//! It takes prefixes and seconds from one other process, over its descriptor 0, and writes them into our table. It reads
//! no log and no name, and of files only `/etc/fairban/never-ban`, before it closes its walls. Whatever it is asked, it never
//! bans what its floor protects: loopback, this host's own addresses and gateways, and that file's prefixes.
//!
//! Where no service manager starts it again a `parent` does: the same program, which does nothing else.
//!
//! Two threads: `process` answers, writes the table and repairs it; `cutter` ends connections that are open already,
//! which takes longer and must not keep a ban waiting.

mod arguments;
mod bans;
mod bucket;
mod cutter;
mod established;
mod guard;
mod keeper;
mod latency;
mod limiter;
mod never_ban;
mod own;
mod parent;
mod process;

pub(crate) use arguments::PARENT;
pub use arguments::{Arguments, USAGE};
pub(crate) use parent::number;
pub use parent::run_parent;
pub use process::{Error, run};
