//! Programs that still ask for an account that was removed, beside one that exists.

use fairban_core::time::Span;

use super::client::Client;
use super::plain::add;
use crate::cast::Stage;
use crate::world::MIDNIGHT;
use crate::world::account::Secret;

/// 72 of 2,679 honest sources of an earlier simulation; real figures are not published.
const HOMES: f64 = 5.0;
const EVERY: (Span, Span) = (Span::minutes(10), Span::minutes(30));

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for _ in 0..stage.count(HOMES) {
        let address = stage.world.addresses.home(&mut stage.rng);
        let alive = stage.world.accounts.hire(&mut stage.rng, MIDNIGHT);
        add(stage, &alive, address);
        let dead = dead(stage, address);
        let start = stage.some_time(0.2);
        stage.add(start, dead);
    }
}

/// A program that asks for nobody.
pub(super) fn dead(stage: &mut Stage<'_>, address: std::net::IpAddr) -> Client {
    let name = stage.world.accounts.nobody(&mut stage.rng);
    let secret = Secret::fresh(&mut stage.rng);
    let protocol = stage.protocol();
    let every = stage.rng.span(EVERY.0, EVERY.1);
    Client { every, ..Client::new(&name, secret, address, protocol) }
}
