//! What a source may do at a time.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Mode;
use crate::moment::Moment;
use crate::shown::Shown;

/// Limits of connections, and what came of them. At most 80 rows: 16 that hold, and those that were taken off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitsReport {
    /// By name.
    pub rows: Vec<LimitRow>,
    /// Hubs that are exempt, besides the allowlist and the machine's own addresses.
    pub exempt: u64,
    /// In shadow mode nothing is refused.
    pub mode: Mode,
    /// When this was so.
    pub at: Moment,
    /// Why nothing is counted or refused, where that is so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<Shown>,
}

/// What an IPv4 address or an IPv6 /64 may do at some ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitRow {
    /// Its name.
    pub name: Shown,
    /// TCP ports that count together; none of one that was taken off and is not configured.
    pub ports: Vec<u16>,
    /// Connections open at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<u32>,
    /// New connections in `per` seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<u32>,
    /// Seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<u32>,
    /// So many of the new ones may come at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// Seconds without a try until who made too many is let in again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<u32>,
    /// `off`, `counts` or `refuses`, as it is now.
    pub does: Shown,
    /// Whether what is over shall be refused, where the service enforces.
    pub enforce: bool,
    /// Who said so: `config` or `operator`.
    pub origin: Shown,
    /// Connections that were, or would have been, refused for those open already.
    pub over_concurrent: u64,
    /// The same for new ones that came too fast.
    pub over_new: u64,
    /// Sources that were over within the last hour, those over most often first, at most 64.
    pub sources: Vec<OverRow>,
    /// How many more there are.
    pub sources_more: u64,
}

/// A source that was over a limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverRow {
    /// Which.
    pub prefix: IpNet,
    /// How often, since it was first over without an hour's pause.
    pub times: u64,
}
