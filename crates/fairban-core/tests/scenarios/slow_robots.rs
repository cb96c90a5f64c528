//! Rule 8: robots that stay under every counting rule.

use crate::world::*;

fn steady(
    world: &mut World,
    what: &str,
    every: f64,
    days: f64,
    at_most: u32,
    guess: impl Fn(usize, f64) -> fairban_core::event::AuthEvent,
) {
    let count = (days * DAY / every) as usize;
    let mut traffic = users(world.start, world.start + days * DAY);
    traffic.extend((0..count).map(|n| guess(n, world.start + n as f64 * every)));
    world.play(traffic);
    world.assert_caught(what, "198.51.100.7", at_most);
}

#[test]
fn a_guess_in_ten_minutes_at_unknown_names_is_caught() {
    where_settled(|world| {
        steady(world, "unknown names, 1 in 10 min", 600.0, 3.0, 8, |n, now| {
            unknown(now, "198.51.100.7", &no_one(n))
        });
    });
}

#[test]
fn a_guess_an_hour_at_unknown_names_is_caught() {
    where_settled(|world| {
        steady(world, "unknown names, 1 an hour", HOUR, 7.0, 12, |n, now| {
            unknown(now, "198.51.100.7", &no_one(n))
        });
    });
}

#[test]
fn a_guess_in_six_hours_at_unknown_names_is_caught() {
    where_settled(|world| {
        steady(world, "unknown names, 1 in 6 hours", 6.0 * HOUR, 14.0, 12, |n, now| {
            unknown(now, "198.51.100.7", &no_one(n))
        });
    });
}

#[test]
fn a_guess_in_ten_minutes_at_existing_accounts_is_caught() {
    where_settled(|world| {
        steady(world, "existing accounts, 1 in 10 min", 600.0, 3.0, 12, |n, now| {
            wrong(now, "198.51.100.7", &user(n % 40), &format!("g{n}"))
        });
    });
}

#[test]
fn a_guess_an_hour_at_existing_accounts_is_caught() {
    where_settled(|world| {
        steady(world, "existing accounts, 1 an hour", HOUR, 7.0, 12, |n, now| {
            wrong(now, "198.51.100.7", &user(n % 40), &format!("g{n}"))
        });
    });
}

#[test]
fn four_guesses_in_ten_minutes_are_caught() {
    where_settled(|world| {
        steady(world, "under the rule", 160.0, 1.0, 12, |n, now| {
            wrong(now, "198.51.100.7", &user(n % 40), &format!("g{n}"))
        });
    });
}

#[test]
fn a_user_who_mistypes_once_an_hour_and_logs_in_is_spared() {
    everywhere(|world| {
        let mut traffic = Vec::new();
        for n in 0..7 * 24 {
            let now = world.start + f64::from(n) * HOUR;
            traffic.push(wrong(now, "203.0.113.9", &user(8), &format!("typo{n}")));
            traffic.push(login(now + 30.0, "203.0.113.9", &user(8)));
        }
        world.play(traffic);
        world.assert_spared("203.0.113.9");
    });
}

#[test]
fn a_traveller_who_fails_from_a_hotel_each_night_is_spared() {
    everywhere(|world| {
        let mut traffic = users(world.start, world.start + 14.0 * DAY);
        for night in 0..14 {
            let hotel = format!("203.0.{}.5", night + 1);
            for n in 0..3 {
                traffic.push(wrong(
                    world.start + f64::from(night) * DAY + f64::from(n) * 20.0,
                    &hotel,
                    &user(8),
                    &format!("old{n}"),
                ));
            }
        }
        world.play(traffic);
        for night in 0..14 {
            world.assert_spared(&format!("203.0.{}.5", night + 1));
        }
    });
}
