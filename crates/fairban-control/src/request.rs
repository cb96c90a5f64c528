//! What can be asked: [`Request`], from a line and to a line.
//!
//! Reading is strict: an unknown field, a field twice, a field that the question does not take are errors, for a
//! misspelt `secnods` must not become a ban of another length. The error names the field and says what was expected.

mod fields;

use fairban_core::account::{ACCOUNT_BYTES_MAX, AccountKey};
use ipnet::IpNet;
use serde_json::{Map, Value, json};

use self::fields::Fields;
use crate::moment::Moment;
use crate::prefix::parse_prefix;
use crate::response::{Mode, Problem, TailKind};
use crate::shown::Shown;
use crate::{REQUEST_BYTES_MAX, VERSION};

/// Most seconds of a ban with an end: ten years.
pub const BAN_SECONDS_MAX: u32 = 315_360_000;

/// Most bytes of a reason or note, as spelt.
pub const NOTE_BYTES_MAX: usize = 200;

/// Most rows of a page of bans.
pub const ROWS_MAX: u32 = 500;

/// Whom an explanation is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// An address or a prefix.
    Prefix(IpNet),
    /// An account, as a log spells it; at most [`ACCOUNT_BYTES_MAX`] bytes.
    Account(Shown),
}

/// Whom to let in again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Whatever is banned at, within or around an address or a prefix.
    Prefix(IpNet),
    /// The sources that failed at this account.
    Account(Shown),
    /// Everybody.
    All,
}

/// A question or an order. One line of JSON; see `docs/control.md`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// How is the service? Answered by [`crate::Response::Status`].
    Status,
    /// Who is banned? One page, in the order of prefixes. Answered by [`crate::Response::Bans`].
    Bans {
        /// Only bans that touch this prefix: at it, within it or around it.
        within: Option<IpNet>,
        /// Only prefixes behind this one: the `next` of the page before.
        after: Option<IpNet>,
        /// Most rows, from 1 to [`ROWS_MAX`].
        most: u32,
    },
    /// Ban by the operator's word. Answered by [`crate::Response::Done`].
    Ban {
        /// Whom; not wider than an IPv4 /8 or an IPv6 /16.
        prefix: IpNet,
        /// How long, from 1 to [`BAN_SECONDS_MAX`] seconds; `None` until it is taken back.
        seconds: Option<u32>,
        /// Why, at most [`NOTE_BYTES_MAX`] bytes.
        reason: Option<Shown>,
    },
    /// End bans. Answered by [`crate::Response::Done`].
    Unban {
        /// Whose.
        whom: Whom,
        /// Remember the excuse as well, so that the same device does not come back at once.
        forgive: bool,
    },
    /// Never ban a prefix. Answered by [`crate::Response::Done`].
    Allow {
        /// Whom; not wider than an IPv4 /8 or an IPv6 /7.
        prefix: IpNet,
        /// Why, at most [`NOTE_BYTES_MAX`] bytes.
        note: Option<Shown>,
    },
    /// What is never banned? Answered by [`crate::Response::AllowList`].
    AllowList,
    /// Take a prefix off the allowlist. Answered by [`crate::Response::Done`].
    AllowRemove {
        /// Exactly as it stands on the list.
        prefix: IpNet,
    },
    /// Why is somebody banned, or not? Answered by [`crate::Response::Why`] or [`crate::Response::NothingKnown`].
    Why {
        /// Whom.
        about: About,
        /// At which time; `None` is now.
        at: Option<Moment>,
    },
    /// Tell decisions as they are made. Answered by [`crate::Response::Tailing`], then an [`crate::Response::Event`] each. The
    /// server answers it itself: it never reaches the service.
    Tail {
        /// Only these kinds; all where it is empty.
        only: Vec<TailKind>,
    },
    /// Enforce, or only record. Answered by [`crate::Response::Done`].
    Mode {
        /// Which.
        mode: Mode,
    },
    /// The operator can still reach the machine: stay live. Answered by [`crate::Response::Done`].
    Confirm {
        /// How long ago the connection to this machine was made over which he says so, in milliseconds; `None` where nobody
        /// knows. One made before going live proves nothing.
        connected_ms: Option<u64>,
    },
    /// What may a source do at a time, and what came of it? Answered by [`crate::Response::Limits`].
    Limits,
    /// Set a limit of connections, whatever the configuration says. Answered by [`crate::Response::Done`].
    LimitSet {
        /// Its name: letters, digits, `-` and `_`.
        name: Shown,
        /// What of it becomes different.
        change: LimitChange,
    },
    /// Take limits off. Answered by [`crate::Response::Done`].
    LimitOff {
        /// Which; `None` is all.
        name: Option<Shown>,
    },
    /// Give limits back to the configuration. Answered by [`crate::Response::Done`].
    LimitReset {
        /// Which; `None` is all.
        name: Option<Shown>,
    },
    /// Ban sources at which people log in again, though the breaker is open. Answered by [`crate::Response::Done`].
    Resume,
    /// Read the configuration again: check, swap, or keep the old. Answered by [`crate::Response::Done`].
    Reload,
    /// Is the thread that judges alive? Answered by [`crate::Response::Pong`].
    Ping,
    /// What has happened since, and is it safe to go live? Answered by [`crate::Response::Report`].
    Report {
        /// Since when.
        since: Moment,
    },
}

