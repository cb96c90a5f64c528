//! The input journal: what the engine was given, in order, written down before it is given.
//!
//! A record is opaque bytes with a number, from 1. Records are appended in batches, one write(2) each, to the last of a
//! few segment files; a batch is in the journal wholly or not at all, whatever happens in between. A segment that has
//! become long enough is sealed and a new one begun, and old segments are removed one by one when the engine's snapshots
//! make them needless.
//!
//! What a loss of power or a kill in mid-write leaves at the end is cut off when the journal is opened, and said. Damage
//! anywhere else is an error of reading that names what is lost; reading goes on after it.

mod error;
mod frame;
mod read;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use self::error::Error;
pub use self::frame::BATCH_BYTES_MAX;
use self::frame::{Frame, Head, HeadFound, VERSION};
pub use self::read::{Record, Records, read};
use crate::disk::{Disk, DiskFile, Purpose, RealDisk, write_all};
use crate::state_dir::Lock;

/// When appended records are forced onto the disk. A kill of the process loses nothing in any case; this is about a loss
/// of power or a crash of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The kernel decides: the last half minute may be lost with the power.
    Never,
    /// At most what came within this time is lost: [`Journal::sync_if_due`] sees to it.
    Within(Duration),
    /// Every batch, before `append` returns: a few milliseconds each.
    EachBatch,
}

/// How a journal is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// A segment of at least so many bytes is sealed, and a new one begun. The last batch may exceed it. At most 64 MiB
    /// count: reading holds one segment in memory.
    pub segment_bytes: u64,
    /// The size that [`Journal::is_over_bound`] compares with.
    pub bytes_max: u64,
    /// When records are forced onto the disk.
    pub durability: Durability,
    /// No record gets a smaller number than this. Give it one more than the largest number that a snapshot or the
    /// database knows: what a loss of power took from the journal's end must not be numbered again.
    pub seq_min: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            segment_bytes: 2 << 20,
            bytes_max: 16 << 20,
            durability: Durability::Within(Duration::from_secs(1)),
            seq_min: 1,
        }
    }
}

/// No segment is longer: the longest that options allow, and a batch. What is longer is not ours.
const SEGMENT_BYTES_MAX: u64 = SEGMENT_BYTES_CEILING + 2 * BATCH_BYTES_MAX as u64;

/// [`Options::segment_bytes`] is at most this: reading holds a segment in memory.
const SEGMENT_BYTES_CEILING: u64 = 64 << 20;

/// What was found when a journal was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Number of the oldest record there is; equal to `next` in an empty journal.
    pub first: u64,
    /// The number that the next record gets.
    pub next: u64,
    /// Bytes of all segments.
    pub bytes: u64,
    /// What was cut off the end, the last piece first. One piece after a kill or a loss of power.
    pub torn: Vec<Torn>,
}

/// A piece that was cut off the journal's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The segment.
    pub path: PathBuf,
    /// Where the cut is.
    pub offset: u64,
    /// How many bytes lay behind it.
    pub bytes: u64,
    /// Whole records among them: the disk wrote out of order, or is damaged. The piece is kept beside the segment, in a
    /// file that ends in `.cut`.
    pub records: u64,
}

/// A file of the journal. Its name is the number of its first record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) first: u64,
    pub(crate) bytes: u64,
}

impl Segment {
    pub(crate) fn path(&self, dir: &Path) -> PathBuf {
        dir.join(format!("{:020}.log", self.first))
    }
}

/// The journal, open for appending by one process.
#[derive(Debug)]
pub struct Journal {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    options: Options,
    /// Oldest first; records are appended to the last one, unless it is sealed.
    segments: Vec<Segment>,
    tail: Tail,
    /// The number after the last record there is.
    after: u64,
    /// The number of the next record: `after`, or more where numbers are left out on purpose.
    next: u64,
    /// What must be done to the files before anything may be appended: nothing, as a rule.
    repairs: Vec<Repair>,
    unsynced: Unsynced,
    /// The batch being written.
    buffer: Vec<u8>,
    _lock: Lock,
}

