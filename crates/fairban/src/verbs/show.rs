//! What several verbs show alike.

use std::io::{self, Write};

use fairban_control::{About, Moment, Shown, SignalRow};
use fairban_core::time::Time;
use ipnet::IpNet;
use jiff::tz::TimeZone;

use crate::tally::show_prefix;
use crate::when::{length, long};

/// Whom a question is about.
pub(super) fn about(about: &About) -> Shown {
    match about {
        About::Prefix(prefix) => Shown::of(show_prefix(prefix)),
        About::Account(account) => account.clone(),
    }
}

/// `2026-01-21 09:51:25 (8 min ago)`.
pub(super) fn ago(then: Moment, now: Moment, zone: &TimeZone) -> String {
    let passed = now.time().since(then.time());
    format!("{} ({} ago)", long(then.time(), zone), length(passed))
}

/// `52 min 3 s`, `for ever`, or `over`.
pub(super) fn left(until: Option<Moment>, now: Moment) -> String {
    match until {
        None => "for ever".to_owned(),
        Some(until) if until <= now => "over".to_owned(),
        Some(until) => length(until.time().since(now.time())),
    }
}

/// `1.2 MB`.
pub(super) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// Names of prefixes, the first few of them.
pub(super) fn list(prefixes: &[IpNet]) -> String {
    prefixes.iter().map(show_prefix).collect::<Vec<_>>().join(", ")
}

/// What made the evidence, a row a signal.
pub(super) fn signals(out: &mut impl Write, indent: &str, signals: &[SignalRow]) -> io::Result<()> {
    for signal in signals {
        let meaning = signal.meaning.as_ref().map(Shown::as_str).unwrap_or_default();
        let head = format!("{indent}{:>+6.1} nats  {:>4} x {:<21}", signal.nats, signal.count, signal.name);
        writeln!(
            out,
            "{}",
            crate::report::cut(format!("{head} {meaning}").trim_end(), crate::report::COLUMNS)
        )?;
    }
    Ok(())
}

/// Never: a moment that stands for one that is not known.
pub(super) fn is_known(moment: Moment) -> bool {
    moment.time() != Time::default()
}
