//! A botnet so slow that each address comes once in a month: of a thousand, some forty on this day.

use fairban_core::time::Span;

use super::botnet::{add_bots, bots};
use super::guesser::real_accounts;
use crate::cast::Stage;

const BOTS_A_DAY: usize = 40;

pub(crate) fn cast(stage: &mut Stage<'_>) {
    let names = real_accounts(stage.world, &mut stage.rng, BOTS_A_DAY);
    let bots = bots(stage, BOTS_A_DAY);
    let over = Span::micros(stage.world.end.since(stage.war()).as_micros());
    let start = stage.war();
    add_bots(stage, (names, false), (bots, 1), over, start);
}
