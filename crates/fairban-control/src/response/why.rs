//! Why somebody is banned, or is not.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::BanRow;
use crate::moment::Moment;
use crate::shown::Shown;

/// What is known about a source or an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "kebab-case")]
pub enum WhyReport {
    /// About a source.
    Source(Box<WhySource>),
    /// About an account.
    Account(WhyAccount),
}

/// A source. Lists hold at most [`super::PARTS_MAX`] rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WhySource {
    /// The unit that is judged, or the prefix that was asked about.
    pub source: IpNet,
    /// When this was so.
    pub at: Moment,
    /// The prefix of the allowlist that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<IpNet>,
    /// When it was first seen, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Moment>,
    /// When it was last seen, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Moment>,
    /// Tries.
    pub attempts: u64,
    /// The sum, in nats.
    pub evidence: f64,
    /// The sum that bans it, in nats.
    pub limit: f64,
    /// What made the sum, largest first.
    pub signals: Vec<SignalRow>,
    /// Accounts tried there.
    pub accounts: Vec<AccountRow>,
    /// Lines, secrets blanked, cut.
    pub samples: Vec<Shown>,
    /// The ban in force, or the last one.
    #[serde(default)]
    pub ban: Option<BanRow>,
    /// That ban is in force.
    #[serde(default)]
    pub banned: bool,
    /// Why the sum is what it is.
    pub remarks: Vec<Shown>,
    /// What would have changed it.
    #[serde(default)]
    pub changed_by: Vec<Shown>,
    /// What was decided about it, newest first.
    #[serde(default)]
    pub history: Vec<HistoryRow>,
}

/// What one signal contributed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignalRow {
    /// A stable name, such as `unknown-account`.
    pub name: Shown,
    /// How often.
    pub count: u64,
    /// Its sum, in nats.
    pub nats: f64,
    /// What it means, in a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meaning: Option<Shown>,
}

/// An account that was tried at a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRow {
    /// Which; `(not named)` where the log does not say.
    pub account: Shown,
    /// How its last try ended, in a few words.
    pub outcome: Shown,
    /// Failures.
    pub failures: u64,
    /// Successes.
    pub successes: u64,
    /// When it was last tried.
    pub last: Moment,
}

/// A decision of the past.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// When.
    pub time: Moment,
    /// A stable name: `ban`, `extend`, `unban`, `hit`, `stale-device`, `hub`, `alarm`, or an operator's order.
    pub action: Shown,
    /// Its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Whom, where it is not exactly whom was asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<IpNet>,
    /// A few words: reason, length, evidence.
    pub text: Shown,
    /// What made the evidence, where it is a ban.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<SignalRow>,
}

/// An account. Lists hold at most [`super::PARTS_MAX`] rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WhyAccount {
    /// Which.
    pub account: Shown,
    /// When this was so.
    pub at: Moment,
    /// Where it logs in, last login first.
    pub logins: Vec<LoginRow>,
    /// Devices that go on with an old password.
    pub devices: Vec<DeviceRow>,
    /// Sources that failed at it and never logged in, last first.
    pub failed: Vec<FailedRow>,
    /// About how many strangers failed at it within the last day.
    pub strangers: u64,
    /// What else is to be said.
    pub remarks: Vec<Shown>,
    /// What was decided about it, newest first.
    #[serde(default)]
    pub history: Vec<HistoryRow>,
}

/// A source at which an account logs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginRow {
    /// Which.
    pub source: IpNet,
    /// The last login there.
    pub last: Moment,
    /// Failures there since.
    pub failures: u64,
}

/// A device that goes on with an old password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRow {
    /// Where it is.
    pub source: IpNet,
    /// Failures so far.
    pub failures: u64,
    /// Since when.
    pub since: Moment,
    /// Its last failure, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Moment>,
}

/// A source that failed at an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedRow {
    /// Which.
    pub source: IpNet,
    /// Failures there at this account.
    pub failures: u64,
    /// The last of them.
    pub last: Moment,
    /// It is banned.
    #[serde(default)]
    pub banned: bool,
}
