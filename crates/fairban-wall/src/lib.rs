//! The walls around a running process: what it can no longer do, whatever it is talked into.
//!
//! A process that reads what attackers wrote should hold nothing worth taking. [`Wall`] describes what a process still
//! needs; [`Wall::close`] takes away everything else, for good, and returns what stands ([`Raised`]). Six layers, each
//! of use where another is missing:
//!
//! | layer | what it stops |
//! |---|---|
//! | user and groups | files and processes of others |
//! | capabilities and their bounding set | the rights of root, also through a set-user-id program |
//! | no new privileges | that any program started gains rights |
//! | not dumpable | that a process of the same user reads our memory |
//! | Landlock | files outside the named directories, TCP ports, signals to processes outside |
//! | seccomp | system calls outside a named set: no program, no network, no tracing |
//!
//! Kernels differ: Landlock came with 5.13 and grew, some hosts switch it off, and containers may forbid seccomp. What
//! is missing is never fatal unless the caller asks for it ([`Raised::require`]): a login defender that does not start
//! defends nobody. Only a change of user that fails is an error, as going on as root would be a surprise.
//!
//! The order is that of what each step needs. Directories are opened while we may still look at them; the bounding set
//! is emptied while we hold the right to; the user changes before the last capabilities go; no new privileges comes
//! before Landlock and seccomp, which ask for it; seccomp is last, as it forbids all the calls above. User, capabilities
//! and Landlock belong to a *thread*, so the process must still have a single one: [`Wall::close`] looks.

mod calls;
mod files;
mod identity;
mod raised;

use std::path::PathBuf;

pub use calls::{Calls, Denied};
pub use files::{Landlock, LandlockState};
pub use identity::{Capabilities, Capability, Identity};
pub use raised::{Incomplete, Layer, Raised};

/// What a process still needs. Everything else is what [`close`](Self::close) takes away.
#[derive(Clone, Debug, Default)]
pub struct Wall {
    /// Whom to become; `None` to stay who we are. Needs root, or that we are this user already.
    pub identity: Option<Identity>,
    /// Capabilities to keep, of those we have.
    pub keep: Vec<Capability>,
    /// Programs that we start have them, too.
    pub passed_on: bool,
    /// Files and directories that may be read, with all below them. One that is missing is replaced by its nearest
    /// parent, if that is at least two directories deep, so that it may appear later; see [`Landlock::widened`].
    pub read: Vec<PathBuf>,
    /// Files and directories that may also be written, with all below them: regular files, directories, sockets, pipes.
    pub write: Vec<PathBuf>,
    /// Files and directories that may be read and started as programs.
    pub execute: Vec<PathBuf>,
    /// TCP ports.
    pub tcp: Tcp,
    /// System calls.
    pub calls: Calls,
    /// What a system call outside the set does.
    pub denied: Denied,
}

/// TCP ports that may be used. Whether there can be a socket at all, [`Calls`] decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tcp {
    /// Any.
    Any,
    /// Only these.
    Ports {
        /// To listen on; 0 is a port that the kernel picks.
        bind: Vec<u16>,
        /// To connect to.
        connect: Vec<u16>,
    },
}

impl Default for Tcp {
    /// None.
    fn default() -> Self {
        Self::Ports { bind: Vec::new(), connect: Vec::new() }
    }
}

/// Why nothing, or not enough, was closed; the process must not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller's fault.
    #[error(
        "the process has {0} threads already; the walls must be closed before the second one begins, as the kernel \
         keeps them for each thread"
    )]
    Threads(usize),
    /// Who started us is at fault.
    #[error("cannot become user {uid}, group {gid}: {reason}; start as root or as that user")]
    Identity {
        /// The user asked for.
        uid: u32,
        /// The group asked for.
        gid: u32,
        /// What the kernel said.
        reason: std::io::Error,
    },
    /// The kernel's fault, and never seen.
    #[error("cannot give up capabilities: {0}")]
    Capabilities(std::io::Error),
}

impl Wall {
    /// Closes the wall around this process, for good.
    ///
    /// To be called once, by a process with a single thread. After an error the process must end: part of what it was
    /// may be gone.
    pub fn close(self) -> Result<Raised, Error> {
        expect_one_thread()?;
        let files = files::Plan::open(&self);
        let capabilities = identity::give_up(self.identity.as_ref(), &self.keep, self.passed_on)?;
        let no_new_privs = Layer::from_result(capctl::prctl::set_no_new_privs().map_err(identity::io_error));
        let not_dumpable = Layer::from_result(capctl::prctl::set_dumpable(false).map_err(identity::io_error));
        let landlock = files.enforce();
        let seccomp = calls::enforce(self.calls, self.denied);
        Ok(Raised {
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            capabilities,
            no_new_privs,
            not_dumpable,
            landlock,
            seccomp,
        })
    }
}

/// Where `/proc` is not mounted the caller is believed.
fn expect_one_thread() -> Result<(), Error> {
    match std::fs::read_dir("/proc/self/task").map(Iterator::count) {
        Ok(threads) if threads > 1 => Err(Error::Threads(threads)),
        _ => Ok(()),
    }
}
