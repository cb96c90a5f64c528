//! Each table filled with the cheapest traffic an attacker has: no familiar source is forgotten, no robot in progress is
//! freed, and nothing grows beyond its bound.

#![allow(clippy::print_stdout, reason = "tests print what they measured")]

mod world;

use fairban_core::limits::Limits;
use world::*;

/// Small tables, so that a test can fill them.
fn small() -> Limits {
    Limits {
        suspects: 64,
        clients: 64,
        accounts: 96,
        sources_per_account: 8,
        pending: 32,
        names: 64,
        episodes_per_source: 8,
        prefixes: 32,
        attacked: 32,
        dictionary: 32,
        tags: 32,
        dossiers: 16,
        bans: 32,
    }
}

const ROBOT: &str = "198.51.100.7";

fn stranger(n: usize) -> String {
    format!("{}.{}.{}.{}", 11 + n % 80, n / 7 % 250, n * 29 % 250, 1 + n * 7 % 250)
}

/// A settled host of forty users with small tables; a robot is two guesses into its scan when the flood begins.
fn begun() -> World {
    let mut world = World::with_limits(small());
    world.play(users(0.0, 6.0 * HOUR));
    world.start = 6.0 * HOUR;
    world.take(&unknown(world.start, ROBOT, &no_one(900_001)));
    world.take(&unknown(world.start + 90.0, ROBOT, &no_one(900_002)));
    world.wait_until(world.start + 200.0);
    assert!(!world.is_banned(ROBOT) && world.evidence(ROBOT) > 5.0);
    world.start += 200.0;
    world
}

/// What must hold after a flood.
fn check(world: &mut World, what: &str) {
    let before = world.evidence(ROBOT);
    assert!(before > 5.0, "{what}: the robot was freed: {before}");
    let now = world.engine.now().since(at(0.0)).as_secs() as f64 + 10.0;
    for n in 0..8 {
        world.take(&unknown(now + f64::from(n), ROBOT, &no_one(910_000 + n as usize)));
    }
    assert!(
        world.is_banned(ROBOT),
        "{what}: the robot in progress is not banned: {:?}",
        world.explain(ROBOT)
    );
    assert!(world.fate(ROBOT).failed <= 6, "{what}: {}", world.fate(ROBOT).failed);
    check_people(world, what);
}

fn check_people(world: &mut World, what: &str) {
    let now = world.engine.now().since(at(0.0)).as_secs() as f64 + 60.0;
    for number in 0..40 {
        for n in 0..30 {
            world.take(&wrong(now + f64::from(n) * 30.0, &home(number), &user(number), &format!("typo{n}")));
        }
        world.assert_spared(&home(number));
        assert!(world.evidence(&home(number)) <= 0.0, "{what}: {} is forgotten", home(number));
    }
}

/// Size of the state after a flood and after three times as much.
fn assert_bounded(what: &str, flood: impl Fn(&mut World, usize, usize)) {
    assert_bounded_from(what, 6_000, flood);
}

/// The same where it takes so many events to fill the tables whose bounds are constants.
fn assert_bounded_from(what: &str, full: usize, flood: impl Fn(&mut World, usize, usize)) {
    let mut world = begun();
    flood(&mut world, 0, full);
    let once = world.engine.snapshot().len();
    flood(&mut world, full, 3 * full);
    let again = world.engine.snapshot().len();
    println!("{what}: {once} bytes, then {again}");
    assert!(again as f64 <= once as f64 * 1.25, "{what}: {once} bytes grew to {again}");
    check(&mut world, what);
}

#[test]
fn strangers_with_an_unknown_name_each() {
    assert_bounded("strangers with an unknown name each", |world, from, to| {
        for n in from..to {
            world.take(&unknown(world.start + n as f64 * 0.5, &stranger(n), &no_one(n)));
        }
    });
}