/// The last segment, as the writer sees it.
#[derive(Debug)]
enum Tail {
    /// Being written.
    Open(Box<dyn DiskFile>),
    /// To be opened when something is appended.
    Closed,
    /// Takes no more (or there is none): the next batch begins a segment.
    Sealed,
}

/// A part of a file that is not the journal's and has to go.
#[derive(Clone, Debug)]
struct Repair {
    path: PathBuf,
    /// How much of the file stays; 0: the file goes.
    bytes: u64,
    /// What goes holds whole records: keep it in a file of its own.
    keep_aside: bool,
}

/// Whether records wait to be forced onto the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Unsynced {
    records: bool,
    /// A segment's name.
    dir: bool,
    /// When `sync_if_due` first saw them wait.
    since: Option<Duration>,
}

/// When records are to be forced onto the disk.
#[derive(Debug)]
pub enum Due {
    /// None wait.
    Nothing,
    /// Not yet, but then.
    At(Duration),
    /// This is to be done now.
    Now(Sync),
}

/// Records to be forced onto the disk, by whoever has the time.
#[derive(Debug)]
pub struct Sync {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// The folder, where the file is new in it.
    dir: Option<PathBuf>,
}

impl Sync {
    /// Forces them.
    ///
    /// # Errors
    /// The disk does not take them: tell the journal, by [`Journal::sync_again`].
    pub fn run(&self) -> Result<(), Error> {
        let forced = self.disk.open(&self.path, Purpose::Append).and_then(|mut file| file.sync());
        match forced {
            // A snapshot holds what was in it.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            forced => forced.map_err(|source| failed("force to disk", &self.path, source))?,
        }
        let Some(dir) = &self.dir else { return Ok(()) };
        self.disk.sync_dir(dir).map_err(|source| failed("force to disk", dir, source))
    }
}

impl Journal {
    /// Opens the journal in `dir`, which is made if it is missing. Cuts off a torn tail; on a read-only disk the cut is
    /// made up for when appending becomes possible.
    pub fn open(dir: &Path, options: Options) -> Result<(Journal, Opened), Error> {
        Journal::open_on(Arc::new(RealDisk), dir, options)
    }

    /// The same on another disk.
    pub fn open_on(disk: Arc<dyn Disk>, dir: &Path, options: Options) -> Result<(Journal, Opened), Error> {
        disk.make_dir(dir).map_err(|source| failed("make the directory", dir, source))?;
        let lock = Lock::take(dir)?;
        let Found { segments, torn, repairs, after } = find(&*disk, dir)?;
        let next = after.max(options.seq_min);
        let first = segments.first().map_or(next, |segment| segment.first);
        let tail = if segments.is_empty() || next > after { Tail::Sealed } else { Tail::Closed };
        let dir = dir.to_owned();
        let (unsynced, buffer) = (Unsynced::default(), Vec::new());
        let mut journal = Journal {
            disk,
            dir,
            options,
            segments,
            tail,
            after,
            next,
            repairs,
            unsynced,
            buffer,
            _lock: lock,
        };
        // Where this cannot be done yet, the caller learns it when it appends.
        let _ = journal.repair();
        let opened = Opened { first, next, bytes: journal.bytes(), torn };
        Ok((journal, opened))
    }

