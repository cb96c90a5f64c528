//! Owns one good account and logs in between guesses, with every rhythm there is.

use fairban_core::time::Span;

use super::guesser::Own;
use super::owning::add;
use crate::cast::Stage;

/// Assumption.
const GAP: (Span, Span) = (Span::secs(2), Span::minutes(2));
/// A login after so many guesses: one robot each.
const EVERY: [u64; 4] = [1, 2, 3, 10];
/// And one that logs in at random, this often.
const AT_RANDOM: f64 = 0.3;

pub(crate) fn cast(stage: &mut Stage<'_>) {
    let gap = stage.rng.span(GAP.0, GAP.1);
    for every in EVERY {
        add(stage, 1, gap, |own| Own { first: usize::from(every != 2), every, ..own });
    }
    add(stage, 1, gap, |own| Own { chance: AT_RANDOM, ..own });
}
