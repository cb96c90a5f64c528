//! This host's own addresses and gateways, followed over rtnetlink.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;

use crate::netlink::{DUMP, REQUEST, Socket, Writer, attributes, messages, read_u16};

const NEW_ADDRESS: u16 = 20;
const DELETE_ADDRESS: u16 = 21;
const GET_ADDRESS: u16 = 22;
const NEW_ROUTE: u16 = 24;
const DELETE_ROUTE: u16 = 25;
const GET_ROUTE: u16 = 26;

/// Events of addresses and routes, IPv4 and IPv6, as bits.
const GROUPS: u32 = 0x10 | 0x40 | 0x100 | 0x400;

/// Lengths of what comes before the attributes.
const ADDRESS_HEAD_LEN: usize = 8;
const ROUTE_HEAD_LEN: usize = 12;
const NEXT_HOP_HEAD_LEN: usize = 8;

/// Most addresses that are protected so: a router with more gateways names them in the file.
const ADDRESSES_MAX: usize = 10_000;

/// Follows them.
#[derive(Debug)]
pub(super) struct Own {
    events: Socket,
    /// For questions: answers must not mix with events.
    questions: Socket,
    pub(super) addresses: BTreeSet<IpAddr>,
}

impl Own {
    pub(super) fn open() -> io::Result<Own> {
        // Listening begins before the first look, so that nothing falls between.
        let events = Socket::open(None, GROUPS)?;
        let mut own = Own { events, questions: Socket::open(None, 0)?, addresses: BTreeSet::new() };
        own.look()?;
        Ok(own)
    }

    /// Takes in what happened. Returns whether to [`look`](Self::look), which costs as much as there are routes.
    pub(super) fn hear(&mut self) -> io::Result<bool> {
        let mut is_changed = false;
        loop {
            match self.events.receive() {
                Ok(None) => return Ok(is_changed),
                Ok(Some(datagram)) => {
                    for message in messages(datagram) {
                        is_changed |= match message.kind {
                            NEW_ADDRESS | DELETE_ADDRESS => true,
                            NEW_ROUTE => {
                                gateways(message.body).any(|gateway| !self.addresses.contains(&gateway))
                            }
                            DELETE_ROUTE => {
                                gateways(message.body).any(|gateway| self.addresses.contains(&gateway))
                            }
                            _ => false,
                        };
                    }
                }
                Err(error) if error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()) => is_changed = true,
                Err(error) => return Err(error),
            }
        }
    }

    /// Asks for all.
    pub(super) fn look(&mut self) -> io::Result<()> {
        let mut found = BTreeSet::new();
        self.questions.ask(&question(GET_ADDRESS, ADDRESS_HEAD_LEN), |message| {
            found.extend(addresses(message.body));
        })?;
        self.questions.ask(&question(GET_ROUTE, ROUTE_HEAD_LEN), |message| {
            if found.len() < ADDRESSES_MAX {
                found.extend(gateways(message.body));
            }
        })?;
        self.addresses = found;
        Ok(())
    }
}

impl AsFd for Own {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }
}

fn question(kind: u16, head_len: usize) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.message(kind, REQUEST | DUMP, 1, |writer| writer.put(&vec![0; head_len]));
    writer.bytes
}

/// An interface's own address, and the other end's where there is one.
fn addresses(body: &[u8]) -> impl Iterator<Item = IpAddr> {
    const ADDRESS: u16 = 1;
    const LOCAL: u16 = 2;
    let ours = attributes(body.get(ADDRESS_HEAD_LEN..).unwrap_or_default());
    ours.filter(|(kind, _)| [ADDRESS, LOCAL].contains(kind)).filter_map(|(_, value)| address(value))
}

/// A route's gateways.
fn gateways(body: &[u8]) -> impl Iterator<Item = IpAddr> {
    const MULTIPATH: u16 = 9;
    let body = body.get(ROUTE_HEAD_LEN..).unwrap_or_default();
    let several = attributes(body).filter(|(kind, _)| *kind == MULTIPATH);
    gateway(body).chain(several.flat_map(|(_, hops)| next_hops(hops).flat_map(gateway)))
}

fn gateway(bytes: &[u8]) -> impl Iterator<Item = IpAddr> {
    const GATEWAY: u16 = 5;
    const VIA: u16 = 18;
    attributes(bytes).filter_map(|(kind, value)| match kind {
        GATEWAY => address(value),
        // The family comes first.
        VIA => address(value.get(2..)?),
        _ => None,
    })
}

/// The attributes of each hop of a route with several.
fn next_hops(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let len = usize::from(read_u16(bytes, 0)?);
        let hop = bytes.get(NEXT_HOP_HEAD_LEN..len)?;
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(hop)
    })
}

fn address(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?).into()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateways_are_found_in_all_their_forms() {
        let mut writer = Writer { bytes: vec![0; ROUTE_HEAD_LEN] };
        writer.attribute(1, &[10, 0, 0, 0]);
        writer.attribute(5, &[192, 0, 2, 1]);
        let mut hops = Writer::default();
        for last in [2, 3] {
            hops.put(&16_u16.to_ne_bytes());
            hops.put(&[0; 6]);
            hops.attribute(5, &[192, 0, 2, last]);
        }
        writer.attribute(9, &hops.bytes);
        let via = [&[10, 0][..], &[0xfe, 0x80], &[0; 13], &[9]].concat();
        writer.attribute(18, &via);
        let expected: [IpAddr; 4] =
            ["192.0.2.1", "fe80::9", "192.0.2.2", "192.0.2.3"].map(|text| text.parse().unwrap());
        assert_eq!(gateways(&writer.bytes).collect::<Vec<IpAddr>>(), expected);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_too_odd(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = gateways(&bytes).count() + addresses(&bytes).count();
            let _ = next_hops(&bytes).count();
        }
    }
}
