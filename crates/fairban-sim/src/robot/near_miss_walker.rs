//! Tries near misses of real names, then the names, as if it were a person who mistypes.

use fairban_core::time::Span;

use super::guesser::{Guesser, Names, Pace, real_accounts};
use super::scan::pool;
use crate::cast::Stage;
use crate::world::account::slip;

/// Names that it walks around.
const NAMES: usize = 200;
/// A person's speed, and slower. Assumption.
const GAP: (Span, Span) = (Span::secs(5), Span::minutes(3));

pub(crate) fn cast(stage: &mut Stage<'_>) {
    let real = real_accounts(stage.world, &mut stage.rng, NAMES);
    let mut names = Vec::new();
    for name in &real {
        let near = slip(&mut stage.rng, name.text());
        names.push(stage.world.accounts.name(&near));
        names.push(name.clone());
    }
    let (pool, protocol) = (pool(stage), stage.protocol());
    let pace = Pace::Even(stage.rng.span(GAP.0, GAP.1));
    let guesser = Guesser::new(Names::new(names), pace, pool, protocol, stage.world);
    let start = stage.some_time(0.5);
    stage.add(start, guesser);
}
