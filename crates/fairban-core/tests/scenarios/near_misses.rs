//! Names that are a slip of a finger away from an account that succeeds are excused; a walk along them is not.

use crate::world::*;

#[test]
fn somebody_who_mistypes_the_name_and_then_gets_it_right_is_spared() {
    everywhere(|world| {
        let mut traffic = Vec::new();
        for n in 0..60 {
            let now = world.start + f64::from(n) * 3.0 * HOUR;
            traffic.push(unknown(now, "203.0.113.4", "margret@site.example"));
            traffic.push(unknown(now + 9.0, "203.0.113.4", "margaert@site.example"));
            traffic.push(login(now + 20.0, "203.0.113.4", "margaret@site.example"));
        }
        world.play(traffic);
        world.assert_spared("203.0.113.4");
    });
}

#[test]
fn two_people_of_one_house_with_like_names_who_mistype_are_spared() {
    everywhere(|world| {
        let mut traffic = Vec::new();
        for n in 0..60 {
            let now = world.start + f64::from(n) * 2.0 * HOUR;
            traffic.push(wrong(now, "203.0.113.4", "jan@house.example", "old"));
            traffic.push(wrong(now + 3.0, "203.0.113.4", "jana@house.example", "older"));
            traffic.push(login(now + 20.0, "203.0.113.4", "jan@house.example"));
            traffic.push(login(now + 30.0, "203.0.113.4", "jana@house.example"));
        }
        world.play(traffic);
        world.assert_spared("203.0.113.4");
    });
}

/// All names that one letter more makes of the last.
fn walk(length: usize) -> impl Iterator<Item = String> {
    (1..=length).flat_map(|n| {
        "abcdefghijklmnopqrstuvwxyz"
            .chars()
            .map(move |letter| format!("{}{letter}@site.example", "b".repeat(n)))
    })
}

#[test]
fn a_robot_that_walks_along_near_names_is_caught() {
    where_settled(|world| {
        let robot = "198.51.100.7";
        let guesses = walk(10).enumerate();
        let traffic = guesses.map(|(n, name)| unknown(world.start + n as f64 * 2.0, robot, &name)).collect();
        world.play(traffic);
        world.assert_caught("a walker along near names", robot, 15);
    });
}

#[test]
fn a_robot_that_walks_along_the_names_near_its_own_account_is_caught() {
    where_settled(|world| {
        let robot = "198.51.100.7";
        let mut traffic = Vec::new();
        let own = b"sales";
        for n in 0..130 {
            let mut name = own.to_vec();
            name[n / 26] = b'a' + (n % 26) as u8;
            let name = String::from_utf8(name).expect("letters");
            let now = world.start + n as f64 * 60.0;
            if name != "sales" {
                traffic.push(unknown(now, robot, &format!("{name}@site.example")));
            }
            traffic.push(login(now + 2.0, robot, "sales@site.example"));
        }
        world.play(traffic);
        world.assert_caught("a walker around its own account", robot, 60);
    });
}

#[test]
fn an_account_that_is_near_the_robots_own_is_no_free_target() {
    where_settled(|world| {
        let robot = "198.51.100.7";
        let mut traffic = Vec::new();
        for n in 0..300 {
            let now = world.start + n as f64 * 20.0;
            traffic.push(wrong(now, robot, "jana@site.example", &format!("guess{n}")));
            traffic.push(login(now + 2.0, robot, "jan@site.example"));
        }
        world.play(traffic);
        world.assert_caught("guesses at a neighbour of the own account", robot, 80);
    });
}
