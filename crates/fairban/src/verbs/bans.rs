//! `fairban bans`: who is banned.

use std::io::{self, Write};

use fairban_control::{BanRow, BansPage, By, ROWS_MAX, Request, Response};
use jiff::tz::TimeZone;
use serde_json::json;

use super::args::BansArgs;
use super::show::left;
use super::{Answers, Offline, print, unexpected};
use crate::Done;
use crate::error::{Failure, Kind};
use crate::report::{Align, Table, grouped, hanging, title};
use crate::tally::show_prefix;
use crate::when::minute;

pub(super) fn bans(args: &BansArgs, offline: Option<&mut dyn Offline>) -> Done {
    let mut answers = Answers::find(&args.talk, offline)?;
    let mut all: Option<BansPage> = None;
    let mut after = None;
    loop {
        let page = match answers.ask(&Request::Bans { within: args.within, after, most: ROWS_MAX })? {
            Response::Bans(page) => page,
            other => return Err(unexpected(&other)),
        };
        let next = page.next;
        // Whoever goes in circles would keep us here for ever.
        if next.is_some() && next <= after {
            return Err(Failure::new(Kind::Internal, "the service tells the same bans again and again"));
        }
        if args.talk.json || args.plain {
            print_rows(&page.rows, args.plain)?;
        } else {
            match &mut all {
                Some(all) => all.rows.extend(page.rows),
                None => all = Some(page),
            }
        }
        if next.is_none() {
            break;
        }
        after = next;
    }
    match all {
        Some(all) => print(|out, zone| write(out, &all, zone)),
        None => Ok(()),
    }
}

/// One a line, for programs.
fn print_rows(rows: &[BanRow], plain: bool) -> Done {
    let mut text = Vec::new();
    for row in rows {
        if plain {
            text.extend_from_slice(show_prefix(&row.prefix).as_bytes());
        } else {
            let mut object = json!(row);
            object["v"] = json!(fairban_control::VERSION);
            text.extend_from_slice(object.to_string().as_bytes());
        }
        text.push(b'\n');
    }
    let mut out = io::stdout().lock();
    out.write_all(&text).and_then(|()| out.flush()).map_err(|error| Failure::output(&error))
}

fn write(out: &mut impl Write, page: &BansPage, zone: &TimeZone) -> io::Result<()> {
    let mode = page.mode.name();
    if page.rows.is_empty() {
        return writeln!(out, "Nobody is banned (mode {mode}).");
    }
    title(out, &format!("Bans in force: {} (mode {mode})", grouped(page.total)))?;
    let mut table = Table::new(&[
        ("source", Align::Left),
        ("reason", Align::Left),
        ("since", Align::Left),
        ("time left", Align::Left),
        ("nats", Align::Right),
        ("tries", Align::Right),
    ])
    .dense();
    for row in &page.rows {
        let evidence = match row.by {
            By::Evidence => format!("{:.1}", row.evidence),
            By::Operator => "-".to_owned(),
        };
        table.row([
            show_prefix(&row.prefix),
            format!("{}{}", row.reason, marks(row, page)),
            minute(row.from.time(), zone),
            left(row.until, page.at),
            evidence,
            row.attempts.to_string(),
        ]);
    }
    table.write(out)?;
    for row in &page.rows {
        if let Some(note) = &row.note {
            hanging(out, "  ", &format!("{}: {note}", show_prefix(&row.prefix)))?;
        }
    }
    write_legend(out, page)
}

/// What is special about a ban: `*` weak, `!` not enforced though it should be.
fn marks(row: &BanRow, page: &BansPage) -> String {
    let weak = if row.weak { "*" } else { "" };
    let open = if is_open(row, page) { "!" } else { "" };
    format!("{weak}{open}")
}

fn is_open(row: &BanRow, page: &BansPage) -> bool {
    page.mode == fairban_control::Mode::Live && !row.enforced
}

fn write_legend(out: &mut impl Write, page: &BansPage) -> io::Result<()> {
    if page.rows.iter().any(|row| row.weak) {
        hanging(out, "  ", "* weak evidence: connections alone")?;
    }
    if page.rows.iter().any(|row| is_open(row, page)) {
        hanging(out, "  ", "! the firewall does not have it: see fairban status")?;
    }
    let first = page.rows.first().map_or(String::new(), |row| show_prefix(&row.prefix));
    writeln!(out, "  Why: fairban why {first}")
}
