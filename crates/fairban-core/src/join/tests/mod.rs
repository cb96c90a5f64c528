//! Situations, by name: what the lines of a real log tell, and the attempts that they must come to.

mod bounds;
mod dovecot;
mod postfix;
mod qmail;
mod random;
mod sshd;

use core::net::IpAddr;
use std::collections::VecDeque;

use super::{Attempt, Joined, Joiner};
use crate::account::{Account, AccountKey};
use crate::event::{AuthEvent, Outcome, Protocol, Service, Session, Tells};
use crate::time::{Span, Time};

const CLIENT: &str = "192.0.2.10";
const OTHER: &str = "198.51.100.20";
const VICTIM: &str = "8.8.8.8";

/// A joiner that reads a log, and what it told.
#[derive(Default)]
struct Log {
    joiner: Joiner,
    now: Time,
    told: VecDeque<Joined>,
}

impl Log {
    /// A line, so many milliseconds after the start of the log.
    fn at(&mut self, millis: i64, event: AuthEvent) -> &mut Log {
        let stamp = Time::from_micros(millis * 1_000);
        self.stamped(stamp, event)
    }

    /// A line with a stamp that may lie before engine time.
    fn stamped(&mut self, stamp: Time, event: AuthEvent) -> &mut Log {
        self.now = self.now.max(stamp);
        self.joiner.advance(self.now, &mut self.told);
        self.joiner.handle(self.now, &AuthEvent { time: stamp, ..event }, &mut self.told);
        self
    }

    /// Lets time pass.
    fn until(&mut self, millis: i64) -> &mut Log {
        self.now = Time::from_micros(millis * 1_000);
        self.joiner.advance(self.now, &mut self.told);
        self
    }

    /// Lets everything become due.
    fn finish(&mut self) -> &mut Log {
        self.now = self.now.plus(Span::hours(1));
        self.joiner.advance(self.now, &mut self.told);
        assert_eq!(self.joiner.next_deadline(), None);
        self
    }

    fn attempts(&self) -> Vec<&Attempt> {
        self.told
            .iter()
            .filter_map(|told| if let Joined::Attempt(attempt) = told { Some(attempt) } else { None })
            .collect()
    }

    /// Account (`?` if hidden, `name*` if cut) and outcome of each attempt.
    fn tries(&self) -> Vec<(String, Outcome)> {
        self.attempts().iter().map(|attempt| (spelt(&attempt.account), attempt.outcome)).collect()
    }

    fn no_logins(&self) -> usize {
        self.told.iter().filter(|told| matches!(told, Joined::NoLogin { .. })).count()
    }

    fn session_ends(&self) -> Vec<u16> {
        let end = |told: &Joined| match told {
            Joined::SessionEnd { unnamed_successes, .. } => Some(*unnamed_successes),
            _ => None,
        };
        self.told.iter().filter_map(end).collect()
    }

    fn tells_torn(&self, service: Service) -> bool {
        self.told.iter().any(|told| matches!(told, Joined::Torn { service: of, .. } if *of == service))
    }

    fn accuses(&self, source: &str) -> bool {
        let source = address(source);
        self.told.iter().any(|told| match told {
            Joined::Attempt(attempt) => attempt.source == source,
            Joined::NoLogin { source: of, .. } | Joined::TurnedAway { source: of, .. } => *of == source,
            _ => false,
        })
    }
}

fn spelt(account: &Account) -> String {
    let text = |key: &AccountKey| String::from_utf8_lossy(key.as_bytes()).into_owned();
    match account {
        Account::Known(key) | Account::Last { key, .. } => text(key),
        Account::Cut(key) => text(key) + "*",
        Account::Hidden => "?".to_owned(),
    }
}

fn tries<const N: usize>(tries: [(&str, Outcome); N]) -> Vec<(String, Outcome)> {
    tries.iter().map(|(account, outcome)| ((*account).to_owned(), *outcome)).collect()
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn known(name: &str) -> Account {
    Account::Known(AccountKey::new(name.as_bytes()))
}

fn cut(name: &str) -> Account {
    Account::Cut(AccountKey::new(name.as_bytes()))
}

fn event(service: Service, tells: Tells, source: &str, session: Session) -> AuthEvent {
    let protocol = if service == Service::Sshd { Protocol::Ssh } else { Protocol::Submission };
    AuthEvent { protocol, source: Some(address(source)), session, ..AuthEvent::new(service, tells) }
}

/// A line that tells a try.
fn attempt(
    service: Service,
    source: &str,
    session: Session,
    account: Account,
    outcome: Outcome,
) -> AuthEvent {
    AuthEvent { account, outcome, ..event(service, Tells::Attempt, source, session) }
}

fn end(
    service: Service,
    source: &str,
    session: Session,
    failed: Option<u16>,
    succeeded: Option<u16>,
) -> AuthEvent {
    event(service, Tells::End { failed, succeeded }, source, session)
}
