//! Owners of accounts that robots attack: with programs at home, typing, and one day at a new place.

use fairban_core::time::Span;

use super::plain::add;
use super::typist::typist;
use crate::cast::Stage;
use crate::world::MIDNIGHT;

const PEOPLE: usize = 4;

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for number in 0..PEOPLE {
        let name = stage.world.accounts.hire(&mut stage.rng, MIDNIGHT);
        stage.world.victims.push(name.clone());
        let home = stage.world.addresses.home(&mut stage.rng);
        add(stage, &name, home);
        let at_home = typist(stage, &name, home);
        let start = stage.some_time(0.4);
        stage.add(start, at_home);
        if number % 2 == 0 {
            // At a new place in the midst of it, and not quite sure of the password.
            let away = stage.world.addresses.home(&mut stage.rng);
            let mut away = typist(stage, &name, away);
            away.slips = stage.rng.beta(0.3, 0.1);
            away.every = Span::hours(2);
            let start = stage.war().plus(stage.rng.span(Span::hours(4), Span::hours(14)));
            stage.add(start, away);
        }
    }
}
