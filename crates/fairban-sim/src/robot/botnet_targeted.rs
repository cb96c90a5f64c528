//! A botnet at the accounts of a few people.

use fairban_core::time::Span;

use super::botnet::add;
use super::guesser::real_accounts;
use crate::cast::Stage;

/// Assumption, after the campaigns at single accounts of Javed and Paxson 2013.
const TARGETS: usize = 3;
const OVER: (Span, Span) = (Span::hours(2), Span::hours(12));

pub(crate) fn cast(stage: &mut Stage<'_>) {
    let mut names = stage.world.victims.clone();
    names.truncate(TARGETS);
    if names.is_empty() {
        names = real_accounts(stage.world, &mut stage.rng, TARGETS);
    }
    add(stage, names, false, OVER);
}
