use std::fs;
use std::sync::atomic::Ordering;

use super::*;
use crate::faults::FaultyDisk;

fn small() -> Options {
    Options { segment_bytes: 300, bytes_max: 1000, durability: Durability::Never, seq_min: 1 }
}

/// Record `seq` of the tests: lengths differ, one is empty.
fn record(seq: u64) -> Vec<u8> {
    let length = (seq * 7 % 23) as usize;
    (0..length).map(|place| (seq as u8).wrapping_mul(31).wrapping_add(place as u8)).collect()
}

fn append(journal: &mut Journal, count: u64) -> Result<Range<u64>, Error> {
    let first = journal.next_seq();
    let records: Vec<Vec<u8>> = (first..first + count).map(record).collect();
    journal.append(records.iter().map(Vec::as_slice))
}

/// Batches of 1, 2, 3, … records; the number after the last record of each.
fn fill(journal: &mut Journal, batches: u64) -> Vec<u64> {
    (1..=batches).map(|count| append(journal, count).unwrap().end).collect()
}

/// Every record that can be read from `from` on is the right one, and they rise.
fn seqs(journal: &Journal, from: u64) -> (Vec<u64>, Vec<Error>) {
    let (mut seqs, mut errors) = (Vec::new(), Vec::new());
    for item in journal.read_from(from).unwrap() {
        match item {
            Ok(read) => {
                assert_eq!(read.bytes, record(read.seq));
                assert!(seqs.last().is_none_or(|last| *last < read.seq));
                seqs.push(read.seq);
            }
            Err(error) => errors.push(error),
        }
    }
    (seqs, errors)
}

fn whole(journal: &Journal, from: u64) -> Vec<u64> {
    let (seqs, errors) = seqs(journal, from);
    assert!(errors.is_empty(), "{errors:?}");
    seqs
}

fn range(from: u64, to: u64) -> Vec<u64> {
    (from..=to).collect()
}

#[test]
fn what_was_appended_is_read_again_from_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, opened) = Journal::open(dir.path(), small()).unwrap();
    assert_eq!(opened, Opened { first: 1, next: 1, bytes: 0, torn: Vec::new() });
    assert_eq!(whole(&journal, 1), range(1, 0));
    fill(&mut journal, 12);
    let last = 12 * 13 / 2;
    for from in 0..=last + 2 {
        assert_eq!(whole(&journal, from), range(from.max(1), last));
    }
    assert!(segments(&RealDisk, dir.path()).unwrap().len() > 3);
    drop(journal);
    let (journal, opened) = Journal::open(dir.path(), small()).unwrap();
    assert_eq!((opened.first, opened.next, opened.torn.len()), (1, last + 1, 0));
    assert_eq!(opened.bytes, journal.bytes());
    assert_eq!(whole(&journal, 1), range(1, last));
}

#[test]
fn a_batch_is_one_write_and_none_is_no_write() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new();
    let (mut journal, _) = Journal::open_on(Arc::new(disk.clone()), dir.path(), small()).unwrap();
    for batch in 1..=20 {
        append(&mut journal, 5).unwrap();
        append(&mut journal, 0).unwrap();
        assert_eq!(disk.0.writes.load(Ordering::Relaxed), batch);
    }
    assert_eq!(disk.0.syncs.load(Ordering::Relaxed), 0);
}

#[test]
fn a_second_opener_is_told_who_holds_it() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), small()).unwrap();
    let error = Journal::open(dir.path(), small()).unwrap_err();
    assert!(matches!(error, Error::Dir(_)));
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    drop(journal);
    Journal::open(dir.path(), small()).unwrap();
}

