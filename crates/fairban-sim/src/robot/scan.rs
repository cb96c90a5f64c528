//! Robots that go through a list of names: fast, slow, under the rule that everybody has, in bursts, near misses.

use fairban_core::time::Span;

use super::guesser::{Guesser, Names, Pace, Pool, collected_list, real_accounts};
use crate::cast::Stage;
use crate::world::account::slip;

/// Addresses that a scanner has, one after the other, as they are banned. Assumption: most have one.
const ADDRESSES: (usize, usize) = (1, 3);
/// How much of a collected list exists. Assumption; of public lists hardly any.
pub(super) const EXISTS: f64 = 0.3;
/// Names on a list.
const LIST: usize = 2_000;

fn scan(stage: &mut Stage<'_>, pace: Pace, each_link: u16) {
    let names = collected_list(stage.world, &mut stage.rng, LIST, EXISTS);
    let pool = pool(stage);
    let protocol = stage.protocol();
    let guesser = Guesser::new(Names::new(names), pace, pool, protocol, stage.world);
    let start = stage.some_time(0.7);
    stage.add(start, Guesser { each_link, ..guesser });
}

/// Some hosts for rent.
pub(super) fn pool(stage: &mut Stage<'_>) -> Pool {
    let count = stage.rng.whole(ADDRESSES.0, ADDRESSES.1);
    Pool::Some((0..count).map(|_| stage.world.addresses.hosted(&mut stage.rng)).collect(), 0)
}

/// As fast as the server answers: hydra and its likes, in the corpus 2 to 15 a second.
pub(crate) fn cast_fast(stage: &mut Stage<'_>) {
    for _ in 0..2 {
        let gap = stage.rng.span(Span::millis(60), Span::millis(800));
        let each_link = stage.rng.whole(1, 4) as u16;
        scan(stage, Pace::Even(gap), each_link);
    }
}

/// One in some minutes: the "hail mary cloud" had one in ten seconds and more (Hansteen).
pub(crate) fn cast_slow(stage: &mut Stage<'_>) {
    for _ in 0..3 {
        let gap = stage.rng.span(Span::minutes(3), Span::minutes(25));
        scan(stage, Pace::Even(gap), 1);
    }
}

/// Four in ten minutes: what the usual rule lets through.
pub(crate) fn cast_under_the_rule(stage: &mut Stage<'_>) {
    for _ in 0..2 {
        scan(stage, Pace::Even(Span::secs(160)), 1);
    }
}

/// Four at once, then silence until the rule has forgotten.
pub(crate) fn cast_burst(stage: &mut Stage<'_>) {
    for _ in 0..2 {
        let (gap, sleep) = (Span::secs(2), stage.rng.span(Span::minutes(11), Span::minutes(60)));
        scan(stage, Pace::Bursts { count: 4, gap, sleep }, 2);
    }
}

/// One that tries near misses of real names, as if it were a person who mistypes.
pub(crate) fn cast_near_miss(stage: &mut Stage<'_>) {
    let real = real_accounts(stage.world, &mut stage.rng, 200);
    let mut names = Vec::new();
    for name in &real {
        let near = slip(&mut stage.rng, name.text());
        names.push(stage.world.accounts.name(&near));
        names.push(name.clone());
    }
    let pool = pool(stage);
    let protocol = stage.protocol();
    let pace = Pace::Even(stage.rng.span(Span::secs(5), Span::minutes(3)));
    let guesser = Guesser::new(Names::new(names), pace, pool, protocol, stage.world);
    let start = stage.some_time(0.5);
    stage.add(start, guesser);
}