/// Why a line is no request: whoever wrote it is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadRequest {
    /// Which answer it gets.
    pub problem: Problem,
    /// The field that is wrong, where it is one; as spelt, cut.
    pub field: Option<Shown>,
    /// A sentence for a person, escaped.
    pub message: Shown,
}

impl BadRequest {
    fn new(message: impl AsRef<[u8]>) -> BadRequest {
        BadRequest { problem: Problem::BadRequest, field: None, message: Shown::of(message) }
    }
}

impl Request {
    /// Reads a line, with or without its line feed. Never panics, and takes memory in proportion to the line.
    pub fn parse(line: &[u8]) -> Result<Request, BadRequest> {
        if line.len() > REQUEST_BYTES_MAX {
            let message = format!("a request has at most {REQUEST_BYTES_MAX} bytes");
            return Err(BadRequest { problem: Problem::TooLong, ..BadRequest::new(message) });
        }
        let mut fields = Fields::read(line)?;
        match fields.optional::<u64>("v", "the version, 1")? {
            Some(version) if version == u64::from(VERSION) => {}
            Some(version) => {
                let message = format!("version {version} is not spoken here; this is version {VERSION}");
                let (problem, field) = (Problem::Version, Some(Shown::of("v")));
                return Err(BadRequest { problem, field, ..BadRequest::new(message) });
            }
            None => return Err(Fields::missing("v", "the version, 1")),
        }
        let request = Request::of(&mut fields)?;
        fields.finish()?;
        Ok(request)
    }

    fn of(fields: &mut Fields) -> Result<Request, BadRequest> {
        let name = fields.name()?;
        Ok(match name.as_str() {
            "status" => Request::Status,
            "bans" => Request::Bans {
                within: prefix(fields, "within")?,
                after: prefix(fields, "after")?,
                most: fields.number("most", ROWS_MAX)?.unwrap_or(ROWS_MAX),
            },
            "ban" => Request::Ban {
                prefix: narrow(fields, 8, 16)?,
                seconds: seconds(fields)?,
                reason: note(fields, "reason")?,
            },
            "unban" => Request::Unban { whom: whom(fields)?, forgive: flag(fields, "forgive")? },
            "allow" => Request::Allow { prefix: narrow(fields, 8, 7)?, note: note(fields, "note")? },
            "allow-list" => Request::AllowList,
            "allow-remove" => Request::AllowRemove { prefix: needed_prefix(fields)? },
            "why" => Request::Why { about: about(fields)?, at: moment(fields, "at")? },
            "tail" => Request::Tail { only: only(fields)? },
            "mode" => Request::Mode { mode: fields.needed("mode", "`live` or `shadow`")? },
            "confirm" => Request::Confirm {
                connected_ms: fields.optional("connected_ms", "a whole number of milliseconds")?,
            },
            "limits" => Request::Limits,
            "limit-set" => {
                Request::LimitSet { name: needed_limit(fields)?, change: LimitChange::of(fields)? }
            }
            "limit-off" => Request::LimitOff { name: limit(fields)? },
            "limit-reset" => Request::LimitReset { name: limit(fields)? },
            "resume" => Request::Resume,
            "reload" => Request::Reload,
            "ping" => Request::Ping,
            "report" => Request::Report {
                since: moment(fields, "since")?.ok_or_else(|| Fields::missing("since", TIME))?,
            },
            _ => return Err(Fields::unknown_question(&name)),
        })
    }

