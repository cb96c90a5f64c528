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
    whole_second(time).unwrap_or_else(|| timestamp(time).to_string())
}

/// RFC 3339 of whole seconds from 1970 up to where jiff ends, which is what logs hold: replay writes three of them a ban.
fn whole_second(time: Time) -> Option<String> {
    const END_SECS: i64 = 253_402_207_200; // 9999-12-30T22:00:00
    let secs = time.secs();
    if time != Time::from_secs(secs) || !(0..END_SECS).contains(&secs) {
        return None;
    }
    let (days, secs) = (secs / 86_400 + 719_468, (secs % 86_400) as u32);
    // Years begin in March here, so that the leap day is their last; an era has 400 of them.
    let (era, day) = (days / 146_097, (days % 146_097) as u32);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era as u32 * 400 + year + u32::from(month <= 2);
    let mut text = String::with_capacity(20);
    for (value, after) in [
        (year / 100, None),
        (year % 100, Some('-')),
        (month, Some('-')),
        (day, Some('T')),
        (secs / 3_600, Some(':')),
        (secs / 60 % 60, Some(':')),
        (secs % 60, Some('Z')),
    ] {
        text.push(char::from(b'0' + (value / 10) as u8));
        text.push(char::from(b'0' + (value % 10) as u8));
        text.extend(after);
    }
    Some(text)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_is_written_as_the_calendar_has_it() {
        let days = (0..20_000).chain((20_000..2_932_000).step_by(211)).chain(2_932_000..2_932_897);
        for (n, day) in days.enumerate() {
            let time = Time::from_secs(day * 86_400 + (n as i64 * 7_919) % 86_400);
            assert_eq!(rfc3339(time), timestamp(time).to_string());
        }
        for micros in [-1_000_000, 1, 253_402_207_199_000_000, 253_402_207_200_000_000, i64::MIN, i64::MAX] {
            let time = Time::from_micros(micros);
            assert_eq!(rfc3339(time), timestamp(time).to_string());
        }
    }
}
