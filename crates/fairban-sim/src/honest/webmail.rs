//! A webmail host that logs in for its users from one address: all their slips come from there.

use fairban_core::time::Span;

use super::client::Typist;
use super::typist::{DIFFER, MISNAMES, SLIPS};
use crate::cast::Stage;
use crate::world::MIDNIGHT;

const HOSTS: f64 = 0.6;
const PEOPLE: (usize, usize) = (40, 150);
/// People who forget their password try others there too. Assumption.
const FORGETS: f64 = 0.01;

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for _ in 0..stage.count(HOSTS) {
        let address = stage.world.addresses.hosted(&mut stage.rng);
        stage.world.exits.push(address);
        for _ in 0..stage.rng.whole(PEOPLE.0, PEOPLE.1) {
            let name = stage.world.accounts.hire(&mut stage.rng, MIDNIGHT);
            let protocol = stage.blind_protocol();
            let slips = stage.rng.beta(SLIPS, DIFFER);
            let misnames = stage.rng.beta(MISNAMES, DIFFER);
            let every = stage.rng.span(Span::hours(2), Span::hours(8));
            let start = stage.some_time(0.3);
            let typist = Typist::new(&name, address, protocol);
            stage.add(start, Typist { slips, misnames, forgets: FORGETS, every, ..typist });
        }
    }
}
