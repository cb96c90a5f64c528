//! Administrators who are logged in over SSH: the engine says from which connections, whoever shuts out looks for them.

use fairban_core::account::AccountKey;
use fairban_core::engine::{Config, Engine, Order};
use fairban_core::event::{AuthEvent, Outcome, Service, Tells};
use ipnet::IpNet;

use crate::world::*;

const HOME: &str = "203.0.113.9";

fn with_admins() -> World {
    let admins = ["root", "alice"].map(|name| AccountKey::new(name.as_bytes())).to_vec();
    let mut world = World::of(Engine::new(Config { admins, ..config() }));
    world.play(users(0.0, DAY));
    (world.site, world.start) = ("with admins", DAY);
    world
}

fn ssh(secs: f64, source: &str, port: u16, account: &str, outcome: Outcome) -> AuthEvent {
    let mut event = of(Service::Sshd, attempt(secs, source, account, outcome));
    event.port = Some(port);
    event
}

fn ends(secs: f64, source: &str, port: u16) -> AuthEvent {
    let mut event = AuthEvent::new(Service::Sshd, Tells::End { failed: None, succeeded: None });
    (event.time, event.source, event.port) = (at(secs), Some(ip(source)), Some(port));
    event
}

fn sessions(world: &World) -> Vec<String> {
    let told = world.engine.admin_sessions();
    told.map(|open| {
        format!("{} {} {}", String::from_utf8_lossy(open.account.as_bytes()), open.source, open.port)
    })
    .collect()
}

#[test]
fn a_login_of_an_admin_is_there_until_its_end() {
    let mut world = with_admins();
    let start = world.start;
    world.take(&ssh(start, HOME, 40_001, "root", Outcome::Success));
    world.take(&ssh(start + 1.0, HOME, 40_002, "alice", Outcome::Success));
    assert_eq!(sessions(&world), [format!("root {HOME} 40001"), format!("alice {HOME} 40002")]);
    let told = world.explain(HOME).expect("known").remarks.join(" ");
    assert!(told.contains("Protected because an administrator (root) is logged in"), "{told}");
    world.take(&ends(start + 60.0, HOME, 40_001));
    assert_eq!(sessions(&world), [format!("alice {HOME} 40002")]);
    world.take(&ends(start + 61.0, HOME, 40_002));
    assert_eq!(sessions(&world), Vec::<String>::new());
}

#[test]
fn nobody_else_is_not_before_the_login_and_not_elsewhere() {
    let mut world = with_admins();
    let start = world.start;
    let mut connects = AuthEvent::new(Service::Sshd, Tells::Connect);
    (connects.time, connects.source, connects.port) = (at(start), Some(ip(HOME)), Some(40_001));
    world.take(&connects);
    world.take(&ssh(start + 1.0, HOME, 40_001, "root", Outcome::BadSecret));
    world.take(&ssh(start + 2.0, HOME, 40_002, "bob", Outcome::Success));
    world.take(&login(start + 3.0, HOME, "root"));
    world.take(&ssh(start + 4.0, HOME, 40_003, "root", Outcome::Denied));
    assert_eq!(sessions(&world), Vec::<String>::new());
}

#[test]
fn a_hit_never_counts_nor_does_a_login_that_a_ban_would_have_kept_out() {
    let mut world = with_admins();
    let (start, robot) = (world.start, "198.51.100.7");
    for n in 0..3 {
        world.take(&ssh(start + n as f64, robot, 40_000, &name("scan", n), Outcome::UnknownAccount));
    }
    world.wait_until(start + 5.0 * MINUTE);
    world.take(&ssh(start + 301.0, robot, 40_010, "root", Outcome::Success));
    assert_eq!(world.hits().len(), 1, "{:?}", world.explain(robot));
    assert_eq!(sessions(&world), Vec::<String>::new());

    let banned: IpNet = "192.0.2.0/24".parse().expect("a prefix");
    world.order(start + 400.0, &Order::Ban { prefix: banned, until: None });
    world.take(&ssh(start + 401.0, "192.0.2.7", 40_011, "root", Outcome::Success));
    assert_eq!(sessions(&world), Vec::<String>::new());
}

#[test]
fn at_most_sixteen_addresses_are_remembered_across_a_restart_and_only_of_who_is_an_admin_now() {
    let mut world = with_admins();
    let start = world.start;
    for n in 0..40 {
        world.take(&ssh(start + n as f64, &host("192.0.2", n), 40_000, "root", Outcome::Success));
    }
    assert_eq!(sessions(&world).len(), 16);
    let admins = vec![AccountKey::new(b"root")];
    let again = Engine::restore(&world.engine.snapshot(), Config { admins, ..config() });
    world.engine = again.expect("just written");
    assert_eq!(sessions(&world).len(), 16);
    world.order(start + 100.0, &Order::Admins(vec![AccountKey::new(b"alice")]));
    assert_eq!(sessions(&world), Vec::<String>::new());
}
