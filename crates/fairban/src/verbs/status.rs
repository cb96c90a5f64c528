//! `fairban status`: how the service is.

use std::io::{self, Write};

use fairban_control::{
    AlarmRow, InputState, InputStatus, Mode, Request, Response, ServiceStatus, StatusReport, Wall, WallState,
    Walls,
};
use jiff::tz::TimeZone;

use super::args::Talk;
use super::show::{ago, is_known, megabytes};
use super::{Answers, Offline, print, print_line, unexpected};
use crate::Done;
use crate::report::{Align, COLUMNS, Table, cut, grouped, hanging, loud_title, percent, title};
use crate::when::{length, long, minute, short};

pub(super) fn status(talk: &Talk, offline: Option<&mut dyn Offline>) -> Done {
    match Answers::find(talk, offline)?.ask(&Request::Status)? {
        response @ Response::Status(_) if talk.json => print_line(&response),
        Response::Status(status) => print(|out, zone| write(out, &status, zone)),
        other => Err(unexpected(&other)),
    }
}

fn write(out: &mut impl Write, status: &StatusReport, zone: &TimeZone) -> io::Result<()> {
    if status.pid == 0 {
        writeln!(out, "fairban does not run; as of {}", long(status.at.time(), zone))?;
    } else {
        let since = ago(status.since, status.at, zone);
        writeln!(out, "fairban {}, process {}, since {since}", status.version, status.pid)?;
    }
    write_mode(out, status, zone)?;
    write_alarms(out, &status.alarms, zone)?;
    write_services(out, status, zone)?;
    write_inputs(out, status, zone)?;
    writeln!(out)?;
    write_counts(out, status)?;
    write_surroundings(out, status, zone)
}

fn write_mode(out: &mut impl Write, status: &StatusReport, zone: &TimeZone) -> io::Result<()> {
    let meaning = match status.mode {
        Mode::Shadow => "decides and records, enforces nothing",
        Mode::Live => "enforces",
    };
    let since = is_known(status.mode_since).then(|| long(status.mode_since.time(), zone));
    let since = since.map_or(String::new(), |since| format!(", since {since}"));
    writeln!(out, "Mode {}: {meaning}{since}", status.mode.name())?;
    if let Some(until) = status.confirm_by {
        let left = length(until.time().since(status.at.time()));
        let text =
            format!("not confirmed: back to shadow in {left}. Can you still log in? Then: fairban confirm");
        hanging(out, "  ", &text)?;
    }
    Ok(())
}

fn write_alarms(out: &mut impl Write, alarms: &[AlarmRow], zone: &TimeZone) -> io::Result<()> {
    if alarms.is_empty() {
        return title(out, "Alarms: none");
    }
    loud_title(out, &format!("Alarms: {}", alarms.len()))?;
    for alarm in alarms {
        let about = alarm.about.as_ref().map_or(String::new(), |about| format!("  {about}"));
        let line = format!("  {}  {}{about}", minute(alarm.since.time(), zone), alarm.name);
        writeln!(out, "{}", cut(&line, COLUMNS))?;
        hanging(out, "      ", alarm.text.as_str())?;
    }
    Ok(())
}

fn write_services(out: &mut impl Write, status: &StatusReport, zone: &TimeZone) -> io::Result<()> {
    let services: &[ServiceStatus] = &status.services;
    if services.is_empty() {
        return title(out, "Services: no line of any was seen yet");
    }
    // Counts of lines are the process's, and begin with it.
    let counted =
        is_known(status.since).then(|| format!(" (counted since {})", minute(status.since.time(), zone)));
    title(out, &format!("Services{}", counted.unwrap_or_default()))?;
    let mut table = Table::new(&[
        ("service", Align::Left),
        ("lines", Align::Right),
        ("understood", Align::Right),
        ("about logins", Align::Right),
        ("odd", Align::Right),
        ("last login", Align::Left),
    ]);
    for service in services {
        let last = service.last.map_or("none".to_owned(), |last| short(last.time(), zone));
        table.row([
            service.name.to_string(),
            grouped(service.lines),
            percent(service.understood, service.lines),
            grouped(service.events),
            grouped(service.login_like),
            last,
        ]);
    }
    table.write(out)?;
    for service in services.iter().filter(|service| service.blind) {
        let text = format!(
            "{} shows no logins: failures cannot be seen to resolve there. Ask: fairban check",
            service.name
        );
        hanging(out, "  ", &text)?;
    }
    for service in services.iter().filter(|service| service.login_like > 0) {
        let lines = grouped(service.login_like);
        let text = format!("{lines} lines of {} look like logins and are not understood:", service.name);
        hanging(out, "  ", &text)?;
        for sample in &service.samples {
            writeln!(out, "      {}", cut(sample.as_str(), COLUMNS - 6))?;
        }
    }
    Ok(())
}

