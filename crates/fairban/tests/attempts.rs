//! Whole logs with known truth: as many tries are counted as clients made, and robots are banned and nobody else.
//!
//! What a log cannot show stands in each case as a short list with the sentence of the folder's README (or of its labels)
//! that says so; everything else has to agree, source by source.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise, and prints its score"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use fairban_core::effect::Effect;
use fairban_core::engine::{Config, Engine};
use fairban_core::event::{AuthEvent, Outcome, Tells};
use fairban_core::time::Span;
use fairban_parse::clock::Clock;
use fairban_parse::health::Health;
use fairban_parse::parser::{Parsed, Parser};
use jiff::tz::TimeZone;

/// Addresses that only ever occur in what clients sent.
const NEVER_CONNECTED: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8)), IpAddr::V4(Ipv4Addr::new(8, 8, 4, 4))];

/// A robot with this many failed tries has to be banned.
const FAILED_OF_A_ROBOT: u32 = 30;

/// Who was behind an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Robot,
    Honest,
    /// Sent odd input on purpose: neither has to be banned nor must not be.
    Probe,
}

/// Tries of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tries {
    failed: u32,
    succeeded: u32,
}

impl Tries {
    fn add(&mut self, succeeded: bool, times: u32) {
        *(if succeeded { &mut self.succeeded } else { &mut self.failed }) += times;
    }
}

/// What is true of a log, as far as it can show it.
#[derive(Debug, Default)]
struct Truth {
    tries: BTreeMap<IpAddr, Tries>,
    kinds: BTreeMap<IpAddr, Kind>,
}

impl Truth {
    fn add(&mut self, source: IpAddr, succeeded: bool, times: u32) {
        self.tries.entry(source).or_default().add(succeeded, times);
    }

    fn is(&mut self, source: IpAddr, kind: Kind) {
        let known = *self.kinds.entry(source).or_insert(kind);
        // Who sends odd names from an honest address is a probe.
        if known != kind {
            self.kinds.insert(
                source,
                if known == Kind::Robot || kind == Kind::Robot { Kind::Robot } else { Kind::Probe },
            );
        }
    }
}

/// What the engine made of a log.
#[derive(Debug, Default)]
struct Told {
    tries: BTreeMap<IpAddr, Tries>,
    bans: Vec<ipnet::IpNet>,
}

/// A row of labels, by the names of its columns.
type Row = BTreeMap<String, String>;

/// One log.
struct Log {
    name: String,
    bytes: Vec<u8>,
}

impl Log {
    fn open(folder: &str, name: &str) -> Log {
        Log { name: format!("{folder}/{name}"), bytes: sample(folder, name) }
    }

    /// A line by its number, from 1.
    fn line(&self, number: usize) -> &[u8] {
        self.bytes.split(|&byte| byte == b'\n').nth(number - 1).unwrap_or_default()
    }

    /// What the lines tell, with their numbers.
    fn events(&self) -> Vec<(usize, &[u8], AuthEvent)> {
        let parser = Parser::new([7; 16]);
        let mut clock = Clock::new(TimeZone::UTC, 2026);
        let mut health = Health::default();
        let mut events = Vec::new();
        for (index, line) in self.bytes.split(|&byte| byte == b'\n').enumerate() {
            if let Parsed::Event(stamp, event) = parser.line(line, &mut health) {
                let time = clock.resolve(&stamp);
                events.push((index + 1, line, AuthEvent { time, ..event }));
            }
        }
        events
    }

    fn told(&self) -> Told {
        let mut engine = Engine::new(Config { narrate: true, ..Config::new([7; 16]) });
        let mut told = Told::default();
        let events = self.events();
        for (_, line, event) in &events {
            engine.handle(event, line);
            told.take(&mut engine);
        }
        if let Some(last) = events.iter().map(|(_, _, event)| event.time).max() {
            // What still waits for other lines becomes due.
            engine.advance(last.plus(Span::days(1)));
            told.take(&mut engine);
        }
        told
    }
}

impl Told {
    fn take(&mut self, engine: &mut Engine) {
        while let Some(effect) = engine.poll() {
            match effect {
                Effect::Seen(seen) if seen.outcome != Outcome::Aborted => {
                    self.tries.entry(seen.source).or_default().add(seen.outcome == Outcome::Success, 1);
                }
                Effect::Ban(ban) | Effect::Extend { ban, .. } => self.bans.push(ban.prefix),
                _ => {}
            }
        }
    }

    fn bans(&self, source: IpAddr) -> bool {
        self.bans.iter().any(|prefix| prefix.contains(&source))
    }
}

