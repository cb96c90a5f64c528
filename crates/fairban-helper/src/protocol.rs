//! What goes over the socket pair. Every packet is one message: a byte for the version, then the message in postcard's
//! encoding, at most [`PACKET_BYTES_MAX`] together.
//!
//! Both ends check what they get, bound by bound. Keeper, worker and daemon are of one build; the version is there for
//! the case that they are not.

use std::net::{IpAddr, SocketAddr};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::config::{self, Config, Resolve, Transport};

/// Version of all messages; every change of one is a new version.
pub const VERSION: u8 = 3;

/// Largest packet, in bytes; less than what the kernel lets a socket pair hold.
pub const PACKET_BYTES_MAX: usize = 64 * 1024;

/// Longest line handed on, in bytes. What is longer is cut.
pub const LINE_BYTES_MAX: usize = 16 * 1024;

/// Most lines in a batch.
pub const BATCH_LINES_MAX: usize = 512;

/// A batch that has so many bytes of lines is sent.
pub const BATCH_BYTES: usize = 32 * 1024;

/// Most peers told in one batch.
pub const BATCH_PEERS_MAX: usize = 32;

/// Longest text for a person, in bytes.
pub const TEXT_BYTES_MAX: usize = 1024;

/// From the daemon to a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// What to do, as answer to its hello.
    Configure {
        /// Which worker this is for; others take no notice.
        worker: u32,
        /// The jobs.
        config: Config,
    },
    /// End, so that another worker can begin with another configuration.
    Leave {
        /// Which worker this is for.
        worker: u32,
    },
}

/// From a worker to the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// A new worker, to be configured.
    Hello {
        /// Its number; the first is 1.
        worker: u32,
        /// Its process.
        pid: u32,
        /// How the one before ended, if it was not told to.
        after: Option<String>,
    },
    /// Its sockets are open, its wall is closed, its jobs begin.
    Ready(Ready),
    /// Lines.
    Batch(Batch),
    /// What brought the lines of a job has ended and is started again: `journalctl`.
    Restarted {
        /// Which job.
        job: Job,
        /// How it ended; one sentence, bytes from outside escaped.
        why: String,
    },
    /// A name of the allowlist was looked up, and the result is another than before.
    Resolved {
        /// The name.
        name: String,
        /// Its addresses, sorted, at most [`Resolve::ADDRESSES_MAX`]; or why there are none now: the last ones stay.
        addresses: Result<Vec<IpAddr>, String>,
    },
    /// Something that a person should know.
    Said {
        /// About which job.
        job: Job,
        /// One sentence; bytes from outside are escaped in it.
        text: String,
    },
}

/// What a worker has set up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The wall that stands, in a line.
    pub wall: String,
    /// What of it is missing on this kernel, a sentence each.
    pub wall_lacks: Vec<String>,
    /// Addresses that are listened on.
    pub listening: Vec<(Transport, SocketAddr)>,
}

/// A job of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Job {
    /// The systemd journal.
    Journal,
    /// Syslog over the network.
    Syslog,
    /// Names of the allowlist.
    Resolve,
    /// None of them: the program itself.
    Helper,
}

/// Lines of one job, in the order they came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Where they are from: [`Job::Journal`] or [`Job::Syslog`].
    pub job: Job,
    /// Of the network: which listener, by its place in the configuration; else 0.
    pub listener: u16,
    /// The lines as a log would have them, without line feeds.
    pub lines: Vec<Vec<u8>>,
    /// Of the journal: its place after these lines. To be saved with what the lines did.
    pub cursor: Option<String>,
    /// What was counted since the batch before.
    pub counts: Counts,
    /// One of the entries counted as forged.
    pub forged: Option<String>,
    /// Of the network: who sent how many of these lines. Shown, never believed.
    pub peers: Vec<(IpAddr, u32)>,
    /// Of the network: the last who sent something although nothing is taken from him.
    pub stranger: Option<IpAddr>,
}

/// Counters; each says what became of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Handed on as a line.
    pub lines: u64,
    /// Claims to be a service's and is not: dropped.
    pub forged: u64,
    /// Not from a service, nor pretending to be: dropped.
    pub set_aside: u64,
    /// Longer than a line may be: cut, or dropped where the rest was not given to us.
    pub too_long: u64,
    /// Not to be understood: dropped.
    pub unreadable: u64,
    /// Connections closed because there were too many.
    pub refused: u64,
    /// Datagrams and connections of senders whose lines are not taken.
    pub strangers: u64,
}

impl Counts {
    /// Adds `other`.
    pub fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.lines, other.lines),
            (&mut self.forged, other.forged),
            (&mut self.set_aside, other.set_aside),
            (&mut self.too_long, other.too_long),
            (&mut self.unreadable, other.unreadable),
            (&mut self.refused, other.refused),
            (&mut self.strangers, other.strangers),
        ];
        for (sum, more) in pairs {
            *sum = sum.saturating_add(more);
        }
    }
}

/// A packet that is no message; the other end's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// Another version.
    #[error("a message of version {0}, not {VERSION}: fairban and fairban-helper are of different releases")]
    Version(u8),
    /// Not a message.
    #[error("a packet of {0} bytes that is no message")]
    NoMessage(usize),
    /// A bound is not kept.
    #[error("a message with {0}")]
    Bound(&'static str),
}

