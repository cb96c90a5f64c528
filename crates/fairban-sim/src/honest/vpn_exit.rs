//! Users of a VPN, who share its exit with a robot.

use fairban_core::time::Span;

use super::typist::typist;
use crate::cast::Stage;
use crate::world::MIDNIGHT;

const PEOPLE: (usize, usize) = (6, 30);

pub(crate) fn cast(stage: &mut Stage<'_>) {
    let address = stage.world.addresses.hosted(&mut stage.rng);
    stage.world.vpn.push(address);
    for _ in 0..stage.rng.whole(PEOPLE.0, PEOPLE.1) {
        let name = stage.world.accounts.hire(&mut stage.rng, MIDNIGHT);
        let mut typist = typist(stage, &name, address);
        typist.every = stage.rng.span(Span::hours(1), Span::hours(4));
        let start = stage.some_time(0.3);
        stage.add(start, typist);
    }
}
