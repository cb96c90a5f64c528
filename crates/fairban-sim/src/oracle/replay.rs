//! The written log, read by the parser, with the engine put aside and taken up again on the way: the same effects.

use fairban_core::effect::Effect;
use fairban_core::engine::Engine;
use fairban_core::limits::Limits;
use fairban_parse::clock::{Clock, utc};
use fairban_parse::health::Health;
use fairban_parse::parser::{Parsed, Parser};

use super::{Finding, config, engine};
use crate::format::{KEY, Told};
use crate::judge::Seen;
use crate::rng::Rng;
use crate::world::tape::Tape;

/// Snapshots on the way.
const SNAPSHOTS: usize = 3;

/// Reads lines as the service does.
pub(crate) struct Reader {
    parser: Parser,
    clock: Clock,
    health: Health,
}

impl Reader {
    pub(crate) fn new() -> Reader {
        let (parser, clock) = (Parser::new(KEY), Clock::new(utc(), 2026));
        Reader { parser, clock, health: Health::default() }
    }

    pub(crate) fn told(&mut self, line: &str) -> Told {
        match self.parser.line(line.as_bytes(), &mut self.health) {
            Parsed::Event(stamp, mut event) => {
                event.time = self.clock.resolve(&stamp);
                Told::Event(event)
            }
            Parsed::Gap { stamp, lost, .. } => Told::Gap { time: self.clock.resolve(&stamp), lost },
            Parsed::Nothing(_) | Parsed::Foreign | Parsed::NoFormat => Told::Nothing,
        }
    }
}

pub(super) fn look(tape: &Tape, fed: &[Effect], rng: &mut Rng, findings: &mut Vec<Finding>) {
    let mut reader = Reader::new();
    let mut replayed = engine(Limits::default());
    let mut seen = Seen::default();
    let mut effects = fed.iter();
    let mut breaks: Vec<usize> = (0..SNAPSHOTS).map(|_| rng.below(tape.rows.len().max(1))).collect();
    breaks.sort_unstable();
    for (number, row) in tape.rows.iter().enumerate() {
        let line = tape.line(row);
        let told = reader.told(line);
        if told != row.told {
            let what = format!("line {}: {line}\n  shown: {:?}\n  parsed: {told:?}", number + 1, row.told);
            findings.push(Finding { oracle: "visible", what });
            return;
        }
        seen.events(&told, |event| replayed.handle(event, line.as_bytes()));
        if breaks.contains(&number) {
            match Engine::restore(&replayed.snapshot(), config()) {
                Ok(restored) => replayed = restored,
                Err(error) => {
                    let what = format!("line {}: {error}", number + 1);
                    findings.push(Finding { oracle: "snapshot", what });
                    return;
                }
            }
        }
        while let Some(effect) = replayed.poll() {
            if effects.next() != Some(&effect) {
                let last = breaks.iter().rev().find(|at| **at <= number);
                let what = format!("line {}, after the snapshots at {last:?}: {effect:?}", number + 1);
                findings.push(Finding { oracle: "replay", what });
                return;
            }
        }
    }
    if let Some(effect) = effects.next() {
        findings.push(Finding { oracle: "replay", what: format!("never came: {effect:?}") });
    }
}
