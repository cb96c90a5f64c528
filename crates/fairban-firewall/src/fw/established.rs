//! Whether a connection is there: an administrator's, who must not be shut out while he works.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;

use rustix::net::netlink;

use super::cutter::{BY_FAMILY, Connection, FAMILY_INET, FAMILY_INET6, ID_LEN, request};
use crate::netlink::{DUMP, Socket};

/// The state of a connection whose handshake is over and whose end has not begun.
const ESTABLISHED: u32 = 1 << 1;

/// The way to the kernel, opened before the walls close.
#[derive(Debug)]
pub(super) struct Connections(Socket);

impl Connections {
    pub(super) fn open() -> io::Result<Connections> {
        Socket::open(Some(netlink::SOCK_DIAG), 0).map(Connections)
    }

    /// For each of them. The kernel tells of all connections, which takes a while where there are many: this is asked only
    /// when a ban would hit somebody who may be an administrator.
    pub(super) fn established(&mut self, peers: &[SocketAddr]) -> io::Result<Vec<bool>> {
        let wanted: BTreeSet<SocketAddr> = peers.iter().copied().collect();
        let mut found: BTreeSet<SocketAddr> = BTreeSet::new();
        for family in [FAMILY_INET, FAMILY_INET6] {
            self.0.ask(&request(BY_FAMILY, DUMP, family, ESTABLISHED, &[0; ID_LEN]), |message| {
                if let Some(connection) = Connection::read(message.body) {
                    let peer = SocketAddr::new(connection.peer, connection.peer_port);
                    found.extend(wanted.get(&peer));
                }
            })?;
        }
        Ok(peers.iter().map(|peer| found.contains(peer)).collect())
    }
}
