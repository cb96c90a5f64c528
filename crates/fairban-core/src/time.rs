//! Points in time and lengths of time, in whole microseconds.
//!
//! The core has no clock: every [`Time`] here came out of a log line (or from the caller of `advance`).
//! Microseconds hold everything that logs write and fit an `i64` for 292,000 years either way.

use serde::{Deserialize, Serialize};

/// A point in time: microseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time(i64);

/// A length of time in microseconds; negative where the second point lies before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span(i64);

impl Time {
    /// Before every stamp that a log can hold.
    pub const MIN: Time = Time(i64::MIN);

    /// From microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Time {
        Time(micros)
    }

    /// From whole seconds since 1970; saturates at the ends of the range.
    pub const fn from_secs(secs: i64) -> Time {
        Time(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// How long after `earlier` this is; negative if it is before. Saturates.
    pub const fn since(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// This point moved by `span`. Saturates.
    #[must_use]
    pub const fn plus(self, span: Span) -> Time {
        Time(self.0.saturating_add(span.0))
    }

    /// This point moved back by `span`. Saturates.
    #[must_use]
    pub const fn minus(self, span: Span) -> Time {
        Time(self.0.saturating_sub(span.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// From microseconds.
    pub const fn micros(micros: i64) -> Span {
        Span(micros)
    }

    /// From milliseconds.
    pub const fn millis(millis: i64) -> Span {
        Span(millis.saturating_mul(1_000))
    }

    /// From seconds.
    pub const fn secs(secs: i64) -> Span {
        Span(secs.saturating_mul(1_000_000))
    }

    /// From minutes.
    pub const fn minutes(minutes: i64) -> Span {
        Span::secs(minutes.saturating_mul(60))
    }

    /// From hours.
    pub const fn hours(hours: i64) -> Span {
        Span::secs(hours.saturating_mul(3_600))
    }

    /// From days of 24 hours.
    pub const fn days(days: i64) -> Span {
        Span::secs(days.saturating_mul(86_400))
    }

    /// The length in microseconds.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The length in whole seconds, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
}
