//! The whole log of a run, each line with who caused it, and the truth beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use fairban_core::time::Time;
use serde::Serialize;

use super::{ActorId, Who};
use crate::format::Told;

/// No line tells of a try, so far.
const NOT_YET: usize = 0;

/// A line of the log.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) told: Told,
    text: (usize, usize),
    pub(crate) source: IpAddr,
}

/// How a try ended, as the truth names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    In,
    Failed,
    Unknown,
    /// A connection without a try.
    Idle,
}

/// What is true of an address.
#[derive(Clone, Debug, Default)]
struct Truth {
    honest: bool,
    robot: bool,
    profiles: BTreeSet<usize>,
    group: Option<ActorId>,
    events: Vec<(Time, usize, Happened, String)>,
}

/// See the module's head.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tape {
    text: String,
    pub(crate) rows: Vec<Row>,
    truth: BTreeMap<IpAddr, Truth>,
}

/// `truth.json`: what stands beside the log.
#[derive(Serialize)]
pub(crate) struct TruthOut {
    kind: &'static str,
    profiles: Vec<&'static str>,
    group: Option<String>,
    events: Vec<(f64, usize, &'static str, String)>,
}

impl Tape {
    pub(super) fn take(&mut self, source: IpAddr, told: &Told, line: &str) {
        let from = self.text.len();
        self.text.push_str(line);
        self.text.push('\n');
        self.rows.push(Row { told: told.clone(), text: (from, self.text.len() - 1), source });
    }

    /// A try, whose last line is the last one written; `silent` if none was written of it yet.
    pub(super) fn tell(
        &mut self,
        who: Who,
        source: IpAddr,
        now: Time,
        (what, account): (Happened, &str),
        silent: bool,
    ) {
        let line = if silent { NOT_YET } else { self.rows.len() };
        let truth = self.truth.entry(source).or_default();
        truth.profiles.insert(who.profile);
        if who.is_robot {
            truth.robot = true;
            truth.group.get_or_insert(who.actor);
        } else {
            truth.honest = true;
        }
        truth.events.push((now, line, what, account.to_owned()));
    }

    /// A robot used an account of its own: that is no guess, and of no use for scoring.
    pub(super) fn note(&mut self, who: Who, source: IpAddr) {
        let truth = self.truth.entry(source).or_default();
        truth.profiles.insert(who.profile);
        truth.robot = true;
        truth.group.get_or_insert(who.actor);
    }

    /// What was written just now belongs to the last try there, and to all that had no line yet.
    pub(super) fn prolong(&mut self, source: IpAddr) {
        let lines = self.rows.len();
        let Some(truth) = self.truth.get_mut(&source) else { return };
        let mut events = truth.events.iter_mut().rev();
        if let Some((_, line, ..)) = events.next() {
            *line = lines;
        }
        events.take_while(|(_, line, ..)| *line == NOT_YET).for_each(|(_, line, ..)| *line = lines);
    }

    pub(crate) fn line(&self, row: &Row) -> &str {
        &self.text[row.text.0..row.text.1]
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether only honest people used an address.
    pub(crate) fn is_honest(&self, source: IpAddr) -> bool {
        self.truth.get(&source).is_some_and(|truth| truth.honest && !truth.robot)
    }

    /// The truth as it is written.
    pub(crate) fn truth(&self, profile_name: impl Fn(usize) -> &'static str) -> BTreeMap<String, TruthOut> {
        let out = |truth: &Truth| TruthOut {
            kind: match (truth.honest, truth.robot) {
                (true, true) => "shared",
                (false, true) => "robot",
                _ => "honest",
            },
            profiles: truth.profiles.iter().map(|profile| profile_name(*profile)).collect(),
            group: truth.group.map(|ActorId(number)| format!("robot-{number}")),
            // What the log never shows, nobody can be scored by.
            events: truth.events.iter().filter(|(_, line, ..)| *line != NOT_YET).map(written).collect(),
        };
        self.truth.iter().map(|(source, truth)| (source.to_string(), out(truth))).collect()
    }
}

fn written(
    (time, line, what, account): &(Time, usize, Happened, String),
) -> (f64, usize, &'static str, String) {
    let what = match what {
        Happened::In => "ok",
        Happened::Failed => "fail",
        Happened::Unknown => "nouser",
        Happened::Idle => "abort",
    };
    ((time.micros() / 10_000) as f64 / 100.0, *line, what, account.clone())
}
