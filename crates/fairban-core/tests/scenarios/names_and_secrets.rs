//! Evidence across sources: names and secrets that many robots try, and how nobody can turn it against people.

use crate::world::*;

fn far_away(n: usize) -> String {
    format!("{}.{}.{}.{}", 11 + n % 80, n * 13 % 250, n * 29 % 250, 1 + n * 7 % 250)
}

const WORDS: [&str; 16] = [
    "admin",
    "oracle",
    "postgres",
    "ubuntu",
    "test",
    "guest",
    "support",
    "backup",
    "nagios",
    "mysql",
    "ftpuser",
    "demo",
    "deploy",
    "jenkins",
    "www-data",
    "minecraft",
];

#[test]
fn a_botnet_of_two_names_an_address_loses_its_second_guesses_to_the_dictionary() {
    where_settled(|world| {
        let mut traffic = users(world.start, world.start + 12.0 * HOUR);
        let sources: Vec<String> = (0..200).map(far_away).collect();
        for (n, source) in sources.iter().enumerate() {
            for guess in 0..3 {
                let now = world.start + n as f64 * 180.0 + guess as f64 * 90.0;
                traffic.push(unknown(
                    now,
                    source,
                    &format!("{}@site.example", WORDS[(n * 5 + guess * 3) % 16]),
                ));
            }
        }
        world.play(traffic);
        let leaked = world.leaked(&sources);
        println!("dictionary botnet, {} site: {leaked} of {} guesses", world.site, 3 * sources.len());
        assert!(leaked <= 440, "{}: {leaked}", world.site);
    });
}

#[test]
fn a_botnet_that_tries_popular_secrets_loses_its_later_guesses() {
    where_settled(|world| {
        let mut traffic = users(world.start, world.start + 12.0 * HOUR);
        let sources: Vec<String> = (0..200).map(far_away).collect();
        for (n, source) in sources.iter().enumerate() {
            for guess in 0..3 {
                let now = world.start + n as f64 * 180.0 + guess as f64 * 90.0;
                let mut guess_event = wrong(
                    now,
                    source,
                    &absent((n * 3 + guess) % 700),
                    ["123456", "password", "qwerty"][guess],
                );
                guess_event.common_secret = true;
                traffic.push(guess_event);
            }
        }
        world.play(traffic);
        let leaked = world.leaked(&sources);
        println!("popular-secret botnet, {} site: {leaked} of {} guesses", world.site, 3 * sources.len());
        assert!(leaked <= 450, "{}: {leaked}", world.site);
    });
}

#[test]
fn spraying_one_secret_over_all_accounts_is_caught() {
    where_settled(|world| {
        let mut traffic = users(world.start, world.start + HOUR);
        for n in 0..200 {
            traffic.push(wrong(
                world.start + n as f64 * 8.0,
                "198.51.100.7",
                &absent(n as usize),
                "Winter2026",
            ));
        }
        world.play(traffic);
        world.assert_caught("spraying", "198.51.100.7", 10);
    });
}

#[test]
fn new_hires_whose_names_a_robot_fed_to_the_dictionary_are_spared() {
    where_settled(|world| {
        let hires = ["ulrike.sommer", "viktor.lang", "wanda.frost"];
        let mut traffic = users(world.start, world.start + 3.0 * DAY);
        // Four robots try the names before the accounts exist.
        for n in 0..6 {
            for (step, name) in hires.iter().enumerate() {
                let now = world.start + n as f64 * HOUR + step as f64 * 5.0;
                traffic.push(unknown(now, &far_away(n), &format!("{name}@site.example")));
            }
        }
        // Their first day, at home: a typo in the password, an early try before the account was made.
        for (step, name) in hires.iter().enumerate() {
            let source = format!("203.0.{}.80", step + 1);
            let now = world.start + DAY + step as f64 * 100.0;
            traffic.push(unknown(now, &source, &format!("{name}@site.example")));
            traffic.push(unknown(now + 300.0, &source, &format!("{name}@site.example")));
            traffic.push(wrong(now + HOUR, &source, &format!("{name}@site.example"), "typo"));
            traffic.push(login(now + HOUR + 20.0, &source, &format!("{name}@site.example")));
        }
        world.play(traffic);
        for step in 0..3 {
            world.assert_spared(&format!("203.0.{}.80", step + 1));
        }
    });
}

#[test]
fn somebody_whose_old_password_is_everybodys_is_spared() {
    where_settled(|world| {
        let mut traffic = users(world.start, world.start + 2.0 * DAY);
        for n in 0..40 {
            traffic.push(wrong(world.start + n as f64 * 60.0, &far_away(n), &absent(n), "123456"));
        }
        for n in 0..500 {
            let mut old =
                wrong(world.start + HOUR + f64::from(n) * 300.0, "203.0.113.71", &user(9), "123456");
            old.common_secret = true;
            traffic.push(old);
        }
        world.play(traffic);
        world.assert_spared("203.0.113.71");
    });
}
