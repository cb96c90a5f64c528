//! What a success excuses, and what it does not.
//!
//! A success explains the failures of its own account and of two names that are a slip of a finger away: the digest
//! login a second before, the typo, the old password. It explains nobody else's. From a source that was guessing it is
//! no excuse but a **hit**: the account is probably taken.

use core::net::IpAddr;

use super::outage::Change;
use super::pending::{Waiting, pair_key};
use super::prefixes::around;
use super::source::{EpisodeState, HIT, HUB, PROXY, Unit, secs_u32};
use super::{Case, Judge};
use crate::account::{Account, AccountKey, is_near_miss, is_other_form};
use crate::decay::decayed;
use crate::effect::{Alarm, Effect, Signal};
use crate::event::{Service, Session};
use crate::nats::Nats;
use crate::time::{Span, Time};
use crate::weights::{self, Kind};

/// Accounts that must have succeeded before the failures began for a source to be a hub. A robot that buys a dozen
/// accounts is none.
pub(super) const HUB_ACCOUNTS: u16 = 16;
/// Distinct secrets, or untagged tries, at an account that a person makes before the right one.
const SECRETS_MAX: u8 = 4;
const UNTAGGED_TRIES_MAX: u16 = 6;
/// Accounts of one source that successes without a name may excuse.
///
/// An office of a dozen may have a program each that fails once before it logs in; a robot that owns an account and
/// logs in within each session gains so many guesses, once.
const UNNAMED_MAX: u8 = 16;
/// The same where the success was of another session: less likely the same person's.
const UNNAMED_ELSEWHERE_MAX: u8 = 8;
/// After a hit, the pair becomes familiar only when this much time has passed.
const QUARANTINE: Span = Span::hours(24);

impl Judge {
    pub(super) fn success(&mut self, case: &Case<'_>) {
        let (attempt, unit, now) = (case.attempt, case.unit, self.now);
        self.sights.note(attempt.service, true, now);
        let (Some(id), Account::Known(key) | Account::Cut(key)) = (case.id, &attempt.account) else {
            self.excuse_hidden(unit, 1);
            self.unnamed_success(unit, attempt.service, 1);
            return;
        };
        let mut news = true;
        let known = match self.accounts.pair_mut(id, unit) {
            Some(pair) => {
                news = pair.last / 60 != secs_u32(now) / 60;
                pair.last = secs_u32(now);
                pair.habit = pair.habit.saturating_add(u8::from(pair.failures > 0));
                pair.failures = 0;
                true
            }
            None => false,
        };
        if known {
            self.accounts.touch(id, now);
        }
        if news {
            self.learn_realm(key, id, unit);
        }
        if case.familiar
            && self.outages.succeeded(attempt.service, id.0, unit, news, now) == Some(Change::Ended)
        {
            self.alarm(Alarm::OutageEnded { service: attempt.service });
        }
        if known && self.sources.get(unit.0).is_none_or(|source| source.episodes.is_empty()) {
            return;
        }
        self.explain_failures(case, key, known);
    }

    /// Excuses, forgives, or finds a hit; then notes what the success teaches.
    fn explain_failures(&mut self, case: &Case<'_>, key: &AccountKey, known: bool) {
        let (Some(id), unit, now) = (case.id, case.unit, self.now) else { return };
        let others = self.evidence_elsewhere(unit, id.low(), key);
        let brute = self.is_brute(unit, id.low());
        let hit = !case.familiar && (others >= weights::LIMIT.scaled(1, 2) || brute);
        if hit {
            self.tell_hit(case, others);
        }
        if !known {
            self.first_success(case, key, hit);
            // A success is honest evidence even then: an office whose first hour we see logs in again and again, a
            // robot's second hit is far away.
            self.credit(unit, now);
        } else if !hit && !case.familiar {
            self.release(id, unit);
        }
        if hit {
            // A classroom of newcomers looks like this at first. What failed at this very account before says nothing
            // about the others either way, and taking it back gives a robot nothing but tries at an account it has.
            self.excuse_own(unit, id.low());
            return;
        }
        let may_forgive = others < weights::LIMIT.scaled(1, 2);
        let excused = self.excuse(unit, id, key, may_forgive);
        self.excuse_hidden(unit, 1);
        if (excused || !known)
            && let Some(source) = self.sources.get_mut(unit.0)
        {
            source.open = 0;
        }
    }

