//! What is answered: [`Response`] and the structs in it.
//!
//! Programs of other versions read these, so fields are added and never change their meaning; readers ignore what they do
//! not know. Lists have bounds, named beside them. Times are [`Moment`]s, lengths whole seconds, evidence nats with three
//! decimals ([`nats`]).

mod limits;
mod report;
mod status;
mod tail;
mod why;

use fairban_core::nats::Nats;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use self::limits::{LimitRow, LimitsReport, OverRow};
pub use self::report::{CasualtyRow, KindRow, RuleResult, SinceReport};
pub use self::status::{
    AlarmRow, BanCounts, EnforcerReport, InputKind, InputState, InputStatus, JournalStatus, MemoryStatus,
    ServiceStatus, SourceCounts, StatusReport, StoreHealth, Wall, WallState, Walls,
};
pub use self::tail::{TailEvent, TailKind};
pub use self::why::{
    AccountRow, DeviceRow, FailedRow, HistoryRow, LoginRow, SignalRow, WhyAccount, WhyReport, WhySource,
};
use crate::moment::Moment;
use crate::request::BadRequest;
use crate::shown::Shown;
use crate::{RESPONSE_BYTES_MAX, VERSION};

/// Most rows of an allowlist that are told.
pub const ALLOW_ROWS_MAX: usize = 1_000;

/// Most inputs of a status.
pub const INPUT_ROWS_MAX: usize = 256;

/// Most remarks, samples or rows of a list within an answer that names no bound of its own.
pub const PARTS_MAX: usize = 64;

/// Decide and record only, or enforce too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Decide and record.
    #[default]
    Shadow,
    /// Enforce as well.
    Live,
}

impl Mode {
    /// As in the protocol.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Shadow => "shadow",
            Mode::Live => "live",
        }
    }
}

/// An answer, or something that a client who tails is told. One line of JSON; see `docs/control.md`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Response {
    /// How the service is.
    Status(Box<StatusReport>),
    /// A page of bans.
    Bans(BansPage),
    /// The allowlist.
    AllowList(AllowList),
    /// What a source may do at a time, and what came of it.
    Limits(LimitsReport),
    /// What is known about somebody.
    Why(WhyReport),
    /// Nothing is known about somebody.
    NothingKnown {
        /// Whom, as asked.
        about: Shown,
    },
    /// Decisions will be told from now on.
    Tailing,
    /// A decision.
    Event(TailEvent),
    /// The client read too slowly, so it was not told some decisions.
    Missed {
        /// How many.
        events: u64,
    },
    /// It was done.
    Done(ActionDone),
    /// What has happened, and whether it is safe to go live.
    Report(Box<SinceReport>),
    /// The thread that judges is alive.
    Pong {
        /// The service's version.
        version: Shown,
    },
    /// It was not done.
    Error(Refusal),
}

/// Why something was not done, and whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Problem {
    /// The line is no request: the client's fault.
    BadRequest,
    /// The line is longer than [`crate::REQUEST_BYTES_MAX`]; the connection ends.
    TooLong,
    /// The client speaks another version.
    Version,
    /// The peer may not ask this.
    Denied,
    /// Too many clients; the connection ends. Try again later.
    Busy,
    /// The line was begun and not ended, or the answer not read, in time; the connection ends.
    TimedOut,
    /// Must not be done, whoever asks: a guard rail, such as a ban of the machine's own address.
    Refused,
    /// The configuration is wrong; the old one stays.
    Config,
    /// Could not be done: what surrounds the service is at fault.
    Failed,
    /// The service is stopping.
    Stopping,
    /// A fault of fairban itself.
    Internal,
    /// A kind that this program does not know yet.
    #[serde(other)]
    Other,
}

/// It was not done: why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Whose fault it is.
    pub problem: Problem,
    /// A sentence.
    pub message: Shown,
    /// The field of the request that is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<Shown>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<Shown>,
}

impl Refusal {
    /// Without field and hint.
    pub fn new(problem: Problem, message: impl AsRef<[u8]>) -> Refusal {
        Refusal { problem, message: Shown::of(message), field: None, hint: None }
    }

    /// With what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl AsRef<[u8]>) -> Refusal {
        self.hint = Some(Shown::of(hint));
        self
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Response {
        Response::Error(refusal)
    }
}

impl From<BadRequest> for Response {
    fn from(bad: BadRequest) -> Response {
        Response::Error(Refusal { problem: bad.problem, message: bad.message, field: bad.field, hint: None })
    }
}

