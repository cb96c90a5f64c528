//! Postfix: one smtpd serves one connection after another, and tells at the end of each how many logins failed and
//! how many succeeded (`auth=1/3`).
//!
//! A failed try has its own line; a login that works has none. Its name shows only when a mail is sent, and then once
//! a mail. So a session's successes are told like this:
//!
//! - The first mail's line is a success of that account. SMTP allows one login a session, so further mails tell no
//!   more of it.
//! - Successes that the end counts beyond that have no name. If tries failed in the session, [`Joined::SessionEnd`]
//!   carries their number: the judge takes a pending failure of the session back for each, and gives what credit a
//!   nameless success is worth. If none failed, there is nothing to take back, and the login is an attempt of its own
//!   with a hidden account. Never both.
//!
//! Failures that the end counts beyond the lines are no tries. Postfix writes a line for each secret that was checked
//! and refused; without one the client said AUTH and left in the middle, or said it where it is not offered. That is a
//! connection without a login, and, unlike others on port 25, not a mail server's.
//!
//! What an attacker gains by filling the table: the session open for longest is forgotten, and its end then tells
//! its successes but adds no tries. Postfix runs a hundred processes unless told otherwise, and each has one session.

use core::net::IpAddr;
use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::aged::Aged;
use super::attempt::{attempt, nameless};
use super::{Attempt, Joined};
use crate::event::{AuthEvent, Outcome, Protocol, Service, Session, Tells};
use crate::time::{Span, Time};

/// Most smtpd processes followed at once.
pub(super) const SMTPD_MAX: usize = 16_384;

/// An open session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    source: IpAddr,
    /// By the line's own stamp, where a line told of the connection.
    connected: Option<Time>,
    /// Tries told that did not succeed, whatever the reason.
    failed: u16,
    /// Those of them that a success may excuse.
    excusable: u16,
    /// A mail named the account.
    used: bool,
    /// The authentication server could not be reached: the next failure is the server's.
    fault: bool,
}

impl Open {
    fn new(source: IpAddr) -> Open {
        Open { source, connected: None, failed: 0, excusable: 0, used: false, fault: false }
    }
}

/// The sessions of all smtpd processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Smtpds {
    open: Aged<u32, Open, SMTPD_MAX>,
}

impl Smtpds {
    pub(super) const fn new() -> Smtpds {
        Smtpds { open: Aged::new() }
    }

    pub(super) fn connect(&mut self, now: Time, event: &AuthEvent, source: IpAddr) {
        if let Session::Pid(pid) = event.session {
            self.open.insert(now, pid, Open { connected: Some(event.time), ..Open::new(source) });
        }
    }

    /// The authentication server failed this process; the line may name no client.
    pub(super) fn fault(&mut self, event: &AuthEvent) {
        if let Session::Pid(pid) = event.session
            && let Some(open) = self.open.lookup(&pid)
        {
            open.fault = true;
        }
    }

    /// A try's own line: how it ended, which an earlier line of the process may know better.
    pub(super) fn attempt(&mut self, now: Time, event: &AuthEvent, told: Outcome, source: IpAddr) -> Outcome {
        let Session::Pid(pid) = event.session else { return told };
        let open = self.session(now, pid, source);
        if told == Outcome::Success {
            open.used = true;
            return told;
        }
        let outcome = if core::mem::take(&mut open.fault) { Outcome::ServerFault } else { told };
        open.failed = open.failed.saturating_add(event.times);
        if !matches!(outcome, Outcome::ServerFault | Outcome::Aborted) {
            open.excusable = open.excusable.saturating_add(event.times);
        }
        outcome
    }

    /// A mail from a logged-in user. Returns whether it tells of a login that no line told.
    pub(super) fn used(&mut self, now: Time, event: &AuthEvent, source: IpAddr) -> bool {
        let Session::Pid(pid) = event.session else { return true };
        !core::mem::replace(&mut self.session(now, pid, source).used, true)
    }

    /// The end of a session.
    pub(super) fn end(&mut self, now: Time, event: &AuthEvent, source: IpAddr, out: &mut VecDeque<Joined>) {
        let Tells::End { failed, succeeded } = event.tells else { return };
        let counts = failed.is_some();
        let (failed, succeeded) = (failed.unwrap_or(0), succeeded.unwrap_or(0));
        let session = match event.session {
            Session::Pid(pid) => self.open.remove(&pid).filter(|open| open.source == source),
            _ => None,
        };
        let Some(open) = session else {
            // What its lines told before is not known: no try is added, and successes only excuse.
            if failed > 0 || succeeded > 0 {
                out.push_back(session_end(now, event, source, succeeded));
            }
            return;
        };
        let mut unnamed = succeeded.saturating_sub(u16::from(open.used));
        if unnamed > 0 && open.excusable == 0 {
            let hidden = nameless(&attempt(event, source, now));
            out.push_back(Joined::Attempt(Attempt { outcome: Outcome::Success, ..hidden }));
            unnamed = 0;
        }
        if open.failed > 0 || open.used || succeeded > 0 {
            out.push_back(session_end(now, event, source, unnamed));
        } else if failed > 0 || (counts && event.protocol == Protocol::Submission) {
            // Where nobody said AUTH on port 25, or on a port that is not known, it is a mail server. And a Postfix
            // that does not count tries (before 3.0) may have seen a good one.
            let lasted = event.lasted.or(open.connected.map(|start| event.time.since(start).max(Span::ZERO)));
            let service = Service::Postfix;
            out.push_back(Joined::NoLogin {
                time: now,
                service,
                source,
                lasted,
                concurrent: 0,
                guessed: false,
            });
        }
    }

    /// The open session of a process, begun now if the log did not tell of its beginning.
    fn session(&mut self, now: Time, pid: u32, source: IpAddr) -> &mut Open {
        if self.open.lookup(&pid).is_some_and(|open| open.source != source) {
            self.open.remove(&pid);
        }
        self.open.or_insert_with(now, pid, || Open::new(source))
    }
}

fn session_end(time: Time, event: &AuthEvent, source: IpAddr, unnamed_successes: u16) -> Joined {
    Joined::SessionEnd { time, service: event.service, source, session: event.session, unnamed_successes }
}
