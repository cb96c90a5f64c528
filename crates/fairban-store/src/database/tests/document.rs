//! docs/database.md says what is there, and its questions have answers.

use fairban_core::account::{Account, AccountKey};
use fairban_core::effect::Effect;
use fairban_core::nats::Nats;

use super::super::*;
use super::fixture::*;

const DOCUMENT: &str = include_str!("../../../../../docs/database.md");

/// The document's tables: name and columns, in its order.
fn documented() -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for line in DOCUMENT.lines() {
        let name = line.strip_prefix("### `").and_then(|rest| rest.strip_suffix('`'));
        let column = line.strip_prefix("| `").and_then(|rest| rest.split_once('`'));
        match (name, column) {
            (Some(name), _) => found.push((name.to_owned(), Vec::new())),
            (None, Some((column, _))) => found.last_mut().unwrap().1.push(column.to_owned()),
            (None, None) => {}
        }
    }
    found
}

/// The queries that the document recommends.
fn queries() -> Vec<&'static str> {
    let blocks = DOCUMENT.split("```sql\n").skip(1);
    blocks.map(|block| block.split_once("```").unwrap().0).collect()
}

#[test]
fn every_table_and_column_is_explained_in_its_order() {
    let dir = tempfile::tempdir().unwrap();
    let database = open(&dir);
    let connection = database.connection();
    let sql = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' \
               ORDER BY type, rowid";
    let mut statement = connection.prepare(sql).unwrap();
    let names: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let there: Vec<(String, Vec<String>)> = names
        .into_iter()
        .map(|name| {
            let query = connection.prepare(&format!("SELECT * FROM {name}")).unwrap();
            let columns = query.column_names().map(str::to_owned).collect();
            (name, columns)
        })
        .collect();
    assert_eq!(documented(), there);
}

#[test]
fn every_question_has_an_answer() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(&dir);
    // In force by the machine's clock, which the view asks: there for ever.
    let mut entries = vec![
        banned(1, net("203.0.113.36/32"), 0, None),
        banned(2, net("192.0.2.1/32"), 0, Some(100)),
        unbanned(3, 2, net("192.0.2.1/32"), 50),
        action(4, 60, Verb::Unban { whom: Whom::Prefix(net("192.0.2.1/32")), forgive: true }),
    ];
    entries.push(verdict(
        5,
        Effect::Hit {
            id: 5,
            source: "203.0.113.36".parse().unwrap(),
            account: Account::Known(AccountKey::new(b"root")),
            time: at(70),
            guesses: 12,
            evidence: Nats::milli(9_000),
        },
    ));
    entries.push(Entry::Counters(Counters {
        seq: 6,
        day: START,
        service: "sshd",
        values: vec![("failures", 12)],
    }));
    database.record(&entries).unwrap();
    let queries = queries();
    assert!(queries.len() >= 9, "{queries:?}");
    for query in queries {
        let mut statement =
            database.connection().prepare(query).unwrap_or_else(|error| panic!("{query}{error}"));
        assert!(statement.exists([]).unwrap(), "{query}has no answer");
    }
}
