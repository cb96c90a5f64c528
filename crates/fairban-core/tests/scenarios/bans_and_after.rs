//! What a ban does afterwards: the ladder, probation, and the next owner of the address.

use crate::world::*;

const ROBOT: &str = "198.51.100.7";

fn scan(from: f64, count: usize, word: &str) -> Vec<fairban_core::event::AuthEvent> {
    (0..count)
        .map(|n| unknown(from + n as f64 * 3.0, ROBOT, &format!("{}@site.example", name(word, n))))
        .collect()
}

#[test]
fn a_robot_that_comes_back_is_caught_sooner_and_shut_out_longer() {
    where_settled(|world| {
        world.play(scan(world.start, 30, "first"));
        let first = world.fate(ROBOT).failed;
        let until = world.bans[world.bans.len() - 1].until.expect("it ends");
        let back = (until.secs() - at(0.0).secs()) as f64 + 60.0;
        world.play(scan(back, 30, "second"));
        let second = world.fate(ROBOT).failed - first;
        let bans = world.bans_of(ROBOT);
        assert_eq!(bans.len(), 2, "{}", world.site);
        assert!(second < first || second == 1, "{}: {second} after {first}", world.site);
        let length = |n: usize| bans[n].until.expect("it ends").since(bans[n].time).as_secs();
        assert!(length(1) >= 2 * length(0), "{}: {} after {}", world.site, length(1), length(0));
    });
}

#[test]
fn the_heir_of_a_robots_address_is_spared_after_the_ban() {
    where_settled(|world| {
        world.play(scan(world.start, 30, "first"));
        let until = world.bans[world.bans.len() - 1].until.expect("it ends");
        let heir = (until.secs() - at(0.0).secs()) as f64 + 60.0;
        let before = world.bans.len();
        let mut traffic = Vec::new();
        for n in 0..300 {
            let now = heir + f64::from(n) * 600.0;
            if n % 7 == 0 {
                traffic.push(wrong(now, ROBOT, &user(6), "typo"));
            }
            traffic.push(login(now + 10.0, ROBOT, &user(6)));
        }
        world.play(traffic);
        assert_eq!(world.bans.len(), before, "{}: the heir was banned: {:#?}", world.site, world.bans.last());
    });
}

#[test]
fn the_heir_who_fails_by_digest_first_is_spared_after_the_ban() {
    where_settled(|world| {
        world.play(scan(world.start, 30, "first"));
        let until = world.bans[world.bans.len() - 1].until.expect("it ends");
        let heir = (until.secs() - at(0.0).secs()) as f64 + 60.0;
        let before = world.bans.len();
        let mut traffic = Vec::new();
        for n in 0..300 {
            let now = heir + f64::from(n) * 600.0;
            traffic.push(digest(now, ROBOT, &user(6)));
            traffic.push(login(now + 2.0, ROBOT, &user(6)));
        }
        world.play(traffic);
        assert_eq!(world.bans.len(), before, "{}: the heir was banned: {:#?}", world.site, world.bans.last());
    });
}

#[test]
fn a_ban_ends_by_itself_and_one_of_a_client_within_a_day() {
    where_settled(|world| {
        world.take(&login(world.start, ROBOT, "bought@site.example"));
        world.play(scan(world.start + 60.0, 200, "more"));
        let bans = world.bans_of(ROBOT);
        assert!(!bans.is_empty(), "{}: banned", world.site);
        let length = bans[0].until.expect("it ends").since(bans[0].time).as_secs();
        assert!(length <= 24 * 3_600, "{length} s");
    });
}
