//! One object a line: the contract with programs, described by `docs/replay.schema.json`.
//!
//! Fields stand in a fixed order, numbers of nats have three decimals, and bytes from outside are escaped twice: first
//! as everywhere (`\xNN`, `\\`), then as JSON asks.

use std::io::{self, Write};

use fairban_core::account::Account;
use fairban_core::effect::{Alarm, Ban, Effect, SignalSum};
use fairban_core::escape::escaped;
use fairban_core::event::Service;
use fairban_core::nats::Nats;
use fairban_core::time::Time;
use fairban_parse::health::Health;

use crate::tally::{Robot, Tally, Totals};
use crate::when::rfc3339;

/// The version of the format: the `v` of every object.
const VERSION: u32 = 1;

/// Where the line stands whose reading caused an effect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// The log's name, already escaped.
    pub(crate) file: &'a str,
    /// From 1.
    pub(crate) line: u64,
}

/// Writes an effect; [`Effect::Seen`] is never written.
pub(crate) fn write_effect(out: &mut impl Write, effect: &Effect, place: Place<'_>) -> io::Result<()> {
    let mut object = match effect {
        Effect::Seen(_) => return Ok(()),
        Effect::Ban(ban) => Object::at("ban", ban.id, ban.time, place).ban(ban),
        Effect::Extend { of, ban } => {
            Object::at("extend", ban.id, ban.time, place).number("of", *of).ban(ban)
        }
        Effect::Unban { id, of, prefix, time, reason } => {
            let object = Object::at("unban", *id, *time, place).number("of", *of);
            object.text("source", &prefix.to_string()).text("reason", reason.name())
        }
        Effect::Hit { id, time, source, account, guesses, evidence } => {
            let object =
                Object::at("hit", *id, *time, place).text("source", &source.to_string()).account(account);
            object.number("guesses", u64::from(*guesses)).nats("evidence", *evidence)
        }
        Effect::StaleDevice { id, time, source, account, failures, since } => {
            let object = Object::at("stale-device", *id, *time, place).text("source", &source.to_string());
            object.account(account).number("failures", u64::from(*failures)).text("since", &rfc3339(*since))
        }
        Effect::Hub { id, time, source, accounts } => {
            let object = Object::at("hub", *id, *time, place).text("source", &source.to_string());
            object.number("accounts", u64::from(*accounts))
        }
        Effect::Alarm { id, time, alarm } => Object::at("alarm", *id, *time, place).alarm(alarm),
        Effect::Gap { id, time, service, lost } => {
            let object = Object::at("gap", *id, *time, place).text("service", service.name());
            object.number("lost", u64::from(*lost))
        }
    };
    out.write_all(object.line())
}

/// The stable number of an effect; none for what was only seen.
pub(crate) fn id_of(effect: &Effect) -> Option<u64> {
    match effect {
        Effect::Ban(ban) | Effect::Extend { ban, .. } => Some(ban.id),
        Effect::Unban { id, .. }
        | Effect::Hit { id, .. }
        | Effect::StaleDevice { id, .. }
        | Effect::Hub { id, .. }
        | Effect::Alarm { id, .. }
        | Effect::Gap { id, .. } => Some(*id),
        Effect::Seen(_) => None,
    }
}

/// Writes the summary: counters of all that was read, in this run and those that it goes on from. It holds nothing that
/// depends on how the input was cut.
pub(crate) fn write_summary(out: &mut impl Write, tally: &Tally, health: &Health) -> io::Result<()> {
    let mut object = Object::new("summary", 0);
    object = match tally.span {
        Some((first, last)) => object.text("time", &rfc3339(last)).text("from", &rfc3339(first)),
        None => object.raw("time", "null").raw("from", "null"),
    };
    object = object.number("lines", health.lines).number("bytes", health.bytes);
    object = object.number("too_long", health.too_long).number("no_format", health.no_format);
    object =
        object.number("foreign", health.foreign).raw("services", &services(health)).totals(&tally.totals);
    object = object.number("sources", tally.people.sources).raw("robots", &kinds(tally));
    let casualties = tally.robots.rows().iter().filter(|robot| robot.is_casualty());
    object = object.raw("casualties", &list(casualties.map(casualty)));
    out.write_all(object.raw("comparison", &comparison(tally)).line())
}

fn services(health: &Health) -> String {
    let seen = Service::ALL.iter().zip(&health.services).filter(|(_, counted)| counted.lines > 0);
    list(seen.map(|(service, counted)| {
        let object = Object::part().text("name", service.name()).number("lines", counted.lines);
        let object = object.number("understood", counted.understood).number("events", counted.events);
        object.number("odd", counted.odd).number("login_like", counted.login_like).end()
    }))
}

fn kinds(tally: &Tally) -> String {
    list(tally.kinds.iter().map(|(kind, counted)| {
        let object = Object::part().text("reason", kind.name()).number("sources", counted.sources);
        object.number("attempts", counted.attempts).number("kept_out", counted.kept_out).end()
    }))
}

fn casualty(robot: &Robot) -> String {
    let object =
        Object::part().text("source", &robot.prefix.to_string()).number("logins_before", robot.logins.before);
    object.number("logins_denied", robot.logins.denied).number("logins_after", robot.logins.after).end()
}

fn comparison(tally: &Tally) -> String {
    let spared = tally.people.spared();
    let (sources, denied) =
        spared.fold((0, 0), |(n, denied), (_, p)| (n + 1, denied + u64::from(p.rule_denied)));
    let object =
        Object::part().text("rule", &tally.rule().to_string()).number("bans", tally.totals.rule_bans);
    object.number("honest_banned", sources).number("logins_denied", denied).end()
}

