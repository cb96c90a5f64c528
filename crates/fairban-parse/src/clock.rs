//! Stamps into points of time: zone and year.
//!
//! The one part of parsing that sees the lines of a file in order: a stamp of RFC 3164 has no year, and a local one
//! may stand for two points of time when clocks are put back.

use fairban_core::time::{Span, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Timestamp, civil};
use serde::{Deserialize, Serialize};

use crate::stamp::{Stamp, days_since_1970};

/// Resolves the stamps of one file, in the file's order.
#[derive(Clone, Debug)]
pub struct Clock {
    zone: TimeZone,
    state: ClockState,
    /// The last civil minute that was looked up in the zone, its day as microseconds since 1970, and its offset.
    cached: Option<(Minute, i64, i32)>,
}

/// What a [`Clock`] has learnt, to go on later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockState {
    /// The year of the last stamp.
    pub year: i16,
    /// Its month, 0 before the first stamp.
    pub month: u8,
    /// The month in which the old year ended, while it is not sure that it did; else 0.
    pub old_month: u8,
    /// Stamps since the new year.
    pub stamps_in_new_year: u16,
    /// The latest point of time so far.
    pub last: Time,
}

type Minute = (i16, u8, u8, i64);

const MICROS_PER_MINUTE: i64 = 60_000_000;
/// A line may be this late and still be of the first of the two hours that clocks show when they are put back.
const LATE: Span = Span::minutes(5);
/// A month so far back, or further, is of the next year.
const HALF_YEAR: u8 = 6;
/// As many stamps without one of the old year's end make a new year sure. Until then one such stamp takes the year
/// back: a machine that starts with a wrong clock, or a forged line, must not move all lines after it by a year.
const SURE_AFTER_STAMPS: u16 = 300;
/// The last year that a stamp can name.
const YEAR_MAX: i16 = 9999;

impl Clock {
    /// For local stamps in `zone`; a first stamp without a year lies in `year`.
    pub const fn new(zone: TimeZone, year: i16) -> Clock {
        let state = ClockState { year, month: 0, old_month: 0, stamps_in_new_year: 0, last: Time::MIN };
        Clock::with_state(zone, state)
    }

    /// Goes on where another clock of the same zone stopped.
    pub const fn with_state(zone: TimeZone, state: ClockState) -> Clock {
        Clock { zone, state, cached: None }
    }

    /// What it has learnt.
    pub const fn state(&self) -> ClockState {
        self.state
    }

    /// The point in time of a stamp. The year goes on at New Year; a late line of the old year stays in it.
    pub fn resolve(&mut self, stamp: &Stamp) -> Time {
        let time = match *stamp {
            Stamp::Utc(time) => time,
            Stamp::Local { year: Some(year), month, day, micros } => {
                (self.state.year, self.state.month, self.state.old_month) = (year, month, 0);
                self.local(year, month, day, micros)
            }
            Stamp::Local { year: None, month, day, micros } => {
                let year = self.year_of(month);
                self.local(year, month, day, micros)
            }
        };
        self.state.last = self.state.last.max(time);
        time
    }

    /// The year of a month, by the months before it. Quiet for more than half a year within one year is believed, so
    /// is New Year; that time goes back by a year is not.
    fn year_of(&mut self, month: u8) -> i16 {
        let state = &mut self.state;
        if state.old_month != 0 {
            if month >= state.old_month {
                // The old year still goes on. If it was a late line, the next one brings the new year again.
                (state.year, state.month, state.old_month) = (state.year - 1, month, 0);
                return state.year;
            }
            state.stamps_in_new_year += 1;
            if state.stamps_in_new_year >= SURE_AFTER_STAMPS {
                state.old_month = 0;
            }
        } else if state.month == 1 && month == 12 {
            return state.year.saturating_sub(1);
        }
        if state.month >= month + HALF_YEAR && state.year < YEAR_MAX {
            state.old_month = state.month;
            state.stamps_in_new_year = 0;
            state.year += 1;
        }
        state.month = month;
        state.year
    }

    fn local(&mut self, year: i16, month: u8, day: u8, micros: i64) -> Time {
        let minute = (year, month, day, micros / MICROS_PER_MINUTE);
        if let Some((cached, day_micros, offset_s)) = self.cached
            && cached == minute
        {
            return at(day_micros + micros, offset_s);
        }
        let day_micros = days_since_1970(year, month, day) * 86_400_000_000;
        let naive = day_micros + micros;
        match self.offset(year, month, day, micros) {
            None => Time::from_micros(naive),
            Some(AmbiguousOffset::Unambiguous { offset }) => {
                self.cached = Some((minute, day_micros, offset.seconds()));
                at(naive, offset.seconds())
            }
            // A time that the clocks skipped: read as if they had not been put forward yet.
            Some(AmbiguousOffset::Gap { before, .. }) => at(naive, before.seconds()),
            // A time that they showed twice: the first time round, unless the file is past it.
            Some(AmbiguousOffset::Fold { before, after }) => {
                let first = at(naive, before.seconds());
                if first.plus(LATE) < self.state.last || self.were_put_back_after(first, after) {
                    at(naive, after.seconds())
                } else {
                    first
                }
            }
        }
    }

