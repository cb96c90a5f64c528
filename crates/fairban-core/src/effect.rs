//! What the engine wants done: [`Effect`], and the parts it is made of.

use core::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::event::{Outcome, Protocol, SecretTag, Service};
use crate::nats::Nats;
use crate::time::Time;

/// One reason to believe that a source is (or is not) a robot. The name is a stable code in JSON and reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Signal {
    /// An account that the server does not know, new at this source, failed and stayed unresolved.
    UnknownAccount,
    /// An account new at this source failed with a wrong secret and stayed unresolved.
    WrongSecret,
    /// The same where the log does not say why.
    Refused,
    /// The same where the log does not name the account.
    HiddenAccount,
    /// The name is one that other robots here tried.
    DictionaryName,
    /// Strangers tried the same secret at other accounts.
    PopularSecret,
    /// The secret is one that robots try first.
    CommonSecret,
    /// Another secret each time at one account.
    ManySecrets,
    /// A second account failed at a source where none has succeeded.
    SecondAccount,
    /// New accounts in a machine's rhythm.
    Speed,
    /// Tries at one account faster than a person or a mail program.
    FastRepeat,
    /// A stranger at an account that many strangers attack.
    AccountUnderAttack,
    /// Most strangers that fail here these days are robots.
    SitePrior,
    /// Neighbours in the same prefix accuse themselves.
    Neighbours,
    /// Connections without a login.
    Connections,
    /// The service's own penalty turned the source away.
    TurnedAway,
    /// Banned before and back.
    Probation,
    /// A success: credit.
    Success,
}

impl Signal {
    /// The stable code.
    pub const fn name(self) -> &'static str {
        match self {
            Signal::UnknownAccount => "unknown-account",
            Signal::WrongSecret => "wrong-secret",
            Signal::Refused => "refused",
            Signal::HiddenAccount => "hidden-account",
            Signal::DictionaryName => "dictionary-name",
            Signal::PopularSecret => "popular-secret",
            Signal::CommonSecret => "common-secret",
            Signal::ManySecrets => "many-secrets",
            Signal::SecondAccount => "second-account",
            Signal::Speed => "speed",
            Signal::FastRepeat => "fast-repeat",
            Signal::AccountUnderAttack => "account-under-attack",
            Signal::SitePrior => "site-prior",
            Signal::Neighbours => "neighbours",
            Signal::Connections => "connections",
            Signal::TurnedAway => "turned-away",
            Signal::Probation => "probation",
            Signal::Success => "success",
        }
    }
}

/// What one signal contributed to a source's evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalSum {
    /// Which.
    pub signal: Signal,
    /// How often.
    pub count: u32,
    /// Its sum, before decay.
    pub nats: Nats,
}

/// The kind of robot that the evidence looks like: the `reason` of a ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RobotKind {
    /// Many names, most of them unknown to the server.
    UsernameScan,
    /// Many secrets at one or a few accounts.
    PasswordGuessing,
    /// One try at each of many existing accounts, another secret each.
    CredentialStuffing,
    /// The same secret at many accounts.
    Spraying,
    /// Connections without a login.
    ConnectionFlood,
    /// One of many sources that work together: convicted by evidence across sources.
    Botnet,
    /// None: the operator ordered the ban.
    Operator,
}

impl RobotKind {
    /// The stable code.
    pub const fn name(self) -> &'static str {
        match self {
            RobotKind::UsernameScan => "username-scan",
            RobotKind::PasswordGuessing => "password-guessing",
            RobotKind::CredentialStuffing => "credential-stuffing",
            RobotKind::Spraying => "spraying",
            RobotKind::ConnectionFlood => "connection-flood",
            RobotKind::Botnet => "botnet",
            RobotKind::Operator => "operator",
        }
    }
}

/// A source shut out, or its ban prolonged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// Stable number, from 1, in the order of decisions.
    pub id: u64,
    /// Whom: a single address or a prefix.
    pub prefix: IpNet,
    /// From when.
    pub time: Time,
    /// Until when; `None` for ever.
    pub until: Option<Time>,
    /// The sum at that moment.
    pub evidence: Nats,
    /// The sum that was needed.
    pub limit: Nats,
    /// What it looks like.
    pub reason: RobotKind,
    /// What made the sum, largest first.
    pub signals: Vec<SignalSum>,
    /// Tries (or connections, for a flood) before the ban.
    pub attempts: u32,
    /// Different accounts tried before the ban.
    pub accounts: u32,
    /// The evidence is weak by nature (connections alone): say so.
    pub weak: bool,
}

/// Why a ban ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnbanReason {
    /// A neighbour in the banned prefix logged in: the ban is narrower now.
    Narrowed,
    /// The account and secret that succeeded were familiar there before the ban began.
    Familiar,
    /// The operator said so.
    Operator,
}

impl UnbanReason {
    /// The stable code.
    pub const fn name(self) -> &'static str {
        match self {
            UnbanReason::Narrowed => "narrowed",
            UnbanReason::Familiar => "familiar",
            UnbanReason::Operator => "operator",
        }
    }
}

/// What keeps a source from being banned, whatever the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protection {
    /// Bans hit too many sources at which people log in: see [`Alarm::Breaker`].
    Breaker,
    /// Many accounts log in there.
    Hub,
}

