//! Netlink without a library: a socket, a writer of messages and a reader that believes no length.
//!
//! The kernel answers a request before `sendmsg` returns, so after a send the answers are there or never come: requests
//! are read without waiting, and nothing here can hang. Dumps are told piece by piece, each piece made by the read that
//! takes it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, bind, getsockname, recvfrom,
    sendto, socket_with, sockopt,
};

/// Flag of a request.
pub(crate) const REQUEST: u16 = 1;
/// Flag: answer also when it worked.
pub(crate) const ACK: u16 = 4;
/// Flag: tell all there is.
pub(crate) const DUMP: u16 = 0x300;
/// Flag: make it if it is not there.
pub(crate) const CREATE: u16 = 0x400;
/// Flag: at the end of the list.
pub(crate) const APPEND: u16 = 0x800;

/// Kind of a message: an error, or the good news when it is 0.
const ERROR: u16 = 2;
/// Kind of a message: the end of a dump.
const DONE: u16 = 3;

const HEADER_LEN: usize = 16;
const ATTRIBUTE_HEADER_LEN: usize = 4;
const NESTED: u16 = 0x8000;
const KIND_MASK: u16 = 0x3fff;

/// Room for one datagram of the kernel's: it makes none longer but errors, which repeat the request and may be cut.
const DATAGRAM_MAX: usize = 64 * 1024;

/// A netlink socket.
#[derive(Debug)]
pub(crate) struct Socket {
    fd: OwnedFd,
    /// The kernel's name for this socket: what others do carries another.
    pub(crate) port: u32,
    buffer: Vec<u8>,
}

impl Socket {
    /// Opens one for `protocol` (routes, where none is named) that hears the events of `groups` (one bit a group).
    pub(crate) fn open(protocol: Option<Protocol>, groups: u32) -> io::Result<Socket> {
        let fd = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
        bind(&fd, &SocketAddrNetlink::new(0, groups))?;
        let port = SocketAddrNetlink::try_from(getsockname(&fd)?)?.pid();
        Ok(Socket { fd, port, buffer: vec![0; DATAGRAM_MAX] })
    }

    /// Asks for room for `bytes` in either direction. With less, large transactions are refused and events are lost.
    pub(crate) fn enlarge(&self, bytes: usize) -> io::Result<()> {
        sockopt::set_socket_send_buffer_size_force(&self.fd, bytes)?;
        Ok(sockopt::set_socket_recv_buffer_size_force(&self.fd, bytes)?)
    }

    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let sent = sendto(&self.fd, bytes, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        if sent == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// The next datagram; `None` when there is none now.
    ///
    /// # Errors
    /// `ENOBUFS`: events were lost.
    pub(crate) fn receive(&mut self) -> io::Result<Option<&[u8]>> {
        loop {
            match recvfrom(&self.fd, &mut self.buffer[..], RecvFlags::DONTWAIT) {
                Ok((len, _, from)) => {
                    let from = from.and_then(|from| SocketAddrNetlink::try_from(from).ok());
                    // Another process could write to us, too: only the kernel is believed.
                    if from.is_some_and(|from| from.pid() == 0) {
                        return Ok(Some(&self.buffer[..len]));
                    }
                }
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Sends `request`, and hands every message of the answer to `take`, up to the end of the dump or the last answer.
    pub(crate) fn ask(&mut self, request: &[u8], mut take: impl FnMut(&Message<'_>)) -> io::Result<()> {
        self.send(request)?;
        while let Some(datagram) = self.receive()? {
            for message in messages(datagram) {
                match message.verdict() {
                    None => take(&message),
                    Some(Ok(())) => return Ok(()),
                    Some(Err(errno)) => return Err(errno.into()),
                }
            }
        }
        Ok(())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A message as it was received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) seq: u32,
    /// The socket that caused it.
    pub(crate) port: u32,
    pub(crate) body: &'a [u8],
}

impl Message<'_> {
    /// How a request ended, if this message says so.
    pub(crate) fn verdict(&self) -> Option<Result<(), Errno>> {
        if self.kind != ERROR && self.kind != DONE {
            return None;
        }
        // The end of a dump may come without a number.
        let code = read_u32(self.body, 0).map_or(0, |code| (code as i32).saturating_neg());
        Some(if code > 0 { Err(Errno::from_raw_os_error(code)) } else { Ok(()) })
    }
}

/// The messages of a datagram; one with a false length ends them.
pub(crate) fn messages(mut datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let len = read_u32(datagram, 0)? as usize;
        let message = Message {
            kind: read_u16(datagram, 4)?,
            seq: read_u32(datagram, 8)?,
            port: read_u32(datagram, 12)?,
            // An error that repeats a long request is cut by our buffer.
            body: datagram.get(HEADER_LEN..len.min(datagram.len()))?,
        };
        datagram = datagram.get(aligned(len)..).unwrap_or_default();
        Some(message)
    })
}

/// The attributes of a message or of another attribute: kind and value. One with a false length ends them.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let len = usize::from(read_u16(bytes, 0)?);
        let kind = read_u16(bytes, 2)? & KIND_MASK;
        let value = bytes.get(ATTRIBUTE_HEADER_LEN..len)?;
        bytes = bytes.get(aligned(len)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The first attribute of that kind.
pub(crate) fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(other, _)| *other == kind).map(|(_, value)| value)
}

/// A string that ends in a zero.
pub(crate) fn text(value: &[u8]) -> &[u8] {
    value.split(|byte| *byte == 0).next().unwrap_or_default()
}

pub(crate) fn read_u16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

pub(crate) fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

pub(crate) fn be_u32(value: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(value.try_into().ok()?))
}

