//! Rule 11: people who try what they remember, move house, travel.

use crate::world::*;

const PERSON: &str = "203.0.113.21";

#[test]
fn somebody_who_tries_four_secrets_and_then_remembers_is_spared() {
    everywhere(|world| {
        for n in 0..4 {
            world.take(&wrong(world.start + f64::from(n) * 25.0, PERSON, &user(3), &format!("maybe{n}")));
        }
        world.take(&login(world.start + 120.0, PERSON, &user(3)));
        world.wait_until(world.start + DAY);
        world.assert_spared(PERSON);
        assert!(world.hits().is_empty(), "{}: no hit", world.site);
        assert!(world.evidence(PERSON) <= 0.1, "{}: forgiven: {}", world.site, world.evidence(PERSON));
    });
}

#[test]
fn somebody_who_comes_back_after_lunch_with_the_right_secret_is_spared_and_forgiven() {
    everywhere(|world| {
        for n in 0..3 {
            world.take(&wrong(world.start + f64::from(n) * 40.0, PERSON, &user(3), &format!("maybe{n}")));
        }
        world.take(&login(world.start + 2.0 * HOUR, PERSON, &user(3)));
        world.assert_spared(PERSON);
        assert!(world.hits().is_empty(), "{}: no hit", world.site);
        assert!(world.evidence(PERSON) <= 0.1, "{}: forgiven: {}", world.site, world.evidence(PERSON));
    });
}

#[test]
fn somebody_who_tries_all_his_secrets_at_two_of_his_accounts_is_spared() {
    everywhere(|world| {
        for n in 0..3 {
            let now = world.start + f64::from(n) * 50.0;
            world.take(&wrong(now, PERSON, &user(3), &format!("maybe{n}")));
            world.take(&wrong(now + 20.0, PERSON, "shop.of.three@site.example", &format!("maybe{n}")));
        }
        world.take(&login(world.start + 170.0, PERSON, &user(3)));
        world.take(&login(world.start + 200.0, PERSON, "shop.of.three@site.example"));
        world.wait_until(world.start + HOUR);
        world.assert_spared(PERSON);
    });
}

#[test]
fn somebody_who_moved_house_with_an_old_password_is_spared() {
    everywhere(|world| {
        let mut traffic = users(world.start, world.start + WEEK);
        for n in 0..7 * 24 * 12 {
            let now = world.start + f64::from(n) * 300.0;
            let new_home = "203.0.113.22";
            // The laptop has the new password from the second day on; the phone never gets it.
            traffic.push(wrong(now, new_home, &user(2), "Summer2019"));
            if now > world.start + DAY {
                traffic.push(login(now + 50.0, new_home, &user(2)));
            }
        }
        world.play(traffic);
        world.assert_spared("203.0.113.22");
        assert!(world.hits().is_empty(), "{}: no hit", world.site);
    });
}

#[test]
fn somebody_who_asks_his_password_manager_for_six_sites_secrets_is_spared() {
    everywhere(|world| {
        for n in 0..6 {
            world.take(&wrong(world.start + f64::from(n) * 20.0, PERSON, &user(3), &format!("stored{n}")));
        }
        world.wait_until(world.start + HOUR);
        world.assert_spared(PERSON);
    });
}

#[test]
fn somebody_who_gave_up_twice_and_mistypes_for_ever_after_is_spared() {
    everywhere(|world| {
        let mut traffic = Vec::new();
        // Two evenings with three wrong secrets each, which looks like brute force when the right one comes.
        for n in 0..6 {
            let now = world.start + f64::from(n / 3) * HOUR + f64::from(n) * 20.0;
            traffic.push(wrong(now, PERSON, &user(3), &format!("maybe{n}")));
        }
        for n in 0..300 {
            let now = world.start + DAY / 4.0 + f64::from(n) * HOUR;
            if n % 2 == 0 {
                traffic.push(wrong(now - 200.0, PERSON, &user(3), &format!("typo{n}")));
            }
            traffic.push(login(now, PERSON, &user(3)));
        }
        world.play(traffic);
        world.assert_spared(PERSON);
    });
}

#[test]
fn a_robot_that_guesses_on_after_a_hit_at_the_same_account_is_caught() {
    where_settled(|world| {
        // The secret was found and changed; the robot goes on.
        let robot = "198.51.100.7";
        for n in 0..6 {
            world.take(&wrong(world.start + f64::from(n) * 30.0, robot, &user(3), &format!("guess{n}")));
        }
        world.take(&login(world.start + 300.0, robot, &user(3)));
        for n in 6..200 {
            world.take(&wrong(
                world.start + 300.0 + f64::from(n) * 30.0,
                robot,
                &user(3),
                &format!("guess{n}"),
            ));
        }
        world.assert_caught("brute force that goes on after its hit", robot, 60);
    });
}

#[test]
fn a_robot_that_guesses_four_secrets_an_account_is_caught() {
    where_settled(|world| {
        let robot = "198.51.100.7";
        let guess = |n: i32| {
            wrong(world.start + f64::from(n) * 20.0, robot, &user(n as usize / 4), &format!("guess{n}"))
        };
        world.play((0..200).map(guess).collect());
        world.assert_caught("four secrets an account", robot, 14);
    });
}
