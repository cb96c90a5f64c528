//! From a sum to a ban: the limit, whom it never hits, how long, and what it is called.

use ipnet::IpNet;

use super::prefixes::PrefixKey;
use super::source::{EpisodeState, NARROW, Source, Unit, WEAK, secs_u32};
use super::{Case, Judge};
use crate::effect::{Ban, Effect, RobotKind, Signal, SignalSum, UnbanReason};
use crate::engine::BanLengths;
use crate::event::Outcome;
use crate::nats::Nats;
use crate::time::{Span, Time};
use crate::weights::{self, Kind};

/// No ban is shorter, whatever the configuration says: it would be over before it is noticed.
const BAN_MIN: Span = Span::minutes(1);
/// No ban is longer: the address is somebody else's by then.
const BAN_MAX: Span = Span::days(365);
/// Steps of the ladder that lengthen a ban.
const LADDER_STEPS_MAX: u8 = 6;
const LADDER_MAX: u8 = 16;

impl Judge {
    /// The sum that bans a source: lower for strangers where most strangers are robots.
    pub(super) fn limit(&self, source: &Source) -> Nats {
        if source.ok > 0 {
            return self.config.limit;
        }
        let in_force = source.banned_until != 0 && !source.has(NARROW);
        let most =
            if source.strikes > u8::from(in_force) { weights::PRIOR_MAX_BACK } else { weights::PRIOR_MAX };
        self.config.limit - self.prior.relief(self.now).min(most)
    }

    /// Bans a source whose sum has reached the limit, unless it is one that is never banned.
    pub(super) fn check(&mut self, unit: Unit) {
        let now = self.now;
        let Some(source) = self.sources.get(unit.0) else { return };
        let (score, limit) = (source.score(now), self.limit(source));
        let banned = source.banned_until != 0;
        let elsewhere = source.has(NARROW) && self.addresses.another_failed(unit);
        if score < limit || (banned && !elsewhere) {
            return;
        }
        if source.has(WEAK) && self.forgeable {
            // Connection lines that a client can write prove nothing by themselves.
            return;
        }
        if !self.is_spared(unit) {
            self.ban(unit, score, limit);
        }
    }

    fn ban(&mut self, unit: Unit, score: Nats, limit: Nats) {
        let (id, now) = (self.next_id(), self.now);
        let signals = match self.sources.get(unit.0) {
            Some(source) => self.dossiers.signals(unit, source),
            None => return,
        };
        // A /64 that holds somebody who is allowed is not banned for a neighbour's doings.
        let shared = self.overlaps_allowed(&unit.prefix());
        let Some(source) = self.sources.get_mut(unit.0) else { return };
        let client = source.ok > 0;
        let prefix = self.addresses.prefix(unit, client || shared);
        let narrow = prefix != unit.prefix();
        let length = length(&self.config.bans, score - limit, source.strikes, client);
        let until = now.plus(length);
        source.banned_until = secs_u32(until);
        source.strikes = source.strikes.saturating_add(1);
        let ban = Ban {
            id,
            prefix,
            time: now,
            until: Some(Time::from_secs(i64::from(source.banned_until))),
            evidence: score,
            limit,
            reason: kind_of_robot(source, &signals),
            signals,
            attempts: source.attempts,
            accounts: source.episodes.len() as u32,
            weak: source.has(WEAK),
        };
        // What waits is part of what the ban punishes: it is not weighed a second time when the ban is over.
        let mut waiting = Vec::new();
        for episode in source.episodes.iter_mut().filter(|e| e.state == EpisodeState::Pending) {
            episode.state = EpisodeState::Weighed;
            waiting.push(episode.account);
        }
        source.flags &= !NARROW;
        if narrow {
            // Its neighbours are judged on: from the start where people log in, else on probation with it.
            source.flags |= NARROW;
            self.dossiers.set_aside(unit, source);
            source.close_episodes();
            source.set_score(now, if client { Nats::ZERO } else { weights::PROBATION });
            self.addresses.ban_last(unit);
        } else {
            self.addresses.unban(unit);
        }
        for account in waiting {
            self.pending.remove(unit, account);
        }
        self.convictions.note(unit.0, &ban, &self.limits);
        self.effects.push_back(Effect::Ban(ban));
    }

