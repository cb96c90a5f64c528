//! Many addresses, one to three guesses each: wide, at a few accounts, with a dictionary of names, with popular
//! passwords, so slow that an address comes once, and all within a minute.

use std::net::IpAddr;

use fairban_core::time::Span;

use super::guesser::{Guesser, Names, Pace, Pool, collected_list, public_list, real_accounts};
use crate::cast::Stage;
use crate::world::account::Name;

/// Addresses of a botnet that come to one site in a day. Abdou et al. 2016: 6,000 addresses a year at six servers, most of
/// them once; campaigns of Javed and Paxson 2013: some hundreds to some thousands of sources.
const WIDE: (usize, usize) = (150, 500);
/// Guesses an address: half of all attacking addresses try one name only.
const EACH: [u64; 4] = [1, 1, 2, 3];

fn bots(stage: &mut Stage<'_>, count: usize) -> Vec<IpAddr> {
    (0..count).map(|_| stage.world.addresses.bot(&mut stage.rng)).collect()
}

fn add(stage: &mut Stage<'_>, names: Vec<Name>, popular: bool, bots: Vec<IpAddr>, over: Span) {
    let each = *stage.rng.pick(&EACH);
    let most = bots.len() as u64 * each;
    let gap = Span::micros(over.as_micros() / most.max(1) as i64);
    let aim = Names { popular, ..Names::new(names) };
    let protocol = stage.protocol();
    // An address does not come twice in a row: its guesses lie a round apart.
    let guesser = Guesser::new(aim, Pace::Even(gap), Pool::Turns(bots, 1), protocol, stage.world);
    let start = stage.some_time(0.3);
    stage.add(start, Guesser { most, ..guesser });
}

/// Real names, passwords that nobody else tries: the hardest kind.
pub(crate) fn cast_wide(stage: &mut Stage<'_>) {
    let names = collected_list(stage.world, &mut stage.rng, 400, 0.7);
    let count = stage.rng.whole(WIDE.0, WIDE.1);
    let bots = bots(stage, count);
    let over = stage.rng.span(Span::hours(2), Span::hours(16));
    add(stage, names, false, bots, over);
}

/// At the accounts of a few people.
pub(crate) fn cast_targeted(stage: &mut Stage<'_>) {
    let mut names = stage.world.victims.clone();
    names.truncate(3);
    if names.is_empty() {
        names = real_accounts(stage.world, &mut stage.rng, 3);
    }
    let count = stage.rng.whole(WIDE.0, WIDE.1);
    let bots = bots(stage, count);
    let over = stage.rng.span(Span::hours(2), Span::hours(12));
    add(stage, names, false, bots, over);
}

/// An address comes once in a month: some forty of a thousand on this day.
pub(crate) fn cast_monthly(stage: &mut Stage<'_>) {
    let names = real_accounts(stage.world, &mut stage.rng, 40);
    let bots = bots(stage, 40);
    let most = bots.len() as u64;
    let gap = Span::micros(stage.world.end.since(stage.war()).as_micros() / 40);
    let protocol = stage.protocol();
    let aim = Names { popular: false, ..Names::new(names) };
    let guesser = Guesser::new(aim, Pace::Even(gap), Pool::Turns(bots, 1), protocol, stage.world);
    let start = stage.war();
    stage.add(start, Guesser { most, ..guesser });
}

/// A dictionary of names that most of its members share (Singh et al., NSDI 2024).
pub(crate) fn cast_dictionary(stage: &mut Stage<'_>) {
    let names = public_list(stage.world, &mut stage.rng, 60);
    let count = stage.rng.whole(WIDE.0, WIDE.1);
    let bots = bots(stage, count);
    let over = stage.rng.span(Span::hours(2), Span::hours(16));
    add(stage, names, false, bots, over);
}

/// Real accounts, the passwords that most people have.
pub(crate) fn cast_popular(stage: &mut Stage<'_>) {
    let names = real_accounts(stage.world, &mut stage.rng, 400);
    let count = stage.rng.whole(WIDE.0, WIDE.1);
    let bots = bots(stage, count);
    let over = stage.rng.span(Span::hours(2), Span::hours(16));
    add(stage, names, true, bots, over);
}

/// Ten thousand addresses in one minute.
pub(crate) fn cast_storm(stage: &mut Stage<'_>) {
    let names = collected_list(stage.world, &mut stage.rng, 5_000, 0.05);
    let bots = bots(stage, 10_000);
    add(stage, names, true, bots, Span::minutes(1));
}
