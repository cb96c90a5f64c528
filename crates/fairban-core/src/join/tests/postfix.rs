//! Postfix, alone and with Dovecot's auth lines beside it.

use super::*;

const PID: Session = Session::Pid(22_831);

fn connect(source: &str) -> AuthEvent {
    event(Service::Postfix, Tells::Connect, source, PID)
}

fn failed(name: Account) -> AuthEvent {
    attempt(Service::Postfix, CLIENT, PID, name, Outcome::Failed)
}

fn mail(name: &str) -> AuthEvent {
    AuthEvent {
        account: known(name),
        outcome: Outcome::Success,
        ..event(Service::Postfix, Tells::Used, CLIENT, PID)
    }
}

fn disconnect(succeeded: u16, failed: u16) -> AuthEvent {
    end(Service::Postfix, CLIENT, PID, Some(failed), Some(succeeded))
}

fn dovecot(name: Account, outcome: Outcome) -> AuthEvent {
    let echo = event(Service::Dovecot, Tells::Echo, CLIENT, Session::None);
    AuthEvent { account: name, outcome, protocol: Protocol::Unknown, ..echo }
}

#[test]
fn dovecots_line_before_postfixs_is_one_try_and_tells_why_it_failed() {
    let mut log = Log::default();
    log.at(0, connect(CLIENT)).at(500, dovecot(known("dan@a.example"), Outcome::UnknownAccount));
    assert_eq!(log.tries(), []);
    log.at(2_500, failed(known("Dan@a.example"))).at(2_600, disconnect(0, 1)).finish();
    assert_eq!(log.tries(), tries([("dan@a.example", Outcome::UnknownAccount)]));
    assert_eq!(log.attempts()[0].time, Time::from_micros(500_000), "when the first line told of it");
    assert_eq!(log.attempts()[0].service, Service::Postfix);
    assert!(log.attempts()[0].session_open);
}

#[test]
fn postfixs_line_before_dovecots_is_one_try() {
    let mut log = Log::default();
    log.at(0, connect(CLIENT))
        .at(1_000, failed(known("dan")))
        .at(1_000, dovecot(known("dan"), Outcome::BadSecret));
    log.at(1_100, disconnect(0, 1)).finish();
    assert_eq!(log.tries(), tries([("dan", Outcome::Failed)]));

    let mut late = Log::default();
    late.at(0, failed(known("dan"))).at(29_000, dovecot(known("dan"), Outcome::BadSecret)).finish();
    assert_eq!(late.attempts().len(), 1);

    let mut too_late = Log::default();
    too_late.at(0, failed(known("dan"))).at(31_000, dovecot(known("dan"), Outcome::BadSecret)).finish();
    assert_eq!(too_late.attempts().len(), 2);
}

#[test]
fn several_tries_at_once_find_each_their_own_echo() {
    let mut log = Log::default();
    for (name, outcome) in
        [("a", Outcome::UnknownAccount), ("b", Outcome::BadSecret), ("c", Outcome::UnknownAccount)]
    {
        log.at(10, dovecot(known(name), outcome));
    }
    for name in ["c", "b", "a"] {
        log.at(2_000, failed(known(name)));
    }
    log.finish();
    let told = [("c", Outcome::UnknownAccount), ("b", Outcome::BadSecret), ("a", Outcome::UnknownAccount)];
    assert_eq!(log.tries(), tries(told));
}

#[test]
fn a_name_that_dovecot_hides_is_the_name_that_postfix_shows() {
    let mut log = Log::default();
    log.at(0, dovecot(Account::Hidden, Outcome::UnknownAccount))
        .at(2_000, failed(known("dan smith")))
        .finish();
    assert_eq!(log.tries(), tries([("dan smith", Outcome::UnknownAccount)]));
}

#[test]
fn a_name_that_postfix_hides_is_still_one_try() {
    let mut log = Log::default();
    log.at(0, dovecot(known("dan"), Outcome::BadSecret)).at(2_000, failed(Account::Hidden)).finish();
    assert_eq!(log.attempts().len(), 1);
}

