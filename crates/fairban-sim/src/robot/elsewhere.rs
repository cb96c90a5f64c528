//! Robots where people are: behind the exit of a VPN, behind a webmail host, and at an address that is somebody's next.

use fairban_core::time::Span;

use super::guesser::{Guesser, Names, Pace, Pool, collected_list};
use super::scan::EXISTS;
use crate::cast::Stage;

fn add(stage: &mut Stage<'_>, pool: Pool, gap: Span, until: Option<fairban_core::time::Time>) {
    let list = collected_list(stage.world, &mut stage.rng, 1_000, EXISTS);
    let protocol = stage.protocol();
    let guesser = Guesser::new(Names::new(list), Pace::Even(gap), pool, protocol, stage.world);
    let start = if until.is_some() { stage.war() } else { stage.some_time(0.5) };
    let until = until.unwrap_or(stage.world.end);
    stage.add(start, Guesser { until, most: 800, ..guesser });
}

pub(crate) fn cast_vpn(stage: &mut Stage<'_>) {
    for address in stage.world.vpn.clone() {
        let gap = stage.rng.span(Span::secs(3), Span::minutes(5));
        add(stage, Pool::one(address), gap, None);
    }
}

pub(crate) fn cast_webmail(stage: &mut Stage<'_>) {
    for address in stage.world.exits.clone() {
        let gap = stage.rng.span(Span::secs(5), Span::minutes(5));
        add(stage, Pool::one(address), gap, None);
    }
}

/// Until its address is given to somebody else.
pub(crate) fn cast_tenant(stage: &mut Stage<'_>) {
    for (address, left) in stage.world.bequests.clone() {
        let gap = stage.rng.span(Span::secs(3), Span::minutes(15));
        add(stage, Pool::one(address), gap, Some(left));
    }
}
