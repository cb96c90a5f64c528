//! vchkpw, alone and under tcpserver.

use super::*;

fn pid_line(pid: u32, source: &str) -> AuthEvent {
    AuthEvent {
        protocol: Protocol::Unknown,
        ..event(Service::Tcpserver, Tells::Connect, source, Session::Pid(pid))
    }
}

fn ok_line(pid: u32, source: &str, protocol: Protocol) -> AuthEvent {
    AuthEvent {
        protocol,
        port: Some(40_000),
        ..event(Service::Tcpserver, Tells::Connect, source, Session::Pid(pid))
    }
}

fn end_line(pid: u32) -> AuthEvent {
    AuthEvent { source: None, ..end(Service::Tcpserver, CLIENT, Session::Pid(pid), None, None) }
}

fn complaint() -> AuthEvent {
    AuthEvent::new(Service::Tcpserver, Tells::Torn)
}

fn vchkpw(source: &str, name: &str, outcome: Outcome) -> AuthEvent {
    let login = attempt(Service::Vpopmail, source, Session::Pid(900), known(name), outcome);
    AuthEvent { protocol: Protocol::Pop3, ..login }
}

/// Somebody logs in elsewhere: vpopmail's log shows successes.
fn success_seen(log: &mut Log) {
    log.at(0, vchkpw(OTHER, "carol", Outcome::Success));
    log.told.clear();
}

fn pop3(log: &mut Log, millis: i64, pid: u32, source: &str) {
    log.at(millis, pid_line(pid, source)).at(millis, ok_line(pid, source, Protocol::Pop3));
}

#[test]
fn four_connections_of_one_address_at_once_hold_as_many_logins_as_vchkpw_tells() {
    for logins in 0..=4 {
        let mut log = Log::default();
        success_seen(&mut log);
        for pid in 1..=4 {
            pop3(&mut log, 10_000 + i64::from(pid), pid, CLIENT);
        }
        for _ in 0..logins {
            // Whole seconds: before the connections began.
            log.stamped(Time::from_secs(10), vchkpw(CLIENT, "dan", Outcome::BadSecret));
        }
        for pid in 1..=4 {
            log.at(10_200 + i64::from(pid), end_line(pid));
        }
        log.finish();
        assert_eq!(log.attempts().len(), logins);
        assert_eq!(log.no_logins(), 4 - logins, "{logins} logins");
        let concurrent: Vec<u16> = log
            .told
            .iter()
            .filter_map(|told| match told {
                Joined::NoLogin { concurrent, guessed: false, .. } => Some(*concurrent),
                _ => None,
            })
            .collect();
        assert_eq!(concurrent, (1..=4 - logins as u16).rev().collect::<Vec<_>>(), "open at each one's end");
    }
}

#[test]
fn a_login_told_after_the_end_of_its_connection_is_found() {
    let mut log = Log::default();
    success_seen(&mut log);
    pop3(&mut log, 10_000, 1, CLIENT);
    log.at(10_100, end_line(1)).at(11_000, vchkpw(CLIENT, "dan", Outcome::BadSecret)).finish();
    assert_eq!(log.no_logins(), 0);
}

#[test]
fn a_login_told_before_the_line_of_its_connection_is_found() {
    let mut log = Log::default();
    success_seen(&mut log);
    // The first one's decision, in between, must not forget the second one's login.
    pop3(&mut log, 10_000, 1, CLIENT);
    log.at(10_100, vchkpw(CLIENT, "dan", Outcome::BadSecret)).at(10_200, end_line(1));
    log.at(13_000, vchkpw(CLIENT, "dan", Outcome::BadSecret)).until(13_500);
    pop3(&mut log, 13_900, 2, CLIENT);
    log.at(14_500, end_line(2)).finish();
    assert_eq!(log.no_logins(), 0);
}

#[test]
fn a_login_told_before_the_first_line_of_tcpserver_is_found() {
    let mut log = Log::default();
    log.at(10_000, vchkpw(CLIENT, "dan", Outcome::Success));
    pop3(&mut log, 10_900, 1, CLIENT);
    log.at(10_950, end_line(1)).finish();
    assert_eq!(log.no_logins(), 0);
}

