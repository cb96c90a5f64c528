//! Fails on purpose at its own, familiar accounts, all together, so that the server looks broken; and guesses meanwhile.

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

pub(crate) fn cast(stage: &mut Stage<'_>) {
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
