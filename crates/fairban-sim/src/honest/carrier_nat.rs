//! A carrier's NAT: hundreds of telephones behind a few addresses, each now behind one, now behind another.

use std::net::IpAddr;

use fairban_core::event::Protocol;
use fairban_core::time::{Span, Time};

use super::typist::{DIFFER, SLIPS};
use crate::actor::{Act, Actor, hour};
use crate::cast::Stage;
use crate::world::account::{Name, Secret};
use crate::world::{MIDNIGHT, Reply, Try};

const CARRIERS: f64 = 0.8;
const PEOPLE: (usize, usize) = (100, 300);
/// A carrier maps 16 to 128 users to one address (RFC 7021 names such shares); these are its users at this site.
const ADDRESSES: (usize, usize) = (1, 4);
/// How often a telephone is found behind another address. Assumption.
const MOVES: f64 = 0.1;
/// Telephones that go on with an old password. As at home.
const STALE: f64 = 0.02;
const EVERY: (Span, Span) = (Span::minutes(30), Span::hours(3));

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for _ in 0..stage.count(CARRIERS) {
        let count = stage.rng.whole(ADDRESSES.0, ADDRESSES.1);
        let addresses: Vec<IpAddr> = (0..count).map(|_| stage.world.addresses.home(&mut stage.rng)).collect();
        for _ in 0..stage.rng.whole(PEOPLE.0, PEOPLE.1) {
            let name = stage.world.accounts.hire(&mut stage.rng, MIDNIGHT);
            let old = stage.rng.chance(STALE).then(|| Secret::fresh(&mut stage.rng));
            let telephone = Telephone {
                name,
                old,
                protocol: stage.protocol(),
                at: stage.rng.below(addresses.len()),
                addresses: addresses.clone(),
                every: stage.rng.span(EVERY.0, EVERY.1),
                // Only few of their logins are typed.
                slips: stage.rng.beta(SLIPS, DIFFER) * 0.2,
            };
            let start = stage.some_time(0.2);
            stage.add(start, telephone);
        }
    }
}

struct Telephone {
    name: Name,
    old: Option<Secret>,
    protocol: Protocol,
    addresses: Vec<IpAddr>,
    at: usize,
    every: Span,
    slips: f64,
}

impl Actor for Telephone {
    fn wake(&mut self, act: &mut Act<'_>) -> Option<Time> {
        if act.rng.chance(MOVES) {
            self.at = act.rng.below(self.addresses.len());
        }
        let right = self.name.account().map(|id| act.world.accounts.secret(id).clone());
        let secret = match (&self.old, right) {
            (Some(old), _) => old.clone(),
            (None, Some(_)) if act.rng.chance(self.slips) => Secret::fresh(act.rng),
            (None, right) => right?,
        };
        let reply = act.login(self.addresses[self.at], self.protocol, &Try::plain(&self.name, &secret));
        let wait = match reply {
            // Mistyped: at once again. Shut out: the next address is not far.
            Reply::Wrong if self.old.is_none() => act.rng.span(Span::secs(4), Span::secs(20)),
            _ if (1.0..6.0).contains(&hour(act.now())) => act.rng.span(Span::hours(1), Span::hours(4)),
            _ => act.rng.about(self.every, 0.5),
        };
        Some(act.now().plus(wait))
    }
}
