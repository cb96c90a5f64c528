//! Robots that own good accounts and log in between guesses: with every rhythm, to earn credit first, and with ten
//! accounts, to look like a place where many people are.

use fairban_core::time::Span;

use super::guesser::{Guesser, Names, Own, Pace, Pool, collected_list};
use super::scan::EXISTS;
use crate::cast::Stage;
use crate::world::MIDNIGHT;

fn add(stage: &mut Stage<'_>, accounts: usize, gap: Span, own: impl FnOnce(Own) -> Own) {
    let names = (0..accounts).map(|_| stage.world.accounts.hire(&mut stage.rng, MIDNIGHT)).collect();
    let own = own(Own { names, first: 0, every: 0, chance: 0.0 });
    let list = collected_list(stage.world, &mut stage.rng, 1_000, EXISTS);
    let pool = Pool::one(stage.world.addresses.hosted(&mut stage.rng));
    let protocol = stage.protocol();
    let guesser = Guesser::new(Names::new(list), Pace::Even(gap), pool, protocol, stage.world);
    let start = stage.some_time(0.4);
    stage.add(start, Guesser { own: Some(own), ..guesser });
}

/// After each guess, each third, each tenth, before the first, at random: one robot of each.
pub(crate) fn cast_rhythms(stage: &mut Stage<'_>) {
    let gap = stage.rng.span(Span::secs(2), Span::minutes(2));
    for every in [1, 3, 10] {
        add(stage, 1, gap, |own| Own { first: 1, every, ..own });
    }
    add(stage, 1, gap, |own| Own { chance: 0.3, ..own });
    add(stage, 1, gap, |own| Own { every: 2, ..own });
}

/// Logs in for a long time before, to be a good customer.
pub(crate) fn cast_credit(stage: &mut Stage<'_>) {
    let gap = stage.rng.span(Span::secs(2), Span::minutes(5));
    add(stage, 1, gap, |own| Own { first: 60, ..own });
    add(stage, 3, gap, |own| Own { first: 30, every: 12, ..own });
}

/// Ten bought accounts, all of which log in before.
pub(crate) fn cast_hub(stage: &mut Stage<'_>) {
    let gap = stage.rng.span(Span::secs(2), Span::minutes(1));
    add(stage, 10, gap, |own| Own { first: 40, every: 5, ..own });
    add(stage, 12, gap, |own| Own { first: 24, ..own });
}
