//! sshd, and PAM within it.

use super::*;

const PID: Session = Session::Pid(19_630);
const CHILD: Session = Session::Pid(19_700);
const PORT: Option<u16> = Some(60_271);

fn at_port(event: AuthEvent) -> AuthEvent {
    AuthEvent { port: PORT, ..event }
}

fn failed(name: &str, outcome: Outcome) -> AuthEvent {
    at_port(attempt(Service::Sshd, CLIENT, PID, known(name), outcome))
}

fn accepted(name: &str) -> AuthEvent {
    failed(name, Outcome::Success)
}

/// `pam_unix(sshd:auth): authentication failure; …`
fn pam(session: Session, name: Account, outcome: Outcome) -> AuthEvent {
    let echo = event(Service::Pam, Tells::Echo, CLIENT, session);
    AuthEvent { account: name, outcome, protocol: Protocol::Ssh, ..echo }
}

/// `error: PAM: Authentication failure for NAME from R`
fn pam_error(name: &str, outcome: Outcome) -> AuthEvent {
    AuthEvent { account: known(name), outcome, ..event(Service::Sshd, Tells::Echo, CLIENT, PID) }
}

/// `check pass; user unknown`
fn check_pass(session: Session) -> AuthEvent {
    AuthEvent { source: None, ..pam(session, Account::Hidden, Outcome::UnknownAccount) }
}

fn refused(outcome: Outcome, source: Option<&str>) -> AuthEvent {
    AuthEvent { source: source.map(address), outcome, ..event(Service::Sshd, Tells::Refused, CLIENT, PID) }
}

fn closed() -> AuthEvent {
    at_port(end(Service::Sshd, CLIENT, PID, None, None))
}

#[test]
fn four_lines_about_an_unknown_user_are_one_try() {
    let mut log = Log::default();
    log.at(0, at_port(refused(Outcome::UnknownAccount, Some(CLIENT))));
    log.at(4, check_pass(PID)).at(5, pam(PID, Account::Hidden, Outcome::UnknownAccount));
    log.at(2_000, failed("dann", Outcome::UnknownAccount)).at(2_100, closed()).finish();
    assert_eq!(log.tries(), tries([("dann", Outcome::UnknownAccount)]));
    assert_eq!(log.attempts()[0].service, Service::Sshd);
    assert_eq!(log.no_logins(), 0);
}

#[test]
fn a_known_user_who_fails_twice_and_then_gets_in_made_three_tries() {
    let mut log = Log::default();
    log.at(0, pam(PID, known("dan"), Outcome::BadSecret)).at(2_000, failed("dan", Outcome::BadSecret));
    // PAM tells the first failure of a conversation alone.
    log.at(5_000, failed("dan", Outcome::BadSecret)).at(8_000, accepted("dan")).finish();
    let bad = ("dan", Outcome::BadSecret);
    assert_eq!(log.tries(), tries([bad, bad, ("dan", Outcome::Success)]));
}

#[test]
fn keyboard_interactive_with_a_childs_pid_is_one_try() {
    for (pam_name, outcome) in
        [(known("backup"), Outcome::BadSecret), (Account::Hidden, Outcome::UnknownAccount)]
    {
        let mut log = Log::default();
        log.at(0, check_pass(CHILD)).at(1, pam(CHILD, pam_name, outcome));
        log.at(2_000, pam_error("backup", outcome)).at(2_001, failed("backup", outcome)).finish();
        assert_eq!(log.tries(), tries([("backup", outcome)]));
    }
}

#[test]
fn keyboard_interactive_from_several_connections_at_once_is_one_try_each() {
    let mut log = Log::default();
    for number in 0..4 {
        log.at(0, pam(Session::Pid(200 + number), Account::Hidden, Outcome::UnknownAccount));
    }
    for number in 0..4 {
        let session = Session::Pid(100 + number);
        let name = format!("user{number}");
        log.at(2_000, AuthEvent { session, ..pam_error(&name, Outcome::UnknownAccount) });
        let port = Some(50_000 + number as u16);
        log.at(2_000, AuthEvent { port, session, ..failed(&name, Outcome::UnknownAccount) });
    }
    log.finish();
    assert_eq!(log.attempts().len(), 4);
}

#[test]
fn a_client_that_leaves_while_pam_delays_its_failure_did_try() {
    let mut log = Log::default();
    log.at(0, check_pass(PID)).at(1, pam(PID, known("root"), Outcome::BadSecret)).at(500, closed()).finish();
    assert_eq!(log.tries(), tries([("root", Outcome::BadSecret)]));
    assert_eq!(log.no_logins(), 0);
}

