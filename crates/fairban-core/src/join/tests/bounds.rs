//! Each table filled with the cheapest traffic that an attacker has.

use core::net::Ipv4Addr;

use super::*;
use crate::join::{connections, echoes, sessions, smtpd};

fn numbered(number: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number as u32))
}

#[test]
fn a_source_that_fills_its_echoes_is_told_of_all_and_harms_only_itself() {
    let echo = |source: &str, name: &str| AuthEvent {
        account: known(name),
        outcome: Outcome::UnknownAccount,
        ..event(Service::Dovecot, Tells::Echo, source, Session::None)
    };
    let mut log = Log::default();
    log.at(0, echo(OTHER, "dan"));
    for number in 0..3 * echoes::PER_SOURCE_MAX {
        log.at(1, echo(CLIENT, &format!("user{number}")));
    }
    assert_eq!(log.attempts().len(), 2 * echoes::PER_SOURCE_MAX);
    let failed = attempt(Service::Postfix, OTHER, Session::Pid(1), known("dan"), Outcome::Failed);
    log.at(2_000, failed).finish();
    assert_eq!(log.attempts().len(), 3 * echoes::PER_SOURCE_MAX + 1, "the other's echo still finds its try");
}

#[test]
fn too_many_echoes_of_too_many_sources_are_decided_early() {
    let mut log = Log::default();
    let echo = event(Service::Dovecot, Tells::Echo, CLIENT, Session::None);
    for number in 0..echoes::ECHOES_MAX + 10 {
        log.at(0, AuthEvent { source: Some(numbered(number)), ..echo.clone() });
    }
    assert_eq!(log.attempts().len(), 10);
    assert_eq!(log.attempts()[0].source, numbered(0), "the oldest first");
}

#[test]
fn an_end_whose_session_was_forgotten_adds_nothing_twice() {
    let mut log = Log::default();
    log.at(0, attempt(Service::Dovecot, OTHER, Session::Id(0), known("dan"), Outcome::BadSecret));
    for id in 1..=sessions::SESSIONS_MAX as u64 {
        log.at(1, attempt(Service::Dovecot, CLIENT, Session::Id(id), known("x"), Outcome::BadSecret));
    }
    log.told.clear();
    let closing = AuthEvent {
        account: known("dan"),
        outcome: Outcome::Failed,
        lasted: Some(Span::secs(5)),
        ..end(Service::Dovecot, OTHER, Session::Id(0), Some(1), None)
    };
    log.at(5_000, closing.clone());
    assert!(log.told.is_empty());
    // A session that began after everything forgotten counts in full.
    log.at(60_000, AuthEvent { session: Session::Id(u64::MAX), ..closing }).finish();
    assert_eq!(log.attempts().len(), 1);
}

#[test]
fn a_forgotten_smtpd_excuses_and_accuses_nobody() {
    let mut log = Log::default();
    log.at(0, attempt(Service::Postfix, OTHER, Session::Pid(0), known("dann"), Outcome::Failed));
    for pid in 1..=smtpd::SMTPD_MAX as u32 {
        log.at(1, event(Service::Postfix, Tells::Connect, CLIENT, Session::Pid(pid)));
    }
    log.at(2, end(Service::Postfix, OTHER, Session::Pid(0), Some(1), Some(1))).finish();
    assert_eq!(log.tries(), tries([("dann", Outcome::Failed)]));
    assert_eq!(log.session_ends(), [1]);
}

#[test]
fn connections_beyond_the_bound_are_forgotten_untold() {
    let mut log = Log::default();
    let accepted = |pid| AuthEvent {
        port: None,
        ..event(Service::Tcpserver, Tells::Connect, CLIENT, Session::Pid(pid))
    };
    let ended =
        |pid| AuthEvent { source: None, ..end(Service::Tcpserver, CLIENT, Session::Pid(pid), None, None) };
    let count = connections::CONNECTIONS_MAX as u32;
    for pid in 0..count + 10 {
        log.at(0, accepted(pid));
    }
    for pid in 0..count + 10 {
        log.at(1, ended(pid));
    }
    log.finish();
    assert_eq!(log.no_logins(), connections::CONNECTIONS_MAX);
}

#[test]
fn logins_without_connections_are_soon_forgotten() {
    let mut log = Log::default();
    log.at(0, AuthEvent::new(Service::Tcpserver, Tells::Slots { in_use: 0, slots: 1 }));
    let empty = log.joiner.clone();
    for number in 0..1_000 {
        let login = attempt(Service::Vpopmail, CLIENT, Session::None, known("x"), Outcome::BadSecret);
        log.at(
            number as i64,
            AuthEvent { source: Some(numbered(number)), protocol: Protocol::Pop3, ..login },
        );
    }
    assert_ne!(log.joiner, empty);
    log.finish();
    assert_eq!(log.joiner, empty);
}

#[test]
fn a_line_that_claims_to_stand_for_very_many_tries_is_cut() {
    let key = AccountKey::new(b"x");
    let mut log = Log::default();
    let account = Account::Last { key, of: u16::MAX };
    log.at(
        0,
        AuthEvent {
            times: u16::MAX,
            ..attempt(Service::Vpopmail, CLIENT, Session::None, account, Outcome::Failed)
        },
    );
    assert_eq!(log.attempts().len(), 256);
}
