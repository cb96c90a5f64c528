//! [`Enforcer`]: what a daemon may ask of whatever shuts sources out. Prefixes and seconds, nothing else.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// A prefix that is shut out, and for how long from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shut {
    /// Whom; host bits are zero.
    pub prefix: IpNet,
    /// Seconds from the moment the order is carried out, at least 1; `None` until it is taken back.
    pub seconds: Option<u32>,
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

    /// Its state.
    fn status(&mut self) -> EnforcerStatus;
}
