//! People who type their password, each with as many slips as he makes.

use fairban_core::time::Span;

use super::client::Typist;
use crate::cast::Stage;
use crate::world::MIDNIGHT;

const HOMES: f64 = 110.0;
/// Mistyped passwords: 2 % in the simulator of `StopGuessing` (`EuroS&P` 2019); 9.3 % of failed submissions at Dropbox
/// are typos (Chatterjee et al., S&P 2016).
pub(super) const SLIPS: f64 = 0.04;
/// How much people differ in it (intraclass correlation). Assumption: strongly.
pub(super) const DIFFER: f64 = 0.1;
/// Mistyped names are rarer: programs remember them. Assumption.
pub(super) const MISNAMES: f64 = 0.004;

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for _ in 0..stage.count(HOMES) {
        let name = stage.world.accounts.hire(&mut stage.rng, MIDNIGHT);
        let address = stage.world.addresses.home(&mut stage.rng);
        let typist = typist(stage, &name, address);
        let start = stage.some_time(0.5);
        stage.add(start, typist);
    }
}

/// Somebody who slips as often as people do.
pub(super) fn typist(
    stage: &mut Stage<'_>,
    name: &crate::world::account::Name,
    address: std::net::IpAddr,
) -> Typist {
    let protocol = stage.protocol();
    // Whoever fails more often than not has his program remember the password.
    let slips = stage.rng.beta(SLIPS, DIFFER).min(0.5);
    let misnames = stage.rng.beta(MISNAMES, DIFFER);
    Typist { slips, misnames, every: Span::hours(3), ..Typist::new(name, address, protocol) }
}
