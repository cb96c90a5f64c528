//! Pairs of names and passwords that leaked elsewhere, with and without some that fit here.

use super::guesser::real_accounts;
use super::pairs::{ACCOUNTS, add};
use crate::cast::Stage;
use crate::world::account::{Name, Secret};

/// Pairs that still fit: providers report 0.1 to 2 %.
const HITS: f64 = 0.01;

pub(crate) fn cast_without_hits(stage: &mut Stage<'_>) {
    stuffing(stage, 0.0);
}

pub(crate) fn cast_with_hits(stage: &mut Stage<'_>) {
    stuffing(stage, HITS);
}

fn stuffing(stage: &mut Stage<'_>, hits: f64) {
    let names = real_accounts(stage.world, &mut stage.rng, ACCOUNTS);
    let mut pairs: Vec<(Name, Secret)> = Vec::new();
    for name in names {
        let right = name.account().map(|id| stage.world.accounts.secret(id).clone());
        let wrong = Secret::fresh(&mut stage.rng);
        let secret = right.filter(|_| stage.rng.chance(hits)).unwrap_or(wrong);
        pairs.push((name, secret));
    }
    add(stage, pairs);
}
