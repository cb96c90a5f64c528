//! Rule 1: clients that offer a digest first, as the founding message tells of them.

use crate::world::*;

#[test]
fn a_client_that_fails_by_digest_and_logs_in_plainly_is_spared_for_a_week() {
    everywhere(|world| {
        let (home, mut traffic) = (home(3), Vec::new());
        for n in 0..7 * 24 * 12 {
            let now = world.start + f64::from(n) * 5.0 * MINUTE;
            traffic.push(digest(now, &home, &user(3)));
            traffic.push(login(now + 1.0, &home, &user(3)));
        }
        world.play(traffic);
        world.assert_spared(&home);
    });
}

#[test]
fn a_client_whose_digest_name_is_a_letter_off_is_spared_for_a_week() {
    everywhere(|world| {
        let mut traffic = Vec::new();
        for n in 0..7 * 24 * 12 {
            let now = world.start + f64::from(n) * 5.0 * MINUTE;
            let mut failing = digest(now, "203.0.113.4", "dann@site.example");
            failing.outcome = fairban_core::event::Outcome::UnknownAccount;
            traffic.push(failing);
            traffic.push(login(now, "203.0.113.4", "dan@site.example"));
        }
        world.play(traffic);
        world.assert_spared("203.0.113.4");
    });
}

#[test]
fn a_client_that_knows_apop_alone_and_fails_every_five_minutes_for_a_week_is_spared() {
    everywhere(|world| {
        let mut traffic = users(world.start, world.start + WEEK);
        for n in 0..7 * 24 * 12 {
            let now = world.start + f64::from(n) * 5.0 * MINUTE;
            traffic.push(digest(now, "203.0.113.4", &user(3)));
        }
        world.play(traffic);
        world.assert_spared("203.0.113.4");
    });
}

#[test]
fn three_accounts_of_one_program_that_try_digests_first_are_spared() {
    everywhere(|world| {
        let mut traffic = Vec::new();
        for n in 0..7 * 24 * 12 {
            let now = world.start + f64::from(n) * 5.0 * MINUTE;
            for account in 0..6 {
                let name = format!("box{account}@family.example");
                traffic.push(digest(now + f64::from(account) * 0.05, "203.0.113.4", &name));
                traffic.push(login(now + 1.0 + f64::from(account) * 0.05, "203.0.113.4", &name));
            }
        }
        world.play(traffic);
        world.assert_spared("203.0.113.4");
    });
}

#[test]
fn a_robot_that_guesses_by_digests_is_caught() {
    where_settled(|world| {
        let robot = "198.51.100.7";
        let guess = |n: i32| digest(world.start + f64::from(n) * 2.0, robot, &user(n as usize));
        world.play((0..40).map(guess).collect());
        world.assert_caught("a robot that guesses by digests", robot, 30);
    });
}

#[test]
fn a_robot_that_repeats_digests_at_one_account_in_a_machines_speed_is_caught() {
    where_settled(|world| {
        let robot = "198.51.100.7";
        let guess = |n: i32| digest(world.start + f64::from(n) * 0.5, robot, &user(1));
        world.play((0..600).map(guess).collect());
        world.assert_caught("a fast digest robot at one account", robot, 60);
    });
}
