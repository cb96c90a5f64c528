//! One client: what it has sent, what it is to be told, and how long it may take.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use super::Patience;
use super::places::Seat;
use crate::REQUEST_BYTES_MAX;
use crate::request::Request;
use crate::response::Response;
use crate::rights::Peer;

/// Bytes read from a client at a time, so that nobody's flood keeps others waiting.
const READ_BYTES: usize = 16 * 1024;

/// Above this nothing more is read from a client until it has read what it is told.
const UNREAD_BYTES_MAX: usize = 64 * 1024;

/// Decisions that may wait for a client who tails, in bytes.
const TAIL_BYTES_MAX: usize = 256 * 1024;

/// What a client is waiting for.
#[derive(Debug)]
pub(super) enum Phase {
    /// Nothing: it may ask.
    Ready,
    /// To be asked on its behalf.
    Waiting(Request),
    /// An answer.
    Asked,
    /// Decisions of these kinds; `missed` of them had no room.
    Tailing { kinds: u16, missed: u64 },
}

/// What came out of the bytes of a client.
#[derive(Debug)]
pub(super) enum Line {
    /// None is complete.
    None,
    /// One, its line feed included.
    Whole(Vec<u8>),
    /// More bytes than a line may have.
    TooLong,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: u64,
    pub(super) peer: Peer,
    pub(super) stream: UnixStream,
    pub(super) phase: Phase,
    /// Closed as soon as it has read what it is told.
    pub(super) ends: bool,
    /// Nothing more can be read from it or told to it.
    pub(super) gone: bool,
    /// When it last did something, as a count.
    pub(super) active: u64,
    input: Vec<u8>,
    /// Bytes of the input that hold no line feed.
    scanned: usize,
    /// It has sent all that it will send.
    ended_input: bool,
    output: VecDeque<u8>,
    half_since: Option<Instant>,
    unread_since: Option<Instant>,
}

impl Connection {
    pub(super) fn new(id: u64, peer: Peer, stream: UnixStream, active: u64) -> Connection {
        Connection {
            id,
            peer,
            stream,
            phase: Phase::Ready,
            ends: false,
            gone: false,
            active,
            input: Vec::new(),
            scanned: 0,
            ended_input: false,
            output: VecDeque::new(),
            half_since: None,
            unread_since: None,
        }
    }

    pub(super) fn seat(&self) -> Seat {
        let idle = matches!(self.phase, Phase::Ready) && self.input.is_empty() && self.output.is_empty();
        Seat { client: self.id, class: self.peer.class, idle, active: self.active }
    }

    /// Whether more may be read from it.
    pub(super) fn wants_input(&self) -> bool {
        // Whoever tails is listened to as well, to hear that it breaks the rules.
        let tails = matches!(self.phase, Phase::Tailing { .. }) && !self.ends;
        (self.may_ask() || tails) && !self.ended_input
    }

    /// Whether there is anything to tell it.
    pub(super) fn wants_output(&self) -> bool {
        !self.output.is_empty() || matches!(self.phase, Phase::Tailing { missed: 1.., .. })
    }

    /// Whether there is something to do for it although nothing arrives: a line behind the one that was answered, or an
    /// end that was not looked at.
    pub(super) fn can_go_on(&self) -> bool {
        let unseen = self.ended_input || self.scanned < self.input.len();
        self.may_ask() && unseen && !self.gone
    }

    fn may_ask(&self) -> bool {
        matches!(self.phase, Phase::Ready) && !self.ends && self.output.len() <= UNREAD_BYTES_MAX
    }

    /// Reads what is there, up to a bound.
    pub(super) fn read(&mut self, now: Instant) {
        let mut bytes = [0; READ_BYTES];
        match self.stream.read(&mut bytes) {
            Ok(0) => self.ended_input = true,
            Ok(count) => {
                self.input.extend_from_slice(&bytes[..count]);
                self.half_since = self.half_since.or(Some(now));
            }
            Err(error) if is_for_later(&error) => {}
            Err(_) => self.gone = true,
        }
    }

