//! The recording thread: never in the way, never silent.

use std::fs;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use rusqlite::Connection;

use super::super::*;
use super::fixture::*;

const LONG: Duration = Duration::from_secs(30);

fn options() -> Options {
    Options { retry_millis: 1, ..Options::default() }
}

fn start_at(path: &std::path::Path, options: Options) -> (Writer, Receiver<Notice>) {
    let (told, notices) = mpsc::channel();
    let writer = Writer::start(path, options, SetClock::new(), move |notice| {
        // A test that is over listens no more.
        let _ = told.send(notice);
    });
    (writer.unwrap(), notices)
}

fn start(dir: &tempfile::TempDir, options: Options) -> (Writer, Receiver<Notice>) {
    start_at(&dir.path().join("fairban.db"), options)
}

fn is_degraded(writer: &Writer) -> bool {
    matches!(writer.health(), Health::Degraded { .. })
}

#[test]
fn what_was_sent_is_there_when_settled() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, notices) = start(&dir, options());
    for id in 1..=2000 {
        writer.send(banned(id, address(id as u32), 0, None));
    }
    writer.settle(LONG).unwrap();
    assert_eq!(reader(&dir).bans_at(at(1)).unwrap().len(), 2000);
    assert_eq!(
        fs::metadata(dir.path().join("fairban.db-wal")).unwrap().len(),
        0,
        "all of it in the file itself"
    );
    writer.send(banned(3000, address(3000), 0, None));
    assert_eq!(writer.stop(), Health::Ok);
    assert_eq!(reader(&dir).bans_at(at(1)).unwrap().len(), 2001);
    assert_eq!(notices.iter().count(), 0);
}

#[test]
fn a_missing_directory_is_said_and_made_up_for() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("state");
    let (writer, notices) = start_at(&inner.join("fairban.db"), options());
    let Notice::Degraded(why) = notices.recv_timeout(LONG).unwrap() else { panic!() };
    assert!(why.contains("fairban.db") && why.contains("must exist"), "{why}");
    writer.send(banned(1, address(1), 0, None));
    wait_until(
        "degraded",
        || matches!(writer.health(), Health::Degraded { waiting: 1, lost: 0, since, .. } if since == START),
    );
    assert!(matches!(writer.settle(LONG), Err(Health::Degraded { .. })));
    fs::create_dir(&inner).unwrap();
    assert_eq!(notices.recv_timeout(LONG).unwrap(), Notice::Recovered { lost: 0 });
    wait_until("well again", || writer.health() == Health::Ok);
    assert_eq!(Reader::open(&inner.join("fairban.db")).unwrap().bans_at(at(1)).unwrap().len(), 1);
}

#[test]
fn while_another_program_holds_it_the_engine_goes_on_and_losses_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { backlog_max: 100, queue_max: 4, ..options() };
    let (writer, notices) = start(&dir, options);
    writer.send(banned(1, address(1), 0, None));
    writer.settle(LONG).unwrap();
    let holder = Connection::open(dir.path().join("fairban.db")).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    // Many more than queue and backlog hold: sending never waits for the holder.
    for id in 2..=1001 {
        writer.send(banned(id, address(id as u32), 0, None));
    }
    let Notice::Degraded(why) = notices.recv_timeout(LONG).unwrap() else { panic!() };
    assert!(why.contains("another program is writing"), "{why}");
    wait_until("full", || matches!(writer.health(), Health::Degraded { waiting: 100, lost: 900, .. }));
    holder.execute_batch("ROLLBACK").unwrap();
    assert_eq!(notices.recv_timeout(LONG).unwrap(), Notice::Recovered { lost: 900 });
    wait_until("well again", || !is_degraded(&writer));
    let reader = reader(&dir);
    assert_eq!(reader.bans_at(at(1)).unwrap().len(), 101);
    assert!(reader.notes(1).unwrap()[0].text.starts_with("900 entries were lost"));
    assert_eq!(writer.refused(), 0);
}

#[test]
fn a_full_channel_refuses_rather_than_waits_where_asked() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, _notices) = start(&dir, Options { queue_max: 1, ..options() });
    writer.settle(LONG).unwrap();
    let holder = Connection::open(dir.path().join("fairban.db")).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut refused = 0;
    let mut id = 0;
    while refused == 0 {
        id += 1;
        refused += u64::from(!writer.try_send(banned(id, address(id as u32), 0, None)));
        assert!(id < 1_000_000);
    }
    assert_eq!(writer.refused(), refused);
}