/// The kill in mid-write: every length that the last segment can have had.
#[test]
fn a_torn_tail_is_cut_at_every_length() {
    let original = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(original.path(), Options { segment_bytes: 200, ..small() }).unwrap();
    let mut ends = fill(&mut journal, 4);
    ends.insert(0, 1);
    let (last, before) = journal.segments.split_last().unwrap();
    let bytes = fs::read(last.path(original.path())).unwrap();
    let mut nexts = Vec::new();
    for length in 0..=bytes.len() {
        let dir = tempfile::tempdir().unwrap();
        for segment in before {
            fs::copy(segment.path(original.path()), segment.path(dir.path())).unwrap();
        }
        fs::write(last.path(dir.path()), &bytes[..length]).unwrap();
        let (mut journal, opened) = Journal::open(dir.path(), small()).unwrap();
        // Only whole batches, and nothing is lost that was there.
        assert!(ends.contains(&opened.next), "{length}: {opened:?}");
        assert_eq!(whole(&journal, 1), range(1, opened.next - 1));
        if let [torn] = &opened.torn[..] {
            assert_eq!((torn.offset + torn.bytes, torn.records), (length as u64, 0), "{length}");
        }
        nexts.push(opened.next);
        // And it goes on.
        assert_eq!(append(&mut journal, 3).unwrap().start, opened.next);
        assert_eq!(whole(&journal, 1), range(1, opened.next + 2));
        drop(journal);
        let (_, again) = Journal::open(dir.path(), small()).unwrap();
        assert_eq!((again.next, again.torn.len()), (opened.next + 3, 0), "{length}");
    }
    assert!(nexts.is_sorted());
    nexts.dedup();
    assert_eq!(nexts, ends[ends.len() - nexts.len()..]);
    assert_eq!(nexts[0], last.first);
    assert!(nexts.len() > 1 && !before.is_empty());
}

#[test]
fn a_garbage_tail_is_cut_and_said() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(dir.path(), small()).unwrap();
    fill(&mut journal, 3);
    let path = journal.segments.last().unwrap().path(dir.path());
    drop(journal);
    let good = fs::read(&path).unwrap();
    for garbage in
        [vec![0; 1], vec![0; 4096], vec![0xff; 77], b"batch\n\x17\x97".to_vec(), good[..60].to_vec()]
    {
        fs::write(&path, [good.clone(), garbage.clone()].concat()).unwrap();
        let (journal, opened) = Journal::open(dir.path(), small()).unwrap();
        let torn =
            Torn { path: path.clone(), offset: good.len() as u64, bytes: garbage.len() as u64, records: 0 };
        assert_eq!((opened.next, opened.torn), (7, vec![torn]));
        assert_eq!(whole(&journal, 1), range(1, 6));
        assert_eq!(fs::read(&path).unwrap(), good);
    }
}

#[test]
fn whole_records_behind_the_cut_are_counted_and_kept_aside() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(dir.path(), Options { segment_bytes: 10_000, ..small() }).unwrap();
    append(&mut journal, 2).unwrap();
    let hole = journal.bytes();
    append(&mut journal, 3).unwrap();
    append(&mut journal, 4).unwrap();
    drop(journal);
    let path = dir.path().join("00000000000000000001.log");
    let mut bytes = fs::read(&path).unwrap();
    bytes[hole as usize + 40] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let (mut journal, opened) = Journal::open(dir.path(), small()).unwrap();
    let torn = Torn { path: path.clone(), offset: hole, bytes: bytes.len() as u64 - hole, records: 4 };
    assert_eq!((opened.next, opened.torn), (3, vec![torn]));
    assert_eq!(fs::read(path.with_extension("cut")).unwrap(), bytes[hole as usize..]);
    // It goes with its segment.
    append(&mut journal, 30).unwrap();
    journal.seal().unwrap();
    append(&mut journal, 1).unwrap();
    assert!(journal.drop_before(journal.next_seq()).unwrap() > 0);
    assert!(!path.with_extension("cut").exists());
}

/// A bit flipped at every byte of a sealed segment: what is lost is named, all else is read, and it is the right one.
#[test]
fn damage_in_the_middle_is_named_and_gone_round() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(dir.path(), small()).unwrap();
    fill(&mut journal, 8);
    let segments = journal.segments.clone();
    let (second, third) = (segments[1], segments[2]);
    let path = second.path(dir.path());
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 0x40;
        fs::write(&path, &bytes).unwrap();
        let (seqs, errors) = seqs(&journal, 1);
        let lost: Vec<u64> = range(1, 36).into_iter().filter(|seq| !seqs.contains(seq)).collect();
        assert!(lost.iter().all(|seq| (second.first..third.first).contains(seq)), "{at}: {lost:?}");
        // The segment's head holds no records, but in another version's segment nothing can be read.
        let other_version = (8..12).contains(&at);
        assert_eq!(lost.is_empty(), at < frame::HEAD_BYTES && !other_version, "{at}");
        let told: Vec<u64> = errors
            .iter()
            .flat_map(|error| match error {
                Error::Damaged { path: named, from, to, .. } => {
                    assert_eq!(named, &path);
                    range(*from, *to)
                }
                Error::Version { .. } => Vec::new(),
                other => panic!("{at}: {other}"),
            })
            .collect();
        assert!(lost.iter().all(|seq| told.contains(seq)), "{at}: {lost:?} {errors:?}");
    }
    let mut bytes = good.clone();
    bytes.truncate(good.len() - 3);
    fs::write(&path, &bytes).unwrap();
    let (_, errors) = seqs(&journal, 1);
    let text = errors[0].to_string();
    assert!(text.contains("damaged at byte") && text.contains(path.to_str().unwrap()), "{text}");
}

