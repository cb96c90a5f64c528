//! Tables so small that every world fills them: none grows over its bound, and the engine's state stays small.

use fairban_core::engine::Engine;
use fairban_core::limits::Limits;

use super::{Finding, config};
use crate::judge::{Seen, over_limits};
use crate::world::tape::Tape;

/// A fraction of what a day brings. A neighbourhood may hold one suspect in 64.
const SMALL: Limits = Limits {
    suspects: 640,
    clients: 64,
    accounts: 64,
    sources_per_account: 4,
    pending: 16,
    names: 32,
    episodes_per_source: 8,
    prefixes: 16,
    attacked: 16,
    dictionary: 16,
    tags: 16,
    dossiers: 16,
    bans: 16,
};

/// Lines that are read: a part of the day fills them all.
const LINES: usize = 20_000;

/// A generous bound on the bytes of a state with these limits: records are some hundred bytes, and what the joiner
/// remembers of open sessions is bounded by the lines that were read.
const STATE_BYTES_MAX: usize = 4 << 20;

pub(super) fn look(tape: &Tape, findings: &mut Vec<Finding>) {
    let mut engine = Engine::with_limits(config(), SMALL);
    let mut seen = Seen::default();
    let mut complaints = Vec::new();
    for (number, row) in tape.rows.iter().take(LINES).enumerate() {
        seen.events(&row.told, |event| engine.handle(event, tape.line(row).as_bytes()));
        while engine.poll().is_some() {}
        if number % 64 == 0 {
            complaints.extend(over_limits(&engine, &SMALL));
        }
    }
    let bytes = engine.snapshot().len();
    if bytes > STATE_BYTES_MAX {
        complaints.push(format!("a state of {bytes} bytes under small limits"));
    }
    findings.extend(complaints.into_iter().take(1).map(|what| Finding { oracle: "limits", what }));
}