    /// Whether the latest line lies after `first` and after the clocks were put back.
    fn were_put_back_after(&self, first: Time, offset_after: Offset) -> bool {
        let last = self.state.last;
        last > first
            && Timestamp::from_microsecond(last.micros())
                .is_ok_and(|last| self.zone.to_offset(last) == offset_after)
    }

    fn offset(&self, year: i16, month: u8, day: u8, micros: i64) -> Option<AmbiguousOffset> {
        let seconds = micros / 1_000_000;
        let time =
            civil::Time::new((seconds / 3600) as i8, (seconds / 60 % 60) as i8, (seconds % 60) as i8, 0);
        // The 29th of February of an inferred year that has none is the 1st of March, as in the sum of its days.
        let date = civil::Date::new(year, month as i8, day as i8).or_else(|_| civil::Date::new(year, 3, 1));
        let civil = civil::DateTime::from_parts(date.ok()?, time.ok()?);
        Some(self.zone.to_ambiguous_timestamp(civil).offset())
    }
}

fn at(naive_micros: i64, offset_s: i32) -> Time {
    Time::from_micros(naive_micros.saturating_sub(i64::from(offset_s) * 1_000_000))
}

/// The zone that never changes, for stamps known to be UTC.
pub fn utc() -> TimeZone {
    TimeZone::fixed(Offset::UTC)
}

