//! People hired at noon, whose names robots may have tried before.

use fairban_core::time::Span;

use super::client::Typist;
use crate::actor::next_hour;
use crate::cast::Stage;
use crate::world::MIDNIGHT;

const PEOPLE: (usize, usize) = (3, 10);
/// First logins from a sheet of paper, as in a classroom.
const SLIPS: f64 = 0.2;

pub(crate) fn cast(stage: &mut Stage<'_>) {
    let noon = next_hour(MIDNIGHT, 12.0);
    let office = stage.world.addresses.home(&mut stage.rng);
    for number in 0..stage.rng.whole(PEOPLE.0, PEOPLE.1) {
        let name = stage.world.accounts.hire(&mut stage.rng, noon);
        stage.world.hires.push(name.clone());
        let address = if number % 2 == 0 { office } else { stage.world.addresses.home(&mut stage.rng) };
        let protocol = stage.protocol();
        let slips = stage.rng.beta(SLIPS, 0.1);
        let start = noon.plus(stage.rng.span(Span::minutes(5), Span::hours(3)));
        let typist = Typist::new(&name, address, protocol);
        stage.add(start, Typist { slips, every: Span::hours(2), ..typist });
    }
}
