//! Rule 13: the first hour, in which nobody is familiar yet.

use crate::world::*;

#[test]
fn the_first_hour_of_an_office_day_harms_nobody() {
    let mut world = World::cold();
    let (mut chance, mut traffic) = (Chance::new(13), Vec::new());
    let mut sources = Vec::new();
    for office in 0..20 {
        let source = format!("203.0.{office}.1");
        for number in 0..=chance.below(12) {
            let name = format!("w{office}n{number}{}@site.example", ["ora", "iel", "ust"][number % 3]);
            // Every fourth begins with an old password, a typo, or a device that nobody looks after.
            let mut now = chance.between(0.0, HOUR);
            match chance.below(8) {
                0 => {
                    for n in 0..20 {
                        traffic.push(wrong(now + f64::from(n) * 180.0, &source, &name, "old one"));
                    }
                    continue;
                }
                1 => {
                    traffic.push(wrong(now, &source, &name, "typo"));
                    now += chance.between(5.0, 600.0);
                }
                _ => {}
            }
            traffic.push(login(now, &source, &name));
        }
        sources.push(source);
    }
    world.play(traffic);
    for source in &sources {
        world.assert_spared(source);
    }
}

#[test]
fn three_people_of_one_office_who_fail_in_the_first_minutes_are_spared() {
    let mut world = World::cold();
    let mut traffic = Vec::new();
    for (n, name) in ["adam", "berta", "caspar"].iter().enumerate() {
        let now = 20.0 + n as f64 * 15.0;
        traffic.push(wrong_unseen(now, "203.0.113.1", &format!("{name}@site.example")));
        traffic.push(wrong_unseen(now + 300.0, "203.0.113.1", &format!("{name}@site.example")));
        traffic.push(login(now + 900.0, "203.0.113.1", &format!("{name}@site.example")));
    }
    world.play(traffic);
    world.assert_spared("203.0.113.1");
}

#[test]
fn a_scanner_in_the_first_minute_is_caught() {
    let mut world = World::cold();
    let guess = |n: i32| unknown(f64::from(n) * 0.7, "198.51.100.7", &no_one(n as usize));
    world.play((0..100).map(guess).collect());
    world.assert_caught("a scanner in the first minute", "198.51.100.7", 8);
}

#[test]
fn a_robot_at_existing_accounts_in_the_first_hour_is_caught() {
    let mut world = World::cold();
    let guess = |n: i32| wrong(f64::from(n) * 5.0, "198.51.100.7", &user(n as usize), &format!("g{n}"));
    world.play((0..100).map(guess).collect());
    world.assert_caught("a robot at existing accounts in the first hour", "198.51.100.7", 30);
}
