//! Ten thousand addresses in one minute: enforcement must not stop.

use fairban_core::time::Span;

use super::botnet::{add_bots, bots};
use super::guesser::collected_list;
use crate::cast::Stage;

const BOTS: usize = 10_000;
const LIST: usize = 5_000;
const EXISTS: f64 = 0.05;
const EACH: [u64; 2] = [1, 3];

pub(crate) fn cast(stage: &mut Stage<'_>) {
    let names = collected_list(stage.world, &mut stage.rng, LIST, EXISTS);
    let bots = bots(stage, BOTS);
    let each = *stage.rng.pick(&EACH);
    let start = stage.some_time(0.3);
    add_bots(stage, (names, true), (bots, each), Span::minutes(1), start);
}