/// Whether a connection of which only the lowest 48 bits of its start (microseconds since 1970) are known can have
/// begun near a stamp, whatever the stamp's zone.
///
/// These bits come round every nine years. Ids that other makers wrote pass by chance: 1 of 1,500 for a stamp with a
/// year, 1 of 110 without.
pub fn believable_session_start(start_micros_low48: u64, near: &Stamp) -> bool {
    const HOUR: i64 = 3_600_000_000;
    /// Either way, where the year is known: zones reach from -12 to +14 hours, and a login page may stay open for long.
    const NEAR: (i64, i64) = (-26 * HOUR, 26 * HOUR);
    /// Where it is not: zones, and an hour from connecting to the last try.
    const CLOSE: (i64, i64) = (-15 * HOUR, 12 * HOUR);
    /// Years believed of a stamp that names none. Each one more lets more ids pass by chance.
    const YEARS: core::ops::RangeInclusive<i16> = 2012..=2037;
    let within = |(earliest, latest): (i64, i64), stamp_micros: i64| {
        let after_stamp = start_micros_low48.wrapping_sub(stamp_micros as u64) << 16;
        (earliest..=latest).contains(&((after_stamp as i64) >> 16))
    };
    let naive = |year, month, day, micros| days_since_1970(year, month, day) * 86_400_000_000 + micros;
    match *near {
        Stamp::Utc(time) => within(NEAR, time.micros()),
        Stamp::Local { year: Some(year), month, day, micros } => {
            within(NEAR, naive(year, month, day, micros))
        }
        Stamp::Local { year: None, month, day, micros } => {
            YEARS.into_iter().any(|year| within(CLOSE, naive(year, month, day, micros)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(month: u8, day: u8, hour: i64, minute: i64) -> Stamp {
        Stamp::Local { year: None, month, day, micros: (hour * 60 + minute) * MICROS_PER_MINUTE }
    }

    /// Central European time of 2026, written out: tests read no zone files.
    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a POSIX zone")
    }

    fn text(time: Time) -> String {
        jiff::Timestamp::from_microsecond(time.micros()).expect("in range").to_string()
    }

    #[test]
    fn local_stamps_are_read_in_their_zone() {
        let mut clock = Clock::new(berlin(), 2026);
        assert_eq!(text(clock.resolve(&local(1, 21, 9, 51))), "2026-01-21T08:51:00Z");
        assert_eq!(text(clock.resolve(&local(7, 21, 9, 51))), "2026-07-21T07:51:00Z");
    }

    #[test]
    fn the_year_goes_on_at_new_year_and_a_late_line_stays_in_the_old_one() {
        let mut clock = Clock::new(utc(), 2025);
        assert_eq!(text(clock.resolve(&local(12, 31, 23, 59))), "2025-12-31T23:59:00Z");
        assert_eq!(text(clock.resolve(&local(1, 1, 0, 0))), "2026-01-01T00:00:00Z");
        assert_eq!(text(clock.resolve(&local(12, 31, 23, 59))), "2025-12-31T23:59:00Z");
        assert_eq!(text(clock.resolve(&local(1, 1, 0, 1))), "2026-01-01T00:01:00Z");
    }

    #[test]
    fn clocks_put_back_do_not_put_time_back() {
        let mut clock = Clock::new(berlin(), 2026);
        assert_eq!(text(clock.resolve(&local(10, 25, 2, 10))), "2026-10-25T00:10:00Z");
        assert_eq!(text(clock.resolve(&local(10, 25, 2, 50))), "2026-10-25T00:50:00Z");
        assert_eq!(text(clock.resolve(&local(10, 25, 2, 10))), "2026-10-25T01:10:00Z");
    }

    #[test]
    fn after_clocks_were_put_back_no_line_is_of_the_first_hour() {
        let mut clock = Clock::new(berlin(), 2026);
        clock.resolve(&local(10, 25, 2, 59));
        assert_eq!(text(clock.resolve(&local(10, 25, 2, 0))), "2026-10-25T01:00:00Z");
        assert_eq!(text(clock.resolve(&local(10, 25, 2, 58))), "2026-10-25T01:58:00Z");
        // A late line of the first hour, before they were.
        let mut clock = Clock::new(berlin(), 2026);
        clock.resolve(&local(10, 25, 2, 31));
        assert_eq!(text(clock.resolve(&local(10, 25, 2, 30))), "2026-10-25T00:30:00Z");
    }

    #[test]
    fn a_quiet_half_year_is_not_a_year_back() {
        let mut clock = Clock::new(utc(), 2025);
        clock.resolve(&local(1, 5, 0, 0));
        assert_eq!(text(clock.resolve(&local(9, 5, 0, 0))), "2025-09-05T00:00:00Z");
        assert_eq!(text(clock.resolve(&local(2, 5, 0, 0))), "2026-02-05T00:00:00Z");
        assert_eq!(text(clock.resolve(&local(8, 5, 0, 0))), "2026-08-05T00:00:00Z");
    }

    #[test]
    fn a_file_may_begin_with_a_late_line_after_new_year() {
        let mut clock = Clock::new(utc(), 2026);
        clock.resolve(&local(1, 1, 0, 0));
        assert_eq!(text(clock.resolve(&local(12, 31, 23, 59))), "2025-12-31T23:59:00Z");
        assert_eq!(text(clock.resolve(&local(1, 1, 0, 1))), "2026-01-01T00:01:00Z");
    }

    #[test]
    fn stamps_of_a_wrong_clock_do_not_move_the_year() {
        let mut clock = Clock::new(utc(), 2026);
        clock.resolve(&local(11, 23, 0, 0));
        for month in [1, 3, 6] {
            clock.resolve(&local(month, 1, 0, 0));
        }
        assert_eq!(text(clock.resolve(&local(11, 23, 0, 1))), "2026-11-23T00:01:00Z");
        assert_eq!(text(clock.resolve(&local(12, 31, 0, 0))), "2026-12-31T00:00:00Z");
        for _ in 0..=SURE_AFTER_STAMPS {
            assert_eq!(text(clock.resolve(&local(1, 1, 0, 0))), "2027-01-01T00:00:00Z");
        }
        assert_eq!(text(clock.resolve(&local(12, 1, 0, 0))), "2026-12-01T00:00:00Z", "late after all");
        clock.resolve(&local(2, 1, 0, 0));
        assert_eq!(text(clock.resolve(&local(12, 1, 0, 0))), "2027-12-01T00:00:00Z");
    }

    #[test]
    fn any_stamps_give_some_time() {
        let mut clock = Clock::new(berlin(), YEAR_MAX - 2);
        for n in 0..10_000_u64 {
            let random = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let (month, day) = (1 + (random >> 60) as u8 % 12, 1 + (random >> 50) as u8 % 31);
            clock.resolve(&local(month, day, (random >> 40) as i64 & 15, (random >> 30) as i64 & 31));
        }
        assert!(clock.state().year <= YEAR_MAX);
    }

    #[test]
    fn a_time_that_clocks_skipped_is_read_all_the_same() {
        let mut clock = Clock::new(berlin(), 2026);
        assert_eq!(text(clock.resolve(&local(3, 29, 2, 30))), "2026-03-29T01:30:00Z");
    }

    #[test]
    fn a_leap_day_in_a_year_without_one_is_no_failure() {
        let mut clock = Clock::new(utc(), 2026);
        assert_eq!(text(clock.resolve(&local(2, 29, 12, 0))), "2026-03-01T12:00:00Z");
    }

    #[test]
    fn a_clock_goes_on_from_its_state() {
        let mut whole = Clock::new(berlin(), 2025);
        whole.resolve(&local(12, 31, 23, 59));
        let mut again = Clock::with_state(berlin(), whole.state());
        assert_eq!(whole.resolve(&local(1, 1, 0, 0)), again.resolve(&local(1, 1, 0, 0)));
    }

    #[test]
    fn session_starts_are_believed_near_the_stamp_only() {
        let start = 1_795_458_594_066_350_u64;
        let low = start & 0xffff_ffff_ffff;
        assert!(believable_session_start(low, &Stamp::Utc(Time::from_micros(start as i64 + 5_000_000))));
        assert!(believable_session_start(low, &local(11, 23, 18, 30)));
        assert!(!believable_session_start(
            low,
            &Stamp::Utc(Time::from_micros(start as i64 + 200_000_000_000))
        ));
        let mut by_chance = 0;
        for n in 0..20_000_u64 {
            let random = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16;
            by_chance += u32::from(believable_session_start(random, &local(11, 23, 18, 30)));
        }
        assert!(by_chance < 220, "{by_chance} of 20,000 made-up ids were believed");
    }
}
