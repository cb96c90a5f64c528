//! [`Joiner`]: the one door through which events become attempts.

use core::net::IpAddr;
use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::aged::Aged;
use super::attempt::{attempt, nameless, unrolled};
use super::connections::{Connections, Taken};
use super::echoes::Echoes;
use super::sessions::{End, Sessions};
use super::smtpd::Smtpds;
use super::suspicion::Suspicion;
use super::{Attempt, Joined};
use crate::event::{AuthEvent, Outcome, Protocol, Service, Session, Tells};
use crate::time::{Span, Time};

/// Most sshd processes whose refusal of a name is remembered. More at once: the oldest try counts as the line of the
/// try itself tells it, as a wrong secret instead of a denied account, say.
const REFUSALS_MAX: usize = 8_192;

/// How long a refusal holds for the tries of its process. sshd closes a connection without a login after two minutes.
const REFUSAL_TIME: Span = Span::minutes(10);

/// Most logins at vpopmail of which a fault may still be told. The fault's line follows directly.
const VPOPMAIL_LOGINS_MAX: usize = 64;

/// How long after a gap a log may lack the lines of tries.
const GAP_TIME: Span = Span::minutes(10);

/// How often torn records of one service are told.
const TORN_TOLD_EVERY: Span = Span::hours(1);

/// Lines that were not believed or could not be used, since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignored {
    /// Lines of tcpserver without the `pid` line of the same address, or in the moment after a complaint of vchkpw
    /// about a name.
    pub forged_connections: u64,
    /// Records of vchkpw behind a torn one whose address no connection confirmed.
    pub after_torn: u64,
    /// Lines whose session id speaks of another address.
    pub contradicted: u64,
    /// Tries and mails without an address.
    pub without_source: u64,
}

/// A name that sshd refused before the try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Refusal {
    source: Option<IpAddr>,
    outcome: Outcome,
}

/// Makes attempts of events. A function of the events and times it was given, in order; equal states have equal bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joiner {
    sessions: Sessions,
    smtpds: Smtpds,
    echoes: Echoes,
    connections: Connections,
    suspicion: Suspicion,
    refusals: Aged<u32, Refusal, REFUSALS_MAX>,
    vpopmail_logins: VecDeque<(u32, IpAddr)>,
    /// vpopmail's log shows successes.
    vpopmail_shows_logins: bool,
    /// Until when vpopmail's log may lack lines.
    vpopmail_gap_until: Option<Time>,
    /// vchkpw served SMTP AUTH: tcpserver's log can be forged.
    forgeable: bool,
    torn_told: [Option<Time>; Service::ALL.len()],
    ignored: Ignored,
}

impl Default for Joiner {
    fn default() -> Joiner {
        Joiner::new()
    }
}

impl Joiner {
    /// A joiner that has read nothing.
    pub fn new() -> Joiner {
        Joiner {
            sessions: Sessions::new(),
            smtpds: Smtpds::new(),
            echoes: Echoes::default(),
            connections: Connections::default(),
            suspicion: Suspicion::default(),
            refusals: Aged::new(),
            vpopmail_logins: VecDeque::new(),
            vpopmail_shows_logins: false,
            vpopmail_gap_until: None,
            forgeable: false,
            torn_told: [None; Service::ALL.len()],
            ignored: Ignored::default(),
        }
    }

    /// Takes an event at engine time `now`, which never runs back; `event.time` may lie before it (an older line) and
    /// serves to measure lengths within one log. Call [`Joiner::advance`] with the same `now` first.
    pub fn handle(&mut self, now: Time, event: &AuthEvent, out: &mut VecDeque<Joined>) {
        if !self.suspicion.believes(event.witness) {
            self.ignored.contradicted += 1;
            return;
        }
        if matches!(event.service, Service::Tcpserver | Service::Sslserver) {
            if self.connections.handle(now, event, out) == Taken::Forged {
                self.ignored.forged_connections += 1;
                self.forgeable = true;
                self.tell_torn(now, event.service, out);
            }
            return;
        }
        if event.service == Service::Vpopmail && !self.believes_vpopmail(now, event, out) {
            return;
        }
        match event.tells {
            Tells::Attempt => self.attempt(now, event, out),
            Tells::Echo => self.echo(now, event, out),
            Tells::Connect => self.connect(now, event),
            Tells::End { .. } => self.end(now, event, out),
            Tells::Refused => self.refused(now, event),
            Tells::Used => self.used(now, event, out),
            Tells::Fault => {
                self.smtpds.fault(event);
                out.push_back(Joined::Fault { time: now, service: event.service });
            }
            Tells::Slots { in_use, slots } => {
                let (time, service) = (now, event.service);
                out.push_back(Joined::Slots { time, service, in_use, slots, largest: None });
            }
            Tells::TurnedAway => {
                if let Some(source) = event.source {
                    out.push_back(Joined::TurnedAway { time: now, service: event.service, source });
                }
            }
            Tells::Gap { lost } => self.gap(now, event.service, lost, out),
            Tells::Torn => self.tell_torn(now, event.service, out),
        }
    }

