//! People on the way: another address every few hours, a telephone and hotel machines.

use std::net::IpAddr;

use fairban_core::time::{Span, Time};

use super::client::Typist;
use super::typist::typist;
use crate::actor::{Act, Actor};
use crate::cast::Stage;
use crate::world::MIDNIGHT;

const PEOPLE: f64 = 10.0;
/// How long somebody on the way stays at one address. Assumption.
const STAYS: (Span, Span) = (Span::hours(1), Span::hours(8));

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for _ in 0..stage.count(PEOPLE) {
        let name = stage.world.accounts.hire(&mut stage.rng, MIDNIGHT);
        let address: IpAddr = stage.world.addresses.home(&mut stage.rng);
        // Foreign keyboards double the slips.
        let typist = typist(stage, &name, address);
        let typist = Typist { slips: (typist.slips * 2.0).min(0.6), every: Span::hours(1), ..typist };
        let start = stage.some_time(0.3);
        stage.add(start, Traveller { typist, leaves: start });
    }
}

struct Traveller {
    typist: Typist,
    leaves: Time,
}

impl Actor for Traveller {
    fn wake(&mut self, act: &mut Act<'_>) -> Option<Time> {
        if act.now() >= self.leaves && self.typist.failed == 0 {
            self.typist.place.address = act.world.addresses.home(act.rng);
            self.leaves = act.now().plus(act.rng.span(STAYS.0, STAYS.1));
        }
        self.typist.wake(act)
    }
}