#[test]
fn a_segment_that_was_removed_is_missed() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(dir.path(), small()).unwrap();
    fill(&mut journal, 10);
    let (second, third) = (journal.segments[1], journal.segments[2]);
    fs::remove_file(second.path(dir.path())).unwrap();
    let (read, errors) = seqs(&journal, 1);
    assert_eq!(read, [range(1, second.first - 1), range(third.first, 55)].concat());
    let [Error::Missing { from, to, .. }] = errors[..] else { panic!("{errors:?}") };
    assert_eq!((from, to), (second.first, third.first - 1));
}

#[test]
fn a_newer_format_is_refused_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(dir.path(), small()).unwrap();
    append(&mut journal, 2).unwrap();
    let path = journal.segments[0].path(dir.path());
    drop(journal);
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 9;
    fs::write(&path, &bytes).unwrap();
    let error = Journal::open(dir.path(), small()).unwrap_err();
    assert!(matches!(error, Error::Version { found: 9, .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_full_disk_leaves_the_journal_as_it_was() {
    for room in 0..400 {
        let dir = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::new();
        let (mut journal, _) = Journal::open_on(Arc::new(disk.clone()), dir.path(), small()).unwrap();
        append(&mut journal, 3).unwrap();
        disk.set_room(room);
        let mut next = 4;
        let error = loop {
            match append(&mut journal, 4) {
                Ok(numbers) => next = numbers.end,
                Err(error) => break error,
            }
        };
        assert!(error.is_full() && error.to_string().contains("free space"), "{error}");
        assert_eq!(journal.next_seq(), next);
        assert_eq!(whole(&journal, 1), range(1, next - 1));
        // A daemon that is killed now finds the same.
        let copy = tempfile::tempdir().unwrap();
        for segment in segments(&RealDisk, dir.path()).unwrap() {
            fs::copy(segment.path(dir.path()), segment.path(copy.path())).unwrap();
        }
        let (copied, opened) = Journal::open(copy.path(), small()).unwrap();
        assert_eq!((opened.next, opened.torn.len()), (next, 0));
        assert_eq!(whole(&copied, 1), range(1, next - 1));
        disk.set_room(u64::MAX);
        append(&mut journal, 4).unwrap();
        assert_eq!(whole(&journal, 1), range(1, next + 3));
    }
}

#[test]
fn what_cannot_be_undone_at_once_is_undone_before_the_next_batch() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new();
    let (mut journal, _) = Journal::open_on(Arc::new(disk.clone()), dir.path(), small()).unwrap();
    append(&mut journal, 2).unwrap();
    disk.set_room(20);
    FaultyDisk::set(&disk.0.no_cut, true);
    assert!(append(&mut journal, 2).unwrap_err().is_full());
    disk.set_room(u64::MAX);
    assert!(append(&mut journal, 2).is_err(), "the torn batch is still there");
    assert_eq!(whole(&journal, 1), range(1, 2));
    FaultyDisk::set(&disk.0.no_cut, false);
    append(&mut journal, 2).unwrap();
    assert_eq!(whole(&journal, 1), range(1, 4));
    // The same where the batch began a segment.
    journal.seal().unwrap();
    disk.set_room(50);
    FaultyDisk::set(&disk.0.no_remove, true);
    assert!(append(&mut journal, 2).is_err());
    disk.set_room(u64::MAX);
    assert!(append(&mut journal, 2).is_err());
    FaultyDisk::set(&disk.0.no_remove, false);
    append(&mut journal, 2).unwrap();
    assert_eq!(whole(&journal, 1), range(1, 6));
    drop(journal);
    assert!(Journal::open(dir.path(), small()).unwrap().1.torn.is_empty());
}

#[test]
fn a_read_only_disk_is_read_and_refuses_batches_until_it_is_writable() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(dir.path(), small()).unwrap();
    fill(&mut journal, 4);
    let path = journal.segments.last().unwrap().path(dir.path());
    drop(journal);
    let torn = [fs::read(&path).unwrap(), vec![7; 50]].concat();
    fs::write(&path, &torn).unwrap();
    let disk = FaultyDisk::new();
    FaultyDisk::set(&disk.0.read_only, true);
    let (mut journal, opened) = Journal::open_on(Arc::new(disk.clone()), dir.path(), small()).unwrap();
    assert_eq!((opened.next, opened.torn[0].bytes), (11, 50));
    assert_eq!(whole(&journal, 1), range(1, 10));
    let error = append(&mut journal, 1).unwrap_err();
    assert!(error.to_string().contains("mount that file system writable"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), torn);
    FaultyDisk::set(&disk.0.read_only, false);
    append(&mut journal, 1).unwrap();
    assert_eq!(whole(&journal, 1), range(1, 11));
}

#[test]
fn records_are_forced_to_disk_when_the_policy_says() {
    let check = |durability, expected: &[u64]| {
        let dir = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::new();
        let options = Options { durability, segment_bytes: 1 << 20, ..small() };
        let (mut journal, _) = Journal::open_on(Arc::new(disk.clone()), dir.path(), options).unwrap();
        let mut counts = Vec::new();
        for millis in [0, 400, 999, 1000, 1001, 1500, 2001] {
            append(&mut journal, 1).unwrap();
            let due = journal.sync_if_due(Duration::from_millis(millis)).unwrap();
            assert!(due.is_none_or(|due| due > Duration::from_millis(millis)));
            counts.push(disk.0.syncs.load(Ordering::Relaxed));
        }
        assert_eq!(counts, expected, "{durability:?}");
    };
    check(Durability::Never, &[0, 0, 0, 0, 0, 0, 0]);
    // The first one also forces the segment's name.
    check(Durability::Within(Duration::from_secs(1)), &[0, 0, 0, 2, 2, 2, 3]);
    check(Durability::EachBatch, &[2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_disk_that_cannot_force_is_said_and_a_batch_that_must_be_forced_is_undone() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new();
    let options = Options { durability: Durability::EachBatch, ..small() };
    let (mut journal, _) = Journal::open_on(Arc::new(disk.clone()), dir.path(), options).unwrap();
    append(&mut journal, 2).unwrap();
    FaultyDisk::set(&disk.0.no_sync, true);
    assert!(append(&mut journal, 2).is_err());
    assert_eq!((whole(&journal, 1), journal.next_seq()), (range(1, 2), 3));
    FaultyDisk::set(&disk.0.no_sync, false);
    append(&mut journal, 2).unwrap();
    drop(journal);
    let options = Options { durability: Durability::Within(Duration::ZERO), ..small() };
    let (mut journal, _) = Journal::open_on(Arc::new(disk.clone()), dir.path(), options).unwrap();
    append(&mut journal, 2).unwrap();
    FaultyDisk::set(&disk.0.no_sync, true);
    assert!(journal.sync_if_due(Duration::ZERO).is_err());
    FaultyDisk::set(&disk.0.no_sync, false);
    assert_eq!(journal.sync_if_due(Duration::ZERO).unwrap(), None);
    assert_eq!(whole(&journal, 1), range(1, 6));
}

#[test]
fn what_is_forced_by_another_thread_is_forced_once_and_again_after_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new();
    let options = Options { durability: Durability::Within(Duration::from_secs(1)), ..small() };
    let (mut journal, _) = Journal::open_on(Arc::new(disk.clone()), dir.path(), options).unwrap();
    let at = Duration::from_millis;
    assert!(matches!(journal.due_sync(at(0)), Due::Nothing));
    append(&mut journal, 1).unwrap();
    assert!(matches!(journal.due_sync(at(0)), Due::At(due) if due == at(1000)));
    append(&mut journal, 1).unwrap();
    let Due::Now(sync) = journal.due_sync(at(1000)) else { panic!("it is due") };
    assert!(matches!(journal.due_sync(at(1000)), Due::Nothing), "it is on its way");
    FaultyDisk::set(&disk.0.no_sync, true);
    sync.run().unwrap_err();
    journal.sync_again();
    assert!(matches!(journal.due_sync(at(1500)), Due::At(_)));
    FaultyDisk::set(&disk.0.no_sync, false);
    let Due::Now(sync) = journal.due_sync(at(2500)) else { panic!("it is due again") };
    let before = disk.0.syncs.load(Ordering::Relaxed);
    sync.run().unwrap();
    assert_eq!(disk.0.syncs.load(Ordering::Relaxed), before + 2, "the file and its name");
    // A segment that was dropped meanwhile is in a snapshot.
    append(&mut journal, 1).unwrap();
    assert!(matches!(journal.due_sync(at(3000)), Due::At(_)));
    let Due::Now(sync) = journal.due_sync(at(4000)) else { panic!("it is due") };
    drop(journal);
    fs::remove_dir_all(dir.path()).unwrap();
    sync.run().unwrap();
}

#[test]
fn segments_are_dropped_when_all_their_records_are_old() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(dir.path(), small()).unwrap();
    fill(&mut journal, 12);
    assert!(journal.is_over_bound());
    let bytes = journal.bytes();
    let (second, third) = (journal.segments[1].first, journal.segments[2].first);
    assert_eq!(journal.drop_before(second - 1).unwrap(), 0);
    let freed = journal.drop_before(third - 1).unwrap();
    assert_eq!((journal.first_seq(), journal.bytes()), (second, bytes - freed));
    assert_eq!(whole(&journal, second), range(second, 78));
    let (read, errors) = seqs(&journal, 1);
    assert_eq!((read, errors.len()), (range(second, 78), 1));
    // The background snapshotter removes files itself.
    fs::remove_file(journal.segments[0].path(dir.path())).unwrap();
    journal.drop_before(u64::MAX).unwrap();
    assert_eq!(journal.segments.len(), 1);
    assert!(!journal.is_over_bound());
    append(&mut journal, 1).unwrap();
    assert_eq!(whole(&journal, journal.first_seq()).last(), Some(&79));
}

#[test]
fn numbers_lost_with_the_power_are_not_given_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(dir.path(), small()).unwrap();
    append(&mut journal, 3).unwrap();
    drop(journal);
    let (mut journal, opened) = Journal::open(dir.path(), Options { seq_min: 50, ..small() }).unwrap();
    assert_eq!(opened.next, 50);
    assert_eq!(whole(&journal, 1), range(1, 3));
    assert_eq!(append(&mut journal, 2).unwrap(), 50..52);
    assert_eq!(whole(&journal, 1), [1, 2, 3, 50, 51]);
    assert_eq!(whole(&journal, 4), [50, 51]);
    drop(journal);
    let (journal, opened) = Journal::open(dir.path(), small()).unwrap();
    assert_eq!((opened.first, opened.next), (1, 52));
    assert_eq!(whole(&journal, 1), [1, 2, 3, 50, 51]);
}

#[test]
fn a_batch_that_is_too_large_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(dir.path(), small()).unwrap();
    let large = vec![1; BATCH_BYTES_MAX - 4];
    let error = journal.append([&large[..], b""].into_iter()).unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }));
    assert_eq!(journal.append([&large[..]].into_iter()).unwrap(), 1..2);
    assert_eq!(journal.append([&b"x"[..]].into_iter()).unwrap(), 2..3);
    let lengths: Vec<usize> = journal.read_from(1).unwrap().map(|read| read.unwrap().bytes.len()).collect();
    assert_eq!(lengths, [BATCH_BYTES_MAX - 4, 1]);
}

#[test]
fn another_thread_reads_up_to_a_number_while_more_is_appended() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(dir.path(), small()).unwrap();
    append(&mut journal, 40).unwrap();
    let path = dir.path().to_owned();
    let reader = std::thread::spawn(move || {
        for _ in 0..50 {
            let records = read(Arc::new(RealDisk), &path, 5, 40).unwrap();
            let seqs: Vec<u64> = records.map(|read| read.unwrap().seq).collect();
            assert_eq!(seqs, range(5, 40));
        }
    });
    for _ in 0..500 {
        append(&mut journal, 1).unwrap();
    }
    reader.join().unwrap();
}
