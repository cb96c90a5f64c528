//! The next snapshot out of the last one and the journal, made beside the daemon.
//!
//! A second engine in a thread of its own takes the records that the first one took, so the first never stops to write
//! itself down. What it needs no longer of the journal is removed.

use std::path::Path;
use std::sync::Arc;

use crate::disk::{Disk, RealDisk};
use crate::journal::{self, Segment};
use crate::snapshots::{self, Found, Snapshots, Unusable};

/// An engine as the snapshotter drives it: same records, same state, same bytes.
pub trait Folder: Sized {
    /// Takes the next record.
    fn fold(&mut self, seq: u64, record: &[u8]);

    /// The whole state.
    fn snapshot(&self) -> Vec<u8>;
}

/// Where journal and snapshots lie.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    /// The journal's directory.
    pub journal: &'a Path,
    /// The snapshots' directory.
    pub snapshots: &'a Path,
    /// What stays there.
    pub keep: Keep,
}

/// What of journal and snapshots stays when a new snapshot has been made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// The newest two snapshots and the records after the older one.
    #[default]
    Needed,
    /// Everything, for whoever wants to look at the past: the disk fills.
    Everything,
}

/// What was done.
#[derive(Debug)]
pub struct Rolled {
    /// The record before which everything is in the new snapshot, itself included.
    pub seq: u64,
    /// Records folded.
    pub records: u64,
    /// Length of the new snapshot.
    pub snapshot_bytes: u64,
    /// No record with a smaller number is needed any more: segments that held only such were removed. Tell the open
    /// journal by [`journal::Journal::drop_before`].
    pub needed_from: u64,
    /// Snapshots that could not be used.
    pub passed: Vec<Unusable>,
}

/// Why no snapshot was made. Nothing was removed: the journal grows until it is possible again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A record between the last snapshot and `upto` cannot be read. The running engine has taken it: save its own
    /// snapshot by [`Snapshots::save`].
    #[error("the next snapshot cannot be made from the journal: {0}")]
    Journal(#[from] journal::Error),
    /// The snapshot cannot be loaded or saved.
    #[error(transparent)]
    Snapshots(#[from] snapshots::Error),
    /// An engine that knows nothing could not even be made: the caller's words.
    #[error("the next snapshot cannot be made: {0}")]
    Start(String),
}

/// Loads the newest snapshot, folds the records up to `upto` into it, saves the result and removes the segments that no
/// kept snapshot needs. `start` makes an engine: of a snapshot, or, given `None`, one that knows nothing.
///
/// The journal may be appended to meanwhile; `upto` must be in it. Only segments that are sealed are removed.
pub fn roll<F: Folder>(
    places: Places<'_>,
    upto: u64,
    start: impl FnMut(Option<&[u8]>) -> Result<F, String>,
) -> Result<Rolled, Error> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    roll_on(&disk, places, upto, start)
}

/// The same on another disk.
pub fn roll_on<F: Folder>(
    disk: &Arc<dyn Disk>,
    places: Places<'_>,
    upto: u64,
    mut start: impl FnMut(Option<&[u8]>) -> Result<F, String>,
) -> Result<Rolled, Error> {
    let snapshots = Snapshots::on(Arc::clone(disk), places.snapshots).keeping(places.keep);
    // A snapshot beyond `upto` is of a journal that was lost with the power.
    let Found { newest, passed } = snapshots.load_newest_as(|snapshot| {
        if snapshot.seq > upto {
            return Err(format!("it is ahead of the journal, which ends at {upto}"));
        }
        start(Some(&snapshot.bytes))
    })?;
    let (since, mut folder) = match newest {
        Some(found) => found,
        None => (0, start(None).map_err(Error::Start)?),
    };
    let mut records = 0;
    for record in journal::read(Arc::clone(disk), places.journal, since + 1, upto)? {
        let record = record?;
        folder.fold(record.seq, &record.bytes);
        records += 1;
    }
    let bytes = folder.snapshot();
    // Freed before the file is read again: two engines and a snapshot are enough in memory.
    drop(folder);
    snapshots.save(upto, &bytes)?;
    let snapshot_bytes = bytes.len() as u64;
    if places.keep == Keep::Everything {
        return Ok(Rolled { seq: upto, records, snapshot_bytes, needed_from: 1, passed });
    }
    let oldest_kept = snapshots.seqs()?.into_iter().min().unwrap_or(0).min(upto);
    let needed_from = oldest_kept + 1;
    remove_needless(&**disk, places.journal, needed_from)?;
    Ok(Rolled { seq: upto, records, snapshot_bytes, needed_from, passed })
}

fn remove_needless(disk: &dyn Disk, dir: &Path, needed_from: u64) -> Result<(), journal::Error> {
    let segments: Vec<Segment> = journal::segments(disk, dir)?;
    for pair in segments.windows(2) {
        if pair[1].first <= needed_from {
            journal::remove_segment(disk, dir, pair[0])?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "roll_tests.rs"]
mod tests;
