//! People who moved: a new address, and programs there that were set up with old passwords.

use fairban_core::time::Span;

use super::client::Client;
use super::plain::{add, secret_of};
use crate::cast::Stage;
use crate::world::MIDNIGHT;
use crate::world::account::Secret;

const HOMES: f64 = 3.0;
/// Accounts of a household, each with a program to correct.
const ACCOUNTS: (usize, usize) = (1, 3);
/// How long until the owner corrects a program. Assumption.
const CORRECTS: (Span, Span) = (Span::minutes(2), Span::minutes(90));
const EVERY: (Span, Span) = (Span::minutes(3), Span::minutes(15));

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for _ in 0..stage.count(HOMES) {
        let old_home = stage.world.addresses.home(&mut stage.rng);
        let new_home = stage.world.addresses.home(&mut stage.rng);
        let arrives = stage.some_time(0.7);
        for _ in 0..stage.rng.whole(ACCOUNTS.0, ACCOUNTS.1) {
            let name = stage.world.accounts.hire(&mut stage.rng, MIDNIGHT);
            // Somebody stays behind: the account is known from there.
            add(stage, &name, old_home);
            let right = secret_of(stage, &name);
            let old = Secret::fresh(&mut stage.rng);
            let protocol = stage.protocol();
            let start = arrives.plus(stage.rng.span(Span::ZERO, Span::minutes(10)));
            let corrected = Some(start.plus(stage.rng.span(CORRECTS.0, CORRECTS.1)));
            let every = stage.rng.span(EVERY.0, EVERY.1);
            let old = if stage.rng.chance(0.8) { old } else { right };
            stage.add(start, Client { every, corrected, ..Client::new(&name, old, new_home, protocol) });
        }
    }
}
