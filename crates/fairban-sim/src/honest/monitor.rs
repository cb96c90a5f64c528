//! Monitors that look whether the service works: those that log in, and those that were set up wrong.

use fairban_core::event::Protocol;
use fairban_core::time::{Span, Time};

use super::client::{Client, Place};
use super::plain::secret_of;
use crate::actor::{Act, Actor};
use crate::cast::Stage;
use crate::world::MIDNIGHT;
use crate::world::account::Secret;

/// Every so often, to the second (Nagios' and its likes' defaults).
const EVERY: (Span, Span) = (Span::minutes(1), Span::minutes(5));

/// One that works.
pub(crate) fn cast_good(stage: &mut Stage<'_>) {
    let name = stage.world.accounts.role(&mut stage.rng, MIDNIGHT);
    let secret = secret_of(stage, &name);
    let address = stage.world.addresses.hosted(&mut stage.rng);
    let protocol = stage.protocol();
    let every = stage.rng.span(EVERY.0, EVERY.1);
    stage.add(MIDNIGHT, Client { every, ..Client::new(&name, secret, address, protocol) });
}

/// How it was set up wrong: an old password, an account that is gone, or it only connects.
pub(crate) fn cast_bad(stage: &mut Stage<'_>) {
    let address = stage.world.addresses.hosted(&mut stage.rng);
    let protocol = stage.protocol();
    let every = stage.rng.span(EVERY.0, EVERY.1);
    let secret = Secret::fresh(&mut stage.rng);
    match stage.rng.below(3) {
        0 => {
            let name = stage.world.accounts.role(&mut stage.rng, MIDNIGHT);
            stage.add(MIDNIGHT, Client { every, ..Client::new(&name, secret, address, protocol) });
        }
        1 => {
            let name = stage.world.accounts.nobody(&mut stage.rng);
            stage.add(MIDNIGHT, Client { every, ..Client::new(&name, secret, address, protocol) });
        }
        _ => stage.add(MIDNIGHT, Connects { place: Place::at(address), protocol, every }),
    }
}

/// Connects and says goodbye.
struct Connects {
    place: Place,
    protocol: Protocol,
    every: Span,
}

impl Actor for Connects {
    fn wake(&mut self, act: &mut Act<'_>) -> Option<Time> {
        let source = self.place.now(act);
        if let Some(link) = act.open(source, self.protocol) {
            act.close(&link);
        }
        Some(act.now().plus(self.every))
    }
}
