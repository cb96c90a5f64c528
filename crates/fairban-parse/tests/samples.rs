//! Runs the sample files: `samples/*.txt`, real lines each with the event that it must give.
//!
//! ```text
//! # A comment, or an empty line.
//! > a line as in the log; bytes outside printable ASCII as \xNN, a backslash as \\
//! = what it must give
//! ```
//!
//! What a line must give is one of `quiet`, `odd`, `odd login-like`, `foreign`, `no-format`, or an event:
//! `attempt|echo|connect|end|refused|used|fault|slots|turned-away|gap|torn SERVICE PROTOCOL FIELD…`, with `-` for an
//! unknown protocol, and for a gap that may be any service's `gap - -`. Fields, in any order:
//!
//! | field | default |
//! |---|---|
//! | `source=ADDRESS` `port=N` | none |
//! | `account=KEY` `cut=KEY` `last=KEY*N` `hidden` | `hidden` |
//! | `outcome=success\|bad-secret\|unknown-account\|failed\|denied\|aborted\|server-fault` | `aborted` |
//! | `mechanism=plain\|digest\|unknown` | `unknown` |
//! | `tag` (there is a secret tag) `common` | neither |
//! | `session=id\|pid:N\|none` | `none` |
//! | `witness=agrees\|contradicts\|absent` | `absent` |
//! | `times=N` | 1 |
//! | `failed=N` `succeeded=N` `lasted=SECONDS` | none |
//! | `lost=N` `in-use=N` `slots=N` | 0 |
//! | `blank=TEXT` (what is blanked where the line is shown) | not compared |
//!
//! What is not named must have its default. A key is the account's key, not its spelling; a blank in it is `\x20`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use fairban_core::account::{Account, AccountKey};
use fairban_core::escape::escaped;
use fairban_core::event::{AuthEvent, Mechanism, Outcome, Protocol, Session, Tells, Witness};
use fairban_parse::health::Health;
use fairban_parse::parser::{Parsed, Parser};

#[test]
fn each_sample_gives_its_event() {
    let mut problems = String::new();
    let mut samples = 0;
    for path in sample_files() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        samples += check(&name, &text, &mut problems);
    }
    assert!(samples > 0, "no samples found");
    assert!(problems.is_empty(), "\n{problems}");
}

#[test]
fn a_wrong_expectation_is_reported() {
    let good = "> Jan 21 08:31:02 mx CRON[1]: x\n= foreign\n";
    let mut problems = String::new();
    assert_eq!(check("a.txt", good, &mut problems), 1);
    assert!(problems.is_empty(), "{problems}");
    for wrong in [
        "> Jan 21 08:31:02 mx CRON[1]: x\n= quiet\n",
        "> Jan 21 08:31:02 mx CRON[1]: x\n",
        "= quiet\n",
        "Jan 21 08:31:02 mx CRON[1]: x\n= foreign\n",
        "> Jan 21 08:31:02 mx last message repeated 2 times\n= gap - - lost=3\n",
        "> Jan 21 08:31:02 mx last message repeated 2 times\n= gap sshd - lost=2\n",
        "> Jan 21 08:31:02 mx last message repeated 2 times\n= gap - - lost=2 port=1\n",
        "> \\x\n= no-format\n",
    ] {
        let mut problems = String::new();
        check("a.txt", wrong, &mut problems);
        assert!(problems.starts_with("a.txt:"), "{wrong}");
    }
}

fn sample_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    files
}

/// Checks one file, adds what is wrong to `problems`, and returns the number of samples.
fn check(name: &str, text: &str, problems: &mut String) -> usize {
    let mut samples = 0;
    let mut open: Option<(usize, &str)> = None;
    let mut complain = |number: usize, what: &str| {
        let _ = writeln!(problems, "{name}:{number}: {what}");
    };
    for (number, row) in (1..).zip(text.split('\n')) {
        if let Some(line) = row.strip_prefix("> ") {
            if let Some((number, _)) = open.replace((number, line)) {
                complain(number, "no `=` after this line");
            }
        } else if let Some(expected) = row.strip_prefix("= ") {
            let Some((_, line)) = open.take() else {
                complain(number, "no `>` before this");
                continue;
            };
            samples += 1;
            match unescaped(line) {
                Some(line) => {
                    if let Some(difference) = compare(&line, expected) {
                        complain(number, &difference);
                    }
                }
                None => complain(number - 1, "a backslash that is neither \\\\ nor \\xNN"),
            }
        } else if !row.trim().is_empty() && !row.starts_with('#') {
            complain(number, "neither `> `, `= `, `#` nor empty");
        }
    }
    if let Some((number, _)) = open {
        complain(number, "no `=` after this line");
    }
    samples
}

fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        bytes.push(match (byte, after) {
            (b'\\', [b'\\', after @ ..]) => {
                rest = after;
                b'\\'
            }
            (b'\\', [b'x', high, low, after @ ..]) => {
                rest = after;
                u8::from_str_radix(std::str::from_utf8(&[*high, *low]).ok()?, 16).ok()?
            }
            (b'\\', _) => return None,
            (byte, _) => byte,
        });
    }
    Some(bytes)
}