fn list(parts: impl Iterator<Item = String>) -> String {
    format!("[{}]", parts.collect::<Vec<_>>().join(","))
}

/// An object in the making.
struct Object(String);

impl Object {
    fn new(action: &str, id: u64) -> Object {
        Object::part().number("v", u64::from(VERSION)).number("id", id).text("action", action)
    }

    fn at(action: &str, id: u64, time: Time, place: Place<'_>) -> Object {
        let object = Object::new(action, id).text("time", &rfc3339(time));
        object.text("file", place.file).number("line", place.line)
    }

    fn part() -> Object {
        let mut text = String::with_capacity(512);
        text.push('{');
        Object(text)
    }

    /// A field whose value is JSON already.
    fn raw(mut self, name: &str, value: &str) -> Object {
        self.name(name);
        self.0.push_str(value);
        self
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
    }

    fn number(mut self, name: &str, value: u64) -> Object {
        self.name(name);
        self.digits(value, 1);
        self
    }

    /// A number with at least so many digits.
    fn digits(&mut self, value: u64, at_least: usize) {
        let (mut digits, mut at, mut left) = ([b'0'; 20], 20, value);
        while left > 0 {
            at -= 1;
            digits[at] = b'0' + (left % 10) as u8;
            left /= 10;
        }
        let shown = &digits[at.min(20 - at_least)..];
        self.0.extend(shown.iter().map(|&digit| char::from(digit)));
    }

    /// Text whose bytes from outside are escaped already.
    fn text(mut self, name: &str, value: &str) -> Object {
        if value.bytes().any(|byte| matches!(byte, b'"' | b'\\' | ..0x20)) {
            return self.raw(name, &serde_json::Value::from(value).to_string());
        }
        self.name(name);
        self.0.push('"');
        self.0.push_str(value);
        self.0.push('"');
        self
    }

    fn nats(mut self, name: &str, value: Nats) -> Object {
        // Thousandths, rounded half away from zero, in whole numbers: equal on every machine, and no negative zero.
        let scaled = i64::from(value.to_raw()) * 1_000;
        let milli = (scaled.abs() + 512) / 1_024;
        self.name(name);
        if scaled < 0 && milli > 0 {
            self.0.push('-');
        }
        self.digits(milli as u64 / 1_000, 1);
        self.0.push('.');
        self.digits(milli as u64 % 1_000, 3);
        self
    }

    fn account(self, account: &Account) -> Object {
        let object = match account.key() {
            Some(key) => self.text("account", &escaped(key.as_bytes()).to_string()),
            None => self.raw("account", "null"),
        };
        if matches!(account, Account::Cut(_)) { object.raw("cut", "true") } else { object }
    }

    fn ban(self, ban: &Ban) -> Object {
        let object = self.text("source", &ban.prefix.to_string());
        let object = match ban.until {
            Some(until) => {
                let duration_secs = until.since(ban.time).as_secs().max(0);
                object.number("duration", duration_secs as u64).text("until", &rfc3339(until))
            }
            None => object.raw("duration", "null").raw("until", "null"),
        };
        let object =
            object.nats("evidence", ban.evidence).nats("limit", ban.limit).text("reason", ban.reason.name());
        let object =
            object.number("attempts", u64::from(ban.attempts)).number("accounts", u64::from(ban.accounts));
        let object = object.raw("weak", if ban.weak { "true" } else { "false" });
        object.signals(&ban.signals)
    }

    fn signals(mut self, signals: &[SignalSum]) -> Object {
        self.name("signals");
        self.0.push('[');
        for (n, sum) in signals.iter().enumerate() {
            self.0.push_str(if n > 0 { ",{\"name\":\"" } else { "{\"name\":\"" });
            self.0.push_str(sum.signal.name());
            self.0.push('"');
            self = self.number("count", u64::from(sum.count)).nats("nats", sum.nats);
            self.0.push('}');
        }
        self.0.push(']');
        self
    }

    fn alarm(self, alarm: &Alarm) -> Object {
        let object = self.text("alarm", alarm.name());
        match alarm {
            Alarm::Outage { service, failing } => {
                object.text("service", service.name()).number("failing", u64::from(*failing))
            }
            Alarm::OutageEnded { service }
            | Alarm::OutageLong { service }
            | Alarm::Blind { service }
            | Alarm::Torn { service } => object.text("service", service.name()),
            Alarm::AccountUnderAttack { account, strangers } => {
                object.account(account).number("strangers", u64::from(*strangers))
            }
            Alarm::Looping { account, source, failures } => object
                .text("source", &source.to_string())
                .account(account)
                .number("failures", u64::from(*failures)),
            Alarm::PenaltyOnFamiliar { source } | Alarm::Proxy { source } => {
                object.text("source", &source.to_string())
            }
            Alarm::Spared { source, because } => {
                object.text("source", &source.to_string()).text("because", because.name())
            }
            _ => object,
        }
    }

    fn totals(self, totals: &Totals) -> Object {
        let named = [
            ("attempts", totals.attempts),
            ("failures", totals.failures),
            ("successes", totals.successes),
            ("connections", totals.connections),
            ("kept_out", totals.kept_out),
            ("bans", totals.bans),
            ("extends", totals.extends),
            ("unbans", totals.unbans),
            ("banned_sources", totals.banned_sources),
            ("hits", totals.hits),
            ("stale_devices", totals.stale_devices),
            ("hubs", totals.hubs),
            ("alarms", totals.alarms),
            ("gaps", totals.gaps),
        ];
        named.into_iter().fold(self, |object, (name, value)| object.number(name, value))
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn line(&mut self) -> &[u8] {
        self.0.push_str("}\n");
        self.0.as_bytes()
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
