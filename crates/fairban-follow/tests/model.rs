//! Thousands of random things done to a log, against a model that knows which line must come, and which may be lost.
//!
//! `FAIRBAN_FOLLOW_STEPS` sets how many, `FAIRBAN_FOLLOW_SEED` runs one seed with all its steps told.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::needless_for_each,
    clippy::incompatible_msrv,
    reason = "a test fails where its files do, and prints its seed"
)]

mod kit;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fairban_follow::{Happening, What};
use kit::{Bench, become_ordinary, pack, shown};

/// Steps in CI: some seconds.
const STEPS: u64 = 24_000;

/// Steps of one seed: enough for a few restarts and a dozen rotations.
const SEED_STEPS: u64 = 160;

/// Rotated files that are kept.
const KEPT: usize = 5;

/// A line longer than this is too long.
const LINE_BYTES_MAX: usize = 60;

/// The length of too long line number n is this plus n.
const LONG_BYTES: u64 = 1_000;

/// A small generator (splitmix64): the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// What was written between one beginning of the log and the next.
#[derive(Clone, Debug, Default)]
struct Generation {
    lines: Vec<u64>,
    /// The number and the rest of a line that has no end yet.
    unfinished: Option<(u64, String)>,
    /// A follower was at rest while it was there.
    seen: bool,
    is_link: bool,
}

struct Model {
    bench: Bench,
    dice: Dice,
    steps: String,
    /// The log, if it is there.
    live: Option<Generation>,
    /// `log.1` and so on.
    rotated: Vec<Generation>,
    /// Without a name, but in a follower's hands.
    held: Vec<Generation>,
    next_line: u64,
    late: BTreeSet<u64>,
    late_is_read: bool,
    delivered: Vec<u64>,
    delivered_stored: usize,
    may_be_lost: BTreeSet<u64>,
    /// Lines of which the follower must know that something was lost.
    owed: Vec<u64>,
    closed: bool,
    links: u64,
    now: SystemTime,
}

impl Model {
    fn new(seed: u64) -> Model {
        let mut bench = Bench::new();
        bench.line_bytes_max = LINE_BYTES_MAX;
        bench.chunk_bytes_max = 150;
        let mut model = Model {
            bench,
            dice: Dice(seed),
            steps: String::new(),
            live: None,
            rotated: Vec::new(),
            held: Vec::new(),
            next_line: 1,
            late: BTreeSet::new(),
            late_is_read: false,
            delivered: Vec::new(),
            delivered_stored: 0,
            may_be_lost: BTreeSet::new(),
            owed: Vec::new(),
            closed: false,
            links: 0,
            now: UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        };
        fs::create_dir(model.bench.path("elsewhere")).unwrap();
        model.bench.follow_file("log");
        model.bench.store();
        model
    }

    fn note(&mut self, what: &str) {
        writeln!(self.steps, "{what}").unwrap();
    }

    fn log(&self) -> PathBuf {
        self.bench.path("log")
    }

    fn alive(&self) -> bool {
        self.bench.follower.is_some()
    }

    fn step(&mut self) {
        self.now += Duration::from_secs(1);
        match self.dice.roll(100) {
            0..=29 => self.append(),
            30..=36 => self.append_half(),
            37..=39 => self.append_long(),
            40..=44 => self.append_late(),
            45..=54 => self.rotate(),
            55..=59 => self.pack(),
            60..=64 => self.copytruncate(),
            65..=67 => self.truncate(),
            68..=70 => self.remove(),
            71..=73 => self.replace_by_link(),
            74..=76 => self.close(),
            77..=79 => self.let_time_pass(),
            80..=86 => self.take_some(),
            87..=93 => self.settle(),
            _ => self.kill(),
        }
    }

    fn write(&mut self, path: &PathBuf, text: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.set_modified(self.now).unwrap();
    }

    fn new_line(&mut self) -> (u64, String) {
        let number = self.next_line;
        self.next_line += 1;
        let filler = "x".repeat(self.dice.roll(50) as usize);
        (number, format!("{number} {filler}\n"))
    }

    /// The rest of the line begun before, if any.
    fn finish(generation: &mut Generation) -> String {
        let Some((number, rest)) = generation.unfinished.take() else { return String::new() };
        generation.lines.push(number);
        rest
    }

    fn append(&mut self) {
        let mut generation = self.live.take().unwrap_or_default();
        let mut text = Model::finish(&mut generation);
        for _ in 0..=self.dice.roll(5) {
            let (number, line) = self.new_line();
            generation.lines.push(number);
            text += &line;
        }
        self.note(&format!("append up to {}", self.next_line - 1));
        self.write(&self.log(), &text);
        self.live = Some(generation);
    }

    fn append_half(&mut self) {
        let mut generation = self.live.take().unwrap_or_default();
        let mut text = Model::finish(&mut generation);
        let (number, line) = self.new_line();
        let (first, rest) = line.split_at(1 + self.dice.roll(line.len() as u64 - 1) as usize);
        text += first;
        generation.unfinished = Some((number, rest.to_owned()));
        self.note(&format!("append half of {number}"));
        self.write(&self.log(), &text);
        self.live = Some(generation);
    }

