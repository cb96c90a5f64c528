use std::fs;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::faults::FaultyDisk;

/// What happens to a journal.
#[derive(Clone, Debug)]
enum Step {
    /// Records of these lengths are appended.
    Append(Vec<usize>),
    Seal,
    /// Records before this share (in 1/16) of what there is are no longer needed.
    Drop(u64),
    Reopen,
    /// So many bytes are free for the next batch only.
    FullFor(u64, Vec<usize>),
    /// The same, and the torn batch cannot be undone; then the process is killed.
    KillInWrite(u64, Vec<usize>),
    /// Numbers are left out, as after a loss of power.
    Skip(u64),
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    vec(0_usize..60, 1..6)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => lengths().prop_map(Step::Append),
        1 => Just(Step::Seal),
        1 => (0_u64..18).prop_map(Step::Drop),
        2 => Just(Step::Reopen),
        2 => (0_u64..200, lengths()).prop_map(|(room, lengths)| Step::FullFor(room, lengths)),
        2 => (0_u64..200, lengths()).prop_map(|(room, lengths)| Step::KillInWrite(room, lengths)),
        1 => (1_u64..100).prop_map(Step::Skip),
    ]
}

/// The journal, and what should be in it.
struct Pair {
    dir: tempfile::TempDir,
    disk: FaultyDisk,
    options: Options,
    journal: Option<Journal>,
    model: Vec<(u64, Vec<u8>)>,
    /// The number after the last record.
    after: u64,
    /// The number of the next one.
    next: u64,
}

impl Pair {
    fn new(segment_bytes: u64) -> Pair {
        let options = Options { segment_bytes, bytes_max: 1, durability: Durability::Never, seq_min: 1 };
        let dir = tempfile::tempdir().unwrap();
        let mut pair = Pair {
            dir,
            disk: FaultyDisk::new(),
            options,
            journal: None,
            model: Vec::new(),
            after: 1,
            next: 1,
        };
        pair.reopen(1);
        pair
    }

    fn reopen(&mut self, seq_min: u64) -> Opened {
        self.journal = None;
        let options = Options { seq_min, ..self.options };
        let (journal, opened) =
            Journal::open_on(Arc::new(self.disk.clone()), self.dir.path(), options).unwrap();
        self.journal = Some(journal);
        self.next = self.after.max(seq_min);
        assert_eq!(opened.next, self.next);
        opened
    }

    fn append(&mut self, lengths: &[usize]) -> Result<(), Error> {
        let journal = self.journal.as_mut().unwrap();
        let records: Vec<Vec<u8>> = lengths.iter().map(|length| vec![self.next as u8; *length]).collect();
        let numbers = journal.append(records.iter().map(Vec::as_slice))?;
        assert_eq!(numbers, self.next..self.next + lengths.len() as u64);
        (self.next, self.after) = (numbers.end, numbers.end);
        self.model.extend(numbers.zip(records));
        Ok(())
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Append(lengths) => self.append(lengths).unwrap(),
            Step::Seal => self.journal.as_mut().unwrap().seal().unwrap(),
            Step::Drop(share) => {
                let journal = self.journal.as_mut().unwrap();
                let before = journal.first_seq();
                let seq = before + (self.next - before) * share / 16;
                journal.drop_before(seq).unwrap();
                let first = journal.first_seq();
                assert!(first <= seq.max(before), "what is needed stays");
                assert!(journal.segments.get(1).is_none_or(|second| second.first > seq), "and nothing else");
                self.model.retain(|(seq, _)| *seq >= first);
            }
            Step::Reopen => assert!(self.reopen(1).torn.is_empty()),
            Step::FullFor(room, lengths) => {
                self.disk.set_room(*room);
                let appended = self.append(lengths);
                assert!(appended.is_ok() || appended.unwrap_err().is_full());
                self.disk.set_room(u64::MAX);
            }
            Step::KillInWrite(room, lengths) => {
                self.disk.set_room(*room);
                FaultyDisk::set(&self.disk.0.no_cut, true);
                FaultyDisk::set(&self.disk.0.no_remove, true);
                let killed = self.append(lengths).is_err();
                FaultyDisk::set(&self.disk.0.no_cut, false);
                FaultyDisk::set(&self.disk.0.no_remove, false);
                self.disk.set_room(u64::MAX);
                let torn = self.reopen(1).torn;
                assert!(torn.is_empty() || killed && torn.len() == 1);
            }
            Step::Skip(by) => {
                self.reopen(self.next + by);
            }
        }
    }

    fn check(&self) {
        let journal = self.journal.as_ref().unwrap();
        let read = journal.read_from(journal.first_seq()).unwrap();
        let read: Vec<(u64, Vec<u8>)> =
            read.map(|record| record.map(|record| (record.seq, record.bytes)).unwrap()).collect();
        assert_eq!(read, self.model);
        let on_disk: u64 = segments(&RealDisk, self.dir.path()).unwrap().iter().map(|one| one.bytes).sum();
        assert_eq!(journal.bytes(), on_disk);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_journal_holds_what_was_appended_whatever_happens(
        segment_bytes in 1_u64..1500,
        steps in vec(step(), 1..60),
    ) {
        let mut pair = Pair::new(segment_bytes);
        for step in &steps {
            pair.take(step);
            pair.check();
        }
    }

    /// Anything at all in the files: no panic, and what is read is in order.
    #[test]
    fn any_bytes_can_be_opened_and_read(
        at in 0_usize..2000,
        garbage in vec(any::<u8>(), 0..100),
        cut in 0_usize..2000,
        which in 0_usize..8,
    ) {
        let mut pair = Pair::new(300);
        for count in 1..12 {
            pair.append(&vec![17; count]).unwrap();
        }
        pair.journal = None;
        let all = segments(&RealDisk, pair.dir.path()).unwrap();
        let path = all[which % all.len()].path(pair.dir.path());
        let mut bytes = fs::read(&path).unwrap();
        let at = at % bytes.len();
        let end = (at + garbage.len()).min(bytes.len());
        bytes.splice(at..end, garbage);
        bytes.truncate(cut);
        fs::write(&path, bytes).unwrap();
        match Journal::open(pair.dir.path(), pair.options) {
            Ok((journal, opened)) => {
                let mut last = 0;
                for record in journal.read_from(1).unwrap().flatten() {
                    assert!(record.seq > last && record.seq < opened.next);
                    assert_eq!(pair.model[record.seq as usize - 1].1, record.bytes);
                    last = record.seq;
                }
            }
            Err(error) => assert!(matches!(error, Error::Version { .. }), "{error}"),
        }
    }
}
