//! Rule 9: a guessing source that logs in is the loudest event of all.

use crate::world::*;

const ROBOT: &str = "198.51.100.7";

#[test]
fn a_robot_that_finds_a_secret_is_told_as_a_hit_and_gains_no_familiarity() {
    for mut world in [World::settled()] {
        let world = &mut world;
        for n in 0..3 {
            world.take(&wrong(
                world.start + f64::from(n) * 3.0,
                ROBOT,
                &user(n as usize),
                &format!("leak{n}"),
            ));
        }
        world.take(&login(world.start + 10.0, ROBOT, &user(20)));
        assert_eq!(world.hits().len(), 1, "{}: {:?}", world.site, world.explain(ROBOT));
        // The found account buys no shelter: failures there are no familiar client's.
        for n in 0..100 {
            world.take(&wrong(
                world.start + 20.0 + f64::from(n) * 3.0,
                ROBOT,
                &user(n as usize % 40),
                &format!("g{n}"),
            ));
            world.take(&login(world.start + 21.0 + f64::from(n) * 3.0, ROBOT, &user(20)));
        }
        world.assert_caught("a robot with a hit", ROBOT, 14);
    }
}

#[test]
fn stuffing_with_leaked_pairs_of_which_every_tenth_is_right_is_told_and_caught() {
    where_settled(|world| {
        let mut traffic = users(world.start, world.start + HOUR);
        for n in 0..200 {
            let now = world.start + n as f64 * 2.0;
            let name = if n % 3 == 0 { no_one(n) } else { user(n) };
            traffic.push(match n % 10 {
                9 => login(now, ROBOT, &user(n)),
                _ if n % 3 == 0 => unknown(now, ROBOT, &name),
                _ => wrong(now, ROBOT, &name, &format!("leak{n}")),
            });
        }
        world.play(traffic);
        world.assert_caught("stuffing with hits", ROBOT, 10);
    });
}

#[test]
fn brute_force_that_finds_the_secret_is_a_hit() {
    where_settled(|world| {
        for n in 0..8 {
            world.take(&wrong(world.start + f64::from(n) * 15.0, ROBOT, &user(3), &format!("guess{n}")));
        }
        world.take(&login(world.start + 130.0, ROBOT, &user(3)));
        assert_eq!(world.hits().len(), 1, "{}: {:?}", world.site, world.explain(ROBOT));
    });
}

#[test]
fn somebody_who_logs_in_at_the_third_try_is_no_hit() {
    everywhere(|world| {
        let person = "203.0.113.40";
        world.take(&wrong(world.start, person, &user(3), "one"));
        world.take(&wrong(world.start + 20.0, person, &user(3), "two"));
        world.take(&login(world.start + 40.0, person, &user(3)));
        assert!(world.hits().is_empty(), "{}", world.site);
        world.assert_spared(person);
    });
}

#[test]
fn a_family_that_sets_up_its_accounts_with_some_trouble_is_no_hit() {
    everywhere(|world| {
        let house = "203.0.113.41";
        for (n, name) in ["mother", "father", "sister"].iter().enumerate() {
            let now = world.start + n as f64 * 180.0;
            world.take(&wrong(now, house, &format!("{name}@family.example"), &format!("first{n}")));
            world.take(&wrong(now + 40.0, house, &format!("{name}@family.example"), &format!("second{n}")));
            world.take(&login(now + 100.0, house, &format!("{name}@family.example")));
        }
        assert!(world.hits().is_empty(), "{}: {:?}", world.site, world.hits());
        world.assert_spared(house);
    });
}
