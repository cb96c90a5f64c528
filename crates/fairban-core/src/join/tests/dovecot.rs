//! Dovecot's own sessions, with and without `auth_verbose`.

use super::*;
use crate::event::Witness;

const S: Session = Session::Id(1);

fn auth(session: Session, name: &str, outcome: Outcome) -> AuthEvent {
    attempt(Service::Dovecot, CLIENT, session, known(name), outcome)
}

/// `auth failed, N attempts`.
fn failed(session: Session, account: Account, tries: u16) -> AuthEvent {
    AuthEvent {
        account,
        outcome: Outcome::Failed,
        lasted: Some(Span::secs(20)),
        ..end(Service::Dovecot, CLIENT, session, Some(tries), None)
    }
}

fn last(name: &str, of: u16) -> Account {
    Account::Last { key: AccountKey::new(name.as_bytes()), of }
}

#[test]
fn a_verbose_log_tells_each_try_at_once_and_none_again_at_the_end() {
    let mut log = Log::default();
    log.at(0, auth(S, "a", Outcome::UnknownAccount)).at(5_000, auth(S, "b", Outcome::BadSecret));
    assert_eq!(log.attempts().len(), 2);
    log.at(9_000, failed(S, last("b", 2), 2)).finish();
    assert_eq!(log.tries(), tries([("a", Outcome::UnknownAccount), ("b", Outcome::BadSecret)]));
}

#[test]
fn a_digest_that_verbose_logs_leave_out_is_told_at_the_end() {
    let mut log = Log::default();
    log.at(0, auth(S, "a", Outcome::BadSecret)).at(9_000, failed(S, last("b", 2), 2)).finish();
    assert_eq!(log.tries(), tries([("a", Outcome::BadSecret), ("b", Outcome::Failed)]));

    let mut log = Log::default();
    log.at(0, auth(S, "b", Outcome::BadSecret)).at(9_000, failed(S, last("b", 2), 2)).finish();
    assert_eq!(
        log.tries(),
        tries([("b", Outcome::BadSecret), ("?", Outcome::Failed)]),
        "the named one was told"
    );
}

#[test]
fn twenty_tries_in_one_default_session_are_twenty_and_the_last_is_named() {
    let mut log = Log::default();
    log.at(0, failed(S, last("sales", 20), 20)).finish();
    assert_eq!(log.attempts().len(), 20);
    let hidden = ("?".to_owned(), Outcome::Failed);
    assert!(log.tries()[..19].iter().all(|told| *told == hidden));
    assert_eq!(log.tries()[19], ("sales".to_owned(), Outcome::Failed));
}

#[test]
fn the_login_of_a_client_that_came_back_at_once_may_stand_before_the_failure() {
    let mut log = Log::default();
    log.at(0, auth(Session::Id(2), "dan", Outcome::Success)).at(1_500, failed(S, known("dan"), 1)).finish();
    assert_eq!(log.tries(), tries([("dan", Outcome::Success), ("dan", Outcome::Failed)]));
}

#[test]
fn a_try_whose_own_line_comes_after_the_end_is_told_once() {
    let mut log = Log::default();
    log.at(0, failed(S, known("dan"), 1)).at(1_000, auth(S, "dan", Outcome::BadSecret)).finish();
    assert_eq!(log.attempts().len(), 1);
}

#[test]
fn a_client_that_leaves_while_its_failure_is_delayed_did_try() {
    let unfinished = || end(Service::Dovecot, CLIENT, S, None, None);
    let mut log = Log::default();
    log.at(0, auth(S, "dan", Outcome::BadSecret)).at(1_000, unfinished()).finish();
    assert_eq!((log.attempts().len(), log.no_logins()), (1, 0));

    let mut log = Log::default();
    log.at(1_000, unfinished()).finish();
    assert_eq!((log.attempts().len(), log.no_logins()), (0, 1));
}

#[test]
fn a_connection_without_a_try_tells_how_long_it_lasted() {
    let mut log = Log::default();
    let quiet = AuthEvent { lasted: Some(Span::secs(3)), ..end(Service::Dovecot, CLIENT, S, Some(0), None) };
    log.at(0, quiet).finish();
    assert!(
        matches!(&log.told[0], Joined::NoLogin { lasted: Some(lasted), guessed: false, .. } if *lasted == Span::secs(3))
    );
}

#[test]
fn a_disabled_account_is_one_denied_try() {
    let denied = |failed, succeeded| AuthEvent {
        account: known("left"),
        outcome: Outcome::Denied,
        ..end(Service::Dovecot, CLIENT, S, failed, succeeded)
    };
    let mut log = Log::default();
    log.at(0, denied(None, Some(1))).finish();
    assert_eq!(log.tries(), tries([("left", Outcome::Denied)]));

    let mut log = Log::default();
    log.at(0, auth(S, "lefd", Outcome::UnknownAccount)).at(1_000, denied(Some(1), Some(1))).finish();
    assert_eq!(log.tries(), tries([("lefd", Outcome::UnknownAccount), ("left", Outcome::Denied)]));
}

#[test]
fn a_login_that_meets_a_fault_is_one_try_however_many_lines_tell_of_the_fault() {
    let fault = || AuthEvent {
        account: known("dan"),
        outcome: Outcome::ServerFault,
        ..event(Service::Dovecot, Tells::Fault, CLIENT, S)
    };
    let mut log = Log::default();
    log.at(0, fault()).at(10, fault()).finish();
    assert_eq!(log.tries(), tries([("dan", Outcome::ServerFault)]));
    assert_eq!(log.told.iter().filter(|told| matches!(told, Joined::Fault { .. })).count(), 2);
}

#[test]
fn pam_beside_dovecot_adds_no_try() {
    let pam = AuthEvent {
        account: known("dan"),
        outcome: Outcome::BadSecret,
        protocol: Protocol::Unknown,
        ..event(Service::Pam, Tells::Echo, CLIENT, Session::Pid(7))
    };
    let mut log = Log::default();
    log.at(0, pam).at(100, auth(S, "dan", Outcome::Failed)).at(3_000, failed(S, known("dan"), 1)).finish();
    assert_eq!(log.tries(), tries([("dan", Outcome::BadSecret)]));
}

#[test]
fn a_first_pam_module_that_fails_before_the_second_lets_the_user_in_is_no_failure() {
    let pam = |outcome| AuthEvent {
        account: known("dan"),
        outcome,
        protocol: Protocol::Unknown,
        ..event(Service::Pam, Tells::Echo, CLIENT, Session::Pid(7))
    };
    let mut log = Log::default();
    log.at(0, pam(Outcome::BadSecret))
        .at(100, pam(Outcome::Success))
        .at(200, auth(S, "dan", Outcome::Success))
        .finish();
    assert_eq!(log.tries(), tries([("dan", Outcome::Success)]));
    // And where PAM's lines are all there is.
    let mut log = Log::default();
    log.at(0, pam(Outcome::BadSecret)).at(100, pam(Outcome::Success)).finish();
    assert_eq!(log.tries(), tries([("dan", Outcome::Success)]));
}

#[test]
fn a_session_id_of_another_address_is_not_believed() {
    let witness = |witness, source| AuthEvent {
        source: Some(address(source)),
        witness,
        ..auth(Session::Id(9), "dan", Outcome::BadSecret)
    };
    let mut log = Log::default();
    log.at(0, witness(Witness::Agrees, CLIENT)).at(1, witness(Witness::Contradicts, VICTIM)).finish();
    assert!(!log.accuses(VICTIM));
    assert_eq!(log.joiner.ignored().contradicted, 1);
}
