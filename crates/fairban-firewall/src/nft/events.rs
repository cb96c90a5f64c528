//! What others do to our table, as the kernel tells everybody who listens.
//!
//! A transaction is told as one event a thing changed, and then as a new generation with the process that made it.
//! Events carry the socket that caused them, so ours are left out. Elements that expire cause none.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;
use rustix::net::netlink;

use super::encode::{A_TABLE, DELETE_ELEMENT, DELETE_RULE, NEW_ELEMENT, NEW_GENERATION, NEW_RULE, NFTABLES};
use super::table::read_elements;
use super::wire::SOCKET_BYTES;
use super::{LIMITS_TABLE, SetId, TABLE};
use crate::netlink::{Message, Socket, attribute, be_u32, messages, text};

/// The group of nftables' events, as a bit.
const GROUP: u32 = 1 << 6;

const FAMILY_INET: u8 = 1;

/// Elements that one transaction may touch before we look at everything instead.
const ELEMENTS_MAX: usize = 1_000;

/// What is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// These elements of hash sets, at most a thousand.
    Elements(Vec<(SetId, IpAddr)>),
    /// Rules.
    Rules,
    /// More, or we cannot tell.
    Everything,
}

impl Damage {
    pub(crate) fn and(self, other: Damage) -> Damage {
        match (self, other) {
            (Damage::Elements(mut before), Damage::Elements(after))
                if before.len() + after.len() <= ELEMENTS_MAX =>
            {
                before.extend(after);
                Damage::Elements(before)
            }
            // Rules alone are not enough when elements changed as well.
            (Damage::Rules, Damage::Rules) => Damage::Rules,
            _ => Damage::Everything,
        }
    }
}

/// A transaction of somebody else that touched a table of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Foreign {
    /// What it broke in the table of bans.
    pub(crate) damage: Option<Damage>,
    /// It touched the table of limits.
    pub(crate) is_limits: bool,
    /// Who did it: process and the name of its program, which it chooses itself.
    pub(crate) by: Option<(u32, Vec<u8>)>,
}

/// Listens.
#[derive(Debug)]
pub(crate) struct Events {
    socket: Socket,
    reader: Reader,
}

impl Events {
    /// Starts to listen; `own_ports` are the sockets whose doings are ours.
    pub(crate) fn open(own_ports: [u32; 2]) -> io::Result<Events> {
        let socket = Socket::open(Some(netlink::NETFILTER), GROUP)?;
        socket.enlarge(SOCKET_BYTES)?;
        Ok(Events { socket, reader: Reader { own_ports, damage: None, is_limits: false } })
    }

    /// What others did since the last call. Lost events are damage of unknown size by nobody known.
    pub(crate) fn read(&mut self) -> io::Result<Vec<Foreign>> {
        let mut done = Vec::new();
        loop {
            match self.socket.receive() {
                Ok(None) => return Ok(done),
                Ok(Some(datagram)) => {
                    done.extend(messages(datagram).filter_map(|message| self.reader.take(&message)));
                }
                Err(error) if error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()) => {
                    done.push(Foreign { damage: Some(Damage::Everything), is_limits: true, by: None });
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[derive(Debug)]
struct Reader {
    own_ports: [u32; 2],
    /// Of the transaction whose end was not yet told.
    damage: Option<Damage>,
    is_limits: bool,
}

impl Reader {
    fn take(&mut self, message: &Message<'_>) -> Option<Foreign> {
        if self.own_ports.contains(&message.port) || message.kind & 0xff00 != NFTABLES {
            return None;
        }
        let body = message.body.get(4..)?;
        if message.kind & 0xff == NEW_GENERATION {
            let by = attribute(body, 2).and_then(be_u32);
            let by = by.map(|pid| (pid, attribute(body, 3).map(text).unwrap_or_default().to_vec()));
            let (damage, is_limits) = (self.damage.take(), std::mem::take(&mut self.is_limits));
            return (damage.is_some() || is_limits).then_some(Foreign { damage, is_limits, by });
        }
        let table = attribute(body, A_TABLE).map(text).filter(|_| message.body.first() == Some(&FAMILY_INET));
        if table != Some(TABLE.as_bytes()) {
            self.is_limits |= table == Some(LIMITS_TABLE.as_bytes());
            return None;
        }
        let damage = match message.kind & 0xff {
            NEW_RULE | DELETE_RULE => Damage::Rules,
            NEW_ELEMENT | DELETE_ELEMENT => elements(message.body, body),
            _ => Damage::Everything,
        };
        self.damage = Some(match self.damage.take() {
            None => damage,
            Some(before) => before.and(damage),
        });
        None
    }
}

fn elements(message: &[u8], body: &[u8]) -> Damage {
    let set = attribute(body, 2).map(text).and_then(SetId::from_name).filter(|set| set.len.is_some());
    match set {
        Some(set) => Damage::Elements(read_elements(message).map(|element| (set, element.key)).collect()),
        None => Damage::Everything,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::Writer;

    const OWN: u32 = 77;

    fn event(kind: u16, port: u32, table: &str, set: &str, key: Option<[u8; 4]>) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.message(NFTABLES | kind, 0, 0, |writer| {
            writer.put(&[1, 0, 0, 0]);
            if kind == NEW_GENERATION {
                writer.be_u32(1, 5);
                writer.be_u32(2, 4242);
                writer.text(3, "nft");
                return;
            }
            writer.text(1, table);
            writer.text(2, set);
            if let Some(key) = key {
                writer.nested(3, |writer| {
                    writer.nested(1, |writer| writer.nested(1, |writer| writer.attribute(1, &key)));
                });
            }
        });
        writer.bytes[12..16].copy_from_slice(&port.to_ne_bytes());
        writer.bytes
    }

    fn told(events: &[Vec<u8>]) -> Vec<Foreign> {
        let mut reader = Reader { own_ports: [OWN, OWN + 1], damage: None, is_limits: false };
        let bytes = events.concat();
        messages(&bytes).filter_map(|message| reader.take(&message)).collect()
    }

    #[test]
    fn a_transaction_is_told_with_who_made_it() {
        let end = event(NEW_GENERATION, 9, "", "", None);
        let rule = event(DELETE_RULE, 9, "fairban", "pre", None);
        let by = Some((4242, b"nft".to_vec()));
        let whole = |damage| Foreign { damage: Some(damage), is_limits: false, by: by.clone() };
        assert_eq!(told(&[rule.clone(), end.clone()]), [whole(Damage::Rules)]);
        let gone = event(DELETE_ELEMENT, 9, "fairban", "logins4_32", Some([192, 0, 2, 7]));
        let set = SetId::from_name(b"logins4_32").expect("one of ours");
        let element = Damage::Elements(vec![(set, IpAddr::from([192, 0, 2, 7]))]);
        assert_eq!(told(&[gone.clone(), end.clone()]), [whole(element)]);
        assert_eq!(told(&[gone, rule, end.clone()]), [whole(Damage::Everything)]);
        let limits = event(DELETE_RULE, 9, "fairban_limits", "pre", None);
        assert_eq!(told(&[limits, end]), [Foreign { damage: None, is_limits: true, by: by.clone() }]);
    }

    #[test]
    fn what_is_ours_or_elsewhere_is_left_out() {
        let end = |port| event(NEW_GENERATION, port, "", "", None);
        assert_eq!(told(&[event(DELETE_RULE, OWN, "fairban", "pre", None), end(OWN)]), []);
        assert_eq!(told(&[event(DELETE_RULE, 9, "filter", "input", None), end(9)]), []);
    }
}
