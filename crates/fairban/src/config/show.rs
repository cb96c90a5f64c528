//! The configuration as the operator may read it, and what differs between two.

use std::fmt::Write as _;

use fairban_core::event::Service;
use fairban_core::time::Span;
use toml_edit::{Array, Value};

use super::keys::{Applies, KEYS};
use super::{Config, InputSource, Origin, Setting, Zone};
use crate::cli::show_span;

/// A value with its key and origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) key: &'static str,
    /// For keys of inputs: which one, from 1.
    pub(crate) input: Option<usize>,
    /// As TOML; in words, and in brackets, where nothing is set.
    pub(crate) value: String,
    pub(crate) origin: Origin,
}

/// What is different, and what it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) key: &'static str,
    /// As [`Shown::value`], those of lists and inputs one after the other.
    pub(crate) old: String,
    pub(crate) new: String,
    pub(crate) applies: Applies,
}

impl Config {
    /// Every value, in the order of the documents.
    pub(crate) fn values(&self) -> Vec<Shown> {
        let (bans, control, history) = (&self.bans, &self.control, &self.history);
        let mut all = vec![
            one("mode", &self.mode, |mode| text(mode.name())),
            one("services", &self.services, |mask| services(*mask)),
        ];
        all.extend(self.allow.iter().map(|element| one("allow", element, |e| list([e.to_string()]))));
        if self.allow.is_empty() {
            let nobody = Shown { key: "allow", input: None, value: list([]), origin: Origin::Default };
            all.push(nobody);
        }
        all.extend([
            one("allow_refresh", &self.allow_refresh, |at| span(*at)),
            one("admins", &self.admins, |names| list(names.iter().cloned())),
            one("timezone", &self.timezone, zone),
            one("discover", &self.discover, bool::to_string),
            one("read_back", &self.read_back, |at| span(*at)),
            one("state_dir", &self.state_dir, |path| text(&path.display().to_string())),
            Shown {
                value: text(&self.key_file().display().to_string()),
                ..one("key_file", &self.key_file, |_| String::new())
            },
            one("user", &self.user, |name| text(name)),
            one("group", &self.group, |name| or_words(name.as_deref(), "main group of user")),
        ]);
        for (at, input) in self.inputs.iter().enumerate() {
            all.extend(input.values().into_iter().map(|shown| Shown { input: Some(at + 1), ..shown }));
        }
        all.extend([
            one("bans.first", &bans.first, |at| span(*at)),
            one("bans.longest", &bans.longest, |at| span(*at)),
            one("bans.longest_familiar", &bans.longest_familiar, |at| span(*at)),
            one("bans.ladder", &bans.ladder, u8::to_string),
            one("bans.enforcer", &bans.enforcer, |kind| {
                or_words(
                    kind.map(super::values::EnforcerKind::name),
                    "nftables if fairban-fw is there, else none",
                )
            }),
            one("bans.all_ports", &bans.all_ports, bool::to_string),
            one("bans.ports", &bans.ports, |ports| match ports {
                Some(ports) => {
                    Value::from(ports.iter().map(|port| i64::from(*port)).collect::<Array>()).to_string()
                }
                None => "(those that fairban-fw closes)".to_owned(),
            }),
            one("bans.socket", &bans.socket, |path| text(&path.display().to_string())),
            one("bans.file", &bans.file, |path| path_or_none(path.as_deref())),
            one("bans.nft_table", &bans.nft_table, |table| or_words(table.as_deref(), "none")),
            one("bans.daemons", &bans.daemons, |names| text(names)),
            one("bans.rules", &bans.rules, |path| path_or_none(path.as_deref())),
        ]);
        for (name, table) in &self.limits {
            all.extend(table.values(name));
        }
        all.extend([
            one("control.socket", &control.socket, |path| text(&path.display().to_string())),
            one("control.group", &control.group, |name| or_words(name.as_deref(), "root alone")),
            one("control.status_for_all", &control.status_for_all, bool::to_string),
            one("history.keep", &history.keep, |at| span(*at)),
            one("history.megabytes", &history.megabytes, u32::to_string),
        ]);
        all
    }
}

