//! Guesses at the form of a webmail host, so that all comes from the address of its users.

use fairban_core::time::Span;

use super::elsewhere::add;
use crate::cast::Stage;

/// Assumption.
const GAP: (Span, Span) = (Span::secs(5), Span::minutes(5));

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for address in stage.world.exits.clone() {
        let gap = stage.rng.span(GAP.0, GAP.1);
        let span = (stage.some_time(0.5), stage.world.end);
        add(stage, address, gap, span);
    }
}
