//! What robots that go through a list of names share.

use super::guesser::{Guesser, Names, Pace, Pool, collected_list};
use crate::cast::Stage;

/// Addresses that a scanner has, one after the other, as they are banned. Assumption: most have one to three.
const ADDRESSES: (usize, usize) = (1, 3);
/// How much of a collected list exists. Assumption; of public lists hardly any.
pub(super) const EXISTS: f64 = 0.3;
/// Guesses of one address: 2,800 on average (Abdou, Barrera, van Oorschot 2016, 17 million attempts).
const MOST: u64 = 2_800;
/// Names on a list.
const LIST: usize = 2_000;

/// A robot with a list of names and this rhythm.
pub(super) fn scan(stage: &mut Stage<'_>, pace: Pace, each_link: u16) {
    let names = collected_list(stage.world, &mut stage.rng, LIST, EXISTS);
    let pool = pool(stage);
    let protocol = stage.protocol();
    let guesser = Guesser::new(Names::new(names), pace, pool, protocol, stage.world);
    let start = stage.some_time(0.7);
    stage.add(start, Guesser { each_link, most: MOST, ..guesser });
}

/// Some hosts for rent.
pub(super) fn pool(stage: &mut Stage<'_>) -> Pool {
    let count = stage.rng.whole(ADDRESSES.0, ADDRESSES.1);
    Pool::Some((0..count).map(|_| stage.world.addresses.hosted(&mut stage.rng)).collect(), 0)
}
