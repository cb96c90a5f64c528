//! The findings: robots, hits, stale devices, honest sources, casualties, hubs, alarms.

use std::collections::BTreeMap;
use std::io::{self, Write};

use fairban_core::effect::Alarm;
use fairban_core::escape::escaped;

use super::table::{Align, Table};
use super::{Report, grouped, hanging, loud_title, title, wrapped};
use crate::tally::{Person, Robot, Unit, show_account, show_prefix};
use crate::when::{minute, short};

use Align::{Left, Right};

impl Report<'_> {
    pub(super) fn write_robots(&self, out: &mut impl Write) -> io::Result<()> {
        let totals = &self.tally.totals;
        if totals.banned_sources == 0 {
            title(out, "Robots: none")?;
            return wrapped(out, "No source gave enough evidence to be banned.");
        }
        title(out, &format!("Robots: {} sources banned", grouped(totals.banned_sources)))?;
        self.write_kinds(out)?;
        let mut robots: Vec<&Robot> = self.tally.robots.rows().iter().collect();
        robots.sort_by_key(|robot| std::cmp::Reverse(u64::from(robot.attempts) + robot.kept_out));
        let mut table = Table::new(&[
            ("source", Left),
            ("kind", Left),
            ("first seen", Left),
            ("last seen", Left),
            ("tries", Right),
            ("kept", Right),
            ("acc.", Right),
        ])
        .dense();
        for robot in robots.iter().take(self.rows()) {
            let (first, last) = (minute(robot.first_seen, self.zone), minute(robot.last_seen, self.zone));
            let weak = if robot.weak { "*" } else { "" };
            table.row([
                show_prefix(&robot.prefix),
                format!("{}{weak}", robot.reason.name()),
                first,
                last,
                robot.attempts.to_string(),
                robot.kept_out.to_string(),
                robot.accounts.to_string(),
            ]);
        }
        writeln!(out)?;
        table.write(out)?;
        self.write_more(out, robots.len())?;
        if self.tally.robots.unlisted > 0 {
            writeln!(out, "  and {} that are counted above alone", grouped(self.tally.robots.unlisted))?;
        }
        wrapped(
            out,
            "tries: before the ban; kept: what bans would have kept out after it; acc.: accounts tried before it.",
        )?;
        if robots.iter().any(|robot| robot.weak) {
            wrapped(
                out,
                "* weak evidence: connections alone. The log of the login program beside it would make it strong.",
            )?;
        }
        let most = robots[0].prefix;
        writeln!(out, "  Why: fairban replay --explain {} LOG...", show_prefix(&most))
    }

    fn write_kinds(&self, out: &mut impl Write) -> io::Result<()> {
        let heads =
            [("kind", Left), ("sources", Right), ("tries before the ban", Right), ("kept out", Right)];
        let mut table = Table::new(&heads);
        for (kind, counted) in &self.tally.kinds {
            let (sources, attempts) = (grouped(counted.sources), grouped(counted.attempts));
            table.row([kind.name().to_owned(), sources, attempts, grouped(counted.kept_out)]);
        }
        if self.tally.kinds.len() > 1 {
            let sum = |of: fn(&crate::tally::Kinds) -> u64| grouped(self.tally.kinds.values().map(of).sum());
            table.row(["all".into(), sum(|k| k.sources), sum(|k| k.attempts), sum(|k| k.kept_out)]);
        }
        table.write(out)
    }

    pub(super) fn write_hits(&self, out: &mut impl Write) -> io::Result<()> {
        let hits = &self.tally.hits;
        if hits.is_empty() {
            return Ok(());
        }
        loud_title(out, &format!("Accounts probably taken: {}", grouped(self.tally.totals.hits)))?;
        wrapped(
            out,
            "A source that was guessing logged in. Change these passwords and look at what was done with them.",
        )?;
        let mut table = Table::new(&[
            ("when", Left),
            ("source", Left),
            ("guesses", Right),
            ("nats", Right),
            ("account", Left),
        ]);
        for hit in hits.iter().take(self.rows()) {
            let (when, source) = (short(hit.time, self.zone), hit.source.to_string());
            let (guesses, nats) = (hit.guesses.to_string(), hit.evidence.to_string());
            table.row([when, source, guesses, nats, show_account(&hit.account)]);
        }
        table.write(out)?;
        self.write_more(out, hits.len())
    }

    pub(super) fn write_stale_devices(&self, out: &mut impl Write) -> io::Result<()> {
        let devices = &self.tally.stale_devices;
        if devices.is_empty() {
            return Ok(());
        }
        title(out, &format!("Devices with an old password: {}", grouped(devices.len() as u64)))?;
        wrapped(
            out,
            "Not robots, and not banned. Call the owners: something of theirs still tries a password that is no longer right.",
        )?;
        let heads = [("since", Left), ("source", Left), ("failures", Right), ("account", Left)];
        let mut table = Table::new(&heads);
        for ((account, source), row) in devices.iter().take(self.rows()) {
            let name =
                account.as_ref().map_or("(not named)".to_owned(), |key| escaped(key.as_bytes()).to_string());
            let (since, failures) = (minute(row.since, self.zone), row.failures.to_string());
            table.row([since, source.to_string(), failures, name]);
        }
        table.write(out)?;
        self.write_more(out, devices.len())
    }

    pub(super) fn write_honest(&self, out: &mut impl Write) -> io::Result<()> {
        let rule = self.tally.rule();
        let mut spared: Vec<(Unit, &Person)> = self.tally.people.spared().collect();
        let denied: u64 = spared.iter().map(|(_, person)| u64::from(person.rule_denied)).sum();
        if spared.is_empty() {
            title(out, "Honest sources spared: none")?;
            return wrapped(
                out,
                &format!("A counting rule of {rule} would have banned no honest source here."),
            );
        }
        let count = grouped(spared.len() as u64);
        title(out, &format!("Honest sources spared: {count}"))?;
        let denied = grouped(denied);
        wrapped(
            out,
            &format!(
                "A counting rule of {rule} (failures/window/ban) would have banned these honest sources and denied them {denied} logins. fairban banned none of them."
            ),
        )?;
        spared
            .sort_by_key(|(unit, person)| (std::cmp::Reverse((person.rule_denied, person.rule_bans)), *unit));
        let mut table = Table::new(&[
            ("source", Left),
            ("logins", Right),
            ("failures", Right),
            ("bans", Right),
            ("denied", Right),
            ("accounts", Left),
        ]);
        for (unit, person) in spared.iter().take(self.rows()) {
            let (logins, failures) = (person.successes.to_string(), person.failures.to_string());
            let (bans, denied) = (person.rule_bans.to_string(), person.rule_denied.to_string());
            table.row([unit.to_string(), logins, failures, bans, denied, accounts(person)]);
        }
        table.write(out)?;
        self.write_more(out, spared.len())
    }

    pub(super) fn write_casualties(&self, out: &mut impl Write) -> io::Result<()> {
        let casualties: Vec<&Robot> =
            self.tally.robots.rows().iter().filter(|robot| robot.is_casualty()).collect();
        if casualties.is_empty() {
            title(out, "Casualties: none")?;
            return wrapped(
                out,
                "At no banned source did anybody log in, before the ban, during it or later.",
            );
        }
        loud_title(out, &format!("Casualties: {}", grouped(casualties.len() as u64)))?;
        wrapped(
            out,
            "Banned, although somebody logged in there: look at these. Some are robots that own an account.",
        )?;
        let mut table = Table::new(&[
            ("source", Left),
            ("banned", Left),
            ("before", Right),
            ("denied", Right),
            ("after", Right),
            ("an account", Left),
        ]);
        for robot in casualties.iter().take(self.rows()) {
            let logins = &robot.logins;
            let account = logins.account.as_deref().unwrap_or("(not named)").to_owned();
            let (before, denied, after) =
                (logins.before.to_string(), logins.denied.to_string(), logins.after.to_string());
            table.row([
                show_prefix(&robot.prefix),
                minute(robot.banned, self.zone),
                before,
                denied,
                after,
                account,
            ]);
        }
        table.write(out)?;
        self.write_more(out, casualties.len())?;
        writeln!(out, "  Logins there before the ban, denied by it, and after it.")
    }

    pub(super) fn write_hubs(&self, out: &mut impl Write) -> io::Result<()> {
        let hubs = &self.tally.hubs;
        if hubs.is_empty() {
            return Ok(());
        }
        title(out, &format!("Hubs: {}", grouped(hubs.len() as u64)))?;
        wrapped(
            out,
            "Many accounts log in from these (webmail, offices, shared exits): never banned by address, judged by account.",
        )?;
        let mut table = Table::new(&[("source", Left), ("since", Left), ("accounts by then", Right)]);
        for (source, (time, accounts)) in hubs.iter().take(self.rows()) {
            table.row([source.to_string(), minute(*time, self.zone), accounts.to_string()]);
        }
        table.write(out)?;
        self.write_more(out, hubs.len())
    }

    pub(super) fn write_alarms(&self, out: &mut impl Write) -> io::Result<()> {
        let alarms = &self.tally.alarms;
        if alarms.is_empty() && self.tally.gaps.is_empty() {
            return Ok(());
        }
        title(out, &format!("Alarms: {}", grouped(self.tally.totals.alarms)))?;
        let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
        for (_, alarm) in alarms {
            *kinds.entry(alarm.name()).or_default() += 1;
        }
        let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
        for (time, alarm) in alarms {
            let nth = shown.entry(alarm.name()).or_default();
            *nth += 1;
            // A few of each kind: one kind must not hide another.
            if self.all || *nth <= 3 {
                hanging(out, &format!("  {}  ", short(*time, self.zone)), &in_words(alarm))?;
            }
        }
        for (kind, count) in kinds.iter().filter(|(_, count)| **count > 3 && !self.all) {
            writeln!(out, "  and {} more of {kind}; --all shows them", grouped(count - 3))?;
        }
        for (service, (gaps, lines)) in &self.tally.gaps {
            let (name, gaps, lines) = (service.name(), grouped(*gaps), grouped(*lines));
            wrapped(
                out,
                &format!("The log of {name} lost lines at {gaps} places ({lines} lines, as far as it says)."),
            )?;
        }
        Ok(())
    }
}

