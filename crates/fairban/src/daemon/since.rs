//! `fairban report`: what has happened since a time, and whether it is safe to go live.
//!
//! Sums are counted by the hour, so they are of the time asked for, from the beginning of its first hour. Sources are
//! counted once each, since one of two times at which counting began anew: of them those count that were banned, or seen,
//! in the time asked for.

use std::collections::BTreeMap;

use fairban_control::{AlarmRow, CasualtyRow, KindRow, Moment, PARTS_MAX, RuleResult, Shown, SinceReport};
use fairban_core::effect::RobotKind;
use fairban_core::time::{Span, Time};

use super::desk::Desk;
use super::hours::Counts;
use super::office::told_mode;
use crate::tally::{Kinds, Robot, Tally};

/// Watched for less than this, nobody should go live on what was seen.
const WATCHED_MIN: Span = Span::hours(24);

/// Alarms that make what was seen doubtful.
const DOUBTS: [&str; 4] = ["clock", "stamps-ahead", "input", "journal"];

/// The report of a desk. `alarms` are those of the service now.
pub(crate) fn report(desk: &Desk, since: Time, now: Time, alarms: &[AlarmRow]) -> SinceReport {
    let (from, sums) = desk.hours().since(since).unwrap_or((now, Counts::default()));
    let tally = desk.tally_since(from);
    let banned = || tally.robots.rows().iter().filter(|robot| robot.banned >= from);
    let stale = tally.stale_devices.values().filter(|device| device.last >= from);
    let mut report = SinceReport {
        since: Moment::from(from),
        until: Moment::from(now),
        mode: told_mode(desk.mode()),
        attempts: sums.attempts,
        logins: sums.successes,
        failures: sums.failures,
        bans: sums.bans,
        banned_sources: banned().count() as u64,
        kept_out: sums.kept_out,
        kinds: kinds(banned()),
        hits: sums.hits,
        stale_devices: stale.count() as u64,
        rule: rule(tally, from, sums.rule_bans),
        casualties: casualties(tally, from),
        safe: false,
        reasons: Vec::new(),
        command: None,
    };
    judge_safety(&mut report, alarms);
    report
}

fn kinds<'a>(banned: impl Iterator<Item = &'a Robot>) -> Vec<KindRow> {
    let mut kinds: BTreeMap<RobotKind, Kinds> = BTreeMap::new();
    for robot in banned {
        let kind = kinds.entry(robot.reason).or_default();
        kind.sources += 1;
        kind.attempts += u64::from(robot.attempts);
        kind.kept_out += robot.kept_out;
    }
    let row = |(reason, kind): (RobotKind, Kinds)| KindRow {
        reason: Shown::of(reason.name()),
        sources: kind.sources,
        attempts: kind.attempts,
        kept_out: kind.kept_out,
    };
    kinds.into_iter().map(row).collect()
}

/// What the counting rule would have done, to honest sources that were seen since then.
fn rule(tally: &Tally, from: Time, bans: u64) -> RuleResult {
    let honest: Vec<_> =
        tally.people.spared().map(|(_, person)| person).filter(|person| person.last >= from).collect();
    let began = tally.span.map(|(first, _)| first).filter(|began| *began < from);
    RuleResult {
        rule: Shown::of(tally.rule().to_string()),
        bans,
        honest_banned: honest.len() as u64,
        logins_denied: honest.iter().map(|person| u64::from(person.rule_denied)).sum(),
        honest_since: began.map(Moment::from),
    }
}

fn casualties(tally: &Tally, from: Time) -> Vec<CasualtyRow> {
    let since = |robot: &&Robot| robot.is_casualty() && (robot.banned >= from || robot.last_seen >= from);
    let row = |robot: &Robot| CasualtyRow {
        source: robot.prefix,
        logins_before: robot.logins.before,
        logins_denied: robot.logins.denied,
        logins_after: robot.logins.after,
    };
    tally.robots.rows().iter().filter(since).take(PARTS_MAX).map(row).collect()
}

/// Whether it is safe to go live, and why.
fn judge_safety(report: &mut SinceReport, alarms: &[AlarmRow]) {
    let mut against = Vec::new();
    let denied: u64 = report.casualties.iter().map(|row| row.logins_denied).sum();
    if denied > 0 {
        against
            .push(format!("bans would have denied {denied} logins where people log in: look at fairban why"));
    }
    let watched = report.until.time().since(report.since.time());
    if watched < WATCHED_MIN {
        let watched = crate::when::length(watched);
        against.push(format!("only {watched} of logs have been looked at; a day shows the usual clients"));
    }
    if report.logins == 0 {
        against.push(
            "no login that succeeded was seen: people cannot be told from robots by failures alone"
                .to_owned(),
        );
    }
    for alarm in alarms.iter().filter(|alarm| DOUBTS.contains(&alarm.name.as_str())) {
        against.push(format!("{}: {}", alarm.name.as_str(), alarm.text.as_str()));
    }
    report.safe = against.is_empty();
    if report.safe {
        let watched = crate::when::length(watched);
        against.push(format!("in {watched} no ban would have denied anybody a login"));
        if report.mode == fairban_control::Mode::Shadow {
            report.command = Some(Shown::of("fairban mode live"));
        }
    }
    report.reasons = against.into_iter().map(Shown::spelt).collect();
}

#[cfg(test)]
#[path = "since_tests.rs"]
mod tests;
