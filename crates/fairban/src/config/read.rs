//! TOML into the configuration, key by key. Every key of every file is looked at, whatever is wrong with the others.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use fairban_firewall::limits::{COUNT_MAX, GROUPS_MAX};
use ipnet::IpNet;
use toml_edit::{Document, Item, TableLike, Value};

use super::keys::{self, Key, SECTIONS};
use super::report::{Problem, Source};
use super::values::{self, Allow, EnforcerKind, Wrong, Zone};
use super::{Config, Input, InputSource, LimitTable, Origin, Setting};
use crate::limits;

/// Most `[[input]]` of all files.
const INPUTS_MAX: usize = 1_000;

const MINUTE: i64 = 60;
const DAY: i64 = 86_400;
const YEAR: i64 = 365 * DAY;

/// A file that `allow` names, and where.
pub(super) struct AllowFile {
    pub(super) source: Arc<Source>,
    pub(super) span: Range<usize>,
    pub(super) path: PathBuf,
}

/// A place in a file.
type Place = (Arc<Source>, Range<usize>);

/// What was read so far.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) config: Config,
    pub(super) problems: Vec<Problem>,
    pub(super) allow_files: Vec<AllowFile>,
    /// Where the value that counts stands.
    places: BTreeMap<&'static str, Place>,
    input_places: Vec<Place>,
    limit_places: BTreeMap<String, Place>,
}

impl Reader {
    /// Reads a file over what those before it said.
    pub(super) fn file(&mut self, source: &Arc<Source>) {
        let document = match Document::parse(source.text.as_str()) {
            Ok(document) => document,
            Err(error) => {
                let at = error.span().unwrap_or(0..0);
                let label = error.message().lines().next().unwrap_or_default().to_owned();
                let message = "this is not TOML".to_owned();
                return self.problems.push(Problem::at(source, at, message, label));
            }
        };
        let mut teller = Teller { source, problems: Vec::new(), places: Vec::new() };
        for (name, item) in document.as_table() {
            let span = key_span(document.as_table(), name);
            match name {
                "input" => self.inputs(item, &span, &mut teller),
                "limits" => self.limits(item, &span, &mut teller),
                _ if SECTIONS.iter().any(|section| section.name == name) => {
                    self.section(name, item, &span, &mut teller);
                }
                _ => self.key("", name, item, &span, &mut teller),
            }
        }
        self.problems.append(&mut teller.problems);
        for (name, span) in teller.places {
            self.places.insert(name, (Arc::clone(source), span));
        }
    }

    fn section(&mut self, section: &str, item: &Item, span: &Range<usize>, teller: &mut Teller<'_>) {
        let Some(table) = item.as_table_like() else {
            let help = format!("write [{section}] on a line of its own and its keys below");
            return teller.tell(span, format!("{section} is a table"), "not one".to_owned(), Some(help));
        };
        for (name, item) in table.iter() {
            self.key(section, name, item, &key_span(table, name), teller);
        }
    }

