//! The written-out evidence of suspects: signals with their sums, and sample lines.

use serde::{Deserialize, Serialize};

use super::source::{Episode, Source, Unit};
use crate::effect::{Signal, SignalSum};
use crate::limits::Limits;
use crate::nats::Nats;
use crate::table::Table;

/// A source has a dossier from this much evidence on.
pub(crate) const FROM: Nats = Nats::milli(4_000);
const SAMPLES_MAX: usize = 5;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Dossier {
    score: Nats,
    signals: Vec<SignalSum>,
    samples: Vec<Box<[u8]>>,
    /// Of one that was set aside: whose failures it is about.
    episodes: Box<[Episode]>,
}

/// All dossiers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Dossiers {
    table: Table<Dossier>,
}

impl Dossiers {
    pub(crate) fn new(key: [u8; 16]) -> Dossiers {
        Dossiers { table: Table::new(key) }
    }

    /// Writes down what one observation added. `source` is as it was before, to start the dossier from.
    pub(crate) fn note(
        &mut self,
        unit: Unit,
        source: &Source,
        score: Nats,
        added: &[(Signal, Nats)],
        sample: &[u8],
        limits: &Limits,
    ) {
        if self.table.get(unit.0).is_none() {
            if score < FROM {
                return;
            }
            if self.table.len() >= limits.dossiers as usize {
                let victim = self.table.victim(16, |dossier| Some(dossier.score));
                victim.and_then(|victim| self.table.remove(victim));
            }
            let mut signals = rebuilt(source);
            if let Some(&(Signal::Connections, _)) = added.first() {
                // Connections have no episodes: what they added before the dossier is what nothing else explains.
                let now: Nats = added.iter().map(|(_, nats)| *nats).sum();
                let explained: Nats = signals.iter().map(|sum| sum.nats).sum();
                let before = score - now - explained;
                if before > Nats::ZERO {
                    add(&mut signals, Signal::Connections, before);
                }
            }
            self.table.insert(unit.0, Dossier { signals, ..Dossier::default() });
        }
        let Some(dossier) = self.table.get_mut(unit.0) else { return };
        dossier.score = score;
        for &(signal, nats) in added {
            add(&mut dossier.signals, signal, nats);
        }
        if !sample.is_empty() && dossier.samples.len() < SAMPLES_MAX {
            dossier.samples.push(sample.into());
        }
    }

    /// What made the sum, largest first: the dossier's, or rebuilt from the episodes.
    pub(crate) fn signals(&self, unit: Unit, source: &Source) -> Vec<SignalSum> {
        let mut signals = match self.table.get(unit.0) {
            Some(dossier) => dossier.signals.clone(),
            None => rebuilt(source),
        };
        signals.sort_by_key(|sum| (core::cmp::Reverse(sum.nats), sum.signal));
        signals
    }

    /// Sample lines.
    pub(crate) fn samples(&self, unit: Unit) -> Vec<Vec<u8>> {
        self.table
            .get(unit.0)
            .map_or_else(Vec::new, |dossier| dossier.samples.iter().map(|sample| sample.to_vec()).collect())
    }

    /// After a ban the evidence starts anew, and so does its record.
    pub(crate) fn close(&mut self, unit: Unit) {
        self.table.remove(unit.0);
        self.table.remove(aside(unit));
    }

    /// A ban names one address of the unit, and its neighbours' record starts anew: what the ban rests on is kept apart,
    /// to be explained while it lasts. In the place of the unit's own, so nothing grows.
    pub(crate) fn set_aside(&mut self, unit: Unit, source: &Source) {
        if let Some(dossier) = self.table.remove(unit.0) {
            self.table.insert(aside(unit), Dossier { episodes: source.episodes.clone(), ..dossier });
        }
    }

    /// What was kept apart: the sum, its signals, samples and episodes.
    pub(crate) fn kept_aside(&self, unit: Unit) -> Option<Aside> {
        let dossier = self.table.get(aside(unit))?;
        let mut signals = dossier.signals.clone();
        signals.sort_by_key(|sum| (core::cmp::Reverse(sum.nats), sum.signal));
        let samples = dossier.samples.iter().map(|sample| sample.to_vec()).collect();
        Some(Aside { score: dossier.score, signals, samples, episodes: dossier.episodes.clone() })
    }
}

/// See [`Dossiers::kept_aside`].
pub(crate) struct Aside {
    pub(crate) score: Nats,
    pub(crate) signals: Vec<SignalSum>,
    pub(crate) samples: Vec<Vec<u8>>,
    pub(crate) episodes: Box<[Episode]>,
}

/// The key of what was set aside: the other half of the keys, from which no client comes.
const fn aside(unit: Unit) -> u64 {
    unit.0 ^ 1 << 63
}

fn rebuilt(source: &Source) -> Vec<SignalSum> {
    let mut signals = Vec::new();
    for episode in source.episodes.iter().filter(|episode| episode.nats != 0) {
        add(&mut signals, episode.kind.signal(), Nats::raw(i32::from(episode.nats)));
    }
    if source.credit != 0 {
        add(&mut signals, Signal::Success, Nats::raw(i32::from(source.credit)));
    }
    signals
}

fn add(signals: &mut Vec<SignalSum>, signal: Signal, nats: Nats) {
    match signals.iter_mut().find(|sum| sum.signal == signal) {
        Some(sum) => {
            sum.count = sum.count.saturating_add(1);
            sum.nats += nats;
        }
        None => signals.push(SignalSum { signal, count: 1, nats }),
    }
}
