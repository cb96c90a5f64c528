//! Connections that log in nobody.

use fairban_core::effect::RobotKind;

use crate::world::*;

#[test]
fn a_flood_of_connections_is_caught_within_a_hundred() {
    everywhere(|world| {
        let flood = |n: i32| connect_only(world.start + f64::from(n) * 0.05, "198.51.100.7");
        world.play((0..3_000).map(flood).collect());
        let fate = world.fate("198.51.100.7");
        println!("connection flood, {} site: {} connections", world.site, fate.idle);
        assert!(world.is_banned("198.51.100.7") && fate.idle <= 100, "{}: {}", world.site, fate.idle);
        assert_eq!(world.bans_of("198.51.100.7")[0].reason, RobotKind::ConnectionFlood);
    });
}

#[test]
fn an_office_whose_programs_hold_spare_connections_is_spared() {
    everywhere(|world| {
        let mut traffic = Vec::new();
        for n in 0..24 * 60 {
            let now = world.start + f64::from(n) * 60.0;
            for number in 0..20 {
                traffic.push(login(now + number as f64, "203.0.113.1", &user(number)));
            }
            for spare in 0..10 {
                traffic.push(connect_only(now + f64::from(spare) * 5.0, "203.0.113.1"));
            }
        }
        world.play(traffic);
        world.assert_spared("203.0.113.1");
    });
}

#[test]
fn a_phone_that_connects_in_vain_every_half_minute_is_spared() {
    everywhere(|world| {
        world.play(
            (0..3 * 2_880).map(|n| connect_only(world.start + f64::from(n) * 30.0, "203.0.113.1")).collect(),
        );
        world.assert_spared("203.0.113.1");
    });
}
