//! Snapshots of the engine: its whole state after a numbered record of the journal, the newest two of them.
//!
//! ```text
//! "fairbanS" | version: u32 | seq: u64 | length: u64 | checksum: u64 | body
//! ```
//!
//! Numbers are little-endian. A snapshot is written beside the others, forced onto the disk, and only then given its name,
//! so one that has a name is whole unless the disk is at fault; then the one before it is used.

use std::hash::Hasher as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use siphasher::sip::SipHasher13;

use crate::disk::{Disk, Purpose, RealDisk, write_all};
use crate::roll::Keep;
use crate::shown;

const MAGIC: &[u8; 8] = b"fairbanS";

/// Rises whenever a snapshot of the old form could be misread.
const VERSION: u32 = 1;

const HEAD_BYTES: usize = 8 + 4 + 8 + 8 + 8;

/// The largest snapshot: an engine with all its tables full stays far below.
pub const SNAPSHOT_BYTES_MAX: u64 = 1 << 30;

/// How many are kept.
const KEPT: usize = 2;

/// Against accidents, not against forgers.
const CHECKSUM_KEY: &[u8; 16] = b"fairban snapshot";

/// Why a snapshot cannot be saved, or the directory not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused. The snapshots that were there are still there.
    #[error(
        "cannot {doing} {}: {source}; free space on that disk, or give fairban the right to write there",
        shown(.path)
    )]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The caller's snapshot exceeds [`SNAPSHOT_BYTES_MAX`].
    #[error("a snapshot of {bytes} bytes is larger than any engine's")]
    TooLarge {
        /// Its length.
        bytes: u64,
    },
}

/// What [`Snapshots::load_newest_as`] found.
#[derive(Debug)]
pub struct Found<T> {
    /// The newest that could be used: its number, and what was made of it.
    pub newest: Option<(u64, T)>,
    /// Those that could not, the newest first.
    pub passed: Vec<Unusable>,
}

/// A snapshot that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
#[error("the snapshot {} {why}; it was passed over", shown(.path))]
pub struct Unusable {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a snapshot.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Why {
    /// The disk's fault.
    #[error("is damaged or cut short")]
    Damaged,
    /// Another version of fairban wrote it.
    #[error("has format {0}, which this fairban does not read")]
    Version(u32),
    /// The system does not let it be read.
    #[error("cannot be read ({0})")]
    Unreadable(io::Error),
    /// Whole, but the engine does not take it: its own words.
    #[error("is refused by the engine ({0})")]
    Refused(String),
}

/// A snapshot.
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The last record that the engine had taken; 0 for none.
    pub seq: u64,
    /// The engine's own bytes.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Snapshot(seq {}, {} bytes)", self.seq, self.bytes.len())
    }
}

/// The directory of snapshots.
#[derive(Clone, Debug)]
pub struct Snapshots {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    keep: Keep,
}

impl Snapshots {
    /// The snapshots in `dir`, which is made when the first is saved.
    pub fn new(dir: &Path) -> Snapshots {
        Snapshots::on(Arc::new(RealDisk), dir)
    }

    /// The same on another disk.
    pub fn on(disk: Arc<dyn Disk>, dir: &Path) -> Snapshots {
        Snapshots { disk, dir: dir.to_owned(), keep: Keep::Needed }
    }

    /// The same, with another rule about what stays when one is saved.
    #[must_use]
    pub fn keeping(self, keep: Keep) -> Snapshots {
        Snapshots { keep, ..self }
    }

    /// Saves the state after record `seq`, in one step, and removes all but the newest two whole ones.
    pub fn save(&self, seq: u64, bytes: &[u8]) -> Result<(), Error> {
        if bytes.len() as u64 > SNAPSHOT_BYTES_MAX {
            return Err(Error::TooLarge { bytes: bytes.len() as u64 });
        }
        self.disk.make_dir(&self.dir).map_err(|source| failed("make", &self.dir, source))?;
        let temporary = self.dir.join("new.tmp");
        let path = self.path(seq);
        let written = self.write(&temporary, &head(seq, bytes), bytes);
        let named = written.and_then(|()| self.disk.rename(&temporary, &path));
        let kept = named.and_then(|()| self.disk.sync_dir(&self.dir));
        if let Err(source) = kept {
            // It may not be there, and the next save makes it empty first.
            let _ = self.disk.remove(&temporary);
            return Err(failed("save the snapshot", &path, source));
        }
        self.remove_needless(seq);
        Ok(())
    }

