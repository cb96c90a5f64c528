//! The breaker looks at whom bans hit: no botnet trips it, a rule that is wrong about clients does.

use fairban_core::effect::{Alarm, Protection};
use fairban_core::engine::{Config, Engine, Order};
use fairban_core::nats::Nats;

use crate::world::*;

/// A host with a day of users' history whose operator has set the limit so low that whatever anybody does wrong bans him,
/// however often he has logged in.
fn faulty() -> World {
    let mut world = World::of(Engine::new(Config { limit: Nats::milli(-20_000), ..config() }));
    world.play(users(0.0, DAY));
    (world.site, world.start) = ("faulty", DAY);
    world
}

/// Somebody in that user's home mistypes the name of his account.
fn slip(world: &mut World, secs: f64, number: usize) {
    world.take(&unknown(secs, &home(number), &no_one(5_000 + number)));
    world.wait_until(secs + 10.0 * MINUTE);
}

fn spared(world: &World, because: Protection) -> Vec<String> {
    let told = world.alarms().filter_map(|alarm| match alarm {
        Alarm::Spared { source, because: told } if *told == because => Some(source.to_string()),
        _ => None,
    });
    told.collect()
}

fn trips(world: &World) -> usize {
    world.alarms().filter(|alarm| matches!(alarm, Alarm::Breaker)).count()
}

#[test]
fn a_botnet_of_ten_thousand_within_a_minute_goes_on_being_banned() {
    let mut world = World::besieged();
    let (start, addresses) = (world.start, 10_000);
    let address = |n: usize| format!("45.{}.{}.{}", 100 + n / 2_500, n / 10 % 250, 1 + n % 10 * 20);
    let mut traffic = users(start, start + MINUTE);
    for n in 0..addresses {
        for guess in 0..6 {
            let now = start + (n as f64 + guess as f64 * 0.1) * 60.0 / addresses as f64;
            traffic.push(unknown(now, &address(n), &no_one(n % 700 + guess * 1_000)));
        }
    }
    world.play(traffic);
    world.wait_until(start + 10.0 * MINUTE);
    let banned = (0..addresses).filter(|n| world.is_banned(&address(*n))).count();
    println!("of {addresses} addresses {banned} are shut out, by {} bans", world.bans.len());
    assert!(banned >= addresses * 99 / 100, "{banned} of {addresses}");
    assert_eq!((trips(&world), world.engine.breaker()), (0, None));
    (0..40).for_each(|number| world.assert_spared(&home(number)));
}

#[test]
fn a_faulty_rule_that_hits_clients_stops_and_strangers_are_banned_as_ever() {
    let mut world = faulty();
    let start = world.start;
    for number in 0..30 {
        slip(&mut world, start + number as f64, number);
    }
    let hit = (0..40).filter(|number| world.is_banned(&home(*number))).count();
    assert_eq!(hit, 2, "the third trips it");
    assert_eq!(trips(&world), 1);
    assert_eq!(spared(&world, Protection::Breaker).len(), 28, "each is told");
    let open = world.engine.breaker().expect("it is open");
    assert_eq!(open.spared, 28);
    let told = world.explain(&home(29)).expect("known").remarks.join(" ");
    assert!(told.contains("Protected because the breaker is open"), "{told}");
    world.take(&unknown(start + HOUR, "198.51.100.7", &no_one(1)));
    world.wait_until(start + HOUR + 10.0 * MINUTE);
    assert!(world.is_banned("198.51.100.7"), "a stranger is");
    assert!(world.fate(&home(29)).kept_out == 0 && !world.is_banned(&home(29)));
}

/// A botnet that owns an account and logs in between its guesses would have itself spared otherwise.
#[test]
fn robots_that_log_in_between_their_guesses_do_not_trip_it() {
    let mut world = World::besieged();
    let start = world.start;
    let robots: Vec<String> = (1..=9).map(|n| format!("198.51.{n}.7")).collect();
    let mut traffic = users(start, start + HOUR);
    for (number, robot) in robots.iter().enumerate() {
        for guess in 0..40 {
            let now = start + number as f64 * 20.0 + guess as f64 * 10.0;
            traffic.push(unknown(now, robot, &no_one(guess * 9 + number)));
            traffic.push(login(now + 1.0, robot, &user(number)));
        }
    }
    world.play(traffic);
    world.wait_until(start + HOUR);
    assert_eq!(trips(&world), 0);
    assert!(robots.iter().all(|robot| world.is_banned(robot)));
}

#[test]
fn it_closes_by_time_and_by_order() {
    for by_order in [false, true] {
        let mut world = faulty();
        let start = world.start;
        (0..10).for_each(|number| slip(&mut world, start + number as f64 * 60.0, number));
        assert!(world.engine.breaker().is_some());
        let later = if by_order {
            world.order(start + 7_000.0, &Order::Resume);
            start + 7_001.0
        } else {
            start + 3.0 * HOUR
        };
        world.wait_until(later);
        assert_eq!(world.engine.breaker(), None, "by order: {by_order}");
        slip(&mut world, later, 20);
        assert!(world.is_banned(&home(20)), "by order: {by_order}");
    }
}

#[test]
fn it_is_part_of_the_snapshot() {
    let mut world = faulty();
    let start = world.start;
    (0..10).for_each(|number| slip(&mut world, start + number as f64, number));
    let limit = Config { limit: Nats::milli(-20_000), ..config() };
    let again = Engine::restore(&world.engine.snapshot(), limit).expect("just written");
    assert_eq!(again.breaker(), world.engine.breaker());
    assert!(again.breaker().is_some());
    world.engine = again;
    slip(&mut world, start + HOUR / 2.0, 30);
    assert!(!world.is_banned(&home(30)), "still open");
}

#[test]
fn a_hub_that_is_not_banned_is_told_with_the_reason() {
    let mut world = World::settled();
    let (start, hub) = (world.start, "203.0.113.50");
    let mut traffic: Vec<_> = (0..40).map(|n| login(start + n as f64 * 30.0, hub, &user(n))).collect();
    traffic.extend((0..60).map(|n| unknown(start + HOUR + n as f64 * 2.0, hub, &no_one(n))));
    world.play(traffic);
    world.wait_until(start + 2.0 * HOUR);
    world.assert_spared(hub);
    assert_eq!(spared(&world, Protection::Hub), [hub]);
    let told = world.explain(hub).expect("known").remarks.join(" ");
    assert!(told.contains("Protected because it is a hub"), "{told}");
    assert_eq!(trips(&world), 0);
}
