//! What is followed, and how.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

/// Something that lines come from.
#[derive(Debug)]
pub enum Source {
    /// A log file, or a symbolic link to one. It need not exist yet, nor the folder that holds it.
    File(PathBuf),
    /// All files that a shell pattern (`*`, `?`, `[…]`; no `**`) names, now and later, without their rotated copies.
    Glob(String),
    /// A folder that multilog, svlogd or s6-log writes: `current`, and the files that were it.
    Multilog(PathBuf),
    /// A named pipe. Opened again when its writer goes.
    Pipe(PathBuf),
    /// What standard input brings, until it ends.
    Stdin,
    /// A Unix datagram socket to be made at this path, as syslog's `/dev/log`: each datagram is a line.
    Datagram(PathBuf),
    /// Lines from a descriptor that is open already: a socket or pipe with a helper process at its other end.
    Stream {
        /// Where they come from.
        fd: OwnedFd,
        /// Which stream it is: unique, and the same after a restart.
        name: String,
    },
}

/// The kinds of input that a [`Source`] makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum InputKind {
    /// A file, named itself or by a pattern.
    File,
    /// A folder of multilog.
    Multilog,
    /// A named pipe.
    Pipe,
    /// Standard input.
    Stdin,
    /// A datagram socket.
    Datagram,
    /// A descriptor given by the caller.
    Stream,
}

/// Names an input across restarts: what [`Position`](crate::Position)s are stored under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InputKey {
    kind: InputKind,
    // Bytes, since a path need not be text, which serde asks of it.
    name: Vec<u8>,
}

impl InputKey {
    pub(crate) fn new(kind: InputKind, path: &Path) -> InputKey {
        InputKey { kind, name: path.as_os_str().as_bytes().to_vec() }
    }

    /// Of which kind the input is.
    pub fn kind(&self) -> InputKind {
        self.kind
    }

    /// The absolute path (for multilog, of the folder), `-` for standard input, the name of a stream.
    pub fn path(&self) -> &Path {
        Path::new(std::ffi::OsStr::from_bytes(&self.name))
    }
}

/// Names an input while the [`Follower`](crate::Follower) lives. Never given to another input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InputId(pub(crate) u32);

/// Where the reading of a log begins that has no stored [`Position`](crate::Position). A log that appears later is read
/// from its beginning in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At its end: only what is written from now on.
    End,
    /// At the beginning of the file, without those rotated away.
    Beginning,
    /// With the oldest rotated file that was written at this time or later.
    Since(SystemTime),
}

/// A clock that never goes back.
pub trait Clock: Send {
    /// Time since some moment that stays the same.
    fn now(&self) -> Duration;
}

/// The kernel's monotonic clock.
#[derive(Debug)]
pub struct MonotonicClock(Instant);

impl Default for MonotonicClock {
    fn default() -> MonotonicClock {
        MonotonicClock(Instant::now())
    }
}

impl Clock for MonotonicClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Unpacks what gzip and others packed. Told by content: it may hand back bytes that are not packed as they are.
pub trait Unpack: Send {
    /// A reader of what is in `file`, from its beginning.
    ///
    /// # Errors
    /// If it is packed in a way that is not known: the file's fault.
    fn unpack(&self, file: File) -> io::Result<Box<dyn Read + Send>>;
}

/// How to follow. Every number is a bound.
pub struct Options {
    /// Where logs without a stored position begin.
    pub start: Start,
    /// A longer line is not handed out but counted. Its end is waited for, in constant memory.
    pub line_bytes_max: usize,
    /// Most bytes of one [`Chunk`](crate::Chunk); at least one line always fits.
    pub chunk_bytes_max: usize,
    /// How often files are looked at that the kernel does not tell of.
    pub poll_every: Duration,
    /// A file that was rotated away is let go when its writer has closed it and nothing was written for so long …
    pub linger_closed: Duration,
    /// … or, whether closed or not, when nothing was written for so long.
    pub linger_quiet: Duration,
    /// Most files that one input follows by pattern.
    pub glob_files_max: usize,
    /// Ask the kernel (inotify) rather than look at files all the time. `false` is for file systems that lie.
    pub inotify: bool,
    /// Reads packed rotated files. Without it what is in them counts as lost.
    pub unpack: Option<Box<dyn Unpack>>,
    /// Tells the time.
    pub clock: Box<dyn Clock>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            start: Start::End,
            line_bytes_max: 64 * 1024,
            chunk_bytes_max: 256 * 1024,
            poll_every: Duration::from_secs(1),
            linger_closed: Duration::from_secs(10),
            linger_quiet: Duration::from_secs(600),
            glob_files_max: 1_024,
            inotify: true,
            unpack: None,
            clock: Box::new(MonotonicClock::default()),
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("start", &self.start)
            .field("line_bytes_max", &self.line_bytes_max)
            .field("chunk_bytes_max", &self.chunk_bytes_max)
            .field("inotify", &self.inotify)
            .finish_non_exhaustive()
    }
}