#[test]
fn a_database_damaged_before_the_start_is_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("fairban.db"), [0x42; 9000]).unwrap();
    let (writer, notices) = start(&dir, options());
    let Notice::BegunAnew(aside) = notices.recv_timeout(LONG).unwrap() else { panic!() };
    assert!(aside.to.exists());
    writer.send(banned(1, address(1), 0, None));
    writer.settle(LONG).unwrap();
    assert_eq!(reader(&dir).bans_at(at(1)).unwrap().len(), 1);
}

#[test]
fn a_database_damaged_while_it_is_open_is_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, notices) = start(&dir, options());
    // More than fits into the memory for pages.
    for id in 1..=6000 {
        writer.send(banned(id, address(id as u32), 0, None));
    }
    writer.settle(LONG).unwrap();
    let path = dir.path().join("fairban.db");
    let length = fs::metadata(&path).unwrap().len() as usize;
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &vec![0xee; length], 0).unwrap();
    let mut id = 7000;
    let aside = loop {
        // Not only where the pages are in memory.
        writer.send(banned(id, address(id as u32 * 37 % 6000), 0, None));
        id += 1;
        match notices.recv_timeout(Duration::from_millis(20)) {
            Ok(Notice::BegunAnew(aside)) => break aside,
            Ok(other) => panic!("{other:?}"),
            Err(_) => assert!(id < 7500, "the damage is never found"),
        }
    };
    assert!(aside.to.exists());
    writer.settle(LONG).unwrap();
    assert_eq!(writer.health(), Health::Ok);
    assert!(!reader(&dir).bans_at(at(1)).unwrap().is_empty());
}

#[test]
fn a_newer_database_is_left_alone_and_the_daemon_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(&dir));
    let path = dir.path().join("fairban.db");
    Connection::open(&path)
        .unwrap()
        .execute_batch("PRAGMA user_version = 9; PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    let before = fs::read(&path).unwrap();
    let (writer, notices) = start(&dir, options());
    let Notice::Degraded(why) = notices.recv_timeout(LONG).unwrap() else { panic!() };
    assert!(why.contains("Start the newer fairban"), "{why}");
    for id in 1..=100 {
        writer.send(banned(id, address(id as u32), 0, None));
    }
    let Health::Degraded { .. } = writer.stop() else { panic!() };
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_removed_file_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, notices) = start(&dir, options());
    writer.send(banned(1, address(1), 0, None));
    writer.settle(LONG).unwrap();
    fs::remove_file(dir.path().join("fairban.db")).unwrap();
    writer.send(banned(2, address(2), 0, None));
    assert!(matches!(notices.recv_timeout(LONG).unwrap(), Notice::Degraded(_)));
    assert_eq!(notices.recv_timeout(LONG).unwrap(), Notice::Recovered { lost: 0 });
    writer.settle(LONG).unwrap();
    assert_eq!(reader(&dir).bans_at(at(1)).unwrap().len(), 1);
}

/// More bans in force than the bound allows: what does not fit is lost and said, and ends of bans are recorded.
#[test]
fn a_database_full_of_bans_in_force_still_records_their_ends() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, notices) = start(&dir, Options { bytes_max: 1 << 20, ..options() });
    let mut id = 0;
    while !is_degraded(&writer) {
        id += 1;
        writer.send(banned(id, address(id as u32), 0, None));
        assert!(id < 50_000, "the bound does not hold");
    }
    let Notice::Degraded(why) = notices.recv_timeout(LONG).unwrap() else { panic!() };
    assert!(why.contains("allow the database more"), "{why}");
    writer.send(action(id + 1, 2, Verb::Unban { whom: Whom::All, forgive: false }));
    let Notice::Recovered { lost } = notices.recv_timeout(LONG).unwrap() else { panic!() };
    assert!(lost > 0);
    writer.send(banned(id + 2, address(7), 3, None));
    writer.settle(LONG).unwrap();
    assert_eq!(prefixes(&reader(&dir).bans_at(at(4)).unwrap()), ["10.0.0.7/32"]);
}