pub(crate) fn be_u64(value: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(value.try_into().ok()?))
}

fn aligned(len: usize) -> usize {
    len.next_multiple_of(4)
}

/// Writes messages one after the other.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    pub(crate) bytes: Vec<u8>,
}

impl Writer {
    /// A message; `body` writes what comes after the header.
    pub(crate) fn message(&mut self, kind: u16, flags: u16, seq: u32, body: impl FnOnce(&mut Writer)) {
        let start = self.bytes.len();
        self.put(&[0; 4]);
        self.put(&kind.to_ne_bytes());
        self.put(&flags.to_ne_bytes());
        self.put(&seq.to_ne_bytes());
        self.put(&[0; 4]);
        body(self);
        let len = (self.bytes.len() - start) as u32;
        self.bytes[start..start + 4].copy_from_slice(&len.to_ne_bytes());
    }

    /// An attribute.
    pub(crate) fn attribute(&mut self, kind: u16, value: &[u8]) {
        let len = (ATTRIBUTE_HEADER_LEN + value.len()) as u16;
        self.put(&len.to_ne_bytes());
        self.put(&kind.to_ne_bytes());
        self.put(value);
        self.align();
    }

    /// An attribute that holds a string with its zero.
    pub(crate) fn text(&mut self, kind: u16, value: &str) {
        let len = (ATTRIBUTE_HEADER_LEN + value.len() + 1) as u16;
        self.put(&len.to_ne_bytes());
        self.put(&kind.to_ne_bytes());
        self.put(value.as_bytes());
        self.put(&[0]);
        self.align();
    }

    /// An attribute that holds a number in network order.
    pub(crate) fn be_u32(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_be_bytes());
    }

    /// An attribute made of attributes: at most 65,535 bytes of them.
    pub(crate) fn nested(&mut self, kind: u16, inner: impl FnOnce(&mut Writer)) {
        let start = self.bytes.len();
        self.put(&[0; 2]);
        self.put(&(kind | NESTED).to_ne_bytes());
        inner(self);
        let len = self.bytes.len() - start;
        debug_assert!(u16::try_from(len).is_ok(), "attributes have 16 bits for their length");
        self.bytes[start..start + 2].copy_from_slice(&(len as u16).to_ne_bytes());
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn align(&mut self) {
        self.bytes.resize(aligned(self.bytes.len()), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let mut writer = Writer::default();
        writer.message(7, REQUEST, 9, |writer| {
            writer.text(1, "abc");
            writer.nested(2, |writer| writer.be_u32(3, 0x0102_0304));
        });
        writer.message(8, 0, 10, |_| {});
        let all: Vec<_> = messages(&writer.bytes).collect();
        assert_eq!(
            all.iter().map(|message| (message.kind, message.seq)).collect::<Vec<_>>(),
            [(7, 9), (8, 10)]
        );
        assert_eq!(attribute(all[0].body, 1).map(text), Some(&b"abc"[..]));
        let nested = attribute(all[0].body, 2).expect("it is there");
        assert_eq!(attribute(nested, 3).and_then(be_u32), Some(0x0102_0304));
    }

    #[test]
    fn false_lengths_end_the_reading() {
        for len in 0..16_u32 {
            let mut bytes = [0; 40];
            bytes[..4].copy_from_slice(&len.to_ne_bytes());
            assert_eq!(messages(&bytes).count(), 0, "{len}");
        }
        for len in [0, 1, 3, 200_u16] {
            let mut bytes = [0; 12];
            bytes[..2].copy_from_slice(&len.to_ne_bytes());
            assert_eq!(attributes(&bytes).count(), 0, "{len}");
        }
        assert_eq!(messages(&[1; 7]).count() + attributes(&[4]).count(), 0);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_too_odd_to_read(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            for message in messages(&bytes) {
                let _ = message.verdict();
                let _ = attributes(message.body).count();
            }
            let _ = attributes(&bytes).count();
        }
    }
}
