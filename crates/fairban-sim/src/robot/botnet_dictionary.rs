//! A botnet whose members share a dictionary of names (Singh et al., NSDI 2024).

use fairban_core::time::Span;

use super::botnet::add;
use super::guesser::public_list;
use crate::cast::Stage;

/// Names that are in all their lists.
const WORDS: usize = 60;
const OVER: (Span, Span) = (Span::hours(2), Span::hours(16));

pub(crate) fn cast(stage: &mut Stage<'_>) {
    let names = public_list(stage.world, &mut stage.rng, WORDS);
    add(stage, names, false, OVER);
}
