use std::fs;

use super::*;
use crate::faults::FaultyDisk;

fn newest(snapshots: &Snapshots) -> (Option<(u64, Vec<u8>)>, usize) {
    let (found, passed) = snapshots.load_newest().unwrap();
    (found.map(|snapshot| (snapshot.seq, snapshot.bytes)), passed.len())
}

#[test]
fn the_newest_two_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(&dir.path().join("snapshots"));
    assert_eq!(newest(&snapshots), (None, 0));
    for seq in [0, 7, 12, 90] {
        snapshots.save(seq, format!("state {seq}").as_bytes()).unwrap();
        assert_eq!(newest(&snapshots), (Some((seq, format!("state {seq}").into_bytes())), 0));
    }
    assert_eq!(snapshots.seqs().unwrap(), [90, 12]);
    snapshots.save(90, b"again").unwrap();
    assert_eq!(newest(&snapshots), (Some((90, b"again".to_vec())), 0));
    assert_eq!(snapshots.seqs().unwrap(), [90, 12]);
}

/// Every byte flipped, every length: the older one is used, and it is said why.
#[test]
fn a_damaged_newest_gives_way_to_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(dir.path());
    snapshots.save(5, b"older").unwrap();
    snapshots.save(9, b"newer").unwrap();
    let path = snapshots.path(9);
    let good = fs::read(&path).unwrap();
    let flipped = (0..good.len()).map(|at| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    });
    let cut = (0..good.len()).map(|length| good[..length].to_vec());
    for bytes in flipped.chain(cut).chain([[&good[..], b"x"].concat()]) {
        fs::write(&path, &bytes).unwrap();
        let (found, passed) = snapshots.load_newest().unwrap();
        assert_eq!(found, Some(Snapshot { seq: 5, bytes: b"older".to_vec() }), "{bytes:?}");
        let text = passed[0].to_string();
        assert!(text.contains(path.to_str().unwrap()) && text.contains("passed over"), "{text}");
    }
    // The next save keeps the whole older one, not the damaged newer one.
    snapshots.save(11, b"newest").unwrap();
    assert_eq!(snapshots.seqs().unwrap(), [11, 5]);
    // A file of another number is not what it says.
    fs::copy(snapshots.path(11), snapshots.path(12)).unwrap();
    assert_eq!(newest(&snapshots), (Some((11, b"newest".to_vec())), 1));
}

#[test]
fn one_that_the_engine_refuses_gives_way_too() {
    let dir = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(dir.path());
    snapshots.save(5, b"older").unwrap();
    snapshots.save(9, b"newer").unwrap();
    let take = |snapshot: &Snapshot| if snapshot.seq == 9 { Err("another key".to_owned()) } else { Ok(1) };
    let Found { newest, passed } = snapshots.load_newest_as(take).unwrap();
    assert_eq!(newest, Some((5, 1)));
    assert!(passed[0].to_string().contains("another key"));
}

#[test]
fn a_full_or_read_only_disk_keeps_the_old_ones() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new();
    let snapshots = Snapshots::on(Arc::new(disk.clone()), dir.path());
    snapshots.save(5, b"older").unwrap();
    for room in 0..HEAD_BYTES as u64 + 5 {
        disk.set_room(room);
        let error = snapshots.save(9, b"newer").unwrap_err();
        assert!(error.to_string().contains("free space"), "{error}");
        assert_eq!(newest(&snapshots), (Some((5, b"older".to_vec())), 0));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left behind");
    }
    disk.set_room(u64::MAX);
    FaultyDisk::set(&disk.0.no_sync, true);
    snapshots.save(9, b"newer").unwrap_err();
    assert_eq!(newest(&snapshots), (Some((5, b"older".to_vec())), 0));
    FaultyDisk::set(&disk.0.no_sync, false);
    FaultyDisk::set(&disk.0.read_only, true);
    snapshots.save(9, b"newer").unwrap_err();
    FaultyDisk::set(&disk.0.read_only, false);
    snapshots.save(9, b"newer").unwrap();
    assert_eq!(newest(&snapshots), (Some((9, b"newer".to_vec())), 0));
}

#[test]
fn what_a_kill_left_half_written_is_no_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let snapshots = Snapshots::new(dir.path());
    snapshots.save(5, b"older").unwrap();
    fs::write(dir.path().join("new.tmp"), head(9, b"newer")).unwrap();
    assert_eq!(newest(&snapshots), (Some((5, b"older".to_vec())), 0));
    snapshots.save(9, b"newer").unwrap();
    assert!(!dir.path().join("new.tmp").exists());
    // A snapshot from beyond the journal's end would be taken for the newest for ever.
    snapshots.save(6, b"after a loss").unwrap();
    assert_eq!(newest(&snapshots), (Some((6, b"after a loss".to_vec())), 0));
}
