//! Rule 14: what nobody can tell is decided for the person, and what a robot gains by it is bounded.

use crate::world::*;

#[test]
fn one_wrong_secret_from_a_place_never_seen_is_a_typo() {
    everywhere(|world| {
        let sources: Vec<String> = (0..30).map(|n| format!("203.{n}.113.9")).collect();
        for (n, source) in sources.iter().enumerate() {
            world.take(&wrong(world.start + n as f64 * 900.0, source, &user(n), &format!("typo{n}")));
        }
        world.wait_until(world.start + DAY);
        for source in &sources {
            world.assert_spared(source);
        }
    });
}

#[test]
fn a_botnet_of_one_guess_an_address_gains_a_guess_an_address_and_no_more() {
    where_settled(|world| {
        // Real names, secrets of its own: the hardest kind.
        let mut traffic = users(world.start, world.start + 6.0 * HOUR);
        let mut chance = Chance::new(14);
        let sources: Vec<String> = (0..600)
            .map(|n| {
                format!(
                    "{}.{}.{}.{}",
                    11 + n % 80,
                    chance.below(250),
                    chance.below(250),
                    1 + chance.below(250)
                )
            })
            .collect();
        for (n, source) in sources.iter().enumerate() {
            for guess in 0..3 {
                let now = world.start + n as f64 * 30.0 + f64::from(guess) * 3_000.0;
                traffic.push(wrong(
                    now,
                    source,
                    &absent((n * 7 + guess as usize * 211) % 900),
                    &format!("s{n}{guess}"),
                ));
            }
        }
        world.play(traffic);
        let leaked = world.leaked(&sources);
        println!("botnet of real names, {} site: {leaked} of {} guesses", world.site, 3 * sources.len());
        assert!(leaked <= 3 * 600, "every guess at most");
        for number in 0..40 {
            world.assert_spared(&home(number));
        }
    });
}
