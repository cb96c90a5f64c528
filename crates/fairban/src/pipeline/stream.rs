//! The events of one log in its order, with a time by which logs can be merged.
//!
//! Stamps in a log mostly rise. Where one falls back, its line is taken as it comes. Where one leaps forward and the
//! lines after it take that back, the leap is that line's error: it would carry the engine's time with it, so the line
//! gets the time of its predecessor. To know, a stream looks [`LOOK_AHEAD`] events ahead.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use fairban_core::event::{AuthEvent, Tells};
use fairban_core::time::{Span, Time};
use fairban_parse::clock::ClockState;
use fairban_parse::health::Health;
use serde::{Deserialize, Serialize};

use super::clock::FileClock;
use super::feed::{Buffers, Fed, Feed};
use super::parse::{BlockParser, ParsedBlock, ParsedLine, Told, bit};
use crate::input::blocks::Tail;

/// A leap that one of so many following events takes back is an error of the line that made it.
pub(crate) const LOOK_AHEAD: usize = 10;

/// Smaller steps forward are no leaps: daemons write seconds late.
const LEAP_MIN: Span = Span::minutes(1);

/// A leap at the very end of a log that nothing takes back is believed up to this length when the log may go on later:
/// longer ones wait for the lines that follow. A log with gaps of a week hardly ends on one.
const LEAP_BELIEVED_MAX: Span = Span::days(7);

/// An event that is next in line.
#[derive(Debug)]
struct Waiting {
    time: Time,
    /// Counted from 1.
    line: u64,
    place: Place,
}

/// Where an event and its raw line are.
#[derive(Debug)]
enum Place {
    /// Both in the current block, the line from and to these bytes. Most stay there until they are taken.
    Block { event: u32, from: u32, to: u32 },
    /// The block is gone, or never held the event.
    Own(Box<HeldEvent>),
}

/// An event that was read and not decided for good; holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HeldEvent {
    pub(crate) event: AuthEvent,
    text: Vec<u8>,
}

/// What a stream needs to go on where it stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StreamState {
    pub(crate) tail: Tail,
    pub(crate) clock: Option<ClockState>,
    /// The merging time of the last event that was decided.
    pub(crate) latest: Option<Time>,
    pub(crate) services: u32,
    /// Number of its rotated set.
    pub(crate) set: Option<u32>,
    pub(crate) held: Vec<HeldEvent>,
}

/// What a log held, known in full at its end.
#[derive(Debug, Default)]
pub(crate) struct ReadSoFar {
    pub(crate) health: Health,
    pub(crate) lines: u64,
    /// What cut the log short.
    pub(crate) error: Option<io::Error>,
}

/// How the next event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The merging time: never before that of an earlier event of this log.
    pub(crate) key: Time,
    pub(crate) certainty: Certainty,
}

/// Whether lines that are still to come could change an event's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Certainty {
    /// No.
    Sure,
    /// The log ends before ten lines followed a leap: probably right.
    Likely,
    /// The same, and the leap is so long that it is probably wrong.
    Doubtful,
}

/// The events of one log.
pub(crate) struct Stream {
    feed: Option<Feed>,
    clock: FileClock,
    parser: Arc<BlockParser>,
    buffers: Arc<Buffers>,
    block: ParsedBlock,
    /// Lines of the block that were looked at.
    lines_seen: usize,
    lines_before_block: u64,
    window: VecDeque<Waiting>,
    head: Option<Head>,
    latest: Option<Time>,
    /// Those of the current block are not among them yet.
    services: u32,
    tail: Tail,
    /// Since the last checkpoint: the merging time then, and what was taken since.
    redo: Option<(Option<Time>, Vec<HeldEvent>)>,
    pub(crate) read: ReadSoFar,
}

