//! The log: lines wait in a queue until their time has come, so that sessions interleave as they do on a host.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};

use crate::other;
use crate::random::Random;

const MONTHS: [(&str, u64); 12] = [
    ("Jan", 31),
    ("Feb", 28),
    ("Mar", 31),
    ("Apr", 30),
    ("May", 31),
    ("Jun", 30),
    ("Jul", 31),
    ("Aug", 31),
    ("Sep", 30),
    ("Oct", 31),
    ("Nov", 30),
    ("Dec", 31),
];

/// A line that waits: when, in which order, and what follows the host's name.
type Waiting = Reverse<(u64, u64, String)>;

/// The log that is written.
pub(crate) struct Log<W> {
    out: W,
    bytes: u64,
    now_ms: u64,
    order: u64,
    waiting: BinaryHeap<Waiting>,
    stamp: (u64, String),
    others_per_90: u32,
    others_owed: u32,
}

impl<W: Write> Log<W> {
    /// Begins on New Year.
    pub(crate) fn new(out: W, others_per_90: u32) -> Log<W> {
        let waiting = BinaryHeap::new();
        let stamp = (0, stamp_of(0));
        Log { out, bytes: 0, now_ms: 0, order: 0, waiting, stamp, others_per_90, others_owed: 0 }
    }

    /// Bytes written so far.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Microseconds since 1970 of the time reached, for session ids: the year is 2026.
    pub(crate) const fn now_micros(&self) -> u64 {
        1_767_225_600_000_000 + self.now_ms * 1_000
    }

    /// A line of a login, `delay_ms` from now: program, pid and text.
    pub(crate) fn line(&mut self, delay_ms: u64, line: String) {
        self.order += 1;
        self.waiting.push(Reverse((self.now_ms + delay_ms, self.order, line)));
    }

    /// Lets time pass: writes what has come due, and what other daemons say meanwhile.
    pub(crate) fn pass(&mut self, gap_ms: u64, random: &mut Random) -> io::Result<()> {
        let now_ms = self.now_ms + gap_ms;
        while self.waiting.peek().is_some_and(|Reverse((time_ms, ..))| *time_ms <= now_ms) {
            let Some(Reverse((time_ms, _, line))) = self.waiting.pop() else { break };
            self.write(time_ms, &line)?;
            self.others_owed += self.others_per_90;
            while self.others_owed >= 90 {
                self.others_owed -= 90;
                self.write(time_ms, &other::line(random))?;
            }
        }
        self.now_ms = now_ms;
        Ok(())
    }

    /// Drops what still waits: a log ends somewhere.
    pub(crate) fn finish(self) -> W {
        self.out
    }

    fn write(&mut self, time_ms: u64, line: &str) -> io::Result<()> {
        let second = time_ms / 1_000;
        if self.stamp.0 != second {
            self.stamp = (second, stamp_of(second));
        }
        self.out.write_all(self.stamp.1.as_bytes())?;
        self.out.write_all(line.as_bytes())?;
        self.out.write_all(b"\n")?;
        self.bytes += (self.stamp.1.len() + line.len() + 1) as u64;
        Ok(())
    }
}

/// Stamp and host name, as rsyslog's traditional format has them; the year begins again after its last second.
fn stamp_of(second: u64) -> String {
    let mut day = second / 86_400 % 365;
    let mut name = MONTHS[0].0;
    for (month, days) in MONTHS {
        name = month;
        if day < days {
            break;
        }
        day -= days;
    }
    let (hour, minute) = (second / 3_600 % 24, second / 60 % 60);
    format!("{name} {:2} {hour:02}:{minute:02}:{:02} mx ", day + 1, second % 60)
}
