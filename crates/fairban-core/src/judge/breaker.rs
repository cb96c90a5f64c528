//! The breaker: looks at *whom* bans hit, not at how many.
//!
//! Bans of sources at which nobody ever logged in never trip it, so no botnet disarms us, whatever its size; nor do bans of
//! those at which the first login is less than an hour ago, for a robot may own an account. Bans of sources at which people
//! log in do: the third within ten minutes, or the one that makes it 1 % of such sources that
//! were active (and three) within a day. From then on such sources are only recorded, with an alarm each, while strangers
//! are banned as ever. It closes again by itself an hour after the last *new* source that it spared, or when the operator
//! says so ([`Order::Resume`](crate::engine::Order::Resume)); what it counted is forgotten then.
//!
//! What an attacker gains: who logs in at three sources of his own and guesses from there has sources *at which somebody
//! logs in* recorded only, for as long as he brings a new one each hour. The accounts are his, or told as hits.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::Judge;
use super::source::{Unit, secs_u32};
use crate::effect::{Alarm, Protection};
use crate::engine::BreakerOpen;
use crate::time::{Span, Time};

/// So many bans within [`WINDOW`] trip it, and no fewer within [`DAY`].
const BANS_MIN: usize = 3;
const WINDOW: Span = Span::minutes(10);
const DAY: Span = Span::hours(24);
/// Of so many active sources one ban a day is none too many.
const ACTIVE_A_BAN: usize = 100;
/// It stays open for so long after the last source that it spared.
const OPEN_FOR: Span = Span::hours(1);
/// Bans remembered: a site where these are less than 1 % a day has 102,400 active sources. The oldest goes first, and the
/// burst rule needs only the last three.
const BANS_MAX: usize = 1_024;
/// A source has a history of successes from then on.
const HISTORY_MIN: Span = Span::hours(1);
/// Sources that it knows to have spared; further ones are counted each time they come.
const SPARED_MAX: usize = 4_096;

/// See the module's head.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Breaker {
    /// Bans of sources with a history of successes, within a day.
    bans: VecDeque<Time>,
    open: Option<Open>,
}

/// It has tripped.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Open {
    since: Time,
    until: Time,
    spared: BTreeSet<u64>,
}

/// What it says of one ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    /// Ban.
    Ban,
    /// Record only; and it tripped just now.
    Trip,
    /// Record only.
    Spare,
}

impl Breaker {
    /// Whether a source with history may be banned now, where so many such were `active` within a day.
    fn asked(&mut self, unit: Unit, now: Time, active: impl FnOnce() -> usize) -> Says {
        if let Some(open) = &mut self.open {
            if open.until > now {
                if open.spared.len() < SPARED_MAX && open.spared.insert(unit.0) {
                    open.until = now.plus(OPEN_FOR);
                }
                return Says::Spare;
            }
            *self = Breaker::default();
        }
        self.bans.retain(|at| now.since(*at) <= DAY);
        let lately = self.bans.iter().filter(|at| now.since(**at) <= WINDOW).count() + 1;
        let today = self.bans.len() + 1;
        let is_burst = lately >= BANS_MIN;
        if is_burst || today >= BANS_MIN && today * ACTIVE_A_BAN >= active() {
            let spared = BTreeSet::from([unit.0]);
            self.open = Some(Open { since: now, until: now.plus(OPEN_FOR), spared });
            return Says::Trip;
        }
        if self.bans.len() >= BANS_MAX {
            self.bans.pop_front();
        }
        self.bans.push_back(now);
        Says::Ban
    }

    fn open_at(&self, now: Time) -> Option<&Open> {
        self.open.as_ref().filter(|open| open.until > now)
    }
}

impl Judge {
    /// Whether the source, whose evidence has reached the limit, is recorded only. Tells so, once a day.
    pub(super) fn is_spared(&mut self, unit: Unit) -> bool {
        if self.is_hub(unit) {
            self.tell_spared(unit, Protection::Hub);
            return true;
        }
        if self.sources.get(unit.0).is_none_or(|source| source.ok == 0) {
            return false;
        }
        // Asked first: whether it has a history is a walk over all accounts.
        let is_known = self.breaker.open_at(self.now).is_some_and(|open| open.spared.contains(&unit.0));
        if !is_known && !self.has_history(unit) {
            return false;
        }
        let (now, accounts) = (self.now, &self.accounts);
        let since = secs_u32(now.minus(DAY));
        let says = self.breaker.asked(unit, now, || accounts.active_units(since));
        if says == Says::Trip {
            self.alarm(Alarm::Breaker);
        }
        if says != Says::Ban {
            self.tell_spared(unit, Protection::Breaker);
        }
        says != Says::Ban
    }

