//! What the report and the summary say, counted while the engine decides: in bounded memory, and able to be put aside.

mod counting;
mod map;
mod people;
mod robots;
mod timeline;
mod unit;

use std::collections::BTreeMap;
use std::net::IpAddr;

use fairban_core::account::{Account, AccountKey};
use fairban_core::effect::{Alarm, Ban, Effect, RobotKind, Seen, Standing};
use fairban_core::event::{Outcome, Service};
use fairban_core::nats::Nats;
use fairban_core::time::Time;
use serde::{Deserialize, Serialize};

use self::counting::{Counting, Counts};
pub(crate) use self::people::{Login, People, Person};
pub(crate) use self::robots::{Logins, Robot, Robots};
pub(crate) use self::timeline::{Bucket, Timeline};
pub(crate) use self::unit::{Unit, show_prefix};
use crate::cli::Rule;

/// Rows kept of hits, stale devices, hubs and alarms each; more are counted.
const ROWS_MAX: usize = 4_096;

/// Everything that was counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) totals: Totals,
    pub(crate) span: Option<(Time, Time)>,
    pub(crate) people: People,
    pub(crate) robots: Robots,
    pub(crate) kinds: BTreeMap<RobotKind, Kinds>,
    pub(crate) hits: Vec<HitRow>,
    pub(crate) stale_devices: BTreeMap<(Option<AccountKey>, IpAddr), StaleRow>,
    pub(crate) hubs: BTreeMap<IpAddr, (Time, u32)>,
    pub(crate) alarms: Vec<(Time, Alarm)>,
    pub(crate) gaps: BTreeMap<Service, (u64, u64)>,
    pub(crate) timeline: Timeline,
    counting: Counting,
}

/// Counters of the whole input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// Logins tried, successes included.
    pub(crate) attempts: u64,
    pub(crate) failures: u64,
    pub(crate) successes: u64,
    /// Connections without a login.
    pub(crate) connections: u64,
    /// Attempts and connections that a ban would have kept out.
    pub(crate) kept_out: u64,
    pub(crate) bans: u64,
    pub(crate) extends: u64,
    pub(crate) unbans: u64,
    /// Different sources and prefixes banned.
    pub(crate) banned_sources: u64,
    pub(crate) hits: u64,
    pub(crate) stale_devices: u64,
    pub(crate) hubs: u64,
    pub(crate) alarms: u64,
    pub(crate) gaps: u64,
    /// Times that the counting rule would have banned somebody, robots included.
    pub(crate) rule_bans: u64,
    /// Tries of banned robots that the counting rule would have let pass.
    pub(crate) rule_passed: u64,
}

/// Robots of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kinds {
    pub(crate) sources: u64,
    /// Tries before the first ban.
    pub(crate) attempts: u64,
    pub(crate) kept_out: u64,
}

/// An account that is probably taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HitRow {
    pub(crate) time: Time,
    pub(crate) source: IpAddr,
    pub(crate) account: Account,
    pub(crate) guesses: u32,
    pub(crate) evidence: Nats,
}

/// A device with an old password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StaleRow {
    pub(crate) since: Time,
    pub(crate) last: Time,
    pub(crate) failures: u32,
}

impl Tally {
    pub(crate) fn new(rule: Rule) -> Tally {
        Tally {
            totals: Totals::default(),
            span: None,
            people: People::default(),
            robots: Robots::default(),
            kinds: BTreeMap::new(),
            hits: Vec::new(),
            stale_devices: BTreeMap::new(),
            hubs: BTreeMap::new(),
            alarms: Vec::new(),
            gaps: BTreeMap::new(),
            timeline: Timeline::default(),
            counting: Counting::new(rule),
        }
    }

    pub(crate) fn rule(&self) -> Rule {
        self.counting.rule
    }

    /// Counts what one line caused: all its effects at once, since a hit tells what kind of success was seen.
    pub(crate) fn line(&mut self, time: Time, effects: &[Effect]) {
        let (first, last) = self.span.unwrap_or((time, time));
        self.span = Some((first.min(time), last.max(time)));
        for effect in effects {
            match effect {
                Effect::Seen(seen) => {
                    let is_hit =
                        |e: &Effect| matches!(e, Effect::Hit { source, .. } if *source == seen.source);
                    self.seen(seen, effects.iter().any(is_hit));
                }
                other => self.told(other),
            }
        }
    }

