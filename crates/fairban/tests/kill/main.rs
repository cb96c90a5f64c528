//! The service is killed again and again, at random points, while everything that can happen to it happens: nothing may
//! be lost, nothing may count twice, and what it decides must be what an undisturbed one decides.
//!
//! `FAIRBAN_KILLS=500 cargo test -p fairban --test kill` is the long form; `FAIRBAN_SEED` repeats one.

#![allow(clippy::print_stdout, reason = "prints what it measured, and says what the service said")]

#[path = "../kit/mod.rs"]
mod kit;
mod operator;
mod senders;
mod writers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use self::kit::{Dice, Home, Service, from_env};
use self::operator::{Done, Operator};
use self::senders::{Sender, Sent};
use self::writers::{Rotation, Writer};

/// What the threads share.
pub(crate) struct Stage {
    pub(crate) home: Home,
    pub(crate) over: AtomicBool,
    /// How often the service was killed, told when it is dead.
    pub(crate) life: AtomicU64,
    /// The process, while it may be sent a signal.
    pub(crate) ready: Mutex<Option<u32>>,
}

impl Stage {
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}

const INPUTS: &str = "[[input]]\nfile = \"$DIR/log/renamed.log\"\n[[input]]\nfile = \"$DIR/log/copied.log\"\n\
                      [[input]]\nsyslog = \"unix:$DIR/log/socket\"\n";

/// Configurations that differ in what a reload changes.
pub(crate) fn configure(home: &Home, turn: u64) {
    let allow = format!("allow = [\"100.64.{}.0/24\"]", turn % 200);
    let bans = format!("[bans]\nfirst = \"{}m\"\n{INPUTS}", 60 + turn % 30);
    home.configure(&allow, &bans);
}

/// Snapshots are made so often that some are in the making when the service is killed.
const RUN: [&str; 3] = ["--keep-journal", "--roll-after-bytes", "60000"];

#[test]
fn killed_at_any_point_it_loses_nothing_and_counts_nothing_twice() {
    let kills = from_env("FAIRBAN_KILLS", 20);
    let seed = from_env("FAIRBAN_SEED", u64::from(std::process::id()));
    println!("{kills} kills, FAIRBAN_SEED={seed}");
    let stage = Stage {
        home: Home::new(),
        over: AtomicBool::new(false),
        life: AtomicU64::new(0),
        ready: Mutex::new(None),
    };
    configure(&stage.home, 0);
    let (written, sent, done) = thread::scope(|scope| {
        let renamed = Writer::new(&stage, "renamed", Rotation::Rename, seed + 1);
        let copied = Writer::new(&stage, "copied", Rotation::CopyTruncate, seed + 2);
        let sender = Sender::new(&stage, seed + 3);
        let operator = Operator::new(&stage, seed + 4);
        let renamed = scope.spawn(move || renamed.run());
        let copied = scope.spawn(move || copied.run());
        let sender = scope.spawn(move || sender.run());
        let operator = scope.spawn(move || operator.run());
        let killed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| kill(&stage, kills, seed)));
        stage.over.store(true, Ordering::Release);
        let written = [("k", renamed.join().expect("it writes")), ("c", copied.join().expect("it writes"))];
        let (sent, done) = (sender.join().expect("it sends"), operator.join().expect("it acts"));
        assert!(killed.is_ok(), "the service said: {}", stage.home.said());
        (written, sent, done)
    });
    let told = finish(&stage);
    let audit = Audit::read(&stage.home);
    println!("{}", audit.summary);
    for (name, lines) in &written {
        audit.expect_each_once(name, *lines);
    }
    audit.expect_sent(&sent);
    audit.expect_done(&done);
    assert_eq!(audit.summary["bans"], told, "bans in force");
    assert!(audit.summary["snapshots"].as_u64() >= Some(kills / 4), "snapshots were compared");
    let mistakes = stage.home.said().lines().filter(|line| line.contains("mistake")).count();
    assert_eq!(mistakes, 0, "{}", stage.home.said());
}

/// Kills the service so often, at any point of its life.
fn kill(stage: &Stage, kills: u64, seed: u64) {
    let mut dice = Dice::new(seed);
    for _ in 0..kills {
        let mut service = stage.home.start(&RUN);
        // While it starts, while it reads what it has missed, or later.
        let long = if dice.one_in(3) {
            Duration::from_micros(dice.below(40_000))
        } else {
            service.wait_ready();
            *stage.ready.lock().expect("no panic") = Some(service.pid());
            // Seldom long enough for what is decided by the clock.
            let most = if dice.one_in(25) { 4_000_000 } else { 300_000 };
            Duration::from_micros(dice.below(most))
        };
        // The point in time is what is random: nothing is waited for.
        thread::sleep(long);
        *stage.ready.lock().expect("no panic") = None;
        service.kill();
        stage.life.fetch_add(1, Ordering::AcqRel);
    }
}

