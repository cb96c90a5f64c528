use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use fairban_core::account::{Account, AccountKey};
use fairban_core::engine::Order;
use fairban_core::event::{AuthEvent, Outcome, Service, Tells};
use fairban_core::time::{Span, Time};
use fairban_store::faults::FaultyDisk;
use proptest::collection::vec;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::daemon::desk::{Action, By};

fn blank() -> Blank {
    Blank { key: [3; 16], rule: "5/10m/10m".parse().expect("a rule") }
}

/// A service without its threads: a keeper and a desk, and a clock that stands until it is stepped.
struct Bench {
    dir: TempDir,
    disk: FaultyDisk,
    /// Held as long as the service runs.
    state: Option<StateDir>,
    keeper: Option<Keeper>,
    desk: Desk,
    now: Duration,
    options: Options,
    /// Of the last start.
    remarks: Vec<String>,
    /// What was told, by the number of its entry, all lives long.
    told: BTreeMap<u64, Vec<Effect>>,
}

impl Bench {
    fn new(roll_after_bytes: u64) -> Bench {
        let dir = tempfile::tempdir().expect("a folder");
        let options = Options { roll_after_bytes, ..Options::default() };
        let mut bench = Bench {
            dir,
            disk: FaultyDisk::new(),
            state: None,
            keeper: None,
            desk: blank().desk(),
            now: Duration::ZERO,
            options,
            remarks: Vec::new(),
            told: BTreeMap::new(),
        };
        bench.start();
        bench
    }

    fn start(&mut self) {
        let state = StateDir::open(self.dir.path()).expect("ours");
        let options =
            Options { seq_min: self.told.keys().next_back().map_or(1, |newest| newest + 1), ..self.options };
        let disk = Arc::new(self.disk.clone());
        let recovered = Keeper::open_on(disk, &state, blank(), options).expect("it starts");
        self.desk = recovered.desk;
        self.remarks = recovered.remarks;
        for (seq, effect) in recovered.effects {
            let known = self.told.entry(seq).or_default();
            if !known.contains(&effect) {
                known.push(effect);
            }
        }
        (self.state, self.keeper) = (Some(state), Some(recovered.keeper));
    }

    /// Dies. What it was just making is finished or not, as it happens.
    fn crash(&mut self) {
        if let Some(rolling) = self.keeper.take().and_then(|keeper| keeper.rolling) {
            let _ = rolling.join();
        }
        self.state = None;
    }

    fn restart(&mut self) {
        self.crash();
        self.start();
    }

    fn keeper(&mut self) -> &mut Keeper {
        self.keeper.as_mut().expect("it runs")
    }

    /// Takes entries as the office does. Returns the number of the first.
    fn enter(&mut self, entries: &[Entry]) -> u64 {
        let keeper = self.keeper.as_mut().expect("it runs");
        let first = keeper.keep(&self.desk, entries, self.now);
        for (seq, entry) in (first..).zip(entries) {
            let mut effects = Vec::new();
            self.desk.take(seq, entry, &mut effects);
            effects.retain(|effect| !matches!(effect, Effect::Seen(_)));
            if !effects.is_empty() {
                self.told.insert(seq, effects);
            }
        }
        self.tend();
        first
    }

    fn tend(&mut self) {
        let keeper = self.keeper.as_mut().expect("it runs");
        keeper.tend(&self.desk, self.now);
    }

    /// Lets a snapshot that is in the making be made.
    fn roll(&mut self) {
        self.tend();
        while self.keeper().rolling.as_ref().is_some_and(|rolling| !rolling.is_finished()) {
            std::thread::yield_now();
        }
        self.tend();
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.tend();
    }

    fn files(&self, folder: &str, ending: &str) -> Vec<PathBuf> {
        let listed = fs::read_dir(self.dir.path().join(folder)).expect("a folder");
        let mut files: Vec<PathBuf> = listed.map(|entry| entry.expect("a file").path()).collect();
        files.retain(|path| path.extension().is_some_and(|found| found == ending));
        files.sort();
        files
    }

    fn trouble(&mut self) -> Option<String> {
        self.keeper().trouble()
    }
}