    fn key(&mut self, section: &str, name: &str, item: &Item, span: &Range<usize>, teller: &mut Teller<'_>) {
        let Some((key, value)) = teller.known(section, name, item, span) else { return };
        let config = &mut self.config;
        match key.name {
            "mode" => teller.put(&mut config.mode, key, value, values::mode),
            "services" => teller.put(&mut config.services, key, value, values::services),
            "allow" => self.allow(key, value, teller),
            "allow_refresh" => {
                teller.put(&mut config.allow_refresh, key, value, |v| values::span(v, 10, 7 * DAY));
            }
            "admins" => teller.put(&mut config.admins, key, value, values::account_names),
            "timezone" => teller.put(&mut config.timezone, key, value, values::zone),
            "discover" => teller.put(&mut config.discover, key, value, values::flag),
            "read_back" => teller.put(&mut config.read_back, key, value, |v| values::span(v, 0, YEAR)),
            "state_dir" => teller.put(&mut config.state_dir, key, value, values::absolute_path),
            "key_file" => teller.put_some(&mut config.key_file, key, value, values::absolute_path),
            "user" => teller.put(&mut config.user, key, value, values::account_name),
            "group" => teller.put_some(&mut config.group, key, value, values::account_name),
            "bans.first" => teller.put(&mut config.bans.first, key, value, ban_span),
            "bans.longest" => teller.put(&mut config.bans.longest, key, value, ban_span),
            "bans.longest_familiar" => teller.put(&mut config.bans.longest_familiar, key, value, ban_span),
            "bans.ladder" => {
                teller.put(&mut config.bans.ladder, key, value, |v| values::whole(v, 1, 16).map(|n| n as u8));
            }
            "bans.enforcer" => teller.put_some(&mut config.bans.enforcer, key, value, values::enforcer),
            "bans.all_ports" => teller.put(&mut config.bans.all_ports, key, value, values::flag),
            "bans.ports" => teller.put_some(&mut config.bans.ports, key, value, values::ports),
            "bans.socket" => teller.put(&mut config.bans.socket, key, value, values::absolute_path),
            "bans.file" => teller.put_some(&mut config.bans.file, key, value, values::absolute_path),
            "bans.nft_table" => teller.put_some(&mut config.bans.nft_table, key, value, values::nft_table),
            "bans.daemons" => teller.put(&mut config.bans.daemons, key, value, values::daemons),
            "bans.rules" => teller.put_some(&mut config.bans.rules, key, value, values::absolute_path),
            "control.socket" => teller.put(&mut config.control.socket, key, value, values::absolute_path),
            "control.group" => teller.put_some(&mut config.control.group, key, value, values::account_name),
            "control.status_for_all" => {
                teller.put(&mut config.control.status_for_all, key, value, values::flag);
            }
            "history.keep" => {
                teller.put(&mut config.history.keep, key, value, |v| values::span(v, DAY, 10 * YEAR));
            }
            "history.megabytes" => teller.put(&mut config.history.megabytes, key, value, |v| {
                values::whole(v, 8, 65_536).map(|n| n as u32)
            }),
            // Keys of an input are read there, and `known` lets no others through.
            _ => {}
        }
    }

    fn allow(&mut self, key: &'static Key, value: &Value, teller: &mut Teller<'_>) {
        for (element, span) in teller.read(key, value, values::allow_list).unwrap_or_default() {
            if let Allow::File(path) = &element {
                let (source, path) = (Arc::clone(teller.source), path.clone());
                self.allow_files.push(AllowFile { source, span: span.clone(), path });
            }
            self.config.allow.push(Setting { value: element, origin: teller.origin(&span) });
        }
    }

    fn inputs(&mut self, item: &Item, span: &Range<usize>, teller: &mut Teller<'_>) {
        let tables = tables_of(item);
        let Some(tables) = tables else {
            let help = "write [[input]], with two brackets: there may be several".to_owned();
            return teller.tell(
                span,
                "input is a list of tables".to_owned(),
                "not one".to_owned(),
                Some(help),
            );
        };
        for Placed { table, span: own } in tables {
            self.input(table, &own.unwrap_or_else(|| span.clone()), teller);
        }
        if self.config.inputs.len() > INPUTS_MAX {
            let help = "one pattern may name many files".to_owned();
            teller.tell(span, format!("there are more than {INPUTS_MAX} inputs"), String::new(), Some(help));
        }
    }

