//! What an audit says: for a person, or one JSON object a line.

use std::collections::BTreeMap;
use std::io::{self, Write};

use fairban_core::effect::Effect;
use fairban_core::engine::{Order, Whom};
use fairban_core::escape::escaped;
use serde_json::{Value, json};

use crate::daemon::desk::{Action, Desk, Entry, Mode};
use crate::daemon::told::sentence;
use crate::error::{self, Failure};
use crate::json::id_of;
use crate::limits::Said;
use crate::when::rfc3339;

pub(super) struct Told<W> {
    out: W,
    json: bool,
    events: bool,
    counts: BTreeMap<&'static str, u64>,
    troubles: u64,
}

impl<W: Write> Told<W> {
    pub(super) fn new(out: W, json: bool, events: bool) -> Told<W> {
        let names = ["lines", "reads", "ticks", "orders", "configurations", "inputs", "resolved", "verdicts"];
        let counts = names.into_iter().map(|name| (name, 0)).collect();
        Told { out, json, events, counts, troubles: 0 }
    }

    pub(super) fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }

    pub(super) fn is_trouble(&self) -> bool {
        self.troubles > 0
    }

    /// Something is wrong.
    pub(super) fn trouble(&mut self, text: &str) -> Result<(), Failure> {
        self.troubles += 1;
        if self.json {
            return self.object(json!({"action": "trouble", "text": text}));
        }
        error::warn(text, None);
        Ok(())
    }

    /// Something is as it may be, and worth knowing.
    pub(super) fn note(&mut self, text: &str) -> Result<(), Failure> {
        if self.json {
            return self.object(json!({"action": "note", "text": text}));
        }
        error::note(text);
        Ok(())
    }

    /// An entry that the desk has just taken, and what it led to.
    pub(super) fn entry(
        &mut self,
        seq: u64,
        entry: &Entry,
        desk: &Desk,
        effects: &[Effect],
    ) -> Result<(), Failure> {
        let name = match entry {
            Entry::Input { .. } => "inputs",
            Entry::Line { .. } => "lines",
            Entry::Read { .. } => "reads",
            Entry::Tick { .. } => "ticks",
            Entry::Action { .. } => "orders",
            Entry::Configured { .. } => "configurations",
            Entry::Resolved { .. } => "resolved",
            Entry::Learnt { .. } => "learnt",
        };
        *self.counts.entry(name).or_default() += 1;
        *self.counts.entry("verdicts").or_default() += effects.len() as u64;
        if !self.events {
            return Ok(());
        }
        if let Some(object) = entry_object(seq, entry, desk) {
            self.object(object)?;
        }
        for effect in effects {
            let object =
                json!({"action": "verdict", "seq": seq, "id": id_of(effect), "text": sentence(effect)});
            self.object(object)?;
        }
        Ok(())
    }

    pub(super) fn summary(
        &mut self,
        from: u64,
        to: u64,
        counts: &BTreeMap<&'static str, u64>,
    ) -> Result<(), Failure> {
        if self.json {
            let mut object = json!({"action": "summary", "from": from, "to": to, "troubles": self.troubles});
            for (name, count) in counts {
                object[*name] = json!(count);
            }
            self.object(object)?;
        } else {
            let counted: Vec<String> =
                counts.iter().filter(|(_, n)| **n > 0).map(|(name, n)| format!("{n} {name}")).collect();
            let end = match self.troubles {
                0 => "all that is remembered follows from it".to_owned(),
                troubles => format!("wrong: {}", error::plural(troubles, "finding")),
            };
            self.line(&format!("entries {from} to {to}: {}; {end}", counted.join(", ")))?;
        }
        self.out.flush().map_err(|error| Failure::output(&error))
    }

    fn object(&mut self, mut object: Value) -> Result<(), Failure> {
        if self.json {
            object["v"] = json!(1);
            return self.line(&object.to_string());
        }
        let text = |name: &str| match &object[name] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let parts =
            ["seq", "time", "action", "order", "input", "line", "uid", "whom", "text", "reason"].map(text);
        let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        self.line(&parts.join("  "))
    }

    fn line(&mut self, text: &str) -> Result<(), Failure> {
        let written: io::Result<()> = writeln!(self.out, "{text}");
        written.map_err(|error| Failure::output(&error))
    }
}

/// What an entry says; `None` for those that say nothing to people.
fn entry_object(seq: u64, entry: &Entry, desk: &Desk) -> Option<Value> {
    match entry {
        Entry::Line { input, line, event, text, .. } => {
            let key = desk.inputs().get(usize::from(*input)).map_or("", |input| &input.key);
            let text = escaped(text).to_string();
            Some(json!({"action": "line", "seq": seq, "input": key, "line": line,
                        "time": rfc3339(event.time), "text": text}))
        }
        Entry::Action { time, by, action, reason } => {
            let (order, whom, text) = action_words(action);
            Some(json!({"action": "order", "seq": seq, "time": rfc3339(*time), "uid": by.uid, "order": order,
                        "whom": whom, "text": text, "reason": reason}))
        }
        Entry::Configured { time, config, .. } => {
            let text = format!("{} prefixes allowed", config.allow.len());
            Some(json!({"action": "configured", "seq": seq, "time": rfc3339(*time), "text": text}))
        }
        Entry::Input { .. }
        | Entry::Read { .. }
        | Entry::Tick { .. }
        | Entry::Resolved { .. }
        | Entry::Learnt { .. } => None,
    }
}

/// The order, whom it is about, and what else is to be said of it.
fn action_words(action: &Action) -> (&'static str, String, String) {
    match action {
        Action::Order(Order::Ban { prefix, until }) => {
            let until =
                until.map_or_else(|| "for ever".to_owned(), |until| format!("until {}", rfc3339(until)));
            ("ban", prefix.to_string(), until)
        }
        Action::Order(Order::Unban { whom, forgive }) => {
            let whom = match whom {
                Whom::Prefix(prefix) => prefix.to_string(),
                Whom::Account(account) => escaped(account.as_bytes()).to_string(),
                Whom::All => "all".to_owned(),
            };
            ("unban", whom, if *forgive { "forgiven" } else { "" }.to_owned())
        }
        Action::Order(Order::Allow(prefixes)) => {
            ("allowlist", format!("{} prefixes", prefixes.len()), String::new())
        }
        Action::Order(Order::BanLengths(_)) => ("ban-lengths", String::new(), String::new()),
        Action::Order(Order::Resume) => ("resume", String::new(), String::new()),
        Action::Order(Order::Admins(admins)) => ("admins", format!("{} names", admins.len()), String::new()),
        Action::Order(Order::Refused { source, times }) => {
            ("refused", source.to_string(), format!("{times} times"))
        }
        Action::Limit { name, said } => {
            let said = match said {
                Some(Said::Set(spec)) => format!("{} ports", spec.ports.len()),
                Some(Said::Off) => "off".to_owned(),
                None => "as configured".to_owned(),
            };
            ("limit", escaped(name.as_bytes()).to_string(), said)
        }
        Action::Protect { prefix, because } => ("protect", prefix.to_string(), because.clone()),
        Action::Release { prefix } => ("release", prefix.to_string(), String::new()),
        // It was escaped when it was taken.
        Action::Allow { prefix, note } => ("allow", prefix.to_string(), note.clone()),
        Action::Disallow { prefix } => ("allow-remove", prefix.to_string(), String::new()),
        Action::Mode(mode) => {
            let confirm = matches!(mode, Mode::Live { confirm_until: Some(_) });
            ("mode", mode.name().to_owned(), if confirm { "to be confirmed" } else { "" }.to_owned())
        }
    }
}
