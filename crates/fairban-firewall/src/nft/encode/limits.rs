//! What only the table of limits is made of.

use ipnet::IpNet;

use super::{Base, Element};
use super::{
    Batch, CHAIN_PRE, CREATE, HOOK_PREROUTING, Meta, NEW_CHAIN, NEW_ELEMENT, NEW_SET, NFPROTO_IPV4,
    NFPROTO_IPV6, POLICY_ACCEPT, PROTO_TCP, Rule, SET_INTERVAL, SET_TIMEOUT, TYPE_IPV4, TYPE_IPV6, TYPE_PORT,
    VERDICT_JUMP,
};
use crate::netlink::Writer;

pub(in crate::nft) const DELETE_CHAIN: u16 = 5;
pub(in crate::nft) const NEW_OBJECT: u16 = 18;
pub(in crate::nft) const GET_OBJECT: u16 = 19;
pub(in crate::nft) const DELETE_OBJECT: u16 = 20;

const OBJECT_COUNTER: u32 = 1;
const SET_DYNAMIC: u32 = 0x20;
const VERDICT_ACCEPT: u32 = 1;
const VERDICT_GOTO: u32 = -4_i32 as u32;

/// After connection tracking, before addresses and ports are translated: ports are those that the client sees.
const PRIORITY_MANGLE: u32 = -150_i32 as u32;

/// A set that packets fill: of addresses (IPv6: of /64s).
#[derive(Clone, Copy, Debug)]
pub(in crate::nft) struct Filled<'a> {
    pub(in crate::nft) name: &'a str,
    pub(in crate::nft) is_v6: bool,
    /// Most elements; who comes when it is full is not in it.
    pub(in crate::nft) size: u32,
    /// Elements go after so long without a packet that renews them; `None` where the kernel takes them out itself.
    pub(in crate::nft) timeout_ms: Option<u64>,
}

/// What a packet's source is put into a set with.
#[derive(Clone, Copy, Debug)]
pub(in crate::nft) enum Meter {
    /// The rule goes on if more connections than this are open.
    Open(u32),
    /// The rule goes on if new ones come faster.
    Rate { count: u32, seconds: u32, burst: u32 },
    /// How often.
    Count,
    /// That it is there.
    Presence,
}

impl Batch {
    /// The chain that packets come to first.
    pub(in crate::nft) fn limits_chain(&mut self) {
        self.message(NEW_CHAIN, CREATE, |writer| {
            writer.text(3, CHAIN_PRE);
            writer.nested(4, |writer| {
                writer.be_u32(1, HOOK_PREROUTING);
                writer.be_u32(2, PRIORITY_MANGLE);
            });
            writer.be_u32(5, POLICY_ACCEPT);
            writer.text(7, "filter");
        });
    }

    pub(in crate::nft) fn named_chain(&mut self, name: &str) {
        self.message(NEW_CHAIN, CREATE, |writer| writer.text(3, name));
    }

    pub(in crate::nft) fn delete_chain(&mut self, name: &str) {
        self.message(DELETE_CHAIN, 0, |writer| writer.text(3, name));
    }

    /// A counter with a name, unless it is there: it goes on counting when rules are written anew.
    pub(in crate::nft) fn counter(&mut self, name: &str) {
        self.message(NEW_OBJECT, CREATE, |writer| {
            writer.text(2, name);
            writer.be_u32(3, OBJECT_COUNTER);
            writer.nested(4, |_| {});
        });
    }

    pub(in crate::nft) fn delete_counter(&mut self, name: &str) {
        self.message(DELETE_OBJECT, 0, |writer| {
            writer.text(2, name);
            writer.be_u32(3, OBJECT_COUNTER);
        });
    }

    /// The set of a family's exempt prefixes.
    pub(in crate::nft) fn exempt_set(&mut self, name: &str, is_v6: bool, id: u32) {
        let (key_type, key_len) = if is_v6 { (TYPE_IPV6, 16) } else { (TYPE_IPV4, 4) };
        self.any_set(name, SET_INTERVAL, key_type, key_len, id);
    }

    /// A set of ports, with these in it and no others.
    pub(in crate::nft) fn port_set(&mut self, name: &str, ports: &[u16], id: u32) {
        self.any_set(name, 0, TYPE_PORT, 2, id);
        self.flush(name);
        self.message(NEW_ELEMENT, CREATE, |writer| {
            writer.text(2, name);
            writer.nested(3, |writer| {
                for port in ports {
                    writer.nested(super::A_LIST_ELEMENT, |writer| {
                        writer.nested(1, |writer| writer.attribute(super::A_VALUE, &port.to_be_bytes()));
                    });
                }
            });
        });
    }