/// What differs, for a person; `None` if nothing does.
fn compare(line: &[u8], expected: &str) -> Option<String> {
    const DEFAULTS: [&str; 8] = [
        "hidden",
        "outcome=aborted",
        "mechanism=unknown",
        "session=none",
        "witness=absent",
        "times=1",
        "lost=0",
        "in-use=0",
    ];
    let (found, blank) = read(line);
    let fields = |text: &str| {
        let mut words: Vec<String> =
            text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        words.retain(|word| !DEFAULTS.contains(&word.as_str()) && !word.starts_with("blank="));
        let head_len = words.len().min(3);
        words[head_len..].sort();
        words
    };
    let (want, have) = (fields(expected), fields(&found));
    let blank_wanted = expected.split(' ').find_map(|word| word.strip_prefix("blank="));
    let blank_differs = blank_wanted.is_some_and(|wanted| Some(wanted) != blank.as_deref());
    if want == have && !blank_differs {
        return None;
    }
    let only = |these: &[String], others: &[String]| {
        these.iter().filter(|word| !others.contains(word)).cloned().collect::<Vec<_>>().join(" ")
    };
    let mut text = format!("{}\n    wanted {}\n    found  {}", escaped(line), want.join(" "), have.join(" "));
    let _ = write!(text, "\n    missing [{}], not wanted [{}]", only(&want, &have), only(&have, &want));
    if blank_differs {
        let _ = write!(text, ", blank is {blank:?}");
    }
    text.push('\n');
    Some(text)
}

/// What the parser makes of a line, in the words of the sample files; and the secret that it found.
fn read(line: &[u8]) -> (String, Option<String>) {
    let mut health = Health::default();
    let parsed = Parser::new([7; 16]).line(line, &mut health);
    let odd: u64 = health.services.iter().map(|service| service.odd).sum();
    let login_like: u64 = health.services.iter().map(|service| service.login_like).sum();
    let text = match &parsed {
        Parsed::Event(_, event) => return (shown(event), blank(event, line)),
        Parsed::Gap { lost, .. } => format!("gap - - lost={lost}"),
        Parsed::Nothing(_) if login_like > 0 => "odd login-like".to_owned(),
        Parsed::Nothing(_) if odd > 0 => "odd".to_owned(),
        Parsed::Nothing(_) => "quiet".to_owned(),
        Parsed::Foreign => "foreign".to_owned(),
        Parsed::NoFormat => "no-format".to_owned(),
    };
    (text, None)
}

fn blank(event: &AuthEvent, line: &[u8]) -> Option<String> {
    let (from, to) = event.secret_at?;
    let secret =
        line.get(from as usize..to as usize).unwrap_or_else(|| panic!("{from}..{to}: {}", escaped(line)));
    Some(word(secret))
}

fn shown(event: &AuthEvent) -> String {
    let mut text = format!("{} {} {}", tells(event.tells), event.service.name(), protocol(event.protocol));
    let mut add = |field: String| {
        text.push(' ');
        text.push_str(&field);
    };
    if let Some(source) = event.source {
        add(format!("source={source}"));
    }
    if let Some(port) = event.port {
        add(format!("port={port}"));
    }
    add(account(&event.account));
    add(format!("outcome={}", outcome(event.outcome)));
    add(format!("mechanism={}", mechanism(event.mechanism)));
    if event.secret.is_some() {
        add("tag".into());
    }
    if event.common_secret {
        add("common".into());
    }
    add(match event.session {
        Session::None => "session=none".into(),
        Session::Id(_) => "session=id".into(),
        Session::Pid(pid) => format!("session=pid:{pid}"),
    });
    add(witness(event.witness).into());
    add(format!("times={}", event.times));
    if let Some(lasted) = event.lasted {
        let micros = lasted.as_micros();
        let fraction = format!(".{:06}", micros.rem_euclid(1_000_000));
        add(format!("lasted={}{}", lasted.as_secs(), fraction.trim_end_matches('0').trim_end_matches('.')));
    }
    match event.tells {
        Tells::End { failed, succeeded } => {
            if let Some(failed) = failed {
                add(format!("failed={failed}"));
            }
            if let Some(succeeded) = succeeded {
                add(format!("succeeded={succeeded}"));
            }
        }
        Tells::Slots { in_use, slots } => {
            add(format!("in-use={in_use}"));
            add(format!("slots={slots}"));
        }
        Tells::Gap { lost } => add(format!("lost={lost}")),
        _ => {}
    }
    text
}

fn tells(tells: Tells) -> &'static str {
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

fn account(account: &Account) -> String {
    let name = |key: &AccountKey| word(key.as_bytes());
    match account {
        Account::Known(key) => format!("account={}", name(key)),
        Account::Cut(key) => format!("cut={}", name(key)),
        Account::Last { key, of } => format!("last={}*{of}", name(key)),
        Account::Hidden => "hidden".into(),
    }
}

/// Bytes as one word of a sample file.
fn word(bytes: &[u8]) -> String {
    escaped(bytes).to_string().replace(' ', "\\x20")
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
        Witness::Absent => "witness=absent",
        Witness::Agrees => "witness=agrees",
        Witness::Contradicts => "witness=contradicts",
    }
}
