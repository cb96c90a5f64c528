//! From the bytes that a follower hands out to what the desk is told: parsed, with points of time, and while old lines
//! are caught up with, in the order of time across all inputs.
//!
//! Live, lines are taken as they come. Behind, each input's lines are merged with the others' by their stamps, as a replay
//! does: else an hour of one log would be judged after the hour of another that it belongs to.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use fairban_core::event::{AuthEvent, Service, Tells};
use fairban_core::time::Time;
use fairban_parse::health::Health;
use fairban_parse::parser::{Parsed, Parser};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use memchr::memchr;

use crate::pipeline::{FileClock, LOOK_AHEAD, YearHint, corrected_leap, line_hash};

/// Bytes kept of a line: what a sample shows.
const TEXT_BYTES_MAX: usize = 240;

/// A line that tells something about a login.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Its time is that of its stamp.
    pub(crate) event: AuthEvent,
    /// Its beginning, the secret blanked.
    pub(crate) text: Vec<u8>,
    /// In its file, from 1.
    pub(crate) number: u64,
    /// Of the whole line, secret and all: by which its copy in another log is known.
    pub(crate) hash: u64,
}

/// What an input brought, in order.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Line(Box<Line>),
    /// All lines up to here were brought before; as whoever reads the input writes it.
    Read(Vec<u8>),
}

/// Tells where an input is read to, for whoever takes a piece of it in parts.
pub(crate) trait Positions: std::fmt::Debug + Send + Sync {
    /// The position after so many bytes and lines of the piece, as whoever reads the input writes it.
    fn after(&self, bytes: usize, lines: u64) -> Vec<u8>;
}

/// A place within a piece.
#[derive(Clone, Debug)]
struct Place {
    piece: Arc<dyn Positions>,
    bytes: usize,
    lines: u64,
}

/// Items of one input that come one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Brought {
    pub(crate) key: Arc<str>,
    pub(crate) item: Item,
}

/// How an input's stamps are read.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    /// Of stamps that name none.
    pub(crate) zone: TimeZone,
    /// Services that are judged from this input, one bit each.
    pub(crate) services: u32,
}

impl Reading {
    /// Of inputs that nobody configured: everything, in the machine's zone.
    pub(crate) fn unknown() -> Reading {
        Reading { zone: TimeZone::system(), services: u32::MAX }
    }
}

/// What is known of one input.
#[derive(Debug)]
struct Input {
    key: Arc<str>,
    reading: Reading,
    clock: FileClock,
    /// Services that have a line in it, one bit each.
    seen: u32,
    /// The merging time of its last line.
    latest: Option<Time>,
    queue: VecDeque<(Item, Option<Place>)>,
    /// Lines in `queue`.
    waiting: usize,
    /// The last line handed out, whose position was not.
    open: Option<Place>,
    caught_up: bool,
}

/// All inputs.
#[derive(Debug)]
pub(crate) struct Intake {
    parser: Parser,
    inputs: BTreeMap<Arc<str>, Input>,
    /// Of all lines since the last [`Intake::take_health`].
    health: Health,
    /// Old lines are there, or may come.
    behind: bool,
}

/// Lines that are handed out at once while behind, so that they fit one batch of the journal.
pub(crate) const LINES_AT_ONCE: usize = 4_096;

impl Intake {
    pub(crate) fn new(key: [u8; 16]) -> Intake {
        Intake { parser: Parser::new(key), inputs: BTreeMap::new(), health: Health::default(), behind: false }
    }

