//! Keeps the desk across restarts: each entry goes to the journal before the desk takes it, and snapshots are made beside
//! the running service.
//!
//! A disk that takes nothing more degrades this, never the service: entries are then taken without being kept, and as soon
//! as the disk takes something again the whole desk is saved and the journal goes on after it.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use fairban_core::effect::Effect;
use fairban_core::engine::Config;
use fairban_store::disk::{Disk, RealDisk};
use fairban_store::journal::{self, Due, Journal};
use fairban_store::roll::{self, Folder, Keep, Places, roll_on};
use fairban_store::snapshots::{Found, Snapshots};
use fairban_store::state_dir::StateDir;

use super::desk::{Desk, Entry};
use crate::cli::Rule;

/// So many bytes of journal make a new snapshot worth while: a start reads them in a fraction of a second.
pub(crate) const ROLL_AFTER_BYTES: u64 = 4 << 20;

/// A disk that refused is asked again after so long, and after twice as long each time …
const RETRY_FIRST: Duration = Duration::from_secs(5);

/// … but at least so often. Each time the whole desk is written down, which takes the deciding thread a while.
const RETRY_LAST: Duration = Duration::from_secs(60);

/// Whether the journal was forced onto the disk is looked at after so long.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// How the desk is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// No entry gets a smaller number.
    pub(crate) seq_min: u64,
    /// A snapshot is made after so many bytes of journal.
    pub(crate) roll_after_bytes: u64,
    /// What stays when one was made.
    pub(crate) keep: Keep,
}

impl Default for Options {
    fn default() -> Options {
        Options { seq_min: 1, roll_after_bytes: ROLL_AFTER_BYTES, keep: Keep::Needed }
    }
}

/// What a desk knows before anything was told: its snapshots say the rest.
#[derive(Clone, Debug)]
pub(crate) struct Blank {
    pub(crate) key: [u8; 16],
    pub(crate) rule: Rule,
}

