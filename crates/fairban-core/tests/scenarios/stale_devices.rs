//! Rule 5: one account, an old password, for ever.

use fairban_core::effect::Effect;

use crate::world::*;

const PHONE: &str = "203.0.113.77";

#[test]
fn a_phone_with_an_old_password_is_spared_for_a_week_and_told_of() {
    everywhere(|world| {
        let mut traffic = users(world.start, world.start + WEEK);
        for n in 0..7 * 24 * 60 {
            traffic.push(wrong(world.start + f64::from(n) * 60.0, PHONE, &user(4), "Summer2019"));
        }
        world.play(traffic);
        world.assert_spared(PHONE);
        let told = world.effects.iter().filter(|e| matches!(e, Effect::StaleDevice { .. })).count();
        assert!((6..=9).contains(&told), "{}: told {told} times in a week", world.site);
    });
}

#[test]
fn a_phone_whose_secret_the_log_does_not_show_is_spared_for_a_week() {
    everywhere(|world| {
        let mut traffic = users(world.start, world.start + WEEK);
        for n in 0..7 * 24 * 30 {
            traffic.push(wrong_unseen(world.start + f64::from(n) * 120.0, PHONE, &user(4)));
        }
        world.play(traffic);
        world.assert_spared(PHONE);
    });
}

#[test]
fn a_phone_whose_incoming_and_outgoing_mail_both_fail_is_spared() {
    everywhere(|world| {
        let mut traffic = users(world.start, world.start + WEEK);
        for n in 0..7 * 24 * 30 {
            let now = world.start + f64::from(n) * 120.0;
            traffic.push(wrong_unseen(now, PHONE, &user(4)));
            if n % 10 == 0 {
                let mut sending = smtpd(77, wrong_unseen(now + 1.0, PHONE, &user(4)));
                sending.outcome = fairban_core::event::Outcome::Failed;
                traffic.push(sending);
                traffic.push(smtpd_disconnect(now + 2.0, PHONE, 77, 0, 1));
            }
        }
        world.play(traffic);
        world.assert_spared(PHONE);
    });
}

#[test]
fn a_phone_that_retries_eight_times_at_once_is_spared() {
    everywhere(|world| {
        let mut traffic = users(world.start, world.start + 2.0 * DAY);
        for n in 0..2 * 24 * 4 {
            for retry in 0..8 {
                let now = world.start + f64::from(n) * 15.0 * MINUTE + f64::from(retry) * 0.4;
                traffic.push(wrong_unseen(now, PHONE, &user(4)));
            }
        }
        world.play(traffic);
        world.assert_spared(PHONE);
    });
}

#[test]
fn a_home_with_two_old_devices_of_two_accounts_is_spared() {
    everywhere(|world| {
        let mut traffic = users(world.start, world.start + WEEK);
        for n in 0..7 * 24 * 12 {
            let now = world.start + f64::from(n) * 300.0;
            traffic.push(wrong(now, PHONE, &user(4), "Summer2019"));
            traffic.push(wrong(now + 90.0, PHONE, &user(5), "Winter2018"));
        }
        world.play(traffic);
        world.assert_spared(PHONE);
    });
}

#[test]
fn a_robot_that_repeats_each_guess_three_times_to_look_like_an_old_device_is_caught() {
    where_settled(|world| {
        let robot = "198.51.100.7";
        let mut traffic = users(world.start, world.start + 6.0 * HOUR);
        for n in 0..600 {
            let now = world.start + n as f64 * 30.0;
            traffic.push(wrong(now, robot, &user(n / 3), &format!("guess{}", n / 3)));
        }
        world.play(traffic);
        world.assert_caught("a robot that repeats each guess three times", robot, 30);
    });
}

#[test]
fn a_robot_that_repeats_each_guess_at_one_account_is_caught() {
    where_settled(|world| {
        let robot = "198.51.100.7";
        let mut traffic = users(world.start, world.start + 6.0 * HOUR);
        for n in 0..600 {
            let now = world.start + n as f64 * 30.0;
            traffic.push(wrong(now, robot, &user(6), &format!("guess{}", n / 3)));
        }
        world.play(traffic);
        world.assert_caught("a robot that repeats each guess at one account", robot, 100);
    });
}

#[test]
fn a_robot_that_alternates_two_secrets_with_new_ones_is_caught() {
    where_settled(|world| {
        let robot = "198.51.100.7";
        let guess = |n: i32| {
            let secret = if n % 2 == 0 { "anchor".to_owned() } else { format!("new{n}") };
            wrong(world.start + f64::from(n) * 20.0, robot, &user(6), &secret)
        };
        world.play((0..400).map(guess).collect());
        world.assert_caught("a robot that alternates an old secret with new ones", robot, 80);
    });
}
