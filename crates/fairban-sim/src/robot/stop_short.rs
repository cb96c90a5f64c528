//! Knows the engine's weights, and stops one guess short of the ban, address by address.

use fairban_core::time::Span;

use super::guesser::{Guesser, Names, Pace, Pool, real_accounts};
use crate::cast::Stage;

/// Wrong secrets at new accounts weigh 3.0, 2.5, 2.2 … and 2.5 for the second account: three of them stay below 13.8, two
/// below 9.8, the limit in a campaign. One robot each.
const SHORT_OF_BAN: [u64; 2] = [3, 2];
/// Its addresses: so many guesses at each, round and round.
const ADDRESSES: usize = 40;
const ACCOUNTS: usize = 500;
const GAP: (Span, Span) = (Span::minutes(1), Span::minutes(6));

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for short in SHORT_OF_BAN {
        let list = real_accounts(stage.world, &mut stage.rng, ACCOUNTS);
        let addresses = (0..ADDRESSES).map(|_| stage.world.addresses.hosted(&mut stage.rng)).collect();
        let gap = stage.rng.span(GAP.0, GAP.1);
        let aim = Names { popular: false, ..Names::new(list) };
        let (pool, protocol) = (Pool::Turns(addresses, short), stage.protocol());
        let guesser = Guesser::new(aim, Pace::Even(gap), pool, protocol, stage.world);
        let start = stage.war();
        stage.add(start, guesser);
    }
}
