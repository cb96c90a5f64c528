//! Robots that know this engine's weights: they stop one short of the ban, or look like a telephone.

use fairban_core::time::Span;

use super::guesser::{Aim, Guesser, Names, Pace, Pool, collected_list, real_accounts};
use crate::actor::Act;
use crate::cast::Stage;
use crate::world::account::{Name, Secret};

/// Wrong secrets at new accounts weigh 3.0, 2.5, 2.2 … and 2.5 for the second account: three of them stay below 13.8.
const SHORT_OF_BAN: u64 = 3;
/// Its addresses.
const ADDRESSES: usize = 40;

/// Three guesses an address, then the next one; round and round.
pub(crate) fn cast_stop_short(stage: &mut Stage<'_>) {
    let names = real_accounts(stage.world, &mut stage.rng, 500);
    let addresses = (0..ADDRESSES).map(|_| stage.world.addresses.hosted(&mut stage.rng)).collect();
    let gap = stage.rng.span(Span::minutes(1), Span::minutes(6));
    let aim = Names { popular: false, ..Names::new(names) };
    let protocol = stage.protocol();
    let pool = Pool::Turns(addresses, SHORT_OF_BAN);
    let guesser = Guesser::new(aim, Pace::Even(gap), pool, protocol, stage.world);
    let start = stage.war();
    stage.add(start, guesser);
}

/// Tries with one secret before it looks like a device.
const LIKE_A_DEVICE: u32 = 3;

/// Each guess three times at a steady rhythm, as a telephone with an old password does.
pub(crate) fn cast_stale(stage: &mut Stage<'_>) {
    for several in [false, true] {
        let count = if several { 30 } else { 1 };
        let names = real_accounts(stage.world, &mut stage.rng, count);
        let aim = Mimic { names, at: 0, left: 0, now: Secret::Own(0) };
        let pool = Pool::one(stage.world.addresses.hosted(&mut stage.rng));
        let gap = stage.rng.span(Span::secs(30), Span::minutes(5));
        let protocol = stage.telling_protocol();
        let guesser = Guesser::new(aim, Pace::Even(gap), pool, protocol, stage.world);
        let start = stage.some_time(0.3);
        stage.add(start, guesser);
    }
}

struct Mimic {
    names: Vec<Name>,
    at: usize,
    left: u32,
    now: Secret,
}

impl Aim for Mimic {
    fn next(&mut self, act: &mut Act<'_>) -> Option<(Name, Secret)> {
        if self.names.is_empty() {
            return None;
        }
        if self.left == 0 {
            (self.left, self.now) = (LIKE_A_DEVICE, Secret::fresh(act.rng));
            self.at += 1;
        }
        self.left -= 1;
        Some((self.names[self.at % self.names.len()].clone(), self.now.clone()))
    }
}

/// Two hundred addresses with one failing try each at names that nobody has, over and over: to push others out of every
/// table; and one robot that guesses behind them.
pub(crate) fn cast_table_filler(stage: &mut Stage<'_>) {
    let network = stage.world.addresses.network_v6(&mut stage.rng);
    let aim = Filler { number: 0, domain: stage.world.accounts.domains()[0] };
    let pace = Pace::Even(Span::secs(8));
    let protocol = stage.telling_protocol();
    let filler = Guesser::new(aim, pace, Pool::Network(network, 48), protocol, stage.world);
    let start = stage.war();
    stage.add(start, filler);
    let names = collected_list(stage.world, &mut stage.rng, 500, 0.5);
    let pool = Pool::one(stage.world.addresses.hosted(&mut stage.rng));
    let guesser = Guesser::new(Names::new(names), Pace::Even(Span::minutes(4)), pool, protocol, stage.world);
    stage.add(start.plus(Span::hours(1)), guesser);
}

/// A new name and a new secret each time.
struct Filler {
    number: u64,
    domain: &'static str,
}

impl Aim for Filler {
    fn next(&mut self, act: &mut Act<'_>) -> Option<(Name, Secret)> {
        self.number += 1;
        let text = format!("q{:x}@{}", act.rng.bits() >> 24, self.domain);
        Some((act.world.accounts.name(&text), Secret::fresh(act.rng)))
    }
}
