//! What is told about a source, before, during and after a ban.

use fairban_core::effect::Signal;

use crate::world::*;

fn remarks(world: &World, source: &str) -> String {
    world.explain(source).map_or_else(String::new, |told| told.remarks.join(" "))
}

#[test]
fn a_banned_robot_is_explained_with_its_ban_and_signals() {
    where_settled(|world| {
        let robot = "198.51.100.7";
        world
            .play((0..20).map(|n| unknown(world.start + f64::from(n), robot, &no_one(n as usize))).collect());
        let ban = world.bans_of(robot)[0].clone();
        let told = world.explain(robot).expect("it is known");
        assert_eq!(told.ban, Some((ban.id, ban.reason, ban.time, ban.until)));
        assert!(told.evidence >= told.limit);
        assert!(told.signals.iter().any(|sum| sum.signal == Signal::UnknownAccount));
        assert!(!told.samples.is_empty() && told.accounts.len() as u32 == ban.accounts);
        assert!(remarks(world, robot).contains("still is"), "{}", remarks(world, robot));
        assert!(!remarks(world, robot).contains("still wait"), "{}", remarks(world, robot));

        let end = (ban.until.expect("it ends").secs() - at(0.0).secs()) as f64 + 60.0;
        world.wait_until(end);
        let told = world.explain(robot).expect("it is known");
        assert_eq!(told.ban, Some((ban.id, ban.reason, ban.time, ban.until)), "the last one is still told");
        assert!(told.evidence < told.limit && told.signals[0].signal == Signal::Probation);
        assert!(remarks(world, robot).contains("is over"), "{}", remarks(world, robot));
        assert!(!remarks(world, robot).contains("would have taken"), "{}", remarks(world, robot));
    });
}

#[test]
fn a_banned_address_of_a_slash_64_keeps_its_lines_and_its_neighbours_do_not_get_them() {
    where_settled(|world| {
        let robot = "2001:db8:9:9::7";
        world
            .play((0..20).map(|n| unknown(world.start + f64::from(n), robot, &no_one(n as usize))).collect());
        let ban = world.bans_of(robot)[0].clone();
        assert_eq!(ban.prefix.prefix_len(), 128, "only one address of the /64 failed");
        let told = world.explain(robot).expect("it is known");
        assert_eq!((told.evidence, &told.signals), (ban.evidence, &ban.signals));
        assert!(!told.samples.is_empty() && told.accounts.len() as u32 == ban.accounts, "{told:?}");

        let neighbour = "2001:db8:9:9::8";
        let told = world.explain(neighbour).expect("its neighbour is known");
        assert!(told.samples.is_empty() && told.accounts.is_empty(), "{told:?}");

        let end = (ban.until.expect("it ends").secs() - at(0.0).secs()) as f64 + 60.0;
        world.take(&unknown(end, robot, &no_one(77)));
        assert!(world.explain(robot).expect("it is known").accounts.len() <= 1, "the record starts anew");
    });
}

#[test]
fn what_a_ban_tells_adds_up_to_its_evidence() {
    where_settled(|world| {
        for (number, every) in [1.0, 60.0, 3_600.0].into_iter().enumerate() {
            let robot = format!("198.51.{number}.7");
            let guess = |n: i32| {
                wrong(world.start + f64::from(n) * every, &robot, &absent(n as usize), &format!("g{n}"))
            };
            let guesses = (0..60).map(guess).collect();
            world.play(guesses);
            let ban = world.bans_of(&robot)[0];
            let sum: f64 = ban.signals.iter().map(|sum| sum.nats.to_f64()).sum();
            // Signals are told before decay: a slow robot's add up to more.
            assert!(sum >= ban.evidence.to_f64() - 0.1, "{sum} for {}", ban.evidence);
            assert!(sum <= ban.evidence.to_f64() * 1.3 + 0.1, "{sum} for {}", ban.evidence);
        }
    });
}

#[test]
fn an_address_whose_neighbourhood_is_banned_is_told_why() {
    where_settled(|world| {
        let guesses = (0..20).map(|n| {
            unknown(world.start + f64::from(n), &format!("2001:db8:9:{n:x}::1"), &no_one(n as usize))
        });
        world.play(guesses.collect());
        let told = world.explain("2001:db8:9:ff::1").expect("its neighbourhood is known");
        let (id, ..) = told.ban.expect("it is banned with it");
        assert_eq!(world.bans_of("2001:db8:9:ff::1")[0].id, id);
        assert!(told.remarks.iter().any(|remark| remark.contains("2001:db8:9::/56")), "{:?}", told.remarks);
    });
}

#[test]
fn an_honest_source_is_told_what_is_missing_and_why_it_was_spared() {
    where_settled(|world| {
        let phone = "203.0.113.77";
        world.play(
            (0..100).map(|n| wrong(world.start + f64::from(n) * 60.0, phone, &user(4), "old")).collect(),
        );
        let told = remarks(world, phone);
        assert!(told.contains("one secret again and again") && told.contains("missing to a ban"), "{told}");
        let client = home(3);
        world.take(&wrong(world.start + 7_000.0, &client, &user(3), "typo"));
        let told = remarks(world, &client);
        assert!(told.contains("log in here; failures at these weigh nothing"), "{told}");
        assert!(world.explain(&client).expect("known").ban.is_none());
        assert!(world.explain("192.0.2.99").is_none(), "nothing is known of a stranger");
    });
}
