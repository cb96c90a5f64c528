//! Those that write logs, and rotate them.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::Stage;
use crate::kit::{Dice, make_room};

/// Files that were rotated away and stay.
const KEPT: u32 = 9;

/// Lines that are there before the service first starts.
const OLD_LINES: i64 = 15_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rotation {
    /// The file gets another name; the writer goes on in it for a while.
    Rename,
    /// The file is copied, and emptied.
    CopyTruncate,
}

pub(crate) struct Writer<'a> {
    stage: &'a Stage,
    rotation: Rotation,
    path: PathBuf,
    file: File,
    name: char,
    /// Lines written so far: the number of the next.
    next: u64,
    dice: Dice,
}

impl Writer<'_> {
    pub(crate) fn new<'a>(stage: &'a Stage, file: &str, rotation: Rotation, seed: u64) -> Writer<'a> {
        let path = stage.home.path("log").join(file).with_extension("log");
        let name = if rotation == Rotation::Rename { 'k' } else { 'c' };
        let file = open(&path);
        let mut writer = Writer { stage, rotation, path, file, name, next: 0, dice: Dice::new(seed) };
        writer.write_old();
        writer
    }

    /// What was written before the service first started: hours of it, rotated a few times.
    fn write_old(&mut self) {
        let begin = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(3);
        for n in 0..OLD_LINES {
            let stamp = stamp_of(begin + jiff::SignedDuration::from_millis(n * 10_000_000 / OLD_LINES));
            let name = self.take_name();
            let line = format!("{stamp} mx {}\n", text(&name, &mut self.dice));
            self.file.write_all(line.as_bytes()).expect("a log");
            if n % (OLD_LINES / 3) == OLD_LINES / 6 {
                self.rotate();
            }
        }
    }

    fn take_name(&mut self) -> String {
        self.next += 1;
        format!("{}{}", self.name, self.next - 1)
    }

    /// Writes until all is over; returns how many lines.
    pub(crate) fn run(mut self) -> u64 {
        while !self.stage.is_over() {
            let burst = if self.dice.one_in(100) { 3_000 } else { 30 };
            for _ in 0..=self.dice.below(burst) {
                self.write_line();
            }
            if self.dice.one_in(25) {
                self.rotate();
            }
            // So that a test of minutes does not write gigabytes.
            thread::sleep(Duration::from_micros(self.dice.below(6_000)));
        }
        self.next
    }

    fn write_line(&mut self) {
        let name = self.take_name();
        let line = format!("{} mx {}\n", stamp(), text(&name, &mut self.dice));
        let (head, tail) = line.as_bytes().split_at(self.dice.below(line.len() as u64) as usize);
        if self.dice.one_in(50) {
            // The rest of it comes later.
            self.file.write_all(head).expect("a log");
            thread::sleep(Duration::from_micros(self.dice.below(20_000)));
            self.file.write_all(tail).expect("a log");
        } else {
            self.file.write_all(line.as_bytes()).expect("a log");
        }
    }

    fn rotate(&mut self) {
        make_room(&self.path, KEPT);
        let old = self.path.with_extension("log.1");
        match self.rotation {
            Rotation::Rename => {
                fs::rename(&self.path, &old).expect("a log");
                for _ in 0..self.dice.below(5) {
                    self.write_line();
                }
                self.file = open(&self.path);
            }
            Rotation::CopyTruncate => {
                fs::copy(&self.path, &old).expect("a log");
                self.file.set_len(0).expect("a log");
            }
        }
    }
}

fn open(path: &std::path::Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).expect("a log")
}

/// The stamp of this second, as syslog writes it.
pub(crate) fn stamp() -> String {
    stamp_of(jiff::Timestamp::now())
}

fn stamp_of(time: jiff::Timestamp) -> String {
    time.strftime("%b %e %H:%M:%S").to_string()
}

/// What a login server says: robots, people, and people who mistype.
pub(crate) fn text(name: &str, dice: &mut Dice) -> String {
    let account = format!("{name}@kill.example");
    match dice.below(10) {
        0..5 => {
            let robot = dice.below(400);
            format!(
                "vpopmail[7]: vchkpw-pop3: vpopmail user not found {account}:198.51.{}.{}",
                robot / 200,
                robot % 200 + 1
            )
        }
        5..7 => {
            let source = dice.below(4_000);
            format!(
                "vpopmail[7]: vchkpw-imap: password fail (pass: 'x{name}') {account}:203.0.{}.{}",
                source / 200,
                source % 200 + 1
            )
        }
        _ => {
            let source = dice.below(4_000);
            format!(
                "vpopmail[7]: vchkpw-pop3: (PLAIN) login success {account}:192.0.{}.{}",
                source / 200,
                source % 200 + 1
            )
        }
    }
}
