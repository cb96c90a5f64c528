//! The cutter: ends TCP connections that were open when their source was shut out.
//!
//! Packets of a banned source are dropped, and so its connection would stay in the server until the server's patience
//! ends. The kernel is asked for all connections once for all bans of [`GATHER`]; those of banned sources to closed
//! ports are destroyed, and the server reads an error at once. It takes a while where there are many connections, so a
//! thread of its own does it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::netlink;

use crate::enforcer::{Doors, Shut};
use crate::netlink::{ACK, DUMP, REQUEST, Socket, Writer, messages};
use crate::nft::Settings;
use crate::prefixes::PrefixSet;

/// Bans that come within this time after the first are done with it.
const GATHER: Duration = Duration::from_millis(10);

pub(super) const BY_FAMILY: u16 = 20;
const DESTROY: u16 = 21;
pub(super) const FAMILY_INET: u8 = 2;
pub(super) const FAMILY_INET6: u8 = 10;
const PROTOCOL_TCP: u8 = 6;

/// Established, syn received, fin wait 1 and 2, close wait, last ack, closing, new syn received.
const STATES: u32 = 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11 | 1 << 12;

/// How the kernel names a connection: ports, addresses, interface, cookie.
pub(super) const ID_LEN: usize = 48;
/// Where it stands in what the kernel tells.
const ID_AT: usize = 4;

/// The thread, as others see it.
#[derive(Debug)]
pub(super) struct Cutter {
    bans: Sender<Vec<Shut>>,
    told: Arc<Told>,
}

#[derive(Debug, Default)]
struct Told {
    cut: AtomicU64,
    is_impossible: AtomicBool,
}

impl Cutter {
    /// Starts the thread, which inherits the walls that stand.
    pub(super) fn start(socket: CutterSocket, settings: &Settings) -> io::Result<Cutter> {
        let (bans, queue) = channel();
        let told = Arc::new(Told::default());
        let worker = Worker {
            socket: socket.0,
            logins: settings.logins.clone(),
            smtp: settings.smtp.clone(),
            told: Arc::clone(&told),
        };
        thread::Builder::new().name("cutter".to_owned()).spawn(move || worker.run(&queue))?;
        Ok(Cutter { bans, told })
    }

    /// These are shut out now.
    pub(super) fn cut(&self, shuts: Vec<Shut>) {
        if !shuts.is_empty() {
            // The thread ends with us.
            let _ = self.bans.send(shuts);
        }
    }

    /// Connections cut so far.
    pub(super) fn count(&self) -> u64 {
        self.told.cut.load(Ordering::Relaxed)
    }

    /// What a person should know.
    pub(super) fn remark(&self) -> Option<String> {
        let is_impossible = self.told.is_impossible.load(Ordering::Relaxed);
        let remark = "open connections are not cut: the kernel lacks CONFIG_INET_DIAG_DESTROY";
        is_impossible.then(|| remark.to_owned())
    }
}

/// The way to the kernel, opened before the walls close.
#[derive(Debug)]
pub(super) struct CutterSocket(Socket);

impl CutterSocket {
    pub(super) fn open() -> io::Result<CutterSocket> {
        Socket::open(Some(netlink::SOCK_DIAG), 0).map(CutterSocket)
    }
}

struct Worker {
    socket: Socket,
    logins: Vec<u16>,
    smtp: Vec<u16>,
    told: Arc<Told>,
}

