//! What goes wrong with a journal, whose fault it is, and the remedy.

use std::io;
use std::path::PathBuf;

use crate::shown;
use crate::state_dir;

/// Why the journal cannot be opened, written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process appends to it, or the directory cannot be used: the operator's doing.
    #[error(transparent)]
    Dir(#[from] state_dir::Error),
    /// The file system refused: disk full, read-only, broken. Nothing of what was to be appended is in the journal.
    #[error("cannot {doing} {}: {source}; {}", shown(.path), remedy(.source))]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The caller appends more at once than a batch may hold.
    #[error("a batch of more than {max} bytes cannot be journalled; append it in parts")]
    TooLarge {
        /// [`super::BATCH_BYTES_MAX`].
        max: usize,
    },
    /// Another version of fairban wrote it: the operator mixed versions.
    #[error(
        "{} has journal format {found}, and this fairban reads format {expected}; start the version that wrote it, or \
         move the file away and lose what it holds",
        shown(.path)
    )]
    Version {
        /// The segment.
        path: PathBuf,
        /// In the file.
        found: u32,
        /// What this program reads.
        expected: u32,
    },
    /// A segment is damaged in its middle: the disk's fault. Reading can go on after it.
    #[error(
        "{} is damaged at byte {offset}: records {from} to {to} are lost; what follows them is read. Check the disk; the \
         logs still hold what was lost if they were not rotated away",
        shown(.path)
    )]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Where the damage begins.
        offset: u64,
        /// First record lost.
        from: u64,
        /// Last record lost.
        to: u64,
    },
    /// Segments are not there: dropped because snapshots made them needless, or removed by somebody.
    #[error(
        "records {from} to {to} are not in the journal at {}: if nobody removed files there, a snapshot was lost; what \
         follows them is read",
        shown(.dir)
    )]
    Missing {
        /// The journal.
        dir: PathBuf,
        /// First record missing.
        from: u64,
        /// Last record missing.
        to: u64,
    },
}

impl Error {
    /// The disk has no room (or no quota): freeing space is the remedy, and trying again worth while.
    pub fn is_full(&self) -> bool {
        let Error::Io { source, .. } = self else { return false };
        matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free space on that disk",
        io::ErrorKind::ReadOnlyFilesystem => "mount that file system writable",
        io::ErrorKind::PermissionDenied => "the state directory must belong to the user fairban runs as",
        io::ErrorKind::NotFound => "somebody removed it; restart fairban",
        _ => "look at the kernel's log for errors of that disk",
    }
}
