//! Rule 2: a robot that owns an account and logs in after each guess gains a credit once.

use crate::world::*;

fn launder(world: &mut World, logins: usize, name: impl Fn(usize) -> String, what: &str, at_most: u32) {
    let robot = "198.51.100.7";
    let mut traffic = users(world.start, world.start + 3.0 * HOUR);
    for n in 0..300 {
        let now = world.start + n as f64 * 30.0;
        traffic.push(wrong(now, robot, &name(n), &format!("secret{n}")));
        for own in 0..logins {
            traffic.push(login(now + 5.0 + own as f64, robot, &format!("bought{own}@site.example")));
        }
    }
    world.play(traffic);
    world.assert_caught(what, robot, at_most);
}

#[test]
fn a_robot_that_logs_in_after_each_guess_at_an_account_is_caught() {
    everywhere(|world| launder(world, 1, user, "laundering with one account", 40));
}

#[test]
fn a_robot_that_logs_in_with_ten_accounts_after_each_guess_is_caught() {
    everywhere(|world| launder(world, 10, user, "laundering with ten accounts", 60));
}

#[test]
fn a_robot_that_launders_guesses_at_one_account_is_caught() {
    everywhere(|world| launder(world, 1, |_| user(5), "laundering at one account", 60));
}

#[test]
fn a_robot_with_an_old_account_of_its_own_is_caught() {
    where_settled(|world| {
        let robot = "198.51.100.7";
        let mut traffic = Vec::new();
        for n in 0..200 {
            let now = n as f64 * 20.0 * MINUTE;
            traffic.push(login(world.start + now, robot, "bought@site.example"));
        }
        for n in 0..200 {
            let now = world.start + 3.0 * DAY + n as f64 * 60.0;
            traffic.push(wrong(now, robot, &user(n), "Winter2026"));
            traffic.push(login(now + 3.0, robot, "bought@site.example"));
        }
        world.play(traffic);
        world.assert_caught("a robot with an old account of its own", robot, 60);
    });
}

#[test]
fn a_person_with_one_account_who_mistypes_now_and_then_is_spared_for_a_month() {
    everywhere(|world| {
        let (mut chance, mut traffic) = (Chance::new(2), Vec::new());
        let mut now = world.start;
        while now < world.start + 30.0 * DAY {
            if chance.is(0.2) {
                traffic.push(wrong(now, "203.0.113.9", &user(8), "typo"));
                now += 8.0;
            }
            traffic.push(login(now, "203.0.113.9", &user(8)));
            now += chance.between(600.0, 7_200.0);
        }
        world.play(traffic);
        world.assert_spared("203.0.113.9");
    });
}
