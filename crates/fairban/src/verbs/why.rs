//! `fairban why`: what is known about a source or an account.

use std::io::{self, Write};

use fairban_control::{BanRow, By, HistoryRow, Request, Response, Shown, WhyAccount, WhyReport, WhySource};
use jiff::tz::TimeZone;

use super::args::WhyArgs;
use super::show::{ago, left, signals};
use super::{Answers, Offline, print, print_line, unexpected};
use crate::Done;
use crate::error::{Failure, Kind};
use crate::report::{Align, COLUMNS, Table, cut, grouped, hanging, loud_title, title};
use crate::tally::show_prefix;
use crate::when::{long, minute};

pub(super) fn why(args: &WhyArgs, offline: Option<&mut dyn Offline>) -> Done {
    let request = Request::Why { about: args.about.clone(), at: args.at };
    match Answers::find(&args.talk, offline)?.ask(&request)? {
        response @ Response::Why(_) if args.talk.json => print_line(&response),
        Response::Why(WhyReport::Source(source)) => print(|out, zone| write_source(out, &source, zone)),
        Response::Why(WhyReport::Account(account)) => print(|out, zone| write_account(out, &account, zone)),
        Response::NothingKnown { about } => {
            if args.talk.json {
                print_line(&Response::NothingKnown { about: about.clone() })?;
            }
            let message = format!("nothing is known about {about}");
            Err(Failure::new(Kind::Finding, message)
                .hint("no line that was read tells of a login by it or at it"))
        }
        other => Err(unexpected(&other)),
    }
}

fn write_source(out: &mut impl Write, told: &WhySource, zone: &TimeZone) -> io::Result<()> {
    let source = show_prefix(&told.source);
    match &told.ban {
        Some(ban) if told.banned => {
            loud_title(out, &format!("{source} is banned"))?;
            write_ban(out, ban, told, zone)?;
        }
        Some(ban) => {
            title(out, &format!("{source} is not banned; it was"))?;
            write_ban(out, ban, told, zone)?;
        }
        None => title(out, &format!("{source} is not banned"))?,
    }
    if let Some(allowed) = &told.allowed {
        let text = format!("It is on the allowlist ({}): never banned, never judged.", show_prefix(allowed));
        hanging(out, "  ", &text)?;
    }
    let span = match (told.first_seen, told.last_seen) {
        (Some(first), Some(last)) => {
            format!(", from {} to {}", long(first.time(), zone), long(last.time(), zone))
        }
        (None, Some(last)) => format!(", the last {}", ago(last, told.at, zone)),
        _ => String::new(),
    };
    let attempts = crate::error::plural(told.attempts, "attempt");
    hanging(out, "  ", &format!("{attempts}{span}"))?;
    let (evidence, limit) = (told.evidence, told.limit);
    title(out, &format!("Evidence: {evidence:.1} nats of {limit:.1} needed for a ban"))?;
    if told.signals.is_empty() {
        writeln!(out, "  Nothing speaks against it.")?;
    }
    signals(out, "  ", &told.signals)?;
    write_accounts(out, told, zone)?;
    write_list(out, "Lines", &told.samples)?;
    write_list(out, "Why", &told.remarks)?;
    write_list(out, "What would have changed it", &told.changed_by)?;
    write_history(out, &told.history, zone)
}

fn write_ban(out: &mut impl Write, ban: &BanRow, told: &WhySource, zone: &TimeZone) -> io::Result<()> {
    let whom =
        if ban.prefix == told.source { String::new() } else { format!(" of {}", show_prefix(&ban.prefix)) };
    let from = long(ban.from.time(), zone);
    let until = match ban.until {
        None => "without an end".to_owned(),
        Some(until) => format!("until {}, {}", long(until.time(), zone), left_or_over(ban, told)),
    };
    hanging(out, "  ", &format!("Ban {}{whom} ({}), from {from} {until}.", ban.id, ban.reason))?;
    if ban.by == By::Evidence {
        let (tries, accounts) =
            (crate::error::plural(ban.attempts, "attempt"), crate::error::plural(ban.accounts, "account"));
        let weak = if ban.weak { "; weak evidence: connections alone" } else { "" };
        let (evidence, limit) = (ban.evidence, ban.limit);
        let text = format!("{evidence:.1} nats of {limit:.1} then, after {tries} at {accounts}{weak}.");
        hanging(out, "  ", &text)?;
    }
    if let Some(note) = &ban.note {
        hanging(out, "  ", &format!("The operator said: {note}"))?;
    }
    if told.banned {
        let enforced = if ban.enforced { "The firewall keeps it out" } else { "Recorded, not enforced" };
        hanging(
            out,
            "  ",
            &format!("{enforced}; {} since.", crate::error::plural(ban.attempts_since, "attempt")),
        )?;
    }
    Ok(())
}

