//! New, old, newer, foreign, damaged and missing databases.

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use rusqlite::Connection;

use super::super::open::migrate;
use super::super::*;
use super::fixture::*;

fn path(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("fairban.db")
}

fn filled(dir: &tempfile::TempDir) {
    let mut database = open(dir);
    for id in 1..=200 {
        database.record(&[banned(id, address(id as u32), 0, None)]).unwrap();
    }
    database.settle().unwrap();
}

#[test]
fn only_its_owner_may_read_it() {
    let dir = tempfile::tempdir().unwrap();
    filled(&dir);
    for file in fs::read_dir(dir.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
}

#[test]
fn what_was_recorded_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(&dir);
    database.record(&[banned(1, address(1), 0, None)]).unwrap();
    // What a killed process leaves: the file and its log, and nobody to tidy up.
    let copy = tempfile::tempdir().unwrap();
    for file in ["fairban.db", "fairban.db-wal"] {
        fs::copy(dir.path().join(file), copy.path().join(file)).unwrap();
    }
    assert_eq!(reader(&copy).bans_at(at(1)).unwrap().len(), 1);
    let mut database = open(&copy);
    database.record(&[banned(2, address(2), 0, None)]).unwrap();
    assert_eq!(reader(&copy).bans_at(at(1)).unwrap().len(), 2);
}

#[test]
fn a_newer_database_is_refused_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    filled(&dir);
    Connection::open(path(&dir)).unwrap().pragma_update(None, "user_version", 7).unwrap();
    Connection::open(path(&dir))
        .unwrap()
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    let before = fs::read(path(&dir)).unwrap();
    let refused = |error: Error| {
        assert!(matches!(error, Error::Newer { found: 7, expected: SCHEMA_VERSION, .. }), "{error}");
        assert!(error.to_string().contains("Start the newer fairban"), "{error}");
    };
    refused(Database::open(&path(&dir), Options::default(), START).unwrap_err());
    refused(Reader::open(&path(&dir)).unwrap_err());
    assert_eq!(fs::read(path(&dir)).unwrap(), before);
    assert!(!path(&dir).with_extension("db.corrupt").exists());
}

#[test]
fn another_programs_database_is_refused_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    Connection::open(path(&dir))
        .unwrap()
        .execute_batch("CREATE TABLE theirs (a); PRAGMA user_version = 1")
        .unwrap();
    let error = Database::open(&path(&dir), Options::default(), START).unwrap_err();
    assert!(matches!(error, Error::Foreign { .. }), "{error}");
    assert!(matches!(Reader::open(&path(&dir)).unwrap_err(), Error::Foreign { .. }));
    let count = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = Connection::open(path(&dir)).unwrap().query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);
}

#[test]
fn where_no_daemon_has_run_the_reader_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let error = Reader::open(&path(&dir)).unwrap_err();
    assert!(matches!(error, Error::Absent { .. }) && error.to_string().contains("has not run"), "{error}");
    assert!(!path(&dir).exists());
}

#[test]
fn a_damaged_database_is_moved_aside_and_a_new_one_begun() {
    type Damage = fn(&mut File);
    let ways: [(&str, Damage); 4] = [
        ("no database", |file| {
            file.set_len(0).unwrap();
            file.write_all(b"this is a text, and a rather long one, for somebody has copied it here\n")
                .unwrap();
        }),
        ("another head", |file| file.write_all(&[0x55; 100]).unwrap()),
        ("cut in the middle", |file| file.set_len(5 * 4096 + 17).unwrap()),
        ("pages overwritten", |file| {
            file.seek(SeekFrom::Start(4096)).unwrap();
            file.write_all(&vec![0xa5; 6 * 4096]).unwrap();
        }),
    ];
    for (what, damage) in ways {
        let dir = tempfile::tempdir().unwrap();
        filled(&dir);
        damage(&mut File::options().write(true).open(path(&dir)).unwrap());
        let before = fs::read(path(&dir)).unwrap();
        let (mut database, aside) = Database::open(&path(&dir), Options::default(), START).unwrap();
        let aside = aside.unwrap_or_else(|| panic!("{what}"));
        assert!(aside.to.to_str().unwrap().ends_with("fairban.db.corrupt-1768989085"), "{aside:?}");
        assert_eq!(fs::read(&aside.to).unwrap(), before, "{what}");
        database.record(&[banned(1, address(1), 0, None)]).unwrap();
        let reader = reader(&dir);
        assert_eq!(reader.bans_at(at(1)).unwrap().len(), 1);
        let note = &reader.notes(1).unwrap()[0];
        assert!(note.kind == "begun" && note.text.contains("corrupt-"), "{note:?}");
    }
}

