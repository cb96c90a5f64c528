//! What we tell nftables, as bytes: a transaction and the messages in it.

pub(super) mod limits;

use super::{Element, Group, SetId, key_bytes};
use crate::netlink::{ACK, APPEND, CREATE, DUMP, REQUEST, Writer};

/// The subsystem, as the upper byte of a message's kind.
pub(super) const NFTABLES: u16 = 0x0a00;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const FAMILY_INET: u8 = 1;

pub(super) const NEW_TABLE: u16 = 0;
pub(super) const GET_TABLE: u16 = 1;
pub(super) const DELETE_TABLE: u16 = 2;
pub(super) const NEW_CHAIN: u16 = 3;
pub(super) const GET_CHAIN: u16 = 4;
pub(super) const NEW_RULE: u16 = 6;
pub(super) const GET_RULE: u16 = 7;
pub(super) const DELETE_RULE: u16 = 8;
pub(super) const NEW_SET: u16 = 9;
pub(super) const GET_SET: u16 = 10;
pub(super) const DELETE_SET: u16 = 11;
pub(super) const NEW_ELEMENT: u16 = 12;
pub(super) const GET_ELEMENT: u16 = 13;
pub(super) const DELETE_ELEMENT: u16 = 14;
pub(super) const NEW_GENERATION: u16 = 15;
pub(super) const DESTROY_ELEMENT: u16 = 30;

/// Attributes of nearly everything: the table's name, and next to it the thing's.
pub(super) const A_TABLE: u16 = 1;
pub(super) const A_LIST_ELEMENT: u16 = 1;
const A_VALUE: u16 = 1;

/// Elements in one message: an IPv6 one takes 40 bytes, and all must fit into the 65,535 of an attribute.
const ELEMENTS_A_MESSAGE: usize = 1_000;

/// Elements in one transaction.
pub(super) const ELEMENTS_A_BATCH: usize = 5_000;

const SET_INTERVAL: u32 = 4;
const SET_TIMEOUT: u32 = 0x10;

/// nft's own names for types, which only its listing reads.
const TYPE_IPV4: u32 = 7;
const TYPE_IPV6: u32 = 8;
const TYPE_PORT: u32 = 13;

const VERDICT_DROP: u32 = 0;
const VERDICT_JUMP: u32 = -3_i32 as u32;

const HOOK_PREROUTING: u32 = 0;
const PRIORITY_RAW: u32 = -300_i32 as u32;
const POLICY_ACCEPT: u32 = 1;

const NFPROTO_IPV4: u8 = 2;
const NFPROTO_IPV6: u8 = 10;
const PROTO_TCP: u8 = 6;

/// Name of the chain that packets come to first.
pub(super) const CHAIN_PRE: &str = "pre";

/// A request outside a transaction; `names` are the table and what in it.
pub(super) fn query(kind: u16, is_dump: bool, seq: u32, body: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::default();
    let flags = REQUEST | if is_dump { DUMP } else { ACK };
    writer.message(NFTABLES | kind, flags, seq, |writer| {
        writer.put(&[FAMILY_INET, 0, 0, 0]);
        body(writer);
    });
    writer.bytes
}

/// A transaction in the making. Numbers of messages count up from the first.
#[derive(Debug)]
pub(super) struct Batch {
    writer: Writer,
    table: &'static str,
    pub(super) first_seq: u32,
    seq: u32,
    last_start: usize,
}

impl Batch {
    pub(super) fn begin(first_seq: u32, table: &'static str) -> Batch {
        let mut batch = Batch { writer: Writer::default(), table, first_seq, seq: first_seq, last_start: 0 };
        batch.edge(BATCH_BEGIN);
        batch
    }

    /// The bytes, and the number of the last message, which alone is acknowledged.
    pub(super) fn finish(mut self) -> (Vec<u8>, u32) {
        let last_seq = self.seq - 1;
        let flags = self.last_start + 6;
        // A batch without a message between its ends has nothing to acknowledge.
        if self.last_start > 0 {
            let with_ack = u16::from_ne_bytes([self.writer.bytes[flags], self.writer.bytes[flags + 1]]) | ACK;
            self.writer.bytes[flags..flags + 2].copy_from_slice(&with_ack.to_ne_bytes());
        }
        self.edge(BATCH_END);
        (self.writer.bytes, last_seq)
    }

    fn edge(&mut self, kind: u16) {
        let seq = self.seq;
        self.seq += 1;
        // Family 0, and the subsystem in network order.
        self.writer.message(kind, REQUEST, seq, |writer| writer.put(&[0, 0, 0, 10]));
    }

