//! The clock of one log: finds the year of stamps that have none, and can be put aside and taken up again.

use fairban_core::time::Time;
use fairban_parse::clock::Clock;
use fairban_parse::stamp::Stamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ZonedDateTime};
use serde::{Deserialize, Serialize};

/// How the year of a first stamp without one is found.
#[derive(Clone, Copy, Debug)]
pub(crate) enum YearHint {
    /// The operator knows.
    Given(i16),
    /// The file was last written then: the first stamp is at most a day younger (clocks and zones differ), and lies in
    /// the latest year for which that holds.
    WrittenAt(Timestamp),
}

/// The clock of one log.
#[derive(Clone, Debug)]
pub(crate) struct FileClock {
    zone: TimeZone,
    hint: YearHint,
    clock: Option<Clock>,
    last: Option<LastStamp>,
}

/// The last stamp that a clock resolved, from which it can be set again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastStamp {
    time: Time,
    /// Month, day and microseconds of a stamp without zone; with its year if it had one.
    local: Option<(Option<i16>, u8, u8, i64)>,
}

impl FileClock {
    pub(crate) fn new(zone: TimeZone, hint: YearHint, last: Option<LastStamp>) -> FileClock {
        let mut clock = FileClock { zone, hint, clock: None, last };
        if let Some(last) = last {
            let year = clock.year_of(last.time);
            let mut inner = Clock::new(clock.zone.clone(), year);
            inner.resolve(&last.stamp());
            clock.clock = Some(inner);
        }
        clock
    }

    /// The point in time of a stamp.
    pub(crate) fn resolve(&mut self, stamp: &Stamp) -> Time {
        if self.clock.is_none() {
            self.clock = Some(Clock::new(self.zone.clone(), self.first_year(stamp)));
        }
        let time = self.clock.as_mut().map_or(Time::MIN, |clock| clock.resolve(stamp));
        self.last = Some(LastStamp::of(stamp, time));
        time
    }

    /// From which [`FileClock::new`] makes this clock again.
    pub(crate) fn last(&self) -> Option<LastStamp> {
        self.last
    }

    fn first_year(&self, stamp: &Stamp) -> i16 {
        match (*stamp, self.hint) {
            (Stamp::Utc(time), _) => self.year_of(time),
            (Stamp::Local { year: Some(year), .. }, _) | (_, YearHint::Given(year)) => year,
            (Stamp::Local { month, day, .. }, YearHint::WrittenAt(written)) => {
                let latest = written.saturating_add(SignedDuration::from_hours(24)).unwrap_or(written);
                let latest = Time::from_micros(latest.as_microsecond());
                let newest = self.year_of(latest);
                // Eight years hold a 29th of February, except around 1900 and 2100.
                let possible = |year: &i16| {
                    let exists = Date::new(*year, month as i8, day as i8).is_ok();
                    exists && Clock::new(self.zone.clone(), *year).resolve(stamp) <= latest
                };
                (newest - 8..=newest).rev().find(possible).unwrap_or(newest)
            }
        }
    }

    fn year_of(&self, time: Time) -> i16 {
        Timestamp::from_microsecond(time.micros()).map_or(1970, |at| ZonedDateTime::new(at, self.zone.clone()).year())
    }
}

impl LastStamp {
    fn of(stamp: &Stamp, time: Time) -> LastStamp {
        let local = match *stamp {
            Stamp::Utc(_) => None,
            Stamp::Local { year, month, day, micros } => Some((year, month, day, micros)),
        };
        LastStamp { time, local }
    }

    fn stamp(self) -> Stamp {
        match self.local {
            None => Stamp::Utc(self.time),
            Some((year, month, day, micros)) => Stamp::Local { year, month, day, micros },
        }
    }
}
