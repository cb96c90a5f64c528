//! Rents addresses beside a victim's and accuses itself there, so that the whole neighbourhood is banned, and he with it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fairban_core::time::Span;

use super::guesser::{Guesser, Names, Pace, Pool, collected_list};
use super::scan::EXISTS;
use crate::cast::Stage;

/// Addresses in the victim's /24, or /64s of other customers in his /48.
const ADDRESSES: u8 = 40;
const GAP: Span = Span::secs(20);
const MOST: u64 = 600;

pub(crate) fn cast(stage: &mut Stage<'_>) {
    for (address, _) in stage.world.framed.clone() {
        let neighbours = (1..=ADDRESSES).map(|number| beside(address, number)).collect();
        let list = collected_list(stage.world, &mut stage.rng, 400, EXISTS);
        let (pool, protocol) = (Pool::Turns(neighbours, 1), stage.protocol());
        let guesser = Guesser::new(Names::new(list), Pace::Even(GAP), pool, protocol, stage.world);
        let start = stage.war().plus(Span::hours(2));
        stage.add(start, Guesser { most: MOST, ..guesser });
    }
}

fn beside(address: IpAddr, number: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            Ipv4Addr::new(a, b, c, d.wrapping_add(number)).into()
        }
        // Another /56 of the same /48.
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() ^ u128::from(number) << 72 | 1).into(),
    }
}
