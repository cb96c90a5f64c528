//! What counts in life: who was let in, who was denied and for how long, and what robots got.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::address::unit;
use super::{ActorId, MIDNIGHT, Try, Who};
use crate::format::Answer;
use crate::judge::Verdict;
use fairban_core::time::{Span, Time};

/// A source with so many users and more stands for a NAT.
const NAT_USERS: usize = 5;

/// A ban hurts whoever was at that address so short a time ago.
const RECENT: Span = Span::hours(24);

/// What one actor did and met.
#[derive(Clone, Debug, Default)]
struct ActorScore {
    profile: usize,
    is_robot: bool,
    logins: u64,
    denied: u64,
    shared_denied: u64,
    locked_since: Option<Time>,
    locked_us: i64,
    reached: u64,
    taken: BTreeSet<String>,
    first: Option<Time>,
    last: Option<Time>,
    sources: BTreeSet<IpAddr>,
}

/// What happened at one source: an IPv4 address, an IPv6 /64.
#[derive(Clone, Debug, Default)]
struct Source {
    profile: Option<usize>,
    robot: Option<usize>,
    users: BTreeSet<ActorId>,
    last_honest: Option<Time>,
    /// Days with honest traffic, as bits.
    days: u64,
    failures: u32,
    /// Guesses that reached the password check.
    reached: u32,
    /// How many had, when it was banned for the first time.
    verdict: Option<u32>,
    /// A ban hurt honest people.
    hurt: bool,
}

/// Everything that is counted in one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Score {
    actors: BTreeMap<ActorId, ActorScore>,
    sources: BTreeMap<IpAddr, Source>,
    /// Bans of sources where honest people are, and no robot.
    pub(crate) wrongs: Vec<Wrong>,
    pub(crate) complaints: Vec<String>,
}

/// A ban of honest people.
#[derive(Clone, Debug)]
pub(crate) struct Wrong {
    pub(crate) profile: usize,
    pub(crate) time: Time,
    pub(crate) verdict: Verdict,
}

/// Sums of one profile.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) source_days: u64,
    pub(crate) sources: u64,
    pub(crate) sources_hurt: u64,
    /// Of these, where a robot is or was too.
    pub(crate) shared_hurt: u64,
    pub(crate) nat_users: u64,
    pub(crate) nat_users_hurt: u64,
    pub(crate) single_users: u64,
    pub(crate) single_users_hurt: u64,
    pub(crate) logins: u64,
    pub(crate) denied: u64,
    /// Of these, where a robot is or was too.
    pub(crate) shared_denied: u64,
    pub(crate) locked_us: i64,
    pub(crate) robots: u64,
    pub(crate) reached: u64,
    pub(crate) taken: u64,
    pub(crate) addresses: u64,
    pub(crate) burned: u64,
    /// Guesses before the first ban of each banned address; sorted.
    pub(crate) verdicts: Vec<u32>,
    /// Sums over robots of guesses an hour for each address burned.
    pub(crate) gain: f64,
    pub(crate) hours: f64,
}

impl Score {
    fn actor(&mut self, who: Who) -> &mut ActorScore {
        let new = || ActorScore { profile: who.profile, is_robot: who.is_robot, ..ActorScore::default() };
        self.actors.entry(who.actor).or_insert_with(new)
    }

    /// Somebody connects.
    pub(super) fn comes(&mut self, who: Who, source: IpAddr, now: Time) {
        let unit = unit(source);
        let at = self.sources.entry(unit).or_default();
        if who.is_robot {
            at.robot.get_or_insert(who.profile);
            let actor = self.actor(who);
            actor.sources.insert(unit);
        } else {
            at.note_honest(who, now);
        }
        self.seen(who, now);
    }

    fn seen(&mut self, who: Who, now: Time) {
        let actor = self.actor(who);
        actor.first.get_or_insert(now);
        actor.last = Some(now);
    }

    /// A try reached the password check.
    pub(super) fn tried(&mut self, who: Who, source: IpAddr, made: &Try, answer: Answer, now: Time) {
        let at = self.sources.entry(unit(source)).or_default();
        at.failures += u32::from(answer != Answer::In);
        if who.is_robot && !made.own {
            at.reached += 1;
        }
        let actor = self.actor(who);
        if !who.is_robot {
            if answer == Answer::In {
                actor.logins += 1;
            }
            if let (Answer::In, Some(since)) = (answer, actor.locked_since) {
                actor.locked_us += now.since(since).as_micros();
                actor.locked_since = None;
            }
        } else if !made.own {
            actor.reached += 1;
            if answer == Answer::In {
                actor.taken.insert(made.name.text().to_owned());
            }
        }
    }

