//! The day on which everybody must change the password: it changes at nine, and programs learn it one by one.

use fairban_core::time::{Span, Time};

use super::client::Client;
use super::plain::secret_of;
use crate::actor::{Act, Actor, next_hour};
use crate::cast::Stage;
use crate::world::MIDNIGHT;
use crate::world::account::{Name, Secret};

/// One site in five has such a day. Assumption. Its people are these.
const PEOPLE: f64 = 40.0;
/// Programs of one person.
const PROGRAMS: (usize, usize) = (1, 3);
/// How long a program goes on with the old password. Assumption.
const LEARNS: (Span, Span) = (Span::minutes(1), Span::hours(6));
const EVERY: (Span, Span) = (Span::minutes(5), Span::minutes(30));
/// So many share an office.
const SHARE: usize = 12;

pub(crate) fn cast(stage: &mut Stage<'_>) {
    let changes = next_hour(MIDNIGHT, 9.0);
    let office = stage.world.addresses.home(&mut stage.rng);
    for number in 0..stage.count(PEOPLE) {
        let name = stage.world.accounts.hire(&mut stage.rng, MIDNIGHT);
        let address = if number < SHARE { office } else { stage.world.addresses.home(&mut stage.rng) };
        let at = changes.plus(stage.rng.span(Span::ZERO, Span::hours(2)));
        let old = secret_of(stage, &name);
        for _ in 0..stage.rng.whole(PROGRAMS.0, PROGRAMS.1) {
            let protocol = stage.protocol();
            let every = stage.rng.span(EVERY.0, EVERY.1);
            let corrected = Some(at.plus(stage.rng.span(LEARNS.0, LEARNS.1)));
            let client = Client::new(&name, old.clone(), address, protocol);
            let start = MIDNIGHT.plus(stage.rng.span(Span::ZERO, every));
            stage.add(start, Client { every, corrected, ..client });
        }
        stage.add(at, Change { name });
    }
}

/// The change itself.
struct Change {
    name: Name,
}

impl Actor for Change {
    fn wake(&mut self, act: &mut Act<'_>) -> Option<Time> {
        if let Some(id) = self.name.account() {
            let secret = Secret::fresh(act.rng);
            act.world.accounts.change_secret(id, secret);
        }
        None
    }
}
