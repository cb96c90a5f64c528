//! The database: what the engine concluded and what operators did, for people and for `sqlite3`.
//!
//! Nothing is decided by it. The engine's own state is in its snapshots; so a full, read-only or broken disk costs
//! history and never a ban. Rows that stem from an effect carry the journal's number and the effect's, once: recording
//! something twice is harmless, and after a crash the daemon simply records again.
//!
//! [`Database`] writes, [`Writer`] does so in a thread of its own, [`Reader`] reads, also while the daemon writes and
//! when there is none. The schema is in `schema.sql`; `docs/database.md` explains it.

mod entry;
mod open;
mod query;
mod retention;
mod rows;
mod write;
mod writer;

use std::path::PathBuf;

use fairban_core::time::Time;
use rusqlite::ErrorCode;

pub use self::entry::{
    Action, Counters, Entry, InForce, Mode, NAME_BYTES_MAX, REASON_BYTES_MAX, STATUS_BYTES_MAX, Standing,
    Status, TRIED_MAX, Verb, Verdict, Who, Whom,
};
pub use self::open::{Database, MovedAside};
pub use self::query::Reader;
pub use self::rows::{
    ActionRow, AllowedRow, BanRow, CounterRow, Event, ForgivenRow, ModeRow, NoteRow, SignalRow, StatusRow,
    TriedRow, VerdictRow,
};
pub use self::writer::{Health, Notice, OnTheirWay, Writer};
use crate::shown;

/// Version of the schema, kept as `user_version`.
pub const SCHEMA_VERSION: u32 = 1;

/// Marks the file as ours: `application_id`, "fban".
pub const APPLICATION_ID: u32 = 0x6662_616e;

/// How a database is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The file and its write-ahead log together are not larger. Oldest history goes first; bans in force, and what
    /// operators did about them, never.
    pub bytes_max: u64,
    /// History older than this goes, whatever the size.
    pub days_max: u32,
    /// Entries that wait in the channel of a [`Writer`]. When it is full, sending waits.
    pub queue_max: usize,
    /// Entries that a [`Writer`] keeps while the database cannot be written. Beyond it the oldest are lost, and said.
    pub backlog_max: usize,
    /// How long a [`Writer`] waits before it tries again, at first; doubled each time, up to a minute.
    pub retry_millis: u64,
}

const FILE_BYTES_LEAST: u64 = 512 << 10;

impl Default for Options {
    fn default() -> Options {
        Options { bytes_max: 64 << 20, days_max: 90, queue_max: 2048, backlog_max: 8192, retry_millis: 1000 }
    }
}

impl Options {
    /// What the write-ahead log may take of the bound.
    const fn wal_bytes_max(&self) -> u64 {
        self.bytes_max / 4
    }

    /// What the file may take of it: not less than an empty database needs.
    const fn file_bytes_max(&self) -> u64 {
        let bytes = self.bytes_max - self.wal_bytes_max();
        if bytes > FILE_BYTES_LEAST { bytes } else { FILE_BYTES_LEAST }
    }

    const fn pages_max(&self) -> u64 {
        self.file_bytes_max() / open::PAGE_BYTES
    }
}

/// The daemon's clocks, for whoever has a thread of his own.
pub trait Clock: Send {
    /// The time of day.
    fn now(&self) -> Time;

    /// A clock that never goes back, from any origin.
    fn elapsed(&self) -> std::time::Duration;
}

/// Why the database cannot be opened, written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A newer fairban wrote it: the operator went back a version. It was not touched.
    #[error(
        "{} has schema version {found}, and this fairban knows version {expected}; it was not touched. Start the newer \
         fairban again, or move the file away: history begins anew then, and bans in force go on",
        shown(.path)
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// In the file.
        found: u32,
        /// What this program knows.
        expected: u32,
    },
    /// An older fairban wrote it, and only the daemon may change its schema.
    #[error(
        "{} has schema version {found}, and this fairban reads version {expected}; start the daemon once, it brings the \
         database up to date",
        shown(.path)
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// In the file.
        found: u32,
        /// What this program reads.
        expected: u32,
    },
    /// Another program's database: the operator named the wrong file. It was not touched.
    #[error("{} is another program's database; name another state directory, or move the file away", shown(.path))]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// No daemon has run here yet.
    #[error("there is no database at {}; fairban has not run with this state directory yet", shown(.path))]
    Absent {
        /// The file.
        path: PathBuf,
    },
    /// A reader holds an old state so long that the write-ahead log has reached its bound: whoever has it open.
    #[error(
        "the write-ahead log of {} is {bytes} bytes long, because some program keeps a read of the database open; end \
         that program (fuser {} names it)",
        shown(.path),
        shown(.path)
    )]
    HeldByReader {
        /// The file.
        path: PathBuf,
        /// Length of its log.
        bytes: u64,
    },
    /// The file was removed or replaced while it was open: somebody's doing.
    #[error("{} was removed or replaced while fairban had it open; it is made again", shown(.path))]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// `SQLite` or the disk below it refused.
    #[error("cannot {doing} {}: {source}; {}", shown(.path), remedy(.source))]
    Sqlite {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Its answer.
        source: rusqlite::Error,
    },
    /// The file system refused.
    #[error(
        "cannot {doing} {}: {source}; the state directory must exist and belong to the user fairban runs as",
        shown(.path)
    )]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
}

impl Error {
    /// The file's content is damaged, or it is no database at all.
    pub fn is_corrupt(&self) -> bool {
        matches!(self.code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
    }

    /// The disk has no room, or the database has reached its bound.
    pub fn is_full(&self) -> bool {
        self.code() == Some(ErrorCode::DiskFull)
    }

    /// The connection is as good as it was.
    fn is_passing(&self) -> bool {
        let busy = matches!(self.code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked));
        busy || self.is_full() || matches!(self, Error::HeldByReader { .. })
    }

    fn code(&self) -> Option<ErrorCode> {
        match self {
            Error::Sqlite { source, .. } => source.sqlite_error_code(),
            _ => None,
        }
    }
}

fn remedy(source: &rusqlite::Error) -> &'static str {
    match source.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "free space on that disk, or allow the database more",
        Some(ErrorCode::ReadOnly) => "mount that file system writable, and give fairban the file",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program is writing into it: end that program"
        }
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "the state directory must exist and belong to the user fairban runs as"
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "the file is damaged: the daemon moves it aside and begins a new one"
        }
        _ => "look at the kernel's log for errors of that disk",
    }
}

#[cfg(test)]
mod tests;
