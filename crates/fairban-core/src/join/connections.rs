//! Connections under tcpserver (and sslserver), and which of them held no login.
//!
//! The log has three lines a connection (`pid`, `ok`, `end`), joined by process id alone; ids are used again. vchkpw
//! tells the logins in another file, by another clock, with the address but without a key: so what can be known is
//! how many of an address's connections held a login, not which. A connection that ended takes one login of its
//! address that was told while it was open, or a few seconds around ([`SLACK`]: one log's stamps are whole seconds,
//! and each daemon stamps when it gets to it). The connection that ended first takes the earliest, so as many find
//! one as can. One that finds none held no login.
//!
//! That is certain only while vchkpw tells successes too. At its default level, or where its log was not read, a
//! connection without a line may have been a good login: then it is marked as a guess.
//!
//! Lines can be forged where SMTP AUTH runs under tcpserver: vchkpw's complaint about a name goes into the same log,
//! line feeds and all. So an `ok` counts only after a `pid` line of the same address, and for a moment after such a
//! complaint ([`FORGING_TIME`]) no line opens a connection or tells of one. A whole set of forged lines at another
//! moment is impossible: only a complaint carries them.
//!
//! What an attacker gains by filling the tables: connections forgotten are neither counted nor told, so his own
//! count for less; an honest source's are forgotten as harmlessly.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::Joined;
use crate::event::{AuthEvent, Protocol, Service, Session, Tells};
use crate::time::{Span, Time};

/// Most connections followed at once, those that ended and wait for vchkpw's line included.
pub(super) const CONNECTIONS_MAX: usize = 65_536;

/// Most sources whose logins are remembered.
pub(super) const SOURCES_MAX: usize = 65_536;

/// Most distinct stamps of logins remembered of one source; more are counted at a later stamp.
const STAMPS_MAX: usize = 64;

/// Most logins remembered before the first line of tcpserver: whole seconds sort before it.
const EARLY_MAX: usize = 1_024;

/// How far vchkpw's stamp may lie outside the connection, and how long after its end a connection waits for it.
pub(super) const SLACK: Span = Span::secs(3);

/// How long after a complaint of vchkpw tcpserver's lines are suspect. multilog stamps what it reads at once with
/// stamps some microseconds apart.
const FORGING_TIME: Span = Span::millis(1);

/// Most processes of which a `pid` line right behind a complaint is remembered: the client's text has room for five.
const DOUBTED_MAX: usize = 16;

/// A connection whose end was not told after so long has lost it.
const OPEN_MAX: Span = Span::hours(24);

/// A connection that is open, or just ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Connection {
    order: u64,
    service: Service,
    source: IpAddr,
    /// When it was accepted, by the line's stamp.
    start: Time,
    /// What is spoken there, once the `ok` line has told the port.
    protocol: Option<Protocol>,
    /// tcpserver's rules refused it.
    denied: bool,
}

/// What is known of one address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Host {
    open: u32,
    /// Ended connections that wait for their login.
    ended: u32,
    /// Logins that no connection has taken, by stamp, the oldest first.
    logins: VecDeque<(Time, u32)>,
    /// Until when logins are kept although no connection is known.
    kept_until: Option<Time>,
    /// [`Due::Logins`] waits for this address.
    scheduled: bool,
}

/// Something to be decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Due {
    /// Whether a connection held a login.
    Ended { connection: Connection, end: Time, told: Time, concurrent: u16 },
    /// Whether logins of an address without connections are still worth keeping.
    Logins(IpAddr),
}

/// What a line of tcpserver came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It counts.
    Believed,
    /// It came when lines may be forged: it does not count.
    Doubted,
    /// It speaks of a connection that was never accepted: a client wrote it.
    Forged,
}

/// All connections under tcpserver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Connections {
    open: BTreeMap<u32, Connection>,
    by_age: BTreeMap<u64, u32>,
    next: u64,
    hosts: BTreeMap<IpAddr, Host>,
    /// Sources with open connections, by their number.
    holders: BTreeSet<(u32, IpAddr)>,
    due: VecDeque<(Time, Due)>,
    /// The last complaint of vchkpw in this log.
    complaint: Option<Time>,
    /// Processes whose `pid` line came right behind it.
    doubted: Vec<u32>,
    /// Any line of tcpserver was read: only then are logins remembered by source.
    active: bool,
    /// The logins of the last seconds before that: engine time, stamp, source.
    early: VecDeque<(Time, Time, IpAddr)>,
}

