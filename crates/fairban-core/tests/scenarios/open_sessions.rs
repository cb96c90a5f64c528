//! Postfix: a failure waits for its session's end, and `auth=k/n` resolves k of them.

use fairban_core::event::Outcome;

use crate::world::*;

const CLIENT: &str = "203.0.113.30";

fn refused(secs: f64, pid: u32, account: &str) -> fairban_core::event::AuthEvent {
    smtpd(pid, attempt(secs, CLIENT, account, Outcome::Failed))
}

#[test]
fn a_failure_waits_until_its_session_ends() {
    where_settled(|world| {
        world.take(&smtpd_connect(world.start, CLIENT, 9));
        world.take(&refused(world.start + 1.0, 9, &user(3)));
        world.wait_until(world.start + 5.0 * MINUTE);
        assert!(world.evidence(CLIENT) < 0.1, "{}: it waits", world.site);
        world.take(&smtpd_disconnect(world.start + 6.0 * MINUTE, CLIENT, 9, 1, 2));
        world.wait_until(world.start + HOUR);
        assert!(world.evidence(CLIENT) < 0.1, "{}: one of two succeeded", world.site);
    });
}

#[test]
fn a_failure_that_nothing_resolves_is_weighed_after_its_session() {
    where_settled(|world| {
        world.take(&smtpd_connect(world.start, CLIENT, 9));
        world.take(&refused(world.start + 1.0, 9, &user(3)));
        world.take(&smtpd_disconnect(world.start + 6.0 * MINUTE, CLIENT, 9, 0, 1));
        world.wait_until(world.start + HOUR);
        assert!(world.evidence(CLIENT) > 0.5, "{}: {}", world.site, world.evidence(CLIENT));
    });
}

#[test]
fn a_client_that_fails_once_in_each_session_and_sends_is_spared_for_a_week() {
    everywhere(|world| {
        let mut traffic = Vec::new();
        for n in 0..7 * 24 * 6 {
            let now = world.start + f64::from(n) * 600.0;
            traffic.push(smtpd_connect(now, CLIENT, 100 + n % 50));
            traffic.push(refused(now + 1.0, 100 + n % 50, &user(3)));
            traffic.push(smtpd_disconnect(now + 30.0, CLIENT, 100 + n % 50, 1, 2));
        }
        world.play(traffic);
        world.assert_spared(CLIENT);
    });
}

#[test]
fn an_office_of_twelve_whose_programs_fail_once_in_each_session_is_spared() {
    everywhere(|world| {
        let mut traffic = Vec::new();
        for n in 0..7 * 24 * 6 {
            let now = world.start + f64::from(n) * 600.0;
            let pid = 100 + n % 50;
            traffic.push(smtpd_connect(now, CLIENT, pid));
            traffic.push(refused(now + 1.0, pid, &user(n as usize % 12)));
            traffic.push(smtpd_disconnect(now + 30.0, CLIENT, pid, 1, 2));
        }
        world.play(traffic);
        world.assert_spared(CLIENT);
    });
}

#[test]
fn a_robot_at_postfix_is_caught() {
    where_settled(|world| {
        let mut traffic = Vec::new();
        for n in 0..200 {
            let now = world.start + f64::from(n) * 10.0;
            traffic.push(smtpd_connect(now, CLIENT, 9));
            traffic.push(refused(now + 1.0, 9, &no_one(n as usize)));
            traffic.push(smtpd_disconnect(now + 2.0, CLIENT, 9, 0, 1));
        }
        world.play(traffic);
        world.assert_caught("a robot at Postfix", CLIENT, 12);
    });
}

#[test]
fn a_robot_that_owns_an_account_and_logs_in_within_each_session_is_caught_or_bounded() {
    where_settled(|world| {
        let mut traffic = Vec::new();
        for n in 0..400 {
            let now = world.start + f64::from(n) * 10.0;
            traffic.push(smtpd_connect(now, CLIENT, 9));
            traffic.push(refused(now + 1.0, 9, &no_one(n as usize)));
            traffic.push(smtpd_disconnect(now + 2.0, CLIENT, 9, 1, 2));
        }
        world.play(traffic);
        world.assert_caught("a robot that logs in within each session", CLIENT, 30);
    });
}

/// Thirty people of one address log in at Postfix within ten minutes: every second one fails in a session of its own
/// before, and no line names a success.
#[test]
fn a_class_whose_logins_no_line_names_is_spared() {
    everywhere(|world| {
        let mut traffic = Vec::new();
        for n in 0..30 {
            let (now, pid) = (world.start + n as f64 * 20.0, 500 + 2 * n as u32);
            if n % 2 == 0 {
                traffic.push(smtpd_connect(now, CLIENT, pid));
                traffic.push(refused(now + 2.0, pid, &absent(n)));
                traffic.push(smtpd_disconnect(now + 3.0, CLIENT, pid, 0, 1));
            }
            traffic.push(smtpd_connect(now + 40.0, CLIENT, pid + 1));
            traffic.push(smtpd_disconnect(now + 43.0, CLIENT, pid + 1, 1, 1));
        }
        world.play(traffic);
        world.wait_until(world.start + HOUR);
        world.assert_spared(CLIENT);
    });
}

#[test]
fn a_robot_that_owns_an_account_gains_a_handful_of_guesses_by_unnamed_logins() {
    where_settled(|world| {
        let mut traffic = Vec::new();
        for n in 0..300 {
            let (now, pid) = (world.start + n as f64 * 60.0, 500 + 2 * n as u32);
            traffic.push(smtpd_connect(now, CLIENT, pid));
            traffic.push(refused(now + 2.0, pid, &absent(n)));
            traffic.push(smtpd_disconnect(now + 3.0, CLIENT, pid, 0, 1));
            traffic.push(smtpd_connect(now + 10.0, CLIENT, pid + 1));
            traffic.push(smtpd_disconnect(now + 13.0, CLIENT, pid + 1, 1, 1));
        }
        world.play(traffic);
        world.assert_caught("a robot with unnamed logins of its own", CLIENT, 24);
    });
}
