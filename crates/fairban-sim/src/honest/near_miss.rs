//! The founding case to the letter: the digest is tried with a misspelt name, the password with the right one.

use fairban_core::time::Span;

use super::client::Habit;
use super::fallback::client;
use crate::cast::Stage;
use crate::world::MIDNIGHT;
use crate::world::account::slip;

/// `dann@` fails and `dan@` succeeds in the founding log; a few a site. Assumption.
const HOMES: f64 = 4.0;

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for _ in 0..stage.count(HOMES) {
        let name = stage.world.accounts.hire(&mut stage.rng, MIDNIGHT);
        let other = slip(&mut stage.rng, name.text());
        let client = client(stage, &name, Habit::DigestFirst(Some(other)));
        let start = MIDNIGHT.plus(stage.rng.span(Span::ZERO, client.every));
        stage.add(start, client);
    }
}
