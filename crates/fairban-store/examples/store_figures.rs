//! Measures the store: 100,000 bans in force, a long history under its bound, and the journal.
//!
//! `cargo run --release -p fairban-store --example store_figures [verdicts]`; the history is 200,000 verdicts long if
//! nothing is said.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that fails has nothing to print"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::{Duration, Instant};

use fairban_core::account::{Account, AccountKey};
use fairban_core::effect::{Ban, Effect, RobotKind, Signal, SignalSum};
use fairban_core::engine::{AccountTold, Explanation};
use fairban_core::event::Outcome;
use fairban_core::nats::Nats;
use fairban_core::time::{Span, Time};
use fairban_store::database::{Database, Entry, Mode, Options, Reader, Verdict};
use fairban_store::journal::{self, Durability, Journal};

const IN_FORCE: u32 = 100_000;
const START: Time = Time::from_secs(1_768_989_085);

fn main() {
    let verdicts = std::env::args().nth(1).map_or(200_000, |number| number.parse().unwrap());
    // Not in memory: the disk is part of the figures.
    let dir = tempfile::tempdir_in(".").unwrap();
    bans_in_force(dir.path());
    history(dir.path(), verdicts);
    input_journal(dir.path());
}

fn entry(id: u32, time: Time, length: Option<Span>) -> Entry {
    let source = IpAddr::V4(Ipv4Addr::from(0x0b00_0000 + id));
    let signals = [(Signal::UnknownAccount, 3), (Signal::DictionaryName, 2), (Signal::Speed, 4)];
    let signals = signals.map(|(signal, count)| SignalSum { signal, count, nats: Nats::milli(6_900) });
    let ban = Ban {
        id: u64::from(id),
        prefix: source.into(),
        time,
        until: length.map(|length| time.plus(length)),
        evidence: Nats::milli(15_200),
        limit: Nats::milli(13_800),
        reason: RobotKind::UsernameScan,
        signals: signals.to_vec(),
        attempts: 5,
        accounts: 4,
        weak: false,
    };
    let told = |n: u32| AccountTold {
        account: Account::Known(AccountKey::new(format!("user{n}@example.org").as_bytes())),
        source,
        last: Outcome::UnknownAccount,
        failures: 1,
        successes: 0,
        time,
    };
    let line = format!(
        "Jan 21 09:51:25 mx sshd[{id}]: Failed password for invalid user admin from {source} port 40022 ssh2"
    );
    let explanation = Explanation {
        prefix: None,
        evidence: ban.evidence,
        limit: ban.limit,
        signals: Vec::new(),
        attempts: 5,
        accounts: (0..4).map(|n| told(id % 5000 + n)).collect(),
        samples: vec![line.clone().into_bytes(), line.into_bytes()],
        ban: None,
        remarks: vec!["a success of any of these accounts would have taken 4.6 nats back".to_owned()],
    };
    let verdict = Verdict {
        seq: u64::from(id),
        effect: Effect::Ban(ban),
        mode: Mode::Live,
        explanation: Some(explanation),
    };
    Entry::Verdict(Box::new(verdict))
}

fn bytes(path: &Path) -> u64 {
    ["", "-wal"]
        .iter()
        .filter_map(|ending| std::fs::metadata(format!("{}{ending}", path.display())).ok())
        .map(|file| file.len())
        .sum()
}

fn bans_in_force(dir: &Path) {
    let path = dir.join("in_force.db");
    let (mut database, _) = Database::open(&path, Options::default(), START).unwrap();
    let begun = Instant::now();
    let mut id = 0;
    while id < IN_FORCE {
        let batch: Vec<Entry> = (id + 1..=id + 512).map(|id| entry(id, START, None)).collect();
        id += 512;
        database.record(&batch).unwrap();
        database.prune(START).unwrap();
    }
    database.settle().unwrap();
    println!("{id} bans in force recorded in {:.2?}: {:.1} MB", begun.elapsed(), bytes(&path) as f64 / 1e6);
    drop(database);
    let begun = Instant::now();
    let (database, _) = Database::open(&path, Options::default(), START).unwrap();
    println!("opened and checked in {:.0?}", begun.elapsed());
    drop(database);
    let begun = Instant::now();
    let bans = Reader::open(&path).unwrap().bans_at(START.plus(Span::secs(1))).unwrap();
    println!("{} bans in force loaded in {:.0?}", bans.len(), begun.elapsed());
    assert!(bans.len() as u32 >= IN_FORCE);
    let begun = Instant::now();
    let reader = Reader::open(&path).unwrap();
    let events = reader.history_of_prefix("11.0.77.0/24".parse().unwrap(), 20).unwrap();
    println!("history of a /24, {} events: {:.1?}", events.len(), begun.elapsed());
    let begun = Instant::now();
    let events = reader.history_of_account(&AccountKey::new(b"user77@example.org"), 20).unwrap();
    println!("history of an account, {} events: {:.1?}", events.len(), begun.elapsed());
}

fn history(dir: &Path, verdicts: u32) {
    let path = dir.join("history.db");
    let options = Options::default();
    let (mut database, _) = Database::open(&path, options, START).unwrap();
    let begun = Instant::now();
    let (mut largest, mut longest, mut id) = (0, Duration::ZERO, 0);
    while id < verdicts {
        let time = START.plus(Span::secs(i64::from(id)));
        let batch: Vec<Entry> = (id + 1..=id + 512).map(|id| entry(id, time, Some(Span::hours(1)))).collect();
        id += 512;
        let step = Instant::now();
        database.record(&batch).unwrap();
        database.prune(time).unwrap();
        longest = longest.max(step.elapsed());
        largest = largest.max(bytes(&path));
    }
    let per_second = f64::from(id) / begun.elapsed().as_secs_f64();
    println!("{id} verdicts with evidence: {per_second:.0} a second, longest batch {longest:.0?}");
    println!(
        "largest size {:.1} MB of {:.1} MB allowed",
        largest as f64 / 1e6,
        options.bytes_max as f64 / 1e6
    );
}

fn input_journal(dir: &Path) {
    for durability in [Durability::Never, Durability::Within(Duration::from_secs(1)), Durability::EachBatch] {
        let options = journal::Options { durability, ..journal::Options::default() };
        let path = dir.join(format!("{durability:?}").split('(').next().unwrap());
        let (mut journal, _) = Journal::open(&path, options).unwrap();
        let record = [7; 90];
        let rounds = if durability == Durability::EachBatch { 200 } else { 20_000 };
        let begun = Instant::now();
        let mut times: Vec<Duration> = (0..rounds)
            .map(|_| {
                let step = Instant::now();
                journal.append((0..4).map(|_| &record[..])).unwrap();
                journal.sync_if_due(begun.elapsed()).unwrap();
                step.elapsed()
            })
            .collect();
        times.sort_unstable();
        let [median, late] = [times.len() / 2, times.len() * 99 / 100].map(|place| times[place]);
        println!(
            "journal, {durability:?}: a batch of 4 takes {median:.1?}, at the 99th percentile {late:.1?}"
        );
    }
}
