//! Every labelled line of the Postfix log, and of a real robot's mail log, tells what it can.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test stops at the first surprise

mod mail_corpus;

use fairban_core::account::{Account, AccountKey};
use fairban_core::event::{AuthEvent, Mechanism, Outcome, Service, Session, Tells, Witness};
use mail_corpus::{Label, Score, events, file, is_account, labels, printed};

/// The seventh column is the pid of smtpd: it is the session here.
const COLUMNS: [&str; 7] = ["source", "account", "outcome", "mechanism", "session", "role", "scenario"];
const HYDRA_COLUMNS: [&str; 6] = ["source", "account", "outcome", "mechanism", "role", "scenario"];

/// Lines of a try that its client was stopped in, so that it is not in the client's record: Dovecot's line of it was
/// matched to the try before, Postfix's has no label.
const CUT_OFF: [usize; 2] = [1559, 1560];

/// What a label looks like in the log: role, outcome and scenario of the label (by their beginnings), what the line
/// tells (`end` takes its numbers from the label's `auth=…`), its outcome, and why, in the words of the folder's README.
const VISIBLE: [(&str, &str, &str, &str, Outcome, &str); 16] = [
    (
        "attempt",
        "server-fault",
        "f-outage:auth-killed",
        "fault",
        Outcome::ServerFault,
        "`Connection lost to authentication server`: server fault",
    ),
    (
        "attempt",
        "server-fault",
        "f-outage:dovecot-down",
        "nameless",
        Outcome::Failed,
        "the second line alone equals a try with an empty name",
    ),
    (
        "attempt",
        "server-fault",
        "f-outage:passwd-file-missing",
        "attempt",
        Outcome::Failed,
        "user file missing: the failing line is an ordinary one",
    ),
    (
        "attempt",
        "aborted",
        "",
        "nameless",
        Outcome::Failed,
        "`authentication aborted`: client sent `*`; no name. Malformed: `sasl_username=(unavailable)`",
    ),
    (
        "attempt",
        "",
        "",
        "attempt",
        Outcome::Failed,
        "wrong secret and unknown account look the same; only Dovecot's line tells",
    ),
    (
        "auth-echo",
        "server-fault",
        "",
        "echo",
        Outcome::BadSecret,
        "the auth process was killed behind it: `Password mismatch`",
    ),
    (
        "auth-echo",
        "bad-secret",
        "",
        "echo",
        Outcome::BadSecret,
        "`Password mismatch`: two fields, no session id, do not count both",
    ),
    (
        "auth-echo",
        "unknown-account",
        "",
        "echo",
        Outcome::UnknownAccount,
        "`unknown user`: two fields, no session id, do not count both",
    ),
    ("session-end", "success", "", "end", Outcome::Success, "it is often the only line that tells a success"),
    ("session-end", "", "", "end", Outcome::Failed, "`auth=0/4` four tries, none good"),
    ("mail-sent", "success", "", "used", Outcome::Success, "a mail is sent by a user who logged in"),
    (
        "no-login",
        "aborted",
        "b-robot",
        "dropped",
        Outcome::Aborted,
        "robots that reconnect fast: `lost connection after AUTH`",
    ),
    (
        "no-login",
        "aborted",
        "",
        "dropped",
        Outcome::Aborted,
        "no `auth=`: none; a dropped or malformed exchange counts as `auth=0/1`",
    ),
    (
        "note",
        "aborted",
        "d-no-login",
        "nothing",
        Outcome::Aborted,
        "a dropped exchange, written 150 s after the client left",
    ),
    ("note", "", "", "nothing", Outcome::Aborted, "no try of its own"),
    ("", "", "", "", Outcome::Aborted, ""),
];

fn visible(label: &Label) -> (&'static str, Outcome) {
    let row = VISIBLE.iter().find(|(role, outcome, scenario, ..)| {
        label.role.starts_with(role)
            && label.outcome.starts_with(outcome)
            && label.scenario.starts_with(scenario)
    });
    let row = row.expect("the last row fits all");
    assert_ne!(row.3, "", "no row for {label:?}");
    (row.3, row.4)
}

/// "A newline arrives as `?n`, a tab as `?t`, CR as `?r`"; "an empty name is `(unavailable)` or nothing"; "cut at 100
/// bytes without a mark".
fn printed_by_postfix(name: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::new();
    for &byte in name {
        match byte {
            b'\n' => escaped.extend(b"\x01n"),
            b'\t' => escaped.extend(b"\x01t"),
            b'\r' => escaped.extend(b"\x01r"),
            _ => escaped.push(byte),
        }
    }
    printed(&escaped)
}

fn is_name_in_postfix(account: &Account, label: &Label) -> bool {
    let shown = printed_by_postfix(&label.account).to_ascii_lowercase();
    match account {
        // "printed names then agreed in all but 13 of 348 lines, all of them odd names or `(unavailable)`"
        Account::Hidden => shown.is_empty() || label.scenario == "e-odd-helo",
        Account::Cut(key) => shown.len() >= 100 && AccountKey::new(&shown[..100]) == *key,
        Account::Known(key) => {
            let name = shown.trim_ascii();
            let alike =
                |(name, key): (&u8, &u8)| name == key || *name >= 0x7f && *key == b'?' || *name == b'?';
            name.len() == key.as_bytes().len() && name.iter().zip(key.as_bytes()).all(alike)
        }
        Account::Last { .. } => false,
    }
}

/// Failed and succeeded tries in `auth=OK/ALL`.
fn counts(mechanism: &str) -> (Option<u16>, Option<u16>) {
    let Some(counts) = mechanism.strip_prefix("auth=") else {
        return (Some(0), Some(0));
    };
    let (good, all) = counts.split_once('/').unwrap_or((counts, counts));
    let (good, all): (u16, u16) = (good.parse().unwrap(), all.parse().unwrap());
    (Some(all - good), Some(good))
}

