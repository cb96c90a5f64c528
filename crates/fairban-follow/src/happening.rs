//! What a follower tells its caller.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::position::{HEAD_BYTES, Position, Print, TAIL_BYTES};
use crate::source::{InputId, InputKey};

/// Something that happened to an input. Those of one input come in order.
#[derive(Debug)]
pub struct Happening {
    /// Which input it is about.
    pub input: InputId,
    /// Its name: the absolute path (for multilog, of the folder). From the file system: escape it before you show it.
    pub name: Arc<Path>,
    /// What happened.
    pub what: What,
}

/// What happened to an input.
#[derive(Debug)]
pub enum What {
    /// Whole lines.
    Lines(Chunk),
    /// All that there was when following began has been handed out, or there was nothing. Once an input.
    CaughtUp,
    /// The file is there now.
    Appeared,
    /// There is no file; it is waited for.
    Missing,
    /// Another file took the place of the one that was read; the rest of the old one came, or will come, first.
    Rotated,
    /// The file was emptied. What had not been read follows from the copy that was made before; without a copy, what was
    /// written between two looks and emptied is lost, and nobody can count it (what had been seen, a [`What::Lost`]
    /// counts).
    Truncated {
        /// The copy.
        copy: Option<PathBuf>,
    },
    /// A file cannot be read. Told once; it is read as soon as it can be.
    Unreadable(InputError),
    /// What was written and will never be handed out.
    Lost {
        /// How much; `None` if nobody can know (it may be nothing).
        bytes: Option<u64>,
        /// For what reason.
        why: Loss,
    },
    /// A line was longer than allowed. It counts as a line, and was not handed out.
    TooLong {
        /// Its length, with the line feed.
        bytes: u64,
        /// Its number in the file.
        line: u64,
        /// Just after it.
        end: Position,
    },
    /// From now on the file is looked at all the time, rather than when the kernel tells of it.
    Polling(WhyPolling),
    /// The stream ended, and nothing more will come.
    Ended,
    /// A file that a pattern named is gone, all that it held was handed out, and the input exists no longer.
    Removed,
}

/// Whole lines of one file, or one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Each line ends in a line feed; nothing was left out between them. May hold NUL bytes and anything else.
    pub bytes: Vec<u8>,
    /// The number of the first line in its file, from 1. Where reading began at a file's end, from there.
    pub first_line: u64,
    /// Just after the last line.
    pub end: Position,
    /// Which of the marks in `end` is of this chunk's file.
    pub(crate) mark: usize,
}

impl Chunk {
    /// The position after the first `bytes` bytes and `lines` lines of the chunk: for a caller that takes it in parts.
    /// `bytes` must end at a line.
    pub fn position_after(&self, bytes: usize, lines: u64) -> Position {
        let mut position = self.end.clone();
        if let Some(mark) = position.marks.get_mut(self.mark) {
            let begin = mark.offset - self.bytes.len() as u64;
            mark.offset = begin + bytes as u64;
            mark.lines = self.first_line - 1 + lines;
            if begin == 0 {
                // The head may be shorter now than it was at the chunk's end.
                mark.head = Print::of(&self.bytes[..bytes.min(HEAD_BYTES)]);
            }
            let tail = bytes.min(TAIL_BYTES);
            mark.tail = Print::of(&self.bytes[bytes - tail..bytes]);
        }
        position
    }
}

/// Why something was lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// Emptied without a copy.
    #[error("the file was emptied before it was read, and no copy of it was found")]
    Truncated,
    /// The file of the stored position is nowhere.
    #[error("the file read last was replaced or removed while nobody looked, and no copy of it was found")]
    Gone,
    /// Several files came to the path, and not all were found.
    #[error("a file appeared and was removed again before it could be read")]
    Vanished,
    /// The end of a file, or of a stream, without a line feed. Not handed out: a line that was cut says other things
    /// than the whole one.
    #[error("its last line has no end")]
    Unfinished,
    /// A rotated file may not be read, or not be unpacked.
    #[error("{path:?} cannot be read: {error}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why not.
        error: String,
    },
}

/// Why an input cannot be read, and what would change that. Whose fault: the machine's.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// Rights are missing.
    #[error(
        "{path:?} may not be read: {source}; give this user the right to (setfacl -m u:USER:rX, a default ACL on the \
         folder for the files to come, or a group that may read it)"
    )]
    Denied {
        /// The file or the folder that stands in the way.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Something else is at the path.
    #[error("{path:?} is {found}; {remedy}")]
    Kind {
        /// Where.
        path: PathBuf,
        /// What it is.
        found: &'static str,
        /// How it should be named.
        remedy: &'static str,
    },
    /// Anything else that the kernel said.
    #[error("{path:?} cannot be read: {source}; it is tried again")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Another program has the socket.
    #[error("{path:?} belongs to a running program; stop that one or name another path")]
    SocketInUse {
        /// Which socket.
        path: PathBuf,
    },
}

impl InputError {
    pub(crate) fn of(path: &Path, source: io::Error) -> InputError {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::PermissionDenied => InputError::Denied { path, source },
            _ => InputError::Io { path, source },
        }
    }
}

/// Why a file is looked at all the time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WhyPolling {
    /// Others may write there without this kernel's knowledge.
    #[error("{0} does not tell of what other machines write")]
    FileSystem(&'static str),
    /// The limit of watches.
    #[error("there are no inotify watches left (sysctl fs.inotify.max_user_watches or max_user_instances)")]
    NoWatches,
    /// The folder cannot be watched.
    #[error("{path:?} cannot be watched: {error}; give this user the right to read the folder")]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        error: String,
    },
    /// [`Options::inotify`](crate::Options::inotify) is off.
    #[error("inotify is turned off")]
    TurnedOff,
}

/// What state an input is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// What there was when following began is still being read.
    CatchingUp,
    /// All read; waiting for more.
    Following,
    /// No file, or no writer's end.
    Missing,
    /// Why it cannot be read, and the remedy.
    Unreadable(String),
    /// A stream that ended.
    Ended,
}

/// An input as `status` shows it.
#[derive(Clone, Debug)]
pub struct InputStatus {
    /// Names it in happenings.
    pub id: InputId,
    /// Names it across restarts.
    pub key: InputKey,
    /// Its path.
    pub name: Arc<Path>,
    /// What state it is in.
    pub state: State,
    /// Bytes that are there and were not handed out; packed files are not counted. 0 for streams.
    pub lag_bytes: u64,
    /// After the last line handed out; `None` as long as it is not known where to begin, the file being unreadable.
    pub position: Option<Position>,
    /// Why it is looked at all the time; `None` if the kernel tells of it.
    pub polling: Option<WhyPolling>,
    /// Lines handed out since following began.
    pub lines: u64,
    /// Bytes handed out since following began.
    pub bytes: u64,
    /// Lines that were too long since following began.
    pub too_long: u64,
    /// Bytes known to be lost since following began.
    pub lost_bytes: u64,
    /// How often something was lost since following began, known how much or not.
    pub losses: u64,
}

/// What keeps a follower from existing.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The caller's, that is the configuration's, fault.
    #[error("the pattern {pattern:?} is not one: {why}")]
    Pattern {
        /// As given.
        pattern: String,
        /// What is wrong, and how to say it instead.
        why: String,
    },
    /// The caller's fault.
    #[error("{path:?} is not an absolute path; write it from / on")]
    Relative {
        /// As given.
        path: PathBuf,
    },
    /// The machine's fault: out of descriptors or memory.
    #[error("cannot {what}: {source}; raise the limit of open files (ulimit -n)")]
    Kernel {
        /// What was tried.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}