#[test]
fn a_failing_disk_does_not_fill_itself_with_damaged_databases() {
    let dir = tempfile::tempdir().unwrap();
    for secs in 0..6 {
        fs::write(path(&dir), b"not a database, but long enough to be looked at by anybody who looks")
            .unwrap();
        let (_, aside) = Database::open(&path(&dir), Options::default(), at(secs / 2)).unwrap();
        assert!(aside.unwrap().to.exists());
    }
    let names =
        fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.contains("corrupt")).count(), 2);
}

/// Any byte wrong: it opens, or is moved aside, or is refused; it never panics, and the reader neither.
#[test]
fn any_byte_of_the_file_may_be_wrong() {
    let dir = tempfile::tempdir().unwrap();
    filled(&dir);
    let good = fs::read(path(&dir)).unwrap();
    let steps = (0..100).chain((100..good.len()).step_by(good.len() / 60));
    for at_byte in steps {
        let dir = tempfile::tempdir().unwrap();
        let mut bytes = good.clone();
        bytes[at_byte] ^= 0xff;
        fs::write(path(&dir), &bytes).unwrap();
        if let Ok(reader) = Reader::open(&path(&dir)) {
            let _ = (reader.bans_at(at(1)), reader.last_events(500), reader.bans_of(net("10.0.0.0/8"), 500));
        }
        match Database::open(&path(&dir), Options::default(), START) {
            Ok((mut database, _)) => {
                let _ = database.record(&[banned(900, address(900), 0, None)]);
                let _ = database.prune(START);
            }
            Err(error) => assert!(
                matches!(error, Error::Newer { .. } | Error::Foreign { .. } | Error::Sqlite { .. }),
                "{error}"
            ),
        }
    }
}

#[test]
fn migrations_run_in_order_and_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut connection = Connection::open(path(&dir)).unwrap();
    let first = "CREATE TABLE a (x); INSERT INTO a VALUES (1)";
    let second = "ALTER TABLE a ADD COLUMN y; UPDATE a SET y = x + 1";
    migrate(&mut connection, &[first]).unwrap();
    for _ in 0..2 {
        migrate(&mut connection, &[first, second]).unwrap();
        let row: (i64, i64) =
            connection.query_row("SELECT x, y FROM a", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(row, (1, 2));
        assert_eq!(super::super::open::version(&connection).unwrap(), (APPLICATION_ID, 2));
    }
    // One that fails leaves everything as it was.
    migrate(&mut connection, &[first, second, "DROP TABLE a; SELECT nonsense"]).unwrap_err();
    assert_eq!(super::super::open::version(&connection).unwrap().1, 2);
    connection.query_row("SELECT x FROM a", [], |row| row.get::<_, i64>(0)).unwrap();
}

#[test]
fn a_removed_file_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(&dir);
    database.record(&[banned(1, address(1), 0, None)]).unwrap();
    fs::remove_file(path(&dir)).unwrap();
    assert!(matches!(database.record(&[banned(2, address(2), 0, None)]), Err(Error::Replaced { .. })));
    let _second = open(&dir);
    assert!(matches!(database.record(&[banned(2, address(2), 0, None)]), Err(Error::Replaced { .. })));
}

#[test]
fn it_is_read_while_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(&dir);
    let reading = reader(&dir);
    let other = dir.path().to_owned();
    let thread = std::thread::spawn(move || {
        let reader = Reader::open(&other.join("fairban.db")).unwrap();
        let mut seen = 0;
        while seen < 300 {
            let bans = reader.bans_at(at(1)).unwrap().len();
            assert!(bans >= seen && bans.is_multiple_of(3), "{bans} after {seen}: half a transaction");
            seen = bans;
        }
    });
    for id in 0..100 {
        let three = [1, 2, 3].map(|n| banned(id * 3 + n, address((id * 3 + n) as u32), 0, None));
        database.record(&three).unwrap();
    }
    thread.join().unwrap();
    assert_eq!(reading.bans_at(at(1)).unwrap().len(), 300);
}

#[test]
fn a_reader_that_does_not_let_go_cannot_fill_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { bytes_max: 2 << 20, ..Options::default() };
    let mut database = open_with(&dir, options);
    database.record(&[banned(1, address(1), 0, None)]).unwrap();
    let holder = Connection::open(path(&dir)).unwrap();
    holder.execute_batch("BEGIN; SELECT count(*) FROM bans").unwrap();
    let error =
        (2..10_000).find_map(|id| database.record(&[banned(id, address(id as u32), 0, None)]).err()).unwrap();
    assert!(matches!(error, Error::HeldByReader { .. }) && error.to_string().contains("fuser"), "{error}");
    let wal = fs::metadata(dir.path().join("fairban.db-wal")).unwrap().len();
    assert!(wal < options.bytes_max / 2, "{wal}");
    holder.execute_batch("COMMIT").unwrap();
    database.record(&[banned(20_000, address(20_000), 0, None)]).unwrap();
}
