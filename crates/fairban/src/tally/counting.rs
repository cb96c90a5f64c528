//! What a counting rule would have done with the same attempts: so many failures of one address within a window ban it
//! for a time. While it is banned nothing of it is counted; that is what such tools see.

use std::net::IpAddr;

use fairban_core::time::Time;
use serde::{Deserialize, Serialize};

use super::map::Map;
use crate::cli::Rule;

/// Addresses counted at once. Who fills it hides from a comparison, nothing else.
const ADDRESSES_MAX: usize = 1 << 17;

/// The rule at work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counting {
    pub(crate) rule: Rule,
    addresses: Map<IpAddr, Counted>,
    swept: Time,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Counted {
    /// Failures within the window, the oldest first.
    failures: Vec<Time>,
    banned_until: Option<Time>,
}

/// What the rule makes of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    /// Lets it pass.
    Passes,
    /// Lets it pass and bans the address after it.
    Bans,
    /// Keeps it out.
    Denies,
}

impl Counting {
    pub(crate) fn new(rule: Rule) -> Counting {
        Counting { rule, addresses: Map::default(), swept: Time::MIN }
    }

    pub(crate) fn attempt(&mut self, source: IpAddr, time: Time, failed: bool) -> Counts {
        self.sweep(time);
        let full = self.addresses.len() >= ADDRESSES_MAX;
        let counted = match self.addresses.get_mut(&source) {
            Some(counted) => counted,
            None if failed && !full => self.addresses.entry(source).or_default(),
            None => return Counts::Passes,
        };
        match counted.banned_until {
            Some(until) if time < until => return Counts::Denies,
            Some(_) => *counted = Counted::default(),
            None => {}
        }
        if !failed {
            return Counts::Passes;
        }
        let oldest = time.minus(self.rule.window);
        counted.failures.retain(|&failure| failure > oldest);
        counted.failures.push(time);
        if counted.failures.len() < usize::from(self.rule.failures) {
            return Counts::Passes;
        }
        *counted = Counted { failures: Vec::new(), banned_until: Some(time.plus(self.rule.ban)) };
        Counts::Bans
    }

    /// Reads what a source's next attempt will ask for; what it returns means nothing.
    pub(crate) fn foresee(&self, source: IpAddr) -> u64 {
        let counted = self.addresses.get(&source);
        counted.and_then(|counted| counted.failures.last()).map_or(0, |last| last.micros() as u64)
    }

    /// Forgets, once a window, what can count no more.
    fn sweep(&mut self, now: Time) {
        if now < self.swept.plus(self.rule.window) {
            return;
        }
        self.swept = now;
        let oldest = now.minus(self.rule.window);
        self.addresses.retain(|_, counted| {
            let banned = counted.banned_until.is_some_and(|until| until > now);
            banned || counted.failures.last().is_some_and(|&last| last > oldest)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_counts_bans_denies_and_forgets() {
        let mut counting = Counting::new("3/10m/1h".parse().unwrap());
        let source = IpAddr::from([192, 0, 2, 1]);
        let mut at = |minute: i64, failed| counting.attempt(source, Time::from_secs(minute * 60), failed);
        assert_eq!(
            [at(0, true), at(5, true), at(11, true)],
            [Counts::Passes; 3],
            "the first is out of the window"
        );
        assert_eq!(at(12, true), Counts::Bans);
        assert_eq!([at(13, true), at(71, false)], [Counts::Denies; 2]);
        assert_eq!(
            [at(72, false), at(73, true)],
            [Counts::Passes; 2],
            "the ban is over and nothing is left of it"
        );
    }

    #[test]
    fn successes_alone_cost_no_memory() {
        let mut counting = Counting::new("5/10m/10m".parse().unwrap());
        for n in 0..1000u32 {
            counting.attempt(IpAddr::from(n.to_be_bytes()), Time::from_secs(i64::from(n)), false);
        }
        assert!(counting.addresses.is_empty());
    }
}