    fn seen(&mut self, seen: &Seen, hit: bool) {
        let failed = matches!(seen.outcome, Outcome::BadSecret | Outcome::UnknownAccount | Outcome::Failed);
        let success = seen.outcome == Outcome::Success;
        let kept_out = seen.standing == Standing::KeptOut;
        let counts = match seen.outcome {
            Outcome::Aborted | Outcome::ServerFault => Counts::Passes,
            _ => self.counting.attempt(seen.source, seen.time, failed),
        };
        let totals = &mut self.totals;
        totals.connections += u64::from(seen.outcome == Outcome::Aborted);
        totals.attempts += u64::from(seen.outcome != Outcome::Aborted);
        totals.failures += u64::from(failed);
        totals.successes += u64::from(success);
        totals.kept_out += u64::from(kept_out);
        totals.rule_bans += u64::from(counts == Counts::Bans);
        let bucket = self.timeline.at(seen.time);
        bucket.successes += u64::from(success && !kept_out);
        bucket.failures += u64::from(failed && !kept_out);
        bucket.kept_out += u64::from(kept_out);
        let unit = Unit::of(seen.source);
        let robot = self.robots.around(seen.source);
        if success {
            let login = Login { hit, rule_denies: counts == Counts::Denies, banned: robot.is_some() };
            self.people.logged_in(unit, seen.time, &seen.account, login);
        } else {
            self.people.missed(unit, seen.time, failed, counts == Counts::Bans);
        }
        if let Some(robot) = robot {
            self.at_robot(robot, seen, kept_out, success && !hit, failed && counts != Counts::Denies);
        }
    }

    /// An attempt from where a robot, of this place among them, was banned before.
    fn at_robot(&mut self, robot: usize, seen: &Seen, kept_out: bool, login: bool, rule_passes: bool) {
        let Some(robot) = self.robots.row_mut(robot) else { return };
        robot.last_seen = robot.last_seen.max(seen.time);
        robot.kept_out += u64::from(kept_out);
        self.totals.rule_passed += u64::from(rule_passes);
        if kept_out {
            self.kinds.entry(robot.reason).or_default().kept_out += 1;
        }
        if login {
            *(if kept_out { &mut robot.logins.denied } else { &mut robot.logins.after }) += 1;
            robot.logins.account.get_or_insert_with(|| show_account(&seen.account).into());
        }
    }

    fn told(&mut self, effect: &Effect) {
        match effect {
            Effect::Ban(ban) => self.banned(ban),
            Effect::Extend { ban, .. } => {
                self.totals.extends += 1;
                self.robots.extended(ban);
            }
            Effect::Unban { prefix, reason, .. } => {
                self.totals.unbans += 1;
                self.robots.unbanned(prefix, *reason);
            }
            Effect::Hit { time, source, account, guesses, evidence, .. } => {
                self.totals.hits += 1;
                if self.hits.len() < ROWS_MAX {
                    let (account, evidence) = (account.clone(), *evidence);
                    self.hits.push(HitRow {
                        time: *time,
                        source: *source,
                        account,
                        guesses: *guesses,
                        evidence,
                    });
                }
            }
            Effect::StaleDevice { time, source, account, failures, since, .. } => {
                self.totals.stale_devices += 1;
                let key = (account.key().cloned(), *source);
                if self.stale_devices.len() < ROWS_MAX || self.stale_devices.contains_key(&key) {
                    self.stale_devices
                        .insert(key, StaleRow { since: *since, last: *time, failures: *failures });
                }
            }
            Effect::Hub { time, source, accounts, .. } => {
                self.totals.hubs += 1;
                if self.hubs.len() < ROWS_MAX {
                    self.hubs.insert(*source, (*time, *accounts));
                }
            }
            Effect::Alarm { time, alarm, .. } => {
                self.totals.alarms += 1;
                if self.alarms.len() < ROWS_MAX {
                    self.alarms.push((*time, alarm.clone()));
                }
            }
            Effect::Gap { service, lost, .. } => {
                self.totals.gaps += 1;
                let (gaps, lines) = self.gaps.entry(*service).or_default();
                *gaps += 1;
                *lines += u64::from(*lost);
            }
            Effect::Seen(_) => {}
        }
    }

    fn banned(&mut self, ban: &Ban) {
        self.totals.bans += 1;
        self.timeline.at(ban.time).bans += 1;
        let mut logins = Logins::default();
        self.people.within(&ban.prefix, |person| {
            person.banned = true;
            let honest = u64::from(person.successes.saturating_sub(person.hits));
            logins.before += honest;
            if honest > 0 && logins.account.is_none() {
                logins.account = Some(person.account().into());
            }
        });
        let first_seen = self.people.first_seen(Unit::of(ban.prefix.addr())).unwrap_or(ban.time);
        if self.robots.banned(ban, first_seen, logins) {
            self.totals.banned_sources += 1;
            let kind = self.kinds.entry(ban.reason).or_default();
            kind.sources += 1;
            kind.attempts += u64::from(ban.attempts);
        }
    }
}

impl PartialEq for Robots {
    fn eq(&self, other: &Robots) -> bool {
        self.rows() == other.rows() && self.unlisted == other.unlisted
    }
}

impl Eq for Robots {}

/// An account for people: escaped, with what the log hides of it said.
pub(crate) fn show_account(account: &Account) -> String {
    use fairban_core::escape::escaped;
    match account {
        Account::Known(key) | Account::Last { key, .. } => escaped(key.as_bytes()).to_string(),
        Account::Cut(key) => format!("{}...", escaped(key.as_bytes())),
        Account::Hidden => "(not named)".to_owned(),
    }
}
