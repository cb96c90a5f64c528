//! Time stamps as lines write them, before zone and year are known.
//!
//! A [`RawStamp`] is bytes whose shape and ranges have been checked; a [`Stamp`] is what they say. The step between
//! them is taken only for lines that a grammar claims: most lines of a log are other daemons'.

use fairban_core::time::Time;

/// A stamp as the line has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// Names its zone (or is TAI64N): a point in time.
    Utc(Time),
    /// Local time of the machine that wrote it.
    Local {
        /// RFC 3164 has none.
        year: Option<i16>,
        /// 1 to 12.
        month: u8,
        /// 1 to 31, and a day that the month has (29 in February where the year is not named).
        day: u8,
        /// Microseconds since midnight, less than a day: the leap second 23:59:60 is the last microsecond of 23:59:59.
        micros: i64,
    },
}

/// The bytes of a stamp and how to read them, not yet read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawStamp<'a> {
    bytes: &'a [u8],
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `Nov 23 18:29:44`, also with a fraction.
    Traditional,
    /// `2026-11-23T18:29:44.123456+00:00`, or with a blank for the `T` and without an offset.
    Iso,
    /// `@400000006b0489c523db15b4`
    Tai64n,
}

/// What a stamp's form says about the text after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    /// A syslog daemon, or Dovecot itself.
    Syslog,
    /// multilog, or Dovecot itself: no host follows.
    Bare,
}

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// Finds the stamp at the start of `text`: with it what wrote it, and the text after it and its blank.
///
/// Hour, minute, second, month and day are in range afterwards; [`RawStamp::parse`] checks the rest.
pub(crate) fn scan(text: &[u8]) -> Option<(RawStamp<'_>, Writer, &[u8])> {
    let (len, form, writer) = match text.first()? {
        b'A'..=b'Z' => (scan_traditional(text)?, Form::Traditional, Writer::Syslog),
        b'@' => (scan_tai64n(text)?, Form::Tai64n, Writer::Bare),
        b'0'..=b'9' => {
            let (len, writer) = scan_iso(text)?;
            (len, Form::Iso, writer)
        }
        _ => return None,
    };
    let (bytes, rest) = text.split_at(len);
    Some((RawStamp { bytes, form }, writer, rest.strip_prefix(b" ")?))
}

