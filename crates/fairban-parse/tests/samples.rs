//! Every line in `samples/*.txt` tells what stands below it.
//!
//! ```text
//! # a comment; `from source: FILE:LINE of UPSTREAM VERSION` where no real log was at hand
//! > Jan 21 08:31:02 mx vpopmail[11387]: vchkpw-pop3: password fail (pass: 'x') dan@d.example:192.0.2.1
//! = attempt vpopmail pop3 source=192.0.2.1 account=dan@d.example outcome=bad-secret mechanism=plain tag session=pid:11387
//! ```
//!
//! `>` holds the line as in the log, bytes outside printable ASCII as `\xNN` and the backslash as `\\`. `=` holds what it
//! tells: `attempt`, `echo`, `connect`, `end`, `refused`, `used`, `fault`, `slots`, `turned-away`, `gap` or `torn`, then
//! service and protocol (`-` for unknown), then in any order `source= port= account= cut= last=NAME*N hidden outcome=
//! mechanism= tag common session=id|pid:N|none witness=agrees|contradicts times= failed= succeeded= lasted=SECONDS lost=
//! in-use= slots=`. What is not named must be absent. A name with blanks in it stands in parentheses. Or `quiet`, `odd`,
//! `odd login-like`, `foreign`, `no-format`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "the test, unlike the crate, reads its samples")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use fairban_core::account::{Account, AccountKey};
use fairban_core::escape::escaped;
use fairban_core::event::{AuthEvent, Mechanism, Outcome, Protocol, Session, Tells, Witness};
use fairban_parse::health::Health;
use fairban_parse::parser::{Parsed, Parser};

/// What a line tells, word by word: key and value, in the order of the keys.
type Told = BTreeMap<String, String>;

const KEYS: [&str; 16] = [
    "source",
    "port",
    "account",
    "cut",
    "last",
    "outcome",
    "mechanism",
    "session",
    "witness",
    "times",
    "failed",
    "succeeded",
    "lasted",
    "lost",
    "in-use",
    "slots",
];
const FLAGS: [&str; 3] = ["hidden", "tag", "common"];
/// Said or not, they mean the same.
const DEFAULTS: [(&str, &str); 6] = [
    ("outcome", "aborted"),
    ("mechanism", "unknown"),
    ("session", "none"),
    ("witness", "absent"),
    ("times", "1"),
    ("hidden", ""),
];

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix('\\') {
            bytes.push(b'\\');
            rest = behind;
        } else {
            let hex = rest.strip_prefix('x').and_then(|rest| rest.get(..2)).expect("\\xNN or \\\\");
            bytes.push(u8::from_str_radix(hex, 16).expect("two hexadecimal digits"));
            rest = &rest[3..];
        }
    }
    bytes.extend(rest.as_bytes());
    bytes
}

/// Reads a `=` line.
fn expected(text: &str) -> Result<Told, String> {
    let mut told = Told::new();
    let mut words = text.splitn(4, ' ');
    let kind = words.next().unwrap_or_default();
    told.insert("kind".to_owned(), kind.to_owned());
    if ["quiet", "odd", "foreign", "no-format"].contains(&kind) {
        told.insert("kind".to_owned(), text.to_owned());
        return Ok(told);
    }
    told.insert("service".to_owned(), words.next().unwrap_or_default().to_owned());
    told.insert("protocol".to_owned(), words.next().unwrap_or_default().to_owned());
    let mut rest = words.next().unwrap_or_default();
    while !rest.is_empty() {
        let word = rest.split(' ').next().unwrap_or_default();
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        if !(if word.contains('=') { KEYS.contains(&key) } else { FLAGS.contains(&key) }) {
            return Err(format!("no word of this language: {word}"));
        }
        let at = key.len() + usize::from(word.contains('='));
        let named = ["account", "cut", "last"].contains(&key);
        let end = if named && value.starts_with('(') {
            let end = rest.find(") ").map_or(rest.len(), |end| end + 1);
            if rest[at..end].contains(' ') { end } else { word.len() }
        } else {
            word.len()
        };
        let value = rest[at..end].trim_start_matches(' ');
        let value = if end > word.len() { &value[1..value.len() - 1] } else { value };
        let value =
            if named { String::from_utf8_lossy(&unescape(value)).into_owned() } else { value.to_owned() };
        told.insert(key.to_owned(), if named { value.to_ascii_lowercase() } else { value });
        rest = rest[end..].trim_start_matches(' ');
    }
    for (key, value) in DEFAULTS {
        if told.get(key).is_some_and(|said| said == value) {
            told.remove(key);
        }
    }
    Ok(told)
}

