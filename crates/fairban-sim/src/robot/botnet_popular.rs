//! A botnet at real accounts, with the passwords that most people have.

use fairban_core::time::Span;

use super::botnet::add;
use super::guesser::real_accounts;
use crate::cast::Stage;

const ACCOUNTS: usize = 400;
const OVER: (Span, Span) = (Span::hours(2), Span::hours(16));

pub(crate) fn cast(stage: &mut Stage<'_>) {
    let names = real_accounts(stage.world, &mut stage.rng, ACCOUNTS);
    add(stage, names, true, OVER);
}
