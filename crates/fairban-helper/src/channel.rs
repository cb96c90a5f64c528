//! The worker's end of the socket pair.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::protocol::{Job, Message, Order, PACKET_BYTES_MAX, ProtocolError, encode, sentence};

/// Why a packet did not come or go.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChannelError {
    #[error("the daemon has gone")]
    Gone,
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    #[error("the socket to the daemon: {0}")]
    Io(#[from] io::Error),
}

/// Sends and receives packets; clones share the socket, and a packet is whole whoever sends it.
#[derive(Clone, Debug)]
pub(crate) struct Channel(Arc<OwnedFd>);

impl Channel {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self(Arc::new(socket))
    }

    /// Sends; waits while the daemon is behind. That is the back-pressure: who waits here reads no more.
    pub(crate) fn send(&self, message: &Message) -> Result<(), ChannelError> {
        let packet = encode(message)?;
        match rustix::io::retry_on_intr(|| send(&*self.0, &packet, SendFlags::NOSIGNAL)) {
            Ok(_) => Ok(()),
            Err(rustix::io::Errno::PIPE | rustix::io::Errno::CONNRESET) => Err(ChannelError::Gone),
            Err(error) => Err(ChannelError::Io(error.into())),
        }
    }

    /// Tells a person something about a job.
    pub(crate) fn say(&self, job: Job, text: String) -> Result<(), ChannelError> {
        self.send(&Message::Said { job, text: sentence(text) })
    }

    /// Waits for the next order.
    pub(crate) fn receive(&self) -> Result<Order, ChannelError> {
        let mut buffer = vec![0; PACKET_BYTES_MAX + 1];
        let received = rustix::io::retry_on_intr(|| recv(&*self.0, &mut buffer[..], RecvFlags::empty()));
        match received {
            Ok((0, _)) | Err(rustix::io::Errno::CONNRESET) => Err(ChannelError::Gone),
            Ok((length, _)) => Ok(Order::decode(&buffer[..length])?),
            Err(error) => Err(ChannelError::Io(error.into())),
        }
    }
}