impl<'a> RawStamp<'a> {
    /// Bytes known to be `Nov 23 18:29:44` or their like.
    pub(crate) const fn traditional(bytes: &'a [u8]) -> RawStamp<'a> {
        RawStamp { bytes, form: Form::Traditional }
    }

    /// The bytes, as in the line.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether multilog wrote the stamp, in its own form or turned into local time by tai64nlocal: then a program's
    /// standard error follows, never a syslog record.
    pub(crate) fn is_multilog(&self) -> bool {
        const TAI64NLOCAL_BYTES: usize = 29; // `2007-01-21 09:51:25.570281500`
        match self.form {
            Form::Traditional => false,
            Form::Iso => self.bytes.len() == TAI64NLOCAL_BYTES && self.bytes[10] == b' ',
            Form::Tai64n => true,
        }
    }

    /// Reads the stamp; `None` for a day or a second that does not exist.
    pub fn parse(&self) -> Option<Stamp> {
        match self.form {
            Form::Traditional => parse_traditional(self.bytes),
            Form::Iso => parse_iso(self.bytes),
            Form::Tai64n => parse_tai64n(self.bytes),
        }
    }
}

fn scan_traditional(text: &[u8]) -> Option<usize> {
    let head = text.first_chunk::<15>()?;
    month_named(head)?;
    day_padded(head)?;
    time_of_day(&head[7..])?;
    Some(15 + fraction_len(&text[15..])?)
}

fn parse_traditional(bytes: &[u8]) -> Option<Stamp> {
    const LEAP: i16 = 2000; // Without a year any day is believed that some year has.
    let (month, day) = (month_named(bytes)?, day_padded(bytes)?);
    if day > days_in_month(LEAP, month) {
        return None;
    }
    let micros = micros_of_day(bytes.get(7..)?)?;
    Some(Stamp::Local { year: None, month, day, micros })
}

/// `Nov ` to 11.
#[inline]
fn month_named(text: &[u8]) -> Option<u8> {
    const NAMES: [u32; 12] = {
        let names = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec ";
        let mut words = [0; 12];
        let mut n = 0;
        while n < 12 {
            words[n] =
                u32::from_le_bytes([names[4 * n], names[4 * n + 1], names[4 * n + 2], names[4 * n + 3]]);
            n += 1;
        }
        words
    };
    let name = u32::from_le_bytes(*text.first_chunk::<4>()?);
    // Neighbours in time have the same month: nothing is guessed better.
    NAMES.iter().position(|&month| month == name).map(|n| n as u8 + 1)
}

/// The day in `Nov  3 ` or `Nov 23 `.
fn day_padded(text: &[u8]) -> Option<u8> {
    let &[tens, ones, b' '] = text.get(4..)?.first_chunk::<3>()? else { return None };
    let tens = if tens == b' ' { b'0' } else { tens };
    let day = two([tens, ones])?;
    (1..=31).contains(&day).then_some(day)
}

fn scan_iso(text: &[u8]) -> Option<(usize, Writer)> {
    date(text)?;
    let separator = *text.get(10)?;
    time_of_day(text.get(11..)?)?;
    let len = 19 + fraction_len(&text[19..])?;
    match separator {
        b'T' => Some((len + offset(&text[len..])?.1, Writer::Syslog)),
        b' ' => Some((len, Writer::Bare)),
        _ => None,
    }
}

fn parse_iso(bytes: &[u8]) -> Option<Stamp> {
    let (year, month, day) = date(bytes)?;
    if day > days_in_month(year, month) {
        return None;
    }
    let micros = micros_of_day(bytes.get(11..)?)?;
    let rest = &bytes[19 + fraction_len(&bytes[19..])?..];
    Some(match offset(rest)? {
        (Some(offset_s), _) => {
            let days_micros = days_since_1970(year, month, day) * SECONDS_PER_DAY * MICROS_PER_SECOND;
            Stamp::Utc(Time::from_micros(days_micros + micros - offset_s * MICROS_PER_SECOND))
        }
        (None, _) => Stamp::Local { year: Some(year), month, day, micros },
    })
}

/// `2026-11-23`; no year before 1970.
fn date(text: &[u8]) -> Option<(i16, u8, u8)> {
    let &[a, b, c, d, b'-', e, f, b'-', g, h] = text.first_chunk::<10>()? else { return None };
    let year = i16::from(two([a, b])?) * 100 + i16::from(two([c, d])?);
    let (month, day) = (two([e, f])?, two([g, h])?);
    (year >= 1970 && (1..=12).contains(&month) && (1..=31).contains(&day)).then_some((year, month, day))
}

/// Seconds east of UTC (`None`: not named) and the length of `Z`, `+01:00`, `+0100` or nothing before a blank.
fn offset(text: &[u8]) -> Option<(Option<i64>, usize)> {
    let (sign, digits) = match text.first() {
        Some(b'Z') => return Some((Some(0), 1)),
        Some(b'+') => (1, &text[1..]),
        Some(b'-') => (-1, &text[1..]),
        None | Some(b' ') => return Some((None, 0)),
        Some(_) => return None,
    };
    let (hours, minutes, len) = match digits {
        [a, b, b':', c, d, ..] => (two([*a, *b])?, two([*c, *d])?, 6),
        [a, b, c, d, ..] => (two([*a, *b])?, two([*c, *d])?, 5),
        _ => return None,
    };
    (hours <= 23 && minutes <= 59)
        .then_some((Some(sign * (i64::from(hours) * 3600 + i64::from(minutes) * 60)), len))
}

/// `18:29:44` to seconds since midnight; the second may be 60.
#[inline]
pub(crate) fn time_of_day(text: &[u8]) -> Option<i64> {
    /// What has to be taken off: the digits become their values, the colons 0.
    const ZEROS: u64 = u64::from_le_bytes(*b"00:00:00");
    const COLONS: u64 = u64::from_le_bytes([0, 0, 0xff, 0, 0, 0xff, 0, 0]);
    const ABOVE_9: u64 = u64::from_le_bytes([0x76; 8]);
    const TOP_BITS: u64 = u64::from_le_bytes([0x80; 8]);
    // All bytes at once: this is asked of every line of a log.
    let values = u64::from_le_bytes(*text.first_chunk::<8>()?) ^ ZEROS;
    if values & COLONS != 0 || (values.wrapping_add(ABOVE_9) | values) & TOP_BITS != 0 {
        return None;
    }
    let [a, b, _, c, d, _, e, f] = values.to_le_bytes();
    let (hour, minute, second) = (a * 10 + b, c * 10 + d, e * 10 + f);
    (hour <= 23 && minute <= 59 && second <= 60)
        .then_some(i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second))
}

