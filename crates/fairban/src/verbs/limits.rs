//! `fairban limits show|set|off|reset`.

use std::io::{self, Write};

use fairban_control::{ActionDone, LimitChange, LimitRow, LimitsReport, Request, Response, Shown};
use fairban_core::time::Span;

use super::args::{LimitSetArgs, LimitWhichArgs, Talk};
use super::orders::carry_out;
use super::{order, print, print_line, unexpected};
use crate::Done;
use crate::cli::show_span;
use crate::report::{Align, Table, grouped, hanging, title};
use crate::tally::show_prefix;

/// Sources of a limit that are shown; `--json` has more.
const SOURCES_SHOWN: usize = 5;

pub(crate) fn show(talk: &Talk) -> Done {
    match order(talk, &Request::Limits)? {
        response @ Response::Limits(_) if talk.json => print_line(&response),
        Response::Limits(report) => print(|out, _| write_report(out, &report)),
        other => Err(unexpected(&other)),
    }
}

pub(crate) fn set(args: &LimitSetArgs) -> Done {
    let change = LimitChange {
        ports: (!args.ports.is_empty()).then(|| args.ports.clone()),
        concurrent: args.concurrent,
        new: args.new.map(|(count, _)| count),
        per: args.new.map(|(_, seconds)| seconds).filter(|seconds| *seconds > 0),
        burst: args.burst,
        // At most a day.
        hold: args.hold.map(|hold| u32::try_from(hold.as_secs()).unwrap_or(u32::MAX)),
        enforce: (args.enforce || args.count).then_some(args.enforce),
    };
    let request = Request::LimitSet { name: Shown::of(&args.name), change };
    carry_out(&args.talk, &request, |done| {
        let already = if done.changed { "" } else { " already" };
        format!("The limit {} is set{already}. What comes of it: fairban limits show", args.name)
    })
}

pub(crate) fn off(args: &LimitWhichArgs) -> Done {
    carry_out(&args.talk, &Request::LimitOff { name: args.name.as_ref().map(Shown::of) }, |done| {
        format!("Limits taken off: {}. Until fairban limits set or reset.", grouped(done.affected))
    })
}

pub(crate) fn reset(args: &LimitWhichArgs) -> Done {
    let request = Request::LimitReset { name: args.name.as_ref().map(Shown::of) };
    carry_out(&args.talk, &request, |done: &ActionDone| match done.affected {
        0 => "All of it is as configured already.".to_owned(),
        affected => format!("As configured again: {}.", grouped(affected)),
    })
}

fn write_report(out: &mut impl Write, report: &LimitsReport) -> io::Result<()> {
    if report.rows.is_empty() {
        return hanging(out, "", "There are no limits. fairban limits suggest finds numbers in your logs.");
    }
    title(out, "What one IPv4 address or IPv6 /64 may do at a time")?;
    let mut table = Table::new(&[
        ("limit", Align::Left),
        ("ports", Align::Left),
        ("open", Align::Right),
        ("new", Align::Right),
        ("does", Align::Left),
        ("over: open", Align::Right),
        ("new", Align::Right),
    ]);
    for row in &report.rows {
        let ports: Vec<String> = row.ports.iter().map(u16::to_string).collect();
        table.row([
            row.name.to_string(),
            ports.join(" "),
            row.concurrent.map_or_else(String::new, |most| grouped(u64::from(most))),
            rate(row),
            row.does.to_string(),
            grouped(row.over_concurrent),
            grouped(row.over_new),
        ]);
    }
    table.write(out)?;
    for row in report.rows.iter().filter(|row| !row.sources.is_empty()) {
        let shown = row.sources.iter().take(SOURCES_SHOWN);
        let sources: Vec<String> = shown
            .map(|source| format!("{} ({})", show_prefix(&source.prefix), grouped(source.times)))
            .collect();
        let more = (row.sources.len().saturating_sub(SOURCES_SHOWN) as u64) + row.sources_more;
        let more = if more > 0 { format!(" and {} more", grouped(more)) } else { String::new() };
        hanging(out, "  ", &format!("over {} in the last hour: {}{more}", row.name, sources.join(", ")))?;
    }
    hanging(out, "  ", &format!("exempt: the allowlist, this machine, {} hubs", grouped(report.exempt)))?;
    for remark in &report.remarks {
        hanging(out, "  ", remark.as_str())?;
    }
    Ok(())
}

/// `60/1m`, with the burst where it is another number.
fn rate(row: &LimitRow) -> String {
    let (Some(count), Some(per)) = (row.new, row.per) else { return String::new() };
    let burst = row.burst.filter(|burst| *burst != count).map(|burst| format!(" burst {burst}"));
    let hold = row.hold.map(|hold| format!(" hold {}", show_span(Span::secs(i64::from(hold)))));
    let per = show_span(Span::secs(i64::from(per)));
    format!("{count}/{per}{}{}", burst.unwrap_or_default(), hold.unwrap_or_default())
}
