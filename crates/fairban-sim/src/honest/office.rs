//! An office behind one address: everybody comes at eight, with programs and habits of all kinds.

use fairban_core::time::Span;

use super::client::{Client, Habit, Hours, Typist};
use super::plain::secret_of;
use super::typist::{DIFFER, SLIPS};
use crate::actor::next_hour;
use crate::cast::Stage;
use crate::world::MIDNIGHT;
use crate::world::account::Secret;

const OFFICES: f64 = 4.0;
const PEOPLE: (usize, usize) = (8, 45);
/// Who types. The others have programs. Assumption.
const TYPES: f64 = 0.3;
/// Programs that try a digest first; where one does, most do: they were set up alike.
const DIGEST_OFFICES: f64 = 0.3;
const DIGEST: f64 = 0.7;
/// A telephone with an old password, or a scanner with a removed account, one for so many people.
const STALE: f64 = 0.06;
const DEAD: f64 = 0.03;
const EVERY: (Span, Span) = (Span::minutes(10), Span::minutes(30));

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for _ in 0..stage.count(OFFICES) {
        let address = stage.world.addresses.home(&mut stage.rng);
        // Offices differ: one slips more than another.
        let slips = stage.rng.beta(SLIPS, DIFFER);
        let digests = if stage.rng.chance(DIGEST_OFFICES) { DIGEST } else { 0.0 };
        for _ in 0..stage.rng.whole(PEOPLE.0, PEOPLE.1) {
            person(stage, address, slips, digests);
        }
    }
}

/// Somebody at work.
pub(super) fn person(stage: &mut Stage<'_>, address: std::net::IpAddr, slips: f64, digests: f64) {
    let name = stage.world.accounts.hire(&mut stage.rng, MIDNIGHT);
    let protocol = stage.protocol();
    let start = next_hour(MIDNIGHT, 8.0).plus(stage.rng.wait(Span::minutes(20)));
    if stage.rng.chance(TYPES) {
        let typist = Typist::new(&name, address, protocol);
        stage.add(start, Typist { slips, hours: Hours::OFFICE, every: Span::hours(2), ..typist });
    } else {
        let secret = secret_of(stage, &name);
        let habit = if stage.rng.chance(digests) { Habit::DigestFirst(None) } else { Habit::Plain };
        let every = stage.rng.span(EVERY.0, EVERY.1);
        let client = Client::new(&name, secret, address, protocol);
        stage.add(start, Client { every, habit, hours: Hours::OFFICE, ..client });
    }
    if stage.rng.chance(STALE) {
        let old = Secret::fresh(&mut stage.rng);
        let phone = Client::new(&name, old, address, protocol);
        stage.add(start.plus(Span::minutes(3)), Client { every: EVERY.1, hours: Hours::OFFICE, ..phone });
    }
    if stage.rng.chance(DEAD) {
        let dead = super::dead_account::dead(stage, address);
        stage.add(start.plus(Span::minutes(5)), dead);
    }
}