    /// Appends records as one batch and returns their numbers. Either all of them are in the journal afterwards, or, with
    /// an error, none: then it may be called again with the same ones.
    ///
    /// No records, no write.
    pub fn append<'a>(&mut self, records: impl Iterator<Item = &'a [u8]>) -> Result<Range<u64>, Error> {
        self.repair()?;
        if self
            .segments
            .last()
            .is_some_and(|last| last.bytes >= self.options.segment_bytes.min(SEGMENT_BYTES_CEILING))
        {
            self.seal()?;
        }
        self.buffer.clear();
        if matches!(self.tail, Tail::Sealed) {
            Head { first: self.next, after: self.after }.write(&mut self.buffer);
        }
        let start = frame::begin(&mut self.buffer);
        let mut count = 0_u32;
        for record in records {
            if !frame::push(&mut self.buffer, start, record) {
                return Err(Error::TooLarge { max: BATCH_BYTES_MAX });
            }
            count += 1;
        }
        let numbers = self.next..self.next + u64::from(count);
        if count > 0 {
            frame::finish(&mut self.buffer, start, self.next, count);
            self.write_buffer()?;
            (self.next, self.after) = (numbers.end, numbers.end);
        }
        Ok(numbers)
    }

    /// Ends the current segment, so that it can be dropped one day; the next batch begins a new one. Appending does this
    /// by itself when a segment is long enough.
    pub fn seal(&mut self) -> Result<(), Error> {
        if self.options.durability != Durability::Never {
            self.sync()?;
        }
        self.unsynced = Unsynced::default();
        self.tail = Tail::Sealed;
        Ok(())
    }

    /// Forces what was appended onto the disk, whatever the policy.
    pub fn sync(&mut self) -> Result<(), Error> {
        if let (true, Tail::Open(file), Some(last)) =
            (self.unsynced.records, &mut self.tail, self.segments.last())
        {
            file.sync().map_err(|source| failed("force to disk", &last.path(&self.dir), source))?;
        }
        if self.unsynced.dir {
            self.sync_dir()?;
        }
        self.unsynced = Unsynced::default();
        Ok(())
    }

    /// Forces records onto the disk if they have waited long enough; to be called after each batch and whenever the time
    /// comes that it returned last. `now` is a clock that never goes back, from any origin. `None`: nothing waits.
    ///
    /// After an error it is due at once: call again after a pause.
    pub fn sync_if_due(&mut self, now: Duration) -> Result<Option<Duration>, Error> {
        let Durability::Within(longest) = self.options.durability else { return Ok(None) };
        if !self.unsynced.records {
            return Ok(None);
        }
        let due = self.unsynced.since.get_or_insert(now).saturating_add(longest);
        if now < due {
            return Ok(Some(due));
        }
        self.sync().map(|()| None)
    }

    /// As [`Journal::sync_if_due`], with the forcing itself handed out, for a thread that may wait for the disk. What was
    /// handed out counts as forced; [`Journal::sync_again`] takes that back.
    pub fn due_sync(&mut self, now: Duration) -> Due {
        let Durability::Within(longest) = self.options.durability else { return Due::Nothing };
        let (true, Some(last)) = (self.unsynced.records, self.segments.last()) else { return Due::Nothing };
        let due = self.unsynced.since.get_or_insert(now).saturating_add(longest);
        if now < due {
            return Due::At(due);
        }
        let dir = self.unsynced.dir.then(|| self.dir.clone());
        let sync = Sync { disk: Arc::clone(&self.disk), path: last.path(&self.dir), dir };
        self.unsynced = Unsynced::default();
        Due::Now(sync)
    }

    /// What was handed out last could not be forced: it is due again.
    pub fn sync_again(&mut self) {
        self.unsynced = Unsynced { records: true, dir: true, since: self.unsynced.since };
    }

    /// The records from number `from` to the newest.
    pub fn read_from(&self, from: u64) -> Result<Records, Error> {
        read(Arc::clone(&self.disk), &self.dir, from, self.after - 1)
    }

    /// Removes segments all of whose records have smaller numbers than `seq`, and returns how many bytes they had. The
    /// last segment stays. Segments that somebody removed already are forgotten.
    pub fn drop_before(&mut self, seq: u64) -> Result<u64, Error> {
        let mut freed = 0;
        while let [oldest, second, ..] = self.segments[..] {
            if second.first > seq {
                break;
            }
            remove_segment(&*self.disk, &self.dir, oldest)?;
            self.segments.remove(0);
            freed += oldest.bytes;
        }
        Ok(freed)
    }

    /// Leaves numbers out: the next record gets at least this one. For records that were taken while nothing could be
    /// appended, and that a snapshot holds now.
    pub fn skip_to(&mut self, seq: u64) {
        if seq > self.next {
            self.next = seq;
            self.tail = Tail::Sealed;
        }
    }

    /// The number that the next record gets.
    pub fn next_seq(&self) -> u64 {
        self.next
    }

    /// The number of the oldest record; equal to [`Journal::next_seq`] in an empty journal.
    pub fn first_seq(&self) -> u64 {
        self.segments.first().map_or(self.next, |segment| segment.first)
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// The journal is larger than it should be: seal it and make a snapshot ([`crate::roll`]), then drop. Appending goes
    /// on meanwhile: refusing would lose what the journal is for.
    pub fn is_over_bound(&self) -> bool {
        self.bytes() > self.options.bytes_max
    }

    /// Writes the buffer at the journal's end, or leaves the journal as it was.
    fn write_buffer(&mut self) -> Result<(), Error> {
        let new = matches!(self.tail, Tail::Sealed);
        if new {
            self.segments.push(Segment { first: self.next, bytes: 0 });
        }
        let written = self.try_write(new);
        // There is one: either it was there or it was pushed.
        let Some(last) = self.segments.last_mut() else { return written };
        if written.is_ok() {
            last.bytes += self.buffer.len() as u64;
            return written;
        }
        let undo = Repair { path: last.path(&self.dir), bytes: last.bytes, keep_aside: false };
        self.tail = if new { Tail::Sealed } else { Tail::Closed };
        if new {
            self.segments.pop();
        }
        self.repairs.push(undo);
        // If it fails it is tried again before the next batch.
        let _ = self.repair();
        written
    }

    fn try_write(&mut self, new: bool) -> Result<(), Error> {
        let path = self.segments.last().map(|last| last.path(&self.dir)).unwrap_or_default();
        let purpose = if new { Purpose::Create } else { Purpose::Append };
        if !matches!(self.tail, Tail::Open(_)) {
            let file = self.disk.open(&path, purpose);
            self.tail = Tail::Open(file.map_err(|source| failed("open", &path, source))?);
        }
        if let Tail::Open(file) = &mut self.tail {
            write_all(&mut **file, &self.buffer).map_err(|source| failed("append to", &path, source))?;
            if self.options.durability == Durability::EachBatch {
                file.sync().map_err(|source| failed("force to disk", &path, source))?;
            }
        }
        match self.options.durability {
            Durability::Within(_) => {
                self.unsynced.records = true;
                self.unsynced.dir |= new;
            }
            Durability::EachBatch if new => self.sync_dir()?,
            Durability::EachBatch | Durability::Never => {}
        }
        Ok(())
    }

    fn sync_dir(&self) -> Result<(), Error> {
        self.disk.sync_dir(&self.dir).map_err(|source| failed("force to disk", &self.dir, source))
    }

    /// Takes away what is not the journal's.
    fn repair(&mut self) -> Result<(), Error> {
        while let Some(repair) = self.repairs.first() {
            carry_out(&*self.disk, repair).map_err(|source| failed("repair", &repair.path, source))?;
            self.repairs.remove(0);
        }
        Ok(())
    }
}

