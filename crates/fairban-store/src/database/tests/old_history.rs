//! What is let go, and what never.

use fairban_core::effect::Effect;
use fairban_core::time::Span;

use super::super::*;
use super::fixture::*;

fn file_bytes(dir: &tempfile::TempDir) -> u64 {
    let files = std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap());
    let ours = files.filter(|file| !file.file_name().to_string_lossy().ends_with("-shm"));
    ours.map(|file| file.metadata().unwrap().len()).sum()
}

fn count(database: &Database, sql: &str) -> i64 {
    database.connection().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Bans that end after a minute, one each two seconds; the n-th begins at 2n.
fn short(id: u64) -> Entry {
    banned(id, address(id as u32), id as i64 * 2, Some(60))
}

#[test]
fn the_oldest_history_goes_first_and_the_bound_holds() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { bytes_max: 4 << 20, ..Options::default() };
    let mut database = open_with(&dir, options);
    // What must stay: bans in force, and what the operator did about them.
    let lasting: Vec<Entry> = (1..=500).map(|id| banned(id, address(id as u32), 0, None)).collect();
    database.record(&lasting).unwrap();
    let operators = [
        action(501, 1, Verb::Ban { prefix: net("198.51.100.0/24"), until: None, mode: Mode::Live }),
        action(502, 1, Verb::Allow { prefix: net("203.0.113.0/24"), until: None }),
    ];
    database.record(&operators).unwrap();
    let mut largest = 0;
    for batch in 0..200_u64 {
        let entries: Vec<Entry> = (0..200).map(|n| short(1000 + batch * 200 + n)).collect();
        database.record(&entries).unwrap();
        database.prune(at(200_000)).unwrap();
        largest = largest.max(file_bytes(&dir));
    }
    assert!(largest <= options.bytes_max, "{largest}");
    assert!(largest > options.bytes_max / 2, "the room there is was used: {largest}");
    let reader = reader(&dir);
    let in_force = reader.bans_at(at(200_000)).unwrap();
    assert_eq!(in_force.len(), 501);
    for ban in in_force.iter().filter(|ban| ban.id > 0) {
        let verdict = reader.verdict(ban.verdict.unwrap()).unwrap().unwrap();
        assert_eq!((verdict.signals.len(), verdict.samples.len()), (2, 1));
    }
    let events = reader.history_of_prefix(net("198.51.100.0/24"), 10).unwrap();
    assert_eq!(events.len(), 2, "the operator's ban and his action");
    assert_eq!(reader.history_of_prefix(net("203.0.113.0/24"), 10).unwrap().len(), 1);
    // History is without holes from some time on.
    let newest = 1000 + 200 * 200 - 1;
    let oldest = count(&database, "SELECT min(effect) FROM verdicts WHERE effect >= 1000");
    assert!(oldest > 1000);
    let kept = count(&database, "SELECT count(*) FROM verdicts WHERE effect >= 1000");
    assert_eq!(kept, newest as i64 - oldest + 1);
    // And nothing hangs about of what is gone.
    let orphans = "SELECT count(*) FROM bans WHERE verdict NOT IN (SELECT id FROM verdicts)";
    assert_eq!(count(&database, orphans), 0);
    assert_eq!(
        count(&database, "SELECT count(*) FROM tried WHERE verdict NOT IN (SELECT id FROM verdicts)"),
        0
    );
}

#[test]
fn what_is_too_old_goes_whatever_the_size() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open_with(&dir, Options { days_max: 10, ..Options::default() });
    let day = 86_400;
    let mut entries = vec![banned(1, address(1), 0, None)];
    entries.extend((2..=20).map(|id| banned(id, address(id as u32), id as i64 * day, Some(3600))));
    entries.push(action(21, 3, Verb::Reload));
    entries.extend((0..=20).map(|days| {
        Entry::Counters(Counters {
            seq: 22,
            day: at(days * day),
            service: "sshd",
            values: vec![("failures", 1)],
        })
    }));
    database.record(&entries).unwrap();
    while database.prune(at(20 * day)).unwrap() {}
    let reader = reader(&dir);
    let kept: Vec<u64> = reader.bans_of(net("10.0.0.0/8"), 50).unwrap().iter().map(|ban| ban.id).collect();
    let expected: Vec<u64> = (10..=20).rev().chain([1]).collect();
    assert_eq!(kept, expected);
    assert_eq!(reader.last_events(50).unwrap().len(), expected.len());
    assert_eq!(reader.counters_since(at(0)).unwrap()[0].value, 11);
}

#[test]
fn a_clock_that_jumps_ahead_costs_no_history() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(&dir);
    database.record(&[short(1), short(2)]).unwrap();
    for days in [4000, 40, -4000, 0] {
        assert!(!database.prune(START.plus(Span::days(days))).unwrap());
        assert_eq!(reader(&dir).last_events(10).unwrap().len(), 2, "{days}");
    }
}

/// More bans in force than the bound allows: their evidence goes, then writing is refused, and no ban is forgotten.
#[test]
fn bans_in_force_are_never_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { bytes_max: 1 << 20, ..Options::default() };
    let mut database = open_with(&dir, options);
    let mut recorded = 0;
    let error = loop {
        let ten: Vec<Entry> =
            (0..10).map(|n| recorded + n).map(|n| banned(n + 1, address(n as u32), 0, None)).collect();
        let written = database.record(&ten);
        let more = database.prune(at(1)).unwrap();
        match written {
            Ok(()) => recorded += 10,
            Err(error) if !more => break error,
            Err(_) => {}
        }
        assert!(recorded < 10_000, "the bound does not hold");
    };
    assert!(error.is_full(), "{error}");
    assert!(file_bytes(&dir) <= options.bytes_max);
    assert_eq!(reader(&dir).bans_at(at(1)).unwrap().len() as u64, recorded);
    assert_eq!(count(&database, "SELECT count(*) FROM samples WHERE verdict < 100"), 0, "evidence made room");
    // What ends bans gets in all the same, and then there is room again.
    let mut id = recorded;
    while !database.is_at_bound() {
        id += 1;
        database.record(&[banned(id, address(id as u32), 0, None)]).unwrap();
    }
    let recorded = id;
    let all = Verb::Unban { whom: Whom::All, forgive: false };
    database.record_at_bound(&action(recorded + 50, 2, all)).unwrap();
    assert_eq!(reader(&dir).bans_at(at(3)).unwrap(), []);
    while database.prune(at(3)).unwrap() {}
    database.record(&[banned(recorded + 90, address(77), 4, None)]).unwrap();
    assert!(file_bytes(&dir) <= options.bytes_max);
}

#[test]
fn extends_of_a_long_ban_do_not_pile_up() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { bytes_max: 1 << 20, ..Options::default() };
    let mut database = open_with(&dir, options);
    database.record(&[banned(1, address(1), 0, Some(3600))]).unwrap();
    for id in 2..4000 {
        let extend = Effect::Extend { of: 1, ban: ban(id, address(1), id as i64, Some(3600)) };
        database.record(&[verdict(id, extend)]).unwrap();
        database.prune(at(id as i64)).unwrap();
    }
    assert!(file_bytes(&dir) <= options.bytes_max);
    let bans = reader(&dir).bans_at(at(4000)).unwrap();
    assert_eq!((bans.len(), bans[0].until), (1, Some(at(3999 + 3600))));
}
