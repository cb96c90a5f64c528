//! Who a client is, and what he may.

use crate::request::Request;

/// Which clients a client is counted among. Each class has places of its own, so none can shut another out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// root, or the user as whom the service runs. Always gets in.
    Root,
    /// A member of the group that may act.
    Member,
    /// Anybody else: may read the status, where that is allowed.
    Reader,
}

/// The other end of a connection, as the kernel vouches for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// User id of the process that connected.
    pub uid: u32,
    /// Its effective group id.
    pub gid: u32,
    /// Its process id, at that time.
    pub pid: u32,
    /// What it may.
    pub class: Class,
}

impl Peer {
    /// Whether this peer may ask that. Readers may ask for the status and whether anybody is there.
    pub const fn may(&self, request: &Request) -> bool {
        match self.class {
            Class::Root | Class::Member => true,
            Class::Reader => matches!(request, Request::Status | Request::Ping),
        }
    }
}
