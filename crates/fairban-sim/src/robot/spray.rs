//! One password at every account.

use super::guesser::real_accounts;
use super::pairs::{ACCOUNTS, add};
use crate::cast::Stage;
use crate::world::account::{POPULAR, Secret};

/// Not the very first of the list: those are what lists of banned passwords hold. After such a list 1 % of accounts
/// still fall to spraying.
const FIRST_RANK: usize = 10;

pub(crate) fn cast(stage: &mut Stage<'_>) {
    let secret = Secret::Popular(stage.rng.whole(FIRST_RANK, POPULAR.len() - 1));
    let names = real_accounts(stage.world, &mut stage.rng, ACCOUNTS);
    let pairs = names.into_iter().map(|name| (name, secret.clone())).collect();
    add(stage, pairs);
}
