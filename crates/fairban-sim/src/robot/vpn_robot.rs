//! Guesses through the exit of a VPN that people use too.

use fairban_core::time::Span;

use super::elsewhere::add;
use crate::cast::Stage;

/// Assumption.
const GAP: (Span, Span) = (Span::secs(3), Span::minutes(5));

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for address in stage.world.vpn.clone() {
        let gap = stage.rng.span(GAP.0, GAP.1);
        let span = (stage.some_time(0.5), stage.world.end);
        add(stage, address, gap, span);
    }
}