#[test]
fn the_login_of_one_connection_does_not_excuse_a_later_one() {
    let mut log = Log::default();
    success_seen(&mut log);
    pop3(&mut log, 10_000, 1, CLIENT);
    log.at(10_100, vchkpw(CLIENT, "dan", Outcome::Success)).at(10_200, end_line(1));
    pop3(&mut log, 20_000, 2, CLIENT);
    log.at(20_100, end_line(2)).finish();
    assert_eq!(log.no_logins(), 1);
    assert!(matches!(log.told.back(), Some(Joined::NoLogin { time, lasted: Some(lasted), .. })
        if *time == Time::from_micros(20_100_000) && *lasted == Span::millis(100)));
}

#[test]
fn without_vpopmails_successes_nobody_tried_is_a_guess() {
    let guessed =
        |log: &Log| log.told.iter().any(|told| matches!(told, Joined::NoLogin { guessed: true, .. }));
    let mut alone = Log::default();
    pop3(&mut alone, 10_000, 1, CLIENT);
    alone.at(10_100, end_line(1)).finish();
    assert!(guessed(&alone));

    // The default level tells failures alone: the connection may have been a good login.
    let mut failures_alone = Log::default();
    failures_alone.at(0, vchkpw(OTHER, "carol", Outcome::BadSecret));
    pop3(&mut failures_alone, 10_000, 1, CLIENT);
    failures_alone.at(10_100, end_line(1)).finish();
    assert!(guessed(&failures_alone));

    let mut lost_lines = Log::default();
    success_seen(&mut lost_lines);
    lost_lines.at(9_000, AuthEvent::new(Service::Vpopmail, Tells::Gap { lost: 200 }));
    pop3(&mut lost_lines, 10_000, 1, CLIENT);
    lost_lines.at(10_100, end_line(1)).finish();
    assert!(guessed(&lost_lines));
}

#[test]
fn mail_that_comes_in_on_port_25_is_no_connection_without_a_login() {
    let mut log = Log::default();
    log.at(0, pid_line(1, CLIENT)).at(0, ok_line(1, CLIENT, Protocol::Smtp)).at(100, end_line(1)).finish();
    assert_eq!(log.no_logins(), 0);
}

#[test]
fn a_denied_connection_was_turned_away_and_is_not_one_without_a_login() {
    let mut log = Log::default();
    let deny = event(Service::Tcpserver, Tells::TurnedAway, CLIENT, Session::Pid(1));
    log.at(0, pid_line(1, CLIENT)).at(1, deny).at(2, end_line(1)).finish();
    assert!(matches!(log.told[0], Joined::TurnedAway { .. }));
    assert_eq!(log.told.len(), 1);
}

#[test]
fn saturation_names_the_source_with_the_most_connections() {
    let mut log = Log::default();
    let status = |in_use| AuthEvent::new(Service::Tcpserver, Tells::Slots { in_use, slots: 4 });
    for (pid, source) in [(1, OTHER), (2, CLIENT), (3, CLIENT), (4, CLIENT)] {
        log.at(0, pid_line(pid, source));
    }
    log.at(1, status(4)).at(2, end_line(2)).at(2, end_line(3)).at(3, status(2));
    log.at(4, end_line(4)).at(5, end_line(1)).at(6, status(0));
    let largest: Vec<_> = log
        .told
        .iter()
        .filter_map(|told| match told {
            Joined::Slots { largest, .. } => Some(*largest),
            _ => None,
        })
        .collect();
    assert_eq!(largest[0], Some((address(CLIENT), 3)));
    assert_eq!(largest[1].map(|(_, open)| open), Some(1));
    assert_eq!(largest[2], None);
}

