//! Under the rule that everybody has: not five in ten minutes.

use fairban_core::time::Span;

use super::guesser::Pace;
use super::scan::scan;
use crate::cast::Stage;

/// Four in ten minutes and a little less: fixed thresholds are learnt with a handful of tries (Drašar and Medková).
const GAP: Span = Span::secs(160);
const ROBOTS: usize = 2;

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for _ in 0..ROBOTS {
        scan(stage, Pace::Even(GAP), 1);
    }
}