/// Makes a packet. Messages that keep their bounds always fit.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, ProtocolError> {
    let packet = postcard::to_extend(message, vec![VERSION]).map_err(|_| ProtocolError::NoMessage(0))?;
    if packet.len() > PACKET_BYTES_MAX {
        return Err(ProtocolError::Bound("too many bytes"));
    }
    Ok(packet)
}

fn decode<T: DeserializeOwned>(packet: &[u8]) -> Result<T, ProtocolError> {
    let no_message = ProtocolError::NoMessage(packet.len());
    let (&version, body) = packet.split_first().ok_or_else(|| no_message.clone())?;
    if version != VERSION {
        return Err(ProtocolError::Version(version));
    }
    match postcard::take_from_bytes(body) {
        Ok((message, [])) => Ok(message),
        _ => Err(no_message),
    }
}

impl Order {
    /// Reads a packet and checks every bound. A bad configuration is no error here: who gets it refuses it in words.
    pub fn decode(packet: &[u8]) -> Result<Self, ProtocolError> {
        decode(packet)
    }
}

impl Message {
    /// Reads a packet and checks every bound.
    pub fn decode(packet: &[u8]) -> Result<Self, ProtocolError> {
        let message: Self = decode(packet)?;
        message.check()?;
        Ok(message)
    }

    fn check(&self) -> Result<(), ProtocolError> {
        let text = |text: &str| text.len() <= TEXT_BYTES_MAX;
        match self {
            Self::Hello { after, .. } => bound(after.as_deref().is_none_or(text), "too long a text"),
            Self::Ready(ready) => {
                bound(ready.listening.len() <= config::Syslog::LISTENERS_MAX, "too many addresses")?;
                bound(ready.wall_lacks.len() <= 16, "too many texts")?;
                bound(text(&ready.wall) && ready.wall_lacks.iter().all(|lack| text(lack)), "too long a text")
            }
            Self::Batch(batch) => batch.check(),
            Self::Resolved { name, addresses } => {
                bound(config::is_host_name(name), "a name that is none")?;
                match addresses {
                    Ok(addresses) => bound(addresses.len() <= Resolve::ADDRESSES_MAX, "too many addresses"),
                    Err(why) => bound(text(why), "too long a text"),
                }
            }
            Self::Restarted { why, .. } => bound(text(why), "too long a text"),
            Self::Said { text: said, .. } => bound(text(said), "too long a text"),
        }
    }
}

impl Batch {
    /// Nothing yet.
    pub fn new(job: Job) -> Self {
        Self::of_listener(job, 0)
    }

    /// Nothing yet, of a listener.
    pub(crate) fn of_listener(job: Job, listener: u16) -> Self {
        let (counts, lines, peers) = (Counts::default(), Vec::new(), Vec::new());
        Self { job, listener, lines, cursor: None, counts, forged: None, peers, stranger: None }
    }

    /// Whether it says anything.
    pub fn is_empty(&self) -> bool {
        *self == Self::of_listener(self.job, self.listener)
    }

    /// Whether it must be sent before another line is added.
    pub(crate) fn is_full(&self) -> bool {
        self.lines.len() >= BATCH_LINES_MAX
            || self.peers.len() >= BATCH_PEERS_MAX
            || self.lines.iter().map(Vec::len).sum::<usize>() >= BATCH_BYTES
    }

    fn check(&self) -> Result<(), ProtocolError> {
        bound(matches!(self.job, Job::Journal | Job::Syslog), "lines of no source")?;
        bound(usize::from(self.listener) < config::Syslog::LISTENERS_MAX, "a listener that is none")?;
        bound(self.lines.len() <= BATCH_LINES_MAX, "too many lines")?;
        bound(self.lines.iter().all(|line| line.len() <= LINE_BYTES_MAX), "too long a line")?;
        bound(!self.lines.iter().any(|line| line.contains(&b'\n')), "a line feed within a line")?;
        bound(self.cursor.as_deref().is_none_or(config::is_cursor), "a cursor that is none")?;
        bound(self.forged.as_ref().is_none_or(|sample| sample.len() <= TEXT_BYTES_MAX), "too long a text")?;
        bound(self.peers.len() <= BATCH_PEERS_MAX, "too many peers")
    }
}

fn bound(keeps: bool, what: &'static str) -> Result<(), ProtocolError> {
    if keeps { Ok(()) } else { Err(ProtocolError::Bound(what)) }
}

/// A text for a person from bytes of outside: escaped, and cut at [`TEXT_BYTES_MAX`].
pub(crate) fn text(bytes: &[u8]) -> String {
    // Escaping writes ASCII only, so any place is a border of letters; four bytes for one at most.
    let mut text = fairban_core::escape::escaped(&bytes[..bytes.len().min(TEXT_BYTES_MAX)]).to_string();
    text.truncate(TEXT_BYTES_MAX);
    text
}

/// A sentence of ours, cut at [`TEXT_BYTES_MAX`].
pub(crate) fn sentence(mut text: String) -> String {
    if text.len() > TEXT_BYTES_MAX {
        let end = (0..=TEXT_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests;