    /// Bans a prefix whose members accuse themselves one by one, unless it holds somebody who is allowed. Members and their
    /// own bans stay as they are.
    pub(super) fn ban_prefix(&mut self, key: PrefixKey, net: IpNet, score: Nats, unit: Unit) {
        if self.overlaps_allowed(&net) {
            return;
        }
        let (id, now) = (self.next_id(), self.now);
        let limit = self.config.limit - self.prior.relief(now);
        let until = now.plus(length(&self.config.bans, score - limit, self.prefixes.strikes(key), false));
        let members = u32::from(self.prefixes.members(key));
        self.prefixes.ban(key, id, until, now);
        let own = self.sources.get(unit.0);
        let reason = own.map_or(RobotKind::Botnet, |source| match source.episodes.first().map(|e| e.kind) {
            Some(Kind::Unknown) => RobotKind::UsernameScan,
            Some(Kind::Wrong | Kind::Failed) => RobotKind::PasswordGuessing,
            _ => RobotKind::Botnet,
        });
        let ban = Ban {
            id,
            prefix: net,
            time: now,
            until: Some(Time::from_secs(i64::from(secs_u32(until)))),
            evidence: score,
            limit,
            reason,
            signals: vec![SignalSum { signal: Signal::Neighbours, count: members, nats: score }],
            attempts: members,
            accounts: members,
            weak: false,
        };
        self.convictions.note(key.apart(), &ban, &self.limits);
        self.effects.push_back(Effect::Ban(ban));
    }

    /// Whether a ban in force would have kept this attempt out. Ends bans that are over.
    pub(super) fn keeps_out(&mut self, case: &Case<'_>) -> bool {
        let (unit, now) = (case.unit, self.now);
        if self.orders.keep_out(case.attempt.source, now) {
            return true;
        }
        if let Some((key, net, of)) = self.prefixes.banned(unit, now) {
            // A neighbour who was familiar before the ban began is let in, and the prefix with him.
            if case.familiar && case.attempt.outcome == Outcome::Success {
                self.prefixes.unban(key);
                self.convictions.lift(key.apart(), now);
                let id = self.next_id();
                let reason = UnbanReason::Narrowed;
                self.effects.push_back(Effect::Unban { id, of, prefix: net, time: now, reason });
                return false;
            }
            return true;
        }
        let Some(source) = self.sources.get_mut(unit.0) else { return false };
        if source.banned_until == 0 {
            return false;
        }
        if !source.ban_is_over(now) {
            return !source.has(NARROW) || self.addresses.is_meant(unit, case.attempt.source);
        }
        source.end_ban(now);
        self.addresses.unban(unit);
        self.dossiers.close(unit);
        self.dossiers.note(
            unit,
            &Source::default(),
            weights::PROBATION,
            &[(Signal::Probation, weights::PROBATION)],
            b"",
            &self.limits,
        );
        false
    }
}

/// `first · e^excess`, times the ladder for each earlier ban, up to the cap.
fn length(bans: &BanLengths, excess: Nats, strikes: u8, client: bool) -> Span {
    let longest = bans.longest.clamp(BAN_MIN, BAN_MAX);
    let cap = if client { bans.longest_familiar.clamp(BAN_MIN, longest) } else { longest };
    let first = bans.first.clamp(BAN_MIN, cap);
    // e^x by whole and part: 2^(x / ln 2), the part linear, which is off by 6 % at most.
    let halves = i64::from(excess.to_raw().clamp(0, 8 * 1024)) * 1024 / 710;
    let factor_1024 = (1024 + halves % 1024) << (halves / 1024).min(12);
    let step = i64::from(bans.ladder.clamp(1, LADDER_MAX));
    let ladder = step.pow(u32::from(strikes.min(LADDER_STEPS_MAX)));
    let micros = first.as_micros().saturating_mul(ladder).saturating_mul(factor_1024) / 1024;
    Span::micros(micros.clamp(first.as_micros(), cap.as_micros()))
}

