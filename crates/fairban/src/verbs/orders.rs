//! Verbs that change something: `ban`, `unban`, `allow`, `mode`, `confirm`, `resume`, `reload`.

use std::io::{self, Write};

use fairban_control::{ActionDone, AllowList, Mode, Request, Response, Shown, Whom};
use fairban_core::time::Span;
use jiff::tz::TimeZone;

use super::args::{AllowArgs, AllowVerb, BanArgs, Length, ModeArgs, Talk, UnbanArgs};
use super::show::list;
use super::{order, print, print_line, unexpected};
use crate::Done;
use crate::report::{Align, Table, grouped, hanging, title};
use crate::tally::show_prefix;
use crate::when::{length, long, minute};

pub(super) fn ban(args: &BanArgs) -> Done {
    let seconds = match args.length {
        Length::Seconds(seconds) => Some(seconds),
        Length::Forever => None,
    };
    let request = Request::Ban { prefix: args.prefix, seconds, reason: args.reason.clone() };
    carry_out(&args.talk, &request, |done| {
        let how_long = seconds.map_or("until you unban it".to_owned(), |seconds| {
            format!("for {}", length(Span::secs(i64::from(seconds))))
        });
        let whom = show_prefix(&args.prefix);
        let already = if done.changed { "" } else { " already" };
        format!("{whom} is banned{already} {how_long}.")
    })
}

pub(super) fn unban(args: &UnbanArgs) -> Done {
    let whom = match (args.prefix, &args.account) {
        (Some(prefix), _) => Whom::Prefix(prefix),
        (None, Some(account)) => Whom::Account(account.clone()),
        (None, None) => Whom::All,
    };
    let request = Request::Unban { whom, forgive: args.forgive };
    carry_out(&args.talk, &request, |done| match done.affected {
        0 if done.changed => "Nobody was banned; the excuse is remembered.".to_owned(),
        0 => "Nobody was banned.".to_owned(),
        affected => {
            let more = affected.saturating_sub(done.prefixes.len() as u64);
            let more = if more > 0 { format!(" and {} more", grouped(more)) } else { String::new() };
            format!("Let in again: {}{more}.", list(&done.prefixes))
        }
    })
}

pub(super) fn allow(args: &AllowArgs) -> Done {
    match (&args.verb, args.prefix) {
        (Some(AllowVerb::List(talk)), _) => allow_list(talk),
        (Some(AllowVerb::Remove { prefix, talk }), _) => {
            carry_out(talk, &Request::AllowRemove { prefix: *prefix }, |done| {
                let whom = show_prefix(prefix);
                if done.changed {
                    format!("{whom} is judged like everybody else from now on.")
                } else {
                    format!("{whom} was not on the list. Which are: fairban allow list")
                }
            })
        }
        (None, Some(prefix)) => {
            let request = Request::Allow { prefix, note: args.note.clone() };
            carry_out(&args.talk, &request, |done| {
                let already = if done.changed { "" } else { " already" };
                format!("{} is on the allowlist{already}: never banned, never judged.", show_prefix(&prefix))
            })
        }
        // clap asks for one of them.
        (None, None) => Ok(()),
    }
}

pub(super) fn mode(args: &ModeArgs) -> Done {
    carry_out(&args.talk, &Request::Mode { mode: args.mode.mode() }, |done| {
        let already = if done.changed { "" } else { ", as before" };
        match done.mode {
            Mode::Live => format!("fairban is live{already}: bans are enforced."),
            Mode::Shadow => format!("fairban is in shadow mode{already}: it decides and records only."),
        }
    })
}

pub(super) fn confirm(talk: &Talk) -> Done {
    let request = Request::Confirm { connected_ms: super::connected::ms_ago() };
    carry_out(talk, &request, |done| match (done.changed, done.mode) {
        (true, _) => "Confirmed: fairban stays live.".to_owned(),
        (false, mode) => format!("There was nothing to confirm; the mode is {}.", mode.name()),
    })
}

pub(super) fn resume(talk: &Talk) -> Done {
    carry_out(talk, &Request::Resume, |done| {
        let text = if done.changed {
            "The breaker is closed: sources at which people log in are banned again where the evidence is enough."
        } else {
            "The breaker was not open: nothing has changed."
        };
        text.to_owned()
    })
}

pub(super) fn reload(talk: &Talk) -> Done {
    carry_out(talk, &Request::Reload, |done| match (done.changed, done.affected) {
        (false, _) => "The configuration is as it was.".to_owned(),
        (true, 1) => "The configuration was read again; 1 setting is new.".to_owned(),
        (true, affected) => {
            format!("The configuration was read again; {} settings are new.", grouped(affected))
        }
    })
}

/// Gives an order and tells what became of it.
pub(super) fn carry_out(talk: &Talk, request: &Request, tell: impl FnOnce(&ActionDone) -> String) -> Done {
    match order(talk, request)? {
        response @ Response::Done(_) if talk.json => print_line(&response),
        Response::Done(done) => print(|out, zone| write_done(out, &done, &tell(&done), zone)),
        other => Err(unexpected(&other)),
    }
}

fn write_done(out: &mut impl Write, done: &ActionDone, told: &str, zone: &TimeZone) -> io::Result<()> {
    hanging(out, "", told)?;
    for remark in &done.remarks {
        hanging(out, "  ", remark.as_str())?;
    }
    if let Some(until) = done.confirm_by {
        let until = long(until.time(), zone);
        let text = format!(
            "Open a second connection to this machine now. If that works: fairban confirm. If you do not by {until}, \
             fairban goes back to shadow mode by itself."
        );
        hanging(out, "  ", &text)?;
    }
    Ok(())
}

fn allow_list(talk: &Talk) -> Done {
    match order(talk, &Request::AllowList)? {
        response @ Response::AllowList(_) if talk.json => print_line(&response),
        Response::AllowList(list) => print(|out, zone| write_allowed(out, &list, zone)),
        other => Err(unexpected(&other)),
    }
}

fn write_allowed(out: &mut impl Write, list: &AllowList, zone: &TimeZone) -> io::Result<()> {
    if list.rows.is_empty() {
        return writeln!(out, "The allowlist is empty.");
    }
    title(out, &format!("Never banned: {}", grouped(list.total)))?;
    let mut table = Table::new(&[
        ("prefix", Align::Left),
        ("said by", Align::Left),
        ("since", Align::Left),
        ("why", Align::Left),
    ]);
    for row in &list.rows {
        let since = row.since.map_or(String::new(), |since| minute(since.time(), zone));
        let note = row.note.as_ref().map(Shown::to_string).unwrap_or_default();
        table.row([show_prefix(&row.prefix), row.origin.to_string(), since, note]);
    }
    table.write(out)?;
    match list.total.saturating_sub(list.rows.len() as u64) {
        0 => Ok(()),
        more => writeln!(out, "  and {} more", grouped(more)),
    }
}