    /// An input is there from now on; its first stamps lie before `now`. One that was there is read as told from now on.
    pub(crate) fn begin(&mut self, key: &Arc<str>, reading: Reading, now: Timestamp) {
        let clock = FileClock::new(reading.zone.clone(), YearHint::WrittenAt(now), None);
        let input = Input {
            key: Arc::clone(key),
            reading,
            clock,
            seen: 0,
            latest: None,
            queue: VecDeque::new(),
            waiting: 0,
            open: None,
            caught_up: false,
        };
        match self.inputs.entry(Arc::clone(key)) {
            Entry::Vacant(place) => {
                place.insert(input);
                self.behind = true;
            }
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                if known.reading.zone != input.reading.zone {
                    known.clock = input.clock;
                }
                known.reading = input.reading;
            }
        }
    }

    /// The input is gone. What it brought is still handed out.
    pub(crate) fn end(&mut self, key: &str) {
        self.caught_up(key);
    }

    /// Takes a piece of an input: whole lines.
    pub(crate) fn lines(&mut self, key: &str, bytes: &[u8], first_line: u64, piece: &Arc<dyn Positions>) {
        let Some(input) = self.inputs.get_mut(key) else { return };
        let (mut from, mut number) = (0, first_line);
        while from < bytes.len() {
            let to = memchr(b'\n', &bytes[from..]).map_or(bytes.len(), |at| from + at);
            let line = &bytes[from..to];
            let place = || {
                let (bytes, lines) = ((to + 1).min(bytes.len()), number + 1 - first_line);
                Place { piece: Arc::clone(piece), bytes, lines }
            };
            match self.parser.line(line, &mut self.health) {
                Parsed::Event(stamp, mut event) => {
                    input.seen |= bit(event.service);
                    if input.reading.services & bit(event.service) != 0 {
                        event.time = input.clock.resolve(&stamp);
                        input.push(event, line, number, place());
                    }
                }
                Parsed::Gap { stamp, service, lost } => {
                    let time = input.clock.resolve(&stamp);
                    let services = service.map_or(input.seen, bit) & input.reading.services;
                    for service in Service::ALL.into_iter().filter(|one| services & bit(*one) != 0) {
                        let event = AuthEvent { time, ..AuthEvent::new(service, Tells::Gap { lost }) };
                        input.push(event, line, number, place());
                    }
                }
                Parsed::Nothing(service) => input.seen |= bit(service),
                Parsed::Foreign | Parsed::NoFormat => {}
            }
            (from, number) = (to + 1, number + 1);
        }
        let position = piece.after(bytes.len(), number - first_line);
        if let Some((Item::Read(last), _)) = input.queue.back_mut() {
            *last = position;
        } else {
            input.queue.push_back((Item::Read(position), None));
        }
    }

    /// The input has no more old lines.
    pub(crate) fn caught_up(&mut self, key: &str) {
        if let Some(input) = self.inputs.get_mut(key) {
            input.caught_up = true;
        }
    }

    /// Whether old lines are still to be handed out.
    pub(crate) fn is_behind(&self) -> bool {
        self.behind
    }

    /// An input that must bring more, or be caught up with, before anything can be handed out.
    pub(crate) fn wanted(&self) -> Option<&Arc<str>> {
        let short = |input: &&Input| !input.caught_up && input.waiting <= LOOK_AHEAD;
        self.inputs.values().find(short).map(|input| &input.key)
    }

    /// Hands out what may be: live, everything; behind, what comes first while no input is wanted, at most
    /// [`LINES_AT_ONCE`], and after the lines of an input always the position that they end at. To be called again while
    /// behind.
    pub(crate) fn hand_out(&mut self, into: &mut Vec<Brought>) {
        let is_live = !self.behind;
        let enough = into.len() + LINES_AT_ONCE;
        while is_live || (into.len() < enough && self.wanted().is_none()) {
            let heads = self.inputs.values_mut().filter_map(|input| Some((input.head()?, input)));
            let Some((_, input)) = heads.min_by_key(|(time, _)| *time) else {
                self.behind = self.inputs.values().any(|input| !input.caught_up);
                break;
            };
            input.hand_out_line(into);
        }
        for input in self.inputs.values_mut() {
            if let Some(Place { piece, bytes, lines }) = input.open.take() {
                let item = Item::Read(piece.after(bytes, lines));
                into.push(Brought { key: Arc::clone(&input.key), item });
            }
        }
    }

    /// Counters of the lines since the last call.
    pub(crate) fn take_health(&mut self) -> Health {
        std::mem::take(&mut self.health)
    }
}

impl Input {
    fn push(&mut self, event: AuthEvent, line: &[u8], number: u64, place: Place) {
        let mut text = line[..line.len().min(TEXT_BYTES_MAX)].to_vec();
        if let Some((from, to)) = event.secret_at {
            let to = (to as usize).min(text.len());
            text.get_mut(from as usize..to).into_iter().for_each(|secret| secret.fill(b'*'));
        }
        let hash = line_hash(&event, line);
        let line = Item::Line(Box::new(Line { event, text, number, hash }));
        self.queue.push_back((line, Some(place)));
        self.waiting += 1;
    }

    /// When the next item comes, for merging; `None` if there is none. A position goes with the line before it.
    fn head(&self) -> Option<Time> {
        match &self.queue.front()?.0 {
            Item::Read(_) => Some(self.latest.unwrap_or(Time::MIN)),
            Item::Line(line) => {
                Some(self.latest.map_or(line.event.time, |latest| latest.max(line.event.time)))
            }
        }
    }

    /// Hands out the next item, a leap that its followers take back corrected.
    fn hand_out_line(&mut self, into: &mut Vec<Brought>) {
        if self.waiting > 1 && !self.caught_up {
            let times: Vec<Time> = self.times().take(LOOK_AHEAD + 1).collect();
            if let Some(time) = corrected_leap(self.latest, &times)
                && let Some((Item::Line(line), _)) =
                    self.queue.iter_mut().find(|(item, _)| matches!(item, Item::Line(_)))
            {
                line.event.time = time;
            }
        }
        let Some((item, place)) = self.queue.pop_front() else { return };
        self.open = place;
        if let Item::Line(line) = &item {
            self.waiting -= 1;
            self.latest = self.latest.max(Some(line.event.time));
        }
        into.push(Brought { key: Arc::clone(&self.key), item });
    }

    fn times(&self) -> impl Iterator<Item = Time> {
        self.queue.iter().filter_map(|(item, _)| match item {
            Item::Line(line) => Some(line.event.time),
            Item::Read(_) => None,
        })
    }
}

/// The bit of a service in a set of services.
fn bit(service: Service) -> u32 {
    1 << service.index()
}

#[cfg(test)]
#[path = "intake_tests.rs"]
mod tests;
