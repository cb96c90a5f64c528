//! The table: what became of each kind of actor under each judge.

use core::fmt::Write as _;

use serde_json::{Value, json};

use crate::actor::{Profile, Side};
use crate::cast::{Ask, People};
use crate::oracle::Finding;
use crate::run::{Outcome, Plan};
use crate::wald;
use crate::world::score::Tally;

/// Sums over seeds.
pub(crate) struct Report {
    roster: Vec<Profile>,
    plan: Plan,
    command: String,
    seeds: u64,
    /// For each judge, each profile's sums.
    tallies: Vec<Vec<Tally>>,
    findings: Vec<(u64, Finding)>,
    /// Honest sources that each judge hurt, by seed, the worst first when printed.
    hurt: Vec<(u64, u64, u64)>,
    wrongs: Vec<(u64, String)>,
}

/// How many seeds with losses are named.
const WORST: usize = 10;
/// How many bans of honest people are explained.
const WRONGS: usize = 40;

impl Report {
    pub(crate) fn new(roster: Vec<Profile>, plan: &Plan, ask: &Ask) -> Report {
        let tallies = vec![vec![Tally::default(); roster.len()]; plan.judges.len()];
        let mut command = String::new();
        if ask.people == People::Stopguessing {
            command.push_str(" --people stopguessing");
        }
        for actor in &ask.actors {
            let _ = write!(command, " --actor {actor}");
        }
        if let Some(format) = ask.format {
            let _ = write!(command, " --format {}", format.name());
        }
        let hours = ask.length.as_secs() / 3_600;
        if hours != 24 {
            let _ = write!(command, " --hours {hours}");
        }
        Report {
            roster,
            plan: plan.clone(),
            command,
            seeds: 0,
            tallies,
            findings: Vec::new(),
            hurt: Vec::new(),
            wrongs: Vec::new(),
        }
    }

    pub(crate) fn take(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        for (sums, tallies) in self.tallies.iter_mut().zip(&outcome.tallies) {
            for (sum, tally) in sums.iter_mut().zip(tallies) {
                sum.add(tally);
            }
        }
        self.findings.extend(outcome.findings.iter().map(|finding| (outcome.seed, finding.clone())));
        self.wrongs.extend(outcome.wrongs.iter().map(|wrong| (outcome.seed, wrong.clone())));
        if let Some(first) = outcome.tallies.first() {
            let (hurt, denied) = first.iter().fold((0, 0), |(h, d), tally| {
                (h + tally.sources_hurt - tally.shared_hurt, d + tally.denied - tally.shared_denied)
            });
            if hurt > 0 {
                self.hurt.push((hurt, denied, outcome.seed));
            }
        }
    }

    pub(crate) fn has_findings(&self) -> bool {
        !self.findings.is_empty()
    }

    fn side(&self, side: Side) -> impl Iterator<Item = (usize, &Profile)> {
        self.roster.iter().enumerate().filter(move |(_, profile)| profile.side == side)
    }