impl Worker {
    fn run(mut self, queue: &Receiver<Vec<Shut>>) {
        while let Ok(first) = queue.recv() {
            let mut banned = Banned::default();
            banned.add(&first);
            let end = Instant::now() + GATHER;
            loop {
                match queue.recv_timeout(end.saturating_duration_since(Instant::now())) {
                    Ok(more) => banned.add(&more),
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
            // Refused once is refused always: the remark says so.
            if self.cut(&banned).is_err() {
                self.told.is_impossible.store(true, Ordering::Relaxed);
            }
        }
    }

    fn cut(&mut self, banned: &Banned) -> io::Result<()> {
        for family in [FAMILY_INET, FAMILY_INET6] {
            let mut hits = Vec::new();
            let (logins, smtp) = (&self.logins, &self.smtp);
            self.socket.ask(&request(BY_FAMILY, DUMP, family, STATES, &[0; ID_LEN]), |message| {
                if let Some(connection) = Connection::read(message.body)
                    && banned.closes(&connection, logins, smtp)
                {
                    hits.push(connection.id);
                }
            })?;
            for id in hits {
                self.destroy(family, &id)?;
            }
        }
        Ok(())
    }

    fn destroy(&mut self, family: u8, id: &[u8; ID_LEN]) -> io::Result<()> {
        self.socket.send(&request(DESTROY, ACK, family, 0, id))?;
        while let Some(datagram) = self.socket.receive()? {
            for verdict in messages(datagram).filter_map(|message| message.verdict()) {
                match verdict {
                    Ok(()) => {
                        self.told.cut.fetch_add(1, Ordering::Relaxed);
                    }
                    // Gone by itself.
                    Err(Errno::NOENT) => {}
                    Err(errno) => return Err(errno.into()),
                }
            }
        }
        Ok(())
    }
}

pub(super) fn request(kind: u16, flags: u16, family: u8, states: u32, id: &[u8; ID_LEN]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.message(kind, REQUEST | flags, 1, |writer| {
        writer.put(&[family, PROTOCOL_TCP, 0, 0]);
        writer.put(&states.to_ne_bytes());
        writer.put(id);
    });
    writer.bytes
}

/// A connection as the kernel tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Connection {
    id: [u8; ID_LEN],
    local_port: u16,
    pub(super) peer: IpAddr,
    pub(super) peer_port: u16,
}

impl Connection {
    pub(super) fn read(body: &[u8]) -> Option<Connection> {
        let id: [u8; ID_LEN] = body.get(ID_AT..ID_AT + ID_LEN)?.try_into().ok()?;
        let [high, low, peer_high, peer_low, ..] = id;
        let peer: [u8; 16] = id.get(20..36)?.try_into().ok()?;
        let peer = match *body.first()? {
            FAMILY_INET => {
                let [a, b, c, d, ..] = peer;
                IpAddr::V4(Ipv4Addr::new(a, b, c, d))
            }
            // A server that listens for both families sees IPv4 peers in IPv6 clothes.
            _ => Ipv6Addr::from(peer).to_canonical(),
        };
        let [local_port, peer_port] = [[high, low], [peer_high, peer_low]].map(u16::from_be_bytes);
        Some(Connection { id, local_port, peer, peer_port })
    }
}

/// Who was shut out, by doors.
#[derive(Debug, Default)]
struct Banned {
    logins: PrefixSet,
    smtp: PrefixSet,
    all: PrefixSet,
}

impl Banned {
    fn add(&mut self, shuts: &[Shut]) {
        for shut in shuts {
            match shut.doors {
                Doors::Logins => {
                    self.logins.insert(shut.prefix);
                }
                Doors::LoginsAndSmtp => {
                    self.logins.insert(shut.prefix);
                    self.smtp.insert(shut.prefix);
                }
                Doors::All => {
                    self.all.insert(shut.prefix);
                }
            }
        }
    }

    fn closes(&self, connection: &Connection, logins: &[u16], smtp: &[u16]) -> bool {
        let port = connection.local_port;
        let is_in = |set: &PrefixSet| !set.is_empty() && set.holds(connection.peer);
        is_in(&self.all)
            || logins.contains(&port) && is_in(&self.logins)
            || smtp.contains(&port) && is_in(&self.smtp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(local_port: u16, peer: &str) -> Connection {
        let mut body = vec![0; 72];
        body[4..6].copy_from_slice(&local_port.to_be_bytes());
        match peer.parse().expect("an address") {
            IpAddr::V4(peer) => {
                body[0] = FAMILY_INET;
                body[24..28].copy_from_slice(&peer.octets());
            }
            IpAddr::V6(peer) => {
                body[0] = FAMILY_INET6;
                body[24..40].copy_from_slice(&peer.octets());
            }
        }
        Connection::read(&body).expect("long enough")
    }

    #[test]
    fn only_connections_of_the_banned_to_closed_ports_are_cut() {
        let mut banned = Banned::default();
        let shut = |text: &str, doors| Shut { prefix: text.parse().expect("a prefix"), seconds: None, doors };
        banned.add(&[
            shut("192.0.2.7/32", Doors::Logins),
            shut("192.0.2.8/32", Doors::LoginsAndSmtp),
            shut("192.0.2.9/32", Doors::All),
            shut("2001:db8:1:2::/64", Doors::Logins),
        ]);
        let check = |port, peer, expected| {
            assert_eq!(
                banned.closes(&connection(port, peer), &[143, 993], &[25]),
                expected,
                "{peer} at {port}"
            );
        };
        check(143, "192.0.2.7", true);
        check(143, "::ffff:192.0.2.7", true);
        check(25, "192.0.2.7", false);
        check(40_000, "192.0.2.7", false);
        check(25, "192.0.2.8", true);
        check(40_000, "192.0.2.8", false);
        check(40_000, "192.0.2.9", true);
        check(993, "2001:db8:1:2::5", true);
        check(993, "2001:db8:1:3::5", false);
        check(143, "192.0.2.6", false);
    }

    #[test]
    fn what_is_cut_off_names_no_connection() {
        assert_eq!(Connection::read(&[2; 51]), None);
        assert_eq!(Connection::read(&[]), None);
    }
}