/// A file below `samples/`, plain or compressed.
fn sample(folder: &str, name: &str) -> Vec<u8> {
    let path = samples().join(folder).join(name);
    if let Ok(bytes) = std::fs::read(&path) {
        return bytes;
    }
    let compressed = std::fs::read(format!("{}.gz", path.display())).expect("a sample, plain or compressed");
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&compressed[..]).read_to_end(&mut bytes).expect("a whole gzip file");
    bytes
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples")
}

/// The rows of a folder's labels about one file.
fn rows(folder: &str, file: &str) -> Vec<Row> {
    let text = String::from_utf8(sample(folder, "labels.tsv")).expect("labels are escaped");
    let mut rows = text.lines().map(|row| row.split('\t').map(str::to_owned).collect::<Vec<_>>());
    let columns = rows.next().expect("a row of names");
    let rows = rows.map(|row| columns.iter().cloned().zip(row).collect::<Row>());
    let rows: Vec<Row> = rows.filter(|row| row["file"] == file).collect();
    assert!(!rows.is_empty(), "{folder}: no labels of {file}");
    rows
}

fn number(row: &Row) -> usize {
    row["line"].parse().expect("a line number")
}

fn source(row: &Row) -> IpAddr {
    row["source"].parse().expect("an address")
}

/// By the name of the scenario.
fn kind(row: &Row) -> Kind {
    let scenario = &row["scenario"];
    let begins = |words: &[&str]| words.iter().any(|word| scenario.starts_with(word));
    if begins(&["b-robot", "f-outage-robot", "b-hydra"]) {
        Kind::Robot
    } else if begins(&["d-no-login", "d-tls", "d-protocol", "d-maxstartups", "e-odd"]) {
        Kind::Probe
    } else {
        Kind::Honest
    }
}

/// Which tries of a log are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compared {
    All,
    /// "A login that works writes nothing but `auth=1` in the disconnect line, without a name" (Postfix).
    Failed,
}

/// Prints the score of a log and demands that it is full.
fn demand(log: &Log, truth: &Truth, compared: Compared) -> Result<(), String> {
    let told = log.told();
    let shown = |tries: Option<&Tries>| {
        let tries = tries.copied().unwrap_or_default();
        if compared == Compared::Failed { Tries { succeeded: 0, ..tries } } else { tries }
    };
    let sources: BTreeSet<&IpAddr> =
        truth.tries.keys().chain(told.tries.keys()).chain(truth.kinds.keys()).collect();
    let mut wrong = Vec::new();
    for source in &sources {
        let (expected, counted) = (shown(truth.tries.get(source)), shown(told.tries.get(source)));
        if expected != counted {
            wrong.push(format!("{source}: {counted:?} counted, {expected:?} made"));
        }
    }
    let of_kind =
        |kind: Kind| truth.kinds.iter().filter(move |(_, other)| **other == kind).map(|(source, _)| *source);
    let failed = |source: &IpAddr| truth.tries.get(source).map_or(0, |tries| tries.failed);
    let robots: Vec<IpAddr> =
        of_kind(Kind::Robot).filter(|robot| failed(robot) >= FAILED_OF_A_ROBOT).collect();
    let (banned, free): (Vec<IpAddr>, Vec<IpAddr>) = robots.iter().partition(|robot| told.bans(**robot));
    let honest: Vec<IpAddr> = of_kind(Kind::Honest).collect();
    let harmed: Vec<IpAddr> = honest.iter().filter(|source| told.bans(**source)).copied().collect();
    println!(
        "{}: {}/{} sources right, {}/{} robots banned, {}/{} honest banned",
        log.name,
        sources.len() - wrong.len(),
        sources.len(),
        banned.len(),
        robots.len(),
        harmed.len(),
        honest.len()
    );
    wrong.extend(free.iter().map(|robot| format!("{robot}: {} failed tries and no ban", failed(robot))));
    wrong.extend(harmed.iter().map(|source| format!("{source}: honest and banned")));
    let never = NEVER_CONNECTED.iter().filter(|address| told.bans(**address));
    wrong.extend(never.map(|address| format!("{address}: never connected and banned")));
    if wrong.is_empty() { Ok(()) } else { Err(format!("{}\n  {}", log.name, wrong.join("\n  "))) }
}