/// An entry of a story that goes on: a robot, a person, an operator, the clock.
fn entry(kind: u8, n: u32) -> Entry {
    let time = Time::from_secs(1_000_000 + i64::from(n));
    let by = By { uid: 0, pid: 1 };
    let action = |action| Entry::Action { time, by: by.clone(), action, reason: format!("order {n}") };
    let prefix: ipnet::IpNet = IpAddr::from(Ipv4Addr::from(0xC612_0000 + n)).into();
    match kind {
        0..5 => line(time, u32::from(kind), Outcome::UnknownAccount, n),
        5..7 => line(time, 100 + n % 5, Outcome::Success, n % 5),
        7 => Entry::Read { input: 0, position: n.to_le_bytes().to_vec() },
        8 => Entry::Tick { time },
        9 => action(Action::Order(Order::Ban { prefix, until: Some(time.plus(Span::hours(24))) })),
        _ => action(Action::Allow { prefix, note: String::new() }),
    }
}

fn line(time: Time, source: u32, outcome: Outcome, account: u32) -> Entry {
    let event = AuthEvent {
        time,
        source: Some(IpAddr::from(Ipv4Addr::from(0xC633_6400 + source))),
        account: Account::Known(AccountKey::new(format!("n{account}@site.example").as_bytes())),
        outcome,
        ..AuthEvent::new(Service::Vpopmail, Tells::Attempt)
    };
    let text = format!("line {account} of {source}").into_bytes();
    let hash = u64::from(account) << 32 | u64::from(source);
    Entry::Line { input: 0, line: 1, event, text, hash }
}

/// So many entries of all kinds.
fn story(from: u32, count: u32) -> Vec<Entry> {
    (from..from + count).map(|n| entry((n % 11) as u8, n)).collect()
}

/// The desk that took these entries without a break, and what it told.
fn undisturbed(entries: &BTreeMap<u64, Entry>) -> (Desk, BTreeMap<u64, Vec<Effect>>) {
    let (mut desk, mut told) = (blank().desk(), BTreeMap::new());
    for (seq, entry) in entries {
        let mut effects = Vec::new();
        desk.take(*seq, entry, &mut effects);
        effects.retain(|effect| !matches!(effect, Effect::Seen(_)));
        if !effects.is_empty() {
            told.insert(*seq, effects);
        }
    }
    (desk, told)
}

#[derive(Clone, Debug)]
enum Step {
    Enter(Vec<u8>),
    Roll,
    Crash,
    /// In the middle of writing a batch: so many bytes of it reach the disk.
    CrashInWrite(u64, Vec<u8>),
    /// The power goes: so many bytes at the journal's end are not on the disk.
    LosePower(u64),
    /// The disk is full, and has room again when so many batches have been taken.
    Fill(Vec<Vec<u8>>),
    /// While it is full.
    CrashWhenFull(Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    let kinds = || vec(0_u8..11, 1..8);
    prop_oneof![
        12 => kinds().prop_map(Step::Enter),
        4 => Just(Step::Roll),
        3 => Just(Step::Crash),
        2 => (0_u64..600, kinds()).prop_map(|(room, kinds)| Step::CrashInWrite(room, kinds)),
        1 => (1_u64..400).prop_map(Step::LosePower),
        1 => vec(kinds(), 1..4).prop_map(Step::Fill),
        1 => kinds().prop_map(Step::CrashWhenFull),
    ]
}

/// The bench, and what it should be.
struct Model {
    bench: Bench,
    entries: BTreeMap<u64, Entry>,
    n: u32,
}

impl Model {
    fn enter(&mut self, kinds: &[u8]) {
        let entries: Vec<Entry> = kinds
            .iter()
            .map(|kind| {
                self.n += 1;
                entry(*kind, self.n)
            })
            .collect();
        let first = self.bench.enter(&entries);
        self.entries.extend((first..).zip(entries));
    }