    fn input(&mut self, table: &dyn TableLike, span: &Range<usize>, teller: &mut Teller<'_>) {
        let problems_before = teller.problems.len();
        let mut draft = InputDraft::default();
        for (name, item) in table.iter() {
            let name_span = key_span(table, name);
            let Some((key, value)) = teller.known("input", name, item, &name_span) else { continue };
            draft.key(key, value, teller);
        }
        if teller.problems.len() > problems_before {
            // What is missing may be what is wrong.
            return;
        }
        let help = "an input has exactly one of file, multilog, journal, syslog and pipe".to_owned();
        match <[_; 1]>::try_from(draft.sources) {
            Ok([from]) => {
                let listens_apart = match &from.value {
                    InputSource::Syslog(listen) => listen.address(),
                    _ => None,
                };
                if draft.senders.is_some() && listens_apart.is_none() {
                    let message = "from is only for syslog over the network".to_owned();
                    return teller.tell(span, message, "in this input".to_owned(), None);
                }
                if draft.senders.is_none() && listens_apart.is_some_and(|address| !address.ip().is_loopback())
                {
                    let message = "others than this machine can reach this address".to_owned();
                    let help = "say from whom lines are taken: from = [\"192.0.2.0/28\"]".to_owned();
                    return teller.tell(span, message, "in this input".to_owned(), Some(help));
                }
                self.config.inputs.push(Input {
                    from,
                    senders: draft.senders.unwrap_or_else(|| Setting::default(Vec::new())),
                    services: draft.services.unwrap_or_else(|| Setting::default(None)),
                    timezone: draft.timezone.unwrap_or_else(|| Setting::default(None)),
                });
                self.input_places.push((Arc::clone(teller.source), span.clone()));
            }
            Err(sources) if sources.is_empty() => {
                teller.tell(span, "this input names no source".to_owned(), "here".to_owned(), Some(help));
            }
            Err(_) => {
                teller.tell(
                    span,
                    "this input names several sources".to_owned(),
                    "here".to_owned(),
                    Some(help),
                );
            }
        }
    }

    fn limits(&mut self, item: &Item, span: &Range<usize>, teller: &mut Teller<'_>) {
        let help = "write [limits.pop3] on a line of its own and its keys below; pop3 is any name";
        let Some(tables) = item.as_table_like() else {
            let label = "not one".to_owned();
            return teller.tell(span, "limits is a table".to_owned(), label, Some(help.to_owned()));
        };
        for (name, item) in tables.iter() {
            let span = key_span(tables, name);
            let Some(table) = item.as_table_like() else {
                let message = format!("limits.{} is no limit", name.escape_debug());
                teller.tell(&span, message, "must be a table".to_owned(), Some(help.to_owned()));
                continue;
            };
            if let Err(why) = limits::check_name(name) {
                teller.tell(&span, format!("limits.{} is no name", name.escape_debug()), why, None);
                continue;
            }
            let limit = self.config.limits.entry(name.to_owned()).or_default();
            for (key_name, item) in table.iter() {
                let span = key_span(table, key_name);
                if let Some((key, value)) = teller.known("limits", key_name, item, &span) {
                    limit_key(limit, key, value, teller);
                }
            }
            self.limit_places.insert(name.to_owned(), (Arc::clone(teller.source), span));
        }
    }

    /// What of limits can only be told when all files are read.
    fn conclude_limits(&mut self) {
        for (at, (name, table)) in self.config.limits.iter().enumerate() {
            let Some((source, span)) = self.limit_places.get(name) else { continue };
            let mut tell = |why: String, help: Option<String>| {
                let problem =
                    Problem::at(source, span.clone(), format!("limits.{name}: {why}"), "here".to_owned());
                self.problems.push(problem.help(help));
            };
            if at == GROUPS_MAX {
                tell(
                    format!("there are more than {GROUPS_MAX} limits"),
                    Some("one limit may have many ports".to_owned()),
                );
            }
            let without_new = table.new.value.is_none();
            if without_new && (table.burst.value.is_some() || table.hold.value.is_some()) {
                let help = "burst and hold are of new connections: add new = \"60/1m\"".to_owned();
                tell("there is no limit of new connections".to_owned(), Some(help));
            } else if table.ports.value.is_empty() {
                tell("it has no ports".to_owned(), Some("for example ports = [110, 995]".to_owned()));
            } else if without_new && table.concurrent.value.is_none() {
                let help = "concurrent = 40, new = \"60/1m\", or both; fairban limits suggest finds numbers"
                    .to_owned();
                tell("it limits nothing".to_owned(), Some(help));
            } else if let Err(bad) = table.spec(name).limit(0, false).check() {
                tell(bad.to_string(), None);
            }
        }
    }