    /// The evidence of a source from accounts other than this one and its near misses; what is pending counts as a
    /// plain wrong secret each.
    fn evidence_elsewhere(&self, unit: Unit, account: u32, key: &AccountKey) -> Nats {
        let Some(source) = self.sources.get(unit.0) else { return Nats::ZERO };
        let mut sum = source.score(self.now);
        let main =
            source.episodes.iter().find(|e| e.account == account).map(super::source::Episode::judged_as);
        for episode in &source.episodes {
            let own = Some(episode.account) == main || self.is_slip_of(unit, episode.account, key);
            match episode.state {
                EpisodeState::Weighed if own => sum -= Nats::raw(i32::from(episode.nats)),
                EpisodeState::Pending if !own => {
                    let waits_long = self.pending.get(unit, episode.account).is_some_and(|w| {
                        w.mechanism == crate::event::Mechanism::Plain && !w.name_is_hidden()
                    });
                    if waits_long {
                        sum += weights::COMMON.scaled(1, 2);
                    }
                }
                _ => {}
            }
        }
        sum
    }

    /// More secrets, or more tries, at this account than a person makes.
    fn is_brute(&self, unit: Unit, account: u32) -> bool {
        let Some(source) = self.sources.get(unit.0) else { return false };
        let main =
            source.episodes.iter().find(|e| e.account == account).map(super::source::Episode::judged_as);
        source.episodes.iter().any(|episode| {
            Some(episode.account) == main
                && episode.state == EpisodeState::Weighed
                && (episode.distinct > SECRETS_MAX || u16::from(episode.burst) >= weights::FAST_TRIES)
        })
    }

    /// Excuses the failures of an account and of its near misses. Returns whether there were any.
    fn excuse(&mut self, unit: Unit, id: super::AccountId, key: &AccountKey, may_forgive: bool) -> bool {
        let account = id.low();
        let Some(source) = self.sources.get(unit.0) else { return false };
        let candidates: Vec<(u32, EpisodeState)> =
            source.episodes.iter().map(|episode| (episode.account, episode.state)).collect();
        let mut any = false;
        let own_main =
            source.episodes.iter().find(|e| e.account == account).map(super::source::Episode::judged_as);
        for (other, state) in candidates {
            if state == EpisodeState::Slip {
                continue;
            }
            let own = other == account || Some(other) == own_main;
            if state == EpisodeState::Excused {
                if own || self.is_slip_of(unit, other, key) {
                    self.rest(unit, other);
                }
                continue;
            }
            if !own {
                if !self.is_slip_of(unit, other, key) {
                    continue;
                }
                let Some(pair) = self.accounts.pair_mut(id, unit) else { continue };
                if !pair.take_near(other) {
                    continue;
                }
            }
            any |= match state {
                EpisodeState::Pending => self.excuse_pending(unit, other),
                _ => may_forgive && self.forgive(unit, other),
            };
        }
        any
    }

    /// A success between them: the tries of one minute begin anew.
    fn rest(&mut self, unit: Unit, account: u32) {
        if let Some(episode) = self.sources.get_mut(unit.0).and_then(|source| source.episode(account)) {
            episode.burst = 0;
        }
    }

