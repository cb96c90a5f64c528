//! People who no longer know which password it was, and try those they have.

use super::client::Typist;
use super::typist::typist;
use crate::cast::Stage;
use crate::world::MIDNIGHT;

const HOMES: f64 = 25.0;
/// Assumption; 1.5 % of Yahoo's users forgot their password in a month (Florêncio and Herley, 2007), these far more often.
const FORGETS: f64 = 0.15;

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for _ in 0..stage.count(HOMES) {
        let name = stage.world.accounts.hire(&mut stage.rng, MIDNIGHT);
        let address = stage.world.addresses.home(&mut stage.rng);
        let typist = Typist { forgets: FORGETS, ..typist(stage, &name, address) };
        let start = stage.some_time(0.5);
        stage.add(start, typist);
    }
}
