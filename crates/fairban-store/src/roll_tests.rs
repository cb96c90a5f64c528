use std::fs;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::faults::FaultyDisk;
use crate::journal::{Durability, Journal, Options};

/// An engine whose state tells every record it took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sum {
    last: u64,
    sum: u64,
}

impl Sum {
    fn start(bytes: Option<&[u8]>) -> Result<Sum, String> {
        let Some(bytes) = bytes else { return Ok(Sum::default()) };
        let (last, sum) = bytes.split_first_chunk::<8>().ok_or("short")?;
        let sum = sum.try_into().map_err(|_| "short")?;
        Ok(Sum { last: u64::from_le_bytes(*last), sum: u64::from_le_bytes(sum) })
    }
}

impl Folder for Sum {
    fn fold(&mut self, seq: u64, record: &[u8]) {
        assert!(seq > self.last, "{seq} after {}", self.last);
        self.last = seq;
        for byte in record {
            self.sum = self.sum.wrapping_mul(31).wrapping_add(u64::from(*byte));
        }
    }

    fn snapshot(&self) -> Vec<u8> {
        [self.last.to_le_bytes(), self.sum.to_le_bytes()].concat()
    }
}

const OPTIONS: Options =
    Options { segment_bytes: 200, bytes_max: 1 << 20, durability: Durability::Never, seq_min: 1 };

/// A daemon: an engine, fed through the journal.
struct Daemon {
    dir: tempfile::TempDir,
    disk: FaultyDisk,
    journal: Option<Journal>,
    engine: Sum,
}

impl Daemon {
    fn new() -> Daemon {
        let dir = tempfile::tempdir().unwrap();
        let mut daemon = Daemon { dir, disk: FaultyDisk::new(), journal: None, engine: Sum::default() };
        daemon.restart();
        daemon
    }

    fn roll(&self, upto: u64) -> Result<Rolled, Error> {
        let (journal, snapshots) = (self.dir.path().join("journal"), self.dir.path().join("snapshots"));
        let places = Places { journal: &journal, snapshots: &snapshots, keep: Keep::Needed };
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        roll_on(&disk, places, upto, Sum::start)
    }

    /// Killed, and started again: snapshot, then journal.
    fn restart(&mut self) {
        self.journal = None;
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let (journal, _) = Journal::open_on(disk, &self.dir.path().join("journal"), OPTIONS).unwrap();
        let snapshots = Snapshots::new(&self.dir.path().join("snapshots"));
        let found = snapshots.load_newest_as(|snapshot| Sum::start(Some(&snapshot.bytes))).unwrap().newest;
        let (since, mut engine) = found.unwrap_or_default();
        for record in journal.read_from(since + 1).unwrap() {
            let record = record.unwrap();
            engine.fold(record.seq, &record.bytes);
        }
        self.journal = Some(journal);
        self.engine = engine;
    }

    fn take(&mut self, records: &[Vec<u8>]) -> Result<(), journal::Error> {
        let journal = self.journal.as_mut().unwrap();
        let numbers = journal.append(records.iter().map(Vec::as_slice))?;
        for (seq, record) in numbers.zip(records) {
            self.engine.fold(seq, record);
        }
        Ok(())
    }
}

#[test]
fn a_snapshot_is_made_of_the_last_one_and_the_journal() {
    let mut daemon = Daemon::new();
    let records: Vec<Vec<u8>> = (0..40).map(|n| vec![n; 30]).collect();
    daemon.take(&records[..10]).unwrap();
    let rolled = daemon.roll(10).unwrap();
    assert_eq!((rolled.seq, rolled.records, rolled.needed_from), (10, 10, 11));
    for record in &records[10..] {
        daemon.take(std::slice::from_ref(record)).unwrap();
    }
    let rolled = daemon.roll(25).unwrap();
    // The older snapshot still needs the records after it.
    assert_eq!((rolled.records, rolled.needed_from), (15, 11));
    let rolled = daemon.roll(40).unwrap();
    assert_eq!((rolled.records, rolled.needed_from), (15, 26));
    let journal = daemon.journal.as_mut().unwrap();
    journal.drop_before(rolled.needed_from).unwrap();
    let first = journal.first_seq();
    assert!(first > 1 && first <= 26, "{first}");
    let engine = daemon.engine.clone();
    daemon.restart();
    assert_eq!(daemon.engine, engine);
}

#[test]
fn a_damaged_newest_snapshot_costs_nothing() {
    let mut daemon = Daemon::new();
    for n in 0..60_u8 {
        daemon.take(&[vec![n; 40]]).unwrap();
        if n % 20 == 10 {
            daemon.roll(u64::from(n)).unwrap();
        }
    }
    let engine = daemon.engine.clone();
    let snapshots = Snapshots::new(&daemon.dir.path().join("snapshots"));
    let newest = snapshots.seqs().unwrap()[0];
    fs::write(daemon.dir.path().join(format!("snapshots/{newest:020}.snapshot")), b"fairbanS?").unwrap();
    let rolled = daemon.roll(60).unwrap();
    assert_eq!((rolled.passed.len(), rolled.records), (1, 30));
    daemon.restart();
    assert_eq!(daemon.engine, engine);
}

#[test]
fn a_record_that_cannot_be_read_stops_it_and_nothing_is_removed() {
    let mut daemon = Daemon::new();
    for n in 0..40_u8 {
        daemon.take(&[vec![n; 40]]).unwrap();
    }
    let dir = daemon.dir.path().join("journal");
    let segments = journal::segments(&RealDisk, &dir).unwrap();
    let path = segments[3].path(&dir);
    let mut bytes = fs::read(&path).unwrap();
    bytes[60] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = daemon.roll(40).unwrap_err();
    assert!(matches!(error, Error::Journal(journal::Error::Damaged { .. })), "{error}");
    assert_eq!(journal::segments(&RealDisk, &dir).unwrap(), segments);
    // The way out: the running engine's own snapshot.
    let snapshots = Snapshots::new(&daemon.dir.path().join("snapshots"));
    snapshots.save(40, &daemon.engine.snapshot()).unwrap();
    assert_eq!(daemon.roll(40).unwrap().records, 0);
}

