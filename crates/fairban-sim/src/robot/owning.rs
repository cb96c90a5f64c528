//! What robots with good accounts of their own share.

use fairban_core::time::Span;

use super::guesser::{Guesser, Names, Own, Pace, Pool, collected_list};
use super::scan::EXISTS;
use crate::cast::Stage;
use crate::world::MIDNIGHT;

/// Names on its list.
const LIST: usize = 1_000;

/// A scanner that owns so many accounts, and uses them as `own` says.
pub(super) fn add(stage: &mut Stage<'_>, accounts: usize, gap: Span, own: impl FnOnce(Own) -> Own) {
    let names = (0..accounts).map(|_| stage.world.accounts.hire(&mut stage.rng, MIDNIGHT)).collect();
    let own = own(Own { names, first: 0, every: 0, chance: 0.0 });
    let list = collected_list(stage.world, &mut stage.rng, LIST, EXISTS);
    let pool = Pool::one(stage.world.addresses.hosted(&mut stage.rng));
    let protocol = stage.protocol();
    let guesser = Guesser::new(Names::new(list), Pace::Even(gap), pool, protocol, stage.world);
    let start = stage.some_time(0.4);
    stage.add(start, Guesser { own: Some(own), ..guesser });
}
