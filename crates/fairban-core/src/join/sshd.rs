//! What the lines of one sshd process say about each other.
//!
//! A name that is not allowed is refused before the try, in a line of its own; the try's line then calls it invalid, or
//! its secret wrong. And sshd cuts its lines at 500 bytes: a client with a long enough name has its address cut off, so
//! that only the process id is left. It is given the address that another line of the process names, before or after.
//!
//! What an attacker gains by filling the table: some thousand processes at once, which `MaxStartups` (100 by default)
//! does not allow, and then a denied account counts as a wrong secret, and a try without an address is not told.

use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::aged::Aged;
use crate::event::{AuthEvent, Outcome, Session, Tells};
use crate::time::{Span, Time};

/// Most sshd processes remembered.
pub(super) const PROCESSES_MAX: usize = 8_192;

/// How long what one line says holds for others: sshd closes a connection without a login after two minutes.
const PROCESS_TIME: Span = Span::minutes(10);

/// Most tries without an address that wait for it. sshd allows six a connection.
const HOMELESS_MAX: u16 = 16;

/// What is known of one process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Process {
    source: Option<IpAddr>,
    port: Option<u16>,
    /// Why its name was refused.
    refused: Option<Outcome>,
    /// Tries told without an address.
    homeless: u16,
}

/// The sshd processes of late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Processes {
    processes: Aged<u32, Process, PROCESSES_MAX>,
}

impl Processes {
    pub(super) const fn new() -> Processes {
        Processes { processes: Aged::new() }
    }

    /// Takes note of a line. Returns how many tries told before lacked the address that it has.
    pub(super) fn note(&mut self, now: Time, event: &AuthEvent) -> u16 {
        let Session::Pid(pid) = event.session else { return 0 };
        let outlived = self.processes.dated(&pid).is_some_and(|(time, process)| {
            let other = event.source.is_some() && process.source.is_some() && event.source != process.source;
            time.plus(PROCESS_TIME) < now || other || event.tells == Tells::Connect
        });
        if outlived {
            self.processes.remove(&pid);
        }
        let process = self.processes.or_insert_with(now, pid, Process::default);
        process.source = process.source.or(event.source);
        process.port = process.port.or(event.port);
        if event.tells == Tells::Refused {
            process.refused = process.refused.max(Some(event.outcome));
        }
        if event.tells == Tells::Attempt && process.source.is_none() {
            process.homeless = process.homeless.saturating_add(event.times).min(HOMELESS_MAX);
        }
        if process.source.is_some() { core::mem::take(&mut process.homeless) } else { 0 }
    }

    /// The line with the address that its process has, and with the outcome that its process knows; `None` if it is
    /// right as it is.
    pub(super) fn completed(&self, event: &AuthEvent) -> Option<AuthEvent> {
        let Session::Pid(pid) = event.session else { return None };
        let (_, process) = self.processes.dated(&pid)?;
        let source = match event.tells {
            // The line that has the address is another echo of the same try.
            Tells::Echo => event.source,
            _ => event.source.or(process.source),
        };
        let port = event.port.or(process.port);
        let outcome = match (event.tells, process.refused) {
            (Tells::Attempt | Tells::Echo, Some(refused)) => outcome(event.outcome, refused),
            _ => event.outcome,
        };
        let is_complete = (source, port, outcome) == (event.source, event.port, event.outcome);
        (!is_complete).then(|| AuthEvent { source, port, outcome, ..event.clone() })
    }

    /// The process has no more to say.
    pub(super) fn ended(&mut self, event: &AuthEvent) {
        if let (Session::Pid(pid), Some(_)) = (event.session, event.source) {
            self.processes.remove(&pid);
        }
    }
}

/// How a try ended whose name had been refused before.
fn outcome(told: Outcome, refused: Outcome) -> Outcome {
    match (told, refused) {
        (Outcome::Failed | Outcome::BadSecret | Outcome::UnknownAccount, Outcome::Denied) => Outcome::Denied,
        (Outcome::Failed | Outcome::BadSecret, Outcome::UnknownAccount) => Outcome::UnknownAccount,
        _ => told,
    }
}
