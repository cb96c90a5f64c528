//! Rules 3 and 4: offices, carriers, webmail, classrooms; and robots that want to look like them.

use fairban_core::effect::Effect;

use crate::world::*;

const SHARED: &str = "203.0.113.50";

fn worker(number: usize) -> String {
    format!("{}@office.example", name("worker", number))
}

#[test]
fn an_office_with_old_devices_in_it_is_spared_for_a_week() {
    everywhere(|world| {
        let (mut chance, mut traffic) = (Chance::new(3), Vec::new());
        for number in 0..15 {
            let mut now = world.start + chance.between(0.0, 600.0);
            while now < world.start + WEEK {
                traffic.push(login(now, SHARED, &worker(number)));
                now += chance.between(300.0, 1_800.0);
            }
        }
        // Devices with an old password, with and without a visible secret, two of them of people who never log in here.
        for (number, every) in [(2, 300.0), (7, 61.0), (20, 300.0), (21, 120.0)] {
            let mut now = world.start + 30.0 * MINUTE;
            while now < world.start + WEEK {
                let seen = wrong(now, SHARED, &worker(number), "Summer2019");
                let unseen = wrong_unseen(now, SHARED, &worker(number));
                traffic.push(if number % 2 == 0 { seen } else { unseen });
                now += every;
            }
        }
        world.play(traffic);
        world.assert_spared(SHARED);
    });
}

#[test]
fn a_carrier_with_two_hundred_users_behind_one_address_is_spared() {
    everywhere(|world| {
        let (mut chance, mut traffic) = (Chance::new(4), Vec::new());
        for number in 0..200 {
            let mut now = world.start + chance.between(0.0, 4.0 * HOUR);
            while now < world.start + 2.0 * DAY {
                if chance.is(0.08) {
                    traffic.push(wrong(now, SHARED, &worker(number), &format!("typo{number}")));
                    if chance.is(0.3) {
                        now += chance.between(60.0, 7_200.0);
                        continue;
                    }
                    now += chance.between(3.0, 50.0);
                }
                traffic.push(login(now, SHARED, &worker(number)));
                now += chance.between(1_200.0, 6.0 * HOUR);
            }
        }
        world.play(traffic);
        world.assert_spared(SHARED);
    });
}

#[test]
fn a_webmail_hub_is_spared_although_robots_guess_through_it() {
    where_settled(|world| {
        let mut traffic = Vec::new();
        for number in 0..120 {
            for visit in 0..6 {
                let now = world.start + number as f64 * 60.0 + f64::from(visit) * 4.0 * HOUR;
                traffic.push(login(now, SHARED, &worker(number)));
            }
        }
        for n in 0..500 {
            traffic.push(unknown(world.start + 12.0 * HOUR + n as f64, SHARED, &no_one(n as usize)));
        }
        world.play(traffic);
        world.assert_spared(SHARED);
        assert!(world.effects.iter().any(|effect| matches!(effect, Effect::Hub { .. })), "told as a hub");
    });
}

#[test]
fn a_classroom_of_thirty_newcomers_in_a_minute_is_spared() {
    everywhere(|world| {
        let (mut chance, mut traffic) = (Chance::new(5), Vec::new());
        for number in 0..30 {
            let mut now = world.start + chance.between(0.0, 60.0);
            // Every third mistypes at first.
            for n in 0..chance.below(4).saturating_sub(1) {
                traffic.push(wrong(now, SHARED, &worker(number), &format!("attempt{number}{n}")));
                now += chance.between(5.0, 30.0);
            }
            traffic.push(login(now, SHARED, &worker(number)));
        }
        world.play(traffic);
        world.assert_spared(SHARED);
    });
}

#[test]
fn a_classroom_whose_newcomers_wait_for_a_first_success_is_spared() {
    everywhere(|world| {
        // The teacher's sheet has a wrong password; the second half of the class is told the right one.
        // (Where nearly all strangers are robots, three failing accounts of a stranger within a minute are one too many.)
        let mistaken = if world.site == "besieged" { 2 } else { 3 };
        let mut traffic = Vec::new();
        for number in 0..mistaken {
            let now = world.start + number as f64 * 6.0;
            traffic.push(wrong(now, SHARED, &worker(number), "Welcome1"));
            traffic.push(login(now + 40.0, SHARED, &worker(number)));
        }
        for number in 3..20 {
            traffic.push(login(world.start + 30.0 + number as f64, SHARED, &worker(number)));
        }
        world.play(traffic);
        world.assert_spared(SHARED);
    });
}

#[test]
fn a_robot_that_buys_ten_accounts_to_look_like_an_office_is_caught() {
    where_settled(|world| {
        let robot = "198.51.100.7";
        let mut traffic = Vec::new();
        for n in 0..10 {
            traffic.push(login(world.start + n as f64 * 5.0, robot, &format!("bought{n}@site.example")));
        }
        for n in 0..300 {
            let now = world.start + 600.0 + n as f64 * 10.0;
            traffic.push(wrong(now, robot, &user(n), &format!("guess{n}")));
            traffic.push(login(now + 1.0, robot, &format!("bought{}@site.example", n % 10)));
        }
        world.play(traffic);
        world.assert_caught("a robot with ten bought accounts", robot, 40);
    });
}

#[test]
fn a_robot_that_takes_accounts_while_it_guesses_becomes_no_hub() {
    where_settled(|world| {
        let robot = "198.51.100.7";
        let mut traffic = Vec::new();
        for n in 0..600 {
            let now = world.start + n as f64 * 5.0;
            // Leaked pairs: one in six is right.
            let guess = if n % 6 == 3 {
                login(now, robot, &user(n))
            } else {
                wrong(now, robot, &absent(n), &format!("s{n}"))
            };
            traffic.push(guess);
        }
        world.play(traffic);
        world.assert_caught("stuffing with every sixth pair right", robot, 30);
    });
}
