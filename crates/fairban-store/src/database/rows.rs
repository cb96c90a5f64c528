//! What the tables hold, as a program reads it. Text from outside is escaped already: print it as it is.

use fairban_core::time::Time;
use ipnet::IpNet;

use super::Mode;

/// A ban, in force or over.
#[derive(Clone, Debug, PartialEq)]
pub struct BanRow {
    /// The engine's number; 0 for an operator's ban.
    pub id: u64,
    /// Number of the journal's record that began it.
    pub seq: u64,
    /// Whom.
    pub prefix: IpNet,
    /// From when.
    pub since: Time,
    /// Until when; `None` for ever.
    pub until: Option<Time>,
    /// When it ended before its time, and why.
    pub ended: Option<(Time, String)>,
    /// Whether it was enforced.
    pub mode: Mode,
    /// Kind of robot, or `operator`.
    pub reason: String,
    /// Nats, where the engine banned.
    pub evidence: Option<f64>,
    /// The verdict that began or last prolonged it: for [`super::Reader::verdict`].
    pub verdict: Option<i64>,
}

/// A verdict with its evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct VerdictRow {
    /// Number within the database.
    pub row: i64,
    /// Number of the journal's record.
    pub seq: u64,
    /// The engine's number; 0 for an operator's ban.
    pub id: u64,
    /// When.
    pub time: Time,
    /// `ban`, `extend`, `unban`, `hit`, `stale-device`, `hub`, `alarm` or `gap`.
    pub action: String,
    /// The mode at that moment.
    pub mode: Mode,
    /// Whom it concerns.
    pub prefix: Option<IpNet>,
    /// Account, escaped.
    pub account: Option<String>,
    /// What the log shows of the account, if not all: `cut`, `last`, `hidden`.
    pub account_form: Option<String>,
    /// Service.
    pub service: Option<String>,
    /// Kind of robot, why let in again, or name of the alarm.
    pub reason: Option<String>,
    /// Until when, for `ban` and `extend`; `None` for ever.
    pub until: Option<Time>,
    /// Nats, and the nats that were needed.
    pub evidence: Option<f64>,
    /// See `evidence`.
    pub needed: Option<f64>,
    /// Tries before the ban.
    pub attempts: Option<u32>,
    /// Accounts tried; of a hub: accounts that logged in.
    pub accounts: Option<u32>,
    /// Guesses of a hit, failures, strangers, lines lost.
    pub count: Option<u32>,
    /// Connections are the only evidence.
    pub weak: Option<bool>,
    /// Of a stale device: since when.
    pub since: Option<Time>,
    /// What made the evidence, largest first.
    pub signals: Vec<SignalRow>,
    /// Lines of the log, escaped.
    pub samples: Vec<String>,
    /// Sentences.
    pub remarks: Vec<String>,
    /// Accounts tried.
    pub tried: Vec<TriedRow>,
}

/// One part of the evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalRow {
    /// The stable code.
    pub name: String,
    /// How often.
    pub count: u32,
    /// Nats.
    pub nats: f64,
}

/// An account that a source tried before a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriedRow {
    /// Escaped; empty if the log hides it.
    pub account: String,
    /// What the log shows of it, if not all.
    pub account_form: Option<String>,
    /// From where.
    pub source: String,
    /// How the last try ended.
    pub last: String,
    /// Failures.
    pub failures: u32,
    /// Successes.
    pub successes: u32,
    /// When the last try was.
    pub time: Time,
}

/// What an operator did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionRow {
    /// Number of the journal's record.
    pub seq: u64,
    /// When.
    pub time: Time,
    /// User, process, name (escaped).
    pub uid: u32,
    /// See `uid`.
    pub pid: u32,
    /// See `uid`.
    pub name: String,
    /// `ban`, `unban`, `allow`, `disallow`, `mode`, `reload`.
    pub verb: String,
    /// Whom.
    pub prefix: Option<IpNet>,
    /// Which account, escaped.
    pub account: Option<String>,
    /// Until when.
    pub until: Option<Time>,
    /// The excuse is remembered.
    pub forgive: Option<bool>,
    /// Shadow or live.
    pub mode: Option<Mode>,
    /// In the operator's words, escaped.
    pub reason: String,
}

/// One thing that happened: of the engine or of an operator.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The engine's.
    Verdict(Box<VerdictRow>),
    /// An operator's.
    Action(ActionRow),
}

impl Event {
    /// When.
    pub fn time(&self) -> Time {
        match self {
            Event::Verdict(verdict) => verdict.time,
            Event::Action(action) => action.time,
        }
    }

    /// Order of happening: number of the journal's record, what was done before what came of it, number of the effect.
    pub fn order(&self) -> (u64, bool, u64) {
        match self {
            Event::Verdict(verdict) => (verdict.seq, true, verdict.id),
            Event::Action(action) => (action.seq, false, 0),
        }
    }
}

/// A prefix allowed at run time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedRow {
    /// Whom.
    pub prefix: IpNet,
    /// Since when.
    pub time: Time,
    /// Until when; `None` for ever.
    pub until: Option<Time>,
    /// Who allowed it.
    pub uid: u32,
    /// His name, escaped.
    pub name: String,
    /// Why, escaped.
    pub reason: String,
}

/// A change of the mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModeRow {
    /// When.
    pub time: Time,
    /// To what.
    pub mode: Mode,
    /// Back to shadow then, unless confirmed.
    pub confirm: Option<Time>,
    /// Who.
    pub uid: u32,
    /// His name, escaped.
    pub name: String,
}

/// Whose excuse is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgivenRow {
    /// When.
    pub time: Time,
    /// A source; neither it nor an account: everybody then banned.
    pub prefix: Option<IpNet>,
    /// An account, escaped.
    pub account: Option<String>,
    /// Who.
    pub uid: u32,
    /// His name, escaped.
    pub name: String,
}

/// A counter, summed over days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterRow {
    /// Empty: of no service.
    pub service: String,
    /// What.
    pub name: String,
    /// The sum.
    pub value: u64,
}

/// The daemon's newest status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusRow {
    /// When.
    pub time: Time,
    /// One JSON object.
    pub json: String,
}

/// What befell the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteRow {
    /// When.
    pub time: Time,
    /// `begun`, `lost`.
    pub kind: String,
    /// A sentence.
    pub text: String,
}