/// What the evidence looks like, for people.
fn kind_of_robot(source: &Source, signals: &[SignalSum]) -> RobotKind {
    let sum = |signal: Signal| signals.iter().find(|s| s.signal == signal).map_or(Nats::ZERO, |s| s.nats);
    let total: Nats = signals.iter().map(|s| s.nats.max(Nats::ZERO)).sum();
    if sum(Signal::Connections).scaled(2, 1) > total {
        return RobotKind::ConnectionFlood;
    }
    let weighed: Vec<_> = source.episodes.iter().filter(|e| e.state == EpisodeState::Weighed).collect();
    let unknown = weighed.iter().filter(|e| e.kind == Kind::Unknown).count();
    let one_secret = weighed.first().is_some_and(|first| {
        weighed.len() >= 3 && first.tags[0] != 0 && weighed.iter().all(|e| e.tags[0] == first.tags[0])
    });
    let across = sum(Signal::DictionaryName) + sum(Signal::AccountUnderAttack) + sum(Signal::PopularSecret);
    if one_secret {
        RobotKind::Spraying
    } else if weighed.len() <= 2 && across.scaled(2, 1) > total {
        RobotKind::Botnet
    } else if unknown * 2 >= weighed.len() && unknown > 0 {
        RobotKind::UsernameScan
    } else if weighed.len() <= 2 || weighed.iter().any(|e| e.distinct > 2) {
        RobotKind::PasswordGuessing
    } else {
        RobotKind::CredentialStuffing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bans_grow_with_the_odds_and_the_ladder_up_to_the_cap() {
        let usual = |excess, strikes, client| length(&BanLengths::default(), excess, strikes, client);
        assert_eq!(usual(Nats::ZERO, 0, false), Span::hours(1));
        let e = usual(Nats::milli(1_000), 0, false).as_secs() as f64 / 3600.0;
        assert!((e - core::f64::consts::E).abs() < 0.2, "{e}");
        assert_eq!(usual(Nats::ZERO, 1, false), Span::hours(4));
        assert_eq!(usual(Nats::ZERO, 2, false), Span::hours(16));
        assert_eq!(usual(Nats::milli(60_000), 9, true), Span::hours(24));
        assert_eq!(usual(Nats::milli(60_000), 9, false), Span::days(7));
    }

    #[test]
    fn the_operator_says_how_long_bans_are() {
        let bans = BanLengths {
            first: Span::minutes(5),
            longest: Span::hours(2),
            longest_familiar: Span::minutes(30),
            ladder: 2,
        };
        let lengths =
            |client| [0, 1, 3, 200].map(|strikes| length(&bans, Nats::ZERO, strikes, client).as_secs());
        assert_eq!(lengths(false), [300, 600, 2_400, 7_200]);
        assert_eq!(lengths(true), [300, 600, 1_800, 1_800]);
    }

    #[test]
    fn no_lengths_are_so_wrong_that_there_is_no_ban() {
        let spans = [Span::micros(i64::MIN), Span::ZERO, Span::hours(3), Span::micros(i64::MAX)];
        for first in spans {
            for longest in spans {
                for longest_familiar in spans {
                    for ladder in [0, 1, 255] {
                        let bans = BanLengths { first, longest, longest_familiar, ladder };
                        for (strikes, client) in [(0, true), (255, true), (255, false)] {
                            let length = length(&bans, Nats::milli(90_000), strikes, client);
                            assert!((BAN_MIN..=BAN_MAX).contains(&length), "{bans:?}: {length:?}");
                        }
                    }
                }
            }
        }
    }
}
