//! Robots that log in and fail on purpose: to make the server look broken, or the world look harmless.

use std::net::IpAddr;

use fairban_core::event::Protocol;
use fairban_core::time::{Span, Time};

use super::guesser::{Guesser, Names, Pace, Pool, collected_list};
use crate::actor::{Act, Actor};
use crate::cast::Stage;
use crate::world::account::{Name, Secret};
use crate::world::{MIDNIGHT, Try};

/// Bought accounts with an address each: an outage takes eight, of five neighbourhoods.
const ACCOUNTS: usize = 12;
/// They log in for this long, to be familiar.
const FAMILIAR: Span = Span::hours(4);

/// Twelve familiar pairs fail together, again and again; a robot guesses meanwhile.
pub(crate) fn cast_outage(stage: &mut Stage<'_>) {
    let protocol = stage.telling_protocol();
    let from = stage.war();
    let fails = from.plus(FAMILIAR);
    for _ in 0..ACCOUNTS {
        let name = stage.world.accounts.hire(&mut stage.rng, MIDNIGHT);
        let source = stage.world.addresses.hosted(&mut stage.rng);
        let start = from.plus(stage.rng.span(Span::ZERO, Span::minutes(5)));
        stage.add(start, Extra { name, source, protocol, fails });
    }
    let names = collected_list(stage.world, &mut stage.rng, 500, 0.5);
    let pool = Pool::one(stage.world.addresses.hosted(&mut stage.rng));
    let guesser = Guesser::new(Names::new(names), Pace::Even(Span::secs(20)), pool, protocol, stage.world);
    stage.add(fails.plus(Span::minutes(3)), guesser);
}

/// Logs in every quarter of an hour; later it fails every minute, with its own account.
struct Extra {
    name: Name,
    source: IpAddr,
    protocol: Protocol,
    fails: Time,
}

impl Actor for Extra {
    fn wake(&mut self, act: &mut Act<'_>) -> Option<Time> {
        let failing = act.now() >= self.fails;
        let right = self.name.account().map(|id| act.world.accounts.secret(id).clone())?;
        let secret = if failing { Secret::fresh(act.rng) } else { right };
        act.login(self.source, self.protocol, &Try::own(&self.name, &secret));
        let gap = if failing { Span::secs(60) } else { Span::minutes(15) };
        Some(act.now().plus(act.rng.about(gap, 0.1)))
    }
}

/// Strangers with bought accounts.
const STRANGERS: usize = 60;

/// Strangers that fail once and then log in, all day: so that the next failing stranger is believed to be a person. Then a
/// botnet comes.
pub(crate) fn cast_quiet(stage: &mut Stage<'_>) {
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
