//! The kernel's side of bans: our table in nftables, written over netlink.
//!
//! One table `inet fairban`, three groups of sets (all ports, the login services' ports, the port of others' mail) and
//! three chains that look a source up in them:
//!
//! ```text
//! chain pre { type filter hook prerouting priority raw; policy accept;
//!     ip saddr @all4_32 counter drop             # and the other sets of this group
//!     tcp dport @logins jump logins
//!     tcp dport @smtp jump smtp
//! }
//! chain logins {
//!     ip saddr @logins4_32 counter drop
//!     ip saddr & 255.255.255.0 @logins4_24 counter drop
//!     ip saddr @logins4_other counter drop
//!     ip6 saddr @logins6_128 counter drop
//!     ip6 saddr & ffff:ffff:ffff:ffff:: @logins6_64 counter drop
//!     …
//! }
//! ```
//!
//! Hash sets take a ban in microseconds at any size, so each common prefix length has its own, looked up by the masked
//! address. An interval set takes any prefix, slower the more it holds, and refuses what overlaps: it is for the rare
//! rest, holds at most [`OTHERS_MAX`] prefixes a family, and gets *segments*, disjoint by construction.
//!
//! Prerouting at raw priority comes before connection tracking and before everybody else's `accept`; what is dropped
//! there costs no entry, and containers' published ports are covered.
//!
//! A transaction that fails costs milliseconds and leaves the source outside unbanned. So nothing we send can fail on a
//! table as we left it: nothing is made "only if it is not there", nothing deleted that might not be there.

mod encode;
mod events;
mod limits;
mod table;
mod wire;

#[cfg(test)]
mod oracle_tests;

use std::net::IpAddr;

use ipnet::IpNet;

use crate::enforcer::Doors;

pub(crate) use events::{Damage, Events, Foreign};
pub(crate) use limits::{LimitsTable, SOURCES_MAX};
pub(crate) use table::{Change, Edit, Table};
pub use table::{Features, Settings};
pub(crate) use wire::Error;

/// Name of our table, of family `inet`.
pub(crate) const TABLE: &str = "fairban";

/// Name of our other table, of the same family: what sources may do at a time, see [`limits`].
pub(crate) const LIMITS_TABLE: &str = "fairban_limits";

/// Most prefixes of uncommon lengths, a family.
pub(crate) const OTHERS_MAX: usize = 1_000;

/// Ports that bans close, most of one kind.
pub(crate) const PORTS_MAX: usize = 64;

/// Prefix lengths with a hash set of their own.
const COMMON_V4: [u8; 2] = [32, 24];
const COMMON_V6: [u8; 4] = [128, 64, 56, 48];

/// What a ban's sets close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Group {
    /// Everything.
    All,
    /// The ports of login services.
    Logins,
    /// The port at which others' mail arrives.
    Smtp,
}

impl Group {
    pub(crate) const ALL: [Group; 3] = [Group::All, Group::Logins, Group::Smtp];

    /// The groups of sets that a ban is in.
    pub(crate) fn of(doors: Doors) -> &'static [Group] {
        match doors {
            Doors::Logins => &[Group::Logins],
            Doors::LoginsAndSmtp => &[Group::Logins, Group::Smtp],
            Doors::All => &[Group::All],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Group::All => "all",
            Group::Logins => "logins",
            Group::Smtp => "smtp",
        }
    }
}

/// One of our sets of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SetId {
    pub(crate) group: Group,
    pub(crate) is_v6: bool,
    /// The prefix length of all in it; `None` for the interval set.
    pub(crate) len: Option<u8>,
}

impl SetId {
    /// All there are.
    pub(crate) fn all() -> impl Iterator<Item = SetId> {
        Group::ALL.into_iter().flat_map(SetId::of_group)
    }

    fn of_group(group: Group) -> impl Iterator<Item = SetId> {
        let of = move |is_v6: bool, lens: &'static [u8]| {
            let common = lens.iter().map(move |len| SetId { group, is_v6, len: Some(*len) });
            common.chain([SetId { group, is_v6, len: None }])
        };
        of(false, &COMMON_V4).chain(of(true, &COMMON_V6))
    }

    /// Where a prefix belongs.
    pub(crate) fn for_prefix(group: Group, prefix: &IpNet) -> SetId {
        let is_v6 = matches!(prefix, IpNet::V6(_));
        SetId { group, is_v6, len: is_common(prefix).then(|| prefix.prefix_len()) }
    }

    pub(crate) fn name(self) -> String {
        let family = if self.is_v6 { 6 } else { 4 };
        let group = self.group.name();
        self.len.map_or_else(|| format!("{group}{family}_other"), |len| format!("{group}{family}_{len}"))
    }

    pub(crate) fn from_name(name: &[u8]) -> Option<SetId> {
        SetId::all().find(|set| set.name().as_bytes() == name)
    }

    fn key_len(self) -> u8 {
        if self.is_v6 { 16 } else { 4 }
    }

    /// The mask that turns an address into a key, where it is not all ones.
    fn mask(self) -> Option<Vec<u8>> {
        let len = self.len.filter(|len| *len < self.key_len() * 8)?;
        let bits =
            |byte: u8| 0xff_u8.checked_shl(u32::from(8 - len.saturating_sub(byte * 8).min(8))).unwrap_or(0);
        Some((0..self.key_len()).map(bits).collect())
    }
}

/// Whether prefixes of this length have a hash set.
pub(crate) fn is_common(prefix: &IpNet) -> bool {
    match prefix {
        IpNet::V4(net) => COMMON_V4.contains(&net.prefix_len()),
        IpNet::V6(net) => COMMON_V6.contains(&net.prefix_len()),
    }
}

/// What stands in a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    /// The masked address, or an end of a segment.
    pub(crate) key: IpAddr,
    /// Milliseconds to live; `None` for ever.
    pub(crate) timeout_ms: Option<u64>,
    /// The first address after a segment: in interval sets only.
    pub(crate) is_end: bool,
}

impl Element {
    pub(crate) fn new(prefix: &IpNet, timeout_ms: Option<u64>) -> Element {
        Element { key: prefix.network(), timeout_ms, is_end: false }
    }
}

/// Bytes of an address as packets carry it.
fn key_bytes(address: &IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_those_of_the_lengths() {
        let mask = |is_v6, len| SetId { group: Group::All, is_v6, len: Some(len) }.mask();
        assert_eq!(mask(false, 32), None);
        assert_eq!(mask(true, 128), None);
        assert_eq!(mask(false, 24), Some(vec![255, 255, 255, 0]));
        assert_eq!(mask(true, 56), Some([vec![255; 7], vec![0; 9]].concat()));
        assert_eq!(mask(true, 60), Some([vec![255; 7], vec![0xf0], vec![0; 8]].concat()));
    }

    #[test]
    fn every_set_is_found_by_its_name() {
        let all: Vec<SetId> = SetId::all().collect();
        assert_eq!(all.len(), 24);
        for set in all {
            assert_eq!(SetId::from_name(set.name().as_bytes()), Some(set));
            assert!(set.name().len() < 16);
        }
        assert_eq!(SetId::from_name(b"logins"), None);
    }
}