fn mechanism(label: &Label) -> Mechanism {
    match label.mechanism.as_str() {
        "PLAIN" | "LOGIN" => Mechanism::Plain,
        "CRAM-MD5" => Mechanism::Digest,
        _ => Mechanism::Unknown,
    }
}

fn check(line: usize, label: &Label, event: Option<&AuthEvent>) -> Result<(), String> {
    let (what, outcome) = visible(label);
    let Some(event) = event else {
        return if what == "nothing" { Ok(()) } else { Err("nothing".to_owned()) };
    };
    let (service, tells, named) = match what {
        "attempt" => (Service::Postfix, Tells::Attempt, true),
        "nameless" => (Service::Postfix, Tells::Attempt, false),
        "fault" => (Service::Postfix, Tells::Fault, false),
        "used" => (Service::Postfix, Tells::Used, true),
        "echo" => (Service::Dovecot, Tells::Echo, true),
        "end" => {
            let (failed, succeeded) = counts(&label.mechanism);
            (Service::Postfix, Tells::End { failed, succeeded }, false)
        }
        "dropped" => match event.tells {
            tells @ Tells::End { failed: Some(0 | 1), succeeded: Some(0) } => {
                (Service::Postfix, tells, false)
            }
            _ => return Err("not the end of a session without a login".to_owned()),
        },
        _ => return Err("something".to_owned()),
    };
    if (event.service, event.tells) != (service, tells) {
        return Err(format!("not {tells:?} of {service:?}"));
    }
    let failed_by_count =
        matches!(event.tells, Tells::End { failed: Some(1), .. }) && event.outcome == Outcome::Failed;
    if event.outcome != outcome && !(what == "dropped" && failed_by_count) {
        return Err(format!("not {outcome:?}"));
    }
    if event.source != Some(label.source) {
        return Err("another source".to_owned());
    }
    let session = label.session.parse().map_or(Session::None, Session::Pid);
    if event.session != session || event.witness != Witness::Absent {
        return Err("another session".to_owned());
    }
    let right_name = CUT_OFF.contains(&line)
        || match (named, service) {
            (false, _) => event.account == Account::Hidden,
            (true, Service::Dovecot) => {
                [64, 128].iter().any(|max| is_account(&event.account, &printed(&label.account), *max))
            }
            (true, _) => is_name_in_postfix(&event.account, label),
        };
    if !right_name {
        return Err("another account".to_owned());
    }
    let told_by_driver = service == Service::Dovecot && event.mechanism == Mechanism::Unknown;
    if (named || what == "fault") && event.mechanism != mechanism(label) && !told_by_driver {
        return Err("another mechanism".to_owned());
    }
    Ok(())
}

fn score(name: &str) {
    let labels = labels("postfix", &COLUMNS);
    let labels = &labels["smtp.iso.log"];
    let events = events(&file("postfix", name));
    let mut score = Score::new(name);
    for (&line, label) in labels {
        let event = events.get(&line);
        score.count(line, label, event, check(line, label, event));
    }
    score.demand_all(1040);
    let unlabelled =
        events.iter().filter(|(line, event)| event.tells == Tells::Attempt && !labels.contains_key(line));
    assert!(
        unlabelled.map(|(line, _)| line).all(|line| CUT_OFF.contains(line)),
        "every other try has a label"
    );
    // "Connect to Dovecot auth socket … failed, then, same pid, …": the pid is what tells that the try was none.
    for (&line, label) in labels.iter().filter(|(_, label)| label.scenario == "f-outage:dovecot-down") {
        let session = Session::Pid(label.session.parse().unwrap());
        let mut troubles = events.range(..line).filter(|(_, event)| event.tells == Tells::Fault);
        assert!(troubles.any(|(_, event)| event.session == session && event.source.is_none()), "{label:?}");
    }
}

#[test]
fn postfix_log_in_iso_form() {
    score("smtp.iso.log");
}

#[test]
fn postfix_log_in_rfc3164_form() {
    score("smtp.rfc3164.log");
}

#[test]
fn postfix_log_in_rfc5424_form() {
    score("smtp.rfc5424.log");
}

/// "labels.tsv marks every line with the address (outcome here was read from the text; `robot` where the line says no
/// more)": so a line of the robot tells at least its source, and the outcome where the text has one.
fn score_hydra(name: &str) {
    let labels = labels("hydra", &HYDRA_COLUMNS);
    let bytes = file("hydra", name);
    let events = events(&bytes);
    let mut score = Score::new(name);
    for (&line, label) in &labels[name] {
        let event = events.get(&line);
        let verdict = match (label.outcome.as_str(), event) {
            ("robot", None) if label.role != "attempt" => Ok(()), // `lost connection after AUTH`
            (_, None) => Err("nothing".to_owned()),
            (_, Some(event)) if event.source != Some(label.source) => Err("another source".to_owned()),
            ("unknown-account", Some(event)) if event.outcome != Outcome::UnknownAccount => {
                Err("not unknown".to_owned())
            }
            ("bad-secret", Some(event)) if event.outcome != Outcome::BadSecret => Err("not wrong".to_owned()),
            (_, Some(event)) if event.outcome == Outcome::Success => Err("no password was right".to_owned()),
            _ => Ok(()),
        };
        score.count(line, label, event, verdict);
    }
    score.demand_all(170);
}

#[test]
fn hydra_in_the_mail_log() {
    score_hydra("mail.iso.log");
    score_hydra("mail.rfc3164.log");
}