    /// Settles what depends on several keys, when all files are read.
    pub(super) fn conclude(&mut self) {
        if self.problems.is_empty() {
            // What is missing may be what is wrong.
            self.conclude_limits();
        }
        let config = &mut self.config;
        if !config.inputs.is_empty() && config.discover.origin == Origin::Default {
            config.discover.value = false;
        }
        let doubles: Vec<usize> = (0..config.inputs.len())
            .filter(|&at| {
                config.inputs[..at].iter().any(|one| one.from.value == config.inputs[at].from.value)
            })
            .collect();
        for at in doubles {
            let (source, span) = self.input_places[at].clone();
            let message = "this input is there already".to_owned();
            let problem = Problem::at(&source, span, message, "the second one".to_owned());
            self.problems.push(problem.help(Some("what is read twice would count twice".to_owned())));
        }
        let bans = &self.config.bans;
        let file = bans.file.value.is_some();
        let missing = match bans.enforcer.value {
            Some(EnforcerKind::File | EnforcerKind::Tcprules) if !file => Some("file"),
            Some(EnforcerKind::Tcprules) if bans.rules.value.is_none() => Some("rules"),
            _ => None,
        };
        if let (Some(missing), Some((source, span))) = (missing, self.places.get("bans.enforcer")) {
            let message = format!("this enforcer needs {missing} in [bans]");
            self.problems.push(Problem::at(source, span.clone(), message, "here".to_owned()));
        }
        let lengths = [
            ("bans.first", bans.first.value),
            ("bans.longest_familiar", bans.longest_familiar.value),
            ("bans.longest", bans.longest.value),
        ];
        for pair in lengths.windows(2) {
            let [(shorter, short), (longer, long)] = pair else { continue };
            let place = self.places.get(shorter).or_else(|| self.places.get(longer));
            if let (true, Some((source, span))) = (short > long, place) {
                let show = crate::cli::show_span;
                let message =
                    format!("{shorter} ({}) is longer than {longer} ({})", show(*short), show(*long));
                self.problems.push(Problem::at(source, span.clone(), message, "here".to_owned()));
            }
        }
    }
}

/// A table and its place.
struct Placed<'a> {
    table: &'a dyn TableLike,
    span: Option<Range<usize>>,
}

/// The tables of `[[input]]`, or of a list of tables; `None` for anything else.
fn tables_of<'a>(item: &'a Item) -> Option<Vec<Placed<'a>>> {
    match item {
        Item::ArrayOfTables(tables) => {
            Some(tables.iter().map(|table| Placed { table, span: table.span() }).collect())
        }
        Item::Value(Value::Array(array)) => {
            let placed = |one: &'a Value| match one {
                Value::InlineTable(table) => Some(Placed { table, span: table.span() }),
                _ => None,
            };
            array.iter().map(placed).collect()
        }
        _ => None,
    }
}

fn limit_key(limit: &mut LimitTable, key: &'static Key, value: &Value, teller: &mut Teller<'_>) {
    let count = |value: &Value| values::whole(value, 1, i64::from(COUNT_MAX)).map(|count| count as u32);
    match key.name {
        "limits.ports" => teller.put(&mut limit.ports, key, value, values::any_ports),
        "limits.concurrent" => teller.put_some(&mut limit.concurrent, key, value, count),
        "limits.new" => teller.put_some(&mut limit.new, key, value, values::rate),
        "limits.burst" => teller.put_some(&mut limit.burst, key, value, count),
        "limits.hold" => teller.put_some(&mut limit.hold, key, value, |v| values::span(v, 1, DAY)),
        "limits.enforce" => teller.put(&mut limit.enforce, key, value, values::flag),
        _ => {}
    }
}

fn ban_span(value: &Value) -> Result<fairban_core::time::Span, Wrong> {
    values::span(value, MINUTE, YEAR)
}

/// The keys of one `[[input]]`.
#[derive(Default)]
struct InputDraft {
    sources: Vec<Setting<InputSource>>,
    senders: Option<Setting<Vec<IpNet>>>,
    services: Option<Setting<Option<u32>>>,
    timezone: Option<Setting<Option<Zone>>>,
}

