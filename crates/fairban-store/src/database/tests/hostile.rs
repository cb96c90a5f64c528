//! What attackers write.

use fairban_core::account::{ACCOUNT_BYTES_MAX, Account, AccountKey};
use fairban_core::effect::Effect;
use fairban_core::escape::escaped;
use fairban_core::nats::Nats;
use proptest::prelude::*;

use super::super::*;
use super::fixture::*;

const HOSTILE: [&[u8]; 8] = [
    b"x'; DROP TABLE bans; --",
    b"\x1b[2J\x1b]0;owned\x07",
    b"a\nb\r\0c",
    b"\xff\xfe\x80",
    "ünï\u{202e}code".as_bytes(),
    b"back\\slash\\x41",
    b"\"quoted\"|`ls`",
    b"",
];

fn hit(id: u64, name: &[u8]) -> Entry {
    let account = Account::Known(AccountKey::new(name));
    let source = "192.0.2.1".parse().unwrap();
    verdict(id, Effect::Hit { id, time: at(0), source, account, guesses: 1, evidence: Nats::ZERO })
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

/// Every text in every table.
fn all_texts(database: &Database) -> Vec<String> {
    let connection = database.connection();
    let list = |sql: &str| {
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(Result::unwrap).collect::<Vec<String>>()
    };
    let tables = list("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'");
    assert!(tables.len() > 10);
    let mut texts = Vec::new();
    for table in tables {
        for column in list(&format!("SELECT name FROM pragma_table_info('{table}') WHERE type = 'TEXT'")) {
            texts.extend(list(&format!("SELECT {column} FROM {table} WHERE {column} IS NOT NULL")));
        }
    }
    texts
}

#[test]
fn names_are_escaped_as_everywhere_and_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(&dir);
    for (name, id) in HOSTILE.iter().zip(1..) {
        let mut banned = verdict(100 + id, Effect::Ban(ban(100 + id, net("192.0.2.2/32"), 0, None)));
        if let Entry::Verdict(verdict) = &mut banned {
            let mut explained = explanation(name, name);
            explained.remarks = vec![String::from_utf8_lossy(name).into_owned()];
            verdict.explanation = Some(explained);
        }
        let mut did =
            action(200 + id, 0, Verb::Unban { whom: Whom::Account(AccountKey::new(name)), forgive: true });
        if let Entry::Action(action) = &mut did {
            action.who.name = name.to_vec();
            action.reason = name.to_vec();
        }
        database.record(&[hit(id, name), banned, did]).unwrap();
    }
    let texts = all_texts(&database);
    let bad: Vec<&String> = texts.iter().filter(|text| !is_printable(text)).collect();
    assert!(bad.is_empty(), "{bad:?}");
    let reader = reader(&dir);
    for name in HOSTILE {
        let key = AccountKey::new(name);
        let events = reader.history_of_account(&key, 10).unwrap();
        assert_eq!(events.len(), 3, "{name:?}");
        let Some(Event::Verdict(hit)) = events.last() else { panic!("{events:?}") };
        assert_eq!(hit.account, Some(escaped(key.as_bytes()).to_string()));
    }
    assert_eq!(reader.bans_at(at(1)).unwrap().len(), HOSTILE.len());
}

#[test]
fn lengths_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(&dir);
    let long = vec![0x1b; 1 << 20];
    let mut did = action(1, 0, Verb::Reload);
    if let Entry::Action(action) = &mut did {
        action.who.name.clone_from(&long);
        action.reason.clone_from(&long);
    }
    let mut banned = verdict(2, Effect::Ban(ban(2, net("192.0.2.2/32"), 0, None)));
    if let Entry::Verdict(verdict) = &mut banned {
        let mut explained = explanation(&long, b"a line that the engine has cut");
        explained.accounts = vec![explained.accounts[0].clone(); 1000];
        explained.remarks = vec!["\u{1b}".repeat(100_000); 1000];
        verdict.explanation = Some(explained);
    }
    database.record(&[did, banned]).unwrap();
    let texts = all_texts(&database);
    assert!(texts.iter().all(|text| text.len() <= 4 * ACCOUNT_BYTES_MAX.max(REASON_BYTES_MAX)));
    assert!(texts.iter().map(String::len).sum::<usize>() < 60_000);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_name_is_printable_and_found(name in proptest::collection::vec(any::<u8>(), 0..400)) {
        let dir = tempfile::tempdir().unwrap();
        let mut database = open(&dir);
        database.record(&[hit(1, &name)]).unwrap();
        prop_assert!(all_texts(&database).iter().all(|text| is_printable(text)));
        let events = reader(&dir).history_of_account(&AccountKey::new(&name), 10).unwrap();
        prop_assert_eq!(events.len(), 1);
    }
}
