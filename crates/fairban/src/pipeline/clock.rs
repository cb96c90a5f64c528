//! The clock of one log: finds the year of stamps that have none, and can be put aside and taken up again.

use fairban_core::time::Time;
use fairban_parse::clock::{Clock, ClockState};
use fairban_parse::stamp::Stamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ZonedDateTime};

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
}

impl FileClock {
    /// A clock, or one that goes on where another of the same log stopped.
    pub(crate) fn new(zone: TimeZone, hint: YearHint, state: Option<ClockState>) -> FileClock {
        let clock = state.map(|state| Clock::with_state(zone.clone(), state));
        FileClock { zone, hint, clock }
    }

    /// The point in time of a stamp.
    pub(crate) fn resolve(&mut self, stamp: &Stamp) -> Time {
        if self.clock.is_none() {
            self.clock = Some(Clock::new(self.zone.clone(), self.first_year(stamp)));
        }
        self.clock.as_mut().map_or(Time::MIN, |clock| clock.resolve(stamp))
    }

    /// From which [`FileClock::new`] makes this clock again.
    pub(crate) fn state(&self) -> Option<ClockState> {
        self.clock.as_ref().map(Clock::state)
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
        Timestamp::from_microsecond(time.micros())
            .map_or(1970, |at| ZonedDateTime::new(at, self.zone.clone()).year())
    }
}
