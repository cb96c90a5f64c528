//! Services whose log never shows a success.

use fairban_core::effect::Alarm;
use fairban_core::event::Service;

use crate::world::*;

#[test]
fn an_office_that_fails_by_digest_at_a_service_without_successes_is_spared_for_a_week() {
    let mut world = World::cold();
    let mut traffic = Vec::new();
    for number in 0..15 {
        for n in 0..7 * 24 * 6 {
            let now = number as f64 * 7.0 + f64::from(n) * 600.0;
            traffic.push(digest(now, "203.0.113.1", &format!("{}@office.example", name("worker", number))));
        }
    }
    world.play(traffic);
    world.assert_spared("203.0.113.1");
    assert!(world.alarms().any(|alarm| matches!(alarm, Alarm::Blind { .. })), "told as blind");
}

#[test]
fn wrong_secrets_of_an_office_at_a_blind_service_ban_nobody() {
    let mut world = World::cold();
    let (mut chance, mut traffic) = (Chance::new(15), Vec::new());
    // Elsewhere people fail and (unseen) succeed.
    for n in 0..300 {
        let source = format!("203.{}.113.9", n % 100);
        traffic.push(wrong(n as f64 * 300.0, &source, &user(n % 100), &format!("typo{n}")));
    }
    for day in 0..7 {
        for number in 0..15 {
            if chance.is(0.2) {
                let now = f64::from(day) * DAY + 2.0 * HOUR + chance.between(0.0, 8.0 * HOUR);
                let name = format!("{}@office.example", name("worker", number));
                traffic.push(wrong(now, "203.0.113.1", &name, &format!("typo{day}{number}")));
            }
        }
    }
    world.play(traffic);
    world.assert_spared("203.0.113.1");
}

#[test]
fn a_scanner_of_unknown_names_at_a_blind_service_is_caught() {
    let mut world = World::cold();
    let mut traffic = Vec::new();
    for n in 0..200 {
        traffic.push(wrong(n as f64 * 30.0, &format!("203.0.{}.9", n % 60), &user(n % 60), "typo"));
    }
    for n in 0..100 {
        traffic.push(unknown(2.0 * HOUR + n as f64 * 20.0, "198.51.100.7", &no_one(n as usize)));
    }
    world.play(traffic);
    world.assert_caught("a scanner at a blind service", "198.51.100.7", 10);
}

#[test]
fn a_fast_robot_at_existing_accounts_of_a_blind_service_is_caught() {
    let mut world = World::cold();
    let mut traffic = Vec::new();
    for n in 0..200 {
        traffic.push(wrong(n as f64 * 30.0, &format!("203.0.{}.9", n % 60), &user(n % 60), "typo"));
    }
    for n in 0..400 {
        traffic.push(wrong(
            2.0 * HOUR + n as f64 * 0.5,
            "198.51.100.7",
            &absent(n as usize),
            &format!("g{n}"),
        ));
    }
    world.play(traffic);
    world.assert_caught("a fast robot at a blind service", "198.51.100.7", 60);
}

#[test]
fn a_service_that_shows_successes_is_not_blind_because_another_is() {
    let mut world = World::settled();
    let mut traffic = users(world.start, world.start + DAY);
    for n in 0..300 {
        traffic.push(of(
            Service::Sshd,
            wrong_unseen(world.start + n as f64 * 60.0, &format!("203.0.{}.9", n % 60), "dieter"),
        ));
    }
    world.play(traffic);
    assert!(world.engine.blindness(Service::Sshd).blind && !world.engine.blindness(Service::Vpopmail).blind);
}

#[test]
fn a_gap_in_the_log_harms_no_office() {
    where_settled(|world| {
        let mut traffic = Vec::new();
        let mut gap = fairban_core::event::AuthEvent::new(
            Service::Vpopmail,
            fairban_core::event::Tells::Gap { lost: 900 },
        );
        gap.time = at(world.start + 60.0);
        traffic.push(gap);
        // The successes of four people were lost, their digests before were not.
        for (n, name) in ["adam", "berta", "caspar", "doris"].iter().enumerate() {
            traffic.push(wrong_unseen(
                world.start + 70.0 + n as f64 * 20.0,
                "203.0.113.1",
                &format!("{name}@site.example"),
            ));
        }
        world.play(traffic);
        world.wait_until(world.start + HOUR);
        world.assert_spared("203.0.113.1");
    });
}

