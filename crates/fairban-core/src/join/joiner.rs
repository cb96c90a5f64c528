//! [`Joiner`]: the one door through which events become attempts.

use core::net::IpAddr;
use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::attempt::{attempt, nameless, unrolled};
use super::connections::{Connections, Taken};
use super::echoes::Echoes;
use super::sessions::{End, Sessions};
use super::smtpd::Smtpds;
use super::sshd::Processes;
use super::suspicion::Suspicion;
use super::{Attempt, Joined};
use crate::account::Account;
use crate::event::{AuthEvent, Outcome, Protocol, Service, Session, Tells};
use crate::time::{Span, Time};

/// Most logins at vpopmail of which a fault may still be told. The fault's line follows directly.
const VPOPMAIL_LOGINS_MAX: usize = 64;

/// How long after a gap a log may lack the lines of tries.
const GAP_TIME: Span = Span::minutes(10);

/// How often torn records of one service are told.
const TORN_TOLD_EVERY: Span = Span::hours(1);

/// Lines that were not believed or could not be used, since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignored {
    /// Lines of tcpserver about a connection that was never accepted.
    pub forged_connections: u64,
    /// Lines of tcpserver in the moment after a complaint of vchkpw about a name: most of them are true.
    pub doubted_connections: u64,
    /// Records of vchkpw behind a torn one whose address no connection confirmed.
    pub after_torn: u64,
    /// Lines whose session id speaks of another address.
    pub contradicted: u64,
    /// Tries and mails without an address.
    pub without_source: u64,
}