impl Blank {
    pub(crate) fn desk(&self) -> Desk {
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
    disk: Arc<dyn Disk>,
    options: Options,
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
    /// No snapshot can be made; the journal goes on meanwhile.
    unrolled: Option<Broken>,
    syncer: Syncer,
    /// Why the journal could not be forced onto the disk.
    unforced: Option<String>,
}

/// A thread that waits for the disk while the journal is forced onto it: some milliseconds on one that turns, for which no
/// verdict may wait.
struct Syncer {
    work: Option<Sender<journal::Sync>>,
    done: Receiver<Result<(), String>>,
    thread: Option<JoinHandle<()>>,
    busy: bool,
}

impl Syncer {
    fn start() -> Syncer {
        let (work, orders) = bounded::<journal::Sync>(1);
        let (answers, done) = bounded(1);
        let run = move || {
            for sync in orders {
                if answers.send(sync.run().map_err(|error| error_chain(&error))).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("sync".to_owned()).spawn(run).ok();
        Syncer { work: Some(work), done, thread, busy: false }
    }

    /// Has it done, here if there is no such thread; `None` while it is being done.
    fn force(&mut self, sync: journal::Sync) -> Option<Result<(), String>> {
        let work = self.work.as_ref().filter(|_| self.thread.is_some());
        match work.map(|work| work.try_send(sync)) {
            Some(Ok(())) => {
                self.busy = true;
                None
            }
            Some(Err(error)) => Some(error.into_inner().run().map_err(|error| error_chain(&error))),
            None => None,
        }
    }

    /// What became of the last, once.
    fn result(&mut self) -> Option<Result<(), String>> {
        let result = self.done.try_recv().ok()?;
        self.busy = false;
        Some(result)
    }

    /// Waits for the last to be done.
    fn end(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The disk took nothing more.
#[derive(Debug)]
struct Broken {
    why: String,
    /// When it is asked again.
    retry: Duration,
    /// What is waited for after that.
    pause: Duration,
}

impl Broken {
    fn new(why: String, now: Duration) -> Broken {
        Broken { why, retry: now + RETRY_FIRST, pause: RETRY_FIRST }
    }

    /// It refused again.
    fn again(before: Option<&Broken>, why: String, now: Duration) -> Broken {
        let pause = before.map_or(RETRY_FIRST, |before| (before.pause * 2).min(RETRY_LAST));
        Broken { why, retry: now + pause, pause }
    }
}

impl Keeper {
    /// Takes up what the directory holds.
    ///
    /// # Errors
    /// The journal or the snapshots cannot be read at all: what surrounds us is at fault.
    pub(crate) fn open(dir: &StateDir, blank: Blank, options: Options) -> Result<Recovered, OpenError> {
        Keeper::open_on(Arc::new(RealDisk), dir, blank, options)
    }

    /// The same on another disk.
    pub(crate) fn open_on(
        disk: Arc<dyn Disk>,
        dir: &StateDir,
        blank: Blank,
        options: Options,
    ) -> Result<Recovered, OpenError> {
        let mut remarks = Vec::new();
        let snapshots = Snapshots::on(Arc::clone(&disk), &dir.snapshots()).keeping(options.keep);
        let take = |found: &fairban_store::snapshots::Snapshot| {
            Desk::restore(&found.bytes).map_err(|error| error_chain(&error))
        };
        let Found { newest, passed } = snapshots.load_newest_as(take)?;
        remarks.extend(passed.iter().map(ToString::to_string));
        let (rolled_seq, mut recovered) = newest.unwrap_or_else(|| (0, blank.desk()));
        let seq_min = options.seq_min.max(rolled_seq + 1);
        let journal_options = journal::Options { seq_min, ..journal::Options::default() };
        let (journal, opened) = Journal::open_on(Arc::clone(&disk), &dir.journal(), journal_options)?;
        for torn in &opened.torn {
            remarks.push(format!(
                "{} bytes at the journal's end were cut off: the last batch was not written whole",
                torn.bytes
            ));
        }
        let effects = refold(&journal, &mut recovered, &mut remarks)?;
        let keeper = Keeper {
            disk,
            options,
            rolled_bytes: 0,
            journal,
            snapshots,
            journal_dir: dir.journal(),
            snapshots_dir: dir.snapshots(),
            blank,
            rolling: None,
            rolled_seq,
            broken: None,
            unrolled: None,
            syncer: Syncer::start(),
            unforced: None,
        };
        Ok(Recovered { keeper, desk: recovered, effects, remarks })
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
                self.broken = Some(Broken::new(why, now));
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
                self.rolled_bytes = self.journal.bytes();
                (self.broken, self.unrolled) = (None, None);
            }
            Err(why) => self.broken = Some(Broken::again(self.broken.as_ref(), why, now)),
        }
    }

    /// What has to be done now and then: forcing the journal onto the disk, starting and ending snapshots. Returns when it
    /// wants to be called again, if at all.
    pub(crate) fn tend(&mut self, desk: &Desk, now: Duration) -> Option<Duration> {
        if self.broken.as_ref().is_some_and(|broken| now >= broken.retry) {
            self.mend(desk, now);
        }
        self.end_rolling(now);
        let may_roll = self.rolling.is_none()
            && self.broken.is_none()
            && self.unrolled.as_ref().is_none_or(|unrolled| now >= unrolled.retry);
        if may_roll && self.journal.bytes() > self.rolled_bytes.saturating_add(self.options.roll_after_bytes)
        {
            self.begin_rolling(desk.seq());
        }
        let retry = self.broken.as_ref().map(|broken| broken.retry);
        [self.force(now), retry].into_iter().flatten().min()
    }

    /// Has the journal forced onto the disk if it is time; when to look again, if at all.
    fn force(&mut self, now: Duration) -> Option<Duration> {
        if let Some(result) = self.syncer.result() {
            self.forced(result);
        }
        if self.syncer.busy {
            return Some(now + LOOK_AFTER);
        }
        match self.journal.due_sync(now) {
            Due::Nothing => None,
            Due::At(due) => Some(due),
            Due::Now(sync) => {
                if let Some(result) = self.syncer.force(sync) {
                    self.forced(result);
                }
                Some(now + LOOK_AFTER)
            }
        }
    }

    fn forced(&mut self, result: Result<(), String>) {
        self.unforced = result.err();
        if self.unforced.is_some() {
            self.journal.sync_again();
        }
    }

    fn begin_rolling(&mut self, upto: u64) {
        let (journal, snapshots) = (self.journal_dir.clone(), self.snapshots_dir.clone());
        let (blank, keep, disk) = (self.blank.clone(), self.options.keep, Arc::clone(&self.disk));
        if self.journal.seal().is_err() {
            return;
        }
        let work = move || {
            let start = |bytes: Option<&[u8]>| match bytes {
                Some(bytes) => Desk::restore(bytes).map_err(|error| error_chain(&error)),
                None => Ok(blank.desk()),
            };
            roll_on(&disk, Places { journal: &journal, snapshots: &snapshots, keep }, upto, start)
        };
        self.rolling = std::thread::Builder::new().name("snapshot".to_owned()).spawn(work).ok();
    }

    fn end_rolling(&mut self, now: Duration) {
        if !self.rolling.as_ref().is_some_and(JoinHandle::is_finished) {
            return;
        }
        match self.rolling.take().map(JoinHandle::join) {
            Some(Ok(Ok(rolled))) => {
                self.rolled_seq = rolled.seq;
                // The segments that went are forgotten here too.
                let _ = self.journal.drop_before(rolled.needed_from);
                self.rolled_bytes = self.journal.bytes();
                self.unrolled = None;
            }
            Some(Ok(Err(error @ roll::Error::Journal(_)))) => {
                // The journal has a hole that the desk has not: the desk itself is the snapshot, at once.
                self.broken =
                    Some(Broken { why: error_chain(&error), retry: Duration::ZERO, pause: RETRY_FIRST });
            }
            Some(Ok(Err(error))) => {
                self.unrolled = Some(Broken::again(self.unrolled.as_ref(), error_chain(&error), now));
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
        self.syncer.end();
        let _ = self.journal.sync();
    }

    /// What is wrong at the moment, a sentence.
    pub(crate) fn trouble(&self) -> Option<String> {
        if let Some(broken) = &self.broken {
            return Some(format!("what is decided now is not kept across a restart: {}", broken.why));
        }
        if let Some(why) = &self.unforced {
            return Some(format!("a loss of power would lose what was decided last: {why}"));
        }
        let unrolled = self.unrolled.as_ref()?;
        Some(format!("no snapshot can be made, and the journal grows: {}", unrolled.why))
    }

    /// Whether entries are kept across a restart.
    pub(crate) fn is_keeping(&self) -> bool {
        self.broken.is_none()
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

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
