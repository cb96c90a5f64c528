//! One account where the log shows no passwords, at 30, 11, 2 and half a try a minute: only speed tells it from a
//! device that loops.

use fairban_core::time::Span;

use super::guesser::{Guesser, OneAccount, Pace, Pool, real_accounts};
use crate::cast::Stage;

/// Tries that it comes for. Fewer than ten bits are won against people's passwords online (Bonneau 2012): about a thousand.
const TRIES: u64 = 1_500;

/// Each try over a connection of its own.
fn at_a_gap(stage: &mut Stage<'_>, gap: Span) {
    for name in real_accounts(stage.world, &mut stage.rng, 1) {
        let pool = Pool::one(stage.world.addresses.hosted(&mut stage.rng));
        let protocol = stage.blind_protocol();
        let guesser = Guesser::new(OneAccount::new(name), Pace::Even(gap), pool, protocol, stage.world);
        let start = stage.some_time(0.5);
        stage.add(start, Guesser { most: TRIES, ..guesser });
    }
}

pub(crate) fn cast_30(stage: &mut Stage<'_>) {
    at_a_gap(stage, Span::secs(2));
}

pub(crate) fn cast_11(stage: &mut Stage<'_>) {
    at_a_gap(stage, Span::millis(5_450));
}

pub(crate) fn cast_2(stage: &mut Stage<'_>) {
    at_a_gap(stage, Span::secs(30));
}

pub(crate) fn cast_half(stage: &mut Stage<'_>) {
    at_a_gap(stage, Span::secs(120));
}
