//! Disks that are really full or read-only: in a mount namespace of the test's own, where the system allows one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use super::super::*;
use super::fixture::*;
use crate::journal::{self, Durability, Journal};
use crate::snapshots::Snapshots;

const LONG: Duration = Duration::from_secs(30);

/// Names the directory on which the inner test may mount.
const PLACE: &str = "FAIRBAN_STORE_TEST_MOUNT";

/// Runs an ignored test of this file as another process, in a mount namespace of its own, with a small disk at `PLACE`.
fn run_on_a_small_disk(name: &str) {
    let dir = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=1m,mode=0700 fairban-test \"$1\" || exit 77; shift; exec \"$@\"";
    let allowed = Command::new("unshare").args(["-rm", "true"]).status();
    if !allowed.is_ok_and(|status| status.success()) {
        println!("skipped: this system allows no mount namespace");
        return;
    }
    let status = Command::new("unshare")
        .args(["-rm", "sh", "-c", script, "sh"])
        .arg(dir.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", &format!("database::tests::full_disk::{name}")])
        .env(PLACE, dir.path())
        .status()
        .unwrap();
    if status.code() == Some(77) {
        println!("skipped: this system allows no mount");
        return;
    }
    assert!(status.success(), "{name}: {status}");
}

fn place() -> PathBuf {
    std::env::var_os(PLACE).expect("run by the test that mounts").into()
}

fn mount(arguments: &[&str], place: &Path) {
    assert!(Command::new("mount").args(arguments).arg(place).status().unwrap().success());
}

#[test]
fn a_full_disk_degrades_and_recovers() {
    run_on_a_small_disk("inner_full_disk");
}

#[test]
fn a_read_only_disk_degrades_and_recovers() {
    run_on_a_small_disk("inner_read_only_disk");
}

#[test]
#[ignore = "needs a disk of its own: run by a_full_disk_degrades_and_recovers"]
fn inner_full_disk() {
    let place = place();
    let (told, notices) = mpsc::channel();
    let options = Options { retry_millis: 1, ..Options::default() };
    let path = place.join("fairban.db");
    let writer = Writer::start(&path, options, SetClock::new(), move |notice| {
        let _ = told.send(notice);
    });
    let writer = writer.unwrap();
    writer.send(banned(1, address(1), 0, None));
    writer.settle(LONG).unwrap();
    let (mut journal, _) = Journal::open(&place.join("journal"), journal::Options::default()).unwrap();
    let snapshots = Snapshots::new(&place.join("snapshots"));
    snapshots.save(1, b"before").unwrap();
    // Somebody else fills the disk.
    let filler = place.join("filler");
    let mut block = vec![1; 1 << 16];
    while !block.is_empty() {
        let mut bytes = fs::read(&filler).unwrap_or_default();
        bytes.extend_from_slice(&block);
        if fs::write(&filler, &bytes).is_err() {
            block.truncate(block.len() / 2);
        }
    }
    // One at a time: what waits when the disk is found full must fit on it afterwards, however slow the writer is.
    let mut id = 1;
    loop {
        id += 1;
        writer.send(banned(id, address(id as u32), 0, None));
        match writer.settle(LONG) {
            Ok(()) => assert!(id < 10_000),
            Err(Health::Degraded { .. }) => break,
            Err(health) => panic!("{health:?}"),
        }
    }
    let Notice::Degraded(why) = notices.recv_timeout(LONG).unwrap() else { panic!() };
    assert!(why.contains("free space on that disk"), "{why}");
    let record = vec![7; 4 << 20];
    let error = journal.append([&record[..]].into_iter()).unwrap_err();
    assert!(error.is_full(), "{error}");
    snapshots.save(2, &record).unwrap_err();
    assert_eq!(snapshots.load_newest().unwrap().0.unwrap().bytes, b"before");
    assert_eq!(
        Reader::open(&path).unwrap().bans_at(at(1)).unwrap().first().map(|ban| ban.since),
        Some(at(0))
    );
    // Room again: nothing was lost.
    fs::remove_file(&filler).unwrap();
    // A slow machine has tried so often by now that the next try is up to a minute away.
    assert_eq!(notices.recv_timeout(4 * LONG).unwrap(), Notice::Recovered { lost: 0 });
    writer.settle(LONG).unwrap();
    assert_eq!(Reader::open(&path).unwrap().bans_at(at(1)).unwrap().len() as u64, id);
    assert_eq!(journal.append([&b"small"[..]].into_iter()).unwrap(), 1..2);
}

#[test]
#[ignore = "needs a disk of its own: run by a_read_only_disk_degrades_and_recovers"]
fn inner_read_only_disk() {
    let place = place();
    let path = place.join("fairban.db");
    let mut database = Database::open(&path, Options::default(), START).unwrap().0;
    database.record(&[banned(1, address(1), 0, None)]).unwrap();
    drop(database);
    let options = journal::Options { durability: Durability::EachBatch, ..journal::Options::default() };
    let (mut journal, _) = Journal::open(&place.join("journal"), options).unwrap();
    journal.append([&b"before"[..]].into_iter()).unwrap();
    drop(journal);
    mount(&["-o", "remount,ro"], &place);
    let reader = Reader::open(&path).unwrap();
    assert_eq!((reader.bans_at(at(1)).unwrap().len(), reader.is_stale()), (1, false));
    drop(reader);
    let (told, notices) = mpsc::channel();
    let writer_options = Options { retry_millis: 1, ..Options::default() };
    let writer = Writer::start(&path, writer_options, SetClock::new(), move |notice| {
        let _ = told.send(notice);
    });
    let writer = writer.unwrap();
    writer.send(banned(2, address(2), 0, None));
    let Notice::Degraded(why) = notices.recv_timeout(LONG).unwrap() else { panic!() };
    assert!(why.contains("writable") || why.contains("belong to the user"), "{why}");
    let (mut journal, opened) = Journal::open(&place.join("journal"), options).unwrap();
    assert_eq!(opened.next, 2);
    let error = journal.append([&b"x"[..]].into_iter()).unwrap_err();
    assert!(error.to_string().contains("mount that file system writable"), "{error}");
    mount(&["-o", "remount,rw"], &place);
    while !matches!(notices.recv_timeout(LONG).unwrap(), Notice::Recovered { lost: 0 }) {}
    writer.settle(LONG).unwrap();
    assert_eq!(Reader::open(&path).unwrap().bans_at(at(1)).unwrap().len(), 2);
    assert_eq!(journal.append([&b"after"[..]].into_iter()).unwrap(), 2..3);
}
