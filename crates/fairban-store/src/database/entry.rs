//! What can be recorded.

use fairban_core::account::AccountKey;
use fairban_core::effect::{Effect, RobotKind};
use fairban_core::engine::Explanation;
use fairban_core::nats::Nats;
use fairban_core::time::Time;
use ipnet::IpNet;

/// Decide and record only, or enforce too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nobody is shut out.
    Shadow,
    /// Bans are enforced.
    Live,
}

impl Mode {
    /// The stable code.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Shadow => "shadow",
            Mode::Live => "live",
        }
    }

    pub(crate) fn named(name: &str) -> Mode {
        if name == "live" { Mode::Live } else { Mode::Shadow }
    }

    pub(crate) const fn of(enforced: bool) -> Mode {
        if enforced { Mode::Live } else { Mode::Shadow }
    }
}

/// One thing to record. Recording the same again changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// What the engine concluded; [`Effect::Seen`] is passed over.
    Verdict(Box<Verdict>),
    /// What an operator did.
    Action(Box<Action>),
    /// How far a service's counters are today.
    Counters(Counters),
    /// The daemon's status, for when it does not run. Takes the place of the one before.
    Status(Status),
    /// All bans that are in force, after the database was begun anew or has missed entries: what it does not know is
    /// added, what it believes to be in force and is not on the list is ended.
    InForce(Box<InForce>),
}

/// An effect, with what explains it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Number of the journal's record that caused it.
    pub seq: u64,
    /// The effect.
    pub effect: Effect,
    /// The mode at that moment.
    pub mode: Mode,
    /// What the engine holds about the source, for bans, extends and hits.
    pub explanation: Option<Explanation>,
}

/// An operator's action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Its number in the journal.
    pub seq: u64,
    /// When it was taken.
    pub time: Time,
    /// By whom.
    pub who: Who,
    /// What.
    pub verb: Verb,
    /// Why, in the operator's words; not yet escaped, cut to [`REASON_BYTES_MAX`].
    pub reason: Vec<u8>,
}

/// Longest reason kept, in bytes before escaping.
pub const REASON_BYTES_MAX: usize = 512;

/// Longest name of an operator kept, in bytes before escaping.
pub const NAME_BYTES_MAX: usize = 64;

/// Longest status kept, in bytes.
pub const STATUS_BYTES_MAX: usize = 1 << 20;

/// Most accounts kept of one verdict.
pub const TRIED_MAX: usize = 16;

/// An operator, by the credentials of his end of the socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// User.
    pub uid: u32,
    /// Process.
    pub pid: u32,
    /// The user's name, if known; not yet escaped.
    pub name: Vec<u8>,
}

/// What an operator did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verb {
    /// Shut out: a ban of the operator's own, that the engine does not number.
    Ban {
        /// Whom.
        prefix: IpNet,
        /// Until when; `None` for ever.
        until: Option<Time>,
        /// Whether it was enforced.
        mode: Mode,
    },
    /// Let in: ends the bans of exactly these prefixes. The engine's own effects about them are recorded besides.
    Unban {
        /// Whom.
        whom: Whom,
        /// Remember the excuse.
        forgive: bool,
    },
    /// Never to be banned.
    Allow {
        /// Whom.
        prefix: IpNet,
        /// Until when; `None` for ever.
        until: Option<Time>,
    },
    /// Off the list of [`Verb::Allow`].
    Disallow {
        /// Whom.
        prefix: IpNet,
    },
    /// Shadow or live.
    Mode {
        /// Which.
        mode: Mode,
        /// Back to shadow then, unless confirmed.
        confirm: Option<Time>,
    },
    /// The configuration was read again.
    Reload,
    /// Sources at which people log in are banned again, though the breaker is open.
    Resume,
    /// A limit of connections was set, taken off, or is the configuration's again; the action's reason says which and how.
    Limit,
    /// A ban is not carried out, for it would hit somebody protected; the action's reason says whom. By the service itself.
    Protect {
        /// Whose.
        prefix: IpNet,
    },
    /// It is carried out after all.
    Release {
        /// Whose.
        prefix: IpNet,
    },
}

/// Whom an operator lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// A prefix.
    Prefix(IpNet),
    /// The sources that failed at an account: the engine's effects say which.
    Account(AccountKey),
    /// Everybody.
    All,
}

/// Counters of one day and service, whole values and not differences: so recording them twice is harmless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    /// The journal's number when they were read; older ones do not replace newer ones.
    pub seq: u64,
    /// Any time of the day (UTC) that they belong to.
    pub day: Time,
    /// [`fairban_core::event::Service::name`], or empty for what belongs to none.
    pub service: &'static str,
    /// Name and value.
    pub values: Vec<(&'static str, u64)>,
}

/// A status record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// When.
    pub time: Time,
    /// One JSON object, already escaped as all output is; longer than [`STATUS_BYTES_MAX`] it is passed over.
    pub json: String,
}

/// All bans in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// The journal's number at that moment.
    pub seq: u64,
    /// When.
    pub time: Time,
    /// The bans, in any order.
    pub bans: Vec<Standing>,
}

/// A ban in force, as the daemon knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The engine's number; 0 for an operator's ban.
    pub id: u64,
    /// Whom.
    pub prefix: IpNet,
    /// From when.
    pub since: Time,
    /// Until when; `None` for ever.
    pub until: Option<Time>,
    /// What it looks like; `None` for an operator's ban.
    pub reason: Option<RobotKind>,
    /// The sum, where known.
    pub evidence: Nats,
    /// Whether it is enforced.
    pub mode: Mode,
}
