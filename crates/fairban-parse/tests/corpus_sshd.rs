//! Every labelled line of the sshd logs tells what its form lets it tell.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise, and prints its score"
)]
#![expect(clippy::disallowed_methods, reason = "the test, unlike the crate, reads its samples")]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::Path;

use fairban_core::account::{Account, AccountKey};
use fairban_core::event::{AuthEvent, Mechanism, Outcome, Service, Tells};
use fairban_parse::health::Health;
use fairban_parse::parser::{Parsed, Parser};

/// Only ever occurs in what clients sent.
const NEVER_CONNECTED: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(8, 8, 8, 8));

/// One row of `labels.tsv`: what the client knows.
#[derive(Clone, Debug)]
struct Label {
    line: usize,
    source: IpAddr,
    account: Vec<u8>,
    outcome: String,
    port: Option<u16>,
    role: String,
}

/// What kind of event a line makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Attempt,
    Echo,
    Refused,
    End,
    Quiet,
}

/// What the line shows of the connection: an address and a port, an address, or only its pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shows {
    Place,
    Address,
    Pid,
}

use Kind::{Attempt, Echo, End, Quiet, Refused};
use Mechanism::{Plain, Unknown};
use Outcome::{Aborted, BadSecret, Denied, Success, UnknownAccount};
use Shows::{Address, Pid, Place};

/// Role and outcome of the label, how the text begins and, behind `…`, words that it holds; then what the line shows,
/// whether it names the account, and why.
struct Visible {
    role: &'static str,
    outcome: &'static str,
    text: &'static str,
    event: (Kind, Outcome, Mechanism, Shows),
    named: bool,
    why: &'static str,
}

#[rustfmt::skip]
const fn row(
    role: &'static str, outcome: &'static str, text: &'static str, event: (Kind, Outcome, Mechanism, Shows), named: bool,
    why: &'static str,
) -> Visible {
    Visible { role, outcome, text, event, named, why }
}