impl Stream {
    pub(crate) fn new(
        feed: Feed,
        clock: FileClock,
        parser: &Arc<BlockParser>,
        buffers: &Arc<Buffers>,
        state: StreamState,
    ) -> Stream {
        let held =
            |held: HeldEvent| Waiting { time: held.event.time, line: 1, place: Place::Own(Box::new(held)) };
        let mut stream = Stream {
            feed: Some(feed),
            clock,
            parser: Arc::clone(parser),
            buffers: Arc::clone(buffers),
            block: ParsedBlock::default(),
            lines_seen: 0,
            lines_before_block: 0,
            window: state.held.into_iter().map(held).collect(),
            head: None,
            latest: state.latest,
            services: state.services,
            tail: Tail::default(),
            redo: None,
            read: ReadSoFar::default(),
        };
        stream.look();
        stream
    }

    /// The next event's place in time; `None` at the end of the log.
    pub(crate) fn head(&self) -> Option<Head> {
        self.head
    }

    /// Hands the next event, its line and the line's number to `take`, which may leave it.
    pub(crate) fn take<T>(&mut self, take: impl FnOnce(&AuthEvent, &[u8], u64) -> Option<T>) -> Option<T> {
        let head = self.head?;
        self.latest = Some(head.key);
        let next = self.window.front()?;
        let (event, text) = found(&self.block, next);
        let taken = take(event, text, next.line);
        if let Some((_, events)) = &mut self.redo {
            events.push(hold(event, text));
        }
        self.window.pop_front();
        self.look();
        taken
    }

    /// From here on, what is taken is also kept, to be decided again when the log goes on.
    pub(crate) fn begin_redo(&mut self) {
        self.redo = Some((self.latest, Vec::new()));
    }

    /// What was taken is decided for good.
    pub(crate) fn end_redo(&mut self) {
        self.redo = None;
    }

    /// What the log needs to be read on later: with the events that wait, and those that are to be decided again.
    pub(crate) fn state(&self) -> StreamState {
        let (latest, again) = self.redo.clone().unwrap_or((self.latest, Vec::new()));
        let held = |waiting| {
            let (event, text) = found(&self.block, waiting);
            hold(event, text)
        };
        StreamState {
            tail: self.tail.clone(),
            clock: self.clock.state(),
            latest,
            services: self.services | self.block.services,
            set: None,
            held: again.into_iter().chain(self.window.iter().map(held)).collect(),
        }
    }

    /// Fills the window and judges the event at its head.
    fn look(&mut self) {
        while self.window.len() <= LOOK_AHEAD {
            if self.lines_seen < self.block.lines.len() {
                self.await_line();
            } else if !self.next_block() {
                break;
            }
        }
        self.head = self.judge_head();
    }

    /// Lets the next line of the block wait.
    fn await_line(&mut self) {
        let ParsedLine { from, to, lines_before, services_before, stamp, told } =
            self.block.lines[self.lines_seen];
        self.lines_seen += 1;
        let time = self.clock.resolve(&stamp);
        let line = self.lines_before_block + u64::from(lines_before) + 1;
        match told {
            Told::Event(event) => {
                self.block.events[event as usize].time = time;
                self.window.push_back(Waiting { time, line, place: Place::Block { event, from, to } });
            }
            Told::Gap { lost, service } => {
                let seen = service.map_or(self.services | services_before, bit);
                let text = &self.block.block.bytes()[from as usize..to as usize];
                for service in self.parser.wanted(seen) {
                    let event = AuthEvent { time, ..AuthEvent::new(service, Tells::Gap { lost }) };
                    let place = Place::Own(Box::new(HeldEvent { event, text: text.to_vec() }));
                    self.window.push_back(Waiting { time, line, place });
                }
            }
        }
    }

    /// Goes on to the next block; `false` at the end of the log.
    fn next_block(&mut self) -> bool {
        let Some(feed) = self.feed.take() else { return false };
        self.leave_block();
        let (rest, given) = feed.next();
        self.feed = rest;
        match given {
            Fed::Block(parsed) => self.enter_block(*parsed),
            Fed::End((tail, error)) => {
                self.tail = tail;
                self.read.error = error;
            }
        }
        true
    }

