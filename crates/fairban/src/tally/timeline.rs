//! Attempts and bans over time, in a fixed number of buckets whose width grows with the span of the log.

use std::collections::BTreeMap;

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
    buckets: BTreeMap<i64, Bucket>,
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
        Timeline { width_secs: 1, buckets: BTreeMap::new() }
    }
}

impl Timeline {
    /// The bucket of a time.
    pub(crate) fn at(&mut self, time: Time) -> &mut Bucket {
        while self.span_with(time) > BUCKETS_MAX {
            self.fold();
        }
        self.buckets.entry(time.secs().div_euclid(self.width_secs)).or_default()
    }

    /// The width of a bucket, and the buckets from the first to the last with the time at which each begins.
    pub(crate) fn rows(&self, at_most: usize) -> (Span, Vec<(Time, Bucket)>) {
        let mut line = self.clone();
        let fits = |width: &i64| line.len_at(*width) <= at_most as i64;
        match WIDTHS.into_iter().filter(|width| width % line.width_secs == 0).find(fits) {
            Some(width) => line.fold_to(width),
            None => {
                while line.len() > at_most as i64 {
                    line.fold();
                }
            }
        }
        let Some((&first, _)) = line.buckets.first_key_value() else { return (Span::ZERO, Vec::new()) };
        let row =
            |n| (Time::from_secs(n * line.width_secs), line.buckets.get(&n).copied().unwrap_or_default());
        (Span::secs(line.width_secs), (first..first + line.len()).map(row).collect())
    }

    fn len(&self) -> i64 {
        self.len_at(self.width_secs)
    }

    /// How many buckets there would be at another width, a multiple of this one.
    fn len_at(&self, width_secs: i64) -> i64 {
        let at = |n: i64| (n * self.width_secs).div_euclid(width_secs);
        match (self.buckets.first_key_value(), self.buckets.last_key_value()) {
            (Some((&first, _)), Some((&last, _))) => at(last) - at(first) + 1,
            _ => 0,
        }
    }

    fn span_with(&self, time: Time) -> i64 {
        let at = time.secs().div_euclid(self.width_secs);
        let first = self.buckets.first_key_value().map_or(at, |(&first, _)| first.min(at));
        let last = self.buckets.last_key_value().map_or(at, |(&last, _)| last.max(at));
        last - first + 1
    }

    fn fold(&mut self) {
        let old = self.width_secs;
        let wider = WIDTHS.into_iter().find(|&width| width > old && width % old == 0);
        self.fold_to(wider.unwrap_or(old * 2));
    }

    fn fold_to(&mut self, width_secs: i64) {
        let old = std::mem::replace(&mut self.width_secs, width_secs);
        for (at, bucket) in std::mem::take(&mut self.buckets) {
            let into = self.buckets.entry((at * old).div_euclid(width_secs)).or_default();
            into.successes += bucket.successes;
            into.failures += bucket.failures;
            into.kept_out += bucket.kept_out;
            into.bans += bucket.bans;
        }
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