    fn message(&mut self, kind: u16, flags: u16, body: impl FnOnce(&mut Writer)) {
        self.last_start = self.writer.bytes.len();
        let (seq, table) = (self.seq, self.table);
        self.seq += 1;
        self.writer.message(NFTABLES | kind, REQUEST | flags, seq, |writer| {
            writer.put(&[FAMILY_INET, 0, 0, 0]);
            writer.text(A_TABLE, table);
            body(writer);
        });
    }

    /// The table, unless it is there.
    pub(super) fn table(&mut self, flags: u32) {
        self.message(NEW_TABLE, CREATE, |writer| writer.be_u32(2, flags));
    }

    /// Takes the table away with all that is in it.
    pub(super) fn delete_table(&mut self) {
        self.message(DELETE_TABLE, 0, |_| {});
    }

    /// One of our sets of sources.
    pub(super) fn set(&mut self, set: SetId, id: u32) {
        let key_type = if set.is_v6 { TYPE_IPV6 } else { TYPE_IPV4 };
        let flags = SET_TIMEOUT | if set.len.is_none() { SET_INTERVAL } else { 0 };
        self.any_set(&set.name(), flags, key_type, u32::from(set.key_len()), id);
    }

    /// A set that lives within one transaction or a few, to try what the kernel can do.
    pub(super) fn probe_set(&mut self, name: &str) {
        self.any_set(name, SET_TIMEOUT, TYPE_IPV4, 4, u32::MAX);
    }

    /// The set of a group's ports, which carries the group's name.
    pub(super) fn ports(&mut self, group: Group, ports: &[u16], id: u32) {
        self.any_set(group.name(), 0, TYPE_PORT, 2, id);
        self.message(NEW_ELEMENT, CREATE, |writer| {
            writer.text(2, group.name());
            writer.nested(3, |writer| {
                for port in ports {
                    writer.nested(A_LIST_ELEMENT, |writer| {
                        writer.nested(1, |writer| writer.attribute(A_VALUE, &port.to_be_bytes()));
                    });
                }
            });
        });
    }

    fn any_set(&mut self, name: &str, flags: u32, key_type: u32, key_len: u32, id: u32) {
        self.message(NEW_SET, CREATE, |writer| {
            writer.text(2, name);
            writer.be_u32(3, flags);
            writer.be_u32(4, key_type);
            writer.be_u32(5, key_len);
            writer.be_u32(10, id);
        });
    }

    pub(super) fn delete_set(&mut self, name: &str) {
        self.message(DELETE_SET, 0, |writer| writer.text(2, name));
    }

    /// The chain that packets come to.
    pub(super) fn base_chain(&mut self) {
        self.message(NEW_CHAIN, CREATE, |writer| {
            writer.text(3, CHAIN_PRE);
            writer.nested(4, |writer| {
                writer.be_u32(1, HOOK_PREROUTING);
                writer.be_u32(2, PRIORITY_RAW);
            });
            writer.be_u32(5, POLICY_ACCEPT);
            writer.text(7, "filter");
        });
    }

    /// The chain of a group of ports.
    pub(super) fn chain(&mut self, group: Group) {
        self.message(NEW_CHAIN, CREATE, |writer| writer.text(3, group.name()));
    }

    /// Takes all rules out of a chain.
    pub(super) fn flush_chain(&mut self, chain: &str) {
        self.message(DELETE_RULE, 0, |writer| writer.text(2, chain));
    }

    /// Drops what comes from a source in `set`.
    pub(super) fn lookup_rule(&mut self, chain: &str, set: SetId) {
        self.rule(chain, |rule| {
            let (protocol, offset) = if set.is_v6 { (NFPROTO_IPV6, 8) } else { (NFPROTO_IPV4, 12) };
            rule.meta_is(Meta::Family, protocol);
            rule.load(Base::Network, offset, u32::from(set.key_len()));
            if let Some(mask) = set.mask() {
                rule.mask(&mask);
            }
            rule.lookup(&set.name());
            rule.count();
            rule.verdict(VERDICT_DROP, None);
        });
    }

    /// Sends what comes to a group's ports to the group's chain.
    pub(super) fn ports_rule(&mut self, group: Group) {
        self.rule(CHAIN_PRE, |rule| {
            rule.meta_is(Meta::Protocol, PROTO_TCP);
            rule.load(Base::Transport, 2, 2);
            rule.lookup(group.name());
            rule.verdict(VERDICT_JUMP, Some(group.name()));
        });
    }

    fn rule(&mut self, chain: &str, write: impl FnOnce(&mut Rule<'_>)) {
        self.message(NEW_RULE, CREATE | APPEND, |writer| {
            writer.text(2, chain);
            writer.nested(4, |writer| write(&mut Rule(writer)));
        });
    }

    /// Puts elements into a set; those that are there stay as they are, but for the time on kernels that renew it.
    pub(super) fn add<'a>(&mut self, set: &str, elements: impl IntoIterator<Item = &'a Element>) {
        self.elements(NEW_ELEMENT, CREATE, set, elements, true);
    }