    /// A connection ended in which nobody tried to log in.
    pub(super) fn idled(&mut self, who: Who, source: IpAddr) {
        let at = self.sources.entry(unit(source)).or_default();
        at.failures += 1;
        if who.is_robot {
            at.reached += 1;
            self.actor(who).reached += 1;
        }
    }

    /// A ban kept somebody out, who would have been let in or not.
    pub(super) fn shut_out(&mut self, who: Who, source: IpAddr, would_be_in: bool, now: Time) {
        if who.is_robot {
            self.seen(who, now);
            return;
        }
        let at = self.sources.entry(unit(source)).or_default();
        at.note_honest(who, now);
        at.hurt = true;
        let shared = at.robot.is_some();
        if would_be_in {
            let actor = self.actor(who);
            actor.denied += 1;
            actor.shared_denied += u64::from(shared);
            actor.locked_since.get_or_insert(now);
        }
    }

    /// A ban was decided.
    pub(super) fn banned(&mut self, verdict: &Verdict, now: Time) {
        let prefix = &verdict.prefix;
        let (from, until) = (unit(prefix.network()), prefix.broadcast());
        let mut accused = false;
        for (at, source) in self.sources.range_mut(from..=until) {
            let reached = source.reached;
            source.verdict.get_or_insert(reached);
            accused |= source.failures > 0;
            let recent = source.last_honest.is_some_and(|last| now.since(last) < RECENT);
            if recent && source.robot.is_none() {
                source.hurt = true;
                if source.failures == 0 {
                    let what = format!("{at} never failed, and is banned with {prefix}");
                    self.complaints.push(what);
                }
                self.wrongs.extend(source.profile.map(|profile| Wrong {
                    profile,
                    time: now,
                    verdict: verdict.clone(),
                }));
            }
        }
        if !accused {
            self.complaints.push(format!("{prefix} was banned, and nobody ever failed there"));
        }
    }

    /// What the run came to, by profile.
    pub(crate) fn tallies(&self, profiles: usize, end: Time) -> Vec<Tally> {
        let mut tallies = vec![Tally::default(); profiles];
        for actor in self.actors.values() {
            actor.add_to(&mut tallies[actor.profile], end, &self.sources);
        }
        for source in self.sources.values() {
            if let Some(profile) = source.profile {
                source.add_honest(&mut tallies[profile]);
            }
            if let Some(profile) = source.robot {
                let tally = &mut tallies[profile];
                tally.addresses += 1;
                tally.burned += u64::from(source.verdict.is_some());
                tally.verdicts.extend(source.verdict);
            }
        }
        for tally in &mut tallies {
            tally.verdicts.sort_unstable();
        }
        tallies
    }
}

impl ActorScore {
    fn add_to(&self, tally: &mut Tally, end: Time, sources: &BTreeMap<IpAddr, Source>) {
        tally.logins += self.logins;
        tally.denied += self.denied;
        tally.shared_denied += self.shared_denied;
        tally.locked_us += self.locked_us;
        if let Some(since) = self.locked_since {
            tally.locked_us += end.since(since).as_micros();
        }
        if self.is_robot {
            tally.robots += 1;
            tally.reached += self.reached;
            tally.taken += self.taken.len() as u64;
            let burned = self.sources.iter().filter(|at| sources[*at].verdict.is_some()).count();
            let spent = match (self.first, self.last) {
                (Some(first), Some(last)) => last.since(first).as_micros() as f64 / 3.6e9,
                _ => 0.0,
            };
            let hours = spent.max(1.0);
            tally.hours += hours;
            tally.gain += self.reached as f64 / hours / burned.max(1) as f64;
        }
    }
}

impl Source {
    fn note_honest(&mut self, who: Who, now: Time) {
        self.profile.get_or_insert(who.profile);
        self.users.insert(who.actor);
        self.last_honest = Some(now);
        self.days |= 1 << (now.since(MIDNIGHT).as_secs() / 86_400).clamp(0, 63);
    }