/// A page of bans in force, in the order of prefixes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BansPage {
    /// At most as many as asked for.
    pub rows: Vec<BanRow>,
    /// There is more behind this prefix: ask again with it as `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<IpNet>,
    /// All that are in force, on all pages, within what was asked for.
    pub total: u64,
    /// Whether bans are enforced.
    pub mode: Mode,
    /// When this was so.
    pub at: Moment,
}

/// Who decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// fairban, on evidence.
    #[default]
    Evidence,
    /// An operator.
    Operator,
}

/// A ban.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BanRow {
    /// Its number.
    pub id: u64,
    /// Whom.
    pub prefix: IpNet,
    /// From when.
    pub from: Moment,
    /// Until when; nothing is until it is taken back.
    #[serde(default)]
    pub until: Option<Moment>,
    /// What it looks like, such as `username-scan`; `operator` for an operator's.
    pub reason: Shown,
    /// Who decided.
    #[serde(default)]
    pub by: By,
    /// The sum when it was decided, in nats.
    pub evidence: f64,
    /// The sum that was needed, in nats.
    pub limit: f64,
    /// Tries before the ban.
    pub attempts: u64,
    /// Different accounts tried before the ban.
    pub accounts: u64,
    /// The evidence is weak by nature: connections alone.
    #[serde(default)]
    pub weak: bool,
    /// The firewall has it.
    #[serde(default)]
    pub enforced: bool,
    /// Tries since the ban that the log still shows: in shadow mode, or past the firewall.
    #[serde(default)]
    pub attempts_since: u64,
    /// The operator's reason, or why it is not carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Shown>,
}

/// What is never banned; at most [`ALLOW_ROWS_MAX`] rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowList {
    /// In the order of prefixes.
    pub rows: Vec<AllowRow>,
    /// All there are.
    pub total: u64,
}

/// A prefix that is never banned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowRow {
    /// Which.
    pub prefix: IpNet,
    /// Who put it there: `operator`, `config`, or `machine` (its own addresses, gateway, resolvers).
    pub origin: Shown,
    /// Since when, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Moment>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Shown>,
}

/// An operator's order was carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionDone {
    /// The question's name, such as `ban`.
    pub action: Shown,
    /// Whether anything is different now; an order done twice changes nothing.
    pub changed: bool,
    /// Its number in the input journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// How many bans, prefixes or settings it concerned.
    pub affected: u64,
    /// Which prefixes; the first [`PARTS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<IpNet>,
    /// The mode now.
    pub mode: Mode,
    /// Confirm until then, or the mode falls back to shadow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_by: Option<Moment>,
    /// What the operator should know, such as `in shadow mode: recorded, not enforced`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<Shown>,
}

/// Evidence as answers tell it: three decimals.
pub fn nats(nats: Nats) -> f64 {
    (nats.to_f64() * 1_000.0).round() / 1_000.0
}

/// Why a line is no answer: whoever listens there is at fault, or speaks another version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadResponse {
    /// Another version of the protocol.
    #[error("the service speaks version {found} of the control protocol, this program version {VERSION}")]
    Version {
        /// The version that it speaks.
        found: u64,
    },
    /// Not the protocol.
    #[error("what was answered is not fairban's control protocol: {0}")]
    Unreadable(Shown),
}

impl Response {
    /// The line, with its line feed. An answer that is longer than [`RESPONSE_BYTES_MAX`] becomes an error that says so:
    /// whoever made it did not keep to the bounds.
    pub fn to_line(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Versioned<'a> {
            v: u32,
            #[serde(flatten)]
            response: &'a Response,
        }
        let written = serde_json::to_vec(&Versioned { v: VERSION, response: self });
        match written {
            Ok(mut line) if line.len() < RESPONSE_BYTES_MAX => {
                line.push(b'\n');
                line
            }
            Ok(line) => internal(&format!("the answer has {} bytes, which is too long", line.len())),
            Err(error) => internal(&format!("the answer cannot be written: {error}")),
        }
    }

    /// Reads a line. Fields that this version does not know are ignored.
    pub fn parse(line: &[u8]) -> Result<Response, BadResponse> {
        #[derive(Deserialize)]
        struct Version {
            v: u64,
        }
        let unreadable = |error: serde_json::Error| BadResponse::Unreadable(Shown::of(error.to_string()));
        let Version { v } = serde_json::from_slice(line).map_err(unreadable)?;
        if v != u64::from(VERSION) {
            return Err(BadResponse::Version { found: v });
        }
        serde_json::from_slice(line).map_err(unreadable)
    }
}

/// An error of ours, written without anything that could fail.
fn internal(message: &str) -> Vec<u8> {
    let line = json!({"v": VERSION, "answer": "error", "problem": "internal", "message": message});
    let mut line = line.to_string().into_bytes();
    line.push(b'\n');
    line
}
