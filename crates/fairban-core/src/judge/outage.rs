//! When familiar pairs fail together the backend is down, not the world hostile.
//!
//! Eight familiar pairs, of eight accounts, from five unrelated neighbourhoods, familiar for hours, and more of them
//! than of those that still succeed: less can be faked with a few bought accounts. While it lasts, failures at known
//! accounts keep waiting.
//!
//! The guard falls with the first successes and rises again with the next failures, many times while a backend limps.
//! People are told once, and told of the end when it has not risen again for some minutes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::source::{Unit, secs_u32};
use crate::event::Service;
use crate::time::{Span, Time};

/// Pairs remembered as failing, at most: eight are needed, hundreds say no more.
const FAILING_MAX: usize = 1_024;
/// Long enough for a small site's programs to look for mail.
const WINDOW_SECS: u32 = 300;
/// Minutes that are looked at: where many fail in two, nobody has to wait until the successes before are five old.
const WINDOWS_MINUTES: [u32; 2] = [2, 5];
/// A pair that has not succeeded for so long fails for reasons of its own.
pub(crate) const ACTIVE_WITHIN: Span = Span::hours(6);
/// How long a pair must have been familiar to be believed.
pub(crate) const FAMILIAR_SINCE: Span = Span::hours(2);
/// How long before it is noticed an outage may have begun.
const UNNOTICED: Span = Span::minutes(5);
/// How long after it everybody has to log in again.
const COMING_BACK: Span = Span::minutes(15);
const LONG: Span = Span::minutes(30);
/// How long a backend must have been up before the end of its outage is told.
const SETTLED: Span = Span::minutes(5);
const PAIRS_MIN: usize = 8;
const NEIGHBOURHOODS_MIN: usize = 5;

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It began; so many pairs fail.
    Began(u32),
    /// It is over.
    Ended,
    /// It lasts longer than half an hour.
    Long,
}

/// Outage of one service.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Watch {
    /// Failing pairs by (account, unit): seconds of the last failure.
    failing: BTreeMap<(u64, Unit), u32>,
    /// Distinct familiar pairs that succeeded, in each of the last five minutes.
    succeeded: [(u32, u32); 5],
    since: Option<Time>,
    /// When the last one began and ended.
    last: Option<(Time, Time)>,
    /// When the outage began that was told of and whose end was not.
    told: Option<Time>,
    told_long: bool,
    /// Successes of familiar pairs since it began.
    recovered: u32,
}

/// Outages by service.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Outages {
    services: BTreeMap<Service, Watch>,
}

impl Outages {
    /// A pair that has been familiar for hours failed.
    pub(crate) fn failed(&mut self, service: Service, account: u64, unit: Unit, now: Time) -> Option<Change> {
        let secs = secs_u32(now);
        let watch = self.services.entry(service).or_default();
        if watch.failing.len() < FAILING_MAX || watch.failing.contains_key(&(account, unit)) {
            watch.failing.insert((account, unit), secs);
        }
        if watch.since.is_some() {
            return watch.is_long(now).then_some(Change::Long);
        }
        if watch.failing.len() < PAIRS_MIN {
            return None;
        }
        watch.failing.retain(|_, last| secs.saturating_sub(*last) <= WINDOW_SECS);
        if !WINDOWS_MINUTES.iter().any(|&minutes| watch.is_outage(secs, minutes)) {
            return None;
        }
        watch.since = Some(now);
        watch.recovered = 0;
        if watch.told.is_some() {
            return watch.is_long(now).then_some(Change::Long);
        }
        watch.told = Some(now);
        watch.told_long = false;
        Some(Change::Began(watch.failing.len() as u32))
    }

    /// A familiar pair succeeded. `news` if it had not in this minute.
    pub(crate) fn succeeded(
        &mut self,
        service: Service,
        account: u64,
        unit: Unit,
        news: bool,
        now: Time,
    ) -> Option<Change> {
        let watch = self.services.entry(service).or_default();
        watch.failing.remove(&(account, unit));
        if news {
            let minute = secs_u32(now) / 60;
            let place = &mut watch.succeeded[minute as usize % 5];
            *place = if place.0 == minute { (minute, place.1 + 1) } else { (minute, 1) };
        }
        if watch.since.is_some() {
            watch.recovered += 1;
            // One success may be a cached login; three in a row are a backend.
            if watch.recovered >= 3 {
                watch.last = watch.since.take().map(|since| (since, now));
                watch.failing.clear();
            }
            return None;
        }
        let up = watch.last.is_some_and(|(_, until)| now.since(until) >= SETTLED);
        (up && watch.told.take().is_some()).then_some(Change::Ended)
    }

    /// Whether a failure of this service says nothing yet: the backend is down, or was when it happened and has been
    /// back only for minutes. Programs look again when their next time comes.
    pub(crate) fn excuses(&self, service: Service, failed: Time, now: Time) -> bool {
        self.services.get(&service).is_some_and(|watch| {
            let ended = |(since, until): (Time, Time)| {
                since.minus(UNNOTICED) <= failed && failed <= until && now.since(until) <= COMING_BACK
            };
            watch.since.is_some() || watch.last.is_some_and(ended)
        })
    }
}

