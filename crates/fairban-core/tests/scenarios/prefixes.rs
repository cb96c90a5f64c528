//! Rule 7: a neighbourhood is judged by what several of its members do, and never where anybody has logged in.

use crate::world::*;

#[test]
fn a_home_with_changing_privacy_addresses_is_spared() {
    everywhere(|world| {
        let mut traffic = Vec::new();
        for n in 0..7 * 24 {
            // The host part changes by the hour, the prefix daily; a failure now and then.
            let source = format!("2001:db8:{:x}:5::{:x}", 0x100 + n / 24, 0x1000 + n * 37);
            let now = world.start + f64::from(n) * HOUR;
            if n % 6 == 0 {
                traffic.push(wrong(now, &source, &user(4), "typo"));
            }
            traffic.push(login(now + 20.0, &source, &user(4)));
        }
        let sources: Vec<String> = traffic.iter().filter_map(|e| e.source).map(|s| s.to_string()).collect();
        world.play(traffic);
        for source in sources {
            world.assert_spared(&source);
        }
    });
}

#[test]
fn somebody_whose_neighbours_are_robots_is_spared() {
    where_settled(|world| {
        let me = "198.51.100.200";
        let mut traffic = vec![login(world.start, me, &user(4))];
        for n in 0..150 {
            let now = world.start + 60.0 + n as f64 * 20.0;
            traffic.push(unknown(now, &host("198.51.100", n), &no_one(n)));
        }
        for n in 0..48 {
            traffic.push(wrong(world.start + 300.0 + f64::from(n) * 1_800.0, me, &user(4), "old"));
            traffic.push(login(world.start + 310.0 + f64::from(n) * 1_800.0, me, &user(4)));
        }
        world.play(traffic);
        world.assert_spared(me);
    });
}

#[test]
fn a_familiar_client_opens_the_ban_of_a_prefix_it_was_away_from() {
    where_settled(|world| {
        // Familiar from a neighbouring address of the same net: the net is never judged.
        let mut traffic = vec![login(world.start, "198.51.100.9", &user(4))];
        for n in 10..200 {
            let now = world.start + n as f64 * 5.0;
            traffic.push(unknown(now, &host("198.51.100", n), &no_one(n)));
        }
        traffic.push(login(world.start + HOUR, "198.51.100.240", &user(4)));
        world.play(traffic);
        world.assert_spared("198.51.100.240");
    });
}

#[test]
fn a_handful_of_mobile_users_of_one_carrier_net_who_mistype_are_spared() {
    everywhere(|world| {
        let mut traffic = Vec::new();
        for n in 0..8 {
            let now = world.start + n as f64 * 3.0 * HOUR;
            let source = host("192.0.2", 10 + n);
            traffic.push(wrong(now, &source, &user(n), "typo"));
            traffic.push(login(now + 40.0, &source, &user(n)));
        }
        world.play(traffic);
        for n in 0..8 {
            world.assert_spared(&host("192.0.2", 10 + n));
        }
    });
}

#[test]
fn mobile_users_of_one_net_whose_first_tries_all_fail_are_spared() {
    everywhere(|world| {
        // A carrier's pool of a hundred addresses: each evening three people fail and log in hours later elsewhere.
        let mut traffic = users(world.start, world.start + WEEK);
        for day in 0..7 {
            for n in 0..3 {
                let now = world.start + f64::from(day) * DAY + f64::from(n) * 2.0 * HOUR;
                let source = host("192.0.2", (day * 17 + n * 31) as usize);
                traffic.push(wrong_unseen(now, &source, &user((day * 3 + n) as usize)));
                let later = host("192.0.2", (day * 23 + n * 7 + 100) as usize);
                traffic.push(login(now + HOUR, &later, &user((day * 3 + n) as usize)));
            }
        }
        let sources: Vec<String> = traffic.iter().filter_map(|e| e.source).map(|s| s.to_string()).collect();
        world.play(traffic);
        for source in sources {
            world.assert_spared(&source);
        }
    });
}

fn rotation(world: &mut World, what: &str, source: impl Fn(usize) -> String, every: f64, at_most: u32) {
    let mut traffic = users(world.start, world.start + 1_000.0 * every);
    let sources: Vec<String> = (0..1_000).map(source).collect();
    for (n, source) in sources.iter().enumerate() {
        traffic.push(wrong(world.start + n as f64 * every, source, &user(n), &format!("g{n}")));
    }
    world.play(traffic);
    let mut distinct = sources;
    distinct.sort();
    distinct.dedup();
    let leaked = world.leaked(&distinct);
    println!("{what}, {} site: {leaked} guesses of 1000", world.site);
    assert!(leaked <= at_most, "{}: {what}: {leaked}", world.site);
}

#[test]
fn rotation_in_a_slash_24_is_caught() {
    where_settled(|world| rotation(world, "rotation in a /24", |n| host("198.51.100", n * 37), 4.0, 24));
}

#[test]
fn slow_rotation_in_a_slash_24_is_caught() {
    where_settled(|world| {
        rotation(world, "slow rotation in a /24", |n| host("198.51.100", n * 37), 600.0, 80);
    });
}

#[test]
fn rotation_in_a_slash_64_is_caught() {
    let address = |n: usize| format!("2001:db8:9:9:{:x}::{:x}", n * 7, n * 31);
    where_settled(|world| rotation(world, "rotation in a /64", address, 4.0, 24));
}

#[test]
fn rotation_in_a_slash_56_is_caught() {
    let address = |n: usize| format!("2001:db8:9:7{:02x}::{:x}", n % 256, n * 31);
    where_settled(|world| rotation(world, "rotation in a /56", address, 4.0, 24));
}

#[test]
fn rotation_in_a_slash_48_is_caught() {
    let address = |n: usize| format!("2001:db8:9:{:x}::1", n * 61 % 65_536);
    where_settled(|world| rotation(world, "rotation in a /48", address, 4.0, 24));
}