impl Connections {
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.due.front().map(|(due, _)| *due)
    }

    /// Whether a connection of this address is open or ended just now.
    pub(super) fn knows(&self, source: IpAddr) -> bool {
        self.hosts.get(&source).is_some_and(|host| host.open > 0 || host.ended > 0)
    }

    /// A line of tcpserver.
    pub(super) fn handle(&mut self, now: Time, event: &AuthEvent, out: &mut VecDeque<Joined>) -> Taken {
        if !self.active {
            self.active = true;
            for (_, stamp, source) in core::mem::take(&mut self.early) {
                self.login(now, stamp, source);
            }
        }
        if event.tells == Tells::Torn {
            self.complaint = Some(event.time);
            self.doubted.clear();
            return Taken::Believed;
        }
        let doubted =
            self.complaint.is_some_and(|at| at <= event.time && event.time <= at.plus(FORGING_TIME));
        match (event.tells, event.session, event.source) {
            (Tells::Connect, Session::Pid(pid), Some(source)) if event.port.is_none() => {
                if !doubted {
                    self.accepted(now, event, pid, source);
                } else if self.doubted.len() < DOUBTED_MAX {
                    self.doubted.push(pid);
                }
            }
            (Tells::Connect | Tells::TurnedAway, Session::Pid(pid), Some(source)) => {
                return self.admitted(now, event, pid, source, doubted, out);
            }
            // A forged end may hide that a connection is open, but never tells anything about it. A true one that
            // were ignored would leave the connection open for ever.
            (Tells::End { .. }, Session::Pid(pid), _) => self.ended(now, event.time, pid, doubted),
            (Tells::Slots { in_use, slots }, ..) if !doubted => {
                self.slots(now, event.service, in_use, slots, out);
            }
            (Tells::Fault, ..) => out.push_back(Joined::Fault { time: now, service: event.service }),
            (Tells::Gap { lost }, ..) => {
                out.push_back(Joined::Gap { time: now, service: event.service, lost });
            }
            _ => {}
        }
        if doubted { Taken::Doubted } else { Taken::Believed }
    }

    /// An `ok` or `deny` line.
    fn admitted(
        &mut self,
        now: Time,
        event: &AuthEvent,
        pid: u32,
        source: IpAddr,
        doubted: bool,
        out: &mut VecDeque<Joined>,
    ) -> Taken {
        let is_known = self.doubted.contains(&pid) || self.next == 0;
        match self.open.get_mut(&pid).filter(|connection| connection.source == source) {
            // Its `pid` line may have been a true one, or the log begins here.
            None if is_known => Taken::Doubted,
            None => Taken::Forged,
            Some(_) if doubted => Taken::Doubted,
            Some(connection) if event.tells == Tells::TurnedAway => {
                connection.denied = true;
                out.push_back(Joined::TurnedAway { time: now, service: event.service, source });
                Taken::Believed
            }
            Some(connection) => {
                connection.protocol = Some(event.protocol);
                Taken::Believed
            }
        }
    }

    /// A login that vchkpw tells of.
    pub(super) fn login(&mut self, now: Time, stamp: Time, source: IpAddr) {
        if !self.active {
            let is_old = |(told, ..): &(Time, Time, IpAddr)| told.plus(SLACK) < now;
            while self.early.len() >= EARLY_MAX || self.early.front().is_some_and(is_old) {
                self.early.pop_front();
            }
            self.early.push_back((now, stamp, source));
            return;
        }
        if self.hosts.len() >= SOURCES_MAX && !self.hosts.contains_key(&source) {
            return;
        }
        let host = self.hosts.entry(source).or_default();
        match host.logins.back_mut() {
            Some((last, count)) if *last >= stamp => *count = count.saturating_add(1),
            _ => host.logins.push_back((stamp, 1)),
        }
        if host.logins.len() > STAMPS_MAX
            && let Some((_, oldest)) = host.logins.pop_front()
            && let Some((_, count)) = host.logins.front_mut()
        {
            *count = count.saturating_add(oldest);
        }
        host.kept_until = Some(now.plus(SLACK));
        self.drop_if_idle(now, source);
    }

    /// Decides what waits longest, if its time is over at `now`. `certain` says whether vchkpw's log would have shown
    /// any login.
    pub(super) fn settle_due(&mut self, now: Time, certain: bool, out: &mut VecDeque<Joined>) {
        if self.next_deadline().is_none_or(|due| due > now) {
            return;
        }
        match self.due.pop_front() {
            Some((due, Due::Ended { connection, end, told, concurrent })) => {
                let source = connection.source;
                let held_login = self.take_login(due, source, connection.start, end);
                let Some(guessed) = guessed(&connection, certain).filter(|_| !held_login) else { return };
                let lasted = Some(end.since(connection.start).max(Span::ZERO));
                let service = connection.service;
                out.push_back(Joined::NoLogin { time: told, service, source, lasted, concurrent, guessed });
            }
            Some((due, Due::Logins(source))) => {
                if let Some(host) = self.hosts.get_mut(&source) {
                    host.scheduled = false;
                    self.drop_if_idle(due, source);
                }
            }
            None => {}
        }
    }

    fn accepted(&mut self, now: Time, event: &AuthEvent, pid: u32, source: IpAddr) {
        // The same id again: the end of the earlier one was lost.
        self.close(pid);
        while let Some((&order, &oldest)) = self.by_age.first_key_value() {
            let lost = self.open.get(&oldest).is_none_or(|connection| connection.start.plus(OPEN_MAX) < now);
            if !lost && self.open.len() < CONNECTIONS_MAX {
                break;
            }
            self.close(oldest);
            self.by_age.remove(&order);
        }
        let order = self.next;
        self.next += 1;
        let (service, start) = (event.service, event.time);
        self.open.insert(pid, Connection { order, service, source, start, protocol: None, denied: false });
        self.by_age.insert(order, pid);
        let host = self.hosts.entry(source).or_default();
        host.open += 1;
        self.holders.remove(&(host.open - 1, source));
        self.holders.insert((host.open, source));
    }

    fn ended(&mut self, now: Time, end: Time, pid: u32, doubted: bool) {
        let source = self.open.get(&pid).map(|connection| connection.source);
        let concurrent = source.and_then(|source| self.hosts.get(&source)).map_or(0, |host| host.open);
        let Some(connection) = self.close(pid) else { return };
        // The last: too many ended within a few seconds.
        if connection.denied || doubted || self.due.len() >= CONNECTIONS_MAX + SOURCES_MAX {
            self.drop_if_idle(now, connection.source);
            return;
        }
        let concurrent = u16::try_from(concurrent).unwrap_or(u16::MAX);
        self.hosts.entry(connection.source).or_default().ended += 1;
        self.due.push_back((now.plus(SLACK), Due::Ended { connection, end, told: now, concurrent }));
    }

    /// Forgets an open connection; its host stays.
    fn close(&mut self, pid: u32) -> Option<Connection> {
        let connection = self.open.remove(&pid)?;
        self.by_age.remove(&connection.order);
        if let Some(host) = self.hosts.get_mut(&connection.source) {
            self.holders.remove(&(host.open, connection.source));
            host.open = host.open.saturating_sub(1);
            if host.open > 0 {
                self.holders.insert((host.open, connection.source));
            }
        }
        Some(connection)
    }

    /// Takes the earliest login of `source` that a connection from `start` to `end` may have held.
    fn take_login(&mut self, now: Time, source: IpAddr, start: Time, end: Time) -> bool {
        let Some(host) = self.hosts.get_mut(&source) else { return false };
        host.ended = host.ended.saturating_sub(1);
        let (from, until) = (start.minus(SLACK), end.plus(SLACK));
        let fitting = host.logins.iter().position(|&(stamp, _)| from <= stamp && stamp <= until);
        if let Some(at) = fitting
            && let Some((_, count)) = host.logins.get_mut(at)
        {
            *count -= 1;
            if *count == 0 {
                host.logins.remove(at);
            }
        }
        self.drop_if_idle(now, source);
        fitting.is_some()
    }

    /// Forgets an address without connections, its logins after some seconds: the line that tells of their
    /// connection may sort behind theirs.
    fn drop_if_idle(&mut self, now: Time, source: IpAddr) {
        let Some(host) = self.hosts.get_mut(&source).filter(|host| host.open == 0 && host.ended == 0) else {
            return;
        };
        if host.logins.is_empty() || host.kept_until.is_none_or(|until| until <= now) {
            // What may still be due for it finds nothing.
            self.hosts.remove(&source);
        } else if !host.scheduled {
            host.scheduled = true;
            self.due.push_back((now.plus(SLACK), Due::Logins(source)));
        }
    }

    fn slots(&self, time: Time, service: Service, in_use: u32, slots: u32, out: &mut VecDeque<Joined>) {
        let largest = self.holders.last().map(|&(open, source)| (source, open));
        out.push_back(Joined::Slots { time, service, in_use, slots, largest });
    }
}

/// Whether "no login" is a guess; `None` where a connection without a login means nothing: on port 25 mail comes in.
fn guessed(connection: &Connection, certain: bool) -> Option<bool> {
    match connection.protocol {
        Some(Protocol::Smtp) => None,
        Some(Protocol::Pop3 | Protocol::Imap | Protocol::Submission) => Some(!certain),
        // A port that no login service is known for, or a client that left before its port was told.
        _ => Some(true),
    }
}
