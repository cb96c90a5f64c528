//! Makes so much noise that syslog drops lines, and guesses behind it.

use std::net::IpAddr;

use fairban_core::event::Protocol;
use fairban_core::time::{Span, Time};

use super::guesser::{Guesser, Names, Pace, Pool, collected_list};
use crate::actor::{Act, Actor};
use crate::cast::Stage;
use crate::world::Try;
use crate::world::account::{Name, Secret};

pub(crate) fn cast(stage: &mut Stage<'_>) {
    let protocol = stage.protocol();
    let noise = Noise {
        sources: (0..30).map(|_| stage.world.addresses.bot(&mut stage.rng)).collect(),
        name: stage.world.accounts.nobody(&mut stage.rng),
        protocol,
        made: 0,
    };
    let start = stage.some_time(0.5);
    stage.add(start, noise);
    let names = collected_list(stage.world, &mut stage.rng, 500, 0.5);
    let pool = Pool::one(stage.world.addresses.hosted(&mut stage.rng));
    let guesser = Guesser::new(Names::new(names), Pace::Even(Span::secs(30)), pool, protocol, stage.world);
    stage.add(start.plus(Span::secs(10)), guesser);
}

/// A minute of it in every ten, for an hour.
struct Noise {
    sources: Vec<IpAddr>,
    name: Name,
    protocol: Protocol,
    made: u32,
}

const NOISE_A_MINUTE: u32 = 3_000;

impl Actor for Noise {
    fn wake(&mut self, act: &mut Act<'_>) -> Option<Time> {
        self.made += 1;
        let source = *act.rng.pick(&self.sources);
        let secret = Secret::fresh(act.rng);
        act.login(source, self.protocol, &Try::plain(&self.name, &secret));
        if self.made >= 6 * NOISE_A_MINUTE {
            return None;
        }
        let pause = self.made.is_multiple_of(NOISE_A_MINUTE);
        Some(act.now().plus(if pause { Span::minutes(9) } else { Span::millis(20) }))
    }
}