#[test]
fn two_modules_and_an_error_about_one_try_are_one_try_though_sshd_says_nothing() {
    let mut log = Log::default();
    log.at(0, check_pass(PID)).at(1, pam(PID, known("dan"), Outcome::BadSecret));
    log.at(2, pam(PID, known("dan"), Outcome::Failed)).at(3, pam_error("dan", Outcome::BadSecret)).finish();
    assert_eq!(log.tries(), tries([("dan", Outcome::BadSecret)]));
}

#[test]
fn a_first_module_that_does_not_know_the_user_is_no_failure_when_he_gets_in() {
    let mut log = Log::default();
    log.at(0, pam(PID, known("dan"), Outcome::BadSecret)).at(300, accepted("dan")).finish();
    assert_eq!(log.tries(), tries([("dan", Outcome::Success)]));
}

#[test]
fn a_repeated_message_is_as_many_tries() {
    let mut log = Log::default();
    log.at(0, AuthEvent { times: 5, ..failed("root", Outcome::BadSecret) }).finish();
    assert_eq!(log.attempts().len(), 5);
}

#[test]
fn a_user_who_is_not_allowed_is_denied_and_not_unknown() {
    let mut log = Log::default();
    log.at(0, refused(Outcome::Denied, Some(CLIENT)));
    log.at(10, failed("blocked", Outcome::UnknownAccount)).at(20, failed("blocked", Outcome::UnknownAccount));
    log.at(30, closed()).at(40, failed("dan", Outcome::BadSecret)).finish();
    let denied = ("blocked", Outcome::Denied);
    assert_eq!(log.tries(), tries([denied, denied, ("dan", Outcome::BadSecret)]));
}

#[test]
fn an_expired_account_is_told_by_pid_alone() {
    let mut log = Log::default();
    log.at(0, refused(Outcome::Denied, None)).at(10, failed("old", Outcome::BadSecret)).finish();
    assert_eq!(log.tries(), tries([("old", Outcome::Denied)]));
}

#[test]
fn a_robot_that_meets_a_server_for_keys_alone_makes_no_try() {
    let mut log = Log::default();
    let closed_by = AuthEvent { account: known("root"), ..closed() };
    log.at(0, at_port(event(Service::Sshd, Tells::Connect, CLIENT, PID))).at(700, closed_by).finish();
    assert_eq!(log.tries(), []);
    assert!(
        matches!(&log.told[0], Joined::NoLogin { lasted: Some(lasted), .. } if *lasted == Span::millis(700))
    );
}

#[test]
fn two_lines_about_one_end_are_one_end() {
    let mut log = Log::default();
    log.at(0, closed()).at(1, closed()).finish();
    assert_eq!(log.no_logins(), 1);
}

#[test]
fn the_end_of_a_session_that_logged_in_has_another_pid() {
    let mut log = Log::default();
    log.at(0, accepted("dan"));
    log.at(3_600_000, AuthEvent { session: CHILD, ..closed() })
        .at(3_600_001, AuthEvent { session: CHILD, ..closed() });
    log.finish();
    assert_eq!(log.no_logins(), 0);
    assert_eq!(log.attempts().len(), 1);
}

#[test]
fn a_time_out_told_by_the_listener_belongs_to_the_connection_that_tried() {
    let mut log = Log::default();
    log.at(0, failed("root", Outcome::BadSecret))
        .at(60_000, end(Service::Sshd, CLIENT, PID, None, None))
        .finish();
    assert_eq!(log.no_logins(), 0);
}

#[test]
fn a_name_so_long_that_the_address_is_cut_off_hides_no_try() {
    let cut_off = || AuthEvent {
        source: None,
        port: None,
        account: Account::Hidden,
        ..failed("", Outcome::UnknownAccount)
    };
    // The process named its client before …
    let mut log = Log::default();
    log.at(0, at_port(event(Service::Sshd, Tells::Connect, CLIENT, PID))).at(10, cut_off()).finish();
    assert_eq!(log.tries(), tries([("?", Outcome::UnknownAccount)]));
    assert_eq!(log.attempts()[0].source, address(CLIENT));
    // … or it does so later.
    let mut log = Log::default();
    log.at(0, cut_off()).at(10, cut_off()).at(20, closed()).finish();
    assert_eq!(log.attempts().len(), 2);
    assert_eq!(log.no_logins(), 0);
}

#[test]
fn a_reused_pid_inherits_no_refusal() {
    let mut log = Log::default();
    log.at(0, refused(Outcome::Denied, Some(CLIENT)));
    log.at(10, AuthEvent { source: Some(address(OTHER)), ..failed("dan", Outcome::BadSecret) }).finish();
    assert_eq!(log.tries(), tries([("dan", Outcome::BadSecret)]));
}