    /// Excuses the failures of this account alone, as far as a person could have made them.
    fn excuse_own(&mut self, unit: Unit, account: u32) {
        let Some(episode) = self.sources.get_mut(unit.0).and_then(|source| source.episode(account)) else {
            return;
        };
        let account = episode.judged_as();
        match self.sources.get_mut(unit.0).and_then(|source| source.episode(account)).map(|e| e.state) {
            Some(EpisodeState::Pending) => {
                self.excuse_pending(unit, account);
            }
            Some(EpisodeState::Weighed | EpisodeState::Device) => {
                self.forgive(unit, account);
            }
            _ => {}
        }
    }

    fn excuse_pending(&mut self, unit: Unit, account: u32) -> bool {
        self.pending.remove(unit, account);
        let Some(source) = self.sources.get_mut(unit.0) else { return false };
        source.open = source.open.saturating_sub(1);
        let Some(episode) = source.episode(account) else { return false };
        episode.state = EpisodeState::Excused;
        true
    }

    /// Takes back what a weighed episode has added, if a person could have made it.
    fn forgive(&mut self, unit: Unit, account: u32) -> bool {
        let now = self.now;
        let Some(source) = self.sources.get_mut(unit.0) else { return false };
        let first = source.episodes.iter().filter(|e| e.state == EpisodeState::Weighed).count() == 1;
        let Some(episode) = source.episode(account) else { return false };
        let tagged = episode.tags[0] != 0;
        let human =
            if tagged { episode.distinct <= SECRETS_MAX } else { episode.tries <= UNTAGGED_TRIES_MAX };
        if !human || u16::from(episode.burst) >= weights::FAST_TRIES {
            return false;
        }
        let age = now.since(Time::from_secs(i64::from(episode.last)));
        let left = Nats::raw(decayed(i64::from(episode.nats), age, weights::HALF_LIFE) as i32);
        let kind = episode.kind;
        episode.state = EpisodeState::Excused;
        episode.nats = 0;
        source.count(now, kind, false);
        source.open = source.open.saturating_sub(1);
        let back = left.min(source.score(now).max(Nats::ZERO));
        self.add(unit, &[(kind.signal(), -back)]);
        if first {
            self.prefixes.excused(unit, kind, now);
        }
        true
    }

    /// A success excuses nameless failures one for one, the latest first: digests at services that do not log their name.
    pub(super) fn excuse_hidden(&mut self, unit: Unit, successes: u16) {
        for _ in 0..successes {
            let Some(source) = self.sources.get_mut(unit.0) else { return };
            let hidden = source
                .episodes
                .iter()
                .rposition(|episode| episode.kind == Kind::Hidden && episode.state == EpisodeState::Pending);
            let Some(at) = hidden else { return };
            let account = source.episodes[at].account;
            let mut episodes = core::mem::take(&mut source.episodes).into_vec();
            episodes.remove(at);
            source.episodes = episodes.into_boxed_slice();
            source.open = source.open.saturating_sub(1);
            self.pending.remove(unit, account);
        }
    }

    /// The end of a session that tells how many of its tries succeeded, without naming them: each excuses one pending
    /// failure of that service, its own session's first, for a bounded number of accounts a source. The rest is due as if it had failed alone.
    pub(super) fn session_end(
        &mut self,
        address: IpAddr,
        service: Service,
        session: Session,
        successes: u16,
    ) {
        let (unit, now) = (Unit::of(address), self.now);
        if successes > 0 {
            self.sights.note(service, true, now);
        }
        let own = |waiting: &Waiting| waiting.service == service && waiting.session == session;
        let left = self.excuse_unnamed(unit, successes, UNNAMED_MAX, own);
        for account in self.waiting(unit, own) {
            if let Some(waiting) = self.pending.get(unit, account) {
                let due = now.max(waiting.time.plus(weights::PLAIN_PENDING));
                self.pending.postpone(unit, account, due);
            }
        }
        self.unnamed_success(unit, service, left);
    }

