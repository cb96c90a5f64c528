//! Runs the sample files `samples/*.txt`: lines as in a log, each with what it must tell. A person adds to them.
//!
//! ```text
//! # A comment, or an empty line. `from source: FILE:LINE of UPSTREAM VERSION` where no real log was at hand.
//! > Jan 21 08:31:02 mx vpopmail[11387]: vchkpw-pop3: password fail (pass: 'x') dan@d.example:192.0.2.1
//! = attempt vpopmail pop3 source=192.0.2.1 account=dan@d.example outcome=bad-secret mechanism=plain tag session=pid:11387
//! ```
//!
//! In a `>` line bytes outside printable ASCII are `\xNN` and the backslash is `\\`. A `=` line is `quiet`, `odd`,
//! `odd login-like`, `foreign`, `no-format`, or `KIND SERVICE PROTOCOL FIELD…`: KIND is one of `attempt echo connect end
//! refused used fault slots turned-away gap torn`, PROTOCOL is `-` where it is not known, SERVICE is `-` for a gap that
//! may be anyone's. Fields, each once, in any order, parted by one blank:
//!
//! | field | not named means |
//! |---|---|
//! | `source=ADDRESS` `port=N` | none |
//! | `account=KEY` `cut=KEY` `last=KEY*N` or `hidden` | `hidden` |
//! | `outcome=success\|bad-secret\|unknown-account\|failed\|denied\|server-fault\|aborted` | `aborted` |
//! | `mechanism=plain\|digest\|unknown` | `unknown` |
//! | `tag` (the secret has one), `common` | neither |
//! | `blank=TEXT`: the secret as the line shows it | not compared |
//! | `session=id\|pid:N\|none`, `witness=agrees\|contradicts\|absent` | `none`, `absent` |
//! | `times=N` | 1 |
//! | `failed=N` `succeeded=N` `lasted=SECONDS` | none |
//! | `lost=N` `in-use=N` `slots=N` | 0 |
//!
//! KEY is the account's key, not its spelling, with `\xNN` and `\\` as above and `\x20` for a blank.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "the test, unlike the crate, reads its samples")]

mod sample_lines;

use std::collections::BTreeMap;

use fairban_core::account::Account;
use fairban_core::escape::escaped;
use fairban_core::event::{AuthEvent, Mechanism, Outcome, Protocol, Session, Tells, Witness};
use fairban_parse::health::Health;
use fairban_parse::parser::{Parsed, Parser};

use crate::sample_lines::{sample_files, unescaped};

/// What a line tells: its first words, and field by field what stands behind `=` (nothing, where there is no `=`).
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    head: String,
    fields: BTreeMap<String, String>,
}

/// What a field means that is not named; the fields of a line that are so named say nothing.
const DEFAULTS: [(&str, &str); 9] = [
    ("hidden", ""),
    ("outcome", "aborted"),
    ("mechanism", "unknown"),
    ("session", "none"),
    ("witness", "absent"),
    ("times", "1"),
    ("lost", "0"),
    ("in-use", "0"),
    ("slots", "0"),
];

