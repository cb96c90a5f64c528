//! What the operator orders: bans, unbans with and without forgiveness, the allowlist.

use fairban_core::account::AccountKey;
use fairban_core::effect::{Effect, UnbanReason};
use fairban_core::engine::{Engine, Order, Whom};
use fairban_core::event::AuthEvent;
use fairban_core::time::Span;
use ipnet::IpNet;

use crate::world::*;

const ROBOT: &str = "198.51.100.7";

fn net(prefix: &str) -> IpNet {
    prefix.parse().expect("a prefix")
}

fn scan(from: f64, count: usize) -> Vec<AuthEvent> {
    (0..count)
        .map(|n| unknown(from + n as f64 * 3.0, ROBOT, &format!("{}@site.example", no_one(n))))
        .collect()
}

fn unban(whom: Whom, forgive: bool) -> Order {
    Order::Unban { whom, forgive }
}

#[test]
fn an_ordered_ban_keeps_out_until_its_end_and_judges_nobody() {
    let mut world = World::settled();
    let start = world.start;
    let until = at(start).plus(Span::hours(1));
    world.order(start, &Order::Ban { prefix: net("203.0.113.0/24"), until: Some(until) });
    world.play(
        (0..20).map(|n| unknown(start + 1.0 + f64::from(n), "203.0.113.9", "x@site.example")).collect(),
    );
    let fate = world.fate("203.0.113.9");
    assert_eq!((fate.kept_out, fate.failed), (20, 0));
    assert_eq!(world.bans.len(), 1);
    world.play(vec![login(start + 2.0 * HOUR, "203.0.113.9", &user(1))]);
    assert_eq!(world.fate("203.0.113.9").logins, 1, "the ban is over");
}

#[test]
fn an_unban_opens_at_once_and_the_robot_that_goes_on_is_banned_again() {
    for whom in [Whom::Prefix(net("198.51.100.7/32")), Whom::Prefix(net("198.51.100.0/24")), Whom::All] {
        let mut world = World::settled();
        let start = world.start;
        world.play(scan(start, 30));
        assert!(world.is_banned(ROBOT));
        world.order(start + 200.0, &unban(whom.clone(), false));
        let told = world.effects.iter().any(|effect| {
            matches!(effect, Effect::Unban { prefix, reason: UnbanReason::Operator, of, .. }
                if prefix.to_string() == "198.51.100.7/32" && *of == world.bans[0].id)
        });
        assert!(told, "{whom:?}");
        let before = world.fate(ROBOT).kept_out;
        world.play(
            (0..30).map(|n| unknown(start + 300.0 + f64::from(n), ROBOT, &absent(n as usize))).collect(),
        );
        assert_eq!(world.bans_of(ROBOT).len(), 2, "{whom:?}");
        assert!(world.fate(ROBOT).kept_out > before);
    }
}

#[test]
fn an_unban_by_account_frees_the_sources_that_failed_at_it_and_nobody_else() {
    let mut world = World::settled();
    let start = world.start;
    let other = "192.0.2.200";
    world.play(scan(start, 30));
    world.play((0..30).map(|n| unknown(start + 100.0 + f64::from(n), other, &absent(n as usize))).collect());
    let key = AccountKey::new(format!("{}@site.example", no_one(2)).as_bytes());
    world.order(start + 200.0, &unban(Whom::Account(key), false));
    let freed: Vec<String> = world
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Unban { prefix, .. } => Some(prefix.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(freed, ["198.51.100.7/32"]);
}

/// A scanner's worth of dead accounts on one old computer: without forgiveness it is banned again, with it never.
#[test]
fn a_forgiven_device_does_not_come_back_but_new_names_from_there_still_count() {
    for forgive in [false, true] {
        let mut world = World::settled();
        let start = world.start;
        let device = |from: f64| scan(from, 12);
        world.play(device(start));
        assert!(world.is_banned(ROBOT));
        let named = world.explain(ROBOT).expect("known").accounts.len();
        world.order(start + 100.0, &unban(Whom::Prefix(net("198.51.100.7/32")), forgive));
        let again: Vec<AuthEvent> = (0..5)
            .flat_map(|n| device(start + HOUR * (1.0 + f64::from(n))).into_iter().take(named))
            .collect();
        world.play(again);
        assert_eq!(
            world.bans_of(ROBOT).len() == 1,
            forgive,
            "forgive {forgive}: {:?}",
            world.bans_of(ROBOT).len()
        );
        world.play(
            (0..30).map(|n| unknown(start + 9.0 * HOUR + f64::from(n), ROBOT, &absent(n as usize))).collect(),
        );
        assert_eq!(world.bans_of(ROBOT).len(), 2, "who goes on with other names is a robot");
    }
}

#[test]
fn whom_the_operator_allows_is_freed_and_not_judged() {
    let mut world = World::settled();
    let start = world.start;
    world.play(scan(start, 30));
    world.order(start + 100.0, &Order::Allow(vec![net("198.51.100.0/28")]));
    let bans = world.bans.len();
    world.play(scan(start + 200.0, 60));
    assert_eq!(world.bans.len(), bans);
    world.order(start + 500.0, &Order::Allow(Vec::new()));
    world.play(scan(start + 600.0, 60));
    assert_eq!(world.bans.len(), bans + 1, "no longer allowed");
}

#[test]
fn orders_are_part_of_the_snapshot() {
    let mut world = World::settled();
    let start = world.start;
    world.play(scan(start, 30));
    world.order(start + 100.0, &Order::Ban { prefix: net("203.0.113.0/24"), until: None });
    world.order(start + 101.0, &unban(Whom::Prefix(net("198.51.100.7/32")), true));
    let bytes = world.engine.snapshot();
    let again = Engine::restore(&bytes, config()).expect("just written");
    assert_eq!(again.snapshot(), bytes);
    world.engine = again;
    world.play(vec![unknown(start + 200.0, "203.0.113.77", "x@site.example")]);
    assert_eq!(world.fate("203.0.113.77").kept_out, 1);
}

#[test]
fn refusals_of_a_limit_are_weak_evidence_by_rate() {
    let mut world = World::settled();
    let start = world.start;
    let refused = |times| Order::Refused { source: ROBOT.parse().expect("an address"), times };
    // A mail program that opens a few too many, all day.
    for minute in 0..60 {
        world.order(start + 60.0 * f64::from(minute), &refused(10));
    }
    assert!(world.bans.is_empty());
    // A flood.
    world.order(start + 2.0 * HOUR, &refused(1_000));
    assert_eq!(world.bans.len(), 1);
    assert!(world.bans[0].weak);
}

#[test]
fn whoever_is_allowed_is_not_judged_by_refusals() {
    let mut world = World::settled();
    let start = world.start;
    world.order(start, &Order::Allow(vec![net("198.51.100.0/24")]));
    world.order(start + 1.0, &Order::Refused { source: ROBOT.parse().expect("an address"), times: 5_000 });
    assert!(world.bans.is_empty());
}