    /// Somebody logged in whom no line names: credit as for an account's first success, in sum no more than accounts
    /// get, and an excuse for failures of sessions before. Who mistypes may connect again.
    fn unnamed_success(&mut self, unit: Unit, service: Service, successes: u16) {
        let now = self.now;
        if successes > 0
            && let Some(source) = self.sources.get_mut(unit.0)
            && Nats::raw(i32::from(source.credit)) > weights::CREDIT_SUM
        {
            source.open = 0;
            self.credit(unit, now);
        }
        self.excuse_unnamed(unit, successes, UNNAMED_ELSEWHERE_MAX, |waiting| waiting.service == service);
    }

    /// Excuses pending failures, the latest first, for a bounded number of accounts a source; returns how many successes
    /// are left.
    fn excuse_unnamed(
        &mut self,
        unit: Unit,
        mut successes: u16,
        max: u8,
        of: impl Fn(&Waiting) -> bool,
    ) -> u16 {
        for account in self.waiting(unit, of) {
            match self.sources.get_mut(unit.0) {
                Some(source) if successes > 0 && source.excused_unnamed < max => {
                    source.excused_unnamed += 1;
                }
                _ => break,
            }
            successes -= 1;
            self.excuse_pending(unit, account);
        }
        successes
    }

    /// Accounts of a source whose failures wait, the latest first.
    fn waiting(&self, unit: Unit, of: impl Fn(&Waiting) -> bool) -> Vec<u32> {
        let episodes = self.sources.get(unit.0).map_or(&[][..], |source| &source.episodes);
        let pending = episodes.iter().rev().filter(|episode| episode.state == EpisodeState::Pending);
        let accounts = pending.map(|episode| episode.account);
        accounts.filter(|&account| self.pending.get(unit, account).is_some_and(&of)).collect()
    }

    /// The pair becomes familiar (at once, or after a quarantine when it was a hit), and the source a client.
    fn first_success(&mut self, case: &Case<'_>, key: &AccountKey, hit: bool) {
        let (Some(id), unit, now) = (case.id, case.unit, self.now) else { return };
        let from = if hit { now.plus(QUARANTINE) } else { now };
        let gone = self.accounts.add(id, key, unit, now, from, &self.limits);
        for evicted in gone {
            if let Some(source) = self.sources.get_mut(evicted.0).filter(|source| source.ok > 0) {
                source.ok -= 1;
                if source.ok == 0 {
                    self.clients -= 1;
                    self.crowds.enter(evicted);
                }
            }
        }
        let word = self.word(key);
        self.across.bar_word(word);
        if !hit {
            self.admit(id, unit, case.attempt.source);
        }
    }

    /// A pair in quarantine succeeded, and what spoke against its source is gone: it is familiar from now on.
    fn release(&mut self, id: super::AccountId, unit: Unit) {
        let now = self.now;
        let Some(pair) = self.accounts.pair_mut(id, unit) else { return };
        pair.familiar_from = secs_u32(now);
        let address = unit.address();
        self.admit(id, unit, address);
    }

    /// One more account logs in at this source.
    fn admit(&mut self, id: super::AccountId, unit: Unit, address: IpAddr) {
        let now = self.now;
        if let Some(pair) = self.accounts.pair_mut(id, unit) {
            pair.admitted = true;
        }
        self.make_room_for_client(unit);
        let source = self.source(unit);
        let newcomer = source.ok == 0;
        source.ok = source.ok.saturating_add(1);
        if source.open == 0 {
            source.ok_before = source.ok;
        }
        let (ok, flags) = (source.ok, source.flags);
        if newcomer {
            self.clients += 1;
            self.crowds.leave(unit);
            self.prefixes.success(unit, now, &self.limits);
        }
        if ok >= HUB_ACCOUNTS && flags & HUB == 0 && self.is_hub(unit) {
            self.tell_hub(unit, address, ok);
        }
        let many = self.accounts.pairs() >= 40 && self.accounts.len() >= 20;
        if many && flags & PROXY == 0 && u64::from(ok) * 10 >= self.accounts.pairs() * 8 {
            if let Some(source) = self.sources.get_mut(unit.0) {
                source.flags |= PROXY;
            }
            self.alarm(Alarm::Proxy { source: address });
        }
    }

