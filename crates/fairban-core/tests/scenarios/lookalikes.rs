//! Rule 12: what looks like a scan and is none.

use fairban_core::effect::Alarm;

use crate::world::*;

const HOUSE: &str = "203.0.113.60";

#[test]
fn a_mail_program_that_finds_its_settings_out_is_spared() {
    everywhere(|world| {
        let mut traffic = Vec::new();
        for n in 0..4 {
            let now = world.start + f64::from(n) * 3.0;
            traffic.push(unknown(now, HOUSE, "margaret"));
            traffic.push(of(fairban_core::event::Service::Dovecot, unknown(now + 0.5, HOUSE, "margaret")));
            traffic.push(wrong(now + 1.0, HOUSE, "margaret@site.example", "first"));
            traffic.push(digest(now + 1.5, HOUSE, "margaret@site.example"));
        }
        traffic.push(login(world.start + 50.0, HOUSE, "margaret@site.example"));
        world.play(traffic);
        world.assert_spared(HOUSE);
    });
}

#[test]
fn a_mail_program_that_never_finds_its_settings_out_is_spared() {
    everywhere(|world| {
        let mut traffic = users(world.start, world.start + DAY);
        for n in 0..4 {
            let now = world.start + f64::from(n) * 4.0;
            traffic.push(unknown(now, HOUSE, "margaret"));
            traffic.push(wrong(now + 1.0, HOUSE, "margaret@site.example", "first"));
            traffic.push(unknown(now + 2.0, HOUSE, "margaret@www.site.example"));
        }
        world.play(traffic);
        world.assert_spared(HOUSE);
    });
}

#[test]
fn a_removed_account_on_somebodys_phone_is_spared_for_a_week() {
    everywhere(|world| {
        let mut traffic = users(world.start, world.start + WEEK);
        for n in 0..7 * 24 * 12 {
            traffic.push(unknown(world.start + f64::from(n) * 300.0, HOUSE, "removed.person@site.example"));
        }
        world.play(traffic);
        world.assert_spared(HOUSE);
    });
}

#[test]
fn a_removed_account_that_the_phone_also_sends_with_is_spared() {
    everywhere(|world| {
        let mut traffic = users(world.start, world.start + WEEK);
        for n in 0..7 * 24 * 4 {
            let now = world.start + f64::from(n) * 900.0;
            traffic.push(unknown(now, HOUSE, "removed.person@site.example"));
            traffic.push(unknown(now + 1.0, HOUSE, "removed.person"));
            traffic.push(of(
                fairban_core::event::Service::Dovecot,
                unknown(now + 2.0, HOUSE, "removed.person@site.example"),
            ));
        }
        world.play(traffic);
        world.assert_spared(HOUSE);
    });
}

#[test]
fn a_house_with_a_live_account_and_three_removed_ones_is_spared() {
    everywhere(|world| {
        let mut traffic = users(world.start, world.start + WEEK);
        for n in 0..7 * 24 * 12 {
            let now = world.start + f64::from(n) * 300.0;
            traffic.push(login(now, HOUSE, "living@site.example"));
            for (after, name) in ["removed", "closed", "departed"].iter().enumerate() {
                traffic.push(unknown(now + 10.0 + after as f64, HOUSE, &format!("{name}@site.example")));
            }
        }
        world.play(traffic);
        world.assert_spared(HOUSE);
    });
}

#[test]
fn a_monitor_that_connects_every_minute_without_a_login_is_spared() {
    everywhere(|world| {
        let mut traffic = users(world.start, world.start + WEEK);
        traffic
            .extend((0..7 * 1_440).map(|n| connect_only(world.start + f64::from(n) * 60.0, "192.0.2.200")));
        world.play(traffic);
        world.assert_spared("192.0.2.200");
    });
}

#[test]
fn a_monitor_that_logs_in_with_a_test_account_that_was_removed_is_spared() {
    everywhere(|world| {
        let mut traffic = users(world.start, world.start + WEEK);
        for n in 0..7 * 1_440 {
            traffic.push(wrong(
                world.start + f64::from(n) * 60.0,
                "192.0.2.200",
                "monitor@site.example",
                "probe",
            ));
        }
        world.play(traffic);
        world.assert_spared("192.0.2.200");
    });
}

#[test]
fn a_proxy_that_carries_all_logins_is_spared_and_told_of() {
    let mut world = World::cold();
    let proxy = "192.0.2.1";
    let (mut chance, mut traffic) = (Chance::new(9), Vec::new());
    for number in 0..120 {
        let mut now = chance.between(0.0, HOUR);
        while now < 2.0 * DAY {
            traffic.push(login(
                now,
                proxy,
                &format!("{}{number}@site.example", ["anna", "boris", "clara"][number % 3]),
            ));
            now += chance.between(600.0, 3_600.0);
        }
    }
    // Robots come through it too: the address must stay open all the same.
    for n in 0..2_000 {
        traffic.push(unknown(DAY + n as f64 * 7.0, proxy, &no_one(n as usize)));
    }
    world.play(traffic);
    world.assert_spared(proxy);
    assert!(world.alarms().any(|alarm| matches!(alarm, Alarm::Proxy { .. })), "told as a proxy");
}

#[test]
fn a_robot_that_tries_each_name_in_both_forms_is_caught() {
    where_settled(|world| {
        let mut traffic = Vec::new();
        for n in 0..60 {
            let now = world.start + n as f64 * 4.0;
            traffic.push(unknown(now, "198.51.100.7", &name("form", n)));
            traffic.push(unknown(now + 1.0, "198.51.100.7", &format!("{}@site.example", name("form", n))));
        }
        world.play(traffic);
        world.assert_caught("names in both forms", "198.51.100.7", 16);
    });
}

#[test]
fn a_robot_that_connects_a_thousand_times_a_minute_is_no_monitor() {
    where_settled(|world| {
        world.play(
            (0..2_000).map(|n| connect_only(world.start + f64::from(n) * 0.06, "198.51.100.7")).collect(),
        );
        assert!(world.is_banned("198.51.100.7"), "{}", world.site);
    });
}
