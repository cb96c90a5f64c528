//! Knows that logins earn credit: logs in for a long time, then guesses.

use fairban_core::time::Span;

use super::guesser::Own;
use super::owning::add;
use crate::cast::Stage;

const GAP: (Span, Span) = (Span::secs(2), Span::minutes(5));
/// Logins before the first guess, with one account and with three.
const LOGINS: (usize, usize) = (60, 30);
/// The second one goes on with it.
const EVERY: u64 = 12;

pub(crate) fn cast(stage: &mut Stage<'_>) {
    let gap = stage.rng.span(GAP.0, GAP.1);
    add(stage, 1, gap, |own| Own { first: LOGINS.0, ..own });
    add(stage, 3, gap, |own| Own { first: LOGINS.1, every: EVERY, ..own });
}