#[test]
fn every_sample_tells_what_stands_below_it() {
    let mut complaints = Vec::new();
    for (name, text) in sample_files() {
        match check(&text) {
            Ok(0) => complaints.push(format!("{name}: holds no sample")),
            Ok(_) => {}
            Err(wrong) => {
                complaints.extend(wrong.lines().map(|line| {
                    if line.starts_with(' ') { line.to_owned() } else { format!("{name}:{line}") }
                }));
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

const LINE: &str = "> Nov 23 18:43:10 mx1 postfix/smtpd[7]: connect from unknown[192.0.2.1]:40000\n";

#[test]
fn a_wrong_expectation_is_found() {
    let right = format!("{LINE}= connect postfix smtp port=40000 source=192.0.2.1 session=pid:7\n");
    assert_eq!(check(&right), Ok(1));
    assert_eq!(check(&format!("# twice\n\n{right}{right}")), Ok(2));
    for wrong in [
        "= connect postfix smtp source=192.0.2.1 port=40000",
        "= connect postfix smtp source=192.0.2.1 port=40000 session=pid:7 tag",
        "= connect postfix smtp source=192.0.2.1 port=40000 session=pid:7 account=x",
        "= connect postfix smtp source=192.0.2.1 port=40000 session=pid:7 blank=x",
        "= connect postfix smtp source=192.0.2.2 port=40000 session=pid:7",
        "= connect postfix submission source=192.0.2.1 port=40000 session=pid:7",
        "= quiet",
        "= no-format",
    ] {
        let complaint = check(&format!("{LINE}{wrong}\n")).expect_err(wrong);
        assert!(complaint.starts_with("2: "), "{complaint}");
    }
}

#[test]
fn a_malformed_file_is_found() {
    for wrong in [
        "> x\n",
        "> x\n> x\n= no-format\n",
        "= no-format\n",
        "> x\n= no-format\n= no-format\n",
        "x\n",
        ">x\n= no-format\n",
        "> x\n=no-format\n",
        "> \\x4\n= no-format\n",
        "> \\n\n= no-format\n",
        "> x\ty\n= no-format\n",
        "> x\n= no-format at all\n",
    ] {
        assert!(check(wrong).is_err(), "{wrong}");
    }
    for wrong in [
        "colour=red",
        "tag=",
        "session",
        "session=7",
        "session=pid:7 session=pid:7",
        " session=pid:7",
        "session=pid:7 ",
        "account=(x y)",
        "hidden account=x",
        "outcome=bad",
        "times=many",
        "last=x",
        "account=\\q",
    ] {
        let complaint = check(&format!("{LINE}= connect postfix smtp {wrong}\n")).expect_err(wrong);
        assert!(complaint.contains("malformed"), "{complaint}");
    }
}

/// Checks the text of a file: how many samples it holds, or what is wrong, each complaint behind the number of its row.
fn check(text: &str) -> Result<usize, String> {
    let mut samples = 0;
    let mut complaints = Vec::new();
    let mut open: Option<(usize, &str)> = None;
    for (number, row) in (1..).zip(text.split('\n')) {
        let complaint = if let Some(line) = row.strip_prefix("> ") {
            open.replace((number, line)).map(|(number, _)| (number, "malformed: nothing below it".to_owned()))
        } else if let Some(expected) = row.strip_prefix("= ") {
            samples += 1;
            match open.take() {
                Some((_, line)) => difference(line, expected).map(|difference| (number, difference)),
                None => Some((number, "malformed: no line above it".to_owned())),
            }
        } else if row.is_empty() || row.starts_with('#') {
            None
        } else {
            Some((number, "malformed: begins with none of `> `, `= ` and `#`".to_owned()))
        };
        complaints.extend(complaint);
    }
    complaints.extend(open.map(|(number, _)| (number, "malformed: nothing below it".to_owned())));
    if complaints.is_empty() {
        return Ok(samples);
    }
    let rows: Vec<String> =
        complaints.iter().map(|(number, complaint)| format!("{number}: {complaint}")).collect();
    Err(rows.join("\n"))
}

/// How what a line tells differs from what it should, for a person.
fn difference(line: &str, expected: &str) -> Option<String> {
    let Some(bytes) = unescaped(line) else {
        return Some("malformed: the line holds a byte that is not escaped as `\\xNN` or `\\\\`".to_owned());
    };
    let mut want = match Told::read(expected) {
        Ok(want) => want,
        Err(why) => return Some(format!("malformed: {why}")),
    };
    let (mut have, blank) = told(&bytes);
    if let Some(wanted) = want.fields.remove("blank") {
        want.fields.insert("blank".to_owned(), wanted);
        have.fields.extend(blank.map(|blank| ("blank".to_owned(), blank)));
    }
    if want == have {
        return None;
    }
    let only = |these: &Told, others: &Told| {
        let head = (these.head != others.head).then(|| these.head.clone());
        let fields = these.fields.iter().filter(|(key, value)| others.fields.get(*key) != Some(*value));
        let fields =
            fields.map(|(key, value)| if value.is_empty() { key.clone() } else { format!("{key}={value}") });
        head.into_iter().chain(fields).collect::<Vec<_>>().join(" ")
    };
    Some(format!("{line}\n    wanted [{}]\n    found  [{}]", only(&want, &have), only(&have, &want)))
}

impl Told {
    /// Reads a `=` line.
    fn read(text: &str) -> Result<Told, String> {
        const KINDS: [&str; 12] = [
            "attempt",
            "echo",
            "connect",
            "end",
            "refused",
            "used",
            "fault",
            "slots",
            "turned-away",
            "gap",
            "torn",
            "mail",
        ];
        if ["quiet", "odd", "odd login-like", "foreign", "no-format"].contains(&text) {
            return Ok(Told { head: text.to_owned(), ..Told::default() });
        }
        let words: Vec<&str> = text.split(' ').collect();
        let [kind, service, protocol, fields @ ..] = &words[..] else {
            return Err("neither one of the short words nor `KIND SERVICE PROTOCOL`".to_owned());
        };
        if !KINDS.contains(kind) {
            return Err(format!("no kind: {kind}"));
        }
        let mut told = Told { head: format!("{kind} {service} {protocol}"), ..Told::default() };
        for field in fields {
            let (key, value) = match field.split_once('=') {
                Some((key, value)) if is_value(key, value) => (key, value),
                None if ["hidden", "tag", "common"].contains(field) => (*field, ""),
                _ => return Err(format!("no field: `{field}`")),
            };
            if told.fields.insert(key.to_owned(), value.to_owned()).is_some() {
                return Err(format!("twice: {key}"));
            }
        }
        if ["account", "cut", "last", "hidden"].iter().filter(|key| told.fields.contains_key(**key)).count()
            > 1
        {
            return Err("more than one account".to_owned());
        }
        told.fields.retain(|key, value| !DEFAULTS.contains(&(key, value)));
        Ok(told)
    }
}

/// Whether a field can have such a value.
fn is_value(key: &str, value: &str) -> bool {
    let one_of = |words: &[&str]| words.contains(&value);
    let is_number = |text: &str| text.parse::<u32>().is_ok();
    let is_key = |text: &str| unescaped(text).is_some() && !text.starts_with('(');
    match key {
        "source" => value.parse::<std::net::IpAddr>().is_ok(),
        "account" | "cut" | "blank" => is_key(value),
        "last" => value.rsplit_once('*').is_some_and(|(name, tries)| is_key(name) && is_number(tries)),
        "outcome" => one_of(&[
            "success",
            "bad-secret",
            "unknown-account",
            "failed",
            "denied",
            "server-fault",
            "aborted",
        ]),
        "mechanism" => one_of(&["plain", "digest", "unknown"]),
        "session" => one_of(&["id", "none"]) || value.strip_prefix("pid:").is_some_and(is_number),
        "witness" => one_of(&["agrees", "contradicts", "absent"]),
        "port" | "times" | "failed" | "succeeded" | "lasted" | "lost" | "in-use" | "slots" => {
            is_number(value)
        }
        _ => false,
    }
}

/// What the parser makes of a line, and the secret that it found in it.
fn told(line: &[u8]) -> (Told, Option<String>) {
    let mut health = Health::default();
    let parsed = Parser::new([7; 16]).line(line, &mut health);
    let odd: u64 = health.services.iter().map(|service| service.odd).sum();
    let login_like: u64 = health.services.iter().map(|service| service.login_like).sum();
    let mut told = Told::default();
    match parsed {
        Parsed::Event(_, event) => {
            let shown = event.secret_at.map(|(from, to)| word(&line[from as usize..to as usize]));
            told = of_event(&event);
            return (told, shown);
        }
        Parsed::Gap { service, lost, .. } => {
            told.head = format!("gap {} -", service.map_or("-", |service| service.name()));
            told.fields.extend((lost > 0).then(|| ("lost".to_owned(), lost.to_string())));
        }
        Parsed::Nothing(_) if login_like > 0 => told.head.push_str("odd login-like"),
        Parsed::Nothing(_) if odd > 0 => told.head.push_str("odd"),
        Parsed::Nothing(_) => told.head.push_str("quiet"),
        Parsed::Foreign => told.head.push_str("foreign"),
        Parsed::NoFormat => told.head.push_str("no-format"),
    }
    (told, None)
}

fn of_event(event: &AuthEvent) -> Told {
    let head = format!("{} {} {}", kind(event.tells), event.service.name(), protocol(event.protocol));
    let mut told = Told { head, ..Told::default() };
    let mut add = |key: &str, value: String| {
        if !DEFAULTS.contains(&(key, &value)) {
            told.fields.insert(key.to_owned(), value);
        }
    };
    if let Some(source) = event.source {
        add("source", source.to_string());
    }
    if let Some(port) = event.port {
        add("port", port.to_string());
    }
    match &event.account {
        Account::Known(key) => add("account", word(key.as_bytes())),
        Account::Cut(key) => add("cut", word(key.as_bytes())),
        Account::Last { key, of } => add("last", format!("{}*{of}", word(key.as_bytes()))),
        Account::Hidden => {}
    }
    add("outcome", outcome(event.outcome).to_owned());
    add("mechanism", mechanism(event.mechanism).to_owned());
    if event.secret.is_some() {
        add("tag", String::new());
    }
    if event.common_secret {
        add("common", String::new());
    }
    match event.session {
        Session::None => {}
        Session::Id(_) => add("session", "id".to_owned()),
        Session::Pid(pid) => add("session", format!("pid:{pid}")),
    }
    add("witness", witness(event.witness).to_owned());
    add("times", event.times.to_string());
    if let Some(lasted) = event.lasted {
        add("lasted", lasted.as_secs().to_string());
    }
    match event.tells {
        Tells::End { failed, succeeded } => {
            for (key, count) in [("failed", failed), ("succeeded", succeeded)] {
                if let Some(count) = count {
                    add(key, count.to_string());
                }
            }
        }
        Tells::Slots { in_use, slots } => {
            add("in-use", in_use.to_string());
            add("slots", slots.to_string());
        }
        Tells::Gap { lost } => add("lost", lost.to_string()),
        _ => {}
    }
    told
}

/// Bytes as one word of a sample file.
fn word(bytes: &[u8]) -> String {
    escaped(bytes).to_string().replace(' ', "\\x20")
}

fn kind(tells: Tells) -> &'static str {
    match tells {
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
        Tells::Mail => "mail",
    }
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

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::BadSecret => "bad-secret",
        Outcome::UnknownAccount => "unknown-account",
        Outcome::Failed => "failed",
        Outcome::Denied => "denied",
        Outcome::Aborted => "aborted",
        Outcome::ServerFault => "server-fault",
    }
}

fn mechanism(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::Digest => "digest",
        Mechanism::Plain => "plain",
        Mechanism::Unknown => "unknown",
    }
}

fn witness(witness: Witness) -> &'static str {
    match witness {
        Witness::Absent => "absent",
        Witness::Agrees => "agrees",
        Witness::Contradicts => "contradicts",
    }
}
