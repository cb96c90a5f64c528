//! The rule that everybody has: 5 failures in 10 minutes, and the address is out for 10 minutes.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use fairban_core::time::{Span, Time};

use super::{Judge, Verdict};
use crate::format::Told;

/// fail2ban's defaults: `maxretry`, `findtime`, `bantime`.
pub(super) const RETRIES: usize = 5;
pub(super) const FIND: Span = Span::minutes(10);
pub(super) const BAN: Span = Span::minutes(10);

/// Failures of late by address.
#[derive(Clone, Debug, Default)]
pub(super) struct Failures(BTreeMap<IpAddr, VecDeque<Time>>);

impl Failures {
    /// Whether this one is the fifth of the last ten minutes; then they begin anew.
    pub(super) fn is_too_many(&mut self, source: IpAddr, now: Time) -> bool {
        let times = self.0.entry(source).or_default();
        while times.front().is_some_and(|time| now.since(*time) > FIND) {
            times.pop_front();
        }
        times.push_back(now);
        let too_many = times.len() >= RETRIES;
        if too_many {
            self.0.remove(&source);
        }
        too_many
    }
}

/// The counting rule.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counting {
    failures: Failures,
    bans: BTreeMap<IpAddr, Time>,
    verdicts: Vec<Verdict>,
}

impl Judge for Counting {
    fn read(&mut self, _told: &Told, _line: &str) {}

    fn failed(&mut self, source: IpAddr, now: Time) {
        if self.failures.is_too_many(source, now) {
            self.bans.insert(source, now.plus(BAN));
            self.verdicts.push(Verdict { prefix: source.into(), because: String::new() });
        }
    }

    fn shuts_out(&self, source: IpAddr, now: Time) -> bool {
        self.bans.get(&source).is_some_and(|until| now < *until)
    }

    fn pardon(&mut self, source: IpAddr, _now: Time) {
        self.bans.remove(&source);
    }

    fn verdicts(&mut self) -> Vec<Verdict> {
        std::mem::take(&mut self.verdicts)
    }
}
