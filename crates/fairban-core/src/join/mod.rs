//! Lines into attempts: one [`Attempt`] for each try of a client, however many lines tell of it.

use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::event::{Mechanism, Outcome, Protocol, SecretTag, Service, Session};
use crate::time::{Span, Time};

/// One try of one client at one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When: the stamp of the first line that told of it.
    pub time: Time,
    /// Whose line told it.
    pub service: Service,
    /// What the client spoke.
    pub protocol: Protocol,
    /// The client.
    pub source: IpAddr,
    /// The account: `Known`, `Cut` or `Hidden` (a `Last` has been unrolled).
    pub account: Account,
    /// How it ended: never `Aborted`.
    pub outcome: Outcome,
    /// How the secret was proved.
    pub mechanism: Mechanism,
    /// Tag of the secret.
    pub secret: Option<SecretTag>,
    /// The secret is one that robots try first.
    pub common_secret: bool,
    /// The session it belongs to.
    pub session: Session,
    /// The session is known to be still open and its end will tell how many of its tries succeeded (Postfix): a
    /// failure stays pending until [`Joined::SessionEnd`], ten minutes at most.
    pub session_open: bool,
}

/// What the joiner hands to the judge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Joined {
    /// A try.
    Attempt(Attempt),
    /// A session that had tries is over; `unnamed_successes` of them succeeded without a line of their own
    /// (`auth=k/n`): each excuses one pending failure of this session.
    SessionEnd {
        /// When it ended.
        time: Time,
        /// Whose.
        service: Service,
        /// The client.
        source: IpAddr,
        /// Which.
        session: Session,
        /// Successes that no line names.
        unnamed_successes: u16,
    },
    /// A connection ended in which nobody tried to log in.
    NoLogin {
        /// When it ended.
        time: Time,
        /// Whose line.
        service: Service,
        /// The client.
        source: IpAddr,
        /// From accept to end, where the log tells both.
        lasted: Option<Span>,
        /// Connections of this source that were open at once when this one ended, itself included; 0 if the log does not tell.
        concurrent: u16,
        /// The log of this service holds connections alone, so that "nobody tried" is a guess from the length.
        guessed: bool,
    },
    /// The daemon turned the source away.
    TurnedAway {
        /// When.
        time: Time,
        /// Whose line.
        service: Service,
        /// The client.
        source: IpAddr,
    },
    /// The server had trouble.
    Fault {
        /// When.
        time: Time,
        /// Whose.
        service: Service,
    },
    /// Connection slots in use.
    Slots {
        /// When.
        time: Time,
        /// Whose.
        service: Service,
        /// Connections open.
        in_use: u32,
        /// The most that may be open.
        slots: u32,
        /// The source with the most connections open, and how many.
        largest: Option<(IpAddr, u32)>,
    },
    /// The log lost lines.
    Gap {
        /// When.
        time: Time,
        /// Whose.
        service: Service,
        /// How many; 0 if unknown.
        lost: u32,
    },
}