/// `18:29:44.123456` to microseconds since midnight; a leap second is cut to the end of the second before it, so
/// that it neither equals nor passes a stamp after it.
fn micros_of_day(text: &[u8]) -> Option<i64> {
    let seconds = time_of_day(text)?;
    if text[6..8] == *b"60" {
        return Some(seconds * MICROS_PER_SECOND - 1);
    }
    let mut micros = 0;
    let mut unit = MICROS_PER_SECOND;
    for &digit in text[8..].iter().skip(1).take(6).take_while(|byte| byte.is_ascii_digit()) {
        unit /= 10;
        micros += unit * i64::from(digit - b'0');
    }
    Some(seconds * MICROS_PER_SECOND + if text.get(8) == Some(&b'.') { micros } else { 0 })
}

/// Length of `.123456` (one to nine digits), or 0 where there is none.
fn fraction_len(text: &[u8]) -> Option<usize> {
    const DIGITS_MAX: usize = 9;
    if text.first() != Some(&b'.') {
        return Some(0);
    }
    let digits = text[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    (1..=DIGITS_MAX).contains(&digits).then_some(1 + digits)
}

fn scan_tai64n(text: &[u8]) -> Option<usize> {
    const LEN: usize = 25;
    let digits = text.get(1..LEN)?;
    digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).then_some(LEN)
}

/// daemontools adds 2^62 and, instead of a table of leap seconds, always ten seconds.
fn parse_tai64n(bytes: &[u8]) -> Option<Stamp> {
    const UNIX_EPOCH: u64 = (1 << 62) + 10;
    const SECONDS_MAX: u64 = 253_402_300_799; // The end of the year 9999.
    const NANOS_PER_SECOND: u64 = 1_000_000_000;
    let seconds = hexadecimal(bytes.get(1..17)?).checked_sub(UNIX_EPOCH)?;
    let nanos = hexadecimal(bytes.get(17..25)?);
    if seconds > SECONDS_MAX || nanos >= NANOS_PER_SECOND {
        return None;
    }
    Some(Stamp::Utc(Time::from_micros(seconds as i64 * MICROS_PER_SECOND + (nanos / 1000) as i64)))
}

/// Of at most 16 lower-case digits.
fn hexadecimal(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |value, &digit| {
        let digit =
            if digit.is_ascii_digit() { digit - b'0' } else { (digit | 0x20).wrapping_sub(b'a' - 10) };
        (value << 4) | u64::from(digit & 0xf)
    })
}

/// Two decimal digits.
fn two([tens, ones]: [u8; 2]) -> Option<u8> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| tens * 10 + ones)
}

