//! What robots at addresses of people share.

use std::net::IpAddr;

use fairban_core::time::{Span, Time};

use super::guesser::{Guesser, Names, Pace, Pool, collected_list};
use super::scan::EXISTS;
use crate::cast::Stage;

/// Names on a list, and guesses that the robot comes for.
const LIST: usize = 1_000;
const MOST: u64 = 800;

pub(super) fn add(stage: &mut Stage<'_>, address: IpAddr, gap: Span, (start, until): (Time, Time)) {
    let list = collected_list(stage.world, &mut stage.rng, LIST, EXISTS);
    let (pool, protocol) = (Pool::one(address), stage.protocol());
    let guesser = Guesser::new(Names::new(list), Pace::Even(gap), pool, protocol, stage.world);
    stage.add(start, Guesser { until, most: MOST, ..guesser });
}
