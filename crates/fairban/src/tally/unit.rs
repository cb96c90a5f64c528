//! The unit that is judged, packed small: an IPv4 address or an IPv6 /64.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

/// An IPv4 address or an IPv6 /64, in the order of addresses, IPv4 first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Unit([u32; 2]);

/// The upper half of the words of IPv4 addresses: no IPv6 /64 of the internet begins with zeros.
const IPV4: u32 = 0;

impl Unit {
    pub(crate) fn of(source: IpAddr) -> Unit {
        match source.to_canonical() {
            IpAddr::V4(v4) => Unit([IPV4, v4.to_bits()]),
            IpAddr::V6(v6) => Unit::of_word((v6.to_bits() >> 64) as u64),
        }
    }

    const fn of_word(word: u64) -> Unit {
        Unit([(word >> 32) as u32, word as u32])
    }

    /// As a prefix.
    pub(crate) fn prefix(self) -> IpNet {
        let [high, low] = self.0;
        if high == IPV4 {
            IpNet::V4(Ipv4Net::from(Ipv4Addr::from_bits(low)))
        } else {
            let bits = u128::from((u64::from(high) << 32) | u64::from(low)) << 64;
            Ipv6Net::new(Ipv6Addr::from_bits(bits), 64)
                .map_or_else(|_| IpAddr::from(Ipv6Addr::from_bits(bits)).into(), IpNet::V6)
        }
    }

    /// All units that a prefix may hold.
    pub(crate) fn within(prefix: &IpNet) -> RangeInclusive<Unit> {
        Unit::of(prefix.network())..=Unit::of(prefix.broadcast())
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", show_prefix(&self.prefix()))
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unit({self})")
    }
}

/// A prefix for people: a single address without its length.
pub(crate) fn show_prefix(prefix: &IpNet) -> String {
    if prefix.prefix_len() == prefix.max_prefix_len() {
        prefix.addr().to_string()
    } else {
        prefix.trunc().to_string()
    }
}