/// What a label looks like in the log. The first row that fits is right; the last column says why in the words of the
/// folder's README.
#[rustfmt::skip]
const VISIBLE: [Visible; 27] = [
    row("attempt", "success", "Accepted publickey for ", (Attempt, Success, Unknown, Place), true, "`Accepted password|publickey|keyboard-interactive/pam for USER`: success"),
    row("attempt", "success", "Accepted key ", (Quiet, Aborted, Unknown, Pid), false, "the key of the `Accepted publickey` that follows (verbose)"),
    row("attempt", "success", "Accepted ", (Attempt, Success, Plain, Place), true, "`Accepted password|publickey|keyboard-interactive/pam for USER`: success"),
    row("attempt", "bad-secret", "Failed publickey ", (Quiet, Aborted, Unknown, Pid), false, "a key that does not fit; every agent user makes some"),
    row("attempt", "denied", "Failed … for expired ", (Attempt, BadSecret, Plain, Place), true, "`account USER has expired`, then `Failed password`: the password was right"),
    row("attempt", "denied", "Failed … invalid user ", (Attempt, UnknownAccount, Plain, Place), true, "unknown account or a real account that AllowUsers/DenyUsers refuses"),
    row("attempt", "bad-secret", "Failed … invalid user dan from ", (Attempt, UnknownAccount, Plain, Place), true, "twice `dan:style`, which two servers call `invalid user dan`"),
    row("attempt", "unknown-account", "Failed … invalid user ", (Attempt, UnknownAccount, Plain, Place), true, "`Failed password for invalid user USER`: unknown account"),
    row("attempt", "bad-secret", "Failed ", (Attempt, BadSecret, Plain, Place), true, "`Failed password for USER`: wrong secret"),
    row("pam-echo", "", "pam_unix(sshd:auth): check pass; user unknown", (Echo, UnknownAccount, Plain, Pid), false, "no address; echo"),
    row("pam-echo", "", "pam_unix(sshd:auth): authentication failure; …  user=", (Echo, BadSecret, Plain, Address), true, "`rhost=R  user=USER`: echo; two spaces"),
    row("pam-echo", "", "pam_unix(sshd:auth): authentication failure; ", (Echo, UnknownAccount, Plain, Address), false, "no `user=` for an unknown one"),
    row("pam-echo", "", "error: PAM: Authentication failure for illegal user ", (Echo, UnknownAccount, Plain, Address), true, "\"illegal\", not \"invalid\"; no port"),
    row("pam-echo", "", "error: PAM: Authentication failure for ", (Echo, BadSecret, Plain, Address), true, "echo (keyboard-interactive); no port"),
    row("pam-echo", "", "error: Could not get shadow information for NOUSER", (Echo, UnknownAccount, Plain, Pid), false, "UsePAM no, unknown account; echo without address"),
    row("summary", "", "PAM ", (Quiet, Aborted, Unknown, Pid), false, "summary of tries already logged"),
    row("user-refused", "", "Invalid user ", (Refused, UnknownAccount, Unknown, Place), true, "before the try; one per connection"),
    row("user-refused", "", "User ", (Refused, Denied, Unknown, Address), true, "`User USER from R not allowed because …` came before"),
    row("denied", "denied", "", (Refused, Denied, Unknown, Pid), true, "`account USER has expired`, `fatal: Access denied for user USER`: the password was right"),
    row("no-login", "aborted", "error: kex_", (Quiet, Aborted, Unknown, Pid), false, "no address; the next line of the pid has it"),
    row("no-login", "aborted", "error: Protocol major versions differ", (Quiet, Aborted, Unknown, Pid), false, "scanner"),
    row("no-login", "aborted", "Connection closed by authenticating user ", (End, Aborted, Unknown, Place), true, "named, and nothing tried but `none`"),
    row("no-login", "aborted", "", (End, Aborted, Unknown, Place), false, "junk, scanner, or end"),
    row("session-end", "", "Connection closed by invalid user ", (End, Aborted, Unknown, Place), true, "`Connection closed by [invalid user USER ]R port P`: end"),
    row("session-end", "", "Connection closed by authenticating user ", (End, Aborted, Unknown, Place), true, "`Connection closed by [authenticating user USER ]R port P`: end"),
    row("session-end", "", "Disconnected from user ", (End, Aborted, Unknown, Place), true, "`Disconnected from …`: end"),
    row("session-end", "", "", (End, Aborted, Unknown, Place), false, "`Connection reset by …`, `Received disconnect from R port P:11: TEXT`: end; TEXT is the client's"),
];

fn visible(label: &Label, text: &[u8]) -> &'static Visible {
    let fits = |row: &&Visible| {
        let (begins, holds) = row.text.split_once('…').unwrap_or((row.text, ""));
        label.role == row.role
            && (row.outcome.is_empty() || label.outcome == row.outcome)
            && text.starts_with(begins.as_bytes())
            && (holds.is_empty() || text.windows(holds.len()).any(|window| window == holds.as_bytes()))
    };
    VISIBLE.iter().find(fits).unwrap_or_else(|| panic!("no row for {label:?}: {}", text.escape_ascii()))
}

/// "Everything after `:` in a name is dropped as a style", "names are cut at 100 bytes"; and this is Debian's sshd, which
/// takes what follows a `/` for a role.
fn printed(sent: &[u8]) -> Account {
    let name = sent.split(|&byte| byte == b':' || byte == b'/').next().unwrap_or_default();
    match name.get(..100) {
        Some(beginning) => Account::Cut(AccountKey::new(beginning)),
        None => Account::Known(AccountKey::new(name)),
    }
}

