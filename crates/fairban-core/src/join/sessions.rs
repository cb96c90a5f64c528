//! Sessions of Dovecot and sshd: what their lines told before the end tells it again.
//!
//! Dovecot: `session=<…>` is in every line. With `auth_verbose` each failed try has a line of its own, told at once,
//! and the end (`auth failed, N attempts`) adds only what was not told: a wrong APOP digest, for example, has no line.
//! Without it the end is all there is. sshd: address and port name the connection; after the login other processes
//! write its lines, so the process id does not.
//!
//! What an attacker gains by filling the tables: an end whose session may have been forgotten adds nothing, neither
//! tries nor a connection without a login, for as long as the flood lasts. Only sessions that are open take room, so
//! a flood needs that many connections at once, or as many logins to sshd.

use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::aged::Aged;
use super::attempt::{TRIES_PER_LINE_MAX, attempt, nameless};
use super::{Attempt, Joined};
use crate::account::Account;
use crate::event::{AuthEvent, Outcome, Session, Tells};
use crate::time::{Span, Time};

/// Most sessions remembered: open ones, and apart from them those that ended.
pub(super) const SESSIONS_MAX: usize = 32_768;

/// How long a session may last before its login, where the log does not say how long it lasted. sshd gives up after
/// two minutes, Dovecot after three.
const LOGIN_TIME_MAX: Span = Span::minutes(10);

/// How long after its end further lines may belong to a session: sshd writes up to three about one end.
const LATE_LINES: Span = Span::minutes(1);

/// What names a session.
///
/// Integers, since maps compare many of them: what kind of key it is and a port, a process id or nothing, and an address
/// or a session id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Key {
    kind: u8,
    number: u32,
    bits: u128,
}

impl Key {
    const ID: u8 = 0;

    fn of(event: &AuthEvent) -> Option<Key> {
        // IPv4 addresses in the form that IPv6 has for them, as no source has it.
        let bits = |source: IpAddr| match source {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        match (event.session, event.source, event.port) {
            (Session::Id(id), _, _) => Some(Key { kind: Key::ID, number: 0, bits: u128::from(id) }),
            (_, Some(source), Some(port)) => {
                Some(Key { kind: 1, number: u32::from(port), bits: bits(source) })
            }
            (Session::Pid(pid), Some(source), None) => Some(Key { kind: 2, number: pid, bits: bits(source) }),
            _ => None,
        }
    }
}

/// What an open session's lines told so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    failed: u16,
    succeeded: bool,
    /// The account of the last failed try.
    last: Account,
    /// By the line's own stamp, where a line told of the connection.
    connected: Option<Time>,
}

impl Told {
    const NOTHING: Told = Told { failed: 0, succeeded: false, last: Account::Hidden, connected: None };
}

/// What Dovecot's and sshd's sessions told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sessions {
    open: Aged<Key, Told, SESSIONS_MAX>,
    /// Tries that the end told before their own lines came.
    ended: Aged<Key, u16, SESSIONS_MAX>,
}

/// What an end tells.
pub(super) enum End {
    /// Nothing that was not told.
    Nothing,
    /// These tries, in this order.
    Tries(Vec<Attempt>),
    /// Nobody tried to log in.
    NoLogin(Joined),
    /// The server failed before anybody could try.
    Fault(Joined),
}

impl Sessions {
    pub(super) const fn new() -> Sessions {
        Sessions { open: Aged::new(), ended: Aged::new() }
    }

    pub(super) fn connect(&mut self, now: Time, event: &AuthEvent) {
        if let Some(key) = Key::of(event) {
            self.ended.remove(&key);
            self.open.insert(now, key, Told { connected: Some(event.time), ..Told::NOTHING });
        }
    }