impl super::LimitTable {
    /// Of those that are set; the name of the table stands before each value.
    fn values(&self, name: &str) -> Vec<Shown> {
        let number = |number: &Option<u32>| number.map_or_else(String::new, |number| number.to_string());
        let mut all = vec![one("limits.ports", &self.ports, |ports| {
            Value::from(ports.iter().map(|port| i64::from(*port)).collect::<Array>()).to_string()
        })];
        if self.concurrent.value.is_some() {
            all.push(one("limits.concurrent", &self.concurrent, number));
        }
        if let Some((count, seconds)) = self.new.value {
            let per = show_span(Span::secs(i64::from(seconds)));
            all.push(one("limits.new", &self.new, |_| text(&format!("{count}/{per}"))));
        }
        if self.burst.value.is_some() {
            all.push(one("limits.burst", &self.burst, number));
        }
        if let Some(hold) = self.hold.value {
            all.push(one("limits.hold", &self.hold, |_| span(hold)));
        }
        all.push(one("limits.enforce", &self.enforce, bool::to_string));
        for shown in &mut all {
            shown.value = format!("{name}: {}", shown.value);
        }
        all
    }
}

impl super::Input {
    fn values(&self) -> Vec<Shown> {
        let (key, value) = match &self.from.value {
            InputSource::File(path) => ("input.file", text(&path.display().to_string())),
            InputSource::Multilog(path) => ("input.multilog", text(&path.display().to_string())),
            InputSource::Journal(matches) => ("input.journal", list(matches.iter().cloned())),
            InputSource::Syslog(listen) => ("input.syslog", text(&listen.to_string())),
            InputSource::Pipe(path) => ("input.pipe", text(&path.display().to_string())),
        };
        let mut all = vec![Shown { key, input: None, value, origin: self.from.origin.clone() }];
        if !self.senders.value.is_empty() {
            let senders = |nets: &Vec<ipnet::IpNet>| list(nets.iter().map(ToString::to_string));
            all.push(one("input.from", &self.senders, senders));
        }
        if self.services.value.is_some() {
            all.push(one("input.services", &self.services, |mask| services(mask.unwrap_or_default())));
        }
        if let Some(own) = &self.timezone.value {
            all.push(one("input.timezone", &self.timezone, |_| zone(own)));
        }
        all
    }
}

/// What a reload from `old` to `new` changes. Files of `allow` count by what stands in them.
pub(crate) fn diff(old: &Config, new: &Config) -> Vec<Change> {
    let (old_values, new_values) = (old.values(), new.values());
    let joined = |values: &[Shown], key: &str| {
        let mut text = String::new();
        for shown in values.iter().filter(|shown| shown.key == key) {
            let input = shown.input.map_or(String::new(), |at| format!("input {at}: "));
            // Writing to a string cannot fail.
            let _ = write!(text, "{}{input}{}", if text.is_empty() { "" } else { "; " }, shown.value);
        }
        text
    };
    let mut changes = Vec::new();
    for key in &KEYS {
        let (was, is) = (joined(&old_values, key.name), joined(&new_values, key.name));
        let within = key.name == "allow" && old.allowed != new.allowed;
        if was != is || within {
            changes.push(Change { key: key.name, old: was, new: is, applies: key.applies });
        }
    }
    changes
}

fn one<T>(key: &'static str, setting: &Setting<T>, show: impl Fn(&T) -> String) -> Shown {
    Shown { key, input: None, value: show(&setting.value), origin: setting.origin.clone() }
}

/// As a TOML string.
fn text(text: &str) -> String {
    Value::from(text).to_string()
}

fn list(elements: impl IntoIterator<Item = String>) -> String {
    Value::from(elements.into_iter().collect::<Array>()).to_string()
}

fn span(span: Span) -> String {
    text(&show_span(span))
}

fn services(mask: u32) -> String {
    let named = Service::ALL.iter().filter(|service| mask & (1 << service.index()) != 0);
    list(named.map(|service| service.name().to_owned()))
}

fn zone(zone: &Zone) -> String {
    let system = || format!("(the system's, {})", zone.zone.iana_name().unwrap_or("of no name"));
    zone.name.as_deref().map_or_else(system, text)
}

fn path_or_none(path: Option<&std::path::Path>) -> String {
    or_words(path.map(|path| path.display().to_string()).as_deref(), "none")
}

fn or_words(value: Option<&str>, words: &str) -> String {
    value.map_or_else(|| format!("({words})"), text)
}