impl Watch {
    /// Whether the outage that was told of has just become a long one.
    fn is_long(&mut self, now: Time) -> bool {
        let long = !self.told_long && self.told.is_some_and(|since| now.since(since) > LONG);
        self.told_long |= long;
        long
    }

    fn is_outage(&self, secs: u32, minutes: u32) -> bool {
        let recent = |last: u32| secs.saturating_sub(last) <= minutes * 60;
        let pairs: Vec<&(u64, Unit)> =
            self.failing.iter().filter(|&(_, &last)| recent(last)).map(|(pair, _)| pair).collect();
        let mut accounts: Vec<u64> = pairs.iter().map(|(account, _)| *account).collect();
        accounts.sort_unstable();
        accounts.dedup();
        let mut neighbourhoods: Vec<u64> = pairs.iter().map(|(_, unit)| unit.neighbourhood()).collect();
        neighbourhoods.sort_unstable();
        neighbourhoods.dedup();
        let minute = secs / 60;
        let succeeded: u32 = self
            .succeeded
            .iter()
            .filter(|(at, _)| minute.saturating_sub(*at) < minutes)
            .map(|(_, count)| count)
            .sum();
        accounts.len() >= PAIRS_MIN
            && neighbourhoods.len() >= NEIGHBOURHOODS_MIN
            && pairs.len() as u32 > succeeded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(a: u8, b: u8) -> Unit {
        Unit::of(core::net::IpAddr::from([198, 51, a, b]))
    }

    #[test]
    fn eight_pairs_from_unrelated_places_are_an_outage_and_three_bought_ones_are_not() {
        let now = Time::from_secs(1_000_000);
        let mut outages = Outages::default();
        for n in 0..7_u8 {
            assert_eq!(outages.failed(Service::Vpopmail, u64::from(n), unit(n, 1), now), None);
        }
        assert_eq!(outages.failed(Service::Vpopmail, 7, unit(7, 1), now), Some(Change::Began(8)));
        assert!(outages.excuses(Service::Vpopmail, now, now) && !outages.excuses(Service::Dovecot, now, now));
        let later = now.plus(Span::minutes(31));
        assert_eq!(outages.failed(Service::Vpopmail, 7, unit(7, 1), later), Some(Change::Long));
        for n in 0..3 {
            assert_eq!(outages.succeeded(Service::Vpopmail, n, unit(n as u8, 1), true, later), None);
        }
        assert!(outages.excuses(Service::Vpopmail, now, later), "what failed then");
        assert!(!outages.excuses(Service::Vpopmail, later.plus(Span::secs(1)), later), "what fails now");
        assert!(!outages.excuses(Service::Vpopmail, now, later.plus(Span::minutes(16))), "for ever");

        let mut faked = Outages::default();
        for n in 0..200_u64 {
            assert_eq!(faked.failed(Service::Vpopmail, n, unit((n % 3) as u8, n as u8), now), None);
        }
    }

    #[test]
    fn a_backend_that_limps_is_told_of_once_and_its_end_when_it_stays_up() {
        let start = Time::from_secs(1_000_000);
        let (mut outages, mut told) = (Outages::default(), Vec::new());
        for minute in 0..20 {
            let now = start.plus(Span::minutes(minute));
            for n in 0..9_u8 {
                told.extend(outages.failed(Service::Dovecot, u64::from(n), unit(n, 1), now));
            }
            assert!(outages.excuses(Service::Dovecot, now, now), "the guard is up");
            for n in 0..3 {
                told.extend(outages.succeeded(Service::Dovecot, n, unit(n as u8, 1), false, now));
            }
        }
        assert_eq!(told, [Change::Began(8)]);
        for minute in 20..40 {
            let now = start.plus(Span::minutes(minute));
            told.extend(outages.succeeded(Service::Dovecot, 1, unit(1, 1), true, now));
        }
        assert_eq!(told, [Change::Began(8), Change::Ended]);
        // A later one is another one.
        let tomorrow = start.plus(Span::hours(24));
        for n in 0..9_u8 {
            told.extend(outages.failed(Service::Dovecot, u64::from(n), unit(n, 1), tomorrow));
        }
        assert_eq!(told, [Change::Began(8), Change::Ended, Change::Began(8)]);
    }

    #[test]
    fn failures_among_more_successes_are_no_outage() {
        let now = Time::from_secs(1_000_000);
        let mut outages = Outages::default();
        for n in 100..160_u64 {
            outages.succeeded(Service::Dovecot, n, unit(n as u8, 1), true, now);
        }
        for n in 0..40_u8 {
            assert_eq!(outages.failed(Service::Dovecot, u64::from(n), unit(n, 1), now), None);
        }
    }
}
