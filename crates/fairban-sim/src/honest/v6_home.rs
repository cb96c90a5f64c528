//! Homes with IPv6: every device has an address of its own, another one each day.

use fairban_core::time::Span;

use super::client::{Client, Habit};
use super::plain::secret_of;
use crate::cast::Stage;
use crate::world::MIDNIGHT;
use crate::world::account::Secret;

const HOMES: f64 = 30.0;
const DEVICES: (usize, usize) = (1, 4);
const DIGEST: f64 = 0.1;
const STALE: f64 = 0.05;
const EVERY: (Span, Span) = (Span::minutes(10), Span::minutes(60));

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for _ in 0..stage.count(HOMES) {
        let address = stage.world.addresses.home_v6(&mut stage.rng);
        for _ in 0..stage.rng.whole(DEVICES.0, DEVICES.1) {
            let name = stage.world.accounts.hire(&mut stage.rng, MIDNIGHT);
            let right = secret_of(stage, &name);
            let old = Secret::fresh(&mut stage.rng);
            let secret = if stage.rng.chance(STALE) { old } else { right };
            let habit = if stage.rng.chance(DIGEST) { Habit::DigestFirst(None) } else { Habit::Plain };
            let protocol = stage.protocol();
            let every = stage.rng.span(EVERY.0, EVERY.1);
            let start = MIDNIGHT.plus(stage.rng.span(Span::ZERO, every));
            stage.add(start, Client { every, habit, ..Client::new(&name, secret, address, protocol) });
        }
    }
}
