//! Strangers that fail once and then log in, all day, with bought accounts: so that the next failing stranger is believed to
//! be a person. Then the robots come.

use std::net::IpAddr;

use fairban_core::event::Protocol;
use fairban_core::time::{Span, Time};

use super::guesser::{Guesser, Names, Pace, Pool, collected_list};
use crate::actor::{Act, Actor};
use crate::cast::Stage;
use crate::world::account::{Name, Secret};
use crate::world::{MIDNIGHT, Try};

/// Strangers with bought accounts.
const STRANGERS: usize = 60;

pub(crate) fn cast(stage: &mut Stage<'_>) {
    let protocol = stage.telling_protocol();
    let names: Vec<Name> = (0..8).map(|_| stage.world.accounts.hire(&mut stage.rng, MIDNIGHT)).collect();
    for number in 0..STRANGERS {
        let source = stage.world.addresses.bot(&mut stage.rng);
        let stranger = Stranger { name: names[number % 8].clone(), source, protocol, failed: false };
        let start = stage.war().plus(stage.rng.span(Span::ZERO, Span::hours(6)));
        stage.add(start, stranger);
    }
    let names = collected_list(stage.world, &mut stage.rng, 500, 0.5);
    let pool: Vec<IpAddr> = (0..20).map(|_| stage.world.addresses.hosted(&mut stage.rng)).collect();
    let pace = Pace::Even(Span::secs(40));
    let guesser = Guesser::new(Names::new(names), pace, Pool::Some(pool, 0), protocol, stage.world);
    let start = stage.war().plus(Span::hours(6));
    stage.add(start, guesser);
}

struct Stranger {
    name: Name,
    source: IpAddr,
    protocol: Protocol,
    failed: bool,
}

impl Actor for Stranger {
    fn wake(&mut self, act: &mut Act<'_>) -> Option<Time> {
        let right = self.name.account().map(|id| act.world.accounts.secret(id).clone())?;
        let secret = if self.failed { right } else { Secret::fresh(act.rng) };
        act.login(self.source, self.protocol, &Try::own(&self.name, &secret));
        (!std::mem::replace(&mut self.failed, true)).then(|| act.now().plus(Span::minutes(20)))
    }
}
