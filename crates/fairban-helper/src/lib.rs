//! What fairban needs the network or another program for, in a process of its own: `fairban-helper`.
//!
//! The daemon reads what attackers write and keeps the state; it has no network and starts no program. This program has
//! both and nothing else: no log file, no state, no rights. It follows the systemd journal through `journalctl`
//! ([`config::Journal`]), takes syslog over UDP and TCP ([`config::Syslog`]), and looks up the names of the allowlist
//! ([`config::Resolve`]). Whoever breaks into it can send false lines and false addresses, as whoever can write to
//! those sources can, and reaches no file, ban or secret.
//!
//! ```text
//! fairban ── socket pair ──┬── keeper   starts a worker, waits for its end, starts the next; reads nothing
//!          (sequenced      └── worker   ── journalctl
//!            packets)                   ── UDP, TCP
//! ```
//!
//! Two processes, as the daemon can start nothing once its wall is closed: a *keeper* that cannot fail, for it does
//! nothing, and a *worker* that does everything and is replaced when it dies. Both hold the same end of the socket pair
//! as descriptor 0. A packet is a message, so a worker that dies in the middle of one leaves no half of it. A new worker
//! says hello, the daemon's end ([`Helper`]) answers with the configuration and the cursor of the last batch it took,
//! and the journal is read on from there: nothing twice, nothing lost.
//!
//! A worker is for one configuration. It opens its sockets, closes its wall ([`fairban_wall`]), and only then looks at
//! anything from outside. A changed configuration is a new worker.

pub mod backoff;
pub mod config;
pub mod protocol;

mod channel;
mod handle;
mod journal;
mod keeper;
mod line;
mod resolve;
mod sandbox;
mod syslog;
mod worker;

pub use config::Config;
pub use handle::{Gone, Helper, Launch, Name, ReconfigureError, StartError, Status};
pub use keeper::run;
pub use protocol::Message;