    /// Takes the next line, if the client may ask.
    pub(super) fn next_line(&mut self, now: Instant) -> Line {
        if !self.may_ask() {
            return Line::None;
        }
        match self.input[self.scanned..].iter().position(|&byte| byte == b'\n') {
            Some(at) if self.scanned + at < REQUEST_BYTES_MAX => {
                let rest = self.input.split_off(self.scanned + at + 1);
                let line = std::mem::replace(&mut self.input, rest);
                self.scanned = 0;
                self.half_since = (!self.input.is_empty()).then_some(now);
                Line::Whole(line)
            }
            None if self.input.len() < REQUEST_BYTES_MAX => {
                self.scanned = self.input.len();
                if self.ended_input {
                    self.end();
                }
                Line::None
            }
            _ => Line::TooLong,
        }
    }

    /// Whether anything was sent that is no complete line yet, or more than it may.
    pub(super) fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// Queues an answer.
    pub(super) fn tell(&mut self, response: &Response, now: Instant) {
        self.tell_line(&response.to_line(), now);
    }

    /// Queues an answer that is a line already.
    pub(super) fn tell_line(&mut self, line: &[u8], now: Instant) {
        self.output.extend(line);
        self.unread_since = self.unread_since.or(Some(now));
    }

    /// Queues a decision, or counts it as missed.
    pub(super) fn tell_event(&mut self, kind: u16, line: &[u8], now: Instant) {
        let Phase::Tailing { kinds, missed } = &mut self.phase else { return };
        if self.ends || *kinds & kind == 0 {
            return;
        }
        let told = if *missed > 0 { Response::Missed { events: *missed }.to_line() } else { Vec::new() };
        if self.output.len() + told.len() + line.len() > TAIL_BYTES_MAX {
            *missed += 1;
            return;
        }
        *missed = 0;
        self.output.extend(told);
        self.tell_line(line, now);
    }

    /// Counts decisions that had no room before they came here.
    pub(super) fn miss(&mut self, events: u64) {
        if let Phase::Tailing { missed, .. } = &mut self.phase {
            *missed += events;
        }
    }

    /// Writes what it takes.
    pub(super) fn write(&mut self, now: Instant) {
        while !self.output.is_empty() && !self.gone {
            match self.stream.write(self.output.as_slices().0) {
                Ok(count) => {
                    self.output.drain(..count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_for_later(&error) => return,
                Err(_) => self.gone = true,
            }
        }
        if let Phase::Tailing { missed: missed @ 1.., .. } = &mut self.phase {
            let events = std::mem::take(missed);
            return self.tell(&Response::Missed { events }, now);
        }
        self.unread_since = None;
        if self.output.capacity() > UNREAD_BYTES_MAX {
            self.output = VecDeque::new();
        }
    }

    /// Reads no more, and closes when all is told.
    pub(super) fn end(&mut self) {
        self.ends = true;
        self.input = Vec::new();
        self.half_since = None;
    }

    /// Whether it can be forgotten.
    pub(super) fn is_over(&self) -> bool {
        let quiet = matches!(self.phase, Phase::Ready | Phase::Tailing { .. });
        self.gone || self.ends && quiet && self.output.is_empty()
    }

    /// When it has taken too long; never while it waits for us.
    pub(super) fn cut_at(&self, patience: Patience) -> Option<Instant> {
        let half = match self.phase {
            Phase::Ready if !self.ends => self.half_since.map(|since| since + patience.half_request),
            _ => None,
        };
        let unread = match self.phase {
            Phase::Tailing { .. } if !self.ends => None,
            _ => self.unread_since.map(|since| since + patience.unread_answer),
        };
        [half, unread].into_iter().flatten().min()
    }

    /// Whether it owes us the reading of an answer, rather than the end of a line.
    pub(super) fn owes_reading(&self) -> bool {
        self.unread_since.is_some()
    }
}

fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
