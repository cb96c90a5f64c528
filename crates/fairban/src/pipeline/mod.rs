//! Logs in, events out: in the order of time, whatever the number of logs and threads.
//!
//! ```text
//! log ─► blocks ─► parsed blocks ─► events in order ─┐
//! log ─► blocks ─► parsed blocks ─► events in order ─┼─► merged ─► whoever decides
//! log ─► …                                          ─┘
//! ```
//!
//! What is absent: any way for the speed of a thread to change the order or the number of events. Logs are opened when
//! their time comes, so a long rotated set needs no more memory than one file.

pub(crate) mod clock;
mod doubles;
mod feed;
mod parse;
mod stream;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use fairban_core::event::AuthEvent;
use fairban_core::time::Time;
use jiff::tz::TimeZone;

pub(crate) use self::clock::{FileClock, YearHint};
pub(crate) use self::doubles::{Doubles, line_hash};
use self::feed::{Buffers, Crew, Feed};
use self::parse::{BlockParser, Room};
use self::stream::Stream;
pub(crate) use self::stream::{Certainty, ReadSoFar, StreamState};
pub(crate) use self::stream::{LOOK_AHEAD, corrected_leap};
use crate::input::blocks::BlockReader;
use crate::input::{Family, Format, Input, by_age};

/// So many events are kept to be decided again when a log goes on; more are decided for good.
const REDO_EVENTS_MAX: usize = 1_000;

/// How logs are read.
pub(crate) struct Settings {
    /// Key of secret tags.
    pub(crate) key: [u8; 16],
    /// Services that are judged, one bit each.
    pub(crate) services: u32,
    /// Of stamps that name none.
    pub(crate) zone: TimeZone,
    /// Of first stamps that have none.
    pub(crate) year: Option<i16>,
    /// In all; 1 does everything in the calling thread.
    pub(crate) threads: usize,
    /// A last line without its line feed waits for its rest.
    pub(crate) keep_tail: bool,
}

/// An event in its place.
pub(crate) struct Item<'a> {
    pub(crate) event: &'a AuthEvent,
    /// The raw line.
    pub(crate) text: &'a [u8],
    /// The log's name as given, escaped.
    pub(crate) file: &'a str,
    /// Counted from 1.
    pub(crate) line: u64,
}

/// One log among those that are merged.
struct Log {
    input: Input,
    state: StreamState,
    /// Not before this: the least of its first stamps.
    start: Time,
    format: Format,
    stream: Option<Stream>,
    done: bool,
    /// The same number for all pieces of a rotated set, and when they are read on later.
    set: u32,
}

/// The logs, merged.
pub(crate) struct Merge {
    settings: Settings,
    logs: Vec<Log>,
    /// The next event of each log: time, then place. A log that is not open yet stands with its start.
    next: BinaryHeap<Reverse<(Time, usize)>>,
    parser: Arc<BlockParser>,
    buffers: Arc<Buffers>,
    crew: Crew,
    /// Events taken since the checkpoint, if there is one.
    redo: Option<usize>,
    /// Where there is more than one log, or may be later.
    doubles: Option<Doubles>,
    /// The same as of the checkpoint.
    doubles_before: Option<Doubles>,
    /// Taken from disks so far.
    pub(crate) read_bytes: Arc<AtomicU64>,
}

impl Merge {
    /// Looks into each log for its first stamps and sets up the order. `doubles` are those of the run before.
    pub(crate) fn new(settings: Settings, inputs: Vec<(Input, StreamState)>, doubles: Doubles) -> Merge {
        let parser = Arc::new(BlockParser::new(settings.key, settings.services));
        let look = |(input, state): (Input, StreamState)| {
            let start = first_time(&settings, &parser, &input, &state);
            Some(Log { input, state, start, format: Format::Plain, stream: None, done: false, set: 0 })
        };
        let mut logs: Vec<Option<Log>> = inputs.into_iter().map(look).collect();
        let families: Vec<&Family> = logs.iter().flatten().map(|log| &log.input.family).collect();
        let order = by_age(&families, |i| logs[i].as_ref().map(|log| log.start));
        let mut logs: Vec<Log> = order.into_iter().filter_map(|i| logs[i].take()).collect();
        let mut doubles = doubles;
        let sets = number_sets(&mut logs, &mut doubles.sets);
        let doubles = (sets > 1 || settings.keep_tail).then_some(doubles);
        let next = logs.iter().enumerate().map(|(place, log)| Reverse((log.start, place))).collect();
        let crew = Crew::new(settings.threads);
        let (buffers, read_bytes) = (Arc::default(), Arc::default());
        Merge {
            settings,
            logs,
            next,
            parser,
            buffers,
            crew,
            redo: None,
            doubles,
            doubles_before: None,
            read_bytes,
        }
    }

    /// How the next event stands; opens logs as their time comes. `None` when all is read.
    pub(crate) fn peek(&mut self) -> Option<Certainty> {
        loop {
            let &Reverse((_, place)) = self.next.peek()?;
            let log = &mut self.logs[place];
            if let Some(head) = log.stream.as_ref().and_then(Stream::head) {
                return Some(head.certainty);
            }
            self.next.pop();
            if !log.done && log.stream.is_none() {
                self.open(place);
                self.enqueue(place);
            }
        }
    }