/// Demands all of several logs, and shows all that is wrong.
fn demand_all(results: Vec<Result<(), String>>, at_least: usize) {
    assert!(results.len() >= at_least, "only {} logs", results.len());
    let wrong: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Counts tries whose lines have no label: of clients that were not in the record, or were stopped with the run.
fn add_unrecorded(truth: &mut Truth, log: &Log, labelled: &BTreeSet<usize>, lines: &[usize]) {
    for (at, _, event) in log.events().iter().filter(|(at, ..)| lines.contains(at)) {
        assert!(!labelled.contains(at), "{}:{at} has a label", log.name);
        let source = event.source.expect("a line with an address");
        match event.tells {
            Tells::Attempt => truth.add(source, event.outcome == Outcome::Success, 1),
            Tells::End { failed: Some(failed), .. } => truth.add(source, false, u32::from(failed)),
            _ => panic!("{}:{at} tells no try", log.name),
        }
    }
}

/// One try a row of role `attempt`, but for the lines `hidden`, which do not show it, and one for each of `unrecorded`.
fn truth_of_rows(log: &Log, rows: &[Row], hidden: &[usize], unrecorded: &[usize]) -> Truth {
    let mut truth = Truth::default();
    for row in rows {
        truth.is(source(row), kind(row));
        if row["role"] == "attempt" && !hidden.contains(&number(row)) {
            truth.add(source(row), row["outcome"] == "success", 1);
        }
    }
    add_unrecorded(&mut truth, log, &rows.iter().map(number).collect(), unrecorded);
    truth
}

#[test]
fn sshd() {
    // "`Failed publickey`: a key that does not fit; every agent user makes some", and `Accepted key …`, which is told again
    // in the next line as `Accepted publickey`.
    const HIDDEN: [usize; 2] = [126, 150];
    // Good logins while the servers were being started.
    const UNRECORDED: [usize; 3] = [7, 13, 19];
    let rows = rows("sshd", "sshd.iso.log");
    let results = ["sshd.iso.log", "sshd.rfc3164.log", "sshd.rfc5424.log"].map(|name| {
        let log = Log::open("sshd", name);
        let truth = truth_of_rows(&log, &rows, &HIDDEN, &UNRECORDED);
        demand(&log, &truth, Compared::All)
    });
    demand_all(results.into(), 3);
}

#[test]
fn postfix() {
    // A try that its client was stopped in: it is not in the client's record.
    const UNRECORDED: [usize; 1] = [1560];
    let rows = rows("postfix", "smtp.iso.log");
    let results = ["smtp.iso.log", "smtp.rfc3164.log", "smtp.rfc5424.log"].map(|name| {
        let log = Log::open("postfix", name);
        let truth = truth_of_rows(&log, &rows, &[], &UNRECORDED);
        demand(&log, &truth, Compared::Failed)
    });
    demand_all(results.into(), 3);
}

#[test]
fn hydra() {
    let mut results = Vec::new();
    for (name, labelled) in [
        ("auth.iso.log", "auth.iso.log"),
        ("auth.rfc3164.log", "auth.iso.log"),
        ("mail.iso.log", "mail.iso.log"),
        ("mail.rfc3164.log", "mail.iso.log"),
    ] {
        let log = Log::open("hydra", name);
        let rows = rows("hydra", labelled);
        // These labels were read from the text, so Dovecot's line of a try at Postfix is one too: "two fields, no session
        // id", "do not count both".
        let echoes: Vec<usize> =
            rows.iter().map(number).filter(|at| is_auth_of_postfix(log.line(*at))).collect();
        let truth = truth_of_rows(&log, &rows, &echoes, &[]);
        results.push(demand(&log, &truth, Compared::All));
    }
    demand_all(results, 4);
}

/// `passwd-file(USER,R): …`, where a login of POP3 or IMAP has `passwd-file(USER,R,<S>): …`.
fn is_auth_of_postfix(line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line);
    line.contains(" auth: passwd-file(") && !line.contains(",<")
}

#[test]
fn dovecot() {
    // "Connections whose client was cut off at the end of a run have no label."
    const UNRECORDED: [(&str, &[usize]); 2] = [
        ("verbose.iso.log", &[913, 917, 918]),
        ("default.iso.log", &[341, 342, 347, 348, 349, 354, 355, 356]),
    ];
    let mut results = Vec::new();
    for (name, labelled) in [
        ("verbose.iso.log", "verbose.iso.log"),
        ("verbose.rfc3164.log", "verbose.iso.log"),
        ("verbose.rfc5424.log", "verbose.iso.log"),
        ("default.iso.log", "default.iso.log"),
        ("default.rfc3164.log", "default.iso.log"),
        ("sqldown.iso.log", "sqldown.iso.log"),
        ("sqldown.rfc3164.log", "sqldown.iso.log"),
        ("sha1-passwords.own-file.log", "sha1-passwords.own-file.log"),
    ] {
        let log = Log::open("dovecot", name);
        let rows = rows("dovecot", labelled);
        let mut truth = truth_of_sessions(&log, &rows);
        let unrecorded =
            UNRECORDED.iter().find(|(file, _)| *file == labelled).map_or(&[][..], |(_, lines)| lines);
        add_unrecorded(&mut truth, &log, &rows.iter().map(number).collect(), unrecorded);
        results.push(demand(&log, &truth, Compared::All));
    }
    demand_all(results, 8);
}

