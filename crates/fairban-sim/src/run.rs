//! Many seeds, each played under each judge, and what the oracles say of each.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

use crate::actor::Profile;
use crate::cast::{Ask, play, roster};
use crate::judge::{Kind, Verdict};
use crate::oracle::{self, Finding};
use crate::world::MIDNIGHT;
use crate::world::score::{Tally, Wrong};

/// What came of one seed.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    pub(crate) format: &'static str,
    /// For each judge, in the order asked, the sums of each profile.
    pub(crate) tallies: Vec<Vec<Tally>>,
    pub(crate) findings: Vec<Finding>,
    /// The first judge's bans of honest people, for a person.
    pub(crate) wrongs: Vec<String>,
}

/// Which seeds, and what of each.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) first: u64,
    pub(crate) count: u64,
    pub(crate) judges: Vec<Kind>,
    pub(crate) oracles: bool,
    pub(crate) threads: usize,
}

/// Plays one seed.
pub(crate) fn seed(seed: u64, ask: &Ask, roster: &[Profile], plan: &Plan) -> Outcome {
    let mut findings = Vec::new();
    let mut format = "";
    let mut tallies = Vec::new();
    let mut wrongs = Vec::new();
    for judge in &plan.judges {
        let mut world = play(seed, ask, roster, *judge, false);
        format = world.format().name();
        if *judge == Kind::Engine {
            let complaints = world.judge_complaints();
            let of = |oracle| move |what| Finding { oracle, what };
            findings.extend(complaints.into_iter().map(of("explanation")));
            findings.extend(std::mem::take(&mut world.score.complaints).into_iter().map(of("third party")));
            wrongs = world.score.wrongs.iter().map(|wrong| told(wrong, roster)).collect();
        }
        tallies.push(world.score.tallies(roster.len(), world.end));
    }
    if plan.oracles {
        let world = play(seed, ask, roster, Kind::Nobody, true);
        findings.extend(oracle::look(seed, &world));
    }
    Outcome { seed, format, tallies, findings, wrongs }
}

fn told(wrong: &Wrong, roster: &[Profile]) -> String {
    let Wrong { profile, time, verdict } = wrong;
    let minutes = time.since(MIDNIGHT).as_secs() / 60;
    let (name, Verdict { prefix, because }) = (roster[*profile].name, verdict);
    format!("{prefix} ({name}) at {:02}:{:02}: {because}", minutes / 60, minutes % 60)
}

/// Plays all seeds, and hands each outcome to `take` in the order of the seeds.
pub(crate) fn seeds(plan: &Plan, ask: &Ask, mut take: impl FnMut(Outcome)) {
    let next = AtomicU64::new(0);
    let (sender, outcomes) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..plan.threads.max(1) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                let roster = roster(ask.people);
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= plan.count {
                        break;
                    }
                    // Nobody listens any more only if the program is about to end.
                    let _ = sender.send((number, seed(plan.first + number, ask, &roster, plan)));
                }
            });
        }
        drop(sender);
        let mut early = std::collections::BTreeMap::new();
        let mut wanted = 0;
        for (number, outcome) in outcomes {
            early.insert(number, outcome);
            while let Some(outcome) = early.remove(&wanted) {
                take(outcome);
                wanted += 1;
            }
        }
    });
}
