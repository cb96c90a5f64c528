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

use std::net::IpAddr;

use fairban_core::effect::Effect;
use fairban_core::engine::{Config, Engine};
use fairban_core::limits::Limits;

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

/// The first ban of each address, as the number of its tries that were judged before.
fn first_bans(effects: &[Effect]) -> std::collections::BTreeMap<IpAddr, (u32, bool)> {
    use fairban_core::effect::Standing;
    let mut judged = std::collections::BTreeMap::<IpAddr, (u32, bool)>::new();
    for effect in effects {
        match effect {
            Effect::Seen(seen) => {
                let entry = judged.entry(seen.source).or_default();
                match seen.standing {
                    Standing::KeptOut => entry.1 = true,
                    _ if !entry.1 => entry.0 += 1,
                    _ => {}
                }
            }
            Effect::Ban(ban) => {
                for (_, entry) in judged.range_mut(ban.prefix.network()..=ban.prefix.broadcast()) {
                    entry.1 = true;
                }
            }
            _ => {}
        }
    }
    judged
}
