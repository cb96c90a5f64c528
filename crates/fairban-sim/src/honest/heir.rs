//! People who are given the address that a robot had before.

use fairban_core::time::Span;

use super::client::Client;
use super::plain::secret_of;
use super::typist::typist;
use crate::cast::Stage;
use crate::world::MIDNIGHT;

/// Assumption: three a site. Many providers renumber every 24 hours (Padmanabhan et al., RIPE Atlas).
const HOMES: f64 = 3.0;
/// How long an address stays free.
const FREE: (Span, Span) = (Span::minutes(1), Span::minutes(30));

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for _ in 0..stage.count(HOMES) {
        let name = stage.world.accounts.hire(&mut stage.rng, MIDNIGHT);
        let address = stage.world.addresses.home(&mut stage.rng);
        let left = stage.war().plus(stage.rng.span(Span::hours(1), Span::hours(12)));
        stage.world.bequests.push((address, left));
        let start = left.plus(stage.rng.span(FREE.0, FREE.1));
        if stage.rng.chance(0.5) {
            let typist = typist(stage, &name, address);
            stage.add(start, typist);
        } else {
            let secret = secret_of(stage, &name);
            let protocol = stage.protocol();
            stage.add(start, Client::new(&name, secret, address, protocol));
        }
    }
}
