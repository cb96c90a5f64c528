//! Four guesses at once, then silence until the rule that everybody has forgets them.

use fairban_core::time::Span;

use super::guesser::Pace;
use super::scan::scan;
use crate::cast::Stage;

/// One below the usual threshold.
const BURST: u32 = 4;
const GAP: Span = Span::secs(2);
/// Longer than the usual ten minutes.
const SLEEP: (Span, Span) = (Span::minutes(11), Span::minutes(60));
const ROBOTS: usize = 2;

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for _ in 0..ROBOTS {
        let sleep = stage.rng.span(SLEEP.0, SLEEP.1);
        scan(stage, Pace::Bursts { count: BURST, gap: GAP, sleep }, 2);
    }
}