    fn append_long(&mut self) {
        let mut generation = self.live.take().unwrap_or_default();
        let mut text = Model::finish(&mut generation);
        let number = self.next_line;
        self.next_line += 1;
        generation.lines.push(number);
        let first = format!("{number} ");
        let rest = (LONG_BYTES + number) as usize - first.len() - 1;
        writeln!(text, "{first}{}", "y".repeat(rest)).unwrap();
        self.note(&format!("append long {number}"));
        self.write(&self.log(), &text);
        self.live = Some(generation);
    }

    /// A writer that has not noticed that its file was renamed.
    fn append_late(&mut self) {
        let path = self.bench.path("log.1");
        let plain = path.is_file() && self.late_is_read;
        if !plain || self.rotated.first().is_none_or(|generation| generation.lines.is_empty()) {
            return;
        }
        let mut text = Model::finish(&mut self.rotated[0]);
        // What was begun before the rotation is finished after it.
        self.late.extend(self.rotated[0].lines.last());
        let (number, line) = self.new_line();
        self.rotated[0].lines.push(number);
        self.late.insert(number);
        text += &line;
        self.note(&format!("append late {number}"));
        self.write(&path, &text);
    }

    /// Its content is no more. What a follower holds, it must still tell; anything else may be lost.
    fn destroy(&mut self, generation: Generation) {
        if self.alive() && generation.seen {
            self.note("  (held)");
            self.held.push(generation);
        } else {
            self.may_be_lost.extend(&generation.lines);
        }
    }

    fn shift(&mut self) {
        self.open();
        for end in ["", ".gz"] {
            let last = self.bench.path(&format!("log.{KEPT}{end}"));
            if last.symlink_metadata().is_ok() {
                fs::remove_file(last).unwrap();
            }
        }
        if self.rotated.len() == KEPT {
            let oldest = self.rotated.pop().unwrap();
            self.destroy(oldest);
        }
        for index in (1..KEPT).rev() {
            for end in ["", ".gz"] {
                let from = self.bench.path(&format!("log.{index}{end}"));
                if from.symlink_metadata().is_ok() {
                    fs::rename(from, self.bench.path(&format!("log.{}{end}", index + 1))).unwrap();
                }
            }
        }
    }

    fn rotate(&mut self) {
        if self.live.is_none() {
            return;
        }
        self.note("rotate");
        self.shift();
        fs::rename(self.log(), self.bench.path("log.1")).unwrap();
        self.rotated.insert(0, self.live.take().unwrap());
        self.late_is_read = true;
        if self.dice.roll(3) > 0 {
            self.create();
        }
    }

    fn create(&mut self) {
        self.note("create");
        self.write(&self.log(), "");
        self.live = Some(Generation::default());
    }

