//! A botnet with names that mostly exist, and passwords that nobody else tries: the hardest kind.

use fairban_core::time::Span;

use super::botnet::add;
use super::guesser::collected_list;
use crate::cast::Stage;

const LIST: usize = 400;
/// Assumption: names from an address book.
const EXISTS: f64 = 0.7;
const OVER: (Span, Span) = (Span::hours(2), Span::hours(16));

pub(crate) fn cast(stage: &mut Stage<'_>) {
    let names = collected_list(stage.world, &mut stage.rng, LIST, EXISTS);
    add(stage, names, false, OVER);
}
