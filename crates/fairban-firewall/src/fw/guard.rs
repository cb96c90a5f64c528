//! [`Guard`]: who is never shut out, whatever anybody asks.
//!
//! The floor comes from this process alone and no message takes of it: loopback, this host's own addresses and gateways,
//! and the prefixes of `/etc/fairban/never-ban`. The other process may add to it, up to [`ALLOWED_MAX`].

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::prefixes::PrefixSet;

/// Most prefixes that the other process may protect. More are refused, and said.
pub(super) const ALLOWED_MAX: usize = 100_000;

/// Shorter prefixes are nobody's neighbourhood but a slip: they are refused.
const LEN_MIN_V4: u8 = 8;
const LEN_MIN_V6: u8 = 16;

/// See the module.
#[derive(Debug)]
pub(super) struct Guard {
    fixed: PrefixSet,
    own: PrefixSet,
    allowed: PrefixSet,
    /// A list that is not yet complete.
    coming: PrefixSet,
}

/// Why a ban is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It would hit who is protected.
    Protected,
    /// It is too wide.
    TooWide,
}

impl Guard {
    /// The floor, with the prefixes of the root-owned file.
    pub(super) fn new(never_ban: Vec<IpNet>) -> Guard {
        let mut fixed: PrefixSet = never_ban.into_iter().collect();
        let loopback = ["127.0.0.0/8", "::1/128", "0.0.0.0/32", "::/128"];
        for prefix in loopback {
            // Literals of ours, tried by every test that makes a guard.
            fixed.insert(prefix.parse().expect("a prefix"));
        }
        let [own, allowed, coming] = [(); 3].map(|()| PrefixSet::default());
        Guard { fixed, own, allowed, coming }
    }

    /// Whether a ban of `prefix` is refused.
    pub(super) fn refuses(&self, prefix: &IpNet) -> Option<Refused> {
        let layers = [&self.fixed, &self.own, &self.allowed, &self.coming];
        if layers.into_iter().any(|layer| layer.overlapping(prefix).is_some()) {
            return Some(Refused::Protected);
        }
        let len_min = if matches!(prefix, IpNet::V4(_)) { LEN_MIN_V4 } else { LEN_MIN_V6 };
        (prefix.prefix_len() < len_min).then_some(Refused::TooWide)
    }

    /// This host's addresses and gateways are these now. Returns what is new.
    pub(super) fn set_own(&mut self, addresses: &BTreeSet<IpAddr>) -> Vec<IpNet> {
        let own: PrefixSet = addresses.iter().map(|address| IpNet::from(*address)).collect();
        let before = std::mem::replace(&mut self.own, own);
        self.own.iter().filter(|prefix| before.overlapping(prefix).is_none()).copied().collect()
    }

    /// A piece of what the other process protects. What the list before it held is protected until it is complete.
    /// Returns whether there was room for all.
    pub(super) fn allow(&mut self, begins: bool, ends: bool, prefixes: &[IpNet]) -> bool {
        if begins {
            self.coming = PrefixSet::default();
        }
        let mut has_room = true;
        for prefix in prefixes {
            has_room &= self.coming.len() < ALLOWED_MAX;
            if has_room {
                self.coming.insert(*prefix);
            }
        }
        if ends {
            self.allowed = std::mem::take(&mut self.coming);
        }
        has_room
    }

    /// Another process speaks from now on: what the last one protected is forgotten.
    pub(super) fn begin(&mut self) {
        self.allowed = PrefixSet::default();
        self.coming = PrefixSet::default();
    }

    /// All prefixes of the floor and of the other process.
    pub(super) fn protected(&self) -> impl Iterator<Item = IpNet> {
        [&self.fixed, &self.own, &self.allowed].into_iter().flat_map(PrefixSet::iter).copied()
    }

    /// How many prefixes: in the floor, of the other process.
    pub(super) fn count(&self) -> (usize, usize) {
        (self.fixed.len() + self.own.len(), self.allowed.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().expect("a prefix")
    }

    #[test]
    fn nothing_that_is_said_takes_of_the_floor() {
        let mut guard = Guard::new(vec![net("198.51.100.0/24")]);
        guard.set_own(&["192.0.2.1".parse().expect("an address")].into());
        let floor =
            ["198.51.100.9/32", "198.51.0.0/16", "192.0.2.1/32", "192.0.2.0/24", "127.0.0.5/32", "::1/128"];
        assert!(guard.allow(true, true, &[net("203.0.113.0/24")]));
        assert_eq!(guard.refuses(&net("203.0.113.9/32")), Some(Refused::Protected));
        assert!(guard.allow(true, true, &[]));
        assert_eq!(guard.refuses(&net("203.0.113.9/32")), None);
        guard.begin();
        for protected in floor {
            assert_eq!(guard.refuses(&net(protected)), Some(Refused::Protected), "{protected}");
        }
        assert_eq!(guard.refuses(&net("192.0.2.2/32")), None);
        assert_eq!(guard.refuses(&net("128.0.0.0/2")), Some(Refused::TooWide));
    }

    #[test]
    fn a_list_protects_from_its_first_piece_and_the_old_one_until_its_last() {
        let mut guard = Guard::new(Vec::new());
        guard.allow(true, true, &[net("203.0.113.0/24")]);
        guard.allow(true, false, &[net("198.51.100.0/24")]);
        for protected in ["203.0.113.9/32", "198.51.100.9/32"] {
            assert_eq!(guard.refuses(&net(protected)), Some(Refused::Protected), "{protected}");
        }
        guard.allow(false, true, &[]);
        assert_eq!(guard.refuses(&net("203.0.113.9/32")), None);
        assert_eq!(guard.refuses(&net("198.51.100.9/32")), Some(Refused::Protected));
    }

    #[test]
    fn a_new_own_address_is_told_once() {
        let mut guard = Guard::new(Vec::new());
        let addresses = BTreeSet::from([IpAddr::from([192, 0, 2, 1])]);
        assert_eq!(guard.set_own(&addresses), [net("192.0.2.1/32")]);
        assert_eq!(guard.set_own(&addresses), []);
        assert_eq!(guard.set_own(&BTreeSet::new()), []);
        assert_eq!(guard.refuses(&net("192.0.2.1/32")), None);
    }
}