    /// The newest whole snapshot that `take` accepts, as it made it, with its number; and what was passed over on the way.
    /// `take` says why it refuses one.
    pub fn load_newest_as<T>(
        &self,
        mut take: impl FnMut(&Snapshot) -> Result<T, String>,
    ) -> Result<Found<T>, Error> {
        let mut passed = Vec::new();
        for seq in self.seqs()? {
            let taken = self.read(seq).and_then(|snapshot| take(&snapshot).map_err(Why::Refused));
            match taken {
                Ok(taken) => return Ok(Found { newest: Some((seq, taken)), passed }),
                Err(why) => passed.push(Unusable { path: self.path(seq), why }),
            }
        }
        Ok(Found { newest: None, passed })
    }

    /// The newest whole snapshot, and what was passed over on the way.
    pub fn load_newest(&self) -> Result<(Option<Snapshot>, Vec<Unusable>), Error> {
        let found = self.load_newest_as(|snapshot| Ok(snapshot.clone()))?;
        Ok((found.newest.map(|(_, snapshot)| snapshot), found.passed))
    }

    /// The numbers of the snapshots there are, whole or not, the newest first.
    pub fn seqs(&self) -> Result<Vec<u64>, Error> {
        let listed = match self.disk.list(&self.dir) {
            Ok(listed) => listed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed("list", &self.dir, error)),
        };
        let number =
            |name: &str| name.strip_suffix(".snapshot").filter(|digits| digits.len() == 20)?.parse().ok();
        let mut seqs: Vec<u64> = listed.iter().filter_map(|file| number(&file.name)).collect();
        seqs.sort_unstable_by(|one, other| other.cmp(one));
        Ok(seqs)
    }

    /// The snapshot with this number.
    pub fn load(&self, seq: u64) -> Result<Snapshot, Unusable> {
        self.read(seq).map_err(|why| Unusable { path: self.path(seq), why })
    }

    fn read(&self, seq: u64) -> Result<Snapshot, Why> {
        let limit = SNAPSHOT_BYTES_MAX + HEAD_BYTES as u64;
        let mut all = self.disk.read(&self.path(seq), limit).map_err(Why::Unreadable)?;
        let Some(found) = all.strip_prefix(MAGIC).and_then(|rest| rest.first_chunk()) else {
            return Err(Why::Damaged);
        };
        let version = u32::from_le_bytes(*found);
        if version != VERSION {
            return Err(Why::Version(version));
        }
        if all.len() < HEAD_BYTES || head(seq, &all[HEAD_BYTES..]) != all[..HEAD_BYTES] {
            return Err(Why::Damaged);
        }
        Ok(Snapshot { seq, bytes: all.split_off(HEAD_BYTES) })
    }

    fn write(&self, path: &Path, head: &[u8], body: &[u8]) -> io::Result<()> {
        let mut file = self.disk.open(path, Purpose::Create)?;
        write_all(&mut *file, head)?;
        write_all(&mut *file, body)?;
        file.sync()
    }

    /// Keeps `newest`, which was just written, and the next older whole ones. What is numbered higher belongs to a journal
    /// that was lost: it would be taken for the newest.
    fn remove_needless(&self, newest: u64) {
        let mut kept = 1;
        for seq in self.seqs().unwrap_or_default() {
            if seq == newest {
                continue;
            }
            if self.keep == Keep::Everything && seq < newest {
                continue;
            }
            if seq < newest && kept < KEPT && self.read(seq).is_ok() {
                kept += 1;
            } else {
                // One too many harms nobody; the next save tries again.
                let _ = self.disk.remove(&self.path(seq));
            }
        }
    }

    fn path(&self, seq: u64) -> PathBuf {
        self.dir.join(format!("{seq:020}.snapshot"))
    }
}

fn head(seq: u64, body: &[u8]) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.extend_from_slice(&VERSION.to_le_bytes());
    head.extend_from_slice(&seq.to_le_bytes());
    head.extend_from_slice(&(body.len() as u64).to_le_bytes());
    let mut hasher = SipHasher13::new_with_key(CHECKSUM_KEY);
    hasher.write(&head);
    hasher.write(body);
    head.extend_from_slice(&hasher.finish().to_le_bytes());
    head
}

fn failed(doing: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Io { doing, path: path.to_owned(), source }
}

#[cfg(test)]
#[path = "snapshots_tests.rs"]
mod tests;
