//! Rule 10: what the server's own trouble says about a client: nothing.

use fairban_core::event::{AuthEvent, Outcome, Service, Tells};

use crate::world::*;

#[test]
fn a_client_that_meets_a_broken_server_for_a_day_is_spared() {
    everywhere(|world| {
        let fault = |n: i32| {
            let now = world.start + f64::from(n) * 20.0;
            attempt(now, "203.0.113.5", &user(n as usize % 30), Outcome::ServerFault)
        };
        world.play((0..4_000).map(fault).collect());
        world.assert_spared("203.0.113.5");
        assert!(world.evidence("203.0.113.5").abs() < 0.001);
    });
}

#[test]
fn failures_that_postfix_blames_on_its_own_auth_server_are_nobodys() {
    everywhere(|world| {
        let mut traffic = Vec::new();
        for n in 0..200 {
            let now = world.start + f64::from(n) * 30.0;
            traffic.push(smtpd_connect(now, "203.0.113.5", 5));
            let mut fault = AuthEvent::new(Service::Postfix, Tells::Fault);
            fault.time = at(now + 1.0);
            fault.outcome = Outcome::ServerFault;
            traffic.push(smtpd(5, fault));
            traffic
                .push(smtpd(5, attempt(now + 1.0, "203.0.113.5", &user(n as usize % 30), Outcome::Failed)));
            traffic.push(smtpd_disconnect(now + 2.0, "203.0.113.5", 5, 0, 1));
        }
        world.play(traffic);
        world.assert_spared("203.0.113.5");
    });
}

#[test]
fn an_account_that_is_disabled_speaks_against_nobody() {
    everywhere(|world| {
        let denied =
            |n: i32| attempt(world.start + f64::from(n) * 60.0, "203.0.113.5", &user(3), Outcome::Denied);
        world.play((0..3_000).map(denied).collect());
        world.assert_spared("203.0.113.5");
    });
}

#[test]
fn a_robot_that_guesses_while_the_server_has_trouble_is_caught() {
    where_settled(|world| {
        let mut traffic = Vec::new();
        for n in 0..200 {
            let now = world.start + f64::from(n) * 5.0;
            // Every second try meets the fault.
            let outcome = if n % 2 == 0 { Outcome::ServerFault } else { Outcome::UnknownAccount };
            traffic.push(attempt(now, "198.51.100.7", &no_one(n as usize), outcome));
        }
        world.play(traffic);
        world.assert_caught("a robot amid server faults", "198.51.100.7", 12);
    });
}
