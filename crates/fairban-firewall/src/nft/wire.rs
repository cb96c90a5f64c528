//! [`Wire`]: the socket through which alone a table of ours is written.

use std::io;

use rustix::io::Errno;
use rustix::net::netlink;

use super::encode::{A_TABLE, Batch, GET_CHAIN, GET_RULE, GET_SET, GET_TABLE, query};
use crate::netlink::{Message, Socket, attribute, attributes, messages, text};

/// Room for a transaction and its answers, and for the events of the largest that we make ourselves.
pub(super) const SOCKET_BYTES: usize = 16 << 20;

/// Why the table could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The kernel lacks nftables, or we the right.
    #[error("cannot talk to nftables: {0}; the kernel needs nf_tables (modprobe nf_tables)")]
    Socket(#[source] io::Error),
    /// The kernel refused.
    #[error("nftables refuses: {0}; {remedy}", remedy = remedy(*.0))]
    Refused(Errno),
    /// Never seen.
    #[error("nftables did not answer")]
    Silent,
}

fn remedy(errno: Errno) -> &'static str {
    match errno {
        Errno::PERM => "this takes CAP_NET_ADMIN, and no other process may own the table inet fairban",
        Errno::NOENT => "the table was changed by another program",
        Errno::NOMEM | Errno::NFILE => "the kernel has no room for more",
        _ => "see that the kernel has nf_tables with inet tables",
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        error.raw_os_error().map_or(Error::Silent, |code| Error::Refused(Errno::from_raw_os_error(code)))
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Wire {
    socket: Socket,
    seq: u32,
    table: &'static str,
}

impl Wire {
    /// Opens the way to the kernel, and changes nothing.
    pub(super) fn open(table: &'static str) -> Result<Wire, Error> {
        let socket = Socket::open(Some(netlink::NETFILTER), 0).map_err(Error::Socket)?;
        socket.enlarge(SOCKET_BYTES).map_err(Error::Socket)?;
        Ok(Wire { socket, seq: 1, table })
    }

    /// Name of our socket: what others do to the table carries another.
    pub(super) fn port(&self) -> u32 {
        self.socket.port
    }

    /// What our table looks like but for the elements: equal as long as nobody changed it.
    pub(super) fn fingerprint(&mut self) -> Result<Vec<(u16, Vec<u8>)>, Error> {
        // For each kind: the attributes that tell one thing from another.
        const TELLING: [(u16, &[u16]); 4] =
            [(GET_TABLE, &[2, 4]), (GET_CHAIN, &[2, 3, 5]), (GET_SET, &[2, 3, 16]), (GET_RULE, &[2, 3])];
        let table = self.table;
        let mut seen = Vec::new();
        for (kind, telling) in TELLING {
            let names_table = |writer: &mut crate::netlink::Writer| {
                if kind != GET_TABLE {
                    writer.text(A_TABLE, table);
                }
            };
            self.ask(kind, true, names_table, |message| {
                let body = message.body.get(4..).unwrap_or_default();
                if message_is_of(message, table) {
                    let values = attributes(body).filter(|(attribute, _)| telling.contains(attribute));
                    seen.push((kind, values.flat_map(|(_, value)| value).copied().collect()));
                }
            })?;
        }
        Ok(seen)
    }

    /// Takes the table away with all that is in it, whether it is there or not.
    pub(super) fn remove(&mut self) -> Result<(), Error> {
        // To add it first, so that it can be deleted, fails where one with other flags is there.
        match self.commit(Batch::delete_table) {
            Err(Error::Refused(Errno::NOENT)) => Ok(()),
            done => done,
        }
    }

    /// One transaction.
    pub(super) fn commit(&mut self, write: impl FnOnce(&mut Batch)) -> Result<(), Error> {
        let mut batch = Batch::begin(self.seq, self.table);
        write(&mut batch);
        let first = batch.first_seq;
        let (bytes, last) = batch.finish();
        self.seq = last.wrapping_add(2);
        if self.seq > u32::MAX / 2 {
            self.seq = 1;
        }
        self.socket.send(&bytes)?;
        let mut outcome = Err(Error::Silent);
        while let Some(datagram) = self.socket.receive()? {
            for message in messages(datagram) {
                match message.verdict() {
                    // The first is the reason; what follows are its consequences.
                    Some(Err(errno))
                        if (first..=last).contains(&message.seq)
                            && !matches!(outcome, Err(Error::Refused(_))) =>
                    {
                        outcome = Err(Error::Refused(errno));
                    }
                    Some(Ok(())) if message.seq == last && matches!(outcome, Err(Error::Silent)) => {
                        outcome = Ok(());
                    }
                    _ => {}
                }
            }
        }
        outcome
    }

    /// A question; every message of the answer goes to `take`.
    pub(super) fn ask(
        &mut self,
        kind: u16,
        is_dump: bool,
        body: impl FnOnce(&mut crate::netlink::Writer),
        take: impl FnMut(&Message<'_>),
    ) -> Result<(), Error> {
        let request = query(kind, is_dump, self.seq, body);
        self.seq += 1;
        Ok(self.socket.ask(&request, take)?)
    }
}

/// Whether a message tells of that table, or of something in it.
pub(super) fn message_is_of(message: &Message<'_>, table: &str) -> bool {
    message.body.get(4..).and_then(|body| attribute(body, A_TABLE)).map(text) == Some(table.as_bytes())
}