    pub(in crate::nft) fn filled_set(&mut self, set: Filled<'_>, id: u32) {
        let (key_type, key_len) = if set.is_v6 { (TYPE_IPV6, 16) } else { (TYPE_IPV4, 4) };
        let timeout = if set.timeout_ms.is_some() { SET_TIMEOUT } else { 0 };
        self.message(NEW_SET, CREATE, |writer| {
            writer.text(2, set.name);
            writer.be_u32(3, SET_DYNAMIC | timeout);
            writer.be_u32(4, key_type);
            writer.be_u32(5, key_len);
            writer.nested(9, |writer| writer.be_u32(1, set.size));
            writer.be_u32(10, id);
            if let Some(timeout_ms) = set.timeout_ms {
                writer.attribute(11, &timeout_ms.to_be_bytes());
            }
        });
    }

    /// Who is exempt goes on.
    pub(in crate::nft) fn exempt_rule(&mut self, set: &str, is_v6: bool) {
        self.rule(CHAIN_PRE, |rule| {
            rule.source(is_v6, false);
            rule.lookup(set);
            rule.verdict(VERDICT_ACCEPT, None);
        });
    }

    /// The first packet of a connection to a group's ports goes to the group's chain.
    pub(in crate::nft) fn group_rule(&mut self, ports: &str, chain: &str) {
        self.rule(CHAIN_PRE, |rule| {
            rule.meta_is(Meta::Protocol, PROTO_TCP);
            rule.load(Base::Transport, 2, 2);
            rule.lookup(ports);
            rule.is_first_packet();
            rule.verdict(VERDICT_JUMP, Some(chain));
        });
    }

    /// Who is held off already goes to `then`.
    pub(in crate::nft) fn held_rule(&mut self, chain: &str, set: &str, is_v6: bool, then: &str) {
        self.rule(chain, |rule| {
            rule.source(is_v6, true);
            rule.lookup(set);
            rule.verdict(VERDICT_GOTO, Some(then));
        });
    }

    /// Puts the source into a set; who is over goes to `then`, if there is one.
    pub(in crate::nft) fn meter_rule(
        &mut self,
        chain: &str,
        set: &str,
        is_v6: bool,
        meter: Meter,
        then: Option<&str>,
    ) {
        self.rule(chain, |rule| {
            if matches!(meter, Meter::Open(_)) {
                rule.is_new();
            }
            rule.source(is_v6, true);
            rule.meter(set, meter);
            if let Some(then) = then {
                rule.verdict(VERDICT_GOTO, Some(then));
            }
        });
    }

    pub(in crate::nft) fn counter_rule(&mut self, chain: &str, counter: &str) {
        self.rule(chain, |rule| {
            rule.expression("objref", |writer| {
                writer.be_u32(1, OBJECT_COUNTER);
                writer.text(2, counter);
            });
        });
    }

    /// Refuses: the client is told at once.
    pub(in crate::nft) fn reject_rule(&mut self, chain: &str) {
        const TCP_RESET: u32 = 1;
        self.rule(chain, |rule| {
            // Resets are for TCP, and the kernel asks that the rule says so.
            rule.meta_is(Meta::Protocol, PROTO_TCP);
            rule.expression("reject", |writer| writer.be_u32(1, TCP_RESET));
        });
    }
}

impl Rule<'_> {
    /// Loads the source's address; of IPv6 only the /64, where it is to be counted.
    fn source(&mut self, is_v6: bool, is_cut: bool) {
        let (protocol, offset, len) = if is_v6 { (NFPROTO_IPV6, 8, 16) } else { (NFPROTO_IPV4, 12, 4) };
        self.meta_is(Meta::Family, protocol);
        self.load(Base::Network, offset, len);
        if is_v6 && is_cut {
            self.mask(&[[0xff; 8], [0; 8]].concat());
        }
    }

    /// Neither a later packet of a connection that tracking lost, nor an answer.
    fn is_first_packet(&mut self) {
        const FLAGS_AT: u32 = 13;
        const FIN_SYN_RST_ACK: u8 = 0x17;
        const SYN: u8 = 0x02;
        self.load(Base::Transport, FLAGS_AT, 1);
        self.mask(&[FIN_SYN_RST_ACK]);
        self.compare(0, &[SYN]);
    }

    fn is_new(&mut self) {
        const STATE: u32 = 0;
        const NEW: u32 = 8;
        const NOT_EQUAL: u32 = 1;
        self.expression("ct", |writer| {
            writer.be_u32(2, STATE);
            writer.be_u32(1, Self::REGISTER);
        });
        self.mask(&NEW.to_ne_bytes());
        self.compare(NOT_EQUAL, &[0; 4]);
    }

    fn compare(&mut self, operator: u32, value: &[u8]) {
        self.expression("cmp", |writer| {
            writer.be_u32(1, Self::REGISTER);
            writer.be_u32(2, operator);
            writer.nested(3, |writer| writer.attribute(super::A_VALUE, value));
        });
    }

    fn meter(&mut self, set: &str, meter: Meter) {
        const ADD: u32 = 0;
        const UPDATE: u32 = 1;
        const OVER: u32 = 1;
        self.expression("dynset", |writer| {
            writer.text(1, set);
            writer.be_u32(3, if matches!(meter, Meter::Open(_)) { ADD } else { UPDATE });
            writer.be_u32(4, Self::REGISTER);
            let mut with = |name: &str, data: &dyn Fn(&mut Writer)| {
                writer.nested(7, |writer| {
                    writer.text(1, name);
                    writer.nested(2, data);
                });
            };
            match meter {
                Meter::Open(most) => with("connlimit", &|writer| {
                    writer.be_u32(1, most);
                    writer.be_u32(2, OVER);
                }),
                Meter::Rate { count, seconds, burst } => with("limit", &|writer| {
                    writer.attribute(1, &u64::from(count).to_be_bytes());
                    writer.attribute(2, &u64::from(seconds).to_be_bytes());
                    writer.be_u32(3, burst);
                    writer.be_u32(4, 0);
                    writer.be_u32(5, OVER);
                }),
                Meter::Count => with("counter", &|_| {}),
                Meter::Presence => {}
            }
        });
    }
}

