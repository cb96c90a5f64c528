//! Syslog over UDP and TCP, one thread for all sockets.
//!
//! Every sender that reaches these sockets can write any line, so they listen on loopback addresses unless the
//! configuration names the senders whose lines are taken. Who sent a line is shown and never believed: the address in a
//! datagram is the sender's own choice.
//!
//! When the daemon is behind, sending to it waits, and nothing is read meanwhile: TCP senders wait too, UDP ones lose
//! datagrams in the kernel, as UDP does.

mod framing;

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};

use rustix::event::{PollFd, PollFlags, poll};

use crate::channel::{Channel, ChannelError};
use crate::config::{Config, Listener, Transport};
use crate::line::append_record;
use crate::protocol::{Batch, Job, Message};

use framing::Framer;

/// Most connections at once; a further one ends the one that has been silent longest.
const CONNECTIONS_MAX: usize = 128;

/// Most connections from one address; a further one is closed at once.
const CONNECTIONS_PER_PEER_MAX: usize = 32;

/// Most read from one socket before the others have their turn, in bytes or datagrams.
const TURN_BYTES: usize = 16 * 1024;
const TURN_DATAGRAMS: usize = 64;

/// Most bytes of a datagram.
const DATAGRAM_BYTES_MAX: usize = 64 * 1024;

/// Open sockets, bound before the wall closed.
pub(crate) struct Listeners {
    configured: Vec<Listener>,
    /// Each with its place in `configured`.
    udp: Vec<(usize, UdpSocket)>,
    tcp: Vec<(usize, TcpListener)>,
}

impl Listeners {
    /// Binds what the configuration names. What cannot be bound is said, and the rest still works.
    pub(crate) fn bind(config: &Config) -> (Self, Vec<String>) {
        let configured = config.syslog.clone().unwrap_or_default().listeners;
        let (mut udp, mut tcp, mut said) = (Vec::new(), Vec::new(), Vec::new());
        for (place, Listener { transport, address, .. }) in configured.iter().enumerate() {
            let bound = match transport {
                Transport::Udp => UdpSocket::bind(address)
                    .and_then(|socket| socket.set_nonblocking(true).map(|()| udp.push((place, socket)))),
                Transport::Tcp => TcpListener::bind(address)
                    .and_then(|socket| socket.set_nonblocking(true).map(|()| tcp.push((place, socket)))),
            };
            if let Err(error) = bound {
                let name = if *transport == Transport::Udp { "UDP" } else { "TCP" };
                said.push(cannot_listen(name, address, &error));
            }
        }
        (Self { configured, udp, tcp }, said)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.udp.is_empty() && self.tcp.is_empty()
    }

    /// Where we listen now.
    pub(crate) fn addresses(&self) -> Vec<(Transport, SocketAddr)> {
        let udp = self.udp.iter().map(|(_, socket)| (Transport::Udp, socket.local_addr()));
        let tcp = self.tcp.iter().map(|(_, socket)| (Transport::Tcp, socket.local_addr()));
        udp.chain(tcp).filter_map(|(transport, address)| Some((transport, address.ok()?))).collect()
    }

    /// Listens for ever; returns when the daemon has gone.
    pub(crate) fn run(self, channel: &Channel) -> Result<(), ChannelError> {
        let outboxes = (0..).zip(&self.configured).map(|(place, _)| Outbox::new(channel, place)).collect();
        let mut server = Server { configured: &self.configured, connections: Vec::new(), turns: 0, outboxes };
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        loop {
            let ready = self.wait(&server.connections)?;
            let (udp, rest) = ready.split_at(self.udp.len());
            let (tcp, connections) = rest.split_at(self.tcp.len());
            // Connections first: new ones move them.
            server.read_connections(connections, &mut buffer)?;
            for ((place, socket), _) in self.udp.iter().zip(udp).filter(|(_, ready)| **ready) {
                server.read_datagrams(*place, socket, &mut buffer)?;
            }
            for ((place, listener), _) in self.tcp.iter().zip(tcp).filter(|(_, ready)| **ready) {
                server.accept(*place, listener);
            }
            server.outboxes.iter_mut().try_for_each(Outbox::send)?;
        }
    }

    /// Waits until something is to be read; of each socket, in order, whether it is.
    fn wait(&self, connections: &[Connection]) -> Result<Vec<bool>, ChannelError> {
        let wanted = PollFlags::IN;
        let mut sockets: Vec<PollFd<'_>> = Vec::new();
        sockets.extend(self.udp.iter().map(|(_, socket)| PollFd::new(socket, wanted)));
        sockets.extend(self.tcp.iter().map(|(_, socket)| PollFd::new(socket, wanted)));
        sockets.extend(connections.iter().map(|connection| PollFd::new(&connection.stream, wanted)));
        rustix::io::retry_on_intr(|| poll(&mut sockets, None)).map_err(io::Error::from)?;
        Ok(sockets.iter().map(|socket| !socket.revents().is_empty()).collect())
    }
}

/// What the shipped unit does to who listens without its drop-in.
const NO_NETWORK: &str =
    ": the service has no network; under systemd, install the drop-in network.conf (contrib/systemd)";

fn cannot_listen(transport: &str, address: &SocketAddr, error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            ": ports below 1024 are root's; take a higher one, or lower net.ipv4.ip_unprivileged_port_start"
        }
        io::ErrorKind::AddrInUse => ": another program listens there",
        // Not a kind of its own in the standard library.
        _ if error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error()) => NO_NETWORK,
        _ => "",
    };
    format!("cannot listen on {transport} {address}: {error}{remedy}")
}

/// A TCP sender.
struct Connection {
    stream: TcpStream,
    peer: IpAddr,
    /// The place of the listener that took it.
    listener: usize,
    framer: Framer,
    /// The turn in which it last sent something, or came.
    heard: u64,
}

