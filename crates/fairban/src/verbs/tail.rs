//! `fairban tail`: decisions as they are made.

use std::io::{self, IsTerminal as _, Write};

use anstyle::{AnsiColor, Style};
use fairban_control::{Client, Response, TailAnswer, TailEvent, TailKind};
use jiff::tz::TimeZone;

use super::args::TailArgs;
use super::{failure, print_line};
use crate::Done;
use crate::error::{self, Failure};
use crate::report::hanging;
use crate::tally::show_prefix;
use crate::when::short;

pub(super) fn tail(args: &TailArgs) -> Done {
    let only: Vec<TailKind> = args.only.iter().map(|kind| kind.0).collect();
    let client = Client::connect(&args.talk.socket()?).map_err(|error| failure(&error))?;
    let tailed = client.tail(only).map_err(|error| failure(&error))?;
    if io::stdout().is_terminal() && !args.talk.json {
        error::note("decisions appear here as they are made; Ctrl-C ends this");
    }
    let zone = TimeZone::system();
    for told in tailed {
        match told.map_err(|error| failure(&error))? {
            TailAnswer::Event(event) if args.talk.json => print_line(&Response::Event(event))?,
            TailAnswer::Missed(events) if args.talk.json => print_line(&Response::Missed { events })?,
            TailAnswer::Event(event) => {
                let mut out = anstream::stdout().lock();
                let written = write(&mut out, &event, &zone).and_then(|()| out.flush());
                written.map_err(|error| Failure::output(&error))?;
            }
            TailAnswer::Missed(events) => {
                let decisions = error::plural(events, "decision");
                error::warn(&format!("{decisions} could not be told: this was read too slowly"), None);
            }
        }
    }
    Ok(())
}

fn write(out: &mut impl Write, event: &TailEvent, zone: &TimeZone) -> io::Result<()> {
    let style = match event.kind {
        TailKind::Hit => AnsiColor::Red.on_default().bold(),
        TailKind::Ban | TailKind::Extend => AnsiColor::Red.on_default(),
        TailKind::Unban => AnsiColor::Green.on_default(),
        TailKind::Alarm | TailKind::Gap => AnsiColor::Yellow.on_default(),
        _ => Style::new(),
    };
    let time = short(event.time.time(), zone);
    let id = event.id.map_or(String::new(), |id| format!(" {id}"));
    let whom = event.prefix.as_ref().map_or(String::new(), |prefix| format!("  {}", show_prefix(prefix)));
    writeln!(out, "{time}  {style}{}{id}{style:#}{whom}", event.kind.name())?;
    let account = event.account.as_ref().map_or(String::new(), |account| format!("{account}: "));
    let reason = event.reason.as_ref().map_or(String::new(), |reason| format!("{reason}, "));
    let evidence = event.evidence.map_or(String::new(), |nats| format!("{nats:.1} nats, "));
    let recorded = match event.kind {
        TailKind::Ban | TailKind::Extend if !event.enforced => " (recorded, not enforced)",
        _ => "",
    };
    hanging(out, "    ", &format!("{account}{reason}{evidence}{}{recorded}", event.text))
}
