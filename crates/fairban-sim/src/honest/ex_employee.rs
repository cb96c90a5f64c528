//! The telephone of somebody who left: one removed account, nothing else at that address.

use super::dead_account::dead;
use crate::cast::Stage;

/// Assumption: one or two a site.
const PHONES: f64 = 1.5;

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for _ in 0..stage.count(PHONES) {
        let address = stage.world.addresses.home(&mut stage.rng);
        let phone = dead(stage, address);
        let start = stage.some_time(0.3);
        stage.add(start, phone);
    }
}