    /// Tells everything that became due up to and including `now`, in the order of its deadlines. How often it is
    /// called changes nothing in what is told, but who wants to act on each thing at its own time calls it with
    /// [`Joiner::next_deadline`] until that is later than `now`.
    pub fn advance(&mut self, now: Time, out: &mut VecDeque<Joined>) {
        while let Some(due) = self.next_deadline().filter(|due| *due <= now) {
            if self.connections.next_deadline() == Some(due) {
                let certain =
                    self.vpopmail_shows_logins && self.vpopmail_gap_until.is_none_or(|until| until < due);
                self.connections.settle_due(due, certain, out);
            } else {
                self.echoes.settle_due(due, out);
            }
        }
    }

    /// When the next thing becomes due without an event.
    pub fn next_deadline(&self) -> Option<Time> {
        [self.echoes.next_deadline(), self.connections.next_deadline()].into_iter().flatten().min()
    }

    /// Lines that were not believed or could not be used so far.
    pub fn ignored(&self) -> Ignored {
        self.ignored
    }

    /// Whether clients can write into the log of tcpserver: SMTP AUTH runs under it, or a forged line was found. Then
    /// no ban may rest on connections alone.
    pub fn connections_forgeable(&self) -> bool {
        self.forgeable
    }

    fn attempt(&mut self, now: Time, event: &AuthEvent, out: &mut VecDeque<Joined>) {
        let Some(source) = event.source else {
            self.ignored.without_source += 1;
            return;
        };
        let outcome = match event.service {
            Service::Postfix => self.smtpds.attempt(now, event, source),
            Service::Sshd => self.refused_outcome(now, event),
            Service::Vpopmail if self.is_fault_after_login(event, source) => {
                out.push_back(Joined::Fault { time: now, service: event.service });
                return;
            }
            _ => event.outcome,
        };
        if matches!(event.service, Service::Dovecot | Service::Sshd) && !self.sessions.attempt(now, event) {
            return;
        }
        if outcome == Outcome::Aborted {
            // The client broke off before a secret was checked: nothing was tried.
            return;
        }
        let has_echoes = matches!(event.service, Service::Dovecot | Service::Sshd | Service::Postfix);
        let (times, hidden) = unrolled(event);
        let last = Attempt { outcome, ..attempt(event, source, now) };
        for _ in 1..times {
            self.tell(now, &last, hidden, has_echoes, out);
        }
        self.tell(now, &last, hidden, has_echoes, out);
    }

    /// Tells a try, the tries before it that the line does not name first.
    fn tell(&mut self, now: Time, last: &Attempt, hidden: u16, has_echoes: bool, out: &mut VecDeque<Joined>) {
        for index in 0..=hidden {
            let mut attempt = if index < hidden { nameless(last) } else { last.clone() };
            if has_echoes {
                self.echoes.claim(now, &mut attempt, out);
            }
            out.push_back(Joined::Attempt(attempt));
        }
    }

    fn echo(&mut self, now: Time, event: &AuthEvent, out: &mut VecDeque<Joined>) {
        // Without an address (`check pass; user unknown`) it adds nothing to the line that has one.
        let Some(source) = event.source else { return };
        let (times, hidden) = unrolled(event);
        let mut last = attempt(event, source, now);
        let outcome = self.refused_outcome(now, event);
        if outcome != event.outcome {
            last.outcome = outcome;
        }
        for _ in 0..times {
            for _ in 0..hidden {
                self.echoes.echo(now, nameless(&last), out);
            }
            self.echoes.echo(now, last.clone(), out);
        }
    }

    fn connect(&mut self, now: Time, event: &AuthEvent) {
        match (event.service, event.source) {
            (Service::Postfix, Some(source)) => self.smtpds.connect(now, event, source),
            (Service::Sshd, Some(_)) => self.sessions.connect(now, event),
            // Dovecot logs no connections, and no other service has sessions here.
            _ => {}
        }
    }

