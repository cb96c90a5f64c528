//! One account attacked by many strangers: its owner never suffers, wherever he is.

use fairban_core::effect::Alarm;

use crate::world::*;

/// Three hundred addresses, a guess each at one account.
fn attack(world: &World, guesses_each: usize) -> (Vec<String>, Vec<fairban_core::event::AuthEvent>) {
    let mut chance = Chance::new(21);
    let sources: Vec<String> = (0..300)
        .map(|n| {
            format!("{}.{}.{}.{}", 11 + n % 80, chance.below(250), chance.below(250), 1 + chance.below(250))
        })
        .collect();
    let mut traffic = Vec::new();
    for (n, source) in sources.iter().enumerate() {
        for guess in 0..guesses_each {
            let now = world.start + n as f64 * 120.0 + guess as f64 * 30.0;
            traffic.push(wrong(now, source, &user(0), &format!("g{n}.{guess}")));
        }
    }
    (sources, traffic)
}

#[test]
fn the_owner_of_an_attacked_account_is_spared_at_home_and_the_attack_is_told() {
    where_settled(|world| {
        let (_, mut traffic) = attack(world, 1);
        for n in 0..80 {
            let now = world.start + f64::from(n) * 450.0;
            if n % 5 == 0 {
                traffic.push(wrong(now, &home(0), &user(0), "typo"));
            }
            traffic.push(login(now + 9.0, &home(0), &user(0)));
        }
        world.play(traffic);
        world.assert_spared(&home(0));
        let told = world.alarms().any(|alarm| matches!(alarm, Alarm::AccountUnderAttack { .. }));
        assert!(told, "{}: told", world.site);
    });
}

#[test]
fn the_owner_of_an_attacked_account_who_is_abroad_and_mistypes_is_spared() {
    where_settled(|world| {
        let (_, mut traffic) = attack(world, 1);
        let hotel = "203.0.113.99";
        let now = world.start + 5.0 * HOUR;
        for n in 0..3 {
            traffic.push(wrong(now + f64::from(n) * 30.0, hotel, &user(0), &format!("maybe{n}")));
        }
        traffic.push(login(now + 200.0, hotel, &user(0)));
        world.play(traffic);
        world.assert_spared(hotel);
        assert!(world.hits().is_empty(), "{}: no hit", world.site);
    });
}

#[test]
fn an_old_device_at_an_account_that_is_attacked_later_is_spared() {
    where_settled(|world| {
        let (_, traffic) = attack(world, 1);
        let mut all = traffic;
        for n in 0..200 {
            let now = world.start - 3.0 * HOUR + f64::from(n) * 300.0;
            all.push(wrong(
                now.max(world.start + f64::from(n) * 0.5),
                "203.0.113.98",
                &user(0),
                "Summer2019",
            ));
        }
        world.play(all);
        world.assert_spared("203.0.113.98");
    });
}

#[test]
fn an_old_device_that_moves_while_its_account_is_attacked_is_spared() {
    where_settled(|world| {
        let (_, mut traffic) = attack(world, 1);
        for n in 0..60 {
            traffic.push(wrong(
                world.start + 4.0 * HOUR + f64::from(n) * 300.0,
                "203.0.113.97",
                &user(0),
                "Summer2019",
            ));
        }
        world.play(traffic);
        world.assert_spared("203.0.113.97");
    });
}

#[test]
fn a_botnet_at_one_account_loses_its_later_guesses() {
    where_settled(|world| {
        let (sources, traffic) = attack(world, 30);
        world.play(traffic);
        let leaked = world.leaked(&sources);
        println!("botnet at one account, {} site: {leaked} of {} guesses", world.site, 30 * sources.len());
        assert!(leaked <= 14 * 300, "{}: {leaked}", world.site);
    });
}