    /// The name of the question: the field `ask`.
    pub const fn name(&self) -> &'static str {
        match self {
            Request::Status => "status",
            Request::Bans { .. } => "bans",
            Request::Ban { .. } => "ban",
            Request::Unban { .. } => "unban",
            Request::Allow { .. } => "allow",
            Request::AllowList => "allow-list",
            Request::AllowRemove { .. } => "allow-remove",
            Request::Why { .. } => "why",
            Request::Tail { .. } => "tail",
            Request::Mode { .. } => "mode",
            Request::Confirm { .. } => "confirm",
            Request::Limits => "limits",
            Request::LimitSet { .. } => "limit-set",
            Request::LimitOff { .. } => "limit-off",
            Request::LimitReset { .. } => "limit-reset",
            Request::Resume => "resume",
            Request::Reload => "reload",
            Request::Ping => "ping",
            Request::Report { .. } => "report",
        }
    }

    /// The line, with its line feed.
    pub fn to_line(&self) -> Vec<u8> {
        let mut object = Map::new();
        object.insert("v".to_owned(), json!(VERSION));
        object.insert("ask".to_owned(), json!(self.name()));
        let mut put = |name: &str, value: Value| {
            if !value.is_null() {
                object.insert(name.to_owned(), value);
            }
        };
        match self {
            Request::Bans { within, after, most } => {
                put("within", json!(within));
                put("after", json!(after));
                put("most", json!(most));
            }
            Request::Ban { prefix, seconds, reason } => {
                put("prefix", json!(prefix));
                put("seconds", seconds.map_or(json!("forever"), |seconds| json!(seconds)));
                put("reason", json!(reason));
            }
            Request::Unban { whom, forgive } => {
                match whom {
                    Whom::Prefix(prefix) => put("prefix", json!(prefix)),
                    Whom::Account(account) => put("account", json!(account)),
                    Whom::All => put("all", json!(true)),
                }
                put("forgive", json!(forgive));
            }
            Request::Allow { prefix, note } => {
                put("prefix", json!(prefix));
                put("note", json!(note));
            }
            Request::AllowRemove { prefix } => put("prefix", json!(prefix)),
            Request::Why { about, at } => {
                match about {
                    About::Prefix(prefix) => put("prefix", json!(prefix)),
                    About::Account(account) => put("account", json!(account)),
                }
                put("at", json!(at));
            }
            Request::Tail { only } if !only.is_empty() => put("only", json!(only)),
            Request::Mode { mode } => put("mode", json!(mode)),
            Request::Report { since } => put("since", json!(since)),
            Request::Confirm { connected_ms } => put("connected_ms", json!(connected_ms)),
            Request::LimitSet { name, change } => {
                put("name", json!(name));
                change.put(put);
            }
            Request::LimitOff { name } | Request::LimitReset { name } => put("name", json!(name)),
            Request::Status
            | Request::Limits
            | Request::AllowList
            | Request::Tail { .. }
            | Request::Resume
            | Request::Reload
            | Request::Ping => {}
        }
        let mut line = Value::Object(object).to_string().into_bytes();
        line.push(b'\n');
        line
    }
}