fn name(key: &AccountKey) -> String {
    String::from_utf8_lossy(key.as_bytes()).into_owned()
}

/// What an event tells, in the words of a `=` line.
fn told(event: &AuthEvent) -> Told {
    let kind = match event.tells {
        Tells::Attempt => "attempt",
        Tells::Echo => "echo",
        Tells::Connect => "connect",
        Tells::End { .. } => "end",
        Tells::Refused => "refused",
        Tells::Used => "used",
        Tells::Fault => "fault",
        Tells::Slots { .. } => "slots",
        Tells::TurnedAway => "turned-away",
        Tells::Gap { .. } => "gap",
        Tells::Torn => "torn",
    };
    let (mut failed, mut succeeded, mut in_use, mut slots, mut lost) = (None, None, None, None, None);
    match event.tells {
        Tells::End { failed: some_failed, succeeded: some_succeeded } => {
            (failed, succeeded) = (some_failed, some_succeeded);
        }
        Tells::Slots { in_use: used, slots: all } => (in_use, slots) = (Some(used), Some(all)),
        Tells::Gap { lost: lines } => lost = Some(lines).filter(|lines| *lines > 0),
        _ => {}
    }
    let session = match event.session {
        Session::None => None,
        Session::Id(_) => Some("id".to_owned()),
        Session::Pid(pid) => Some(format!("pid:{pid}")),
    };
    let account = match &event.account {
        Account::Known(key) => Some(("account", name(key))),
        Account::Cut(key) => Some(("cut", name(key))),
        Account::Last { key, of } => Some(("last", format!("{}*{of}", name(key)))),
        Account::Hidden => None,
    };
    let words = [
        ("kind", Some(kind.to_owned())),
        ("service", Some(event.service.name().to_owned())),
        ("protocol", Some(protocol(event.protocol).to_owned())),
        ("source", event.source.map(|source| source.to_string())),
        ("port", event.port.map(|port| port.to_string())),
        ("outcome", outcome(event.outcome).map(str::to_owned)),
        ("mechanism", mechanism(event.mechanism).map(str::to_owned)),
        ("tag", event.secret.map(|_| String::new())),
        ("common", event.common_secret.then(String::new)),
        ("session", session),
        ("witness", witness(event.witness).map(str::to_owned)),
        ("times", (event.times != 1).then(|| event.times.to_string())),
        ("failed", failed.map(|count| count.to_string())),
        ("succeeded", succeeded.map(|count| count.to_string())),
        ("lasted", event.lasted.map(|span| span.as_secs().to_string())),
        ("lost", lost.map(|count| count.to_string())),
        ("in-use", in_use.map(|count| count.to_string())),
        ("slots", slots.map(|count| count.to_string())),
    ];
    let words = words.into_iter().filter_map(|(key, value)| Some((key, value?))).chain(account);
    words.map(|(key, value)| (key.to_owned(), value)).collect()
}

fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Pop3 => "pop3",
        Protocol::Imap => "imap",
        Protocol::Smtp => "smtp",
        Protocol::Submission => "submission",
        Protocol::Sieve => "sieve",
        Protocol::Ssh => "ssh",
        Protocol::Webmail => "webmail",
        _ => "-",
    }
}

fn outcome(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Success => Some("success"),
        Outcome::BadSecret => Some("bad-secret"),
        Outcome::UnknownAccount => Some("unknown-account"),
        Outcome::Failed => Some("failed"),
        Outcome::Denied => Some("denied"),
        Outcome::ServerFault => Some("server-fault"),
        Outcome::Aborted => None,
    }
}

