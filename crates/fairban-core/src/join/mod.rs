//! Lines into attempts: one [`Attempt`] for each try of a client, however many lines tell of it.
//!
//! | lines | what joins them | where |
//! |---|---|---|
//! | Dovecot's auth lines and the end of the session | session id | `sessions` |
//! | sshd's tries and the end of the connection | address and port | `sessions` |
//! | what one sshd process says of its client | process id | `sshd` |
//! | Postfix: connect, tries, mails, disconnect | process id and address | `smtpd` |
//! | PAM beside sshd and Dovecot, Dovecot beside Postfix | address, account, half a minute | `echoes` |
//! | tcpserver's connections and vchkpw's logins | address, a few seconds, counts | `connections` |
//! | what follows a line that a client cut in two | nothing: it is doubted | `suspicion` |
//!
//! Every table has a bound, and forgets what is oldest; the module says what an attacker gains by filling it.

mod aged;
mod attempt;
mod connections;
mod echoes;
mod joiner;
mod sessions;
mod smtpd;
mod sshd;
mod suspicion;
#[cfg(test)]
mod tests;

pub use joiner::{Ignored, Joiner};

use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::event::{Mechanism, Outcome, Protocol, SecretTag, Service, Session};
use crate::time::{Span, Time};

/// One try of one client at one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When: engine time at the first line that told of it. Attempts come in the order in which they are decided, and
    /// one that was decided late (an echo that waited for its try) lies up to half a minute before its predecessor.
    pub time: Time,
    /// Whose line told it.
    pub service: Service,
    /// What the client spoke.
    pub protocol: Protocol,
    /// The client.
    pub source: IpAddr,
    /// The client's port, where a line tells it.
    pub port: Option<u16>,
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
    /// The session's last try failed at the same account: no mail program tries one password twice in a session.
    pub again: bool,
}

/// What the joiner hands to the judge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Joined {
    /// A try.
    Attempt(Attempt),
    /// A session of a service that counts its successes at the end (Postfix, `auth=k/n`) is over, and it had tries.
    /// `unnamed_successes` of them succeeded without a line of their own: each excuses one pending failure of this
    /// session, and is worth what a success of a hidden account is. A session in which nothing failed tells such a
    /// success as an [`Attempt`] instead, and has 0 here.
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
    /// A connection ended in which nobody tried to log in. Not told of port 25, where mail comes in,
    /// unless the client began to log in. Under tcpserver
    /// it is told some seconds late: vchkpw's line may come after the end.
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
        /// The logs hold connections, but not every login in them (vpopmail's was not read, or its level shows no
        /// successes, or lines were lost), so that "nobody tried" is a guess from the length.
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
    /// Records without their end, or lines behind them that a client wrote: told once an hour and service.
    Torn {
        /// When.
        time: Time,
        /// Whose log.
        service: Service,
    },
}
