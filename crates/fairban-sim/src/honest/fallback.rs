//! The founding case: a mail program that tries a digest first, which the server cannot check, and then the password.

use fairban_core::time::Span;

use super::client::{Client, Habit};
use super::plain::secret_of;
use crate::cast::Stage;
use crate::world::MIDNIGHT;

/// In the founding log one user in twelve. Assumption for other sites.
const HOMES: f64 = 25.0;
const EVERY: (Span, Span) = (Span::minutes(5), Span::minutes(20));

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for _ in 0..stage.count(HOMES) {
        let name = stage.world.accounts.hire(&mut stage.rng, MIDNIGHT);
        let client = client(stage, &name, Habit::DigestFirst(None));
        let start = MIDNIGHT.plus(stage.rng.span(Span::ZERO, client.every));
        stage.add(start, client);
    }
}

pub(super) fn client(stage: &mut Stage<'_>, name: &crate::world::account::Name, habit: Habit) -> Client {
    let address = stage.world.addresses.home(&mut stage.rng);
    let protocol = stage.telling_protocol();
    let secret = secret_of(stage, name);
    let every = stage.rng.span(EVERY.0, EVERY.1);
    Client { every, habit, ..Client::new(name, secret, address, protocol) }
}