fn carry_out(disk: &dyn Disk, repair: &Repair) -> std::io::Result<()> {
    let Repair { path, bytes, keep_aside } = repair;
    if *keep_aside {
        let all = disk.read(path, SEGMENT_BYTES_MAX)?;
        let piece = all.get(*bytes as usize..).unwrap_or_default();
        write_all(&mut *disk.open(&path.with_extension("cut"), Purpose::Create)?, piece)?;
    }
    if *bytes > 0 {
        return disk.open(path, Purpose::Append)?.set_len(*bytes);
    }
    match disk.remove(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Where the whole batches of the last segment end.
#[derive(Clone, Copy, Debug)]
struct End {
    at: usize,
    /// The number after the last record; `None` if the segment has none (not even its head may be whole): it was begun by
    /// a batch that is not there.
    after: Option<u64>,
    /// Whole records behind the first damage.
    records_behind: u64,
}

impl End {
    fn find(path: &Path, bytes: &[u8]) -> Result<End, Error> {
        let has_head = match Head::read(bytes) {
            HeadFound::Whole(_) => true,
            HeadFound::OtherVersion(found) => {
                return Err(Error::Version { path: path.to_owned(), found, expected: VERSION });
            }
            HeadFound::Damaged => false,
        };
        let (mut at, mut after) = (0, None);
        let mut next = has_head.then_some(frame::HEAD_BYTES);
        while let Some(frame) = next.and_then(|next| Frame::read(bytes, next)) {
            at = frame.end();
            after = after.max(Some(frame.next()));
            next = Some(at);
        }
        let mut records_behind = 0;
        let mut behind = at;
        while let Some((_, frame)) = Frame::find(bytes, behind) {
            behind = frame.end();
            records_behind += u64::from(frame.count);
        }
        Ok(End { at, after, records_behind })
    }

    /// What lies behind the end; an empty file is nothing but torn.
    fn torn(self, path: &Path, length: usize) -> Option<Torn> {
        let bytes = (length - self.at) as u64;
        (bytes > 0 || self.after.is_none()).then(|| Torn {
            path: path.to_owned(),
            offset: self.at as u64,
            bytes,
            records: self.records_behind,
        })
    }
}

/// Looks at the journal in `dir` as [`Journal::open`] would, and changes nothing: neither is a torn tail cut off, nor is a
/// lock taken. For whoever only reads, while nobody appends.
pub fn survey(disk: &dyn Disk, dir: &Path) -> Result<Opened, Error> {
    let Found { segments, torn, after, .. } = find(disk, dir)?;
    let first = segments.first().map_or(after, |segment| segment.first);
    Ok(Opened { first, next: after, bytes: segments.iter().map(|segment| segment.bytes).sum(), torn })
}

/// What is there.
struct Found {
    /// Those that hold records, oldest first.
    segments: Vec<Segment>,
    torn: Vec<Torn>,
    repairs: Vec<Repair>,
    /// The number after the last record.
    after: u64,
}

fn find(disk: &dyn Disk, dir: &Path) -> Result<Found, Error> {
    let mut found = Found { segments: segments(disk, dir)?, torn: Vec::new(), repairs: Vec::new(), after: 1 };
    while let Some(last) = found.segments.last_mut() {
        let path = last.path(dir);
        let bytes = read_segment(disk, &path)?;
        let end = End::find(&path, &bytes)?;
        if let Some(piece) = end.torn(&path, bytes.len()) {
            found.repairs.push(Repair { path, bytes: piece.offset, keep_aside: piece.records > 0 });
            found.torn.push(piece);
        }
        if let Some(after) = end.after {
            found.after = after;
            last.bytes = end.at as u64;
            break;
        }
        found.segments.pop();
    }
    Ok(found)
}

/// The segments in a directory, oldest first.
pub(crate) fn segments(disk: &dyn Disk, dir: &Path) -> Result<Vec<Segment>, Error> {
    let listed = disk.list(dir).map_err(|source| failed("list", dir, source))?;
    let number = |name: &str| {
        let digits = name.strip_suffix(".log").filter(|digits| digits.len() == 20)?;
        digits.parse().ok().filter(|first| *first > 0)
    };
    let mut segments: Vec<Segment> = listed
        .iter()
        .filter_map(|file| Some(Segment { first: number(&file.name)?, bytes: file.bytes }))
        .collect();
    segments.sort_unstable_by_key(|segment| segment.first);
    Ok(segments)
}

/// Removes a segment, and what was cut off it once. One that is not there any more is fine.
pub(crate) fn remove_segment(disk: &dyn Disk, dir: &Path, segment: Segment) -> Result<(), Error> {
    let path = segment.path(dir);
    // There is one after damage only.
    let _ = disk.remove(&path.with_extension("cut"));
    match disk.remove(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed("remove", &path, error)),
        _ => Ok(()),
    }
}

fn read_segment(disk: &dyn Disk, path: &Path) -> Result<Vec<u8>, Error> {
    disk.read(path, SEGMENT_BYTES_MAX).map_err(|source| failed("read", path, source))
}

fn failed(doing: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::Io { doing, path: path.to_owned(), source }
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod model_tests;
#[cfg(test)]
mod tests;
