//! Administrators who are logged in over SSH now, as far as the log tells: a ban of their address would lock them out.
//!
//! Only a login counts, so a connection before it never does; and not one of a source that was guessing (a *hit*), nor
//! one that a ban in force would have kept out. The end of the connection takes it away. An end that the log lost does not
//! protect anybody for ever: whoever shuts sources out looks for the very connection, address and port, at that moment.
//!
//! What somebody gains by filling the table: nobody but administrators can, and he who is one already needs nothing more.

use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::source::{HIT, Unit};
use super::{Case, Judge};
use crate::engine::AdminSession;
use crate::event::{AuthEvent, Service, Tells};
use crate::time::Span;

/// Most addresses that are protected so. A further one takes the place of the one that was silent longest, but only if
/// that was for [`STALE_AFTER`]: nobody pushes out who logged in today.
const ADDRESSES_MAX: usize = 16;
/// Most connections remembered of one address; the oldest goes.
const CONNECTIONS_MAX: usize = 8;
const STALE_AFTER: Span = Span::hours(24);

/// In the order of their logins.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Sessions {
    open: Vec<AdminSession>,
}

impl Sessions {
    fn add(&mut self, session: AdminSession) {
        self.end(session.source, session.port);
        let of = |source: IpAddr| move |open: &AdminSession| open.source == source;
        if !self.open.iter().any(of(session.source)) && self.addresses() >= ADDRESSES_MAX {
            let last = |source| self.open.iter().rfind(|open| of(source)(open)).map(|open| open.since);
            // Not empty, for there are that many.
            let Some(stale) = self.open.iter().map(|open| open.source).min_by_key(|source| last(*source))
            else {
                return;
            };
            if last(stale).is_some_and(|last| session.since.since(last) < STALE_AFTER) {
                return;
            }
            self.open.retain(|open| open.source != stale);
        }
        let mine = self.open.iter().filter(|open| of(session.source)(open)).count();
        if mine >= CONNECTIONS_MAX
            && let Some(oldest) = self.open.iter().position(of(session.source))
        {
            self.open.remove(oldest);
        }
        self.open.push(session);
    }

    fn end(&mut self, source: IpAddr, port: u16) {
        self.open.retain(|open| (open.source, open.port) != (source, port));
    }

    fn addresses(&self) -> usize {
        let mut all: Vec<IpAddr> = self.open.iter().map(|open| open.source).collect();
        all.sort_unstable();
        all.dedup();
        all.len()
    }
}

impl Judge {
    /// A line that begins or ends a connection: what was known of that address and port is over.
    pub(crate) fn connection_line(&mut self, event: &AuthEvent) {
        if event.service == Service::Sshd
            && matches!(event.tells, Tells::End { .. } | Tells::Connect)
            && let (Some(source), Some(port)) = (event.source, event.port)
        {
            self.sessions.end(source, port);
        }
    }

    /// A success that is judged: remembered if it is an administrator's.
    pub(super) fn note_session(&mut self, case: &Case<'_>) {
        let attempt = case.attempt;
        let (Service::Sshd, Some(port), Some(account)) = (attempt.service, attempt.port, case.logged.key())
        else {
            return;
        };
        if self.config.admins.contains(account) {
            let (account, source, since) = (account.clone(), attempt.source, self.now);
            self.sessions.add(AdminSession { account, source, port, since });
        }
    }

    /// See [`Engine::admin_sessions`](crate::engine::Engine::admin_sessions).
    pub(crate) fn admin_sessions(&self) -> impl Iterator<Item = &AdminSession> {
        self.sessions.open.iter().filter(|open| {
            let guessed = self.sources.get(Unit::of(open.source).0).is_some_and(|source| source.has(HIT));
            !guessed && self.config.admins.contains(&open.account)
        })
    }

    /// What `why` says of a source from which an administrator is logged in.
    pub(super) fn session_remark(&self, unit: Unit) -> Option<String> {
        let session = self.admin_sessions().find(|open| Unit::of(open.source) == unit)?;
        Some(format!(
            "Protected because an administrator ({}) is logged in over SSH from {} port {}: it is not shut out while that \
             connection is open.",
            crate::escape::escaped(session.account.as_bytes()),
            session.source,
            session.port
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::AccountKey;
    use crate::time::Time;

    fn session(last: u8, port: u16, hours: i64) -> AdminSession {
        let account = AccountKey::new(b"root");
        AdminSession {
            account,
            source: [192, 0, 2, last].into(),
            port,
            since: Time::from_secs(hours * 3_600),
        }
    }

    #[test]
    fn sixteen_addresses_and_nobody_of_today_is_pushed_out() {
        let mut sessions = Sessions::default();
        for last in 1..=40 {
            sessions.add(session(last, 1_000, 0));
        }
        assert_eq!(sessions.addresses(), ADDRESSES_MAX);
        assert_eq!(sessions.open[0].source, IpAddr::from([192, 0, 2, 1]), "the first stays");
        sessions.add(session(1, 2_000, 20));
        sessions.add(session(99, 1_000, 25));
        assert_eq!(sessions.addresses(), ADDRESSES_MAX);
        let is_there = |last| sessions.open.iter().any(|open| open.source == IpAddr::from([192, 0, 2, last]));
        assert!(is_there(1) && is_there(99) && !is_there(2), "{sessions:?}");
    }

    #[test]
    fn one_address_takes_no_room_of_others() {
        let mut sessions = Sessions::default();
        for port in 1..100 {
            sessions.add(session(1, port, 0));
        }
        assert_eq!(sessions.open.len(), CONNECTIONS_MAX);
        assert_eq!(sessions.open[0].port, 92);
        for port in 1..100 {
            sessions.end([192, 0, 2, 1].into(), port);
        }
        assert!(sessions.open.is_empty());
    }
}