#[test]
fn strangers_with_a_wrong_secret_each() {
    assert_bounded("strangers with a wrong secret each", |world, from, to| {
        for n in from..to {
            world.take(&wrong(world.start + n as f64 * 0.5, &stranger(n), &absent(n), &format!("s{n}")));
        }
    });
}

#[test]
fn strangers_that_incriminate_themselves_as_much_as_the_robot() {
    // Only these push a robot in progress out, and each of them costs as many guesses as the robot has made: nothing is
    // gained. People are not touched.
    let mut world = begun();
    for n in 0..12_000 {
        world.take(&unknown(world.start + n as f64 * 0.5, &stranger(n / 2), &no_one(n)));
    }
    check_people(&mut world, "strangers with two names each");
    // Nor by sources that all get banned, the dearest flood there is; and nothing grows.
    let mut sizes = Vec::new();
    for (from, to) in [(12_000, 40_000), (40_000, 120_000)] {
        for n in from..to {
            world.take(&unknown(world.start + n as f64 * 0.5, &stranger(n / 6), &no_one(n)));
        }
        sizes.push(world.engine.snapshot().len());
    }
    assert!(sizes[1] as f64 <= sizes[0] as f64 * 1.25, "{sizes:?}");
    check_people(&mut world, "banned sources");
}

#[test]
fn digests_that_wait() {
    assert_bounded("digests that wait", |world, from, to| {
        for n in from..to {
            world.take(&digest(world.start + n as f64 * 0.01, &stranger(n), &absent(n)));
        }
    });
}

#[test]
fn open_sessions_that_wait() {
    assert_bounded("open sessions that wait", |world, from, to| {
        for n in from..to {
            let failing = attempt(
                world.start + n as f64 * 0.05,
                &stranger(n),
                &absent(n),
                fairban_core::event::Outcome::Failed,
            );
            world.take(&smtpd(50_000 + n as u32 % 200, failing));
        }
    });
}

#[test]
fn one_bought_account_from_everywhere() {
    assert_bounded("one bought account from everywhere", |world, from, to| {
        for n in from..to {
            world.take(&login(world.start + n as f64 * 0.5, &stranger(n), "bought@site.example"));
        }
    });
}

#[test]
fn neighbourhoods_in_turn() {
    assert_bounded("neighbourhoods in turn", |world, from, to| {
        for n in from..to {
            let source = format!("2001:db8:{:x}:{:x}::1", n % 4_096, n);
            world.take(&unknown(world.start + n as f64 * 0.5, &source, &no_one(n)));
        }
    });
}

/// A /48 whose /64s each do something.
fn of_one_prefix(n: usize) -> String {
    format!("2001:db8:5:{:x}::1", 16 + n % 65_000)
}

/// Its /64s that have a record of their own.
fn members(world: &World) -> usize {
    let is_kept = |&n: &usize| world.explain(&of_one_prefix(n)).is_some_and(|told| told.attempts > 0);
    (0..65_000).filter(is_kept).count()
}

#[test]
fn one_neighbourhood_fills_no_more_than_its_share() {
    let limits = Limits { suspects: 640, names: 4_096, ..small() };
    // Somebody logs in from that /48, so it is not banned as a whole, and its /64s fail once each.
    let client = "2001:db8:5:1::7";
    let mut world = World::with_limits(limits);
    world.play(users(0.0, 6.0 * HOUR));
    world.take(&login(10.0, client, &user(1)));
    world.start = 6.0 * HOUR;
    let others: Vec<String> = (0..600).map(stranger).collect();
    for (n, other) in others.iter().enumerate() {
        world.take(&unknown(world.start + n as f64, other, &no_one(n)));
    }
    world.start += HOUR;
    for n in 0..20_000 {
        world.take(&unknown(world.start + n as f64 * 0.2, &of_one_prefix(n), &no_one(10_000 + n)));
        if n % 1_000 == 0 {
            // His program tries an old password now and then.
            world.take(&wrong(world.start + n as f64 * 0.2, client, &user(1), "old"));
        }
    }
    world.wait_until(world.start + 2.0 * HOUR);
    for other in &others {
        assert!(world.evidence(other) > 1.0, "{other} was pushed out");
    }
    let kept = members(&world);
    assert!((5..=10).contains(&kept), "{kept} of 640 / 64");
    world.assert_spared(client);
    assert!(world.evidence(client) <= 0.0);
    // After a restart the share is what it was.
    let bytes = world.engine.snapshot();
    world.engine = fairban_core::engine::Engine::restore(&bytes, config()).expect("just written");
    for n in 0_u32..100 {
        let now = world.start + 2.0 * HOUR + f64::from(n);
        world.take(&unknown(now, &of_one_prefix(30_000 + n as usize), &no_one(50_000 + n as usize)));
    }
    let kept = members(&world);
    assert!(kept <= 10, "{kept} after a restart");
}

