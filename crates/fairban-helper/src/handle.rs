//! The daemon's end: starts the program, hands over messages, and keeps the state that outlives a worker.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use fairban_wall::Identity;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair};

use crate::config::{Config, ConfigError};
use crate::keeper::Arguments;
use crate::protocol::{Batch, Counts, Job, Message, Order, PACKET_BYTES_MAX, ProtocolError, Ready, encode};

/// What is started, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The program `fairban-helper`.
    pub program: PathBuf,
    /// The program `journalctl`, with its full path.
    pub journalctl: PathBuf,
    /// Whom it becomes, if we are root: a user of its own, in the group `systemd-journal`.
    pub identity: Option<Identity>,
}

/// Why the program did not start; what surrounds us is at fault, or the configuration.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It would be refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The system's fault.
    #[error("cannot start {program}: {reason}; is fairban-helper installed?")]
    Start {
        /// The program.
        program: PathBuf,
        /// What the kernel said.
        reason: io::Error,
    },
}

/// The program has ended for good, keeper and worker. A daemon behind its wall cannot start another one: the journal,
/// network syslog and names of the allowlist stand still until fairban is restarted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fairban-helper has ended ({0}): restart fairban")]
pub struct Gone(pub String);

/// A running `fairban-helper`. Dropping it ends the program.
#[derive(Debug)]
pub struct Helper {
    socket: OwnedFd,
    keeper: Child,
    config: Config,
    /// The worker that said hello last; 0 before the first.
    worker: u32,
    status: Status,
    buffer: Vec<u8>,
}

/// State for `fairban status`; counts go on over all workers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Workers begun so far. More than one without a changed configuration is trouble.
    pub workers: u32,
    /// What the worker has set up; `None` while it begins.
    pub ready: Option<Ready>,
    /// Records of the journal.
    pub journal: Counts,
    /// Records of network syslog.
    pub syslog: Counts,
    /// The last entry of the journal that was forged.
    pub forged: Option<String>,
    /// Senders of network syslog and their lines; at most [`Status::PEERS_MAX`], the busiest stay.
    pub peers: BTreeMap<IpAddr, u64>,
    /// Names of the allowlist.
    pub names: BTreeMap<String, Name>,
    /// What was said last, at most [`Status::SAID_MAX`] sentences, the newest at the end.
    pub said: VecDeque<(Job, String)>,
}

/// A name of the allowlist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// Its addresses, as of the last look-up that succeeded.
    pub addresses: Vec<IpAddr>,
    /// Why the last look-up failed, if it did.
    pub failed: Option<String>,
}