    fn pack(&mut self) {
        if self.rotated.is_empty() {
            return;
        }
        let index = self.dice.roll(self.rotated.len() as u64) as usize;
        let path = self.bench.path(&format!("log.{}", index + 1));
        if path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
            self.note(&format!("pack {}", index + 1));
            pack(&path);
            // Whoever wrote there late has lost his file.
            self.late_is_read &= index > 0;
        }
    }

    fn copytruncate(&mut self) {
        let Some(generation) = self.live.clone() else { return };
        self.note("copytruncate: copy");
        self.shift();
        let copy = self.bench.path("log.1");
        fs::copy(self.log(), &copy).unwrap();
        File::options().write(true).open(&copy).unwrap().set_modified(self.now).unwrap();
        match self.dice.roll(4) {
            // Written, and perhaps read, between the copy and the truncation.
            0 => self.append(),
            1 => self.take_some(),
            _ => {}
        }
        self.note("copytruncate: truncate");
        let between = self.live.take().unwrap().lines.split_off(generation.lines.len());
        self.may_be_lost.extend(between);
        self.rotated
            .insert(0, Generation { unfinished: None, is_link: false, seen: false, ..generation.clone() });
        self.empty(generation.is_link);
        self.late_is_read = false;
    }

    fn empty(&mut self, is_link: bool) {
        let file = File::options().write(true).truncate(true).open(self.log()).unwrap();
        file.set_modified(self.now).unwrap();
        self.live = Some(Generation { is_link, ..Generation::default() });
    }

    fn truncate(&mut self) {
        let Some(generation) = self.live.take() else { return };
        self.note("truncate");
        self.open();
        self.empty(generation.is_link);
        self.lose(&generation);
        self.may_be_lost.extend(&generation.lines);
    }

    /// If something of it was read, that the rest is lost can be known.
    fn lose(&mut self, generation: &Generation) {
        if self.delivered[..self.delivered_stored].iter().any(|line| generation.lines.contains(line)) {
            self.owed.extend(&generation.lines);
        }
    }

    fn remove(&mut self) {
        let Some(generation) = self.live.take() else { return };
        self.note("remove");
        self.open();
        fs::remove_file(self.log()).unwrap();
        if !self.alive() {
            self.lose(&generation);
        }
        self.destroy(generation);
        if self.dice.roll(3) > 0 {
            self.create();
        }
    }

    fn replace_by_link(&mut self) {
        self.open();
        self.links += 1;
        self.note(&format!("link to {}", self.links));
        let target = self.bench.path(&format!("elsewhere/{}", self.links));
        self.write(&target, "");
        let link = self.bench.path("link");
        symlink(&target, &link).unwrap();
        fs::rename(link, self.log()).unwrap();
        if let Some(generation) = self.live.take() {
            self.destroy(generation);
        }
        self.live = Some(Generation { is_link: true, ..Generation::default() });
    }

    fn close(&mut self) {
        if self.live.is_some() && !self.closed {
            self.note("chmod 200");
            fs::set_permissions(self.log(), Permissions::from_mode(0o200)).unwrap();
            self.closed = true;
        }
    }

    fn open(&mut self) {
        if std::mem::take(&mut self.closed) {
            self.note("chmod 600");
            fs::set_permissions(self.log(), Permissions::from_mode(0o600)).unwrap();
        }
    }

    fn let_time_pass(&mut self) {
        self.note("time passes");
        self.late_is_read = false;
        self.bench.clock.step(Duration::from_mins(11));
    }

    fn hear(&mut self, happening: &Happening) {
        let mut hear_line = |number: u64| {
            assert!(!self.delivered.contains(&number), "line {number} came twice");
            let before = self.delivered.iter().filter(|line| !self.late.contains(line)).max();
            let in_order = self.late.contains(&number) || before.is_none_or(|&before| before < number);
            assert!(in_order, "line {number} came after {before:?}");
            self.delivered.push(number);
        };
        match &happening.what {
            What::Lines(_) => {
                for line in shown(happening) {
                    hear_line(line.split(' ').next().unwrap().parse().unwrap());
                }
            }
            What::TooLong { bytes, .. } => hear_line(bytes - LONG_BYTES),
            What::Lost { bytes, .. } => {
                assert_ne!(*bytes, Some(0), "nothing is no loss");
                self.owed.clear();
            }
            What::Truncated { copy: None } => self.owed.clear(),
            _ => {}
        }
        let text = shown(happening).join(", ");
        self.note(&format!("    {}", &text[..text.len().min(100)]));
    }

    fn store(&mut self) {
        self.bench.store();
        self.delivered_stored = self.delivered.len();
    }

    /// A caller with little time, who may or may not store where he was.
    fn take_some(&mut self) {
        if !self.alive() {
            return;
        }
        let most = self.dice.roll(6);
        self.note(&format!("take {most}"));
        for _ in 0..most {
            let follower = self.bench.follower.as_mut().unwrap();
            follower.wait(Some(Duration::ZERO)).unwrap();
            let Some(happening) = follower.try_next() else { break };
            self.hear(&happening);
        }
        if self.dice.roll(2) == 0 {
            self.store();
        }
    }

    fn settle(&mut self) {
        self.note("settle");
        if !self.alive() {
            self.bench.follow_file("log");
        }
        for happening in self.bench.take() {
            self.hear(&happening);
        }
        self.store();
        if self.closed {
            // What is behind a closed file may wait for it.
            return;
        }
        if let Some(lost) = self.owed.iter().find(|line| !self.delivered.contains(line)) {
            panic!("line {lost} was lost, and nothing was said");
        }
        self.owed.clear();
        self.live.iter_mut().chain(&mut self.rotated).for_each(|generation| generation.seen = true);
        for generation in std::mem::take(&mut self.held).iter().chain(&self.rotated).chain(&self.live) {
            self.expect_all(generation);
        }
    }

    fn expect_all(&self, generation: &Generation) {
        for line in &generation.lines {
            let is_there = self.delivered.contains(line) || self.may_be_lost.contains(line);
            assert!(is_there, "line {line} did not come");
        }
    }

    fn kill(&mut self) {
        if !self.alive() {
            return;
        }
        self.note("kill");
        self.bench.kill();
        self.live.iter_mut().chain(&mut self.rotated).for_each(|generation| generation.seen = false);
        self.delivered.truncate(self.delivered_stored);
        for generation in std::mem::take(&mut self.held) {
            self.may_be_lost.extend(&generation.lines);
        }
    }

    fn finish_all(&mut self) {
        self.open();
        self.append();
        self.settle();
    }
}

fn run(seed: u64, loud: bool) {
    let mut model = Model::new(seed);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        for _ in 0..SEED_STEPS {
            model.step();
        }
        model.finish_all();
    }));
    if loud || outcome.is_err() {
        println!("{}", model.steps);
    }
    assert!(outcome.is_ok(), "seed {seed} failed; FAIRBAN_FOLLOW_SEED={seed} repeats it");
}

#[test]
fn each_line_comes_once_and_in_order_whatever_is_done_to_the_log() {
    become_ordinary();
    if let Ok(seed) = std::env::var("FAIRBAN_FOLLOW_SEED") {
        return run(seed.parse().expect("a number"), true);
    }
    let steps = std::env::var("FAIRBAN_FOLLOW_STEPS").map_or(STEPS, |steps| steps.parse().expect("a number"));
    for seed in 0..steps.div_ceil(SEED_STEPS) {
        run(seed, false);
    }
}
