//! What people type: prefixes, accounts, lengths and points of time.

use fairban_control::{About, Moment, NOTE_BYTES_MAX, Shown, parse_prefix};
use fairban_core::account::ACCOUNT_BYTES_MAX;
use fairban_core::time::{Span, Time};
use ipnet::IpNet;
use jiff::civil;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

use super::args::Length;
use crate::cli::parse_span;

pub(super) fn parse_target(text: &str) -> Result<IpNet, String> {
    parse_prefix(text).map_err(|error| error.to_string())
}

/// An address or a prefix where it could be one; else an account.
pub(super) fn parse_about(text: &str) -> Result<About, String> {
    match parse_prefix(text) {
        Ok(prefix) => Ok(About::Prefix(prefix)),
        Err(error) if is_like_an_address(text) => Err(error.to_string()),
        Err(_) => parse_account(text).map(About::Account),
    }
}

/// Digits and dots, or hexadecimal digits with colons, with or without a length: nobody means an account by that.
fn is_like_an_address(text: &str) -> bool {
    let address = text.split_once('/').map_or(text, |(address, _)| address);
    let only = |more: &[u8]| address.bytes().all(|byte| byte.is_ascii_hexdigit() || more.contains(&byte));
    let is_v4 = address.contains('.') && address.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    is_v4 || address.matches(':').count() >= 2 && only(b":.")
}

pub(super) fn parse_account(text: &str) -> Result<Shown, String> {
    // What was copied from an answer is spelt already.
    let account = Shown::spelt(text);
    match account.bytes().trim_ascii().len() {
        0 => Err("an account has a name".to_owned()),
        1..=ACCOUNT_BYTES_MAX => Ok(account),
        _ => Err(format!("an account has at most {ACCOUNT_BYTES_MAX} bytes")),
    }
}

pub(super) fn parse_note(text: &str) -> Result<Shown, String> {
    let note = Shown::of(text);
    if note.as_str().len() > NOTE_BYTES_MAX {
        return Err(format!("at most {NOTE_BYTES_MAX} bytes (others than printable ASCII count as four)"));
    }
    Ok(note)
}

pub(super) fn parse_length(text: &str) -> Result<Length, String> {
    if text == "forever" {
        return Ok(Length::Forever);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        return Err(format!("'{text}' has no unit: {text}m are minutes, {text}h hours; or say forever"));
    }
    let span = parse_span(text).map_err(|error| format!("{error}; or say forever"))?;
    // A span is at most ten years: its seconds fit.
    u32::try_from(span.as_secs()).map(Length::Seconds).map_err(|_| "too long".to_owned())
}

/// A point in time of the past, in the system's zone where it names none.
pub(super) fn parse_moment(text: &str) -> Result<Moment, String> {
    moment(text, &ZonedDateTime::now())
}

/// The same, for the beginning of a report.
pub(super) fn parse_since(text: &str) -> Result<Moment, String> {
    parse_moment(text)
}

fn moment(text: &str, now: &ZonedDateTime) -> Result<Moment, String> {
    let wrong = || {
        format!("'{text}' is not a time such as '2026-01-21 09:50', 09:50, 2h (ago) or 2026-01-21T09:50:00Z")
    };
    let present = Time::from_micros(now.timestamp().as_microsecond());
    let found = if let Ok(moment) = text.parse::<Moment>() {
        moment.time()
    } else if let Ok(ago) = parse_span(text) {
        present.minus(ago)
    } else {
        let civil = text
            .parse::<civil::DateTime>()
            .or_else(|_| text.parse::<civil::Date>().map(civil::DateTime::from))
            .or_else(|_| text.parse::<civil::Time>().map(|time| now.date().to_datetime(time)));
        let zone: TimeZone = now.time_zone().clone();
        let stamp: Timestamp = civil.and_then(|at| zone.to_timestamp(at)).map_err(|_| wrong())?;
        Time::from_micros(stamp.as_microsecond())
    };
    if found.since(present) > Span::ZERO {
        return Err(format!("'{text}' has not come yet"));
    }
    Ok(found.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_a_unit() {
        assert_eq!(parse_length("1h"), Ok(Length::Seconds(3_600)));
        assert_eq!(parse_length("7d"), Ok(Length::Seconds(604_800)));
        assert_eq!(parse_length("forever"), Ok(Length::Forever));
        let check = |text: &str, said: &str| {
            let error = parse_length(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        };
        check("90", "90m are minutes");
        check("20000d", "ten years; or say forever");
        check("1y", "such as 90s, 10m, 1h or 7d; or say forever");
        check("0m", "a second");
        check("-1h", "is not a time");
        check("", "is not a time");
    }

    #[test]
    fn sources_and_accounts_are_told_apart() {
        let source = |text: &str| match parse_about(text) {
            Ok(About::Prefix(prefix)) => prefix.to_string(),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(source("203.0.113.36"), "203.0.113.36/32");
        assert_eq!(source("2001:db8::/32"), "2001:db8::/32");
        let account = |text: &str| match parse_about(text) {
            Ok(About::Account(account)) => account.as_str().to_owned(),
            other => panic!("{text}: {other:?}"),
        };
        for plain in ["dan@d.example", "root", "1234", "face", "d:x", "10.0.0.1@d.example", "a/b"] {
            assert_eq!(account(plain), plain);
        }
        assert_eq!(account("DOM\\user"), "DOM\\\\user");
        assert_eq!(account("caf\\xe9"), "caf\\xe9");
        assert_eq!(account("caf\u{e9}"), "caf\\xc3\\xa9");
        for wrong in ["203.0.113", "203.0.113.256", "203.0.113.7/24", "2001:db8::x", "2001:db8:::1", ""] {
            let read = parse_about(wrong);
            assert!(read.is_err() || wrong == "2001:db8::x", "{wrong}: {read:?}");
        }
    }

    #[test]
    fn times_are_in_the_zone_of_the_machine() {
        let now: ZonedDateTime = "2026-01-21T12:00:00+01:00[Europe/Berlin]".parse().unwrap();
        let read = |text: &str| moment(text, &now).map(|moment| moment.to_string());
        let good = [
            ("2026-01-21T09:50:00Z", "2026-01-21T09:50:00Z"),
            ("2026-01-21 09:50", "2026-01-21T08:50:00Z"),
            ("2026-01-21T09:50:30", "2026-01-21T08:50:30Z"),
            ("2026-01-21", "2026-01-20T23:00:00Z"),
            ("09:50", "2026-01-21T08:50:00Z"),
            ("2h", "2026-01-21T09:00:00Z"),
            ("7d", "2026-01-14T11:00:00Z"),
        ];
        for (text, expected) in good {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
        for wrong in ["noon", "", "2026-13-01", "25:00"] {
            assert!(read(wrong).unwrap_err().contains("is not a time such as"), "{wrong}");
        }
        assert!(read("13:00").unwrap_err().contains("has not come yet"));
    }
}
