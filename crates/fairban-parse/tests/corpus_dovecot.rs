//! Every labelled line of the Dovecot logs tells what its setting lets it tell.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test stops at the first surprise

mod mail_corpus;

use std::collections::BTreeMap;

use fairban_core::account::Account;
use fairban_core::event::{AuthEvent, Mechanism, Outcome, Session, Tells, Witness};
use fairban_parse::service::dovecot::session_start;
use mail_corpus::{Label, Score, events, file, is_account, labels, printed};

const COLUMNS: [&str; 7] = ["source", "account", "outcome", "mechanism", "session", "role", "scenario"];

/// What kind of event a line makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Attempt,
    /// The tries that it counts failed.
    EndFailed,
    EndOther,
    Fault,
    Nothing,
}

/// What a label looks like in the log. The first row that fits is right: file, role, outcome and scenario of the label
/// (by their beginnings), what the line can show, and why, in the words of the folder's README.
const VISIBLE: [(&str, &str, &str, &str, Kind, Outcome, &str); 14] = [
    (
        "",
        "attempt",
        "success",
        "",
        Kind::Attempt,
        Outcome::Success,
        "`imap-login: Login: user=<USER>` success",
    ),
    (
        "",
        "attempt",
        "unknown-account",
        "",
        Kind::Attempt,
        Outcome::UnknownAccount,
        "`unknown user`, or a name refused before look-up",
    ),
    ("", "attempt", "bad-secret", "", Kind::Attempt, Outcome::BadSecret, "`Password mismatch`: wrong secret"),
    (
        "sqldown",
        "attempt",
        "server-fault",
        "",
        Kind::Fault,
        Outcome::ServerFault,
        "`Not connected to database`: outage",
    ),
    (
        "verbose",
        "attempt",
        "server-fault",
        "f-outage:auth-killed",
        Kind::Attempt,
        Outcome::BadSecret,
        "auth process killed: its line was written before",
    ),
    (
        "verbose",
        "attempt",
        "server-fault",
        "f-outage-robot:passwd-file-missing",
        Kind::Attempt,
        Outcome::UnknownAccount,
        "a missing user file looks like guessing",
    ),
    (
        "verbose",
        "session-end",
        "server-fault",
        "f-outage:auth-killed",
        Kind::Fault,
        Outcome::ServerFault,
        "`auth process communication failure`: server fault",
    ),
    (
        "verbose",
        "session-end",
        "server-fault",
        "f-outage",
        Kind::EndFailed,
        Outcome::Failed,
        "a missing user file: the client's line is an ordinary `(auth failed, 1 attempts …)`",
    ),
    (
        "sqldown",
        "session-end",
        "server-fault",
        "",
        Kind::Fault,
        Outcome::ServerFault,
        "with SQL it is honest: `auth service reported temporary failure`",
    ),
    (
        "",
        "session-end",
        "denied",
        "",
        Kind::EndOther,
        Outcome::Denied,
        "password was right, account refuses login: `denied`, not a guess",
    ),
    (
        "",
        "session-end",
        "unknown-account",
        "",
        Kind::EndFailed,
        Outcome::Failed,
        "`(auth failed, N attempts in T secs)`: end of a session whose logins failed",
    ),
    (
        "",
        "session-end",
        "bad-secret",
        "",
        Kind::EndFailed,
        Outcome::Failed,
        "`(auth failed, N attempts in T secs)`: end of a session whose logins failed",
    ),
    ("", "no-login", "aborted", "", Kind::EndOther, Outcome::Aborted, "no login tried, or gone in mid-auth"),
    (
        "",
        "note",
        "",
        "",
        Kind::Nothing,
        Outcome::Aborted,
        "malformed; the session goes on and ends in its own line",
    ),
];

/// "`Input buffer full`", "`APOP failed: Invalid parameters`: malformed; the session goes on and ends in its own line":
/// these names never became a try (and a malformed line's own record is a `note`).
fn is_malformed(label: &Label) -> bool {
    const LINE_BYTES_MAX: usize = 1024;
    let command = matches!(label.mechanism.as_str(), "cmd" | "APOP");
    let blank = label.account.iter().any(|byte| matches!(byte, b' ' | b'\n'));
    command && label.account.len() > LINE_BYTES_MAX || label.mechanism == "APOP" && blank
}

fn visible(file: &str, label: &Label) -> (Kind, Outcome) {
    if label.role == "session-end" && is_malformed(label) {
        return (Kind::EndOther, Outcome::Aborted);
    }
    let row = VISIBLE.iter().find(|(setting, role, outcome, scenario, ..)| {
        file.starts_with(setting)
            && label.role == *role
            && label.outcome.starts_with(outcome)
            && label.scenario.starts_with(scenario)
    });
    let row = row.unwrap_or_else(|| panic!("{file}: no row for {label:?}"));
    (row.4, row.5)
}

/// "By default `auth_username_chars` refuses all but letters, digits and `.-_@`"; in the log with SHA-1 all are allowed.
fn is_refused(file: &str, label: &Label) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_@".contains(byte);
    let name = &label.account;
    name.is_empty() || !file.starts_with("sha1") && !name.iter().all(allowed)
}

