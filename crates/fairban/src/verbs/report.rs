//! `fairban report`: what has happened, and whether it is safe to go live.

use std::io::{self, Write};

use fairban_control::{Request, Response, SinceReport};
use jiff::tz::TimeZone;

use super::args::ReportArgs;
use super::{Answers, Offline, print, print_line, unexpected};
use crate::Done;
use crate::report::{Align, Table, grouped, hanging, loud_title, title};
use crate::tally::show_prefix;
use crate::when::{length, long};

pub(super) fn report(args: &ReportArgs, offline: Option<&mut dyn Offline>) -> Done {
    match Answers::find(&args.talk, offline)?.ask(&Request::Report { since: args.since })? {
        response @ Response::Report(_) if args.talk.json => print_line(&response),
        Response::Report(report) => print(|out, zone| write(out, &report, zone)),
        other => Err(unexpected(&other)),
    }
}

fn write(out: &mut impl Write, report: &SinceReport, zone: &TimeZone) -> io::Result<()> {
    let (since, until) = (report.since.time(), report.until.time());
    let span = length(until.since(since));
    title(out, &format!("{} to {} ({span})", long(since, zone), long(until, zone)))?;
    let (attempts, logins) = (grouped(report.attempts), grouped(report.logins));
    writeln!(out, "  {attempts} attempts: {logins} logins, {} failures", grouped(report.failures))?;
    let (bans, sources, kept) =
        (grouped(report.bans), grouped(report.banned_sources), grouped(report.kept_out));
    let would = if report.mode == fairban_control::Mode::Shadow { "would have " } else { "" };
    hanging(out, "  ", &format!("{bans} bans of {sources} sources {would}kept out {kept} tries"))?;
    if report.hits > 0 || report.stale_devices > 0 {
        let (hits, devices) = (grouped(report.hits), grouped(report.stale_devices));
        let text = format!("{hits} logins after guessing; {devices} devices with an old password");
        hanging(out, "  ", &text)?;
    }
    if !report.kinds.is_empty() {
        title(out, "Robots")?;
        let heads = [
            ("kind", Align::Left),
            ("sources", Align::Right),
            ("tries before the ban", Align::Right),
            ("kept out", Align::Right),
        ];
        let mut table = Table::new(&heads);
        for kind in &report.kinds {
            let (sources, attempts) = (grouped(kind.sources), grouped(kind.attempts));
            table.row([kind.reason.to_string(), sources, attempts, grouped(kind.kept_out)]);
        }
        table.write(out)?;
    }
    let rule = &report.rule;
    title(out, &format!("A counting rule of {} in that time", rule.rule))?;
    let (bans, honest, denied) =
        (grouped(rule.bans), grouped(rule.honest_banned), grouped(rule.logins_denied));
    let text = format!("{bans} bans, {honest} of them of honest sources, which had lost {denied} logins");
    hanging(out, "  ", &text)?;
    if let Some(began) = rule.honest_since {
        let began = long(began.time(), zone);
        hanging(
            out,
            "  ",
            &format!("Honest sources were seen in that time, their logins counted since {began}."),
        )?;
    }
    write_casualties(out, report)?;
    write_advice(out, report)
}

fn write_casualties(out: &mut impl Write, report: &SinceReport) -> io::Result<()> {
    if report.casualties.is_empty() {
        return title(out, "Casualties: none");
    }
    loud_title(out, &format!("Casualties: {}", report.casualties.len()))?;
    hanging(out, "  ", "Banned, although a familiar account logged in there before or later.")?;
    let heads = [
        ("source", Align::Left),
        ("logins before", Align::Right),
        ("denied", Align::Right),
        ("later", Align::Right),
    ];
    let mut table = Table::new(&heads);
    for row in &report.casualties {
        let (before, denied) = (grouped(row.logins_before), grouped(row.logins_denied));
        table.row([show_prefix(&row.source), before, denied, grouped(row.logins_after)]);
    }
    table.write(out)
}

fn write_advice(out: &mut impl Write, report: &SinceReport) -> io::Result<()> {
    match (report.mode, report.safe) {
        (fairban_control::Mode::Live, _) => title(out, "It is live")?,
        (fairban_control::Mode::Shadow, true) => title(out, "It is safe to go live")?,
        (fairban_control::Mode::Shadow, false) => loud_title(out, "Do not go live yet")?,
    }
    for reason in &report.reasons {
        hanging(out, "  ", reason.as_str())?;
    }
    match &report.command {
        Some(command) => hanging(out, "  ", &format!("Next: {command}")),
        None => Ok(()),
    }
}
