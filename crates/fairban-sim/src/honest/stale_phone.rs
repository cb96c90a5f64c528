//! Telephones that go on with an old password: beside a computer that has the new one, or alone.

use fairban_core::time::Span;

use super::client::Client;
use super::plain::add;
use crate::cast::Stage;
use crate::world::MIDNIGHT;
use crate::world::account::Secret;

/// One login in 2,500 begins such a loop in the simulator of `StopGuessing`: a few a day.
const PHONES: f64 = 5.0;
/// `StopGuessing`: every 5 minutes, for 24 hours. Telephones of the corpus: up to half an hour.
const EVERY: (Span, Span) = (Span::minutes(5), Span::minutes(30));
/// How many have a computer with the right password beside them. Assumption.
const COMPANY: f64 = 0.6;

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for _ in 0..stage.count(PHONES) {
        let name = stage.world.accounts.hire(&mut stage.rng, MIDNIGHT);
        let address = stage.world.addresses.home(&mut stage.rng);
        if stage.rng.chance(COMPANY) {
            add(stage, &name, address);
        }
        let old = Secret::fresh(&mut stage.rng);
        let protocol = stage.protocol();
        let every = stage.rng.span(EVERY.0, EVERY.1);
        let start = stage.some_time(0.3);
        stage.add(start, Client { every, ..Client::new(&name, old, address, protocol) });
    }
}
