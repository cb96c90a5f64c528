//! [`Enforcer`]: what a daemon may ask of whatever shuts sources out. Prefixes and seconds, nothing else.

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::limits::{Counted, Limit};

/// Which doors a ban closes.
///
/// Never those of answers to our own connections: except with [`All`](Self::All) a banned mail server still gets our
/// mail, and answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Doors {
    /// The ports of the login services.
    #[default]
    Logins,
    /// These and the port at which mail of others arrives: for who tried passwords there.
    LoginsAndSmtp,
    /// Everything, whatever the protocol; also answers to our own connections.
    All,
}

/// A prefix that is shut out, and for how long from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shut {
    /// Whom; host bits are zero.
    pub prefix: IpNet,
    /// Seconds from the moment the order is carried out, at least 1; `None` until it is taken back.
    pub seconds: Option<u32>,
    /// Where.
    #[serde(default)]
    pub doors: Doors,
}

impl Shut {
    /// Shut out of the login services.
    pub fn new(prefix: IpNet, seconds: Option<u32>) -> Shut {
        Shut { prefix: prefix.trunc(), seconds, doors: Doors::default() }
    }
}

/// One order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Shut out; where the prefix is shut out already, the time starts again.
    Ban(Shut),
    /// Let in; harmless where the prefix is not shut out.
    Unban(IpNet),
    /// Exactly these are shut out from now on, in this order of importance.
    Sync(Vec<Shut>),
}

/// What became of an order, in the order of the orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Carried out.
    Done,
    /// Taken; it will be carried out as soon as the enforcer's own cap on bans a second allows.
    Delayed,
    /// Never to be shut out, whatever anybody asks: the floor, or the allowlist.
    Protected,
    /// It could not be carried out; the reason, for a person.
    Failed(String),
}

/// State of an enforcer, for `fairban status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnforcerStatus {
    /// What it is, such as `nftables`.
    pub name: String,
    /// It can carry out orders now.
    pub ready: bool,
    /// Prefixes shut out, as far as it knows.
    pub shut: u64,
    /// Sentences for a person: kernel, paths taken, what is missing.
    pub remarks: Vec<String>,
}

/// Why an enforcer cannot take orders at all: what surrounds it is at fault, and it may work again later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreachable(pub String);

/// Whatever shuts sources out.
///
/// Orders are idempotent: doing one twice is harmless. An enforcer never extends what it was asked, and lets go of each ban by
/// itself when its seconds are over, also when nobody asks it anything any more.
pub trait Enforcer: Send {
    /// Carries out `orders` as one batch and answers each. Returns within a second.
    fn carry_out(&mut self, orders: &[Order]) -> Result<Vec<Answer>, Unreachable>;

    /// What is shut out now, with the seconds left.
    fn list(&mut self) -> Result<Vec<Shut>, Unreachable>;

    /// Its state. Returns within a second, and much sooner as a rule.
    fn status(&mut self) -> EnforcerStatus;

    /// Exactly these are never shut out from now on, besides those that the enforcer protects by itself; bans of them end
    /// at once. Returns within a second.
    fn allow(&mut self, prefixes: &[IpNet]) -> Result<Answer, Unreachable> {
        let nobody = "this way of shutting out cannot protect anybody by itself".to_owned();
        Ok(if prefixes.is_empty() { Answer::Done } else { Answer::Failed(nobody) })
    }

    /// Exactly these limits hold from now on, for all but `exempt` (at most
    /// [`EXEMPT_MAX`](crate::limits::EXEMPT_MAX) prefixes) and those who are never shut out. What a limit has counted stays
    /// as long as it does. Returns within a second.
    fn limit(&mut self, limits: &[Limit], _exempt: &[IpNet]) -> Result<Answer, Unreachable> {
        let nobody = "this way of shutting out cannot count connections".to_owned();
        Ok(if limits.is_empty() { Answer::Done } else { Answer::Failed(nobody) })
    }

    /// What came of each limit. Returns within a second.
    fn counted(&mut self) -> Result<Vec<Counted>, Unreachable> {
        Ok(Vec::new())
    }

    /// Whether this host has an established TCP connection with each of these clients. Who cannot tell says yes. Returns
    /// within a second.
    fn established(&mut self, peers: &[SocketAddr]) -> Result<Vec<bool>, Unreachable> {
        Ok(vec![true; peers.len()])
    }

    /// What to wait on: readable when there are notes, or when it is worth trying again to reach it. Changes with each call
    /// of another function.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// What happened since the last call that nobody asked for, such as that another program took the bans away: one
    /// sentence each, for a person, escaped. None are kept for who does not ask: the oldest go first.
    fn notes(&mut self) -> Vec<String> {
        Vec::new()
    }
}