#[test]
fn a_pid_that_comes_round_again_is_another_connection() {
    let mut log = Log::default();
    pop3(&mut log, 0, 1, CLIENT);
    pop3(&mut log, 90_000, 1, OTHER);
    log.at(90_100, end_line(1)).finish();
    assert!(!log.accuses(CLIENT), "its end was lost: nothing is known of it");
    assert!(log.accuses(OTHER));
}

#[test]
fn a_forged_ok_line_accuses_nobody() {
    let mut log = Log::default();
    pop3(&mut log, 0, 1, OTHER);
    log.at(10, ok_line(4242, VICTIM, Protocol::Submission)).at(10, end_line(4242)).finish();
    assert!(!log.accuses(VICTIM));
    assert_eq!(log.joiner.ignored().forged_connections, 1);
    assert!(log.joiner.connections_forgeable());
    assert!(log.tells_torn(Service::Tcpserver));
}

#[test]
fn an_ok_line_for_another_clients_process_accuses_nobody() {
    let mut log = Log::default();
    log.at(0, pid_line(1, CLIENT)).at(1, ok_line(1, VICTIM, Protocol::Pop3)).at(100, end_line(1)).finish();
    assert!(!log.accuses(VICTIM));
}

#[test]
fn a_whole_forged_connection_behind_a_complaint_of_vchkpw_accuses_nobody() {
    let mut log = Log::default();
    pop3(&mut log, 0, 1, OTHER);
    let at = Time::from_secs(5);
    let behind = at.plus(Span::micros(1));
    log.stamped(at, complaint());
    log.stamped(behind, pid_line(4242, VICTIM)).stamped(behind, ok_line(4242, VICTIM, Protocol::Pop3));
    log.stamped(behind, end_line(4242)).stamped(behind, end_line(1)).finish();
    assert!(!log.accuses(VICTIM));
    assert!(!log.accuses(OTHER), "a forged end tells nothing of the connection");
    assert_eq!(log.joiner.ignored().doubted_connections, 4);
}

#[test]
fn a_true_line_in_the_moment_after_a_complaint_is_not_told_as_forged() {
    let mut log = Log::default();
    pop3(&mut log, 0, 1, OTHER);
    log.at(5, complaint()).at(5, end_line(1)).at(5, pid_line(2, CLIENT));
    log.at(7, ok_line(2, CLIENT, Protocol::Pop3)).at(100, end_line(2)).finish();
    assert!(!log.tells_torn(Service::Tcpserver));
    assert!(!log.joiner.connections_forgeable());
    assert!(log.told.is_empty());
}

#[test]
fn a_log_that_begins_between_two_lines_of_a_connection_is_not_forged() {
    let mut log = Log::default();
    log.at(0, ok_line(1, CLIENT, Protocol::Pop3)).at(100, end_line(1)).finish();
    assert!(!log.tells_torn(Service::Tcpserver));
}

#[test]
fn a_complaint_alone_is_not_told_as_torn() {
    let mut log = Log::default();
    log.at(0, complaint());
    pop3(&mut log, 1_000, 1, CLIENT);
    log.at(1_100, end_line(1)).finish();
    assert!(!log.tells_torn(Service::Tcpserver));
    assert_eq!(log.no_logins(), 1);
}

fn torn() -> AuthEvent {
    AuthEvent::new(Service::Vpopmail, Tells::Torn)
}

#[test]
fn what_a_client_wrote_behind_a_torn_record_accuses_nobody() {
    let mut log = Log::default();
    log.at(0, torn());
    log.stamped(Time::from_secs(-50_000), vchkpw(VICTIM, "bob", Outcome::BadSecret));
    log.at(7_000, vchkpw(VICTIM, "bob", Outcome::BadSecret));
    log.at(8_000, vchkpw(CLIENT, "dan", Outcome::BadSecret)).finish();
    assert_eq!(log.tries(), tries([("dan", Outcome::BadSecret)]));
    assert!(!log.accuses(VICTIM));
    assert_eq!(log.joiner.ignored().after_torn, 2);
    assert!(log.tells_torn(Service::Vpopmail));
}

