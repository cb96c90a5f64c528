//! [`PrefixSet`]: prefixes, asked whether one lies in them or around them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A set of prefixes. A question costs as many look-ups as there are different lengths in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct PrefixSet {
    all: BTreeSet<IpNet>,
    /// How many there are of each length: IPv4, IPv6.
    lens: [Vec<u32>; 2],
}

impl PrefixSet {
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &IpNet> {
        self.all.iter()
    }

    /// Whether it is new.
    pub(crate) fn insert(&mut self, prefix: IpNet) -> bool {
        let prefix = prefix.trunc();
        let is_new = self.all.insert(prefix);
        if is_new {
            let lens = &mut self.lens[family(&prefix)];
            lens.resize(lens.len().max(usize::from(prefix.prefix_len()) + 1), 0);
            lens[usize::from(prefix.prefix_len())] += 1;
        }
        is_new
    }

    /// One of its prefixes that is this, lies in it or around it.
    pub(crate) fn overlapping(&self, prefix: &IpNet) -> Option<IpNet> {
        self.around(prefix).or_else(|| self.all.range(within(prefix)).next().copied())
    }

    /// Whether an address lies in one of its prefixes.
    pub(crate) fn holds(&self, address: IpAddr) -> bool {
        self.around(&IpNet::from(address)).is_some()
    }

    fn around(&self, prefix: &IpNet) -> Option<IpNet> {
        let lens = self.lens[family(prefix)].iter().take(usize::from(prefix.prefix_len()) + 1);
        let used = lens.enumerate().filter(|(_, count)| **count > 0);
        used.filter_map(|(len, _)| cut(prefix, len as u8)).find(|wider| self.all.contains(wider))
    }
}

impl FromIterator<IpNet> for PrefixSet {
    fn from_iter<I: IntoIterator<Item = IpNet>>(prefixes: I) -> PrefixSet {
        let mut set = PrefixSet::default();
        for prefix in prefixes {
            set.insert(prefix);
        }
        set
    }
}

fn family(prefix: &IpNet) -> usize {
    usize::from(matches!(prefix, IpNet::V6(_)))
}

/// The prefix of that length around `prefix`; `None` if it is longer than addresses are.
pub(crate) fn cut(prefix: &IpNet, len: u8) -> Option<IpNet> {
    Some(IpNet::new(prefix.network(), len).ok()?.trunc())
}

/// The range of prefixes that lie in `prefix`, itself among them. Wider ones that begin at the same address are before.
pub(crate) fn within(prefix: &IpNet) -> std::ops::RangeInclusive<IpNet> {
    let last = match prefix {
        IpNet::V4(net) => IpNet::V4(Ipv4Net::from(net.broadcast())),
        IpNet::V6(net) => IpNet::V6(Ipv6Net::from(net.broadcast())),
    };
    prefix.trunc()..=last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().expect("a prefix")
    }

    #[test]
    fn what_overlaps_is_found_from_both_sides() {
        let set: PrefixSet = ["192.0.2.0/24", "198.51.100.7/32", "2001:db8::/32", "2001:db9::1/128"]
            .map(net)
            .into_iter()
            .collect();
        for inside in ["192.0.2.9/32", "192.0.2.0/24", "2001:db8:1::/48"] {
            assert!(set.overlapping(&net(inside)).is_some(), "{inside}");
        }
        for around in ["192.0.0.0/16", "198.51.100.0/24", "2001:db9::/64", "::/0", "0.0.0.0/0"] {
            assert!(set.overlapping(&net(around)).is_some(), "{around}");
        }
        for beside in ["192.0.3.0/24", "198.51.100.8/32", "2001:db9::2/128", "2001:dba::/32"] {
            assert!(set.overlapping(&net(beside)).is_none(), "{beside}");
        }
        assert!(set.holds([192, 0, 2, 255].into()) && !set.holds([192, 0, 3, 0].into()));
    }

    proptest::proptest! {
        #[test]
        fn it_answers_as_asking_each_would(
            prefixes in proptest::collection::vec((0..8_u32, 24..=32_u8), 0..8), asked in (0..8_u32, 20..=32_u8),
        ) {
            let net = |(low, len): (u32, u8)| {
                IpNet::new(IpAddr::V4((0xC000_0200 + low * 37).into()), len).expect("a length").trunc()
            };
            let asked = net(asked);
            let all: Vec<IpNet> = prefixes.into_iter().map(net).collect();
            let expected = all.iter().any(|other| other.contains(&asked) || asked.contains(other));
            let set: PrefixSet = all.into_iter().collect();
            proptest::prop_assert_eq!(set.overlapping(&asked).is_some(), expected);
        }
    }
}
