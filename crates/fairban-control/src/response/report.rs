//! What has happened, and whether it is safe to go live.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Mode;
use crate::moment::Moment;
use crate::shown::Shown;

/// Everything that `fairban report` shows. Lists hold at most [`super::PARTS_MAX`] rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinceReport {
    /// Since when; later than asked where less is remembered.
    pub since: Moment,
    /// Until when.
    pub until: Moment,
    /// The mode now.
    pub mode: Mode,
    /// Tries of all sources.
    pub attempts: u64,
    /// Logins.
    pub logins: u64,
    /// Failures.
    pub failures: u64,
    /// Bans decided.
    pub bans: u64,
    /// Sources banned.
    pub banned_sources: u64,
    /// Tries that bans kept out, or would have.
    pub kept_out: u64,
    /// What the robots were.
    pub kinds: Vec<KindRow>,
    /// Guessing sources that logged in.
    pub hits: u64,
    /// Devices with an old password.
    pub stale_devices: u64,
    /// What a counting rule would have done.
    pub rule: RuleResult,
    /// Banned although a familiar account logged in there, before or later.
    pub casualties: Vec<CasualtyRow>,
    /// It is safe to go live.
    pub safe: bool,
    /// Why it is, or is not.
    pub reasons: Vec<Shown>,
    /// What to type next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Shown>,
}

/// One kind of robot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindRow {
    /// A stable name, such as `username-scan`.
    pub reason: Shown,
    /// Sources of this kind.
    pub sources: u64,
    /// Their tries before the ban.
    pub attempts: u64,
    /// Their tries after it.
    pub kept_out: u64,
}

/// What a counting rule would have done in the same time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleResult {
    /// Such as `5/10m/10m`: failures, window, ban.
    pub rule: Shown,
    /// Its bans.
    pub bans: u64,
    /// Honest sources among them.
    pub honest_banned: u64,
    /// Honest logins that it would have denied.
    pub logins_denied: u64,
    /// Both are of sources that were seen in the report's time, and count since then; none where that is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub honest_since: Option<Moment>,
}

/// A banned source at which a familiar account logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CasualtyRow {
    /// Which.
    pub source: IpNet,
    /// Logins before the ban.
    pub logins_before: u64,
    /// Logins that the ban denied, or would have.
    pub logins_denied: u64,
    /// Logins after it.
    pub logins_after: u64,
}