    /// Started again; what was not kept never was.
    fn restart(&mut self) {
        self.bench.restart();
        let last = self.bench.desk.seq();
        self.entries.retain(|seq, _| *seq <= last);
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Enter(kinds) => self.enter(&kinds),
            Step::Roll => self.bench.roll(),
            Step::Crash => {
                let kept = self.entries.len();
                self.restart();
                assert_eq!(self.entries.len(), kept, "a kill loses nothing that was taken");
            }
            Step::CrashInWrite(room, kinds) => {
                let kept = self.entries.len();
                self.bench.roll();
                self.bench.disk.set_room(room);
                // The process does not live to take back what it wrote.
                FaultyDisk::set(&self.bench.disk.0.no_cut, true);
                self.enter(&kinds);
                self.bench.crash();
                FaultyDisk::set(&self.bench.disk.0.no_cut, false);
                self.bench.disk.set_room(u64::MAX);
                self.restart();
                let more = self.entries.len() - kept;
                assert!(more == 0 || more == kinds.len(), "a batch is there wholly or not at all");
            }
            Step::LosePower(bytes) => {
                self.bench.crash();
                if let Some(last) = self.bench.files("journal", "log").pop() {
                    let length = fs::metadata(&last).expect("a file").len();
                    let file = fs::File::options().write(true).open(last).expect("a file");
                    file.set_len(length.saturating_sub(bytes)).expect("a file");
                }
                self.restart();
            }
            Step::Fill(batches) => {
                self.bench.roll();
                self.bench.disk.set_room(0);
                for kinds in &batches {
                    self.enter(kinds);
                    assert!(self.bench.trouble().is_some_and(|why| why.contains("not kept")));
                }
                self.bench.disk.set_room(u64::MAX);
                self.bench.pass(RETRY_LAST);
                assert_eq!(self.bench.trouble(), None);
                let kept = self.entries.len();
                self.restart();
                assert_eq!(self.entries.len(), kept, "what was taken meanwhile was saved as a whole");
            }
            Step::CrashWhenFull(kinds) => {
                self.bench.roll();
                let kept = self.entries.len();
                self.bench.disk.set_room(0);
                self.enter(&kinds);
                self.bench.crash();
                self.bench.disk.set_room(u64::MAX);
                self.restart();
                assert_eq!(self.entries.len(), kept);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// However it is killed, the desk is that of a service that took the same entries undisturbed, and so is what it told.
    #[test]
    fn taken_rolled_and_killed_in_any_order(steps in vec(step(), 1..40)) {
        let mut model = Model { bench: Bench::new(2_000), entries: BTreeMap::new(), n: 0 };
        for step in steps {
            let shown = format!("{step:?}");
            model.step(step);
            let (desk, told) = undisturbed(&model.entries);
            prop_assert_eq!(model.bench.desk.difference(&desk), None, "{}", &shown);
            let last = model.bench.desk.seq();
            for (seq, effects) in told {
                prop_assert_eq!(model.bench.told.get(&seq), Some(&effects), "{}: what entry {} of {} told", &shown, seq, last);
            }
        }
    }
}

#[test]
fn a_full_disk_is_told_and_nothing_that_was_taken_is_lost_once_there_is_room() {
    let mut bench = Bench::new(u64::MAX);
    bench.enter(&story(0, 200));
    assert_eq!(bench.trouble(), None);
    bench.disk.set_room(10);
    bench.enter(&story(200, 200));
    let why = bench.trouble().expect("it is told");
    assert!(why.contains("not kept across a restart") && why.contains("free space"), "{why}");
    assert!(!bench.keeper().is_keeping());
    let whole = bench.desk.clone();
    // It asks again by itself, less and less often.
    bench.pass(RETRY_FIRST);
    assert!(bench.trouble().is_some());
    bench.disk.set_room(u64::MAX);
    bench.pass(RETRY_FIRST);
    assert!(bench.trouble().is_some(), "the second pause is longer");
    bench.pass(RETRY_FIRST);
    assert_eq!(bench.trouble(), None);
    bench.enter(&story(400, 50));
    let bans = bench.desk.bans().clone();
    assert!(whole.bans().len() > 30 && bans.len() > whole.bans().len());
    bench.restart();
    assert_eq!(bench.desk.bans(), &bans);
}

#[test]
fn a_disk_that_takes_no_snapshot_takes_entries_all_the_same() {
    let mut bench = Bench::new(20_000);
    // The file under which snapshots are written cannot be made.
    fs::create_dir_all(bench.dir.path().join("snapshots/new.tmp/in")).expect("a folder");
    for n in 0..20 {
        bench.enter(&story(n * 50, 50));
        bench.roll();
    }
    let why = bench.trouble().expect("it is told");
    assert!(why.contains("no snapshot") && bench.keeper().is_keeping(), "{why}");
    let before = bench.desk.clone();
    bench.restart();
    assert_eq!(bench.desk.difference(&before), None);
    fs::remove_dir_all(bench.dir.path().join("snapshots/new.tmp")).expect("a folder");
    bench.roll();
    assert_eq!((bench.trouble(), bench.files("snapshots", "snapshot").len()), (None, 1));
}

#[test]
fn on_a_read_only_disk_it_starts_and_goes_on() {
    let mut bench = Bench::new(20_000);
    for n in 0..20 {
        bench.enter(&story(n * 50, 50));
        bench.roll();
    }
    let before = bench.desk.clone();
    FaultyDisk::set(&bench.disk.0.read_only, true);
    bench.restart();
    assert_eq!(bench.desk.difference(&before), None);
    bench.enter(&story(1_000, 50));
    let why = bench.trouble().expect("it is told");
    assert!(why.contains("mount that file system writable"), "{why}");
    assert!(bench.desk.bans().len() > before.bans().len());
    FaultyDisk::set(&bench.disk.0.read_only, false);
    bench.pass(RETRY_LAST);
    assert_eq!(bench.trouble(), None);
}

#[test]
fn a_corrupt_newest_snapshot_costs_nothing_and_is_told() {
    let mut bench = Bench::new(10_000);
    for n in 0..20 {
        bench.enter(&story(n * 50, 50));
        bench.roll();
    }
    let before = bench.desk.clone();
    let snapshots = bench.files("snapshots", "snapshot");
    assert_eq!(snapshots.len(), 2);
    bench.crash();
    let mut bytes = fs::read(&snapshots[1]).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&snapshots[1], bytes).expect("a file");
    bench.start();
    assert!(bench.remarks.iter().any(|remark| remark.contains("damaged")), "{:?}", bench.remarks);
    assert_eq!(bench.desk.difference(&before), None);
}

#[test]
fn a_corrupt_segment_loses_what_it_held_and_nothing_else_and_only_once() {
    let mut bench = Bench::new(u64::MAX);
    for n in 0..40 {
        bench.enter(&story(n * 25, 25));
        if n % 10 == 0 {
            bench.keeper().journal.seal().expect("a disk");
        }
    }
    let bans = bench.desk.bans().len();
    let segments = bench.files("journal", "log");
    assert!(segments.len() > 3);
    bench.crash();
    let mut bytes = fs::read(&segments[2]).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segments[2], bytes).expect("a file");
    bench.start();
    assert!(
        bench.remarks.iter().any(|remark| remark.contains("records") && remark.contains("lost")),
        "{:?}",
        bench.remarks
    );
    let left = bench.desk.bans().len();
    assert!(left < bans && left > bans * 9 / 10, "{left} of {bans}");
    // The next snapshot cannot be made of that journal, and so is made of the desk.
    bench.keeper().options.roll_after_bytes = 1;
    bench.enter(&story(2_000, 5));
    bench.roll();
    bench.pass(RETRY_FIRST);
    assert_eq!(bench.trouble(), None);
    let before = bench.desk.clone();
    bench.restart();
    assert!(bench.remarks.is_empty(), "{:?}", bench.remarks);
    assert_eq!(bench.desk.difference(&before), None);
}

#[test]
fn segments_that_snapshots_replace_are_forgotten() {
    let mut bench = Bench::new(20_000);
    let mut most = 0;
    for n in 0..100 {
        bench.enter(&story(n * 50, 50));
        bench.roll();
        most = most.max(bench.keeper().bytes());
    }
    assert!(most < 100_000, "{most}");
    assert!(bench.files("journal", "log").len() <= 4);
}