fn check(label: &Label, text: &[u8], event: Option<&AuthEvent>) -> Result<(), String> {
    let row = visible(label, text);
    let (kind, outcome, mechanism, shows) = row.event;
    let Some(event) = event else {
        return if kind == Quiet { Ok(()) } else { Err(format!("nothing, but {}", row.why)) };
    };
    let seen = match event.tells {
        Tells::Attempt => Attempt,
        Tells::Echo => Echo,
        Tells::Refused => Refused,
        Tells::End { failed: None, succeeded: None } => End,
        _ => return Err("a line of another kind".to_owned()),
    };
    if (seen, event.outcome, event.mechanism) != (kind, outcome, mechanism) {
        return Err(format!("not {kind:?} {outcome:?} {mechanism:?}: {}", row.why));
    }
    let place = match shows {
        Place => (Some(label.source), label.port),
        Address => (Some(label.source), None),
        Pid => (None, None),
    };
    if (event.source, event.port) != place {
        return Err(format!("not {place:?}: {}", row.why));
    }
    let account = if row.named { printed(&label.account) } else { Account::Hidden };
    if event.account == account { Ok(()) } else { Err(format!("not {account:?}: {}", row.why)) }
}

/// A file below `samples/`, plain or compressed.
fn sample(folder: &str, name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples").join(folder).join(name);
    if let Ok(bytes) = std::fs::read(&path) {
        return bytes;
    }
    let compressed = std::fs::read(format!("{}.gz", path.display())).expect("a sample, plain or compressed");
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&compressed[..]).read_to_end(&mut bytes).expect("a whole gzip file");
    bytes
}

/// The rows of `labels.tsv` about files that begin with `stem`, by the names of the columns.
fn labels(folder: &str, stem: &str) -> Vec<Label> {
    let text = String::from_utf8(sample(folder, "labels.tsv")).expect("labels are escaped");
    let mut rows = text.lines().map(|row| row.split('\t').collect::<Vec<_>>());
    let columns = rows.next().expect("a row of names");
    let label = |row: Vec<&str>| {
        let field: BTreeMap<&str, &str> = columns.iter().copied().zip(row).collect();
        field["file"].starts_with(stem).then(|| Label {
            line: field["line"].parse().expect("a line number"),
            source: field["source"].parse().expect("an address"),
            account: unescaped(field["account"]),
            outcome: field["outcome"].to_owned(),
            port: field.get("port").and_then(|port| port.parse().ok()),
            role: field["role"].to_owned(),
        })
    };
    rows.filter_map(label).collect()
}

/// Undoes `\xNN` and `\\`. Clients sent UTF-8, and labels hold it as Latin-1 where the name has no other characters.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let (value, taken) = match (byte, behind.first()) {
            (b'\\', Some(b'x')) => {
                let digits = str::from_utf8(&behind[1..3]).expect("two digits");
                (u8::from_str_radix(digits, 16).expect("two hexadecimal digits"), 3)
            }
            (b'\\', Some(b'\\')) => (b'\\', 1),
            _ => (byte, 0),
        };
        bytes.push(value);
        rest = &behind[taken..];
    }
    if str::from_utf8(&bytes).is_ok() {
        bytes
    } else {
        bytes.into_iter().map(char::from).collect::<String>().into()
    }
}

/// The lines of a log and what each tells. All of them are understood, and none tells of the address that only
/// clients named.
fn read(bytes: &[u8]) -> Vec<(&[u8], Option<AuthEvent>)> {
    let parser = Parser::new([7; 16]);
    let mut health = Health::default();
    let mut read = Vec::new();
    for line in bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let event = match parser.line(line, &mut health) {
            Parsed::Event(_, event) => Some(event),
            _ => None,
        };
        let source = event.as_ref().and_then(|event| event.source);
        assert_ne!(source, Some(NEVER_CONNECTED), "{}", line.escape_ascii());
        read.push((line, event));
    }
    let sshd = &health.services[Service::Sshd.index()];
    assert_eq!((sshd.odd, sshd.login_like), (0, 0), "{:?}", sshd.samples);
    assert_eq!((sshd.lines, sshd.understood), (read.len() as u64, read.len() as u64));
    read
}

