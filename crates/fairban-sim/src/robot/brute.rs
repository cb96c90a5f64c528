//! Robots at one account: with passwords that the log shows, and without any that it shows, at several speeds.

use fairban_core::time::Span;

use super::guesser::{Guesser, OneAccount, Pace, Pool, real_accounts};
use super::scan::pool;
use crate::cast::Stage;

/// Where the log shows the password: another one every few seconds.
pub(crate) fn cast(stage: &mut Stage<'_>) {
    for name in real_accounts(stage.world, &mut stage.rng, 2) {
        let gap = stage.rng.span(Span::secs(1), Span::secs(90));
        let protocol = stage.telling_protocol();
        let pool = pool(stage);
        let guesser = Guesser::new(OneAccount::new(name), Pace::Even(gap), pool, protocol, stage.world);
        let start = stage.some_time(0.5);
        stage.add(start, Guesser { each_link: 2, ..guesser });
    }
}

/// Where it shows none: so many tries a minute, each over a connection of its own.
fn without_secrets(stage: &mut Stage<'_>, gap: Span) {
    for name in real_accounts(stage.world, &mut stage.rng, 1) {
        let pool = Pool::one(stage.world.addresses.hosted(&mut stage.rng));
        let protocol = stage.blind_protocol();
        let guesser = Guesser::new(OneAccount::new(name), Pace::Even(gap), pool, protocol, stage.world);
        let start = stage.some_time(0.5);
        stage.add(start, Guesser { most: 1_500, ..guesser });
    }
}

pub(crate) fn cast_30(stage: &mut Stage<'_>) {
    without_secrets(stage, Span::secs(2));
}

pub(crate) fn cast_11(stage: &mut Stage<'_>) {
    without_secrets(stage, Span::millis(5_450));
}

pub(crate) fn cast_2(stage: &mut Stage<'_>) {
    without_secrets(stage, Span::secs(30));
}

pub(crate) fn cast_half(stage: &mut Stage<'_>) {
    without_secrets(stage, Span::secs(120));
}
