//! People whose mail program knows the right password, and says so at once: most people.

use fairban_core::time::Span;

use super::client::Client;
use crate::cast::Stage;
use crate::world::MIDNIGHT;

/// Homes with one user, in a site of usual size. Assumption.
const HOMES: f64 = 250.0;
/// How often mail programs look. The corpus' programs have 1 to 30 minutes; longer ones keep a day small.
const EVERY: (Span, Span) = (Span::minutes(10), Span::minutes(60));

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for _ in 0..stage.count(HOMES) {
        let name = stage.world.accounts.hire(&mut stage.rng, MIDNIGHT);
        let address = stage.world.addresses.home(&mut stage.rng);
        add(stage, &name, address);
    }
}

/// One such program.
pub(super) fn add(stage: &mut Stage<'_>, name: &crate::world::account::Name, address: std::net::IpAddr) {
    let protocol = stage.protocol();
    let secret = secret_of(stage, name);
    let every = stage.rng.span(EVERY.0, EVERY.1);
    let start = MIDNIGHT.plus(stage.rng.span(Span::ZERO, every));
    stage.add(start, Client { every, ..Client::new(name, secret, address, protocol) });
}

/// The right password of a name; of no account, any.
pub(super) fn secret_of(
    stage: &mut Stage<'_>,
    name: &crate::world::account::Name,
) -> crate::world::account::Secret {
    match name.account() {
        Some(id) => stage.world.accounts.secret(id).clone(),
        None => crate::world::account::Secret::fresh(&mut stage.rng),
    }
}
