//! Knows that hubs are never banned: buys ten accounts and more, and logs in with all of them before it guesses.

use fairban_core::time::Span;

use super::guesser::Own;
use super::owning::add;
use crate::cast::Stage;

const GAP: (Span, Span) = (Span::secs(2), Span::minutes(1));
/// Bought accounts of the two robots, and logins before the first guess.
const ACCOUNTS: (usize, usize) = (10, 12);
const LOGINS: (usize, usize) = (40, 24);

pub(crate) fn cast(stage: &mut Stage<'_>) {
    let gap = stage.rng.span(GAP.0, GAP.1);
    add(stage, ACCOUNTS.0, gap, |own| Own { first: LOGINS.0, every: 5, ..own });
    add(stage, ACCOUNTS.1, gap, |own| Own { first: LOGINS.1, ..own });
}