struct Server<'a> {
    configured: &'a [Listener],
    connections: Vec<Connection>,
    turns: u64,
    /// One a listener.
    outboxes: Vec<Outbox<'a>>,
}

impl Server<'_> {
    fn read_datagrams(
        &mut self,
        listener: usize,
        socket: &UdpSocket,
        buffer: &mut [u8],
    ) -> Result<(), ChannelError> {
        let outbox = &mut self.outboxes[listener];
        for _ in 0..TURN_DATAGRAMS {
            // Whatever the error, there is nothing to read; the next wait tells again.
            let Ok((length, peer)) = socket.recv_from(buffer) else { break };
            if self.configured[listener].takes(peer.ip()) {
                outbox.add(peer.ip(), &buffer[..length], false)?;
            } else {
                outbox.turn_away(peer.ip());
            }
        }
        Ok(())
    }

    fn accept(&mut self, listener: usize, socket: &TcpListener) {
        while let Ok((stream, peer)) = socket.accept() {
            let peer = peer.ip().to_canonical();
            let outbox = &mut self.outboxes[listener];
            if !self.configured[listener].takes(peer) {
                outbox.turn_away(peer);
                continue;
            }
            let siblings = self.connections.iter().filter(|connection| connection.peer == peer).count();
            if siblings >= CONNECTIONS_PER_PEER_MAX || stream.set_nonblocking(true).is_err() {
                outbox.batch.counts.refused += 1;
                continue;
            }
            if self.connections.len() >= CONNECTIONS_MAX
                && let Some(silent) = (0..CONNECTIONS_MAX).min_by_key(|index| self.connections[*index].heard)
            {
                self.connections.swap_remove(silent);
                outbox.batch.counts.refused += 1;
            }
            self.turns += 1;
            let (framer, heard) = (Framer::default(), self.turns);
            self.connections.push(Connection { stream, peer, listener, framer, heard });
        }
    }

    /// Reads from those that are `ready`, in the order of the connections; forgets those that ended.
    fn read_connections(&mut self, ready: &[bool], buffer: &mut [u8]) -> Result<(), ChannelError> {
        let mut ended = Vec::new();
        for (index, _) in ready.iter().enumerate().filter(|(_, ready)| **ready) {
            self.turns += 1;
            let connection = &mut self.connections[index];
            connection.heard = self.turns;
            match connection.stream.read(&mut buffer[..TURN_BYTES]) {
                Ok(length @ 1..) => {
                    let mut records = Vec::new();
                    connection
                        .framer
                        .push(&buffer[..length], |message, cut| records.push((message.to_vec(), cut)));
                    let (peer, outbox) = (connection.peer, &mut self.outboxes[connection.listener]);
                    records.iter().try_for_each(|(record, cut)| outbox.add(peer, record, *cut))?;
                }
                Err(error) if is_nothing_yet(&error) => {}
                Ok(0) | Err(_) => ended.push(index),
            }
        }
        for index in ended.into_iter().rev() {
            let connection = self.connections.swap_remove(index);
            let mut last = None;
            connection.framer.finish(|message, cut| last = Some((message.to_vec(), cut)));
            if let Some((record, cut)) = last {
                self.outboxes[connection.listener].add(connection.peer, &record, cut)?;
            }
        }
        Ok(())
    }
}

fn is_nothing_yet(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Lines on their way to the daemon.
struct Outbox<'a> {
    channel: &'a Channel,
    batch: Batch,
    peers: BTreeMap<IpAddr, u32>,
}

impl<'a> Outbox<'a> {
    fn new(channel: &'a Channel, listener: u16) -> Self {
        Self { channel, batch: Batch::of_listener(Job::Syslog, listener), peers: BTreeMap::new() }
    }

    /// Counts one whose lines are not taken.
    fn turn_away(&mut self, peer: IpAddr) {
        self.batch.counts.strangers += 1;
        self.batch.stranger = Some(peer.to_canonical());
    }

    /// Adds a record; nothing, where it is empty.
    fn add(&mut self, peer: IpAddr, record: &[u8], was_cut: bool) -> Result<(), ChannelError> {
        let mut line = Vec::new();
        let cut = append_record(&mut line, record) || was_cut;
        if line.is_empty() {
            return Ok(());
        }
        let peer = peer.to_canonical();
        if self.batch.is_full()
            || self.peers.len() >= crate::protocol::BATCH_PEERS_MAX && !self.peers.contains_key(&peer)
        {
            self.send()?;
        }
        self.batch.counts.lines += 1;
        self.batch.counts.too_long += u64::from(cut);
        self.batch.lines.push(line);
        *self.peers.entry(peer).or_default() += 1;
        Ok(())
    }

    fn send(&mut self) -> Result<(), ChannelError> {
        let next = Batch::of_listener(Job::Syslog, self.batch.listener);
        let mut batch = std::mem::replace(&mut self.batch, next);
        batch.peers = std::mem::take(&mut self.peers).into_iter().collect();
        if batch.is_empty() { Ok(()) } else { self.channel.send(&Message::Batch(batch)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_not_to_listen_has_its_remedy() {
        let address = "192.0.2.1:514".parse().unwrap();
        for (errno, remedy) in [
            (rustix::io::Errno::ACCESS, "ip_unprivileged_port_start"),
            (rustix::io::Errno::ADDRINUSE, "another program listens there"),
            (rustix::io::Errno::AFNOSUPPORT, "network.conf"),
        ] {
            let said = cannot_listen("UDP", &address, &io::Error::from(errno));
            assert!(said.contains("UDP 192.0.2.1:514") && said.contains(remedy), "{said}");
        }
    }
}
