//! Attempts and bans over time, as rows of bars.

use std::io::{self, Write};

use fairban_core::time::Time;
use jiff::tz::TimeZone;

use super::{grouped, title};
use crate::tally::{Bucket, Timeline};
use crate::when::{length, short};

/// Bars in a row: with its name and its largest value a row fits 80 columns.
const BARS: usize = 56;

const BLOCKS: [&str; 9] =
    [" ", "\u{2581}", "\u{2582}", "\u{2583}", "\u{2584}", "\u{2585}", "\u{2586}", "\u{2587}", "\u{2588}"];
const ASCII: [&str; 9] = [" ", ".", ":", "-", "=", "+", "*", "#", "@"];

/// What of a bucket a row shows.
type Count = fn(&Bucket) -> u64;

/// Draws the time line.
pub(crate) fn write(out: &mut impl Write, timeline: &Timeline, zone: &TimeZone) -> io::Result<()> {
    let (width, rows) = timeline.rows(BARS);
    let (Some((first, _)), Some((last, _))) = (rows.first(), rows.last()) else { return Ok(()) };
    title(out, &format!("Time line ({} a column)", length(width)))?;
    let marks = if speaks_utf8() { BLOCKS } else { ASCII };
    let counts: [(&str, Count); 4] = [
        ("logins", |bucket| bucket.successes),
        ("failures", |bucket| bucket.failures),
        ("kept out", |bucket| bucket.kept_out),
        ("bans", |bucket| bucket.bans),
    ];
    for (name, count) in counts {
        let most = rows.iter().map(|(_, bucket)| count(bucket)).max().unwrap_or(0);
        let bars: String = rows.iter().map(|(_, bucket)| marks[height(count(bucket), most)]).collect();
        let gap = " ".repeat(BARS - rows.len());
        writeln!(
            out,
            "  {name:<8} {bars}{gap} {}",
            if most == 0 { "none".into() } else { format!("<= {}", grouped(most)) }
        )?;
    }
    write_scale(out, *first, last.plus(width), rows.len(), zone)
}

fn write_scale(out: &mut impl Write, first: Time, end: Time, bars: usize, zone: &TimeZone) -> io::Result<()> {
    let (first, end) = (short(first, zone), short(end, zone));
    let gap = bars.saturating_sub(first.len() + end.len()).max(1);
    writeln!(out, "           {first}{}{end}", " ".repeat(gap))
}

/// From 0 (nothing) to 8 (the most); whatever happened shows.
fn height(count: u64, most: u64) -> usize {
    match (count, most) {
        (0, _) => 0,
        // u128: a count times eight may not fit its own type.
        (count, most) => (u128::from(count) * 8).div_ceil(u128::from(most.max(count))) as usize,
    }
}

/// Whether the terminal's character set has block elements.
fn speaks_utf8() -> bool {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
    locale.is_some_and(|locale| locale.to_ascii_lowercase().replace('-', "").contains("utf8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_happened_shows() {
        assert_eq!(
            (height(0, 9), height(1, 1_000_000), height(9, 9), height(u64::MAX, u64::MAX)),
            (0, 1, 8, 8)
        );
    }
}
