//! Robots with a whole network: another address for each guess.

use fairban_core::time::Span;

use super::guesser::{Guesser, Names, Pace, Pool, collected_list};
use super::scan::EXISTS;
use crate::cast::Stage;

fn add(stage: &mut Stage<'_>, pool: Pool) {
    let list = collected_list(stage.world, &mut stage.rng, 1_500, EXISTS);
    let pace = Pace::Even(stage.rng.span(Span::secs(1), Span::secs(40)));
    let protocol = stage.protocol();
    let guesser = Guesser::new(Names::new(list), pace, pool, protocol, stage.world);
    let start = stage.some_time(0.5);
    stage.add(start, Guesser { most: 1_500, ..guesser });
}

pub(crate) fn cast_24(stage: &mut Stage<'_>) {
    let addresses = stage.world.addresses.whole_24(&mut stage.rng);
    add(stage, Pool::Turns(addresses, 1));
}

fn network(stage: &mut Stage<'_>, length: u8) {
    let network = stage.world.addresses.network_v6(&mut stage.rng);
    add(stage, Pool::Network(network, length));
}

pub(crate) fn cast_64(stage: &mut Stage<'_>) {
    network(stage, 64);
}

pub(crate) fn cast_56(stage: &mut Stage<'_>) {
    network(stage, 56);
}

pub(crate) fn cast_48(stage: &mut Stage<'_>) {
    network(stage, 48);
}