/// "`session-end`: count it only where no `attempt` line exists, i.e. in `default.*` and for failures": the tries that failed
/// in a session are its `attempt` rows, or as many as its end counts, whichever is more.
fn truth_of_sessions(log: &Log, rows: &[Row]) -> Truth {
    let mut truth = Truth::default();
    let mut sessions: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        truth.is(source(row), kind(row));
        sessions.entry(&row["session"]).or_default().push(row);
    }
    for session in sessions.values() {
        let source = source(session[0]);
        let is_try = |row: &&&Row| row["role"] == "attempt";
        let is_success = |row: &&&Row| row["outcome"] == "success";
        let succeeded = session.iter().filter(is_try).filter(is_success).count();
        let failed = session.iter().filter(is_try).count() - succeeded;
        let at_the_end =
            session.iter().map(|row| tries_at_the_end(log.line(number(row)))).max().unwrap_or_default();
        truth.add(source, true, u32::try_from(succeeded).expect("few"));
        truth.add(source, false, at_the_end.max(u32::try_from(failed).expect("few")));
    }
    truth
}

/// `… (auth failed, N attempts in T secs): user=…`; and "password was right, account refuses login (`nologin`)", which is one.
fn tries_at_the_end(line: &[u8]) -> u32 {
    let line = String::from_utf8_lossy(line);
    if line.contains(" (internal failure, 1 successful auths): ") {
        return 1;
    }
    let Some((_, rest)) = line.split_once(" (auth failed, ") else { return 0 };
    rest.split(' ').next().and_then(|count| count.parse().ok()).unwrap_or_default()
}

#[test]
fn qmail() {
    let mut results = Vec::new();
    let mut folders: Vec<PathBuf> = std::fs::read_dir(samples().join("qmail"))
        .expect("the folder of qmail's logs")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    for path in folders {
        let folder = format!("qmail/{}", path.file_name().expect("a name").to_string_lossy());
        for name in ["maillog", "maillog.iso", "maillog.rfc5424"] {
            if path.join(name).exists() || path.join(format!("{name}.gz")).exists() {
                let log = Log::open(&folder, name);
                let truth = truth_of_vchkpw(&log, &rows(&folder, "maillog"));
                results.push(demand(&log, &truth, Compared::All));
            }
        }
    }
    demand_all(results, 60);
}

fn truth_of_vchkpw(log: &Log, rows: &[Row]) -> Truth {
    let mut truth = Truth::default();
    let doubtful = behind_torn(log);
    for row in rows.iter().filter(|row| row["event"] == "auth") {
        let source = source(row);
        match row["truth"].as_str() {
            "robot" => truth.is(source, Kind::Robot),
            "honest" => truth.is(source, Kind::Honest),
            "probe" => truth.is(source, Kind::Probe),
            other => panic!("{}: {other}", log.name),
        }
        // "`::1` becomes empty. Expect an empty IP", "the real line then ends without an address".
        let is_shown = !matches!(row["logged_source"].as_str(), "(empty)" | "(cut off: next line)");
        // "A success line is not the end: `autocreate dir …` can follow with the same pid": one try, told twice.
        let is_told_before = row["format"] == "autocreate-dir";
        if is_shown && !is_told_before && !doubtful.contains(&number(row)) {
            truth.add(source, row["outcome"] == "Success", 1);
        }
    }
    truth
}

/// "With escaping off one record becomes two lines and the second is the client's: stamp, host, `vpopmail[1]:` and all": the
/// two records behind a torn one may be the client's, and are not believed while no log of connections confirms them.
fn behind_torn(log: &Log) -> Vec<usize> {
    let mut doubtful = 0;
    let mut behind = Vec::new();
    for (at, _, event) in log.events() {
        match event.tells {
            Tells::Torn => doubtful = 2,
            Tells::Attempt | Tells::Fault if doubtful > 0 => {
                doubtful -= 1;
                behind.push(at);
            }
            _ => {}
        }
    }
    behind
}