#[test]
fn a_neighbourhood_that_meets_a_server_which_knows_nobody_is_spared() {
    // vpopmail without the rights to read its domains: everybody is unknown from the log's first line on.
    let mut world = World::cold();
    let sources: Vec<String> = (0..8).map(|n| host("203.0.113", 20 + n * 10)).collect();
    for (n, source) in sources.iter().enumerate() {
        for again in 0..20 {
            world.take(&unknown(n as f64 + f64::from(again) * 300.0, source, &user(n)));
        }
    }
    for source in &sources {
        world.assert_spared(source);
    }
}

#[test]
fn rotation_in_a_slash_24_at_a_blind_service_is_caught() {
    let mut world = World::cold();
    let sources: Vec<String> = (0..400).map(|n| host("198.51.100", n * 37)).collect();
    for (n, source) in sources.iter().enumerate() {
        world.take(&unknown(n as f64 * 20.0, source, &no_one(n)));
    }
    let mut distinct = sources;
    distinct.sort();
    distinct.dedup();
    let leaked = world.leaked(&distinct);
    println!("rotation in a /24 at a blind service: {leaked} guesses of 400");
    assert!(leaked <= 60, "{leaked}");
}

/// Thirty pupils whose first logins come within ten minutes; every second one mistypes, one has a wrong name. Their
/// successes are not in the log.
fn class(start: f64, source: &str) -> Vec<fairban_core::event::AuthEvent> {
    let mut traffic = vec![unknown(start + 200.0, source, &no_one(1))];
    for n in (0..30).step_by(2) {
        traffic.push(wrong_unseen(start + n as f64 * 20.0, source, &absent(n)));
    }
    traffic
}

#[test]
fn a_class_that_mistypes_at_a_blind_service_is_spared() {
    let mut world = World::cold();
    let mut traffic = Vec::new();
    for n in 0..200 {
        traffic.push(wrong(n as f64 * 30.0, &format!("203.0.{}.9", n % 60), &user(n % 60), "typo"));
    }
    traffic.extend(class(2.0 * HOUR, "203.0.113.1"));
    world.play(traffic);
    world.wait_until(4.0 * HOUR);
    world.assert_spared("203.0.113.1");
}

#[test]
fn rotation_over_existing_accounts_at_a_blind_service_is_caught() {
    let mut world = World::cold();
    let mut traffic = Vec::new();
    for n in 0..200 {
        traffic.push(wrong(n as f64 * 30.0, &format!("203.0.{}.9", n % 60), &user(n % 60), "typo"));
    }
    let sources: Vec<String> = (0..250).map(|n| host("198.51.100", n)).collect();
    for n in 0..1_000 {
        traffic.push(wrong_unseen(2.0 * HOUR + n as f64 * 10.0, &sources[n % 250], &absent(n)));
    }
    world.play(traffic);
    let leaked = world.leaked(&sources);
    println!("rotation over existing accounts at a blind service: {leaked} guesses of 1000");
    assert!(leaked <= 200, "{leaked}");
}

#[test]
fn a_carrier_net_at_a_blind_service_is_spared_though_people_mistype_all_day() {
    let mut world = World::cold();
    let (mut chance, mut traffic) = (Chance::new(77), Vec::new());
    for n in 0..1_500 {
        // Two phones with an old password, and typos of sixty people, from addresses that change each time.
        let source = host("100.77.3", chance.below(60));
        let now = f64::from(n) * 60.0;
        if n % 20 == 0 {
            traffic.push(wrong_unseen(now, &source, &user(5 + n as usize % 2)));
        } else if chance.is(0.06) {
            traffic.push(wrong_unseen(now, &source, &absent(chance.below(60))));
        }
    }
    world.play(traffic);
    for n in 0..60 {
        world.assert_spared(&host("100.77.3", n));
    }
}
