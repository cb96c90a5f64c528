//! A bare name and the same name with the default domain are one account, once successes have shown that domain.

use fairban_core::event::{AuthEvent, Outcome, Service};

use crate::world::*;

/// People whose mail program sends the full name and whose phone the bare one, from `nets` different networks.
fn both_forms(world: &mut World, people: usize, nets: usize) {
    let mut traffic = Vec::new();
    for n in 0..people {
        let source = format!("192.0.{}.{n}", n % nets);
        traffic.push(login(world.start + n as f64, &source, &name("both", n)));
        traffic.push(login(world.start + 60.0 + n as f64, &source, &format!("{}@{DOMAIN}", name("both", n))));
    }
    world.play(traffic);
    world.start += HOUR;
}

const HOME: &str = "203.0.113.20";

/// Eight accounts log in with their full names at one home, then new programs send bare names with old passwords.
fn bare_names(start: f64) -> Vec<AuthEvent> {
    let mut traffic = Vec::new();
    for n in 0..8 {
        traffic.push(login(start + n as f64, HOME, &user(n)));
        for step in 0..4 {
            let now = start + 1_000.0 + n as f64 + f64::from(step) * 30.0;
            traffic.push(of(Service::Dovecot, wrong(now, HOME, &name("user", n), &format!("old{step}{n}"))));
        }
    }
    traffic
}

#[track_caller]
fn assert_bare_names_weigh_nothing(world: &mut World) {
    world.play(bare_names(world.start));
    world.wait_until(world.start + 2_000.0);
    world.assert_spared(HOME);
    assert!(world.evidence(HOME) <= 0.0, "{}: {:?}", world.site, world.explain(HOME));
}

#[test]
fn bare_names_of_familiar_accounts_weigh_nothing_once_the_domain_is_shown() {
    where_settled(|world| {
        both_forms(world, 6, 4);
        assert_bare_names_weigh_nothing(world);
    });
}

#[test]
fn before_it_is_shown_a_bare_name_is_another_account() {
    // Three people, or any number of two networks, show nothing.
    for (people, nets) in [(0, 1), (3, 3), (30, 2)] {
        where_settled(|world| {
            both_forms(world, people, nets);
            world.play(bare_names(world.start));
            world.wait_until(world.start + 2_000.0);
            assert!(world.evidence(HOME) > 0.0, "{}: {people} people of {nets} networks", world.site);
        });
    }
}

#[test]
fn a_stranger_with_bare_names_gains_nothing_by_the_default_domain() {
    where_settled(|world| {
        both_forms(world, 6, 4);
        let robot = "198.51.100.7";
        let guesses = (0..200).map(|n| {
            attempt(world.start + n as f64 * 20.0, robot, &name("user", n % 40), Outcome::UnknownAccount)
        });
        world.play(guesses.collect());
        world.assert_caught("bare names of existing accounts", robot, 12);
    });
}

#[test]
fn somebody_with_a_domain_of_his_own_does_not_choose_the_default_one() {
    where_settled(|world| {
        // He has three accounts of the site, makes the same names in his own domain, and logs in from everywhere.
        let mut traffic = Vec::new();
        for n in 0..60 {
            let (source, bare) = (format!("198.{}.7.1", n % 50), name("bought", n % 3));
            traffic.push(login(world.start + n as f64, &source, &bare));
            traffic.push(login(world.start + 90.0 + n as f64, &source, &format!("{bare}@his.example")));
        }
        world.play(traffic);
        world.start += HOUR;
        both_forms(world, 12, 4);
        assert_bare_names_weigh_nothing(world);
    });
}

#[test]
fn shown_domains_survive_a_restart() {
    let mut world = World::settled();
    both_forms(&mut world, 6, 4);
    let bytes = world.engine.snapshot();
    world.engine = fairban_core::engine::Engine::restore(&bytes, config()).expect("just written");
    assert_bare_names_weigh_nothing(&mut world);
}
