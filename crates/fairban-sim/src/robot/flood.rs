//! Connections without end, and no login.

use std::net::IpAddr;

use fairban_core::event::Protocol;
use fairban_core::time::{Span, Time};

use crate::actor::{Act, Actor};
use crate::cast::Stage;

/// How fast. The founding server's slots were full at some ten a second.
const GAP: (Span, Span) = (Span::millis(50), Span::millis(500));
const MOST: u32 = 6_000;

pub(crate) fn cast(stage: &mut Stage<'_>) {
    if stage.world.format() == crate::format::Format::Vchkpw {
        // Its log shows no connections.
        return;
    }
    let flood = Flood {
        source: stage.world.addresses.hosted(&mut stage.rng),
        // Where a part of the connections leaves no line, it takes another.
        protocol: stage.blind_protocol(),
        gap: stage.rng.span(GAP.0, GAP.1),
        left: MOST,
    };
    let start = stage.some_time(0.7);
    stage.add(start, flood);
}

struct Flood {
    source: IpAddr,
    protocol: Protocol,
    gap: Span,
    left: u32,
}

impl Actor for Flood {
    fn wake(&mut self, act: &mut Act<'_>) -> Option<Time> {
        self.left = self.left.checked_sub(1)?;
        match act.open(self.source, self.protocol) {
            Some(link) => {
                act.close(&link);
                Some(act.now().plus(act.rng.about(self.gap, 0.5)))
            }
            None => Some(act.now().plus(act.rng.span(Span::minutes(1), Span::minutes(10)))),
        }
    }
}