/// One account by name, and how many more.
fn accounts(person: &Person) -> String {
    match person.accounts() {
        Some(0 | 1) => person.account().to_owned(),
        Some(n) => format!("{} and {} more", person.account(), n - 1),
        None => format!("{} and many more", person.account()),
    }
}

fn in_words(alarm: &Alarm) -> String {
    match alarm {
        Alarm::Outage { service, failing } => {
            format!(
                "{}: the backend was down ({failing} familiar clients failed together); evidence paused",
                service.name()
            )
        }
        Alarm::OutageEnded { service } => format!("{}: the backend was up again", service.name()),
        Alarm::OutageLong { service } => {
            format!("{}: the backend was down for more than half an hour", service.name())
        }
        Alarm::AccountUnderAttack { account, strangers } => {
            format!("{}: under attack, {strangers} strangers failed there in a day", show_account(account))
        }
        Alarm::Looping { account, source, failures } => {
            format!("{}: tried without end from {source} ({failures} failures)", show_account(account))
        }
        Alarm::Breaker => "bans hit sources with logins: such are only recorded for now".to_owned(),
        Alarm::Spared { source, because } => {
            format!("{source} would be banned, but is protected: {}", because.words())
        }
        Alarm::Blind { service } => format!("{}: the log shows no successes", service.name()),
        Alarm::Torn { service } => format!("{}: a client writes line feeds into the log", service.name()),
        Alarm::PenaltyOnFamiliar { source } => {
            format!("sshd itself turns {source} away, where people log in")
        }
        Alarm::Proxy { source } => format!(
            "{source} carries nearly all logins, a proxy: have the server log the client's address (PROXY protocol, \
             XCLIENT, login_trusted_networks)"
        ),
        other => other.name().to_owned(),
    }
}
