//! Knows that a device with an old password is spared: makes each guess three times, at a steady rhythm.

use fairban_core::time::Span;

use super::guesser::{Aim, Guesser, Pace, Pool, real_accounts};
use crate::actor::Act;
use crate::cast::Stage;
use crate::world::account::{Name, Secret};

/// Tries with one secret before it looks like a device.
const LIKE_A_DEVICE: u32 = 3;

/// At one account, and round thirty.
pub(crate) fn cast(stage: &mut Stage<'_>) {
    for several in [false, true] {
        let count = if several { 30 } else { 1 };
        let names = real_accounts(stage.world, &mut stage.rng, count);
        let aim = Mimic { names, at: 0, left: 0, now: Secret::Own(0) };
        let pool = Pool::one(stage.world.addresses.hosted(&mut stage.rng));
        let gap = stage.rng.span(Span::secs(30), Span::minutes(5));
        let protocol = stage.telling_protocol();
        let guesser = Guesser::new(aim, Pace::Even(gap), pool, protocol, stage.world);
        let start = stage.some_time(0.3);
        stage.add(start, guesser);
    }
}

struct Mimic {
    names: Vec<Name>,
    at: usize,
    left: u32,
    now: Secret,
}

impl Aim for Mimic {
    fn next(&mut self, act: &mut Act<'_>) -> Option<(Name, Secret)> {
        if self.names.is_empty() {
            return None;
        }
        if self.left == 0 {
            (self.left, self.now) = (LIKE_A_DEVICE, Secret::fresh(act.rng));
            self.at += 1;
        }
        self.left -= 1;
        Some((self.names[self.at % self.names.len()].clone(), self.now.clone()))
    }
}