fn left_or_over(ban: &BanRow, told: &WhySource) -> String {
    match left(ban.until, told.at).as_str() {
        "over" => "over".to_owned(),
        left if told.banned => format!("{left} left"),
        _ => "ended early".to_owned(),
    }
}

fn write_accounts(out: &mut impl Write, told: &WhySource, zone: &TimeZone) -> io::Result<()> {
    if told.accounts.is_empty() {
        return Ok(());
    }
    title(out, "Accounts")?;
    let mut table = Table::new(&[
        ("account", Align::Left),
        ("failed", Align::Right),
        ("logs in", Align::Left),
        ("last", Align::Left),
        ("how it ended", Align::Left),
    ]);
    for account in &told.accounts {
        table.row([
            account.account.to_string(),
            grouped(account.failures),
            // That it does is remembered, not how often.
            (if account.successes > 0 { "yes" } else { "" }).to_owned(),
            minute(account.last.time(), zone),
            account.outcome.to_string(),
        ]);
    }
    table.write(out)
}

fn write_account(out: &mut impl Write, told: &WhyAccount, zone: &TimeZone) -> io::Result<()> {
    title(out, &format!("Account {}", cut(told.account.as_str(), COLUMNS - 8)))?;
    for remark in &told.remarks {
        hanging(out, "  ", remark.as_str())?;
    }
    if told.strangers > 0 {
        let strangers = crate::error::plural(told.strangers, "stranger");
        hanging(out, "  ", &format!("About {strangers} failed at it within the last day."))?;
    }
    if !told.logins.is_empty() {
        title(out, "Where it logs in")?;
        let heads = [("source", Align::Left), ("last login", Align::Left), ("failed since", Align::Right)];
        let mut table = Table::new(&heads);
        for row in &told.logins {
            table.row([show_prefix(&row.source), long(row.last.time(), zone), grouped(row.failures)]);
        }
        table.write(out)?;
    }
    if !told.devices.is_empty() {
        title(out, "Devices with an old password")?;
        let heads = [
            ("source", Align::Left),
            ("failed", Align::Right),
            ("since", Align::Left),
            ("last", Align::Left),
        ];
        let mut table = Table::new(&heads);
        for row in &told.devices {
            let last = row.last.map_or(String::new(), |last| long(last.time(), zone));
            table.row([show_prefix(&row.source), grouped(row.failures), long(row.since.time(), zone), last]);
        }
        table.write(out)?;
    }
    if !told.failed.is_empty() {
        title(out, "Who failed at it and never logged in")?;
        let heads =
            [("source", Align::Left), ("failed", Align::Right), ("last", Align::Left), ("", Align::Left)];
        let mut table = Table::new(&heads);
        for row in &told.failed {
            let banned = if row.banned { "banned" } else { "" };
            let last = long(row.last.time(), zone);
            table.row([show_prefix(&row.source), grouped(row.failures), last, banned.to_owned()]);
        }
        table.write(out)?;
    }
    write_history(out, &told.history, zone)
}

fn write_list(out: &mut impl Write, head: &str, texts: &[Shown]) -> io::Result<()> {
    if texts.is_empty() {
        return Ok(());
    }
    title(out, head)?;
    texts.iter().try_for_each(|text| hanging(out, "  ", text.as_str()))
}

fn write_history(out: &mut impl Write, history: &[HistoryRow], zone: &TimeZone) -> io::Result<()> {
    if history.is_empty() {
        return Ok(());
    }
    title(out, "What was decided")?;
    for row in history {
        let id = row.id.map_or(String::new(), |id| format!(" {id}"));
        let whom = row.prefix.as_ref().map_or(String::new(), |prefix| format!(" of {}", show_prefix(prefix)));
        let head = format!("  {}  ", long(row.time.time(), zone));
        hanging(out, &head, &format!("{}{id}{whom}: {}", row.action, row.text))?;
        signals(out, "      ", &row.signals)?;
    }
    Ok(())
}