impl Protection {
    /// The stable code.
    pub const fn name(self) -> &'static str {
        match self {
            Protection::Breaker => "breaker",
            Protection::Hub => "hub",
        }
    }

    /// For a person: half a sentence.
    pub const fn words(self) -> &'static str {
        match self {
            Protection::Breaker => "the breaker is open, so sources at which people log in are only recorded",
            Protection::Hub => "many accounts log in there, so its failures are told by account",
        }
    }
}

/// Something the operator should know that concerns no single source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Alarm {
    /// Familiar clients fail together: the backend is down, evidence pauses.
    Outage {
        /// Where.
        service: Service,
        /// Familiar pairs that failed in the window.
        failing: u32,
    },
    /// The outage is over.
    OutageEnded {
        /// Where.
        service: Service,
    },
    /// An outage that lasts longer than half an hour.
    OutageLong {
        /// Where.
        service: Service,
    },
    /// Many strangers fail at one account.
    AccountUnderAttack {
        /// Which.
        account: Account,
        /// Strangers in the last day.
        strangers: u32,
    },
    /// One account is tried without end from one place, and the log shows no secret to judge by.
    Looping {
        /// Which.
        account: Account,
        /// From where.
        source: IpAddr,
        /// Failures.
        failures: u32,
    },
    /// Three bans of sources with a history of successes in ten minutes, or 1 % of those active in a day: such sources are
    /// now only recorded.
    Breaker,
    /// The evidence would ban the source, but it is protected: recorded only. Told once a day, source and reason.
    Spared {
        /// Which.
        source: IpAddr,
        /// By what.
        because: Protection,
    },
    /// The service's failures cannot be seen to resolve: its log shows no successes.
    Blind {
        /// Which.
        service: Service,
    },
    /// Records without their end: a client writes line feeds into this log.
    Torn {
        /// Which.
        service: Service,
    },
    /// The daemon's own penalty hits a source at which people log in.
    PenaltyOnFamiliar {
        /// Which.
        source: IpAddr,
    },
    /// One source carries nearly all logins: a proxy.
    Proxy {
        /// Which.
        source: IpAddr,
    },
}

impl Alarm {
    /// The stable code.
    pub const fn name(&self) -> &'static str {
        match self {
            Alarm::Outage { .. } => "outage",
            Alarm::OutageEnded { .. } => "outage-ended",
            Alarm::OutageLong { .. } => "outage-long",
            Alarm::AccountUnderAttack { .. } => "account-under-attack",
            Alarm::Looping { .. } => "looping",
            Alarm::Breaker => "breaker",
            Alarm::Spared { .. } => "spared",
            Alarm::Blind { .. } => "blind",
            Alarm::Torn { .. } => "torn",
            Alarm::PenaltyOnFamiliar { .. } => "penalty-on-familiar",
            Alarm::Proxy { .. } => "proxy",
        }
    }
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Judged.
    Judged,
    /// A ban in force would have kept it out: counted, not judged.
    KeptOut,
    /// From the allowlist: not judged.
    Allowed,
}

/// An attempt as the engine took it; told only when [`crate::engine::Config::narrate`] is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// When.
    pub time: Time,
    /// From where.
    pub source: IpAddr,
    /// Whose line.
    pub service: Service,
    /// What the client spoke.
    pub protocol: Protocol,
    /// Which account.
    pub account: Account,
    /// How it ended; `Aborted` for a connection without a login.
    pub outcome: Outcome,
    /// Tag of the secret.
    pub secret: Option<SecretTag>,
    /// What became of it.
    pub standing: Standing,
    /// The account has logged in at this source before this attempt.
    pub familiar: bool,
}

/// What the engine wants done, or told. In the order of decisions; ids rise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Shut out.
    Ban(Ban),
    /// The ban `of` lasts longer.
    Extend {
        /// The ban that goes on.
        of: u64,
        /// With its own id, new end and evidence.
        ban: Ban,
    },
    /// Let in again before the end.
    Unban {
        /// Number of this effect.
        id: u64,
        /// The ban that ends; 0 where so many came after it that its number is forgotten.
        of: u64,
        /// Whom.
        prefix: IpNet,
        /// When.
        time: Time,
        /// Why.
        reason: UnbanReason,
    },
    /// A guessing source logged in: the account is probably taken.
    Hit {
        /// Number of this effect.
        id: u64,
        /// When.
        time: Time,
        /// From where.
        source: IpAddr,
        /// Which account.
        account: Account,
        /// Failed tries of that source before.
        guesses: u32,
        /// Its evidence at that moment.
        evidence: Nats,
    },
    /// A device goes on with an old password: the admin can call its owner. Told once a device and day.
    StaleDevice {
        /// Number of this effect.
        id: u64,
        /// When.
        time: Time,
        /// From where.
        source: IpAddr,
        /// Whose.
        account: Account,
        /// Failures so far.
        failures: u32,
        /// Since when.
        since: Time,
    },
    /// A source is a hub from now on.
    Hub {
        /// Number of this effect.
        id: u64,
        /// When.
        time: Time,
        /// Which.
        source: IpAddr,
        /// Accounts that logged in there.
        accounts: u32,
    },
    /// See [`Alarm`].
    Alarm {
        /// Number of this effect.
        id: u64,
        /// When.
        time: Time,
        /// What.
        alarm: Alarm,
    },
    /// The log lost lines: until ten minutes later the service is blind to successes.
    Gap {
        /// Number of this effect.
        id: u64,
        /// When.
        time: Time,
        /// Whose.
        service: Service,
        /// How many lines; 0 if unknown.
        lost: u32,
    },
    /// An attempt, as it was taken (no id; only when narrated).
    Seen(Seen),
}
