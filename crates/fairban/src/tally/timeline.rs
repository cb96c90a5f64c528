//! Attempts and bans over time, in a fixed number of buckets whose width grows with the span of the log.

use std::collections::VecDeque;

use fairban_core::time::{Span, Time};
use serde::{Deserialize, Serialize};

/// Many times what a terminal shows, so that folding them leaves a choice of widths.
const BUCKETS_MAX: i64 = 1_024;

/// Widths that clocks show, in seconds: to a minute by doubling would give odd ones.
const WIDTHS: [i64; 20] = [
    1, 5, 10, 30, 60, 120, 300, 600, 900, 1_200, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400,
    172_800, 345_600, 604_800,
];

/// Counters over time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Timeline {
    width_secs: i64,
    /// Number of the first bucket: its start over the width.
    first: i64,
    buckets: VecDeque<Bucket>,
}

/// What happened in one stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bucket {
    pub(crate) successes: u64,
    pub(crate) failures: u64,
    pub(crate) kept_out: u64,
    pub(crate) bans: u64,
}

impl Default for Timeline {
    fn default() -> Timeline {
        Timeline { width_secs: 1, first: 0, buckets: VecDeque::new() }
    }
}

impl Timeline {
    /// The bucket of a time.
    pub(crate) fn at(&mut self, time: Time) -> &mut Bucket {
        loop {
            let at = time.secs().div_euclid(self.width_secs);
            if self.buckets.is_empty() {
                self.first = at;
            }
            let last = self.first + self.buckets.len() as i64 - 1;
            if last.max(at) - self.first.min(at) >= BUCKETS_MAX {
                self.fold();
                continue;
            }
            for _ in at..self.first {
                self.buckets.push_front(Bucket::default());
            }
            self.first = self.first.min(at);
            for _ in last..at {
                self.buckets.push_back(Bucket::default());
            }
            return &mut self.buckets[(at - self.first) as usize];
        }
    }

    /// The width of a bucket, and the buckets from the first to the last with the time at which each begins.
    pub(crate) fn rows(&self, at_most: usize) -> (Span, Vec<(Time, Bucket)>) {
        let mut line = self.clone();
        let fits = |width: &i64| line.len_at(*width) <= at_most as i64;
        match WIDTHS.into_iter().filter(|width| width % line.width_secs == 0).find(fits) {
            Some(width) => line.fold_to(width),
            None => {
                while line.buckets.len() > at_most {
                    line.fold();
                }
            }
        }
        let start = |n: usize| Time::from_secs((line.first + n as i64) * line.width_secs);
        let rows = line.buckets.iter().enumerate().map(|(n, bucket)| (start(n), *bucket)).collect();
        (Span::secs(line.width_secs), rows)
    }

    /// How many buckets there would be at another width, a multiple of this one.
    fn len_at(&self, width_secs: i64) -> i64 {
        if self.buckets.is_empty() {
            return 0;
        }
        let at = |n: i64| (n * self.width_secs).div_euclid(width_secs);
        at(self.first + self.buckets.len() as i64 - 1) - at(self.first) + 1
    }

    fn fold(&mut self) {
        let old = self.width_secs;
        let wider = WIDTHS.into_iter().find(|&width| width > old && width % old == 0);
        self.fold_to(wider.unwrap_or(old * 2));
    }

    fn fold_to(&mut self, width_secs: i64) {
        let at = |n: usize| ((self.first + n as i64) * self.width_secs).div_euclid(width_secs);
        let (first, len) = (at(0), self.len_at(width_secs));
        let mut folded = VecDeque::from(vec![Bucket::default(); len as usize]);
        for (n, bucket) in self.buckets.iter().enumerate() {
            let into = &mut folded[(at(n) - first) as usize];
            into.successes += bucket.successes;
            into.failures += bucket.failures;
            into.kept_out += bucket.kept_out;
            into.bans += bucket.bans;
        }
        *self = Timeline { width_secs, first, buckets: folded };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_when_the_span_grows() {
        let mut line = Timeline::default();
        for n in 0..10_000 {
            line.at(Time::from_secs(1_770_000_000 + n * 61)).failures += 1;
        }
        line.at(Time::from_secs(1_600_000_000)).bans += 1;
        let (_, rows) = line.rows(60);
        assert!(rows.len() <= 60 && rows.len() > 1);
        assert_eq!(rows.iter().map(|(_, b)| b.failures).sum::<u64>(), 10_000);
        assert_eq!(rows[0].1.bans, 1);
    }
}