    fn end(&mut self, now: Time, event: &AuthEvent, out: &mut VecDeque<Joined>) {
        if let (Service::Sshd, Session::Pid(pid)) = (event.service, event.session) {
            self.refusals.remove(&pid);
        }
        // An end without an address is followed by one with it.
        let Some(source) = event.source else { return };
        if event.service == Service::Postfix {
            self.smtpds.end(now, event, source, out);
            return;
        }
        match self.sessions.end(now, event, source) {
            End::Nothing => {}
            End::NoLogin(_) if event.service == Service::Sshd && self.echoes.ssh_waits(source) => {}
            End::NoLogin(joined) | End::Fault(joined) => out.push_back(joined),
            End::Tries(tries) => {
                for mut attempt in tries {
                    self.echoes.claim(now, &mut attempt, out);
                    out.push_back(Joined::Attempt(attempt));
                }
            }
        }
    }

    fn used(&mut self, now: Time, event: &AuthEvent, out: &mut VecDeque<Joined>) {
        let Some(source) = event.source else {
            self.ignored.without_source += 1;
            return;
        };
        if self.smtpds.used(now, event, source) {
            let outcome = Outcome::Success;
            out.push_back(Joined::Attempt(Attempt { outcome, ..attempt(event, source, now) }));
        }
    }

    fn refused(&mut self, now: Time, event: &AuthEvent) {
        if let Session::Pid(pid) = event.session {
            self.refusals.insert(now, pid, Refusal { source: event.source, outcome: event.outcome });
        }
    }

    /// How a try ended, by what its process said before.
    fn refused_outcome(&mut self, now: Time, event: &AuthEvent) -> Outcome {
        let Session::Pid(pid) = event.session else { return event.outcome };
        if self.refusals.is_empty() {
            return event.outcome;
        }
        let refusal = match self.refusals.dated(&pid) {
            Some((time, refusal)) if now <= time.plus(REFUSAL_TIME) => *refusal,
            _ => return event.outcome,
        };
        if refusal.source.is_some() && refusal.source != event.source {
            return event.outcome;
        }
        match (event.outcome, refusal.outcome) {
            (Outcome::Failed | Outcome::BadSecret | Outcome::UnknownAccount, Outcome::Denied) => {
                Outcome::Denied
            }
            (Outcome::Failed | Outcome::BadSecret, Outcome::UnknownAccount) => Outcome::UnknownAccount,
            (outcome, _) => outcome,
        }
    }

    /// Whether a record of vchkpw counts; remembers what it says about vchkpw's log and connections.
    fn believes_vpopmail(&mut self, now: Time, event: &AuthEvent, out: &mut VecDeque<Joined>) -> bool {
        match event.tells {
            Tells::Torn => {
                self.suspicion.torn();
                self.tell_torn(now, event.service, out);
                return false;
            }
            Tells::Attempt => {}
            _ => return true,
        }
        let witnessed = |source| self.connections.knows(source);
        if self.suspicion.next_is_doubtful() && !event.source.is_some_and(witnessed) {
            self.ignored.after_torn += 1;
            return false;
        }
        self.forgeable |= matches!(event.protocol, Protocol::Smtp | Protocol::Submission);
        self.vpopmail_shows_logins |= event.outcome == Outcome::Success;
        if let Some(source) = event.source {
            self.connections.login(now, event.time, source);
        }
        true
    }

    /// vchkpw tells a success, then fails to change to the user: one try.
    fn is_fault_after_login(&mut self, event: &AuthEvent, source: IpAddr) -> bool {
        let Session::Pid(pid) = event.session else { return false };
        match event.outcome {
            Outcome::Success => {
                if self.vpopmail_logins.len() >= VPOPMAIL_LOGINS_MAX {
                    self.vpopmail_logins.pop_front();
                }
                self.vpopmail_logins.push_back((pid, source));
                false
            }
            Outcome::ServerFault => self.vpopmail_logins.contains(&(pid, source)),
            _ => false,
        }
    }

    fn gap(&mut self, now: Time, service: Service, lost: u32, out: &mut VecDeque<Joined>) {
        if service == Service::Vpopmail {
            self.vpopmail_gap_until = Some(now.plus(GAP_TIME));
        }
        out.push_back(Joined::Gap { time: now, service, lost });
    }

    fn tell_torn(&mut self, now: Time, service: Service, out: &mut VecDeque<Joined>) {
        let told = &mut self.torn_told[service.index()];
        if told.is_none_or(|told| told.plus(TORN_TOLD_EVERY) <= now) {
            *told = Some(now);
            out.push_back(Joined::Torn { time: now, service });
        }
    }
}