#[test]
fn names_that_both_servers_cut_are_one_try() {
    let name = "x".repeat(120);
    let mut log = Log::default();
    log.at(0, dovecot(cut(&name[..61]), Outcome::UnknownAccount))
        .at(2_000, failed(cut(&name[..100])))
        .finish();
    assert_eq!(log.tries(), tries([(&(name[..100].to_owned() + "*"), Outcome::UnknownAccount)]));

    let mut log = Log::default();
    log.at(0, dovecot(cut(&name[..61]), Outcome::UnknownAccount))
        .at(2_000, failed(known(&name[..80])))
        .finish();
    assert_eq!(log.tries(), tries([(&name[..80], Outcome::UnknownAccount)]));
}

#[test]
fn an_odd_name_that_the_servers_print_differently_is_one_try() {
    let mut log = Log::default();
    log.at(0, dovecot(known("a?b"), Outcome::UnknownAccount)).at(2_000, failed(known("a?tb"))).finish();
    assert_eq!(log.attempts().len(), 1);
}

#[test]
fn without_a_common_key_the_larger_count_is_right() {
    for (echoes, tries) in [(3, 2), (2, 3), (3, 0), (0, 3)] {
        let mut log = Log::default();
        for _ in 0..echoes {
            log.at(0, dovecot(Account::Hidden, Outcome::UnknownAccount));
        }
        for number in 0..tries {
            log.at(2_000, failed(known(&format!("user{number}"))));
        }
        log.finish();
        assert_eq!(log.attempts().len(), 3, "{echoes} echoes, {tries} tries");
    }
}

#[test]
fn an_echo_that_nobody_claims_is_told_when_its_time_is_over() {
    let mut log = Log::default();
    log.at(0, dovecot(known("dan"), Outcome::BadSecret)).until(29_999);
    assert_eq!(log.tries(), []);
    assert_eq!(log.joiner.next_deadline(), Some(Time::from_secs(30)));
    log.until(30_000);
    assert_eq!(log.tries(), tries([("dan", Outcome::BadSecret)]));
    assert_eq!(log.attempts()[0].service, Service::Dovecot);
    assert_eq!(log.attempts()[0].time, Time::from_secs(0));
}

#[test]
fn an_echo_of_another_client_is_no_echo() {
    let mut log = Log::default();
    let other = AuthEvent { source: Some(address(OTHER)), ..dovecot(known("dan"), Outcome::BadSecret) };
    log.at(0, other).at(2_000, failed(known("dan"))).finish();
    assert_eq!(log.attempts().len(), 2);
}

#[test]
fn an_open_session_stays_pending_until_its_end_tells_of_the_success() {
    let mut log = Log::default();
    log.at(0, connect(CLIENT)).at(1_000, failed(known("dann")));
    assert!(log.attempts()[0].session_open);
    assert_eq!(log.attempts()[0].session, PID);
    assert_eq!(log.session_ends(), []);
    log.at(300_000, disconnect(1, 1)).finish();
    assert_eq!(log.session_ends(), [1], "excuses the failure");
    assert_eq!(log.attempts().len(), 1, "and is not told twice");
}

#[test]
fn a_login_without_a_mail_is_a_success_of_a_hidden_account() {
    let mut log = Log::default();
    log.at(0, connect(CLIENT)).at(1_000, disconnect(1, 0)).finish();
    assert_eq!(log.tries(), tries([("?", Outcome::Success)]));
    assert_eq!(log.session_ends(), [0]);
}

#[test]
fn several_mails_in_a_session_are_one_login() {
    let mut log = Log::default();
    log.at(0, connect(CLIENT))
        .at(1_000, mail("dan"))
        .at(2_000, mail("dan"))
        .at(3_000, disconnect(1, 0))
        .finish();
    assert_eq!(log.tries(), tries([("dan", Outcome::Success)]));
    assert_eq!(log.session_ends(), [0]);
}