/// What the program wrote: behind `sshd[PID]: ` or, in RFC 5424, behind the structured data.
fn text(line: &[u8]) -> &[u8] {
    let ends = [&b"]: "[..], b" - - "].into_iter().filter_map(|mark| {
        line.windows(mark.len()).position(|window| window == mark).map(|at| at + mark.len())
    });
    line[ends.min().expect("the mark before the text")..].trim_ascii_start()
}

/// Prints the score of a file and demands that all is right.
fn demand_all(name: &str, labelled: usize, wrong: &[String]) {
    println!("{name}: {}/{labelled}", labelled - wrong.len());
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong[..wrong.len().min(12)].join("\n"));
}

#[test]
fn every_labelled_line_of_sshd_is_right_in_all_three_forms() {
    let labels = labels("sshd", "sshd.");
    assert_eq!(labels.len(), 1_384);
    for name in ["sshd.iso.log", "sshd.rfc3164.log", "sshd.rfc5424.log"] {
        let bytes = sample("sshd", name);
        let lines = read(&bytes);
        let mut wrong = Vec::new();
        for label in &labels {
            let (line, event) = &lines[label.line - 1];
            if let Err(why) = check(label, text(line), event.as_ref()) {
                wrong.push(format!("{name}:{}: {why}\n  {}\n  {event:?}", label.line, line.escape_ascii()));
            }
        }
        demand_all(name, labels.len(), &wrong);
    }
}

#[test]
fn the_four_odd_attempts_are_told_as_the_server_told_them() {
    // "The four odd attempts: twice `expired`, twice `dan:style`, which two servers call `invalid user dan`."
    let bytes = sample("sshd", "sshd.iso.log");
    let lines = read(&bytes);
    let mut odd: Vec<(String, Outcome)> = Vec::new();
    for label in labels("sshd", "sshd.").iter().filter(|label| label.role == "attempt") {
        let (line, Some(event)) = &lines[label.line - 1] else { continue };
        let agrees = match label.outcome.as_str() {
            "success" => event.outcome == Success,
            "bad-secret" => event.outcome == BadSecret,
            "unknown-account" => event.outcome == UnknownAccount,
            // "or a real account that AllowUsers/DenyUsers refuses"
            _ => text(line).windows(14).any(|words| words == b" invalid user "),
        };
        if !agrees {
            odd.push((label.account.escape_ascii().to_string(), event.outcome));
        }
    }
    odd.sort_by(|a, b| a.0.cmp(&b.0));
    let odd: Vec<(&str, Outcome)> =
        odd.iter().map(|(account, outcome)| (account.as_str(), *outcome)).collect();
    let style = ("dan", UnknownAccount);
    let expired = ("expired", BadSecret);
    assert_eq!(odd, [style, style, expired, expired]);
}

#[test]
fn every_labelled_line_of_hydra_at_sshd_is_right_in_both_forms() {
    // "Everything with that address is the robot"; these labels were read from the text and name no account.
    let labels = labels("hydra", "auth.");
    assert_eq!(labels.len(), 294);
    for name in ["auth.iso.log", "auth.rfc3164.log"] {
        let bytes = sample("hydra", name);
        let lines = read(&bytes);
        let mut wrong = Vec::new();
        for label in &labels {
            let (line, event) = &lines[label.line - 1];
            let right = match (label.role.as_str(), event) {
                ("attempt", Some(event)) => event.tells == Tells::Attempt && event.outcome == UnknownAccount,
                ("session-end", Some(event)) => matches!(event.tells, Tells::End { .. }),
                ("other", Some(event)) => {
                    matches!(event.tells, Tells::Echo | Tells::Refused | Tells::End { .. })
                }
                ("other", None) => true,
                _ => false,
            };
            let by_the_robot = event.as_ref().is_none_or(|event| event.source == Some(label.source));
            if !right || !by_the_robot {
                wrong.push(format!(
                    "{name}:{}: {label:?}\n  {}\n  {event:?}",
                    label.line,
                    line.escape_ascii()
                ));
            }
        }
        demand_all(name, labels.len(), &wrong);
    }
}