    fn add_honest(&self, tally: &mut Tally) {
        let users = self.users.len() as u64;
        tally.sources += 1;
        tally.source_days += u64::from(self.days.count_ones());
        tally.sources_hurt += u64::from(self.hurt);
        tally.shared_hurt += u64::from(self.hurt && self.robot.is_some());
        if self.robot.is_some() {
            // Whoever shares an address with a robot is not what parity is about.
            return;
        }
        let hurt = if self.hurt { users } else { 0 };
        if self.users.len() >= NAT_USERS {
            tally.nat_users += users;
            tally.nat_users_hurt += hurt;
        } else {
            tally.single_users += users;
            tally.single_users_hurt += hurt;
        }
    }
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Tally) {
        self.source_days += other.source_days;
        self.sources += other.sources;
        self.sources_hurt += other.sources_hurt;
        self.shared_hurt += other.shared_hurt;
        self.shared_denied += other.shared_denied;
        self.nat_users += other.nat_users;
        self.nat_users_hurt += other.nat_users_hurt;
        self.single_users += other.single_users;
        self.single_users_hurt += other.single_users_hurt;
        self.logins += other.logins;
        self.denied += other.denied;
        self.locked_us += other.locked_us;
        self.robots += other.robots;
        self.reached += other.reached;
        self.taken += other.taken;
        self.addresses += other.addresses;
        self.burned += other.burned;
        self.verdicts.extend(&other.verdicts);
        self.verdicts.sort_unstable();
        self.gain += other.gain;
        self.hours += other.hours;
    }

    pub(crate) fn locked_minutes(&self) -> f64 {
        self.locked_us as f64 / 6e7
    }

    /// The median of all its addresses; `None` if half of them were never banned.
    pub(crate) fn median_verdict(&self) -> Option<u32> {
        self.verdicts.get(self.addresses as usize / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use crate::world::account::Accounts;

    fn who(actor: u32, is_robot: bool) -> Who {
        Who { actor: ActorId(actor), profile: usize::from(is_robot), is_robot }
    }

    fn verdict(prefix: &str) -> Verdict {
        Verdict { prefix: prefix.parse().expect("a prefix"), because: String::new() }
    }

    fn some_try() -> Try {
        let mut rng = Rng::of(1, "test", 0);
        Try::digest(&Accounts::new(1).hire(&mut rng, MIDNIGHT))
    }

    #[test]
    fn who_is_banned_without_having_failed_is_found() {
        let mut score = Score::default();
        let (honest, robot): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        score.comes(who(0, false), honest, MIDNIGHT);
        score.tried(who(0, false), honest, &some_try(), Answer::In, MIDNIGHT);
        score.comes(who(1, true), robot, MIDNIGHT);
        score.tried(who(1, true), robot, &some_try(), Answer::Wrong, MIDNIGHT);
        score.banned(&verdict("192.0.2.2/32"), MIDNIGHT);
        assert_eq!(score.complaints, [""; 0]);
        score.banned(&verdict("192.0.2.0/24"), MIDNIGHT);
        assert_eq!(score.complaints.len(), 1, "a neighbour: {:?}", score.complaints);
        score.banned(&verdict("192.0.2.1/32"), MIDNIGHT);
        score.banned(&verdict("198.51.100.0/24"), MIDNIGHT);
        assert!(score.complaints.len() >= 3, "{:?}", score.complaints);
        let tallies = score.tallies(2, MIDNIGHT);
        assert_eq!((tallies[0].sources_hurt, tallies[1].burned, tallies[1].reached), (1, 1, 1));
    }

    #[test]
    fn a_lock_out_lasts_from_the_first_login_denied_to_the_next_that_works() {
        let mut score = Score::default();
        let source: IpAddr = [192, 0, 2, 1].into();
        let at = |minutes| MIDNIGHT.plus(Span::minutes(minutes));
        score.comes(who(0, false), source, at(0));
        for minutes in [10, 20] {
            score.shut_out(who(0, false), source, true, at(minutes));
        }
        score.shut_out(who(0, false), source, false, at(25));
        score.tried(who(0, false), source, &some_try(), Answer::In, at(40));
        score.shut_out(who(0, false), source, true, at(60));
        let tally = &score.tallies(2, at(90))[0];
        assert_eq!((tally.logins, tally.denied), (1, 3));
        assert!((tally.locked_minutes() - 60.0).abs() < 1e-9, "30 and the 30 that are left of the day");
    }
}