fn mechanism(file: &str, label: &Label, kind: Kind) -> Option<Mechanism> {
    let known =
        ["PLAIN", "LOGIN", "cmd", "CRAM-MD5", "APOP", "DIGEST-MD5"].contains(&label.mechanism.as_str());
    if !known || kind == Kind::EndOther && label.outcome != "denied" {
        return None; // "`(no auth attempts …)`: no `method=`"
    }
    let digest = matches!(label.mechanism.as_str(), "CRAM-MD5" | "APOP" | "DIGEST-MD5");
    // "`auth: passwd-file(USER,R,<S>): unknown user`: unknown account; also for CRAM-MD5 and APOP (driver name, not mechanism)"
    let driver = kind == Kind::Attempt && label.outcome != "success" && label.outcome != "bad-secret";
    if driver
        && !file.starts_with("sha1")
        && !is_refused(file, label)
        && !label.scenario.contains("auth-killed")
    {
        return Some(Mechanism::Unknown);
    }
    if kind == Kind::Fault && label.role == "attempt" {
        return Some(Mechanism::Unknown);
    }
    Some(if digest { Mechanism::Digest } else { Mechanism::Plain })
}

fn check(file: &str, label: &Label, event: Option<&AuthEvent>) -> Result<(), String> {
    let (kind, outcome) = visible(file, label);
    let Some(event) = event else {
        return if kind == Kind::Nothing {
            Ok(())
        } else {
            Err(format!("nothing, not {kind:?} {outcome:?}"))
        };
    };
    let seen = match event.tells {
        Tells::Attempt => Kind::Attempt,
        Tells::Fault => Kind::Fault,
        Tells::End { failed: Some(1..), succeeded: None } => Kind::EndFailed,
        Tells::End { .. } => Kind::EndOther,
        _ => Kind::Nothing,
    };
    if (seen, event.outcome) != (kind, outcome) {
        return Err(format!("not {kind:?} {outcome:?}"));
    }
    if event.source != Some(label.source) {
        return Err("another source".to_owned());
    }
    if event.witness != Witness::Agrees {
        return Err("the session id does not agree".to_owned());
    }
    // "Names are cut: 64 bytes in `auth:` lines, 80 in `user=<…>`", and 128 in `(username: …)`.
    let is_login_process = kind != Kind::Attempt && label.role != "attempt" || label.outcome == "success";
    let bytes_max = match (is_login_process, is_refused(file, label)) {
        (true, _) => 80,
        (false, true) => 128,
        (false, false) => 64,
    };
    let hidden = outcome == Outcome::Aborted || label.scenario == "f-outage:auth-killed" && is_login_process;
    let name = if hidden { Vec::new() } else { printed(&label.account) };
    // "Name in POP3 `USER` ends at a newline, so `x\nNov 23 …` just logs `x`."
    let first_line = printed(label.account.split(|&byte| matches!(byte, b'\r' | b'\n')).next().unwrap());
    let as_sent = is_account(&event.account, &name, bytes_max)
        || label.mechanism == "cmd" && !hidden && is_account(&event.account, &first_line, bytes_max);
    // "In the default setting only the last name of a session is shown": the label has another of its names.
    let last = matches!(event.account, Account::Last { of: 2.., .. }) && label.scenario == "b-robot-names";
    if !as_sent && !last {
        return Err(format!("not the account {}", String::from_utf8_lossy(&name)));
    }
    if let Some(mechanism) = mechanism(file, label, kind)
        && mechanism != event.mechanism
    {
        return Err(format!("not {mechanism:?}"));
    }
    // "with `auth_verbose_passwords`; only for plaintext mechanisms"
    let tagged = file.starts_with("sha1")
        && kind == Kind::Attempt
        && event.mechanism == Mechanism::Plain
        && !is_refused(file, label)
        && outcome != Outcome::Success;
    if event.secret.is_some() != tagged {
        return Err("a tag too many or too few".to_owned());
    }
    Ok(())
}

fn score(name: &str, labelled_as: &str, at_least: usize) {
    let labels = labels("dovecot", &COLUMNS);
    let labels = &labels[labelled_as];
    let events = events(&file("dovecot", name));
    let mut score = Score::new(name);
    let mut sessions = BTreeMap::<String, Session>::new();
    for (&line, label) in labels {
        let event = events.get(&line);
        score.count(line, label, event, check(labelled_as, label, event));
        if let Some(event) = event {
            let first = *sessions.entry(label.session.clone()).or_insert(event.session);
            assert_eq!(first, event.session, "{name}:{line}: one session, one key");
        }
    }
    score.demand_all(at_least);
    let mut keys: Vec<Session> = sessions.values().copied().collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), sessions.len(), "two sessions, two keys");
    for id in sessions.keys() {
        assert!(session_start(id.as_bytes()).is_some(), "{id}");
    }
    // What has no label is an outage without a client, a session's middle, or a client cut off at the end of a run.
    let attempts = events.iter().filter(|(line, event)| {
        event.tells == Tells::Attempt
            && !labels.contains_key(line)
            && event.outcome != Outcome::UnknownAccount
    });
    assert_eq!(attempts.count(), 0);
}

#[test]
fn verbose_log_in_iso_form() {
    score("verbose.iso.log", "verbose.iso.log", 900);
}

#[test]
fn verbose_log_in_rfc3164_form() {
    score("verbose.rfc3164.log", "verbose.iso.log", 900);
}

#[test]
fn verbose_log_in_rfc5424_form() {
    score("verbose.rfc5424.log", "verbose.iso.log", 900);
}

#[test]
fn default_log_in_iso_form() {
    score("default.iso.log", "default.iso.log", 300);
}

#[test]
fn default_log_in_rfc3164_form() {
    score("default.rfc3164.log", "default.iso.log", 300);
}

#[test]
fn own_file_with_sha1_of_passwords() {
    score("sha1-passwords.own-file.log", "sha1-passwords.own-file.log", 1120);
}

#[test]
fn outage_of_the_database() {
    score("sqldown.iso.log", "sqldown.iso.log", 34);
    score("sqldown.rfc3164.log", "sqldown.iso.log", 34);
}
