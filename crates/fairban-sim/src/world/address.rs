//! Who has which address: homes, offices and hosts in networks as there are, each address given once.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::rng::Rng;

/// Providers of homes and offices, by their first two bytes. Made up; in use by no documentation range, so that
/// prefixes look as they do.
const PROVIDERS: [[u8; 2]; 12] = [
    [81, 2],
    [86, 142],
    [91, 14],
    [92, 77],
    [109, 18],
    [24, 201],
    [67, 15],
    [82, 54],
    [88, 9],
    [212, 24],
    [217, 60],
    [151, 63],
];
/// Hosts for rent, where most single robots live.
const HOSTERS: [[u8; 2]; 8] =
    [[45, 95], [141, 98], [185, 81], [193, 56], [194, 26], [5, 188], [103, 41], [167, 99]];
/// Far-away homes with a robot on them: the rest of the world.
const FAR_AWAY: u8 = 170;

/// Gives out addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses {
    given: BTreeSet<IpAddr>,
}

impl Addresses {
    fn once(&mut self, mut draw: impl FnMut() -> IpAddr) -> IpAddr {
        loop {
            let address = draw();
            if self.given.insert(unit(address)) {
                return address;
            }
        }
    }

    /// Of a home or an office.
    pub(crate) fn home(&mut self, rng: &mut Rng) -> IpAddr {
        self.once(|| {
            let [a, b] = *rng.pick(&PROVIDERS);
            v4(a, b, rng.below(256), rng.whole(1, 254))
        })
    }

    /// The /64 of a home; see [`within`].
    pub(crate) fn home_v6(&mut self, rng: &mut Rng) -> IpAddr {
        self.once(|| {
            let provider = 0x2a02_0810_u128 + rng.below(6) as u128;
            let site = rng.below(1 << 24) as u128;
            Ipv6Addr::from_bits(provider << 96 | site << 72 | 1 << 64).into()
        })
    }

    /// Of a host for rent.
    pub(crate) fn hosted(&mut self, rng: &mut Rng) -> IpAddr {
        self.once(|| {
            let [a, b] = *rng.pick(&HOSTERS);
            v4(a, b, rng.below(256), rng.whole(1, 254))
        })
    }

    /// Of a machine somewhere that does what it is told. One in twenty stands in a provider's network of our users.
    pub(crate) fn bot(&mut self, rng: &mut Rng) -> IpAddr {
        if rng.chance(0.05) {
            return self.home(rng);
        }
        self.once(|| {
            v4(
                rng.whole(usize::from(FAR_AWAY), 223) as u8,
                rng.below(256) as u8,
                rng.below(256),
                rng.whole(1, 254),
            )
        })
    }

    /// The other addresses of somebody's /24.
    pub(crate) fn whole_24(&mut self, rng: &mut Rng) -> Vec<IpAddr> {
        let [a, b] = *rng.pick(&HOSTERS);
        let c = rng.below(256);
        let all = (1..255).map(|d| v4(a, b, c, d));
        all.filter(|address| self.given.insert(*address)).collect()
    }

    /// A network for rent of this length (48, 56, 64).
    pub(crate) fn network_v6(&mut self, rng: &mut Rng) -> Ipv6Addr {
        let network = Ipv6Addr::from_bits(0x2001_0678_u128 << 96 | (rng.below(1 << 16) as u128) << 80);
        self.given.insert(network.into());
        network
    }
}

fn v4(a: u8, b: u8, c: usize, d: usize) -> IpAddr {
    Ipv4Addr::new(a, b, c as u8, d as u8).into()
}

/// The address of a device in the /64 of `place`, an address of IPv4 itself.
pub(crate) fn within(place: IpAddr, interface: u64) -> IpAddr {
    match place {
        IpAddr::V4(_) => place,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64 | u128::from(interface)).into(),
    }
}

/// The source that is judged: an IPv4 address, an IPv6 /64.
pub(crate) fn unit(address: IpAddr) -> IpAddr {
    within(address, 0)
}
