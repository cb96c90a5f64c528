//! A class of newcomers: everybody at one address logs in for the first time within one minute, from a sheet of paper.

use fairban_core::time::Span;

use super::client::Typist;
use crate::cast::Stage;
use crate::world::MIDNIGHT;

const CLASSES: f64 = 0.8;
const PEOPLE: (usize, usize) = (12, 30);
/// A password of letters and digits from paper goes wrong like this; names too. Assumption.
const SLIPS: f64 = 0.25;
const MISNAMES: f64 = 0.08;
/// How long the class takes to begin.
const WITHIN: Span = Span::secs(60);

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for _ in 0..stage.count(CLASSES) {
        let address = stage.world.addresses.home(&mut stage.rng);
        let protocol = stage.protocol();
        let begins = stage.some_time(0.9);
        for _ in 0..stage.rng.whole(PEOPLE.0, PEOPLE.1) {
            let name = stage.world.accounts.hire(&mut stage.rng, MIDNIGHT);
            let (slips, misnames) = (stage.rng.beta(SLIPS, 0.1), stage.rng.beta(MISNAMES, 0.1));
            let start = begins.plus(stage.rng.span(Span::ZERO, WITHIN));
            let typist = Typist::new(&name, address, protocol);
            stage.add(start, Typist { slips, misnames, every: Span::hours(6), ..typist });
        }
    }
}