pub(crate) const fn is_leap(year: i16) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(crate) const fn days_in_month(year: i16, month: u8) -> u8 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a day of the proleptic Gregorian calendar.
///
/// The year is taken to begin in March, so that the leap day is its last and (153 m + 2) / 5 days lie before its month m.
pub(crate) fn days_since_1970(year: i16, month: u8, day: u8) -> i64 {
    let (year, month) = (i64::from(year), i64::from(month));
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (153 * month + 2) / 5 + i64::from(day) - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<Stamp> {
        let line = format!("{text} x");
        let (raw, _, rest) = scan(line.as_bytes())?;
        assert_eq!((raw.bytes(), rest), (text.as_bytes(), &b"x"[..]));
        raw.parse()
    }

    fn utc(micros: i64) -> Stamp {
        Stamp::Utc(Time::from_micros(micros))
    }

    fn local(year: Option<i16>, month: u8, day: u8, micros: i64) -> Stamp {
        Stamp::Local { year, month, day, micros }
    }

    #[test]
    fn each_form_is_read() {
        let evening = (18 * 3600 + 29 * 60 + 44) * MICROS_PER_SECOND;
        assert_eq!(parsed("Nov 23 18:29:44"), Some(local(None, 11, 23, evening)));
        assert_eq!(parsed("Nov  3 18:29:44"), Some(local(None, 11, 3, evening)));
        assert_eq!(parsed("Feb 29 18:29:44.5"), Some(local(None, 2, 29, evening + 500_000)));
        assert_eq!(parsed("2026-11-23T18:29:44.123456+00:00"), Some(utc(1_795_458_584_123_456)));
        assert_eq!(parsed("2026-11-23T18:29:44Z"), Some(utc(1_795_458_584_000_000)));
        assert_eq!(parsed("2026-11-23T10:29:44.123-08:00"), Some(utc(1_795_458_584_123_000)));
        assert_eq!(parsed("2026-11-23T23:59:44+0530"), Some(utc(1_795_458_584_000_000)));
        assert_eq!(parsed("2026-11-23T18:29:44"), Some(local(Some(2026), 11, 23, evening)));
        assert_eq!(
            parsed("2007-01-21 18:29:44.570281500"),
            Some(local(Some(2007), 1, 21, evening + 570_281))
        );
        assert_eq!(parsed("2026-11-23 18:29:44"), Some(local(Some(2026), 11, 23, evening)));
        // 2026-11-23T18:45:15.601560500Z by tai64nlocal.
        assert_eq!(parsed("@400000006b0489c523db15b4"), Some(utc(1_795_459_515_601_560)));
    }

    #[test]
    fn a_leap_second_stays_before_midnight() {
        assert_eq!(
            parsed("Dec 31 23:59:60"),
            Some(local(None, 12, 31, SECONDS_PER_DAY * MICROS_PER_SECOND - 1))
        );
        assert_eq!(parsed("2016-12-31T23:59:60.700Z"), Some(utc(1_483_228_799_999_999)));
    }

    #[test]
    fn what_is_out_of_range_is_no_stamp() {
        for wrong in [
            "Nov 23 24:00:00",
            "Nov 23 18:60:00",
            "Nov 23 18:00:61",
            "Nov 32 18:00:00",
            "Nov  0 18:00:00",
            "Nov 31 18:00:00",
            "Feb 30 18:00:00",
            "Nox 23 18:00:00",
            "Nov 2x 18:00:00",
            "Nov 23 18:00:00.",
            "Nov 23 18:00:00.0000000000",
            "2026-13-23T18:29:44Z",
            "2026-00-23T18:29:44Z",
            "2026-02-29T18:29:44Z",
            "1969-02-28T18:29:44Z",
            "2026-02-28T18:29:44+24:00",
            "2026-02-28T18:29:44+0:00",
            "2026-02-28T18:29:44X",
            "2026-02-28_18:29:44",
            "@400000006b0489c523db15b",
            "@400000006B0489C523DB15B4",
            "@3fffffff6b0489c523db15b4",
            "@400000006b0489c5ffffffff",
            "@7fffffffffffffff00000000",
        ] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn days_are_counted_as_the_calendar_does() {
        let mut days = 0;
        for year in 1970..2420 {
            for month in 1..=12 {
                assert_eq!(days_since_1970(year, month, 1), days, "{year}-{month}");
                days += i64::from(days_in_month(year, month));
            }
        }
    }
}