    fn total(&self, judge: usize) -> Tally {
        let mut total = Tally::default();
        for (at, _) in self.side(Side::Honest) {
            total.add(&self.tallies[judge][at]);
        }
        total
    }

    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        self.honest_table(&mut text);
        self.robot_table(&mut text);
        self.summary(&mut text);
        text
    }

    fn heads(&self, text: &mut String, first: &str, columns: &str) {
        let _ = write!(text, "{first}");
        for judge in &self.plan.judges {
            let _ = write!(text, " | {:<width$}", judge.name(), width = columns.len());
        }
        let _ = write!(text, "\n{:width$}", "", width = first.len());
        for _ in &self.plan.judges {
            let _ = write!(text, " | {columns}");
        }
        text.push('\n');
    }

    fn honest_table(&self, text: &mut String) {
        let first = format!("{:18} {:>9} {:>9}", "honest", "src-days", "logins");
        self.heads(text, &first, &format!("{:>7} {:>8} {:>9}", "banned", "denied", "minutes"));
        for (at, profile) in self.side(Side::Honest) {
            let tally = &self.tallies[0][at];
            if tally.sources > 0 {
                let logins = tally.logins + tally.denied;
                let _ = write!(text, "{:18} {:>9} {logins:>9}", profile.name, tally.source_days);
                for tallies in &self.tallies {
                    honest_cells(text, &tallies[at]);
                }
                text.push('\n');
            }
        }
        let all = self.total(0);
        let _ = write!(text, "{:18} {:>9} {:>9}", "all", all.source_days, all.logins + all.denied);
        for judge in 0..self.tallies.len() {
            honest_cells(text, &self.total(judge));
        }
        text.push_str("\n\n");
    }

    fn robot_table(&self, text: &mut String) {
        let first = format!("{:18} {:>6} {:>6}", "robots", "count", "floor");
        let columns = format!(
            "{:>8} {:>6} {:>6} {:>7} {:>6} {:>7}",
            "guesses", "taken", "addr", "burned", "median", "gain/h"
        );
        self.heads(text, &first, &columns);
        for (at, profile) in self.side(Side::Robot) {
            let robots = self.tallies[0][at].robots;
            if robots > 0 {
                let floor =
                    wald::floor(profile.situation).map_or("-".to_owned(), |floor| format!("{floor:.1}"));
                let _ = write!(text, "{:18} {robots:>6} {floor:>6}", profile.name);
                for tallies in &self.tallies {
                    robot_cells(text, &tallies[at]);
                }
                text.push('\n');
            }
        }
        text.push('\n');
    }

    fn summary(&self, text: &mut String) {
        for (judge, kind) in self.plan.judges.iter().enumerate() {
            let all = self.total(judge);
            let (hurt, denied) = (all.sources_hurt - all.shared_hurt, all.denied - all.shared_denied);
            let logins = all.logins + all.denied;
            let _ = writeln!(
                text,
                "{}: banned {hurt} of {} honest source-days ({}), denied {denied} of {logins} logins ({}), \
                 NAT parity {}; where a robot is or was too: banned {}, denied {}",
                kind.name(),
                all.source_days,
                rate(hurt, all.source_days),
                rate(denied, logins),
                parity(&all),
                all.shared_hurt,
                all.shared_denied,
            );
        }
        let mut hurt = self.hurt.clone();
        hurt.sort_unstable_by(|one, other| other.cmp(one));
        for (sources, denied, seed) in hurt.iter().take(WORST) {
            let _ = writeln!(
                text,
                "seed {seed}: {sources} honest sources banned, {denied} logins denied: {}",
                self.again(*seed)
            );
        }
        for (seed, wrong) in self.wrongs.iter().take(WRONGS) {
            let _ = writeln!(text, "seed {seed}: {wrong}");
        }
        let oracles = if self.plan.oracles { "all oracles" } else { "the oracles of play" };
        let _ = writeln!(text, "{} seeds, {oracles}: {} findings", self.seeds, self.findings.len());
        for (seed, finding) in &self.findings {
            let _ = writeln!(
                text,
                "seed {seed}, {}: {}\n  again: {}",
                finding.oracle,
                finding.what,
                self.again(*seed)
            );
        }
    }

    fn again(&self, seed: u64) -> String {
        format!("fairban-sim run --seed {seed}{}", self.command)
    }

    /// One seed, in an object.
    pub(crate) fn seed_json(&self, outcome: &Outcome) -> Value {
        json!({
            "v": 1,
            "seed": outcome.seed,
            "format": outcome.format,
            "judges": self.judges_json(&outcome.tallies),
            "findings": outcome.findings,
        })
    }

    /// The sums, in an object.
    pub(crate) fn json(&self) -> Value {
        let findings: Vec<Value> = self
            .findings
            .iter()
            .map(|(seed, finding)| json!({"seed": seed, "oracle": finding.oracle, "what": finding.what, "again": self.again(*seed)}))
            .collect();
        json!({
            "v": 1,
            "seeds": self.seeds,
            "first": self.plan.first,
            "judges": self.judges_json(&self.tallies),
            "findings": findings,
        })
    }

    fn judges_json(&self, tallies: &[Vec<Tally>]) -> Value {
        let judge = |tallies: &Vec<Tally>| {
            let mut honest = serde_json::Map::new();
            let mut robots = serde_json::Map::new();
            for (profile, tally) in self.roster.iter().zip(tallies) {
                match profile.side {
                    Side::Honest if tally.sources > 0 => {
                        honest.insert(profile.name.to_owned(), honest_json(tally));
                    }
                    Side::Robot if tally.robots > 0 => {
                        robots.insert(profile.name.to_owned(), robot_json(profile, tally));
                    }
                    _ => {}
                }
            }
            json!({"honest": honest, "robots": robots})
        };
        let named = self.plan.judges.iter().zip(tallies);
        named.map(|(kind, tallies)| (kind.name().to_owned(), judge(tallies))).collect()
    }
}

