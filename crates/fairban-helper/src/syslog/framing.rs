//! Where a message ends within a TCP stream (RFC 6587).
//!
//! Either its length stands before it (`72 <38>1 2026-…`), or a line feed behind it. Senders do not say which, so each
//! message tells for itself: a length is digits and a blank, and no message begins so, as it begins with `<`, a month or
//! a date.

use crate::protocol::LINE_BYTES_MAX;

/// Most digits of a length.
const DIGITS_MAX: usize = 7;

/// Takes a stream apart. Holds at most one line's bytes.
#[derive(Debug, Default)]
pub(super) struct Framer {
    state: State,
    /// The message so far; while the length is read, its digits.
    message: Vec<u8>,
    /// The message was longer than a line may be.
    cut: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before a message, or within what may be its length.
    #[default]
    Start,
    /// So many bytes are still to come.
    Counted(usize),
    /// Up to a line feed.
    Text,
}

impl Framer {
    /// Hands every message that ends within `bytes` to `each`, with whether it was cut.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8], bool)) {
        while !bytes.is_empty() {
            match self.state {
                State::Start => bytes = self.start(bytes),
                State::Counted(left) => {
                    let (taken, rest) = bytes.split_at(left.min(bytes.len()));
                    self.append(taken);
                    self.state = State::Counted(left - taken.len());
                    bytes = rest;
                }
                State::Text => {
                    let end = memchr::memchr(b'\n', bytes);
                    self.append(&bytes[..end.unwrap_or(bytes.len())]);
                    if end.is_some() {
                        self.hand_on(&mut each);
                    }
                    bytes = end.map_or(&[], |end| &bytes[end + 1..]);
                }
            }
            if self.state == State::Counted(0) {
                self.hand_on(&mut each);
            }
        }
    }

    /// What is left when the stream ends: a message framed by line feeds may lack the last one.
    pub(super) fn finish(mut self, mut each: impl FnMut(&[u8], bool)) {
        if !self.message.is_empty() {
            self.hand_on(&mut each);
        }
    }

    /// Looks at one byte; returns what is left.
    fn start<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        match bytes[0] {
            // A sender of both: its line feed goes behind the counted message too.
            b'\n' | b'\r' | 0 if self.message.is_empty() => &bytes[1..],
            digit @ b'0'..=b'9' if self.message.len() < DIGITS_MAX => {
                self.message.push(digit);
                &bytes[1..]
            }
            b' ' if !self.message.is_empty() => {
                let digits = std::mem::take(&mut self.message);
                let length = digits.iter().fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
                self.state = State::Counted(length);
                &bytes[1..]
            }
            _ => {
                self.state = State::Text;
                bytes
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        let room = LINE_BYTES_MAX - self.message.len();
        self.cut |= bytes.len() > room;
        self.message.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn hand_on(&mut self, each: &mut impl FnMut(&[u8], bool)) {
        each(&self.message, self.cut);
        self.message.clear();
        (self.state, self.cut) = (State::Start, false);
        // Most messages are short: what a long one took is given back.
        self.message.shrink_to(1024);
    }
}

#[cfg(test)]
mod tests;