#[test]
fn other_daemons_lines_behind_a_torn_record_accuse_nobody_and_make_nobody_familiar() {
    let postfix = |source, account: &str, outcome| {
        let mut event = event(Service::Postfix, Tells::Attempt, source, Session::Pid(1));
        (event.account, event.outcome) = (known(account), outcome);
        event
    };
    let mut log = Log::default();
    // A robot that writes lines would frame others, or make itself familiar with an account.
    log.at(0, torn()).at(10, postfix(VICTIM, "bob", Outcome::Failed));
    log.at(20, postfix(CLIENT, "dan", Outcome::Success));
    log.at(30, postfix(CLIENT, "eve", Outcome::Failed)).finish();
    assert_eq!(log.tries(), tries([("eve", Outcome::Failed)]), "the third is the daemon's again");
    assert!(!log.accuses(VICTIM));
}

#[test]
fn a_record_behind_a_torn_one_counts_with_a_connection_for_witness() {
    let mut log = Log::default();
    pop3(&mut log, 0, 1, CLIENT);
    log.at(10, torn())
        .at(20, vchkpw(VICTIM, "bob", Outcome::BadSecret))
        .at(30, vchkpw(CLIENT, "dan", Outcome::BadSecret));
    log.finish();
    assert_eq!(log.tries(), tries([("dan", Outcome::BadSecret)]));
}

#[test]
fn a_record_that_is_not_believed_still_excuses_a_connection() {
    let mut log = Log::default();
    success_seen(&mut log);
    log.at(1_000, torn()).at(2_000, vchkpw(CLIENT, "dan", Outcome::Success));
    pop3(&mut log, 2_500, 1, CLIENT);
    log.at(2_600, end_line(1)).finish();
    assert!(!log.accuses(CLIENT));
}

#[test]
fn torn_records_are_told_once_an_hour() {
    let mut log = Log::default();
    for minute in 0..90 {
        log.at(minute * 60_000, torn());
    }
    assert_eq!(log.told.len(), 2);
}

/// Lines 31 to 40 of `samples/qmail/smtp-submission-noescape/maillog`.
#[test]
fn line_feeds_in_names_and_passwords_frame_nobody() {
    let mut log = Log::default();
    log.at(28_690, torn()).at(28_936, torn());
    // Ends in the true end of the record, stamped by the client.
    log.stamped(
        Time::from_secs(-60_000),
        vchkpw("198.51.100.11", "alice@bigcorp.example", Outcome::BadSecret),
    );
    log.at(
        29_172,
        AuthEvent { account: Account::Hidden, ..vchkpw("198.51.100.12", "", Outcome::UnknownAccount) },
    );
    log.at(29_404, vchkpw("198.51.100.13", "alice@bigcorp.example", Outcome::Failed));
    log.at(29_642, torn()).at(29_875, torn()).finish();
    assert_eq!(log.tries(), tries([("alice@bigcorp.example", Outcome::Failed)]));
    assert!(log.accuses("198.51.100.13"));
}

#[test]
fn a_fault_after_a_success_is_not_a_second_try() {
    let fault = AuthEvent {
        outcome: Outcome::ServerFault,
        tells: Tells::Fault,
        ..vchkpw(CLIENT, "dan", Outcome::ServerFault)
    };
    let mut log = Log::default();
    log.at(0, vchkpw(CLIENT, "dan", Outcome::Success)).at(1, fault.clone()).finish();
    assert_eq!(log.tries(), tries([("dan", Outcome::Success)]));
    // At the default level the success has no line.
    let mut log = Log::default();
    log.at(1, fault).finish();
    assert_eq!(log.tries(), tries([("dan", Outcome::ServerFault)]));
}

#[test]
fn a_try_without_an_address_is_counted_and_not_told() {
    let mut log = Log::default();
    log.at(0, AuthEvent { source: None, ..vchkpw(CLIENT, "dan", Outcome::BadSecret) }).finish();
    assert!(log.told.is_empty());
    assert_eq!(log.joiner.ignored().without_source, 1);
}
