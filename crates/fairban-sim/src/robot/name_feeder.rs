//! Tries the names of people who will be hired at noon, from many sources, so that they become robots' names.

use fairban_core::time::Span;

use super::guesser::{Guesser, Names, Pace, Pool, public_list};
use crate::cast::Stage;

/// From so many neighbourhoods.
const FEEDERS: usize = 12;

pub(crate) fn cast(stage: &mut Stage<'_>) {
    let mut names = stage.world.hires.clone();
    names.extend(public_list(stage.world, &mut stage.rng, 6));
    let pool = (0..FEEDERS).map(|_| stage.world.addresses.bot(&mut stage.rng)).collect();
    let each = names.len() as u64;
    let most = each * FEEDERS as u64;
    let protocol = stage.protocol();
    let pace = Pace::Even(Span::secs(50));
    let guesser = Guesser::new(Names::new(names), pace, Pool::Turns(pool, each), protocol, stage.world);
    let start = stage.war();
    stage.add(start, Guesser { most, ..guesser });
}