    /// Takes elements out of a set, in which they must be.
    pub(super) fn delete<'a>(&mut self, set: &str, elements: impl IntoIterator<Item = &'a Element>) {
        self.elements(DELETE_ELEMENT, 0, set, elements, false);
    }

    /// Takes elements out of a set, if they are in it. Linux 6.3 and later.
    pub(super) fn destroy<'a>(&mut self, set: &str, elements: impl IntoIterator<Item = &'a Element>) {
        self.elements(DESTROY_ELEMENT, 0, set, elements, false);
    }

    /// Takes all elements out of a set.
    pub(super) fn flush(&mut self, set: &str) {
        self.message(DELETE_ELEMENT, 0, |writer| writer.text(2, set));
    }

    fn elements<'a>(
        &mut self,
        kind: u16,
        flags: u16,
        set: &str,
        elements: impl IntoIterator<Item = &'a Element>,
        with_timeout: bool,
    ) {
        let mut elements = elements.into_iter().peekable();
        while elements.peek().is_some() {
            self.message(kind, flags, |writer| {
                writer.text(2, set);
                writer.nested(3, |writer| {
                    for element in elements.by_ref().take(ELEMENTS_A_MESSAGE) {
                        write_element(writer, element, with_timeout);
                    }
                });
            });
        }
    }
}

pub(super) fn write_element(writer: &mut Writer, element: &Element, with_timeout: bool) {
    const IS_INTERVAL_END: u32 = 1;
    writer.nested(A_LIST_ELEMENT, |writer| {
        writer.nested(1, |writer| writer.attribute(A_VALUE, &key_bytes(&element.key)));
        if element.is_end {
            writer.be_u32(3, IS_INTERVAL_END);
        } else if let (true, Some(timeout_ms)) = (with_timeout, element.timeout_ms) {
            writer.attribute(4, &timeout_ms.to_be_bytes());
        }
    });
}

/// What a rule may ask of a packet beside its bytes.
enum Meta {
    /// IPv4 or IPv6.
    Family = 15,
    /// What is above it.
    Protocol = 16,
}

/// Where bytes of a packet are counted from.
enum Base {
    Network = 1,
    Transport = 2,
}

/// Expressions of one rule. All go through the first register.
struct Rule<'a>(&'a mut Writer);

impl Rule<'_> {
    const REGISTER: u32 = 1;

    fn expression(&mut self, name: &str, data: impl FnOnce(&mut Writer)) {
        self.0.nested(A_LIST_ELEMENT, |writer| {
            writer.text(1, name);
            writer.nested(2, data);
        });
    }

    fn meta_is(&mut self, meta: Meta, value: u8) {
        const EQUAL: u32 = 0;
        self.expression("meta", |writer| {
            writer.be_u32(2, meta as u32);
            writer.be_u32(1, Self::REGISTER);
        });
        self.expression("cmp", |writer| {
            writer.be_u32(1, Self::REGISTER);
            writer.be_u32(2, EQUAL);
            writer.nested(3, |writer| writer.attribute(A_VALUE, &[value]));
        });
    }

    fn load(&mut self, base: Base, offset: u32, len: u32) {
        self.expression("payload", |writer| {
            writer.be_u32(1, Self::REGISTER);
            writer.be_u32(2, base as u32);
            writer.be_u32(3, offset);
            writer.be_u32(4, len);
        });
    }

    fn mask(&mut self, mask: &[u8]) {
        self.expression("bitwise", |writer| {
            writer.be_u32(1, Self::REGISTER);
            writer.be_u32(2, Self::REGISTER);
            writer.be_u32(3, mask.len() as u32);
            writer.nested(4, |writer| writer.attribute(A_VALUE, mask));
            writer.nested(5, |writer| writer.attribute(A_VALUE, &vec![0; mask.len()]));
        });
    }

    fn lookup(&mut self, set: &str) {
        self.expression("lookup", |writer| {
            writer.text(1, set);
            writer.be_u32(2, Self::REGISTER);
        });
    }

    fn count(&mut self) {
        self.expression("counter", |_| {});
    }

    fn verdict(&mut self, code: u32, chain: Option<&str>) {
        const VERDICT_REGISTER: u32 = 0;
        self.expression("immediate", |writer| {
            writer.be_u32(1, VERDICT_REGISTER);
            writer.nested(2, |writer| {
                writer.nested(2, |writer| {
                    writer.be_u32(1, code);
                    if let Some(chain) = chain {
                        writer.text(2, chain);
                    }
                });
            });
        });
    }
}
