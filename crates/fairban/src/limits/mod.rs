//! Limits of connections: what an operator says of them, and what his logs say to them.
//!
//! `fairban-fw` counts in the kernel and knows groups by number; here they have names.

mod past;

use fairban_firewall::limits::{COUNT_MAX, GROUPS_MAX, Limit, Rate};
use serde::{Deserialize, Serialize};

use crate::cli::{LimitsVerb, parse_span};
use crate::{Done, verbs};

/// Most bytes of a name.
const NAME_BYTES_MAX: usize = 32;

/// `fairban limits`.
///
/// # Errors
/// The service does not do it, or cannot be reached; the logs cannot be read.
pub(crate) fn run(verb: &LimitsVerb) -> Done {
    match verb {
        LimitsVerb::Show(talk) => verbs::limits::show(talk),
        LimitsVerb::Set(args) => verbs::limits::set(args),
        LimitsVerb::Off(args) => verbs::limits::off(args),
        LimitsVerb::Reset(args) => verbs::limits::reset(args),
        LimitsVerb::Test(args) => past::test(args),
        LimitsVerb::Suggest(args) => past::suggest(args),
    }
}

/// A limit as it is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LimitSpec {
    pub(crate) name: String,
    pub(crate) ports: Vec<u16>,
    pub(crate) concurrent: Option<u32>,
    pub(crate) rate: Option<Rate>,
    /// Refuse what is over, where the service enforces at all.
    pub(crate) enforce: bool,
}

impl LimitSpec {
    /// As `fairban-fw` takes it, under a number.
    pub(crate) fn limit(&self, group: u8, enforced: bool) -> Limit {
        Limit {
            group,
            ports: self.ports.clone(),
            concurrent: self.concurrent,
            rate: self.rate,
            enforced: enforced && self.enforce,
        }
    }
}

/// What the operator said of a limit while the service ran; it counts above the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Said {
    /// It is this.
    Set(LimitSpec),
    /// There is none.
    Off,
}

/// Whether a limit may be called so.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    Err(format!("a limit's name has letters, digits, - and _, at most {NAME_BYTES_MAX} of them"))
}

/// `60/1m`: how many, in how many seconds.
pub(crate) fn parse_rate(text: &str) -> Result<(u32, u32), String> {
    let (count, time) = text.split_once('/').ok_or("a number, a slash and a time, as in 60/1m")?;
    let digits = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
    let count = count.parse().ok().filter(|count| digits && (1..=COUNT_MAX).contains(count));
    let count = count.ok_or_else(|| format!("the number is from 1 to {COUNT_MAX}"))?;
    // The kernel counts by these alone.
    let unit = time.trim_start_matches(|first: char| first.is_ascii_digit());
    let time = if unit == time { format!("1{unit}") } else { time.to_owned() };
    let span = parse_span(&time).ok().filter(|_| !unit.is_empty());
    let seconds = span.and_then(|span| u32::try_from(span.as_secs()).ok());
    let seconds = seconds.filter(|seconds| [1, 60, 3_600, 86_400].contains(seconds));
    Ok((count, seconds.ok_or("the time is 1s, 1m, 1h or 1d")?))
}

/// The configured limits with what was said above them, by name; at most [`GROUPS_MAX`], the first.
pub(crate) fn merged<'a>(
    configured: &'a [LimitSpec],
    said: impl Iterator<Item = (&'a String, &'a Said)>,
) -> Vec<LimitSpec> {
    let mut all: std::collections::BTreeMap<&str, &LimitSpec> =
        configured.iter().map(|spec| (spec.name.as_str(), spec)).collect();
    for (name, said) in said {
        match said {
            Said::Set(spec) => drop(all.insert(name, spec)),
            Said::Off => drop(all.remove(name.as_str())),
        }
    }
    all.into_values().take(GROUPS_MAX).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_and_what_the_kernel_cannot_count_is_not() {
        assert_eq!(parse_rate("60/1m"), Ok((60, 60)));
        assert_eq!(parse_rate("5/s"), Ok((5, 1)));
        assert_eq!(parse_rate("1000/24h"), Ok((1_000, 86_400)));
        for wrong in ["", "60", "0/1m", "+1/1m", "x/1m", "60/", "60/2m", "60/5", "60/1", "2000000/1m"] {
            assert!(parse_rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_the_operator_said_counts_above_the_configuration() {
        let spec = |name: &str, most| LimitSpec {
            name: name.to_owned(),
            ports: vec![110],
            concurrent: Some(most),
            rate: None,
            enforce: false,
        };
        let configured = [spec("imap", 10), spec("pop3", 10)];
        let said = std::collections::BTreeMap::from([
            ("imap".to_owned(), Said::Off),
            ("pop3".to_owned(), Said::Set(spec("pop3", 20))),
            ("smtp".to_owned(), Said::Set(spec("smtp", 30))),
            ("none".to_owned(), Said::Off),
        ]);
        assert_eq!(merged(&configured, said.iter()), [spec("pop3", 20), spec("smtp", 30)]);
        assert_eq!(merged(&configured, std::iter::empty()), configured);
    }
}
