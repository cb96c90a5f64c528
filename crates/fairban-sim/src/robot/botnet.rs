//! What botnets share: many addresses, one to three guesses each.

use std::net::IpAddr;

use fairban_core::time::Span;

use super::guesser::{Guesser, Names, Pace, Pool};
use crate::cast::Stage;
use crate::world::account::Name;

/// Addresses that come to one site in a day. Abdou et al. 2016: 6,000 addresses a year at six servers, most of them
/// once; campaigns of Javed and Paxson 2013: some hundreds to some thousands of sources.
const BOTS: (usize, usize) = (150, 500);
/// Guesses an address: half of all attacking addresses try one name only.
const EACH: [u64; 4] = [1, 1, 2, 3];

pub(super) fn bots(stage: &mut Stage<'_>, count: usize) -> Vec<IpAddr> {
    (0..count).map(|_| stage.world.addresses.bot(&mut stage.rng)).collect()
}

/// As many bots as come, with these names, in this time.
pub(super) fn add(stage: &mut Stage<'_>, names: Vec<Name>, popular: bool, over: (Span, Span)) {
    let count = stage.rng.whole(BOTS.0, BOTS.1);
    let bots = bots(stage, count);
    let each = *stage.rng.pick(&EACH);
    let over = stage.rng.span(over.0, over.1);
    let start = stage.some_time(0.3);
    add_bots(stage, (names, popular), (bots, each), over, start);
}

/// These bots, from `start`. An address does not come twice in a row: its guesses lie a round apart.
pub(super) fn add_bots(
    stage: &mut Stage<'_>,
    (names, popular): (Vec<Name>, bool),
    (bots, each): (Vec<IpAddr>, u64),
    over: Span,
    start: fairban_core::time::Time,
) {
    let most = bots.len() as u64 * each;
    let gap = Span::micros(over.as_micros() / most.max(1) as i64);
    let aim = Names { popular, ..Names::new(names) };
    let protocol = stage.protocol();
    let guesser = Guesser::new(aim, Pace::Even(gap), Pool::Turns(bots, 1), protocol, stage.world);
    stage.add(start, Guesser { most, ..guesser });
}
