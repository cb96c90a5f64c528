//! Through a list of names, one in some minutes, to stay unseen.

use fairban_core::time::Span;

use super::guesser::Pace;
use super::scan::scan;
use crate::cast::Stage;

/// The "hail mary cloud" had ten seconds and more between guesses, spread over its members (Hansteen); one member of such a
/// cloud is as slow as this. Assumption.
const GAP: (Span, Span) = (Span::minutes(3), Span::minutes(25));
const ROBOTS: usize = 3;

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for _ in 0..ROBOTS {
        let gap = stage.rng.span(GAP.0, GAP.1);
        scan(stage, Pace::Even(gap), 1);
    }
}
