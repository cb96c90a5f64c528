//! The bound of every table, and what somebody gains who fills it: nothing.
//!
//! Three tables never evict from one another: *accounts* (with their familiar pairs) enter only by a success;
//! *clients* (sources at which somebody logged in) likewise; *suspects* are everybody else.

use serde::{Deserialize, Serialize};

/// Bounds of all tables of the judge. Each says who goes first when it is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Sources at which nobody ever logged in. Smallest evidence goes first, one that is banned only where nothing
    /// else is in sight: a robot in progress outweighs the cheap newcomers that a flood consists of. One neighbourhood
    /// (/24 or /48) holds at most one in 64 of them; its further members take each other's places.
    pub suspects: u32,
    /// Sources at which somebody logged in. The longest silent goes first: filling it takes that many successes.
    pub clients: u32,
    /// Accounts that ever succeeded. The longest silent goes first: filling it takes that many accounts.
    pub accounts: u32,
    /// Familiar sources of one account: the oldest last success of the same account goes first.
    pub sources_per_account: u32,
    /// Failures that wait for a success. When full, the one due next is weighed at once: an early weight, never a lost one.
    pub pending: u32,
    /// Names of failures, kept for near-miss forgiveness and for explanations. Oldest first: explanations get shorter.
    pub names: u32,
    /// Episodes kept of one source; further ones only count. Such a source is banned or a hub.
    pub episodes_per_source: u32,
    /// Prefixes with accused members. Fewest members, oldest first.
    pub prefixes: u32,
    /// Accounts that strangers fail at. Fewest strangers first.
    pub attacked: u32,
    /// Names that may enter the dictionary. Fewest sources first.
    pub dictionary: u32,
    /// Failing secrets. Fewest accounts first.
    pub tags: u32,
    /// Written-out evidence of suspects. Smallest evidence first; without one, signals are rebuilt from episodes.
    pub dossiers: u32,
    /// Last bans, for explanations. The one that ends first goes first: explanations get shorter, no ban does (bans
    /// live with their sources).
    pub bans: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            suspects: 800_000,
            clients: 1 << 18,
            accounts: 1 << 18,
            sources_per_account: 64,
            pending: 1 << 14,
            names: 1 << 15,
            episodes_per_source: 64,
            prefixes: 1 << 15,
            attacked: 1 << 15,
            dictionary: 1 << 15,
            tags: 1 << 15,
            dossiers: 1 << 12,
            bans: 1 << 14,
        }
    }
}