    fn enter_block(&mut self, parsed: ParsedBlock) {
        self.lines_before_block = self.read.lines;
        self.read.lines += u64::from(parsed.line_count);
        self.read.health.absorb(&parsed.health);
        self.block = parsed;
        self.lines_seen = 0;
    }

    fn leave_block(&mut self) {
        for waiting in &mut self.window {
            if let Place::Block { .. } = waiting.place {
                let (event, text) = found(&self.block, waiting);
                let (event, text) = (event.clone(), text.to_vec());
                waiting.place = Place::Own(Box::new(HeldEvent { event, text }));
            }
        }
        let left = std::mem::take(&mut self.block);
        self.lines_seen = 0;
        self.services |= left.services;
        self.buffers.give_back(left);
    }

    fn judge_head(&mut self) -> Option<Head> {
        let stamp = self.window.front()?.time;
        let leaps = self.latest.is_none_or(|before| stamp.since(before) > LEAP_MIN);
        let mut certainty = Certainty::Sure;
        let mut corrected = None;
        if leaps {
            let times = self.window.iter().take(LOOK_AHEAD + 1).map(|waiting| waiting.time);
            corrected = corrected_leap(self.latest, &times.collect::<Vec<_>>());
            if let (Some(before), None) = (self.latest, corrected)
                && self.window.len() <= LOOK_AHEAD
            {
                let believed = stamp.since(before) <= LEAP_BELIEVED_MAX;
                certainty = if believed { Certainty::Likely } else { Certainty::Doubtful };
            }
        }
        if let (Some(time), Some(front)) = (corrected, self.window.front_mut()) {
            front.time = time;
            match &mut front.place {
                Place::Block { event, .. } => self.block.events[*event as usize].time = time,
                Place::Own(held) => held.event.time = time,
            }
        }
        let time = corrected.unwrap_or(stamp);
        Some(Head { key: self.latest.map_or(time, |latest| latest.max(time)), certainty })
    }
}

/// An event that waits, and its raw line.
fn found<'a>(block: &'a ParsedBlock, waiting: &'a Waiting) -> (&'a AuthEvent, &'a [u8]) {
    match &waiting.place {
        Place::Block { event, from, to } => {
            (&block.events[*event as usize], &block.block.bytes()[*from as usize..*to as usize])
        }
        Place::Own(held) => (&held.event, &held.text),
    }
}

/// What is kept of an event that may be decided again: no secret.
fn hold(event: &AuthEvent, text: &[u8]) -> HeldEvent {
    let mut text = text.to_vec();
    if let Some((from, to)) = event.secret_at
        && let Some(secret) = text.get_mut(from as usize..to as usize)
    {
        secret.fill(b'*');
    }
    HeldEvent { event: event.clone(), text }
}

/// The time that the first of `times` gets, if those after it say that it leapt; `before` is that of its predecessor.
pub(crate) fn corrected_leap(before: Option<Time>, times: &[Time]) -> Option<Time> {
    let (&stamp, followers) = times.split_first()?;
    match before {
        Some(before) if stamp.since(before) > LEAP_MIN => {
            let halfway = before.plus(Span::micros(stamp.since(before).as_micros() / 2));
            followers.iter().any(|time| *time <= halfway).then_some(before)
        }
        Some(_) => None,
        None => first_corrected(stamp, followers.to_vec()),
    }
}

/// The first stamp of a log has no predecessor: it is an error if most of what follows lies before it, and then gets
/// the time in the middle of those.
fn first_corrected(stamp: Time, mut followers: Vec<Time>) -> Option<Time> {
    let earlier = followers.iter().filter(|&&time| stamp.since(time) > LEAP_MIN).count();
    if followers.len() < 3 || earlier * 2 <= followers.len() {
        return None;
    }
    followers.sort_unstable();
    Some(followers[followers.len() / 2].min(stamp))
}