/// Makes attempts of events. A function of the events and times it was given, in order; equal states have equal bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joiner {
    sessions: Sessions,
    smtpds: Smtpds,
    echoes: Echoes,
    connections: Connections,
    suspicion: Suspicion,
    processes: Processes,
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
            processes: Processes::new(),
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
            match self.connections.handle(now, event, out) {
                Taken::Believed => {}
                Taken::Doubted => self.ignored.doubted_connections += 1,
                Taken::Forged => {
                    self.ignored.forged_connections += 1;
                    self.forgeable = true;
                    self.tell_torn(now, event.service, out);
                }
            }
            return;
        }
        if event.service == Service::Vpopmail {
            if !self.believes_vpopmail(now, event, out) {
                return;
            }
        } else if !matches!(event.tells, Tells::Gap { .. }) && self.suspicion.next_of_others_is_doubtful() {
            self.ignored.after_torn += 1;
            return;
        }
        let within_sshd = event.service == Service::Pam && event.protocol == Protocol::Ssh;
        if event.service == Service::Sshd || within_sshd {
            let homeless = self.processes.note(now, event);
            let completed = self.processes.completed(event);
            let event = completed.as_ref().unwrap_or(event);
            self.tell_homeless(now, event, homeless, out);
            self.told(now, event, out);
        } else {
            self.told(now, event, out);
        }
    }

    /// Takes an event that is believed.
    fn told(&mut self, now: Time, event: &AuthEvent, out: &mut VecDeque<Joined>) {
        match event.tells {
            Tells::Attempt => self.attempt(now, event, event.outcome, out),
            Tells::Echo => self.echo(now, event, out),
            Tells::Connect => self.connect(now, event),
            Tells::End { .. } => self.end(now, event, out),
            // Known to its process already; of no login.
            Tells::Refused | Tells::Mail => {}
            Tells::Used => self.used(now, event, out),
            Tells::Fault => self.fault(now, event, out),
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

    fn attempt(&mut self, now: Time, event: &AuthEvent, outcome: Outcome, out: &mut VecDeque<Joined>) {
        let Some(source) = event.source else {
            // A try at sshd waits for its address: see `tell_homeless`.
            self.ignored.without_source += u64::from(event.service != Service::Sshd);
            return;
        };
        let outcome = match event.service {
            Service::Postfix => self.smtpds.attempt(now, event, outcome, source),
            _ => outcome,
        };
        let mut again = false;
        if matches!(event.service, Service::Dovecot | Service::Sshd) {
            match self.sessions.attempt(now, event) {
                Some(before) => again = before,
                None => return,
            }
        }
        if outcome == Outcome::Aborted {
            // The client broke off before a secret was checked: nothing was tried.
            return;
        }
        let has_echoes = matches!(event.service, Service::Dovecot | Service::Sshd | Service::Postfix);
        let (times, hidden) = unrolled(event);
        let mut last = attempt(event, source, now);
        (last.outcome, last.again) = (outcome, again);
        for _ in 1..times {
            self.tell(now, last.clone(), hidden, has_echoes, out);
        }
        self.tell(now, last, hidden, has_echoes, out);
    }

    /// Tells a try, the tries before it that the line does not name first.
    fn tell(
        &mut self,
        now: Time,
        mut last: Attempt,
        hidden: u16,
        has_echoes: bool,
        out: &mut VecDeque<Joined>,
    ) {
        for _ in 0..hidden {
            let mut before = nameless(&last);
            if has_echoes {
                self.echoes.claim(now, &mut before, out);
            }
            out.push_back(Joined::Attempt(before));
        }
        if has_echoes {
            self.echoes.claim(now, &mut last, out);
        }
        out.push_back(Joined::Attempt(last));
    }

    fn echo(&mut self, now: Time, event: &AuthEvent, out: &mut VecDeque<Joined>) {
        // Without an address (`check pass; user unknown`) it adds nothing to the line that has one.
        let Some(source) = event.source else { return };
        let (times, hidden) = unrolled(event);
        let last = attempt(event, source, now);
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
        if event.service == Service::Sshd {
            self.processes.ended(event);
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

    /// The server had trouble. A line that names who tried is a try too, which ended like that.
    fn fault(&mut self, now: Time, event: &AuthEvent, out: &mut VecDeque<Joined>) {
        out.push_back(Joined::Fault { time: now, service: event.service });
        let is_try = match event.service {
            Service::Postfix if event.source.is_none() => {
                self.smtpds.fault(event);
                false
            }
            Service::Postfix => true,
            Service::Dovecot => event.account != Account::Hidden && self.sessions.fault(now, event),
            Service::Vpopmail => event.source.is_some_and(|source| !self.logged_in_before(event, source)),
            _ => false,
        };
        if !is_try {
            return;
        }
        if event.service == Service::Postfix {
            self.attempt(now, event, Outcome::ServerFault, out);
        } else if let Some(source) = event.source {
            let outcome = Outcome::ServerFault;
            out.push_back(Joined::Attempt(Attempt { outcome, ..attempt(event, source, now) }));
        }
    }

    /// Tells tries whose lines had lost their address, which this line of the same process has.
    fn tell_homeless(&mut self, now: Time, event: &AuthEvent, homeless: u16, out: &mut VecDeque<Joined>) {
        if homeless > 0 {
            let (tells, account) = (Tells::Attempt, Account::Hidden);
            let tries =
                AuthEvent { tells, account, times: homeless, outcome: Outcome::Failed, ..event.clone() };
            self.attempt(now, &tries, tries.outcome, out);
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
            Tells::Attempt | Tells::Fault => {}
            _ => return true,
        }
        let witnessed = |source| self.connections.knows(source);
        let is_believed = !self.suspicion.next_is_doubtful() || event.source.is_some_and(witnessed);
        if !is_believed {
            self.ignored.after_torn += 1;
            if let Some(source) = event.source {
                // True or not: it may excuse a connection, and accuses nobody.
                self.connections.login(now, event.time, source);
            }
            return false;
        }
        self.forgeable |= matches!(event.protocol, Protocol::Smtp | Protocol::Submission);
        self.vpopmail_shows_logins |= event.outcome == Outcome::Success;
        let Some(source) = event.source else { return true };
        if event.tells == Tells::Attempt || !self.logged_in_before(event, source) {
            self.connections.login(now, event.time, source);
        }
        if let (Outcome::Success, Session::Pid(pid)) = (event.outcome, event.session) {
            if self.vpopmail_logins.len() >= VPOPMAIL_LOGINS_MAX {
                self.vpopmail_logins.pop_front();
            }
            self.vpopmail_logins.push_back((pid, source));
        }
        true
    }

    /// vchkpw told this process's success, then failed to change to the user: one try.
    fn logged_in_before(&self, event: &AuthEvent, source: IpAddr) -> bool {
        matches!(event.session, Session::Pid(pid) if self.vpopmail_logins.contains(&(pid, source)))
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