/// Lets the service read all that is left, ends it, and returns how many bans it told of.
fn finish(stage: &Stage) -> Value {
    let mut service: Service = stage.home.start(&RUN);
    let begun = Instant::now();
    let read = |status: &fairban_control::StatusReport| {
        let files = status.inputs.iter().filter(|input| input.kind == fairban_control::InputKind::File);
        let behind = files.clone().filter(|input| {
            input.lag_bytes != Some(0) || input.state != fairban_control::InputState::Following
        });
        files.count() == 2 && behind.count() == 0
    };
    service.wait_until(read);
    // What was read a moment ago goes its way: the end waits for it.
    let status = service.wait_until(read);
    println!("all read {:?} after the last start", begun.elapsed());
    let took = service.stop();
    println!("ended within {took:?}");
    assert!(took < Duration::from_secs(1), "TERM ends within a second: {took:?}");
    Value::from(status.bans.in_force)
}

/// What the audit of the state says.
struct Audit {
    /// By their names, each with input and number in the journal, as often as they stand there.
    lines: BTreeMap<String, Vec<u64>>,
    /// By their number in the journal: the order, and whom it is about.
    orders: BTreeMap<u64, (String, String)>,
    summary: Value,
}

impl Audit {
    fn read(home: &Home) -> Audit {
        let output = home.audit(&["--events"]);
        let text = String::from_utf8(output.stdout).expect("escaped");
        let mut audit = Audit { lines: BTreeMap::new(), orders: BTreeMap::new(), summary: Value::Null };
        for line in text.lines() {
            let object: Value = serde_json::from_str(line).expect("JSON");
            let seq = object["seq"].as_u64().unwrap_or(0);
            let field = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
            match object["action"].as_str() {
                Some("line") => audit.lines.entry(name_in(&field("text"))).or_default().push(seq),
                Some("order") => drop(audit.orders.insert(seq, (field("order"), field("whom")))),
                Some("configured") => {
                    audit.orders.insert(seq, ("reload".to_owned(), String::new()));
                }
                Some("trouble") => panic!("{line}\n{}", home.said()),
                Some("summary") => audit.summary = object,
                _ => {}
            }
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.is_empty(), "{}: {said}", output.status);
        audit
    }

    /// The lines of one log: each once, in the order in which they were written.
    fn expect_each_once(&self, name: &str, count: u64) {
        let mut last = 0;
        for n in 0..count {
            let seqs = self.lines.get(&format!("{name}{n}")).map_or(&[][..], Vec::as_slice);
            assert!(
                seqs.len() == 1 && seqs[0] > last,
                "line {n} of {count} of {name}: {seqs:?} after {last}"
            );
            last = seqs[0];
        }
        let all = self.lines.keys().filter(|key| key.starts_with(name)).count() as u64;
        assert_eq!(all, count, "{name}");
        println!("{name}: {count} lines, each once");
    }

    /// What was sent to the socket: at most once each, in order; of each life of the service all but the last few, which the
    /// kernel had taken and the service had not written down when it was killed.
    fn expect_sent(&self, sent: &[Sent]) {
        let lives: BTreeSet<u64> = sent.iter().map(|one| one.life).collect();
        let (mut lost, mut most) = (0, 0);
        for life in &lives {
            let of_life: Vec<&Sent> = sent.iter().filter(|one| one.life == *life).collect();
            let is_there = |one: &&Sent| {
                let times = self.lines.get(&one.name).map_or(0, Vec::len);
                assert!(times <= 1, "{} counts {times} times", one.name);
                times == 1
            };
            let end = of_life.iter().rposition(is_there).map_or(0, |last| last + 1);
            for one in &of_life[..end] {
                // Sent while the service died: to which of both nobody knows.
                assert!(is_there(one) || one.in_doubt, "{} was lost in the middle of life {life}", one.name);
            }
            let after = of_life.len() - end;
            (lost, most) = (lost + after, most.max(after));
        }
        let newest = lives.last().copied().unwrap_or(0);
        let of_last: Vec<&Sent> = sent.iter().filter(|one| one.life == newest && !one.in_doubt).collect();
        println!("{} sent, {lost} of them lost in {} kills, at most {most} at once", sent.len(), lives.len());
        assert!(of_last.len() < sent.len() || lives.len() == 1);
    }

    /// Orders: each that was answered stands at the number that the answer told, and no order stands twice.
    fn expect_done(&self, done: &[Done]) {
        let (mut answered, mut unanswered) = (0, 0);
        for one in done {
            let key = (one.order.to_owned(), one.whom.clone());
            match one.seq {
                Some(seq) => {
                    assert_eq!(self.orders.get(&seq), Some(&key), "entry {seq} was answered");
                    answered += 1;
                }
                None => unanswered += 1,
            }
            if one.is_unique {
                let times = self.orders.values().filter(|order| **order == key).count();
                assert!(times <= 1 && (times == 1 || one.seq.is_none()), "{key:?} stands {times} times");
            }
        }
        let numbers: BTreeSet<u64> = done.iter().filter_map(|one| one.seq).collect();
        assert_eq!(numbers.len(), answered, "no number is answered twice");
        println!("{answered} orders answered, {unanswered} not");
        assert!(answered > 0);
    }
}

/// The name that makes a line unlike all others.
fn name_in(text: &str) -> String {
    let end = text.find("@kill.example").unwrap_or_else(|| panic!("no line of ours: {text}"));
    let start = text[..end].rfind(' ').map_or(0, |at| at + 1);
    text[start..end].to_owned()
}