/// What of a limit becomes different; what is `None` stays. Whether it makes sense is told by whoever carries it out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitChange {
    /// TCP ports of the group, at most [`LIMIT_PORTS_MAX`].
    pub ports: Option<Vec<u16>>,
    /// Connections open at a time; 0 takes this limit away.
    pub concurrent: Option<u32>,
    /// New connections in `per` seconds; 0 takes this limit away.
    pub new: Option<u32>,
    /// 1, 60, 3,600 or 86,400.
    pub per: Option<u32>,
    /// So many of the new ones may come at once.
    pub burst: Option<u32>,
    /// Seconds without a try until who made too many is let in again; 0 is at once.
    pub hold: Option<u32>,
    /// Refuse what is over, or only count it.
    pub enforce: Option<bool>,
}

/// Most ports of a [`LimitChange`].
pub const LIMIT_PORTS_MAX: usize = 64;

/// Most bytes of the name of a limit.
pub const LIMIT_NAME_BYTES_MAX: usize = 32;

impl LimitChange {
    fn of(fields: &mut Fields) -> Result<LimitChange, BadRequest> {
        const NUMBER: &str = "a whole number";
        let change = LimitChange {
            ports: fields.optional("ports", "a list of ports")?,
            concurrent: fields.optional("concurrent", NUMBER)?,
            new: fields.optional("new", NUMBER)?,
            per: fields.optional("per", NUMBER)?,
            burst: fields.optional("burst", NUMBER)?,
            hold: fields.optional("hold", NUMBER)?,
            enforce: fields.optional("enforce", "true or false")?,
        };
        if change.ports.as_ref().is_some_and(|ports| ports.len() > LIMIT_PORTS_MAX) {
            return Err(Fields::wrong("ports", &format!("at most {LIMIT_PORTS_MAX}")));
        }
        Ok(change)
    }

    fn put(&self, mut put: impl FnMut(&str, Value)) {
        put("ports", json!(self.ports));
        put("concurrent", json!(self.concurrent));
        put("new", json!(self.new));
        put("per", json!(self.per));
        put("burst", json!(self.burst));
        put("hold", json!(self.hold));
        put("enforce", json!(self.enforce));
    }
}

fn limit(fields: &mut Fields) -> Result<Option<Shown>, BadRequest> {
    let name = fields.optional::<Shown>("name", "the name of a limit")?;
    match &name {
        Some(name) if name.as_str().is_empty() || name.as_str().len() > LIMIT_NAME_BYTES_MAX => {
            Err(Fields::wrong("name", &format!("from 1 to {LIMIT_NAME_BYTES_MAX} bytes")))
        }
        _ => Ok(name),
    }
}

fn needed_limit(fields: &mut Fields) -> Result<Shown, BadRequest> {
    limit(fields)?.ok_or_else(|| Fields::missing("name", "the name of a limit"))
}

const PREFIX: &str = "an address or prefix";
const TIME: &str = "a time such as 2026-01-21T09:51:25Z";

fn only(fields: &mut Fields) -> Result<Vec<TailKind>, BadRequest> {
    let expected = format!("a list of {}", TailKind::ALL.map(TailKind::name).join(", "));
    let only: Vec<TailKind> = fields.optional("only", &expected)?.unwrap_or_default();
    if only.len() > TailKind::ALL.len() || only.contains(&TailKind::Other) {
        return Err(Fields::wrong("only", &format!("expected {expected}, each once")));
    }
    Ok(only)
}

fn prefix(fields: &mut Fields, name: &'static str) -> Result<Option<IpNet>, BadRequest> {
    let Some(text) = fields.optional::<String>(name, PREFIX)? else { return Ok(None) };
    parse_prefix(&text).map(Some).map_err(|error| Fields::wrong(name, &error.to_string()))
}