fn mechanism(mechanism: Mechanism) -> Option<&'static str> {
    match mechanism {
        Mechanism::Digest => Some("digest"),
        Mechanism::Plain => Some("plain"),
        Mechanism::Unknown => None,
    }
}

fn witness(witness: Witness) -> Option<&'static str> {
    match witness {
        Witness::Absent => None,
        Witness::Agrees => Some("agrees"),
        Witness::Contradicts => Some("contradicts"),
    }
}

/// What a line tells.
fn read(line: &[u8]) -> Told {
    let mut health = Health::default();
    let parsed = Parser::new([7; 16]).line(line, &mut health);
    let odd = health.services.iter().map(|service| service.odd).sum::<u64>() > 0;
    let login_like = health.services.iter().map(|service| service.login_like).sum::<u64>() > 0;
    let kind = match parsed {
        Parsed::Event(_, event) => return told(&event),
        Parsed::Gap { service, lost, .. } => {
            let mut told = Told::from([("kind".to_owned(), "gap".to_owned())]);
            told.insert("service".to_owned(), service.map_or("-", |service| service.name()).to_owned());
            told.insert("protocol".to_owned(), "-".to_owned());
            if lost > 0 {
                told.insert("lost".to_owned(), lost.to_string());
            }
            return told;
        }
        Parsed::Nothing(_) if login_like => "odd login-like",
        Parsed::Nothing(_) if odd => "odd",
        Parsed::Nothing(_) => "quiet",
        Parsed::Foreign => "foreign",
        Parsed::NoFormat => "no-format",
    };
    Told::from([("kind".to_owned(), kind.to_owned())])
}

/// The lines of one file that tell something else than they should, and how many lines it has.
fn check(file: &str, text: &str) -> (Vec<String>, usize) {
    let mut complaints = Vec::new();
    let mut line = None;
    let mut lines = 0;
    for (at, row) in text.lines().enumerate() {
        let place = format!("{file}:{}", at + 1);
        if let Some(sample) = row.strip_prefix("> ") {
            line = Some(unescape(sample));
        } else if let Some(expectation) = row.strip_prefix("= ") {
            let Some(line) = line.take() else {
                complaints.push(format!("{place}: no line stands above it"));
                continue;
            };
            lines += 1;
            let told = read(&line);
            match expected(expectation) {
                Ok(expected) if expected == told => {}
                Ok(expected) => complaints
                    .push(format!("{place}:\n  {}\n  not {told:?}\n  but {expected:?}", escaped(&line))),
                Err(why) => complaints.push(format!("{place}: {why}")),
            }
        } else if !row.is_empty() && !row.starts_with('#') {
            complaints.push(format!("{place}: begins with none of `> `, `= ` and `#`"));
        }
    }
    (complaints, lines)
}

#[test]
fn every_sample_tells_what_stands_below_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut complaints = Vec::new();
    for path in files {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let (wrong, lines) = check(&file, &fs::read_to_string(&path).unwrap());
        assert!(lines > 0, "{file} holds no sample");
        complaints.extend(wrong);
    }
    assert!(complaints.is_empty(), "{} complaints\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn a_wrong_expectation_is_found() {
    let line = "> Nov 23 18:43:10 mx1 postfix/smtpd[7]: connect from unknown[192.0.2.1]:40000\n";
    let right = "= connect postfix smtp source=192.0.2.1 port=40000 session=pid:7";
    assert_eq!(check("x", &format!("{line}{right}")), (Vec::new(), 1));
    for wrong in [
        "= connect postfix smtp source=192.0.2.1 port=40000",
        "= connect postfix smtp source=192.0.2.1 port=40000 session=pid:7 tag",
        "= connect postfix smtp source=192.0.2.1 port=40000 session=pid:7 account=x",
        "= connect postfix smtp source=192.0.2.2 port=40000 session=pid:7",
        "= connect postfix smtp source=192.0.2.1 port=40000 session=pid:7 colour=red",
        "= quiet",
        "connect",
    ] {
        assert_ne!(check("x", &format!("{line}{wrong}")).0, Vec::<String>::new(), "{wrong}");
    }
}
