//! What robots with one try an account share.

use fairban_core::time::Span;

use super::guesser::{Guesser, Pace, Pairs};
use super::scan::pool;
use crate::cast::Stage;
use crate::world::account::{Name, Secret};

/// Accounts tried.
pub(super) const ACCOUNTS: usize = 300;
/// Assumption: from a script's speed to a patient one's.
const GAP: (Span, Span) = (Span::millis(500), Span::minutes(2));

pub(super) fn add(stage: &mut Stage<'_>, pairs: Vec<(Name, Secret)>) {
    let gap = stage.rng.span(GAP.0, GAP.1);
    let (pool, protocol) = (pool(stage), stage.protocol());
    let guesser = Guesser::new(Pairs(pairs), Pace::Even(gap), pool, protocol, stage.world);
    let start = stage.some_time(0.5);
    stage.add(start, guesser);
}