fn needed_prefix(fields: &mut Fields) -> Result<IpNet, BadRequest> {
    prefix(fields, "prefix")?.ok_or_else(|| Fields::missing("prefix", PREFIX))
}

/// A prefix that is not so wide that nobody can mean it.
fn narrow(fields: &mut Fields, v4_min: u8, v6_min: u8) -> Result<IpNet, BadRequest> {
    let prefix = needed_prefix(fields)?;
    if prefix.prefix_len() < if prefix.addr().is_ipv4() { v4_min } else { v6_min } {
        let message = format!("{prefix} is too wide: at most an IPv4 /{v4_min} or an IPv6 /{v6_min}");
        return Err(Fields::wrong("prefix", &message));
    }
    Ok(prefix)
}

/// A length: a number of seconds or `forever`. It must be there, for no default suits everybody.
fn seconds(fields: &mut Fields) -> Result<Option<u32>, BadRequest> {
    let expected = format!("a whole number of seconds from 1 to {BAN_SECONDS_MAX}, or \"forever\"");
    match fields.needed::<Value>("seconds", &expected)? {
        Value::String(text) if text == "forever" => Ok(None),
        value => match value.as_u64().and_then(|seconds| u32::try_from(seconds).ok()) {
            Some(seconds @ 1..=BAN_SECONDS_MAX) => Ok(Some(seconds)),
            _ => Err(Fields::wrong("seconds", &format!("expected {expected}"))),
        },
    }
}

fn note(fields: &mut Fields, name: &'static str) -> Result<Option<Shown>, BadRequest> {
    let note = fields.optional::<Shown>(name, "text")?;
    match &note {
        Some(note) if note.as_str().len() > NOTE_BYTES_MAX => {
            Err(Fields::wrong(name, &format!("at most {NOTE_BYTES_MAX} bytes")))
        }
        _ => Ok(note),
    }
}

fn flag(fields: &mut Fields, name: &'static str) -> Result<bool, BadRequest> {
    Ok(fields.optional(name, "true or false")?.unwrap_or_default())
}

fn moment(fields: &mut Fields, name: &'static str) -> Result<Option<Moment>, BadRequest> {
    fields.optional(name, TIME)
}

fn account(fields: &mut Fields) -> Result<Option<Shown>, BadRequest> {
    let account = fields.optional::<Shown>("account", "text")?;
    match &account {
        Some(account) if account.bytes().len() > ACCOUNT_BYTES_MAX => {
            Err(Fields::wrong("account", &format!("at most {ACCOUNT_BYTES_MAX} bytes")))
        }
        Some(account) if account.bytes().trim_ascii().is_empty() => Err(Fields::wrong("account", "a name")),
        _ => Ok(account),
    }
}

fn about(fields: &mut Fields) -> Result<About, BadRequest> {
    match (prefix(fields, "prefix")?, account(fields)?) {
        (Some(prefix), None) => Ok(About::Prefix(prefix)),
        (None, Some(account)) => Ok(About::Account(account)),
        _ => Err(Fields::wrong("prefix", "exactly one of `prefix` and `account`")),
    }
}

fn whom(fields: &mut Fields) -> Result<Whom, BadRequest> {
    match (prefix(fields, "prefix")?, account(fields)?, flag(fields, "all")?) {
        (Some(prefix), None, false) => Ok(Whom::Prefix(prefix)),
        (None, Some(account), false) => Ok(Whom::Account(account)),
        (None, None, true) => Ok(Whom::All),
        _ => Err(Fields::wrong("prefix", "exactly one of `prefix`, `account` and `all`")),
    }
}

impl About {
    /// The key of the account, where it is one. Separators of a service are folded by whoever knows the service.
    pub fn account_key(&self) -> Option<AccountKey> {
        match self {
            About::Prefix(_) => None,
            About::Account(account) => Some(AccountKey::new(&account.bytes())),
        }
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
