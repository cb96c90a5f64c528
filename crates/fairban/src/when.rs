//! Points and lengths of time as JSON and people read them.

use fairban_core::time::{Span, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

fn timestamp(time: Time) -> Timestamp {
    // A stamp out of jiff's range (years -9999 to 9999) is shown as the nearest that is in it.
    let nearest = if time.micros() < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_microsecond(time.micros()).unwrap_or(nearest)
}

/// RFC 3339 in UTC; a fraction only where there is one.
pub(crate) fn rfc3339(time: Time) -> String {
    timestamp(time).to_string()
}

/// For tables: `Jan 21 09:51:25` in the zone of the log.
pub(crate) fn short(time: Time, zone: &TimeZone) -> String {
    ZonedDateTime::new(timestamp(time), zone.clone()).strftime("%b %d %H:%M:%S").to_string()
}

/// For wide tables: `Jan 21 09:51`.
pub(crate) fn minute(time: Time, zone: &TimeZone) -> String {
    ZonedDateTime::new(timestamp(time), zone.clone()).strftime("%b %d %H:%M").to_string()
}

/// With the year: `2026-01-21 09:51:25`.
pub(crate) fn long(time: Time, zone: &TimeZone) -> String {
    ZonedDateTime::new(timestamp(time), zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// In the two largest units: `6 days 4 h`, `12 h 5 min`, `40 s`.
pub(crate) fn length(span: Span) -> String {
    let secs = span.as_secs().max(0);
    let (days, hours, minutes) = (secs / 86_400, secs / 3_600 % 24, secs / 60 % 60);
    let plural = if days == 1 { "" } else { "s" };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{secs} s"),
        (0, 0, _) if secs % 60 == 0 => format!("{minutes} min"),
        (0, 0, _) => format!("{minutes} min {} s", secs % 60),
        (0, _, 0) => format!("{hours} h"),
        (0, ..) => format!("{hours} h {minutes} min"),
        (_, 0, _) => format!("{days} day{plural}"),
        _ => format!("{days} day{plural} {hours} h"),
    }
}
