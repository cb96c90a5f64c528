//! Whether a service's log shows successes at all.
//!
//! vpopmail's default logging level, a log filtered by severity, a gap: there failures cannot be seen to resolve, so
//! wrong secrets weigh little, while unknown accounts and a machine's speed count as ever. Measured, and never
//! concluded from a quiet first minute: until the first success a service is only *unproven*.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::Blindness;
use crate::event::Service;
use crate::nats::Nats;
use crate::time::{Span, Time};

/// Failures, and time, before a service without a success is called blind.
const FAILURES_MIN: u64 = 30;
const WATCHED_MIN: Span = Span::minutes(30);
/// After a gap, successes may have been lost for this long.
const GAP: Span = Span::minutes(10);
/// The first stretch of knowledge, in which more than half of the honest failures that look unresolved fall.
const COLD: Span = Span::hours(1);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Sight {
    failures: u64,
    successes: u64,
    first: Time,
    gap_until: Time,
    told: bool,
}

/// Sight of each service.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sights {
    services: BTreeMap<Service, Sight>,
    first: Option<Time>,
}

impl Sights {
    /// Counts a try. Returns true once, when the service is found blind.
    pub(crate) fn note(&mut self, service: Service, success: bool, now: Time) -> bool {
        self.first.get_or_insert(now);
        let sight = self.sight(service, now);
        if success {
            sight.successes += 1;
        } else {
            sight.failures += 1;
        }
        let told = !sight.told && sight.is_blind(now);
        sight.told |= told;
        told
    }

    /// Lines of the service were lost.
    pub(crate) fn gap(&mut self, service: Service, now: Time) {
        self.sight(service, now).gap_until = now.plus(GAP);
    }

    /// What a wrong secret weighs here, of what it weighs where successes are seen.
    pub(crate) fn temper(&self, service: Service, weight: Nats, now: Time) -> Nats {
        let weight = match self.services.get(&service) {
            Some(sight) if sight.gap_until > now || sight.is_blind(now) => weight.scaled(1, 3),
            Some(sight) if sight.successes > 0 => weight,
            _ => weight.scaled(1, 2),
        };
        let cold = self.first.is_none_or(|first| now.since(first) < COLD);
        if cold { weight.scaled(3, 4) } else { weight }
    }

    /// Whether the service's log shows no success at all.
    pub(crate) fn is_blind(&self, service: Service, now: Time) -> bool {
        self.services.get(&service).is_some_and(|sight| sight.is_blind(now))
    }

    /// Whether failures of this service are seen to resolve where they do.
    pub(crate) fn is_clear(&self, service: Service, now: Time) -> bool {
        self.services.get(&service).is_some_and(|sight| sight.gap_until <= now && sight.successes > 0)
    }

    /// The counters of a service.
    pub(crate) fn blindness(&self, service: Service, now: Time) -> Blindness {
        self.services.get(&service).map_or_else(Blindness::default, |sight| Blindness {
            failures: sight.failures,
            successes: sight.successes,
            blind: sight.is_blind(now),
        })
    }

    fn sight(&mut self, service: Service, now: Time) -> &mut Sight {
        self.services.entry(service).or_insert_with(|| Sight {
            failures: 0,
            successes: 0,
            first: now,
            gap_until: Time::MIN,
            told: false,
        })
    }
}

impl Sight {
    fn is_blind(&self, now: Time) -> bool {
        self.successes == 0 && self.failures >= FAILURES_MIN && now.since(self.first) >= WATCHED_MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_first_minute_does_not_make_a_service_blind() {
        let mut sights = Sights::default();
        let start = Time::from_secs(1_000_000);
        for n in 0..500 {
            assert!(!sights.note(Service::Vpopmail, false, start.plus(Span::secs(n / 10))));
        }
        assert!(!sights.blindness(Service::Vpopmail, start.plus(Span::minutes(1))).blind);
        let later = start.plus(Span::minutes(40));
        assert!(sights.note(Service::Vpopmail, false, later), "told when it is found");
        assert!(!sights.note(Service::Vpopmail, false, later), "told once");
        assert!(sights.blindness(Service::Vpopmail, later).blind);
        sights.note(Service::Vpopmail, true, later);
        assert!(!sights.blindness(Service::Vpopmail, later).blind);
    }

    #[test]
    fn a_gap_blinds_for_ten_minutes() {
        let mut sights = Sights::default();
        let start = Time::from_secs(1_000_000);
        sights.note(Service::Sshd, true, start);
        let later = start.plus(Span::hours(2));
        let full = Nats::milli(3_000);
        assert_eq!(sights.temper(Service::Sshd, full, later), full);
        sights.gap(Service::Sshd, later);
        assert!(sights.temper(Service::Sshd, full, later.plus(Span::minutes(9))) < full);
        assert_eq!(sights.temper(Service::Sshd, full, later.plus(Span::minutes(11))), full);
    }
}
