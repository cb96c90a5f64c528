//! Addresses within an IPv6 /64: whom a ban names when not the whole /64 speaks against itself.
//!
//! The /64 is judged, but as long as all its failures come from one address only that address is shut out; and where
//! somebody logs in, no neighbour pays for another. A second failing address, where nobody has ever logged in, makes it
//! the /64.

use core::net::IpAddr;

use ipnet::{IpNet, Ipv6Net};
use serde::{Deserialize, Serialize};

use super::source::Unit;
use crate::table::Table;

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Lower {
    /// Lower halves of the first and the last failing address.
    first: u64,
    last: u64,
    /// Lower half of the banned address, while a ban names one.
    banned: Option<u64>,
}

/// The failing addresses of IPv6 units. When full, one without a ban goes first; its unit is then banned as a whole.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Addresses {
    lower: Table<Lower>,
}

fn lower_half(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(_) => 0,
        IpAddr::V6(v6) => v6.to_bits() as u64,
    }
}

impl Addresses {
    pub(crate) fn new(key: [u8; 16]) -> Addresses {
        Addresses { lower: Table::new(key) }
    }

    /// An address of the unit failed.
    pub(crate) fn failed(&mut self, unit: Unit, address: IpAddr, max: u32) {
        if unit.is_v4() {
            return;
        }
        if self.lower.get(unit.0).is_none() && self.lower.len() >= max as usize {
            let victim = self.lower.victim(16, |lower| Some(lower.banned.is_some()));
            victim.and_then(|victim| self.lower.remove(victim));
        }
        let low = lower_half(address);
        self.lower.entry(unit.0, || Lower { first: low, last: low, banned: None }).last = low;
    }

    /// The prefix that a ban of this unit names now; `shared` says that somebody logs in there.
    pub(crate) fn prefix(&self, unit: Unit, shared: bool) -> IpNet {
        match self.lower.get(unit.0) {
            Some(lower) if shared || lower.first == lower.last => {
                let bits = (u128::from(unit.0) << 64) | u128::from(lower.last);
                IpNet::V6(Ipv6Net::from(core::net::Ipv6Addr::from_bits(bits)))
            }
            _ => unit.prefix(),
        }
    }

    /// A ban names only the address that failed last.
    pub(crate) fn ban_last(&mut self, unit: Unit) {
        if let Some(lower) = self.lower.get_mut(unit.0) {
            lower.banned = Some(lower.last);
        }
    }

    /// The ban of the unit is over, or names all of it.
    pub(crate) fn unban(&mut self, unit: Unit) {
        if let Some(lower) = self.lower.get_mut(unit.0) {
            lower.banned = None;
        }
    }

    /// Whether a ban of the unit means this address.
    pub(crate) fn is_meant(&self, unit: Unit, address: IpAddr) -> bool {
        match self.lower.get(unit.0).and_then(|lower| lower.banned) {
            Some(banned) => banned == lower_half(address),
            None => true,
        }
    }

    /// Whether the last failure of the unit came from elsewhere than the banned address.
    pub(crate) fn another_failed(&self, unit: Unit) -> bool {
        self.lower.get(unit.0).is_some_and(|lower| lower.banned.is_some_and(|banned| banned != lower.last))
    }
}
