//! Every labelled line of the qmail logs tells what vchkpw and tcpserver let it tell.
//!
//! The labels are the truth at the client. [`VISIBLE`] says what of it the line can show, each row with the sentence
//! of `samples/qmail/README.md` that says so. Against it every line must be right.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test reads samples, and stops at what is broken"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use fairban_core::account::{Account, AccountKey};
use fairban_core::event::{AuthEvent, Mechanism, Outcome, Protocol, Session, Tells};
use fairban_core::time::Time;
use fairban_parse::health::Health;
use fairban_parse::parser::{Parsed, Parser};
use fairban_parse::stamp::Stamp;

/// How vchkpw writes the account of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// `U@D`
    Split,
    /// The name as sent; near 155 bytes it has lost its end.
    Raw,
    /// No name.
    Hidden,
}

/// What a label looks like in the line: format and outcome of the label, what the line can show, and why.
type Row = (&'static str, &'static str, Tells, Outcome, Shown, &'static str);

#[rustfmt::skip]
const VISIBLE: [Row; 15] = [
    ("login-success", "Success", Tells::Attempt, Outcome::Success, Shown::Split,
        "545: `(AUTH) login success U@D:IP`"),
    ("system-login-success", "Success", Tells::Attempt, Outcome::Success, Shown::Raw,
        "655: `system password login success U:IP`"),
    ("password-fail", "BadSecret", Tells::Attempt, Outcome::BadSecret, Shown::Split,
        "476: levels y, e. Plain and digest look the same"),
    ("password-fail-with-secret", "BadSecret", Tells::Attempt, Outcome::BadSecret, Shown::Split,
        "481: levels p, v"),
    ("system-password-fail-with-secret", "BadSecret", Tells::Attempt, Outcome::BadSecret, Shown::Raw,
        "637: `system password fail (pass: 'P') N:IP`"),
    ("user-not-found", "UnknownAccount", Tells::Attempt, Outcome::UnknownAccount, Shown::Split,
        "216: no such account"),
    ("system-user-not-found", "UnknownAccount", Tells::Attempt, Outcome::UnknownAccount, Shown::Raw,
        "606: takes the place of 216. U without the domain"),
    ("invalid-chars", "UnknownAccount", Tells::Attempt, Outcome::UnknownAccount, Shown::Raw,
        "190: N has bytes no account can have"),
    ("null-user", "UnknownAccount", Tells::Attempt, Outcome::UnknownAccount, Shown::Hidden,
        "385: empty name"),
    ("null-password", "BadSecret", Tells::Attempt, Outcome::Failed, Shown::Raw,
        "393: empty secret, or a name so long that no room is left: written before the account is looked up, so the \
         line cannot say that there is one"),
    ("pop-denied", "Denied", Tells::Attempt, Outcome::Denied, Shown::Split,
        "508: secret was right, service switched off for the account"),
    ("smtp-denied", "Denied", Tells::Attempt, Outcome::Denied, Shown::Split,
        "517: the same"),
    ("webmail-denied", "Denied", Tells::Attempt, Outcome::Denied, Shown::Split,
        "527: the same"),
    ("user-has-no-password", "ServerFault", Tells::Attempt, Outcome::Denied, Shown::Split,
        "460: account without a password: nobody can log in. One account, not the server"),
    ("autocreate-dir", "ServerFault", Tells::Fault, Outcome::ServerFault, Shown::Split,
        "253: server's fault, after a success line"),
];

/// Scenario, start of the file's name, what is in the line, and what that shows: its kind and its source.
type Forgery = (&'static str, &'static str, &'static [u8], Tells, Option<&'static str>);

/// What lines that a client wrote show by themselves, by scenario and file; the rest are of no known format. Who joins
/// lines must refuse each of them: 17 and 18, "the second is the client's", "`user invalid x<LF>tcpserver: ok 4242 …`
/// gives a perfect line".
const FORGED: [Forgery; 5] = [
    // The end is vchkpw's: the true address, after a stamp and a pid that the client made up.
    (
        "smtp-submission-noescape",
        "maillog",
        b"vpopmail[1]: vchkpw-smtp: ",
        Tells::Attempt,
        Some("198.51.100.11"),
    ),
    ("smtp-submission", "tcpserver", b"tcpserver: ok 4242 ", Tells::Connect, Some("8.8.8.8")),
    ("smtp-submission-noescape", "tcpserver", b"tcpserver: ok 4242 ", Tells::Connect, Some("8.8.8.8")),
    ("smtp-submission-busybox", "tcpserver", b"tcpserver: ok 4242 ", Tells::Connect, Some("8.8.8.8")),
    ("smtp-25", "tcpserver", b"tcpserver: ok 4242 ", Tells::Connect, Some("8.8.8.8")),
];

/// What the client spoke, as the tag of the vchkpw lines has it: by the local port, and webmail by its address.
const PROTOCOLS: [(&str, Protocol); 6] = [
    ("webmail", Protocol::Webmail),
    ("port-1110", Protocol::Unknown),
    ("smtp-submission", Protocol::Submission),
    ("smtp-25", Protocol::Smtp),
    ("pop3s", Protocol::Pop3),
    ("", Protocol::Pop3),
];

/// A row of `labels.tsv`.
struct Label {
    event: String,
    time: String,
    source: String,
    logged_source: String,
    account: Vec<u8>,
    outcome: String,
    mechanism: String,
    session: String,
    format: String,
}

/// A row of `sessions.tsv`.
struct Connection {
    source: String,
    port: u16,
    tcpserver_pid: u32,
    vchkpw_pid: Option<u32>,
}

/// A scenario: labels by file and line, connections by name.
struct Scenario {
    name: String,
    labels: BTreeMap<String, BTreeMap<usize, Label>>,
    connections: BTreeMap<String, Connection>,
}

#[derive(Default)]
struct Score {
    labelled: usize,
    right: usize,
}

#[test]
fn every_line_tells_what_it_can_show() {
    let mut names: Vec<String> =
        fs::read_dir(samples()).unwrap().map(|entry| name_of(&entry.unwrap().path())).collect();
    names.retain(|name| samples().join(name).is_dir());
    names.sort();
    assert_eq!(names.len(), 26, "{names:?}");
    let mut wrong = Vec::new();
    let mut all = Score::default();
    for name in names {
        let scenario = Scenario::read(&name);
        for (file, labels) in scenario.files() {
            let score = scenario.check(&file, labels, &mut wrong);
            println!("{name}/{file}: {}/{}", score.right, score.labelled);
            all.right += score.right;
            all.labelled += score.labelled;
        }
    }
    println!("all: {}/{}", all.right, all.labelled);
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(all.right, all.labelled);
    assert!(all.labelled > 10_000, "only {} labelled lines were found", all.labelled);
}

#[test]
fn the_founding_logs_are_understood_whole() {
    let robot = Some("24.220.50.36".parse().unwrap());
    let of_robot = |path: &str, tells: fn(Tells, Option<u16>) -> bool| {
        let (parser, mut health, mut count) = (Parser::new([7; 16]), Health::default(), 0);
        for line in bytes(path).strip_suffix(b"\n").unwrap().split(|&b| b == b'\n') {
            let Parsed::Event(_, event) = parser.line(line, &mut health) else {
                panic!("{path}: {}", String::from_utf8_lossy(line));
            };
            count += usize::from(event.source == robot && tells(event.tells, event.port));
        }
        count
    };
    let is_pid = |tells, port: Option<u16>| tells == Tells::Connect && port.is_none();
    let is_ok = |tells, port: Option<u16>| tells == Tells::Connect && port.is_some();
    let is_attempt = |tells, _| tells == Tells::Attempt;
    assert_eq!(of_robot("../founding/seed/tcpserver.log", is_pid), 1);
    assert_eq!(of_robot("../founding/seed/maillog", is_attempt), 0);
    assert_eq!(of_robot("../founding/reconstruction.tcpserver.log", is_pid), 8_200);
    assert_eq!(of_robot("../founding/reconstruction.tcpserver.log", is_ok), 8_200);
    assert!(of_robot("../founding/reconstruction.maillog", is_attempt) > 7_900);
}

impl Scenario {
    fn read(name: &str) -> Scenario {
        let mut labels: BTreeMap<String, BTreeMap<usize, Label>> = BTreeMap::new();
        for row in rows(&format!("{name}/labels.tsv")) {
            let text = |at: usize| String::from_utf8(row[at].clone()).unwrap();
            let label = Label {
                time: text(2),
                event: text(3),
                source: text(4),
                logged_source: text(5),
                account: unescaped(&row[6]),
                outcome: text(7),
                mechanism: text(8),
                session: text(10),
                format: text(11),
            };
            labels.entry(text(0)).or_default().insert(text(1).parse().unwrap(), label);
        }
        let connections = if exists(&format!("{name}/sessions.tsv")) {
            rows(&format!("{name}/sessions.tsv")).iter().map(|row| connection(row)).collect()
        } else {
            BTreeMap::new()
        };
        Scenario { name: name.to_owned(), labels, connections }
    }

    /// The files, each with the name under which the labels have its lines.
    fn files(&self) -> Vec<(String, &BTreeMap<usize, Label>)> {
        let mut files = Vec::new();
        for (labelled, labels) in &self.labels {
            let others: &[&str] = match labelled.as_str() {
                "maillog" => &["maillog.iso", "maillog.rfc5424"],
                "tcpserver.tai64n" => &["tcpserver.log"],
                _ => &[],
            };
            files.push((labelled.clone(), labels));
            let others = others.iter().filter(|other| exists(&format!("{}/{other}", self.name)));
            files.extend(others.map(|other| ((*other).to_owned(), labels)));
        }
        files
    }

    /// Compares each line of a file with its label; each line without one tells no login.
    fn check(&self, file: &str, labels: &BTreeMap<usize, Label>, wrong: &mut Vec<String>) -> Score {
        let parser = Parser::new([7; 16]);
        let mut health = Health::default();
        let mut score = Score::default();
        let text = bytes(&format!("{}/{file}", self.name));
        for (index, line) in text.strip_suffix(b"\n").unwrap().split(|&b| b == b'\n').enumerate() {
            let parsed = parser.line(line, &mut health);
            let label = labels.get(&(index + 1));
            let complaint = match label {
                Some(label) => self.complaint(file, line, label, &parsed),
                None => self.unlabelled_complaint(&parsed),
            };
            score.labelled += usize::from(label.is_some());
            score.right += usize::from(label.is_some() && complaint.is_none());
            wrong.extend(
                complaint.map(|complaint| format!("{}/{file}:{}: {complaint}", self.name, index + 1)),
            );
        }
        let odd: u64 = health.services.iter().map(|service| service.login_like).sum();
        assert_eq!(odd, 0, "{}/{file}: lines that look like logins are not understood", self.name);
        score
    }

    /// What is wrong with the reading of a labelled line.
    fn complaint(&self, file: &str, line: &[u8], label: &Label, parsed: &Parsed) -> Option<String> {
        let expected = self.expected(file, line, label);
        match (parsed, expected) {
            (Parsed::Event(stamp, event), Some(expected)) => {
                let seen = Seen::of(event);
                let time =
                    (!is_at(stamp, &label.time) && label.event != "forged").then(|| format!("at {stamp:?}"));
                time.or_else(|| (seen != expected).then(|| format!("{seen:?}\n    instead of {expected:?}")))
            }
            (Parsed::Event(_, event), None) => Some(format!("{event:?}\n    instead of nothing")),
            (other, Some(expected)) => Some(format!("{other:?}\n    instead of {expected:?}")),
            (_, None) => None,
        }
    }

    /// `status` and `pid` lines have no label; a `pid` line names a client that the diary has.
    fn unlabelled_complaint(&self, parsed: &Parsed) -> Option<String> {
        let Parsed::Event(_, event) = parsed else { return Some(format!("{parsed:?}")) };
        let right = match (event.tells, event.session) {
            (Tells::Slots { slots: 20, .. }, Session::None) => event.source.is_none(),
            (Tells::Connect, Session::Pid(pid)) => self.connections.values().any(|connection| {
                connection.tcpserver_pid == pid && event.source == connection.source.parse().ok()
            }),
            _ => false,
        };
        (!right).then(|| format!("{event:?}"))
    }

    /// What the line of a label shows; `None` where that is nothing.
    fn expected(&self, file: &str, line: &[u8], label: &Label) -> Option<Seen> {
        let connection = self.connections.get(&label.session);
        let source = Some(label.source.clone());
        match label.event.as_str() {
            "auth" => Some(self.expected_attempt(label)),
            // 18: "the remains after a line `user invalid`/`domain invalid` … are suspect".
            "noise" if contains(line, b" invalid ") => Some(Seen::new(Tells::Torn)),
            // "Standard error (lands in tcpserver's multilog): … `vchkpw: Unable to create directory …`"
            "noise" | "other" => None,
            "forged" => self.expected_forgery(file, line),
            "ok" | "deny" => Some(Seen {
                source,
                port: connection.map_or(Some(41_979), |connection| Some(connection.port)),
                session: Session::Pid(connection.map_or(28_241, |connection| connection.tcpserver_pid)),
                protocol: Some(self.port_protocol()),
                ..Seen::new(if label.event == "ok" { Tells::Connect } else { Tells::TurnedAway })
            }),
            "pid" => Some(Seen { source, session: Session::Pid(28_241), ..Seen::new(Tells::Connect) }),
            // 1: "`end … status 256` follows every POP3 connection that ran, login right, wrong or never tried".
            "end" => Some(Seen {
                session: Session::Pid(connection.map_or(28_241, |connection| connection.tcpserver_pid)),
                ..Seen::new(Tells::End { failed: None, succeeded: None })
            }),
            "status" => {
                let in_use = if line.ends_with(b"200/200") { 200 } else { 199 };
                Some(Seen::new(Tells::Slots { in_use, slots: 200 }))
            }
            unknown => panic!("{}/{file}: an event {unknown}", self.name),
        }
    }

    fn expected_attempt(&self, label: &Label) -> Seen {
        let row = VISIBLE.iter().find(|row| row.0 == label.format && row.1 == label.outcome);
        let &(_, _, tells, outcome, shown, _) = row.unwrap_or_else(|| panic!("no row for {}", label.format));
        let pid = match self.connections.get(&label.session) {
            Some(connection) => connection.vchkpw_pid,
            None => label.session.strip_prefix('v').and_then(|pid| pid.parse().ok()),
        };
        let (_, protocol) = PROTOCOLS.iter().find(|(start, _)| self.name.starts_with(start)).unwrap();
        let mut seen =
            Seen { protocol: Some(*protocol), session: Session::Pid(pid.unwrap()), ..Seen::new(tells) };
        if label.logged_source == "(cut off: next line)" {
            // 17: "The real line then ends without an address."
            seen.tells = Tells::Torn;
            return seen;
        }
        // 22: "an address that begins with `:` loses its start: `::1` becomes empty".
        seen.source = (label.logged_source != "(empty)").then(|| label.source.clone());
        seen.outcome = outcome;
        seen.account = self.account(&label.account, shown);
        seen.mechanism = match (label.format.as_str(), label.mechanism.as_str()) {
            // 545: "`LOGIN` is logged as `PLAIN`".
            ("login-success", "PLAIN" | "LOGIN") => Some(Mechanism::Plain),
            // 24: "At levels p and v a digest can be guessed from 32 lower-case hex digits as `P`; a client can type
            // those as a password (`odd-input`)": there the label does not say what the line shows.
            ("password-fail-with-secret", _) if self.name.starts_with("odd-input") => None,
            ("login-success", _) | ("password-fail-with-secret", "APOP" | "CRAM-MD5") => {
                Some(Mechanism::Digest)
            }
            ("password-fail-with-secret" | "system-password-fail-with-secret", _) => Some(Mechanism::Plain),
            _ => Some(Mechanism::Unknown),
        };
        seen
    }

    fn expected_forgery(&self, file: &str, line: &[u8]) -> Option<Seen> {
        let row = FORGED.iter().find(|(scenario, start, text, ..)| {
            *scenario == self.name && file.starts_with(start) && contains(line, text)
        });
        let &(_, start, _, tells, source) = row?;
        let source = source.map(str::to_owned);
        Some(if start == "maillog" {
            Seen {
                source,
                outcome: Outcome::BadSecret,
                account: Account::Known(AccountKey::new(b"alice@bigcorp.example")),
                session: Session::Pid(1),
                protocol: Some(Protocol::Smtp),
                mechanism: Some(Mechanism::Plain),
                ..Seen::new(tells)
            }
        } else {
            Seen {
                source,
                port: Some(4242),
                session: Session::Pid(4242),
                protocol: Some(Protocol::Submission),
                ..Seen::new(tells)
            }
        })
    }

    /// The account of a label as the line has it.
    fn account(&self, account: &[u8], shown: Shown) -> Account {
        let written: Vec<u8> = account.iter().flat_map(|&byte| self.written(byte)).collect();
        // 15: "No domain: `alice@:IP`."
        let name =
            if shown == Shown::Split { written.strip_suffix(b"@").unwrap_or(&written) } else { &written };
        if shown == Shown::Hidden || name.is_empty() {
            Account::Hidden
        } else if shown == Shown::Raw && account.len() >= 154 {
            // 14: "name, secret and challenge share 155 bytes: a long name cuts the secret, then the name".
            Account::Cut(AccountKey::new(name))
        } else {
            Account::Known(AccountKey::new(name))
        }
    }

    /// 16: how the syslog daemon of this scenario writes a byte.
    fn written(&self, byte: u8) -> Vec<u8> {
        if self.name.ends_with("-noescape") || byte >= 32 {
            return vec![byte];
        }
        if !self.name.ends_with("-busybox") {
            return format!("#{byte:03o}").into_bytes();
        }
        match byte {
            b'\t' => vec![byte],
            b'\n' => vec![b' '],
            _ => vec![b'^', byte + 64],
        }
    }

    /// What the local port of the `ok` lines stands for.
    fn port_protocol(&self) -> Protocol {
        match self.name.as_str() {
            "port-1110" => Protocol::Unknown,
            "smtp-25" => Protocol::Smtp,
            name if name.starts_with("smtp-submission") => Protocol::Submission,
            _ => Protocol::Pop3,
        }
    }
}

/// The fields of an event that a label decides.
#[derive(Debug)]
struct Seen {
    tells: Tells,
    source: Option<String>,
    port: Option<u16>,
    account: Account,
    outcome: Outcome,
    session: Session,
    /// `None` fits all.
    protocol: Option<Protocol>,
    /// `None` fits all.
    mechanism: Option<Mechanism>,
}

impl Seen {
    fn new(tells: Tells) -> Seen {
        Seen {
            tells,
            source: None,
            port: None,
            account: Account::Hidden,
            outcome: Outcome::Aborted,
            session: Session::None,
            protocol: Some(Protocol::Unknown),
            mechanism: Some(Mechanism::Unknown),
        }
    }

    fn of(event: &AuthEvent) -> Seen {
        Seen {
            source: event.source.map(|source| source.to_string()),
            port: event.port,
            account: event.account.clone(),
            outcome: event.outcome,
            session: event.session,
            protocol: Some(event.protocol),
            mechanism: Some(event.mechanism),
            tells: event.tells,
        }
    }
}

impl PartialEq for Seen {
    fn eq(&self, other: &Seen) -> bool {
        let fits = |a: Option<Mechanism>, b: Option<Mechanism>| a.is_none() || b.is_none() || a == b;
        self.tells == other.tells
            && self.source == other.source
            && self.port == other.port
            && self.account == other.account
            && self.outcome == other.outcome
            && self.session == other.session
            && self.protocol == other.protocol
            && fits(self.mechanism, other.mechanism)
    }
}

/// Whether a stamp that names its zone is the label's time, which is exact to the microsecond at least.
fn is_at(stamp: &Stamp, time: &str) -> bool {
    let Stamp::Utc(stamp) = stamp else { return true };
    let Ok(time) = time.parse::<jiff::Timestamp>() else { return true };
    *stamp == Time::from_micros(time.as_microsecond())
}

fn connection(row: &[Vec<u8>]) -> (String, Connection) {
    let text = |at: usize| String::from_utf8(row[at].clone()).unwrap();
    let number = |at: usize| text(at).parse::<u32>().ok();
    let connection = Connection {
        source: text(2),
        port: number(3).unwrap() as u16,
        tcpserver_pid: number(4).unwrap(),
        vchkpw_pid: number(5),
    };
    (text(0), connection)
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/qmail")
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn exists(path: &str) -> bool {
    samples().join(path).exists() || samples().join(format!("{path}.gz")).exists()
}

/// A file of the samples, unpacked where it is packed.
fn bytes(path: &str) -> Vec<u8> {
    let packed = samples().join(format!("{path}.gz"));
    if !packed.exists() {
        return fs::read(samples().join(path)).unwrap();
    }
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(fs::read(packed).unwrap().as_slice()).read_to_end(&mut text).unwrap();
    text
}

/// The rows of a table, split at tabs, without the names of the columns.
fn rows(path: &str) -> Vec<Vec<Vec<u8>>> {
    let text = bytes(path);
    let lines = text.split(|&b| b == b'\n').skip(1).filter(|line| !line.is_empty());
    lines.map(|line| line.split(|&b| b == b'\t').map(<[u8]>::to_vec).collect()).collect()
}

/// `\xNN` back to bytes; `-` alone is nothing.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = if text == b"-" { &[] } else { text };
    while let Some((&first, after)) = rest.split_first() {
        if first == b'\\' {
            bytes.push(u8::from_str_radix(std::str::from_utf8(&after[1..3]).unwrap(), 16).unwrap());
            rest = &after[3..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    bytes
}

fn contains(line: &[u8], text: &[u8]) -> bool {
    memchr::memmem::find(line, text).is_some()
}
