//! Guesses from a home until its address is given to somebody else, who inherits what it did.

use fairban_core::time::Span;

use super::elsewhere::add;
use crate::cast::Stage;

/// Assumption.
const GAP: (Span, Span) = (Span::secs(3), Span::minutes(15));

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for (address, left) in stage.world.bequests.clone() {
        let gap = stage.rng.span(GAP.0, GAP.1);
        let start = stage.war();
        add(stage, address, gap, (start, left));
    }
}
