//! Rule 6: when the backend is down, everybody fails.

use fairban_core::effect::Alarm;
use fairban_core::event::Outcome;

use crate::world::*;

/// Twenty minutes in which every login fails as it does at vpopmail: as an unknown account.
fn outage(world: &mut World, outcome: Outcome) {
    let down = world.start + 6.0 * HOUR;
    let mut traffic = users(world.start, world.start + 12.0 * HOUR);
    // Programs look for mail each minute or so.
    for number in 0..40 {
        let mut now = world.start + number as f64;
        while now < world.start + 12.0 * HOUR {
            traffic.push(login(now, &home(number), &user(number)));
            now += 70.0;
        }
    }
    // Somebody new in a hotel, and an office of eight that was given another address just then.
    for n in 0..40 {
        traffic.push(login(down - 60.0 + f64::from(n) * 60.0, "203.0.113.8", &user(12)));
        traffic.push(login(down + f64::from(n) * 60.0, "203.0.113.9", &user(13)));
        for number in 20..28 {
            traffic.push(login(
                down + 150.0 + f64::from(n) * 60.0 + number as f64,
                "203.0.113.10",
                &user(number),
            ));
        }
    }
    for event in &mut traffic {
        let now = event.time;
        if at(down) <= now && now < at(down + 20.0 * MINUTE) {
            event.outcome = outcome;
        }
    }
    world.play(traffic);
    for number in 0..40 {
        world.assert_spared(&home(number));
    }
    for source in ["203.0.113.8", "203.0.113.9", "203.0.113.10"] {
        world.assert_spared(source);
    }
    let told = world.alarms().filter(|alarm| matches!(alarm, Alarm::Outage { .. })).count();
    let ended = world.alarms().filter(|alarm| matches!(alarm, Alarm::OutageEnded { .. })).count();
    assert_eq!((told, ended), (1, 1), "{}: one outage, told once, and its end", world.site);
}

#[test]
fn twenty_minutes_in_which_every_account_is_unknown_harm_nobody() {
    everywhere(|world| outage(world, Outcome::UnknownAccount));
}

#[test]
fn twenty_minutes_in_which_every_secret_is_wrong_harm_nobody() {
    everywhere(|world| outage(world, Outcome::BadSecret));
}

#[test]
fn three_bought_accounts_that_fail_together_fake_no_outage() {
    where_settled(|world| {
        let mut traffic = users(world.start, world.start + 4.0 * HOUR);
        let robots: Vec<String> = (0..3).map(|n| format!("198.51.{n}.7")).collect();
        for (n, robot) in robots.iter().enumerate() {
            traffic.push(login(world.start, robot, &format!("bought{n}@site.example")));
            for step in 0..200 {
                let now = world.start + 3.0 * HOUR + f64::from(step) * 5.0 + n as f64;
                traffic.push(wrong(now, robot, &format!("bought{n}@site.example"), "not it"));
            }
        }
        let robot = "198.51.100.7";
        for n in 0..100 {
            let now = world.start + 3.0 * HOUR + 300.0 + n as f64 * 5.0;
            traffic.push(wrong(now, robot, &user(n), &format!("g{n}")));
        }
        world.play(traffic);
        assert!(!world.alarms().any(|alarm| matches!(alarm, Alarm::Outage { .. })), "{}", world.site);
        world.assert_caught("a robot beside a faked outage", robot, 12);
    });
}

#[test]
fn a_scanner_during_an_outage_is_caught_all_the_same() {
    where_settled(|world| {
        let down = world.start + HOUR;
        let mut traffic = users(world.start, down);
        for number in 0..40 {
            for step in 0..20 {
                let now = down + number as f64 + f64::from(step) * 60.0;
                traffic.push(wrong_unseen(now, &home(number), &user(number)));
            }
        }
        let robot = "198.51.100.7";
        for n in 0..200 {
            traffic.push(unknown(down + 300.0 + n as f64, robot, &no_one(n as usize)));
        }
        world.play(traffic);
        world.assert_caught("a scanner during an outage", robot, 12);
    });
}