fn honest_cells(text: &mut String, tally: &Tally) {
    let _ = write!(text, " | {:>7} {:>8} {:>9.0}", tally.sources_hurt, tally.denied, tally.locked_minutes());
}

fn robot_cells(text: &mut String, tally: &Tally) {
    let median = tally.median_verdict().map_or("-".to_owned(), |median| median.to_string());
    let gain = tally.gain / tally.robots.max(1) as f64;
    let _ = write!(
        text,
        " | {:>8} {:>6} {:>6} {:>7} {median:>6} {gain:>7.1}",
        tally.reached, tally.taken, tally.addresses, tally.burned
    );
}

fn honest_json(tally: &Tally) -> Value {
    json!({
        "sources": tally.sources,
        "source_days": tally.source_days,
        "sources_banned": tally.sources_hurt,
        "sources_banned_beside_a_robot": tally.shared_hurt,
        "logins": tally.logins + tally.denied,
        "logins_denied": tally.denied,
        "logins_denied_beside_a_robot": tally.shared_denied,
        "lockout_minutes": tally.locked_minutes(),
        "nat_users": tally.nat_users,
        "nat_users_banned": tally.nat_users_hurt,
        "single_users": tally.single_users,
        "single_users_banned": tally.single_users_hurt,
    })
}

fn robot_json(profile: &Profile, tally: &Tally) -> Value {
    json!({
        "robots": tally.robots,
        "guesses": tally.reached,
        "accounts_taken": tally.taken,
        "addresses": tally.addresses,
        "addresses_burned": tally.burned,
        "median_attempts": tally.median_verdict(),
        "wald_floor": wald::floor(profile.situation),
        "gain_per_hour_and_burned_address": tally.gain / tally.robots.max(1) as f64,
        "hours": tally.hours,
    })
}

/// `1 in 12,345`; for none, what that means (rule of three).
fn rate(count: u64, of: u64) -> String {
    match (count, of) {
        (_, 0) => "-".to_owned(),
        (0, of) => format!("below 1 in {}", (of / 3).max(1)),
        (count, of) => format!("1 in {}", of / count),
    }
}

/// Users banned behind a NAT for each user banned who is alone, in proportion.
fn parity(tally: &Tally) -> String {
    let share = |hurt: u64, all: u64| hurt as f64 / all.max(1) as f64;
    let (nat, single) =
        (share(tally.nat_users_hurt, tally.nat_users), share(tally.single_users_hurt, tally.single_users));
    let shares = format!(
        "({} of {} users behind NAT, {} of {} others)",
        tally.nat_users_hurt, tally.nat_users, tally.single_users_hurt, tally.single_users
    );
    if single > 0.0 { format!("{:.2} {shares}", nat / single) } else { format!("- {shares}") }
}
