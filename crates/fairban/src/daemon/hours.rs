//! What happened hour by hour, so that a report tells exactly the time that it was asked for.

use std::collections::VecDeque;

use fairban_core::time::Time;
use serde::{Deserialize, Serialize};

use crate::tally::Totals;

/// Hours kept, the latest: two weeks and a day.
const HOURS_MAX: usize = 15 * 24;

const HOUR_SECS: i64 = 3_600;

/// All of them, in their order. An hour in which nothing happened is not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hours {
    rows: VecDeque<Hour>,
    /// Hours before this one were forgotten; the first that was ever counted, if none was.
    first: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Hour {
    /// Since 1970.
    number: i64,
    counts: Counts,
}

/// What adds up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) attempts: u64,
    pub(crate) successes: u64,
    pub(crate) failures: u64,
    pub(crate) kept_out: u64,
    pub(crate) bans: u64,
    pub(crate) hits: u64,
    pub(crate) rule_bans: u64,
}

impl Counts {
    /// What came to a count between two looks at it.
    pub(crate) fn between(before: &Totals, after: &Totals) -> Counts {
        Counts {
            attempts: after.attempts - before.attempts,
            successes: after.successes - before.successes,
            failures: after.failures - before.failures,
            kept_out: after.kept_out - before.kept_out,
            bans: after.bans - before.bans,
            hits: after.hits - before.hits,
            rule_bans: after.rule_bans - before.rule_bans,
        }
    }

    fn add(&mut self, more: &Counts) {
        self.attempts += more.attempts;
        self.successes += more.successes;
        self.failures += more.failures;
        self.kept_out += more.kept_out;
        self.bans += more.bans;
        self.hits += more.hits;
        self.rule_bans += more.rule_bans;
    }
}

impl Hours {
    /// Something happened. Time does not go back.
    pub(crate) fn add(&mut self, now: Time, counts: &Counts) {
        let number = now.secs().div_euclid(HOUR_SECS);
        self.first.get_or_insert(number);
        match self.rows.back_mut() {
            Some(last) if last.number >= number => last.counts.add(counts),
            _ => {
                if self.rows.len() >= HOURS_MAX {
                    self.rows.pop_front();
                    self.first = self.rows.front().map(|row| row.number);
                }
                self.rows.push_back(Hour { number, counts: *counts });
            }
        }
    }

    /// What happened since the beginning of the hour that `since` lies in, and when that was; later, if nothing is known
    /// from then. `None` if nothing ever happened.
    pub(crate) fn since(&self, since: Time) -> Option<(Time, Counts)> {
        let from = since.secs().div_euclid(HOUR_SECS).max(self.first?);
        let mut sum = Counts::default();
        self.rows.iter().rev().take_while(|row| row.number >= from).for_each(|row| sum.add(&row.counts));
        Some((Time::from_secs(from * HOUR_SECS), sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Time {
        Time::from_secs(hour * HOUR_SECS + 1_234)
    }

    #[test]
    fn a_time_is_told_from_the_hour_it_lies_in() {
        let mut hours = Hours::default();
        assert_eq!(hours.since(at(0)), None);
        for hour in [10, 11, 11, 15] {
            hours.add(at(hour), &Counts { attempts: 1, ..Counts::default() });
        }
        let since =
            |hour| hours.since(at(hour)).map(|(from, counts)| (from.secs() / HOUR_SECS, counts.attempts));
        assert_eq!(since(11), Some((11, 3)));
        assert_eq!(since(12), Some((12, 1)), "nothing happened then, and that is known");
        assert_eq!(since(15), Some((15, 1)));
        assert_eq!(since(16), Some((16, 0)));
        assert_eq!(since(0), Some((10, 4)), "memory reaches no further");
    }

    #[test]
    fn hours_are_bounded_and_the_oldest_go() {
        let mut hours = Hours::default();
        for hour in 0..1_000 {
            hours.add(at(hour), &Counts { bans: 1, ..Counts::default() });
        }
        let first = 1_000 - HOURS_MAX as i64;
        let told =
            hours.since(Time::from_secs(0)).map(|(from, counts)| (from.secs() / HOUR_SECS, counts.bans));
        assert_eq!(told, Some((first, HOURS_MAX as u64)));
    }
}