impl Helper {
    /// Starts the program. To be done before the daemon's own wall closes, which lets it start nothing.
    pub fn start(launch: &Launch, config: Config) -> Result<Self, StartError> {
        config.check()?;
        let failed = |reason| StartError::Start { program: launch.program.clone(), reason };
        let (socket, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .map_err(|error| failed(error.into()))?;
        let arguments = Arguments {
            journalctl: launch.journalctl.clone(),
            identity: launch.identity.clone(),
            ..Arguments::default()
        };
        let keeper = Command::new(&launch.program)
            .args(arguments.to_list())
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let buffer = vec![0; PACKET_BYTES_MAX + 1];
        Ok(Self { socket, keeper, config, worker: 0, status: Status::default(), buffer })
    }

    /// The next message, if one is there; never waits. To be called until it returns `None` whenever the descriptor
    /// ([`AsFd`]) is readable, and not before the message before it is in safe hands: the worker is asked to go on behind
    /// the last batch that was returned here.
    pub fn recv(&mut self) -> Result<Option<Message>, Gone> {
        let received = rustix::io::retry_on_intr(|| {
            recv(&self.socket, &mut self.buffer[..], RecvFlags::DONTWAIT | RecvFlags::TRUNC)
        });
        let length = match received {
            Ok((_, 0)) => return Err(self.gone()),
            Ok((_, length)) => length,
            Err(Errno::AGAIN) => return Ok(None),
            Err(_) => return Err(self.gone()),
        };
        let decoded = match self.buffer.get(..length) {
            Some(packet) => Message::decode(packet),
            None => Err(ProtocolError::NoMessage(length)),
        };
        let message = decoded.unwrap_or_else(|error| Message::Said {
            job: Job::Helper,
            text: format!("fairban-helper sent {error}"),
        });
        self.take_note(&message)?;
        Ok(Some(message))
    }

    fn take_note(&mut self, message: &Message) -> Result<(), Gone> {
        self.status.note(message, &self.config);
        match message {
            Message::Hello { worker, .. } => {
                self.worker = *worker;
                self.send(&Order::Configure { worker: *worker, config: self.config.clone() })
            }
            Message::Batch(Batch { job: Job::Journal, cursor: Some(cursor), .. }) => {
                if let Some(journal) = &mut self.config.journal {
                    journal.cursor = Some(cursor.clone());
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Changes the configuration: another worker begins, unless it is the same (`false`). The cursor is ours, whatever `config` says, as long as there was a
    /// journal before.
    pub fn reconfigure(&mut self, mut config: Config) -> Result<bool, ReconfigureError> {
        config.check()?;
        if let (Some(new), Some(old)) = (&mut config.journal, &self.config.journal) {
            if old.cursor.is_some() {
                new.cursor.clone_from(&old.cursor);
            }
            // How far back a first reading goes is no reason for another worker, who would leave datagrams unread.
            if new.matches == old.matches {
                new.since = old.since;
            }
        }
        if config == self.config {
            return Ok(false);
        }
        let kept = config.resolve.as_ref().map(|resolve| resolve.names.as_slice()).unwrap_or_default();
        self.status.names.retain(|name, _| kept.contains(name));
        self.config = config;
        // Before its hello there is nobody to leave, and it will be given the new one.
        if self.worker == 0 {
            return Ok(true);
        }
        self.send(&Order::Leave { worker: self.worker })?;
        Ok(true)
    }

    /// The configuration in force, with the cursor of the last batch.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Its state.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// The keeper's process.
    pub fn keeper_pid(&self) -> u32 {
        self.keeper.id()
    }

    /// Ends the program and waits until it has ended.
    pub fn end(self) -> io::Result<ExitStatus> {
        let Self { socket, mut keeper, .. } = self;
        drop(socket);
        keeper.wait()
    }

    fn send(&mut self, order: &Order) -> Result<(), Gone> {
        let packet = encode(order).map_err(|error| Gone(error.to_string()))?;
        // It reads orders at once; a full socket means that ten workers died before they read one.
        match send(&self.socket, &packet, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(_) => Ok(()),
            Err(Errno::AGAIN) => Err(Gone("it takes no orders".to_owned())),
            Err(_) => Err(self.gone()),
        }
    }

    fn gone(&mut self) -> Gone {
        Gone(match self.keeper.try_wait() {
            Ok(Some(status)) => status.to_string(),
            Ok(None) => "it closed its socket".to_owned(),
            Err(error) => error.to_string(),
        })
    }
}

/// Why a configuration was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ReconfigureError {
    /// It would be refused; the old one stays.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is nobody to take it.
    #[error(transparent)]
    Gone(#[from] Gone),
}

impl AsFd for Helper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Status {
    /// Most senders remembered.
    pub const PEERS_MAX: usize = 64;
    /// Most sentences remembered.
    pub const SAID_MAX: usize = 16;

    fn note(&mut self, message: &Message, config: &Config) {
        match message {
            Message::Hello { after, .. } => {
                self.workers = self.workers.saturating_add(1);
                self.ready = None;
                if let Some(after) = after {
                    self.say(Job::Helper, format!("a worker was replaced: {after}"));
                }
            }
            Message::Ready(ready) => self.ready = Some(ready.clone()),
            Message::Batch(batch) => self.note_batch(batch),
            Message::Resolved { name, addresses } => {
                let asked = config.resolve.as_ref().is_some_and(|resolve| resolve.names.contains(name));
                if asked {
                    let known = self.names.entry(name.clone()).or_default();
                    match addresses {
                        Ok(addresses) => *known = Name { addresses: addresses.clone(), failed: None },
                        Err(why) => known.failed = Some(why.clone()),
                    }
                }
            }
            Message::Restarted { job, why } => self.say(*job, format!("{why} and is started again")),
            Message::Said { job, text } => self.say(*job, text.clone()),
        }
    }

    fn note_batch(&mut self, batch: &Batch) {
        let counts = if batch.job == Job::Journal { &mut self.journal } else { &mut self.syslog };
        counts.add(&batch.counts);
        if batch.forged.is_some() {
            self.forged.clone_from(&batch.forged);
        }
        for (peer, lines) in &batch.peers {
            let sum = self.peers.entry(*peer).or_default();
            *sum = sum.saturating_add(u64::from(*lines));
            if self.peers.len() > Self::PEERS_MAX
                && let Some(quietest) =
                    self.peers.iter().min_by_key(|(_, lines)| **lines).map(|(peer, _)| *peer)
            {
                self.peers.remove(&quietest);
            }
        }
    }

    fn say(&mut self, job: Job, text: String) {
        if self.said.len() == Self::SAID_MAX {
            self.said.pop_front();
        }
        self.said.push_back((job, text));
    }
}

#[cfg(test)]
mod tests;