    /// Whether somebody has been logging in here for a while. Who guesses, and logs in at an account of his own between the
    /// guesses, has not.
    fn has_history(&self, unit: Unit) -> bool {
        let (now, since) = (secs_u32(self.now), secs_u32(self.now.minus(HISTORY_MIN)));
        self.accounts.at(unit).any(|(_, pair)| pair.familiar_from <= now && pair.first <= since)
    }

    fn tell_spared(&mut self, unit: Unit, because: Protection) {
        if self.tell_today(unit.0 ^ (0x5a5e_0000 + because as u64) << 33) {
            self.alarm(Alarm::Spared { source: unit.address(), because });
        }
    }

    /// The operator wants such sources banned again.
    pub(super) fn close_breaker(&mut self) {
        self.breaker = Breaker::default();
    }

    pub(crate) fn breaker(&self) -> Option<BreakerOpen> {
        let open = self.breaker.open_at(self.now)?;
        Some(BreakerOpen { since: open.since, until: open.until, spared: open.spared.len() as u64 })
    }

    /// What `why` says of a source that the breaker spares.
    pub(super) fn breaker_remark(&self, unit: Unit) -> Option<String> {
        let open = self.breaker.open_at(self.now)?;
        open.spared.contains(&unit.0).then(|| {
            format!(
                "Protected because the breaker is open: bans hit several sources at which people log in, so such are only \
                 recorded, until {} s from now or until the operator resumes.",
                open.until.since(self.now).as_secs()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(number: u64) -> Unit {
        Unit(1 << 32 | number)
    }

    fn ask(breaker: &mut Breaker, number: u64, minutes: i64, active: usize) -> Says {
        breaker.asked(unit(number), Time::from_secs(1_000_000 + minutes * 60), || active)
    }

    #[test]
    fn the_third_in_ten_minutes_trips_it_however_many_are_active() {
        let mut breaker = Breaker::default();
        let says: Vec<Says> = (0..5).map(|n| ask(&mut breaker, n, n as i64, 1_000_000)).collect();
        assert_eq!(says, [Says::Ban, Says::Ban, Says::Trip, Says::Spare, Says::Spare]);
    }

    #[test]
    fn one_in_a_hundred_a_day_trips_it_however_slowly() {
        let mut breaker = Breaker::default();
        let says: Vec<Says> = (0..10).map(|n| ask(&mut breaker, n, n as i64 * 60, 865)).collect();
        assert_eq!(says.iter().position(|says| *says == Says::Trip), Some(8), "nine of 865");
        let mut breaker = Breaker::default();
        let says: Vec<Says> = (0..100).map(|n| ask(&mut breaker, n, n as i64 * 60, 2_600)).collect();
        assert!(says.iter().all(|says| *says == Says::Ban), "25 a day of 2600");
    }

    #[test]
    fn it_closes_an_hour_after_the_last_new_source() {
        let mut breaker = Breaker::default();
        for number in 0..3 {
            ask(&mut breaker, number, 0, 1);
        }
        assert_eq!(ask(&mut breaker, 3, 30, 1), Says::Spare);
        for minute in 31..90 {
            assert_eq!(ask(&mut breaker, 3, minute, 1), Says::Spare, "the same one does not hold it open");
        }
        assert_eq!(ask(&mut breaker, 3, 90, 1), Says::Ban);
        assert_eq!(ask(&mut breaker, 2, 91, 1), Says::Ban);
        assert_eq!(ask(&mut breaker, 4, 92, 1), Says::Trip);
    }

    #[test]
    fn its_tables_are_bounded() {
        let mut breaker = Breaker::default();
        for number in 0..10_000 {
            ask(&mut breaker, number, (number * 5) as i64, usize::MAX);
            assert!(breaker.bans.len() <= BANS_MAX);
        }
        for number in 0..10_000 {
            ask(&mut breaker, number, 60_000, 1);
        }
        assert_eq!(breaker.open.as_ref().map(|open| open.spared.len()), Some(SPARED_MAX));
    }
}
