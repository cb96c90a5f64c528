//! Through a list of names as fast as the server answers.

use fairban_core::time::Span;

use super::guesser::Pace;
use super::scan::scan;
use crate::cast::Stage;

/// hydra and its likes make 2 to 15 a second (corpus).
const GAP: (Span, Span) = (Span::millis(60), Span::millis(800));
/// Tries that they make in one connection (corpus: what the server lets them).
const EACH_LINK: (usize, usize) = (1, 4);
const ROBOTS: usize = 2;

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for _ in 0..ROBOTS {
        let gap = stage.rng.span(GAP.0, GAP.1);
        let each_link = stage.rng.whole(EACH_LINK.0, EACH_LINK.1) as u16;
        scan(stage, Pace::Even(gap), each_link);
    }
}
