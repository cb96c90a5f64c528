//! Keeps the desk across restarts: each entry goes to the journal before the desk takes it, and snapshots are made beside
//! the running service.
//!
//! A disk that takes nothing more degrades this, never the service: entries are then taken without being kept, and as soon
//! as the disk takes something again the whole desk is saved and the journal goes on after it.

use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use fairban_core::effect::Effect;
use fairban_core::engine::Config;
use fairban_store::journal::{Journal, Options};
use fairban_store::roll::{self, Folder, Places, roll};
use fairban_store::snapshots::{Found, Snapshots};
use fairban_store::state_dir::StateDir;

use super::desk::{Desk, Entry};
use crate::cli::Rule;

/// So many bytes of journal make a new snapshot worth while: a start reads them in a fraction of a second.
const ROLL_AFTER_BYTES: u64 = 4 << 20;

/// A disk that refused is asked again after so long.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// What a desk knows before anything was told: its snapshots say the rest.
#[derive(Clone, Debug)]
pub(crate) struct Blank {
    pub(crate) key: [u8; 16],
    pub(crate) rule: Rule,
}

impl Blank {
    fn desk(&self) -> Desk {
        Desk::new(Config::new(self.key), self.rule)
    }
}

/// A desk as it was left.
pub(crate) struct Recovered {
    pub(crate) keeper: Keeper,
    pub(crate) desk: Desk,
    /// What the entries after the snapshot caused, with their numbers: to be recorded again, which is harmless.
    pub(crate) effects: Vec<(u64, Effect)>,
    /// What the operator should know, a sentence each.
    pub(crate) remarks: Vec<String>,
}

/// See the module's head.
pub(crate) struct Keeper {
    journal: Journal,
    snapshots: Snapshots,
    journal_dir: PathBuf,
    snapshots_dir: PathBuf,
    blank: Blank,
    rolling: Option<JoinHandle<Result<roll::Rolled, roll::Error>>>,
    /// The journal's size after the last snapshot.
    rolled_bytes: u64,
    /// The last entry that is in a snapshot.
    rolled_seq: u64,
    broken: Option<Broken>,
    /// Whether anything waits to be forced onto the disk, and until when.
    sync_due: Option<Duration>,
}

/// The disk took nothing more.
#[derive(Debug)]
struct Broken {
    why: String,
    retry: Duration,
}

impl Keeper {
    /// Takes up what the directory holds.
    ///
    /// # Errors
    /// The journal or the snapshots cannot be read at all: what surrounds us is at fault.
    pub(crate) fn open(dir: &StateDir, blank: Blank, seq_min: u64) -> Result<Recovered, OpenError> {
        let mut remarks = Vec::new();
        let snapshots = Snapshots::new(&dir.snapshots());
        let take = |snapshot: &fairban_store::snapshots::Snapshot| {
            Desk::restore(&snapshot.bytes).map_err(|error| error_chain(&error))
        };
        let Found { newest, passed } = snapshots.load_newest_as(take)?;
        remarks.extend(passed.iter().map(ToString::to_string));
        let (rolled_seq, mut desk) = newest.unwrap_or_else(|| (0, blank.desk()));
        let seq_min = seq_min.max(rolled_seq) + 1;
        let (journal, opened) = Journal::open(&dir.journal(), Options { seq_min, ..Options::default() })?;
        for torn in &opened.torn {
            remarks.push(format!(
                "{} bytes at the journal's end were cut off: the last batch was not written whole",
                torn.bytes
            ));
        }
        let effects = refold(&journal, &mut desk, &mut remarks)?;
        let keeper = Keeper {
            rolled_bytes: 0,
            journal,
            snapshots,
            journal_dir: dir.journal(),
            snapshots_dir: dir.snapshots(),
            blank,
            rolling: None,
            rolled_seq,
            broken: None,
            sync_due: None,
        };
        Ok(Recovered { keeper, desk, effects, remarks })
    }

    /// Writes entries down as one batch and returns the number of the first. Always returns: what cannot be kept is said
    /// by [`Keeper::trouble`].
    pub(crate) fn keep(&mut self, desk: &Desk, entries: &[Entry], now: Duration) -> u64 {
        if self.broken.as_ref().is_some_and(|broken| now >= broken.retry) {
            self.mend(desk, now);
        }
        let next = desk.seq() + 1;
        if self.broken.is_some() {
            return next;
        }
        let records: Result<Vec<Vec<u8>>, postcard::Error> =
            entries.iter().map(postcard::to_allocvec).collect();
        let appended = match &records {
            Ok(records) => self
                .journal
                .append(records.iter().map(Vec::as_slice))
                .map(|numbers| numbers.start)
                .map_err(|error| error_chain(&error)),
            Err(error) => Err(error.to_string()),
        };
        match appended {
            Ok(first) => first.max(next),
            Err(why) => {
                self.broken = Some(Broken { why, retry: now + RETRY_AFTER });
                next
            }
        }
    }