    /// Clients have a bound of their own; the one that was silent longest goes.
    fn make_room_for_client(&mut self, unit: Unit) {
        let here = self.sources.get(unit.0).is_some_and(|source| source.ok > 0);
        if !here && self.clients >= self.limits.clients {
            let victim = self.sources.victim(32, |source| (source.ok > 0).then(|| source.last_secs()));
            if let Some(victim) = victim {
                self.sources.remove(victim);
                self.clients -= 1;
            }
        }
    }

    /// Credit for a first success: once an account, bounded in sum.
    fn credit(&mut self, unit: Unit, now: Time) {
        let Some(source) = self.sources.get_mut(unit.0) else { return };
        let left = weights::CREDIT_SUM - Nats::raw(i32::from(source.credit));
        let nats = weights::FIRST_SUCCESS.max(left).min(Nats::ZERO);
        if nats < Nats::ZERO {
            source.credit += nats.to_raw() as i16;
            if source.score(now) > Nats::ZERO {
                self.add(unit, &[(Signal::Success, nats)]);
            } else if let Some(source) = self.sources.get_mut(unit.0) {
                source.add(now, nats);
            }
        }
    }

    /// Whether the account behind an episode's name is the succeeding one, mistyped or in its other form.
    fn is_slip_of(&self, unit: Unit, account: u32, key: &AccountKey) -> bool {
        let pending = self.pending.get(unit, account);
        if pending.is_some_and(|waiting| waiting.cut) {
            return pending
                .and_then(|waiting| waiting.name.as_ref())
                .is_some_and(|name| key.as_bytes().starts_with(name.as_bytes()));
        }
        let name = pending.and_then(|waiting| waiting.name.as_ref()).or_else(|| self.names.get(account));
        name.is_some_and(|name| is_near_miss(name, key) || is_other_form(name, key))
    }

    /// Whether so many accounts logged in at this source before its failures began that it is never banned by address.
    pub(super) fn is_hub(&self, unit: Unit) -> bool {
        self.sources
            .get(unit.0)
            .is_some_and(|source| source.ok_before.min(source.ok) >= HUB_ACCOUNTS || source.has(PROXY))
    }

    /// All of them; it looks at every source there is.
    pub(crate) fn hubs(&self) -> impl Iterator<Item = ipnet::IpNet> {
        self.sources.iter().map(|(unit, _)| Unit(unit)).filter(|unit| self.is_hub(*unit)).map(Unit::prefix)
    }

    fn tell_hub(&mut self, unit: Unit, address: IpAddr, accounts: u16) {
        if let Some(source) = self.sources.get_mut(unit.0) {
            source.flags |= HUB;
        }
        let id = self.next_id();
        self.effects.push_back(Effect::Hub {
            id,
            time: self.now,
            source: address,
            accounts: u32::from(accounts),
        });
    }

    fn tell_hit(&mut self, case: &Case<'_>, evidence: Nats) {
        let account = case.id.map_or(0, super::AccountId::low);
        let Some(source) = self.sources.get_mut(case.unit.0) else { return };
        source.flags |= HIT;
        let guesses = source.attempts;
        if !self.tell_today(pair_key(case.unit, account) ^ 2) {
            return;
        }
        let id = self.next_id();
        self.effects.push_back(Effect::Hit {
            id,
            time: self.now,
            source: case.attempt.source,
            account: case.attempt.account.clone(),
            guesses,
            evidence,
        });
    }

    /// Whether anybody ever logged in at a neighbour of this unit.
    pub(super) fn neighbour_succeeded(&self, unit: Unit) -> bool {
        around(unit).any(|(key, _)| self.prefixes.has_success(key))
    }
}