/// Prefixes as the segments of an interval set: sorted, those that touch made one.
pub(in crate::nft) fn merged(prefixes: impl Iterator<Item = IpNet>) -> Vec<(IpNet, IpNet)> {
    let mut all: Vec<IpNet> = prefixes.collect();
    all.sort_unstable_by_key(|prefix| (prefix.network(), prefix.prefix_len()));
    let mut merged: Vec<(IpNet, IpNet)> = Vec::new();
    for prefix in all {
        match merged.last_mut() {
            // Wider ones come first, so what overlaps lies within.
            Some((_, last)) if last.broadcast() >= prefix.broadcast() && is_same_family(last, &prefix) => {}
            Some((_, last)) if is_next(last, &prefix) => *last = prefix,
            _ => merged.push((prefix, prefix)),
        }
    }
    merged
}

fn is_same_family(one: &IpNet, other: &IpNet) -> bool {
    matches!(one, IpNet::V4(_)) == matches!(other, IpNet::V4(_))
}

fn is_next(last: &IpNet, prefix: &IpNet) -> bool {
    match (last, prefix) {
        (IpNet::V4(last), IpNet::V4(prefix)) => {
            u32::from(last.broadcast()).checked_add(1) == Some(u32::from(prefix.network()))
        }
        (IpNet::V6(last), IpNet::V6(prefix)) => {
            u128::from(last.broadcast()).checked_add(1) == Some(u128::from(prefix.network()))
        }
        _ => false,
    }
}

/// The elements of one family's interval set.
pub(in crate::nft) fn segment_elements(merged: &[(IpNet, IpNet)], is_v6: bool) -> Vec<Element> {
    let of_family = merged.iter().filter(|(first, _)| matches!(first, IpNet::V6(_)) == is_v6);
    let elements = |(first, last): &(IpNet, IpNet)| {
        let start = Element { key: first.network(), timeout_ms: None, is_end: false };
        // The last of all addresses has none after it, and needs no end.
        let end = match last {
            IpNet::V4(net) => {
                u32::from(net.broadcast()).checked_add(1).map(|next| std::net::Ipv4Addr::from(next).into())
            }
            IpNet::V6(net) => {
                u128::from(net.broadcast()).checked_add(1).map(|next| std::net::Ipv6Addr::from(next).into())
            }
        };
        let end = end.map(|key| Element { key, timeout_ms: None, is_end: true });
        std::iter::once(start).chain(end)
    };
    of_family.flat_map(elements).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().expect("a prefix")
    }

    #[test]
    fn segments_neither_overlap_nor_touch() {
        let all = [
            "10.0.0.7/32",
            "10.0.1.0/24",
            "10.0.0.0/24",
            "255.255.255.255/32",
            "2001:db8::/64",
            "192.0.2.1/32",
        ];
        let merged = merged(all.into_iter().map(net));
        let v4 = segment_elements(&merged, false);
        let shown: Vec<String> = v4
            .iter()
            .map(|element| format!("{}{}", if element.is_end { "-" } else { "+" }, element.key))
            .collect();
        assert_eq!(shown, ["+10.0.0.0", "-10.0.2.0", "+192.0.2.1", "-192.0.2.2", "+255.255.255.255"]);
        assert_eq!(segment_elements(&merged, true).len(), 2);
    }
}