    /// The desk was not kept for a while: all of it is saved, and the journal goes on after it.
    fn mend(&mut self, desk: &Desk, now: Duration) {
        let saved = desk
            .snapshot()
            .map_err(|error| error.to_string())
            .and_then(|bytes| self.snapshots.save(desk.seq(), &bytes).map_err(|error| error_chain(&error)));
        match saved {
            Ok(()) => {
                self.journal.skip_to(desk.seq() + 1);
                self.rolled_seq = desk.seq();
                self.broken = None;
            }
            Err(why) => self.broken = Some(Broken { why, retry: now + RETRY_AFTER }),
        }
    }

    /// What has to be done now and then: forcing the journal onto the disk, starting and ending snapshots. Returns when it
    /// wants to be called again, if at all.
    pub(crate) fn tend(&mut self, desk: &Desk, now: Duration) -> Option<Duration> {
        if self.broken.as_ref().is_some_and(|broken| now >= broken.retry) {
            self.mend(desk, now);
        }
        self.end_rolling();
        if self.rolling.is_none()
            && self.broken.is_none()
            && self.journal.bytes() > self.rolled_bytes + ROLL_AFTER_BYTES
        {
            self.begin_rolling(desk.seq());
        }
        self.sync_due = match self.journal.sync_if_due(now) {
            Ok(due) => due,
            Err(_) => Some(now + RETRY_AFTER),
        };
        let retry = self.broken.as_ref().map(|broken| broken.retry);
        match (self.sync_due, retry) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    fn begin_rolling(&mut self, upto: u64) {
        let (journal, snapshots) = (self.journal_dir.clone(), self.snapshots_dir.clone());
        let blank = self.blank.clone();
        if self.journal.seal().is_err() {
            return;
        }
        let work = move || {
            let start = |bytes: Option<&[u8]>| match bytes {
                Some(bytes) => Desk::restore(bytes).map_err(|error| error_chain(&error)),
                None => Ok(blank.desk()),
            };
            roll(Places { journal: &journal, snapshots: &snapshots }, upto, start)
        };
        self.rolling = std::thread::Builder::new().name("snapshot".to_owned()).spawn(work).ok();
    }

    fn end_rolling(&mut self) {
        if !self.rolling.as_ref().is_some_and(JoinHandle::is_finished) {
            return;
        }
        match self.rolling.take().map(JoinHandle::join) {
            Some(Ok(Ok(rolled))) => {
                self.rolled_seq = rolled.seq;
                // Segments that went are forgotten here too.
                let _ = self.journal.drop_before(0);
                self.rolled_bytes = self.journal.bytes();
            }
            Some(Ok(Err(error))) => {
                // The journal has a hole that the desk has not: the desk itself is the snapshot.
                self.broken = Some(Broken { why: error_chain(&error), retry: Duration::ZERO });
            }
            Some(Err(_)) | None => {}
        }
    }

    /// Everything is on the disk: the last thing before the end.
    pub(crate) fn close(mut self) {
        if let Some(rolling) = self.rolling.take()
            && rolling.is_finished()
        {
            let _ = rolling.join();
        }
        let _ = self.journal.sync();
    }

    /// Why entries are not kept at the moment.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.broken.as_ref().map(|broken| broken.why.as_str())
    }

    /// The last entry that is in a snapshot.
    pub(crate) fn rolled_seq(&self) -> u64 {
        self.rolled_seq
    }

    /// Bytes of the journal.
    pub(crate) fn bytes(&self) -> u64 {
        self.journal.bytes()
    }
}

/// Takes the journal's entries after the desk's own.
fn refold(
    journal: &Journal,
    desk: &mut Desk,
    remarks: &mut Vec<String>,
) -> Result<Vec<(u64, Effect)>, OpenError> {
    let (mut all, mut effects) = (Vec::new(), Vec::new());
    for record in journal.read_from(desk.seq() + 1)? {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                remarks.push(error_chain(&error));
                continue;
            }
        };
        match postcard::from_bytes::<Entry>(&record.bytes) {
            Ok(entry) => desk.take(record.seq, &entry, &mut effects),
            Err(_) => remarks.push(format!("entry {} of the journal cannot be understood", record.seq)),
        }
        all.extend(effects.drain(..).filter(|e| !matches!(e, Effect::Seen(_))).map(|e| (record.seq, e)));
    }
    Ok(all)
}

impl Folder for Desk {
    fn fold(&mut self, seq: u64, record: &[u8]) {
        if let Ok(entry) = postcard::from_bytes::<Entry>(record) {
            self.take(seq, &entry, &mut Vec::new());
        }
    }

    fn snapshot(&self) -> Vec<u8> {
        Desk::snapshot(self).unwrap_or_default()
    }
}

/// Why a state directory cannot be taken up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(transparent)]
    Journal(#[from] fairban_store::journal::Error),
    #[error(transparent)]
    Snapshots(#[from] fairban_store::snapshots::Error),
}

/// An error with its causes, in one sentence.
fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}
