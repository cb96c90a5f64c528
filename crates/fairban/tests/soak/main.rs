//! Hours of work for the service, in little: lines without end and rotation all the time, and then nothing at all.
//!
//! The long form, ten million lines in ten minutes, rotated every ten seconds:
//! `FAIRBAN_SOAK_SECONDS=600 cargo test --release -p fairban --test soak -- --nocapture --test-threads 1`

#![allow(clippy::print_stdout, reason = "prints what it measured, and says what the service said")]

#[path = "../kit/mod.rs"]
mod kit;

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use fairban_control::{InputState, StatusReport};

use self::kit::{Dice, Home, LIMIT, from_env, make_room, resident_bytes, wake_ups};

/// Ten million in ten minutes.
const LINES_PER_SECOND: u64 = 16_667;

/// Sources that come back: their tables are full early, and what grows afterwards is a leak.
const SOURCES: u64 = 3_000;

/// What an idle service may take.
const IDLE_BYTES_MAX: u64 = 20_000_000;

const INPUT: &str = "[[input]]\nfile = \"$DIR/log/mail.log\"\n";

#[test]
fn memory_stays_flat_and_no_line_is_lost() {
    let seconds = from_env("FAIRBAN_SOAK_SECONDS", 10);
    let home = Home::new();
    home.configure("", INPUT);
    let path = home.path("log/mail.log");
    File::create(&path).expect("a log");
    let mut service = home.start(&[]);
    service.wait_ready();
    let rotate_every = Duration::from_secs((seconds / 60).clamp(1, 10));
    let begun = Instant::now();
    let mut log = Log { file: open(&path), dice: Dice::new(7), lines: 0, text: String::new() };
    let (mut rotated, mut rotations, mut resident) = (begun, 0, Vec::new());
    let mut sampled = begun;
    while begun.elapsed() < Duration::from_secs(seconds) {
        let due = begun.elapsed().as_micros() as u64 * LINES_PER_SECOND / 1_000_000;
        log.write(due.saturating_sub(log.lines));
        if rotated.elapsed() >= rotate_every {
            make_room(&path, 4);
            fs::rename(&path, path.with_extension("log.1")).expect("a log");
            log.file = open(&path);
            (rotated, rotations) = (Instant::now(), rotations + 1);
        }
        if sampled.elapsed() >= Duration::from_millis(seconds.clamp(10, 100) * 20) {
            resident.push(resident_bytes(service.pid()));
            sampled = Instant::now();
        }
        // The pace is the point.
        thread::sleep(Duration::from_millis(2));
    }
    let written = Instant::now();
    let read = |status: &StatusReport| {
        status.inputs.iter().all(|one| one.lag_bytes == Some(0) && one.lines >= log.lines)
    };
    let status = service.wait_until(read);
    let input = &status.inputs[0];
    let megabytes: Vec<u64> = resident.iter().map(|bytes| bytes / 1_000_000).collect();
    println!(
        "{} lines in {:?}, {rotations} rotations, caught up {:?} later",
        log.lines,
        begun.elapsed(),
        written.elapsed()
    );
    println!(
        "{} read; {} journal entries; memory over time, MB: {megabytes:?}",
        input.lines, status.journal.sequence
    );
    assert_eq!(input.lines, log.lines, "each line once: {status:#?}");
    assert_eq!((input.state, input.lost_bytes), (InputState::Following, 0), "{status:#?}");
    let ours = ["input", "journal", "database"];
    assert!(!status.alarms.iter().any(|alarm| ours.contains(&alarm.name.as_str())), "{status:#?}");
    assert!(!home.said().contains("could not be read"), "{}", home.said());
    // The first part fills the tables. Snapshots in the making come and go: a second desk, and its bytes.
    let (early, late) = resident.split_at(resident.len() / 2);
    let (early, late) = (median(&early[early.len() / 2..]), median(late));
    assert!(late <= early + early / 4 + 4_000_000, "memory grows: {megabytes:?}");
    assert!(resident.iter().all(|bytes| *bytes < 4 * late), "memory leaps: {megabytes:?}");
    let took = service.stop();
    assert!(took < Duration::from_secs(1), "TERM ends within a second: {took:?}");
}

#[test]
fn without_input_nothing_wakes_and_little_is_taken() {
    let home = Home::new();
    home.configure("", INPUT);
    let path = home.path("log/mail.log");
    let mut log = Log { file: open(&path), dice: Dice::new(7), lines: 0, text: String::new() };
    log.file.write_all(b"Jan  1 00:00:00 mx kernel: nothing of note\n").expect("a log");
    log.lines = 1;
    let mut service = home.start(&[]);
    service.wait_until(|status| status.inputs.iter().all(|one| one.lines == 1));
    // What it has begun it ends: the journal is forced onto the disk within a second.
    let end = Instant::now() + LIMIT;
    let pause = Duration::from_secs(2);
    loop {
        let before = wake_ups(service.pid());
        // Nothing is waited for: that nothing happens is what is looked at.
        thread::sleep(pause);
        let woken = wake_ups(service.pid()) - before;
        if woken == 0 {
            break;
        }
        assert!(Instant::now() < end, "{woken} wake-ups within {pause:?}");
    }
    let resident = resident_bytes(service.pid());
    println!("idle: no wake-up within {pause:?}, {resident} bytes");
    assert!(resident < IDLE_BYTES_MAX, "{resident}");
}

/// A log that is written.
struct Log {
    file: File,
    dice: Dice,
    lines: u64,
    text: String,
}

impl Log {
    /// Writes so many lines in one piece: half of them of other daemons.
    fn write(&mut self, lines: u64) {
        self.text.clear();
        let stamp = jiff::Timestamp::now().strftime("%b %e %H:%M:%S").to_string();
        for _ in 0..lines {
            let source = self.dice.below(SOURCES);
            let address = format!("198.51.{}.{}", source / 200, source % 200 + 1);
            let kind = self.dice.below(20);
            let text = match kind {
                0..10 => {
                    format!("named[3]: client {address}#5353: query: host{source}.example IN A + (192.0.2.1)")
                }
                10..13 if source < 300 => {
                    let name = self.dice.below(50_000);
                    format!(
                        "vpopmail[7]: vchkpw-pop3: vpopmail user not found n{name}@soak.example:{address}"
                    )
                }
                10..13 => {
                    let account = source % 1_000;
                    format!(
                        "vpopmail[7]: vchkpw-imap: password fail (pass: 'old') u{account}@soak.example:{address}"
                    )
                }
                _ => {
                    let account = source % 1_000;
                    format!(
                        "vpopmail[7]: vchkpw-pop3: (PLAIN) login success u{account}@soak.example:{address}"
                    )
                }
            };
            // Writing to a String cannot fail.
            let _ = writeln!(self.text, "{stamp} mx {text}");
        }
        self.file.write_all(self.text.as_bytes()).expect("a log");
        self.lines += lines;
    }
}

fn open(path: &std::path::Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).expect("a log")
}

fn median(numbers: &[u64]) -> u64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}