    /// Hands the next event to `take`, unless another log had the same line. Call [`Merge::peek`] first.
    pub(crate) fn take<T>(&mut self, take: impl FnOnce(&Item<'_>) -> T) -> Option<T> {
        let Reverse((key, place)) = self.next.pop()?;
        self.redo = self.redo.map(|taken| taken + 1);
        let log = &mut self.logs[place];
        let file = &log.input.name;
        let stream = log.stream.as_mut()?;
        let (set, doubles) = (log.set, &mut self.doubles);
        let taken = stream.take(|event, text, line| {
            let double = doubles.as_mut().is_some_and(|doubles| doubles.is_double(key, set, event, text));
            (!double).then(|| take(&Item { event, text, file, line }))
        });
        self.enqueue(place);
        taken
    }

    /// Events that were not taken because another log had the same line.
    pub(crate) fn doubles(&self) -> u64 {
        self.doubles.as_ref().map_or(0, |doubles| doubles.dropped)
    }

    /// Leaves the rest of the log whose event is next for later: a leap to which nothing can be said yet.
    pub(crate) fn set_aside(&mut self) {
        if let Some(Reverse((_, place))) = self.next.pop() {
            self.logs[place].done = true;
        }
    }

    /// Checkpoint: from here on, events are also kept, to be decided again when the logs go on.
    pub(crate) fn begin_redo(&mut self) {
        self.redo = Some(0);
        self.doubles_before.clone_from(&self.doubles);
        self.logs.iter_mut().filter_map(|log| log.stream.as_mut()).for_each(Stream::begin_redo);
    }

    /// Whether there is a checkpoint; forgets it, and what was kept since, when that becomes too much.
    pub(crate) fn has_redo(&mut self) -> bool {
        if self.redo.is_some_and(|taken| taken > REDO_EVENTS_MAX) {
            self.redo = None;
            self.doubles_before = None;
            self.logs.iter_mut().filter_map(|log| log.stream.as_mut()).for_each(Stream::end_redo);
        }
        self.redo.is_some()
    }

    /// Each log with what was found in it, in the order of merging. Complete when all is read.
    pub(crate) fn read(&self) -> impl Iterator<Item = (&Input, Format, &ReadSoFar)> {
        self.logs.iter().filter_map(|log| Some((&log.input, log.format, &log.stream.as_ref()?.read)))
    }

    /// What each log needs to be read on later.
    pub(crate) fn states(&self) -> Vec<(Family, StreamState)> {
        let state = |log: &Log| {
            let state = log.stream.as_ref().map_or_else(|| log.state.clone(), Stream::state);
            StreamState { set: Some(log.set), ..state }
        };
        self.logs.iter().map(|log| (log.input.family.clone(), state(log))).collect()
    }

    /// The lines of late, as of the checkpoint if there is one: what is decided again is looked up again.
    pub(crate) fn doubles_state(&self) -> Doubles {
        let doubles = if self.redo.is_some() { &self.doubles_before } else { &self.doubles };
        doubles.clone().unwrap_or_default()
    }

    /// Sizes on disk of all logs together.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.logs.iter().map(|log| log.input.size_bytes).sum()
    }

    fn enqueue(&mut self, place: usize) {
        match self.logs[place].stream.as_ref().and_then(Stream::head) {
            Some(head) => self.next.push(Reverse((head.key, place))),
            None => self.logs[place].done = true,
        }
    }

    fn open(&mut self, place: usize) {
        let log = &mut self.logs[place];
        let mut state = std::mem::take(&mut log.state);
        let clock = clock_of(&self.settings, &log.input, &state);
        let tail = std::mem::take(&mut state.tail);
        let (bytes, error): (Box<dyn io::Read + Send>, _) = match log.input.open(&self.read_bytes) {
            Ok((format, bytes)) => {
                log.format = format;
                (bytes, None)
            }
            Err(error) => (Box::new(io::empty()), Some(error)),
        };
        let reader = BlockReader::new(bytes, tail, self.settings.keep_tail);
        let feed = Feed::new(reader, &self.parser, &self.buffers, &self.crew);
        let mut stream = Stream::new(feed, clock, &self.parser, &self.buffers, state);
        if error.is_some() {
            stream.read.error = error;
        }
        if self.redo.is_some() {
            stream.begin_redo();
        }
        log.stream = Some(stream);
    }
}

/// Gives the pieces of each rotated set a number in common: that of an earlier run, or the next; how many sets there are.
fn number_sets(logs: &mut [Log], given: &mut u32) -> usize {
    let mut families: Vec<Family> = logs.iter().map(|log| log.input.family.clone()).collect();
    families.sort_unstable();
    families.dedup();
    for family in &families {
        let members = || logs.iter().filter(|log| log.input.family == *family);
        let number = members().filter_map(|log| log.state.set).min().unwrap_or_else(|| {
            *given += 1;
            *given - 1
        });
        logs.iter_mut().filter(|log| log.input.family == *family).for_each(|log| log.set = number);
    }
    families.len()
}

fn clock_of(settings: &Settings, input: &Input, state: &StreamState) -> FileClock {
    let hint = settings.year.map_or(YearHint::WrittenAt(input.modified), YearHint::Given);
    FileClock::new(settings.zone.clone(), hint, state.clock)
}

/// A time that no event of the log precedes in the merge; [`Time::MIN`] if that is not to be had by looking at the
/// log's first block.
fn first_time(settings: &Settings, parser: &BlockParser, input: &Input, state: &StreamState) -> Time {
    if !input.rereadable || !state.held.is_empty() {
        return Time::MIN;
    }
    let Ok((_, bytes)) = input.open(&Arc::default()) else { return Time::MIN };
    let mut reader = BlockReader::new(bytes, state.tail.clone(), settings.keep_tail);
    let Some(block) = reader.next_block(Vec::new()) else { return Time::MIN };
    let mut clock = clock_of(settings, input, state);
    let parsed = parser.parse(block, Room::default());
    let first = parsed.lines.iter().take(LOOK_AHEAD + 1);
    first.map(|line| clock.resolve(&line.stamp)).min().unwrap_or(Time::MIN)
}
