//! Robots with one try an account: the same password everywhere, or pairs that leaked elsewhere.

use fairban_core::time::Span;

use super::guesser::{Guesser, Pace, Pairs, real_accounts};
use super::scan::pool;
use crate::cast::Stage;
use crate::world::account::{Name, Secret};

/// Accounts tried.
const ACCOUNTS: usize = 300;
/// Pairs that still fit. Of leaked pairs 0.1 to 2 % do (reports of providers; 1 % after a list of banned passwords).
const HITS: f64 = 0.01;

/// One password at every account: "Winter2025!".
pub(crate) fn cast_spray(stage: &mut Stage<'_>) {
    let secret = Secret::Popular(stage.rng.whole(10, 59));
    let names = real_accounts(stage.world, &mut stage.rng, ACCOUNTS);
    let pairs = names.into_iter().map(|name| (name, secret.clone())).collect();
    add(stage, pairs);
}

pub(crate) fn cast_stuffing(stage: &mut Stage<'_>) {
    stuffing(stage, 0.0);
}

pub(crate) fn cast_stuffing_hits(stage: &mut Stage<'_>) {
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

fn add(stage: &mut Stage<'_>, pairs: Vec<(Name, Secret)>) {
    let gap = stage.rng.span(Span::millis(500), Span::minutes(2));
    let (pool, protocol) = (pool(stage), stage.protocol());
    let guesser = Guesser::new(Pairs(pairs), Pace::Even(gap), pool, protocol, stage.world);
    let start = stage.some_time(0.5);
    stage.add(start, guesser);
}