    /// A try's own line. Returns whether the session's last try failed at the same account; `None` if the session's end
    /// told of this one already.
    pub(super) fn attempt(&mut self, now: Time, event: &AuthEvent) -> Option<bool> {
        let Some(key) = Key::of(event) else { return Some(false) };
        if key.kind == Key::ID {
            if let Some(ahead @ 1..) = self.ended.lookup(&key).filter(|_| event.outcome != Outcome::Success) {
                *ahead -= 1;
                return None;
            }
            if event.outcome == Outcome::Success {
                // The login process hands the session over: no end will count its tries.
                self.open.remove(&key);
                return Some(false);
            }
        } else {
            self.ended.remove(&key);
        }
        let told = self.open.or_insert_with(now, key, || Told::NOTHING);
        let again = told.failed > 0 && told.last == event.account;
        if event.outcome == Outcome::Success {
            told.succeeded = true;
        } else {
            told.failed = told.failed.saturating_add(event.times);
            told.last = event.account.clone();
        }
        Some(again)
    }

    /// A server's fault in a session. Returns whether it is a try that nothing told yet: one login that meets a fault
    /// has up to three lines.
    pub(super) fn fault(&mut self, now: Time, event: &AuthEvent) -> bool {
        let Some(key) = Key::of(event) else { return true };
        let told = self.open.or_insert_with(now, key, || Told::NOTHING);
        let is_new = told.failed == 0 && !told.succeeded;
        if is_new {
            told.failed = 1;
        }
        is_new
    }

    /// The end of a session.
    pub(super) fn end(&mut self, now: Time, event: &AuthEvent, source: IpAddr) -> End {
        let Tells::End { failed, succeeded } = event.tells else { return End::Nothing };
        let key = Key::of(event);
        let told = key.and_then(|key| self.open.remove(&key));
        let start = now.minus(event.lasted.unwrap_or(LOGIN_TIME_MAX));
        let forgotten = told.is_none() && self.open.may_have_forgotten(start);
        let told = told.unwrap_or(Told::NOTHING);
        let over = key.is_some_and(|key| self.is_over(now, &key));
        let counted = match event.outcome {
            // Of a refused account servers count a success: the secret was right.
            Outcome::Denied => match succeeded {
                Some(succeeded) => failed.unwrap_or(0).saturating_add(succeeded.max(1)),
                None => failed.unwrap_or(0).max(1),
            },
            Outcome::ServerFault if event.account != Account::Hidden => failed.unwrap_or(0).max(1),
            _ => failed.unwrap_or(0),
        };
        let missing =
            if forgotten || over { 0 } else { counted.saturating_sub(told.failed).min(TRIES_PER_LINE_MAX) };
        if let Some(key) = key
            && !over
        {
            self.ended.insert(now, key, missing);
        }
        if missing > 0 {
            return End::Tries(tries(event, source, now, missing, &told));
        }
        if counted == 0 && event.outcome == Outcome::ServerFault {
            return End::Fault(Joined::Fault { time: now, service: event.service });
        }
        let tried = counted > 0 || told.failed > 0 || told.succeeded || succeeded.is_some_and(|n| n > 0);
        if tried || forgotten || over {
            return End::Nothing;
        }
        let lasted = event.lasted.or(told.connected.map(|start| event.time.since(start).max(Span::ZERO)));
        let (service, concurrent, guessed) = (event.service, 0, false);
        End::NoLogin(Joined::NoLogin { time: now, service, source, lasted, concurrent, guessed })
    }

    /// Whether the session's end was told by another line just now.
    fn is_over(&self, now: Time, key: &Key) -> bool {
        self.ended.dated(key).is_some_and(|(end, _)| now <= end.plus(LATE_LINES))
    }
}

/// The tries that only the end tells of: the last one with the name that the end shows, unless the last told try
/// was that one.
fn tries(event: &AuthEvent, source: IpAddr, now: Time, missing: u16, told: &Told) -> Vec<Attempt> {
    let last = attempt(event, source, now);
    let is_told = told.failed > 0 && told.last == last.account;
    let hidden = if is_told { missing } else { missing - 1 };
    // What is said of the last try is not known of those before.
    let before = Attempt { outcome: Outcome::Failed, ..nameless(&last) };
    let mut tries = vec![before; usize::from(hidden)];
    if !is_told {
        tries.push(last);
    }
    tries
}
