//! Fills tables: another source, another name and another secret each time, to push others out; and one robot that
//! guesses behind it.

use fairban_core::time::Span;

use super::guesser::{Aim, Guesser, Names, Pace, Pool, collected_list};
use crate::actor::Act;
use crate::cast::Stage;
use crate::world::account::{Name, Secret};

/// One stranger, name and secret after the other, as fast as is cheap.
const GAP: Span = Span::secs(8);

pub(crate) fn cast(stage: &mut Stage<'_>) {
    let network = stage.world.addresses.network_v6(&mut stage.rng);
    let aim = Filler { number: 0, domain: stage.world.accounts.domains()[0] };
    let pace = Pace::Even(GAP);
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