fn write_inputs(out: &mut impl Write, status: &StatusReport, zone: &TimeZone) -> io::Result<()> {
    if status.inputs.is_empty() {
        return title(out, "Inputs: none");
    }
    title(out, "Inputs")?;
    let mut table = Table::new(&[
        ("input", Align::Left),
        ("kind", Align::Left),
        ("state", Align::Left),
        ("behind", Align::Right),
        ("lines", Align::Right),
        ("last login", Align::Left),
    ]);
    for input in &status.inputs {
        table.row([
            input.name.to_string(),
            input.kind.name().to_owned(),
            input.state.name().to_owned(),
            behind(input),
            grouped(input.lines),
            input.last.map_or("none".to_owned(), |last| short(last.time(), zone)),
        ]);
    }
    table.write(out)?;
    if status.inputs_more > 0 {
        writeln!(out, "  and {} more", grouped(status.inputs_more))?;
    }
    for input in &status.inputs {
        write_input_notes(out, input)?;
    }
    Ok(())
}

fn behind(input: &InputStatus) -> String {
    match input.lag_bytes {
        _ if matches!(input.state, InputState::Waiting | InputState::Failed) => "-".to_owned(),
        None => "unknown".to_owned(),
        Some(0) => "nothing".to_owned(),
        Some(bytes @ ..10_000) => format!("{bytes} bytes"),
        Some(bytes) => megabytes(bytes),
    }
}

fn write_input_notes(out: &mut impl Write, input: &InputStatus) -> io::Result<()> {
    let name = &input.name;
    if let Some(every) = input.polling_ms {
        let text = format!("{name}: looked at every {every} ms, for its file system tells of no changes");
        hanging(out, "  ", &text)?;
    }
    if input.lost_bytes > 0 {
        let bytes = grouped(input.lost_bytes);
        hanging(out, "  ", &format!("{name}: {bytes} bytes were gone before they could be read"))?;
    }
    if let Some(remark) = &input.remark {
        hanging(out, "  ", &format!("{name}: {remark}"))?;
    }
    Ok(())
}

fn write_counts(out: &mut impl Write, status: &StatusReport) -> io::Result<()> {
    let (sources, bans) = (&status.sources, &status.bans);
    let (suspects, clients, accounts) =
        (grouped(sources.suspects), grouped(sources.clients), grouped(sources.accounts));
    let text = format!(
        "{suspects} suspects; {clients} places of {accounts} accounts, {} of them hubs",
        grouped(sources.hubs)
    );
    labelled(out, "Sources", &text)?;
    let by_operator = match bans.by_operator {
        0 => String::new(),
        count => format!(" ({} by operators)", grouped(count)),
    };
    let (force, day, ever) = (grouped(bans.in_force), grouped(bans.last_day), grouped(bans.ever));
    labelled(out, "Bans", &format!("{force} in force{by_operator}; {day} in the last day, {ever} ever"))?;
    labelled(
        out,
        "Allowed",
        &match status.allowed {
            1 => "1 prefix".to_owned(),
            count => format!("{} prefixes", grouped(count)),
        },
    )
}

fn write_surroundings(out: &mut impl Write, status: &StatusReport, zone: &TimeZone) -> io::Result<()> {
    match &status.enforcer {
        None => labelled(out, "Firewall", "none is set up")?,
        Some(enforcer) => {
            let ready = if enforcer.ready { "ready" } else { "NOT READY" };
            let shut = grouped(enforcer.shut);
            let prefixes = if enforcer.shut == 1 { "prefix" } else { "prefixes" };
            labelled(out, "Firewall", &format!("{}: {ready}, {shut} {prefixes} shut out", enforcer.name))?;
            for remark in &enforcer.remarks {
                labelled(out, "", remark.as_str())?;
            }
        }
    }
    if status.pid != 0 {
        labelled(out, "Walls", &shown_walls(&status.walls))?;
    }
    let store = &status.store;
    let health = if store.healthy { "healthy" } else { "DEGRADED" };
    labelled(out, "State", &format!("{}: {health}, {}", store.path, megabytes(store.bytes)))?;
    if let Some(remark) = &store.remark {
        labelled(out, "", remark.as_str())?;
    }
    let journal = &status.journal;
    let (sequence, snapshot) = (grouped(journal.sequence), grouped(journal.snapshot));
    let made = journal.snapshot_at.map_or(String::new(), |at| format!(" of {}", long(at.time(), zone)));
    labelled(out, "Journal", &format!("at {sequence}; snapshot at {snapshot}{made}"))?;
    match status.memory.resident_bytes {
        0 => Ok(()),
        bytes => labelled(out, "Memory", &megabytes(bytes)),
    }
}

fn shown_walls(walls: &Walls) -> String {
    let capabilities = match walls.capabilities.state {
        WallState::Up => "no capabilities",
        WallState::Partly => "some capabilities",
        WallState::Down => "CAPABILITIES",
    };
    let state = |name: &str, wall: &Wall| match wall.state {
        WallState::Up => format!("{name} up"),
        WallState::Partly => format!("{name} in part"),
        WallState::Down => format!("{name} DOWN"),
    };
    let parts = [
        (capabilities.to_owned(), &walls.capabilities),
        (state("Landlock", &walls.landlock), &walls.landlock),
        (state("seccomp", &walls.seccomp), &walls.seccomp),
    ];
    let told = parts.map(|(state, wall)| match &wall.remark {
        Some(remark) => format!("{state} ({remark})"),
        None => state,
    });
    told.join(", ")
}

fn labelled(out: &mut impl Write, label: &str, text: &str) -> io::Result<()> {
    hanging(out, &format!("{label:<10}"), text)
}
