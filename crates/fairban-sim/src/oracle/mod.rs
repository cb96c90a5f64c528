//! What must hold in every world, whatever the seed.
//!
//! | oracle | where |
//! |---|---|
//! | no verdict without explanation; tables within their bounds; nobody is banned who never failed | while the world is played (`judge::engine`, `world::score`), and here on the whole log |
//! | replay of the written log through the parser agrees with the events that were fed | `replay` |
//! | snapshot and restore, anywhere, changes nothing | `replay` |
//! | lines of different sources change places within one stamp: no further honest source is banned, and no robot's ban moves by more than one guess | `order` |
//! | small tables: full, never over their bounds | `bounds` |

mod bounds;
mod order;
mod replay;

use std::collections::BTreeMap;
use std::net::IpAddr;

use fairban_core::effect::{Effect, Standing};
use fairban_core::engine::{Config, Engine};
use fairban_core::event::Outcome;
use fairban_core::limits::Limits;
use fairban_core::time::Time;

use crate::format::KEY;
use crate::judge::{Seen, over_limits, unexplained};
use crate::rng::Rng;
#[cfg(test)]
pub(crate) use order::permuted;
#[cfg(test)]
pub(crate) use replay::Reader;

use crate::world::World;
use crate::world::tape::Tape;

/// What one oracle found wrong.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Finding {
    pub(crate) oracle: &'static str,
    pub(crate) what: String,
}

/// All that the oracles find in the log of a world in which nobody was banned.
pub(crate) fn look(seed: u64, world: &World) -> Vec<Finding> {
    let Some(tape) = &world.tape else { return Vec::new() };
    let mut rng = Rng::of(seed, "oracle", 0);
    let mut findings = Vec::new();
    let fed = fed(tape, &mut findings);
    replay::look(tape, &fed, &mut rng, &mut findings);
    order::look(tape, &fed, &mut rng, &mut findings);
    bounds::look(tape, &mut findings);
    findings
}

/// An engine for the oracles: it also tells each attempt.
fn engine(limits: Limits) -> Engine {
    Engine::with_limits(config(), limits)
}

fn config() -> Config {
    Config { narrate: true, ..Config::new(KEY) }
}

/// Feeds the events of the whole log directly.
fn fed(tape: &Tape, findings: &mut Vec<Finding>) -> Vec<Effect> {
    let mut engine = engine(Limits::default());
    let mut seen = Seen::default();
    let mut effects = Vec::new();
    for row in &tape.rows {
        seen.events(&row.told, |event| engine.handle(event, tape.line(row).as_bytes()));
        while let Some(effect) = engine.poll() {
            if let Effect::Ban(ban) | Effect::Extend { ban, .. } = &effect {
                let what = unexplained(&engine, ban);
                findings.extend(what.map(|what| Finding { oracle: "explanation", what }));
            }
            effects.push(effect);
        }
    }
    findings.extend(over_limits(&engine, &Limits::default()).map(|what| Finding { oracle: "limits", what }));
    effects
}

/// What became of an address: guesses that were judged before its first ban, and when that was.
#[derive(Clone, Copy, Debug, Default)]
struct FirstBan {
    guesses: u32,
    banned: Option<Time>,
}

fn first_bans(effects: &[Effect]) -> BTreeMap<IpAddr, FirstBan> {
    let mut all = BTreeMap::<IpAddr, FirstBan>::new();
    for effect in effects {
        match effect {
            Effect::Seen(seen) => {
                let first = all.entry(seen.source).or_default();
                if seen.standing == Standing::KeptOut {
                    first.banned.get_or_insert(seen.time);
                } else if first.banned.is_none() && seen.outcome != Outcome::Success {
                    first.guesses += 1;
                }
            }
            Effect::Ban(ban) => {
                for (_, first) in all.range_mut(ban.prefix.network()..=ban.prefix.broadcast()) {
                    first.banned.get_or_insert(ban.time);
                }
            }
            _ => {}
        }
    }
    all
}
