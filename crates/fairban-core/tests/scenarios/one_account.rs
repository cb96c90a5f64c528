//! Brute force of one account, with secrets that the log shows and without.

use crate::world::*;

fn brute(world: &mut World, every: f64, count: i32, seen: bool) {
    let mut traffic = users(world.start, world.start + f64::from(count) * every);
    for n in 0..count {
        let now = world.start + f64::from(n) * every;
        let guess = wrong(now, "198.51.100.7", &user(1), &format!("guess{n}"));
        traffic.push(if seen { guess } else { wrong_unseen(now, "198.51.100.7", &user(1)) });
    }
    world.play(traffic);
}

#[test]
fn thirty_guesses_a_minute_whose_secrets_show_are_caught() {
    where_settled(|world| {
        brute(world, 2.0, 1_200, true);
        world.assert_caught("one account, 30 a minute, secrets shown", "198.51.100.7", 30);
    });
}

#[test]
fn thirty_guesses_a_minute_whose_secrets_do_not_show_are_caught() {
    where_settled(|world| {
        brute(world, 2.0, 1_200, false);
        world.assert_caught("one account, 30 a minute, no secrets", "198.51.100.7", 40);
    });
}

#[test]
fn two_guesses_a_minute_whose_secrets_show_are_caught() {
    where_settled(|world| {
        brute(world, 30.0, 1_200, true);
        world.assert_caught("one account, 2 a minute, secrets shown", "198.51.100.7", 40);
    });
}

#[test]
fn a_guess_in_ten_minutes_at_one_account_whose_secrets_show_is_caught() {
    where_settled(|world| {
        brute(world, 600.0, 7 * 144, true);
        world.assert_caught("one account, 1 in 10 min, secrets shown", "198.51.100.7", 60);
    });
}

#[test]
fn two_guesses_a_minute_whose_secrets_do_not_show_raise_an_alarm_within_the_hour() {
    where_settled(|world| {
        brute(world, 30.0, 120, false);
        let told = world.alarms().any(|alarm| matches!(alarm, fairban_core::effect::Alarm::Looping { .. }));
        assert!(told, "{}: the admin is told", world.site);
        world.assert_bounded(
            "one account, 2 a minute, no secrets",
            world.fate("198.51.100.7").failed,
            1.0,
            120.0,
        );
    });
}