#[test]
fn a_failure_and_a_mail_in_one_session_leave_no_success_unnamed() {
    let mut log = Log::default();
    log.at(0, connect(CLIENT))
        .at(1_000, failed(known("dann")))
        .at(2_000, mail("dan"))
        .at(3_000, disconnect(1, 1))
        .finish();
    assert_eq!(log.tries(), tries([("dann", Outcome::Failed), ("dan", Outcome::Success)]));
    assert_eq!(log.session_ends(), [0]);
}

#[test]
fn an_auth_that_was_never_checked_is_no_try() {
    let at_port_25 = |event| AuthEvent { protocol: Protocol::Smtp, ..event };
    let mut log = Log::default();
    log.at(0, at_port_25(connect(CLIENT))).at(2_000, at_port_25(disconnect(0, 3))).finish();
    assert_eq!((log.attempts().len(), log.no_logins()), (0, 1));
    assert_eq!(log.session_ends(), []);

    let mut log = Log::default();
    log.at(0, connect(CLIENT)).at(1_000, failed(known("a"))).at(2_000, disconnect(0, 3)).finish();
    assert_eq!(log.tries(), tries([("a", Outcome::Failed)]));
    assert_eq!((log.no_logins(), log.session_ends()), (0, vec![0]));
}

#[test]
fn one_smtpd_serves_one_client_after_another() {
    let mut log = Log::default();
    log.at(0, connect(CLIENT)).at(1_000, failed(known("a"))).at(2_000, disconnect(0, 1));
    let other_end = end(Service::Postfix, OTHER, PID, Some(0), Some(1));
    log.at(3_000, connect(OTHER)).at(4_000, other_end).finish();
    assert_eq!(log.tries(), tries([("a", Outcome::Failed), ("?", Outcome::Success)]));
}

#[test]
fn an_end_whose_beginning_was_not_read_adds_no_tries() {
    let mut log = Log::default();
    log.at(0, disconnect(1, 2)).finish();
    assert_eq!(log.tries(), []);
    assert_eq!(log.session_ends(), [1]);
}

#[test]
fn a_failure_after_the_auth_service_broke_is_the_servers() {
    let mut log = Log::default();
    let broken = AuthEvent { source: None, ..event(Service::Postfix, Tells::Fault, CLIENT, PID) };
    log.at(0, connect(CLIENT))
        .at(1_000, broken)
        .at(1_100, failed(Account::Hidden))
        .at(1_200, disconnect(0, 1));
    log.at(2_000, connect(CLIENT)).at(2_100, failed(known("a"))).finish();
    assert_eq!(log.tries(), tries([("?", Outcome::ServerFault), ("a", Outcome::Failed)]));
    assert!(matches!(log.told[0], Joined::Fault { .. }));
}

#[test]
fn a_fault_that_names_its_client_is_one_try_that_ended_so() {
    let mut log = Log::default();
    let lost =
        AuthEvent { outcome: Outcome::ServerFault, ..event(Service::Postfix, Tells::Fault, CLIENT, PID) };
    log.at(0, connect(CLIENT)).at(1_000, lost).at(1_001, disconnect(0, 1)).finish();
    assert_eq!(log.tries(), tries([("?", Outcome::ServerFault)]));
}

#[test]
fn mail_from_outside_is_no_connection_without_a_login() {
    for (protocol, no_logins) in [(Protocol::Smtp, 0), (Protocol::Unknown, 0), (Protocol::Submission, 1)] {
        let mut log = Log::default();
        log.at(0, connect(CLIENT)).at(1_000, AuthEvent { protocol, ..disconnect(0, 0) }).finish();
        assert_eq!(log.no_logins(), no_logins, "{protocol:?}");
        assert_eq!(log.session_ends(), []);
    }
}

#[test]
fn a_postfix_that_counts_no_tries_tells_of_no_connection_without_a_login() {
    let mut log = Log::default();
    log.at(0, connect(CLIENT)).at(1_000, end(Service::Postfix, CLIENT, PID, None, None)).finish();
    assert_eq!(log.no_logins(), 0);
}