#[test]
fn robots_of_a_neighbourhood_that_has_filled_its_share_are_banned_with_it() {
    let mut world = World::with_limits(Limits { suspects: 640, ..small() });
    world.play(users(0.0, 6.0 * HOUR));
    world.start = 6.0 * HOUR;
    // Thousands of its members look in first: each is a suspect, and none of them tells anything.
    for n in 0..4_000 {
        for again in 0..6 {
            let now = world.start + n as f64 * 0.1 + f64::from(again) * 0.01;
            world.take(&connect_only(now, &of_one_prefix(n)));
        }
    }
    world.start += HOUR;
    let robots: Vec<String> = (0..1_000).map(|n| of_one_prefix(20_000 + n)).collect();
    for (n, robot) in robots.iter().enumerate() {
        world.take(&unknown(world.start + n as f64 * 2.0, robot, &no_one(n)));
    }
    let leaked = world.leaked(&robots);
    println!("robots of a full neighbourhood: {leaked} guesses of 1000");
    assert!(leaked <= 24, "{leaked}");
    check_people(&mut world, "a full neighbourhood");
}

#[test]
fn one_source_with_thousands_of_names() {
    assert_bounded("one source with thousands of names", |world, from, to| {
        for n in from..to {
            world.take(&unknown(world.start + n as f64 * 0.5, "198.51.77.1", &no_one(n)));
        }
    });
}

#[test]
fn silent_connections_from_everywhere() {
    assert_bounded_from("silent connections from everywhere", 36_000, |world, from, to| {
        for n in from..to {
            world.take(&connect_only(world.start + n as f64 * 0.05, &stranger(n)));
        }
    });
}

#[test]
fn somebody_who_logs_in_amid_a_flood_of_waiting_failures_is_forgiven() {
    let mut world = begun();
    let mut traffic = Vec::new();
    for n in 0..3_000 {
        traffic.push(wrong(world.start + n as f64 * 0.02, &stranger(n), &absent(n), &format!("s{n}")));
    }
    for n in 0..10 {
        let now = world.start + 5.0 + f64::from(n) * 5.0;
        traffic.push(digest(now, "203.0.113.5", &user(50 + n as usize)));
        traffic.push(login(now + 2.0, "203.0.113.5", &user(50 + n as usize)));
    }
    world.play(traffic);
    world.assert_spared("203.0.113.5");
    assert!(world.evidence("203.0.113.5") <= 0.1, "{}", world.evidence("203.0.113.5"));
}

#[test]
fn a_hub_stays_one_while_a_bought_account_logs_in_from_everywhere() {
    let mut world = World::with_limits(small());
    let hub = "203.0.113.50";
    let mut traffic = Vec::new();
    for number in 0..30 {
        traffic.push(login(f64::from(number) * 20.0, hub, &user(100 + number as usize)));
    }
    for n in 0..5_000 {
        traffic.push(login(DAY + n as f64, &stranger(n), &format!("bought{}@site.example", n % 3)));
    }
    for n in 0..100 {
        traffic.push(unknown(DAY + 6_000.0 + n as f64, hub, &no_one(n)));
    }
    world.play(traffic);
    world.assert_spared(hub);
}