impl InputDraft {
    fn key(&mut self, key: &'static Key, value: &Value, teller: &mut Teller<'_>) {
        let source: fn(&Value) -> Result<InputSource, Wrong> = match key.name {
            "input.file" => |value| values::pattern(value).map(InputSource::File),
            "input.multilog" => |value| values::absolute_path(value).map(InputSource::Multilog),
            "input.journal" => |value| values::journal(value).map(InputSource::Journal),
            "input.syslog" => |value| values::listen(value).map(InputSource::Syslog),
            "input.pipe" => |value| values::absolute_path(value).map(InputSource::Pipe),
            "input.from" => return self.senders = teller.setting(key, value, values::prefixes),
            "input.services" => {
                return self.services = teller.setting(key, value, |v| values::services(v).map(Some));
            }
            "input.timezone" => {
                return self.timezone = teller.setting(key, value, |v| values::zone(v).map(Some));
            }
            _ => return,
        };
        self.sources.extend(teller.setting(key, value, source));
    }
}

/// Tells of problems in one file, and where values stand in it.
struct Teller<'a> {
    source: &'a Arc<Source>,
    problems: Vec<Problem>,
    places: Vec<(&'static str, Range<usize>)>,
}

impl Teller<'_> {
    fn tell(&mut self, span: &Range<usize>, message: String, label: String, help: Option<String>) {
        self.problems.push(Problem::at(self.source, span.clone(), message, label).help(help));
    }

    fn origin(&self, span: &Range<usize>) -> Origin {
        let (line, _) = self.source.place(span.start);
        Origin::File { name: Arc::clone(&self.source.name), line, drop_in: self.source.drop_in }
    }

    /// The key of this name and its value, if there is such a key and it is one.
    fn known<'v>(
        &mut self,
        section: &str,
        name: &str,
        item: &'v Item,
        span: &Range<usize>,
    ) -> Option<(&'static Key, &'v Value)> {
        let full = if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") };
        let Some(key) = keys::find(&full) else {
            let place = if section.is_empty() { String::new() } else { format!(" in {section}") };
            let message = format!("there is no key {}{place}", name.escape_debug());
            self.tell(span, message, "unknown".to_owned(), keys::hint(section, name));
            return None;
        };
        let Some(value) = item.as_value() else {
            self.tell(span, format!("{full} is no table"), format!("must be {}", key.kind), None);
            return None;
        };
        Some((key, value))
    }

    /// The value, or `None` when it has been told what is wrong with it.
    fn read<T>(
        &mut self,
        key: &'static Key,
        value: &Value,
        parse: impl Fn(&Value) -> Result<T, Wrong>,
    ) -> Option<T> {
        let span = value.span().unwrap_or_default();
        match parse(value) {
            Ok(parsed) => {
                self.places.push((key.name, span));
                Some(parsed)
            }
            Err(mut wrong) => {
                let mut all = std::mem::take(&mut wrong.more);
                all.push(wrong);
                for wrong in all {
                    let at = wrong.span.unwrap_or_else(|| span.clone());
                    let message = format!("{} must be {}", key.name, key.kind);
                    self.tell(&at, message, wrong.why, wrong.help);
                }
                None
            }
        }
    }

    fn setting<T>(
        &mut self,
        key: &'static Key,
        value: &Value,
        parse: impl Fn(&Value) -> Result<T, Wrong>,
    ) -> Option<Setting<T>> {
        let parsed = self.read(key, value, parse)?;
        Some(Setting { value: parsed, origin: self.origin(&value.span().unwrap_or_default()) })
    }

    fn put<T>(
        &mut self,
        slot: &mut Setting<T>,
        key: &'static Key,
        value: &Value,
        parse: impl Fn(&Value) -> Result<T, Wrong>,
    ) {
        if let Some(setting) = self.setting(key, value, parse) {
            *slot = setting;
        }
    }

    fn put_some<T>(
        &mut self,
        slot: &mut Setting<Option<T>>,
        key: &'static Key,
        value: &Value,
        parse: impl Fn(&Value) -> Result<T, Wrong>,
    ) {
        self.put(slot, key, value, |value| parse(value).map(Some));
    }
}

fn key_span(table: &dyn TableLike, name: &str) -> Range<usize> {
    table.key(name).and_then(toml_edit::Key::span).unwrap_or_default()
}
