//! The report for a person: 80 columns, no colour but on a terminal, every byte from outside escaped before it comes here.

pub(crate) mod advice;
mod chart;
mod logs;
mod sections;
mod table;

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use fairban_core::engine::Blindness;
use fairban_core::event::Service;
use fairban_parse::health::Health;
use jiff::tz::TimeZone;

pub(crate) use self::logs::{speed, warn_of_log};
pub(crate) use self::table::{Align, COLUMNS, Table, cut};
use crate::tally::Tally;
use crate::when::{length, long};

/// Rows of a table without `--all`.
const ROWS: usize = 20;

/// Everything that a report says.
pub(crate) struct Report<'a> {
    pub(crate) tally: &'a Tally,
    pub(crate) health: &'a Health,
    /// By service, at [`Service::index`].
    pub(crate) blindness: &'a [Blindness],
    /// The zone of times in the report.
    pub(crate) zone: &'a TimeZone,
    /// Every row of every table.
    pub(crate) all: bool,
    /// Leave out what is not a finding.
    pub(crate) findings_only: bool,
}

impl Report<'_> {
    /// Prints it.
    pub(crate) fn write(&self) -> io::Result<()> {
        let mut out = io::BufWriter::new(anstream::stdout().lock());
        if !self.findings_only {
            self.write_read(&mut out)?;
        }
        self.write_robots(&mut out)?;
        self.write_hits(&mut out)?;
        self.write_stale_devices(&mut out)?;
        self.write_honest(&mut out)?;
        self.write_casualties(&mut out)?;
        self.write_hubs(&mut out)?;
        self.write_alarms(&mut out)?;
        if !self.findings_only {
            self.write_timeline(&mut out)?;
        }
        self.write_advice(&mut out)?;
        out.flush()
    }

    fn write_read(&self, out: &mut impl Write) -> io::Result<()> {
        let (health, totals) = (self.health, &self.tally.totals);
        title(out, "What was read")?;
        let megabytes = health.bytes as f64 / 1e6;
        writeln!(out, "  {} lines, {megabytes:.1} MB", grouped(health.lines))?;
        if let Some((first, last)) = self.tally.span {
            let zone = self.zone.iana_name().unwrap_or("local time");
            let span = length(last.since(first));
            writeln!(
                out,
                "  logins from {} to {} ({zone}, {span})",
                long(first, self.zone),
                long(last, self.zone)
            )?;
        }
        let mut table = Table::new(&[
            ("service", Align::Left),
            ("lines", Align::Right),
            ("understood", Align::Right),
            ("about logins", Align::Right),
            ("successes seen", Align::Left),
        ]);
        for (service, counted) in Service::ALL.iter().zip(&health.services).filter(|(_, h)| h.lines > 0) {
            let understood = percent(counted.understood, counted.lines);
            let sees = match self.blindness.get(service.index()) {
                Some(seen) if seen.blind => "no: see the end",
                Some(seen) if seen.successes > 0 => "yes",
                // Connections alone, or nothing that succeeded yet.
                _ => "none",
            };
            let (name, lines, events) = (service.name(), grouped(counted.lines), grouped(counted.events));
            table.row([name.to_owned(), lines, understood, events, sees.to_owned()]);
        }
        table.row([
            "other programs".into(),
            grouped(health.foreign),
            String::new(),
            String::new(),
            String::new(),
        ]);
        if health.no_format > 0 {
            table.row([
                "no known form".into(),
                grouped(health.no_format),
                String::new(),
                String::new(),
                String::new(),
            ]);
        }
        table.write(out)?;
        let (attempts, successes, failures) = (totals.attempts, totals.successes, totals.failures);
        let sources = self.tally.people.sources;
        let (attempts, sources) = (grouped(attempts), grouped(sources));
        let (successes, failures) = (grouped(successes), grouped(failures));
        writeln!(out, "  {attempts} attempts of {sources} sources: {successes} logins, {failures} failures")?;
        match totals.connections {
            0 => Ok(()),
            n => writeln!(out, "  {} connections without a login", grouped(n)),
        }
    }

    fn write_timeline(&self, out: &mut impl Write) -> io::Result<()> {
        chart::write(out, &self.tally.timeline, self.zone)
    }

    fn write_advice(&self, out: &mut impl Write) -> io::Result<()> {
        let services = Service::ALL.iter().zip(&self.health.services);
        let advised = services.flat_map(|(service, health)| {
            let blindness = self.blindness.get(service.index()).copied().unwrap_or_default();
            let lines = advice::about(*service, health, blindness);
            lines
                .into_iter()
                .enumerate()
                .map(move |(at, line)| (line, if at == 0 { &health.samples[..] } else { &[] }))
        });
        let mut advised = advised.peekable();
        if advised.peek().is_none() {
            return Ok(());
        }
        title(out, "What these logs cannot show")?;
        for (advice, samples) in advised {
            wrapped(out, &advice)?;
            for sample in samples {
                writeln!(out, "      {}", table::cut(sample, COLUMNS - 6))?;
            }
        }
        Ok(())
    }

    /// How many rows of a table are shown.
    fn rows(&self) -> usize {
        if self.all { usize::MAX } else { ROWS }
    }

    /// Says how many rows were left out.
    fn write_more(&self, out: &mut impl Write, rows: usize) -> io::Result<()> {
        match rows.saturating_sub(self.rows()) {
            0 => Ok(()),
            more => writeln!(out, "  and {} more; --all shows them", grouped(more as u64)),
        }
    }
}

/// A heading.
pub(crate) fn title(out: &mut impl Write, text: &str) -> io::Result<()> {
    let bold = Style::new().bold();
    writeln!(out, "\n{bold}{text}{bold:#}")
}

/// A heading for what the operator must look at.
pub(crate) fn loud_title(out: &mut impl Write, text: &str) -> io::Result<()> {
    let style = AnsiColor::Red.on_default().bold();
    writeln!(out, "\n{style}{text}{style:#}")
}

/// A paragraph, indented, within the edge.
fn wrapped(out: &mut impl Write, text: &str) -> io::Result<()> {
    hanging(out, "  ", text)
}

/// A paragraph that begins with `head`, its other lines indented as far. A word that is wider than a line is cut.
pub(crate) fn hanging(out: &mut impl Write, head: &str, text: &str) -> io::Result<()> {
    let indent = head.len();
    let mut line = head.to_owned();
    for word in text.split(' ') {
        let word = table::cut(word, COLUMNS - indent);
        if line.len() > indent && line.len() + 1 + word.len() > COLUMNS {
            writeln!(out, "{line}")?;
            line = " ".repeat(indent);
        }
        if line.len() > indent {
            line.push(' ');
        }
        line.push_str(&word);
    }
    writeln!(out, "{line}")
}

/// `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// In tenths of a percent, rounded down: 100.0 % is all of them.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let tenths = (u128::from(part) * 1_000).checked_div(u128::from(whole)).unwrap_or(0);
    format!("{}.{} %", tenths / 10, tenths % 10)
}