#[test]
fn it_runs_beside_a_journal_that_is_being_appended_to() {
    let mut daemon = Daemon::new();
    daemon.take(&vec![vec![7; 20]; 50]).unwrap();
    let (journal, snapshots) = (daemon.dir.path().join("journal"), daemon.dir.path().join("snapshots"));
    let reached = Arc::new(std::sync::atomic::AtomicU64::new(50));
    let upto = Arc::clone(&reached);
    let thread = std::thread::spawn(move || {
        let places = Places { journal: &journal, snapshots: &snapshots, keep: Keep::Needed };
        let mut rolled = 0;
        while rolled < 450 {
            let upto = upto.load(std::sync::atomic::Ordering::Acquire);
            rolled = roll(places, upto, Sum::start).unwrap().seq;
        }
    });
    for n in 0..200 {
        daemon.take(&[vec![n; 33], vec![n; 3]]).unwrap();
        let journal = daemon.journal.as_ref().unwrap();
        reached.store(journal.next_seq() - 1, std::sync::atomic::Ordering::Release);
    }
    thread.join().unwrap();
    let engine = daemon.engine.clone();
    daemon.restart();
    assert_eq!(daemon.engine, engine);
}

#[derive(Clone, Debug)]
enum Step {
    Take(Vec<Vec<u8>>),
    /// A snapshot of what there is, less so many records; the disk has room for so many bytes.
    Roll(u64, Option<u64>),
    Kill,
    /// A batch for which there is room for so many bytes; then the process is killed.
    KillInWrite(u64, Vec<Vec<u8>>),
    DamageNewestSnapshot,
}

fn records() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(vec(any::<u8>(), 0..40), 1..8)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => records().prop_map(Step::Take),
        3 => (0_u64..10, proptest::option::of(0_u64..60)).prop_map(|(behind, room)| Step::Roll(behind, room)),
        2 => Just(Step::Kill),
        2 => (0_u64..300, records()).prop_map(|(room, records)| Step::KillInWrite(room, records)),
        1 => Just(Step::DamageNewestSnapshot),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// However the daemon is killed, its engine is that of one which took the same records undisturbed.
    #[test]
    fn append_roll_and_crash_in_any_order(steps in vec(step(), 1..50)) {
        let mut daemon = Daemon::new();
        let mut undisturbed = Sum::default();
        let mut snapshots_whole = 0;
        for step in steps {
            match step {
                Step::Take(records) => {
                    daemon.take(&records).unwrap();
                    undisturbed = daemon.engine.clone();
                }
                Step::Roll(behind, room) => {
                    let upto = daemon.engine.last.saturating_sub(behind);
                    daemon.disk.set_room(room.unwrap_or(u64::MAX));
                    let rolled = daemon.roll(upto);
                    daemon.disk.set_room(u64::MAX);
                    if let Ok(rolled) = rolled {
                        snapshots_whole = 2;
                        daemon.journal.as_mut().unwrap().drop_before(rolled.needed_from).unwrap();
                    }
                }
                Step::Kill => daemon.restart(),
                Step::KillInWrite(room, records) => {
                    daemon.disk.set_room(room);
                    FaultyDisk::set(&daemon.disk.0.no_cut, true);
                    FaultyDisk::set(&daemon.disk.0.no_remove, true);
                    let _ = daemon.take(&records);
                    FaultyDisk::set(&daemon.disk.0.no_cut, false);
                    FaultyDisk::set(&daemon.disk.0.no_remove, false);
                    daemon.disk.set_room(u64::MAX);
                    undisturbed = daemon.engine.clone();
                    daemon.restart();
                }
                Step::DamageNewestSnapshot => {
                    let dir = daemon.dir.path().join("snapshots");
                    let seqs = Snapshots::new(&dir).seqs().unwrap();
                    // The promise is to survive one damaged snapshot, not both.
                    if let (2, [newest, _]) = (snapshots_whole, &seqs[..]) {
                        fs::write(dir.join(format!("{newest:020}.snapshot")), b"").unwrap();
                        snapshots_whole = 1;
                    }
                }
            }
            prop_assert_eq!(&daemon.engine, &undisturbed);
        }
        daemon.restart();
        prop_assert_eq!(&daemon.engine, &undisturbed);
    }
}

#[test]
fn where_everything_is_kept_the_past_can_be_looked_at() {
    let mut daemon = Daemon::new();
    for round in 0..6_u8 {
        daemon.take(&[vec![round; 30], vec![round; 30]]).unwrap();
        daemon.journal.as_mut().unwrap().seal().unwrap();
        let (journal, snapshots) = (daemon.dir.path().join("journal"), daemon.dir.path().join("snapshots"));
        let places = Places { journal: &journal, snapshots: &snapshots, keep: Keep::Everything };
        let rolled = roll(places, daemon.engine.last, Sum::start);
        assert_eq!(rolled.unwrap().needed_from, 1);
    }
    let snapshots = Snapshots::new(&daemon.dir.path().join("snapshots"));
    assert_eq!(snapshots.seqs().unwrap(), [12, 10, 8, 6, 4, 2]);
    assert_eq!(snapshots.load(4).unwrap().seq, 4);
    let found = journal::survey(&RealDisk, &daemon.dir.path().join("journal")).unwrap();
    assert_eq!((found.first, found.next, found.torn.len()), (1, 13, 0));
}
