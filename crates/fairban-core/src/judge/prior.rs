//! The measured prior: how many of the strangers that fail here these days are robots.
//!
//! A stranger whose failure stayed unresolved is looked at again an hour later: somebody has logged in there (honest),
//! or nobody has (a robot, or as good as one). Where nearly all are robots, a stranger needs less evidence of his own.
//! Only strangers (sources at which nobody ever logged in) are held to the lower limit, and it falls by at most
//! [`weights::PRIOR_MAX`]. Services whose log does not show successes are not counted, else a blind log would look
//! like a siege.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::source::Unit;
use crate::decay::{decayed, ln_ratio};
use crate::nats::Nats;
use crate::time::{Span, Time};
use crate::weights;

const HALF_LIFE: Span = Span::days(1);
/// How long a stranger has to show that he is honest.
const PATIENCE: Span = Span::hours(1);
/// Strangers looked at later, at most; when full, further ones are not asked: a sample is enough.
const WATCHED_MAX: usize = 4_096;
/// Robots before anything is concluded: a handful says nothing about the next stranger.
const ROBOTS_MIN_1024: i64 = 16 * 1024;

/// Decaying counts, in 1/1024, and the strangers that are still given time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Prior {
    robots: i64,
    honest: i64,
    last: Time,
    watched: VecDeque<(Time, Unit)>,
}

impl Prior {
    /// A stranger's first failure has stayed unresolved.
    pub(crate) fn watch(&mut self, unit: Unit, now: Time) {
        if self.watched.len() < WATCHED_MAX {
            self.watched.push_back((now, unit));
        }
    }

    /// Looks at those whose time is over; `is_stranger` says whether still nobody has logged in there.
    pub(crate) fn review(&mut self, now: Time, is_stranger: impl Fn(Unit) -> bool) {
        while let Some(&(since, unit)) = self.watched.front() {
            if now.since(since) < PATIENCE {
                return;
            }
            self.watched.pop_front();
            self.settle(now);
            if is_stranger(unit) {
                self.robots += 1024;
            } else {
                self.honest += 1024;
            }
        }
    }

    /// By how much the limit is lower for a stranger.
    pub(crate) fn relief(&self, now: Time) -> Nats {
        let age = now.since(self.last);
        let robots = decayed(self.robots, age, HALF_LIFE);
        if robots < ROBOTS_MIN_1024 {
            return Nats::ZERO;
        }
        // One honest stranger is always assumed.
        let honest = decayed(self.honest, age, HALF_LIFE) + 1024;
        ln_ratio(robots as u64, honest as u64).max(Nats::ZERO).min(weights::PRIOR_MAX)
    }

    fn settle(&mut self, now: Time) {
        let age = now.since(self.last);
        self.robots = decayed(self.robots, age, HALF_LIFE);
        self.honest = decayed(self.honest, age, HALF_LIFE);
        self.last = self.last.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reviewed(robots: u64, honest: u64) -> (Prior, Time) {
        let (mut prior, now) = (Prior::default(), Time::from_secs(1_000_000));
        for n in 0..robots + honest {
            prior.watch(Unit(n), now);
        }
        let later = now.plus(Span::hours(1));
        prior.review(later, |unit| unit.0 < robots);
        (prior, later)
    }

    #[test]
    fn the_prior_needs_robots_and_is_bounded() {
        let (prior, now) = reviewed(15, 0);
        assert_eq!(prior.relief(now), Nats::ZERO, "too few to conclude anything");
        let (prior, now) = reviewed(1_000, 0);
        assert_eq!(prior.relief(now), weights::PRIOR_MAX);
        assert_eq!(prior.relief(now.plus(Span::days(20))), Nats::ZERO, "forgotten");
        let (prior, now) = reviewed(200, 200);
        assert_eq!(prior.relief(now), Nats::ZERO, "as many honest strangers as robots");
    }

    #[test]
    fn a_stranger_is_given_an_hour() {
        let (mut prior, now) = (Prior::default(), Time::from_secs(1_000_000));
        for n in 0..100 {
            prior.watch(Unit(n), now);
        }
        prior.review(now.plus(Span::minutes(59)), |_| true);
        assert_eq!(prior.relief(now), Nats::ZERO);
    }
}
