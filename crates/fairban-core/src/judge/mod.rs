//! Attempts into evidence, evidence into verdicts.
//!
//! ```text
//! Attempt ─► banned? allowed? ─► failure ─► pending ─► weighed ─┐
//!                             └► success ─► excuses, credit     ├─► sum ≥ limit ─► Ban
//!                NoLogin, Slots ─► flood ───────────────────────┘
//! ```
//!
//! One file a rule; this one holds the state and the order of questions. Everything here is a function of what came in.

pub(crate) mod across;
pub(crate) mod blind;
mod breaker;
pub(crate) mod convictions;
mod crowds;
pub(crate) mod dossier;
mod explain;
mod failure;
pub(crate) mod familiar;
pub(crate) mod flood;
pub(crate) mod names;
pub(crate) mod narrow;
mod operator;
pub(crate) mod outage;
pub(crate) mod pending;
pub(crate) mod prefixes;
pub(crate) mod prior;
pub(crate) mod realm;
mod sessions;
pub(crate) mod source;
mod success;
mod verdict;

use core::net::IpAddr;
use std::collections::VecDeque;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use self::across::Across;
use self::blind::Sights;
use self::breaker::Breaker;
use self::convictions::Convictions;
use self::crowds::Crowds;
use self::dossier::Dossiers;
use self::familiar::{AccountId, Accounts};
use self::flood::{Flows, Idle};
use self::names::Names;
use self::narrow::Addresses;
use self::operator::Orders;
use self::outage::Outages;
use self::pending::Pending;
use self::prefixes::Prefixes;
use self::prior::Prior;
use self::realm::Realm;
use self::sessions::Sessions;
use self::source::{Source, Unit, WEAK, secs_u32};
use crate::account::Account;
use crate::effect::{Alarm, Effect, Seen, Signal, Standing};
use crate::engine::{Blindness, Census, Config};
use crate::event::{Mechanism, Outcome, Protocol, Service};
use crate::join::{Attempt, Joined};
use crate::limits::Limits;
use crate::nats::Nats;
use crate::table::Table;
use crate::time::Time;

/// Bytes of a sample line that are kept.
pub(crate) const SAMPLE_BYTES_MAX: usize = 200;

/// The whole state of the judgement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Judge {
    pub(crate) config: Config,
    limits: Limits,
    now: Time,
    sources: Table<Source>,
    /// Of these, how many have seen a success.
    clients: u32,
    /// The others, by neighbourhood.
    #[serde(skip)]
    crowds: Crowds,
    accounts: Accounts,
    pending: Pending,
    names: Names,
    addresses: Addresses,
    prefixes: Prefixes,
    across: Across,
    prior: Prior,
    realm: Realm,
    outages: Outages,
    sights: Sights,
    flows: Flows,
    dossiers: Dossiers,
    convictions: Convictions,
    /// The day on which a pair or an account was last told of.
    told: Table<u16>,
    breaker: Breaker,
    sessions: Sessions,
    orders: Orders,
    /// The tcpserver log carries SMTP AUTH: its lines can be forged.
    forgeable: bool,
    next_id: u64,
    effects: VecDeque<Effect>,
    /// The line being read, secret blanked: never part of the state.
    #[serde(skip)]
    sample: Vec<u8>,
}

/// An attempt with what the questions to it need, worked out once.
struct Case<'a> {
    attempt: &'a Attempt,
    /// The account as the log has it; `attempt` may have its other form.
    logged: &'a Account,
    unit: Unit,
    /// `None` for a hidden account.
    id: Option<AccountId>,
    familiar: bool,
}

impl Judge {
    pub(crate) fn new(config: Config, limits: Limits) -> Judge {
        let key = config.key;
        Judge {
            config,
            limits,
            now: Time::from_secs(0),
            sources: Table::new(key),
            clients: 0,
            crowds: Crowds::new(key),
            accounts: Accounts::new(key),
            pending: Pending::new(key),
            names: Names::new(key),
            addresses: Addresses::new(key),
            prefixes: Prefixes::new(key),
            across: Across::new(key),
            prior: Prior::default(),
            realm: Realm::default(),
            outages: Outages::default(),
            sights: Sights::default(),
            flows: Flows::new(key),
            dossiers: Dossiers::new(key),
            convictions: Convictions::new(key),
            told: Table::new(key),
            breaker: Breaker::default(),
            sessions: Sessions::default(),
            orders: Orders::default(),
            forgeable: false,
            next_id: 1,
            effects: VecDeque::new(),
            sample: Vec::new(),
        }
    }

    /// The line that is being read, as a sample: cut, the secret blanked.
    pub(crate) fn set_sample(&mut self, line: &[u8], secret_at: Option<(u32, u32)>) {
        self.sample.clear();
        self.sample.extend_from_slice(&line[..line.len().min(SAMPLE_BYTES_MAX)]);
        if let Some((from, to)) = secret_at {
            let (from, to) = (from as usize, (to as usize).min(self.sample.len()));
            if from < to {
                self.sample.splice(from..to, *b"***");
            }
        }
    }

    /// The tcpserver log was seen to carry SMTP, whose clients can forge its lines.
    pub(crate) fn set_forgeable(&mut self) {
        self.forgeable = true;
    }

    pub(crate) fn poll(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Changes an empty queue for all effects.
    pub(crate) fn poll_all(&mut self, empty: &mut VecDeque<Effect>) {
        core::mem::swap(&mut self.effects, empty);
    }

    /// When [`Judge::advance`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.pending.next_due()
    }

    /// Weighs what is due, each at its own time.
    pub(crate) fn advance(&mut self, now: Time) {
        while let Some(waiting) = self.pending.pop_due(now, self.limits.pending) {
            // One that had to make room is due later than now; time never runs ahead.
            self.now = self.now.max(waiting.due.min(now));
            self.due(waiting);
        }
        self.now = self.now.max(now);
    }

    /// Says what time it is without weighing anything: what comes now comes before what is due now. Nothing may be due
    /// before.
    pub(crate) fn set_now(&mut self, now: Time) {
        self.now = self.now.max(now);
    }

    /// Takes what the joiner made of the lines. [`Judge::advance`] has been called for its time.
    pub(crate) fn take(&mut self, joined: &Joined) {
        match joined {
            Joined::Attempt(attempt) => self.attempt(attempt),
            Joined::SessionEnd { source, session, unnamed_successes, service, .. } => {
                self.session_end(*source, *service, *session, *unnamed_successes);
            }
            Joined::NoLogin { service, source, lasted, guessed, .. } => {
                self.no_login(*service, *source, *lasted, *guessed);
            }
            Joined::TurnedAway { service, source, .. } => self.turned_away(*service, *source),
            Joined::Fault { .. } => {}
            Joined::Torn { service, .. } => {
                if self.tell_today(0x7042_0000 + service.index() as u64) {
                    self.alarm(Alarm::Torn { service: *service });
                }
            }
            Joined::Slots { in_use, slots, largest, .. } => {
                let largest = largest.map(|(address, held)| (Unit::of(address), held));
                self.flows.slots(*in_use, *slots, largest, self.now);
            }
            Joined::Gap { service, lost, .. } => {
                self.sights.gap(*service, self.now);
                let id = self.next_id();
                self.effects.push_back(Effect::Gap { id, time: self.now, service: *service, lost: *lost });
            }
        }
    }

    pub(crate) fn blindness(&self, service: Service) -> Blindness {
        self.sights.blindness(service, self.now)
    }

    pub(crate) fn census(&self) -> Census {
        let clients = u64::from(self.clients);
        let suspects = (self.sources.len() as u64).saturating_sub(clients);
        Census { suspects, clients, accounts: self.accounts.len() as u64 }
    }

    fn attempt(&mut self, attempt: &Attempt) {
        let unit = Unit::of(attempt.source);
        let sources = &self.sources;
        self.prior.review(self.now, |unit| sources.get(unit.0).is_none_or(|source| source.ok == 0));
        let form = match &attempt.account {
            Account::Known(key) => self.form_judged(attempt.service, key, unit),
            _ => None,
        };
        let renamed = form.map(|key| Attempt { account: Account::Known(key), ..attempt.clone() });
        let logged = &attempt.account;
        let attempt = renamed.as_ref().unwrap_or(attempt);
        let id = attempt.account.key().map(|key| self.accounts.id(key));
        // Looked up once for all that follows.
        self.sources.get_mut(unit.0);
        let familiar = id.is_some_and(|id| self.accounts.is_familiar(id, unit, self.now));
        let case = Case { attempt, logged, unit, id, familiar };
        if !self.is_judged(&case) {
            return;
        }
        match attempt.outcome {
            Outcome::Success => {
                self.note_session(&case);
                self.success(&case);
            }
            Outcome::BadSecret | Outcome::UnknownAccount | Outcome::Failed => self.failure(&case),
            // The secret may have been right, or the server was at fault: says nothing about the client.
            Outcome::Denied | Outcome::ServerFault | Outcome::Aborted => {}
        }
    }

    fn no_login(
        &mut self,
        service: Service,
        address: IpAddr,
        lasted: Option<crate::time::Span>,
        guessed: bool,
    ) {
        let unit = Unit::of(address);
        let attempt = Attempt {
            time: self.now,
            service,
            protocol: Protocol::Unknown,
            source: address,
            port: None,
            account: Account::Hidden,
            outcome: Outcome::Aborted,
            mechanism: Mechanism::Unknown,
            secret: None,
            common_secret: false,
            session: crate::event::Session::None,
            session_open: false,
            again: false,
        };
        let logged = &attempt.account;
        let case = Case { attempt: &attempt, logged, unit, id: None, familiar: false };
        if !self.is_judged(&case) {
            return;
        }
        let accounts = self.sources.get(unit.0).map_or(0, |source| source.ok);
        let (nats, connections) =
            self.flows.idle(Idle { unit, lasted, guessed, accounts }, self.now, &self.limits);
        if nats == Nats::ZERO {
            return;
        }
        let now = self.now;
        let source = self.source(unit);
        source.attempts = source.attempts.saturating_add(1).max(connections);
        if guessed && source.score(now) < Nats::milli(3_000) {
            source.flags |= WEAK;
        }
        self.add(unit, &[(Signal::Connections, nats)]);
        self.check(unit);
    }

    /// A limit refused connections: weak evidence, by rate, as connections in a log that shows no logins.
    fn refused(&mut self, address: IpAddr, times: u32) {
        /// More in one go say nothing more: evidence grows with the rate, and this many are a ban's worth.
        const TIMES_MAX: u32 = 2_000;
        let unit = Unit::of(address);
        if self.is_exempt(address) || self.is_hub(unit) {
            return;
        }
        let accounts = self.sources.get(unit.0).map_or(0, |source| source.ok);
        let idle = Idle { unit, lasted: Some(crate::time::Span::ZERO), guessed: true, accounts };
        let (mut nats, mut connections) = (Nats::ZERO, 0);
        for _ in 0..times.min(TIMES_MAX) {
            let (more, count) = self.flows.idle(idle, self.now, &self.limits);
            (nats, connections) = (nats + more, count);
        }
        if nats == Nats::ZERO {
            return;
        }
        let now = self.now;
        let source = self.source(unit);
        source.attempts = source.attempts.max(connections);
        if source.score(now) < Nats::milli(3_000) {
            source.flags |= WEAK;
        }
        self.add(unit, &[(Signal::Connections, nats)]);
        self.check(unit);
    }

    fn turned_away(&mut self, service: Service, address: IpAddr) {
        if service != Service::Sshd || self.is_exempt(address) {
            return;
        }
        let unit = Unit::of(address);
        let (ok, episodes) =
            self.sources.get(unit.0).map_or((0, 0), |source| (source.ok, source.episodes.len()));
        if ok > 0 {
            if self.tell_today(unit.0 ^ 0x7e4a) {
                self.alarm(Alarm::PenaltyOnFamiliar { source: address });
            }
        } else if episodes > 0 {
            // The penalty repeats what sshd saw already: it adds a little once a day, to a source that has failed.
            if self.tell_today(unit.0 ^ 0x7e4b) {
                self.add(unit, &[(Signal::TurnedAway, Nats::milli(500))]);
                self.check(unit);
            }
        }
    }

    /// Whether the case is to be judged: not exempt, and no ban in force would have kept it out. Tells how it stands.
    fn is_judged(&mut self, case: &Case<'_>) -> bool {
        let standing = if self.is_exempt(case.attempt.source) {
            Standing::Allowed
        } else if self.keeps_out(case) {
            Standing::KeptOut
        } else {
            Standing::Judged
        };
        self.narrate(case, standing);
        standing == Standing::Judged
    }

    /// Never judged: the host itself, and whom the operator named.
    fn is_exempt(&self, address: IpAddr) -> bool {
        address.is_loopback()
            || address.is_unspecified()
            || self.config.allow.iter().any(|prefix| prefix.contains(&address))
    }

    /// Whether a ban of the prefix would hit somebody who is allowed.
    fn overlaps_allowed(&self, net: &IpNet) -> bool {
        self.config.allow.iter().any(|allowed| allowed.contains(net) || net.contains(allowed))
    }

    /// The record of a source, made if there is none; the least suspicious suspect makes room.
    fn source(&mut self, unit: Unit) -> &mut Source {
        if self.sources.get(unit.0).is_none() {
            self.make_room_for_suspect(unit);
            self.crowds.enter(unit);
        }
        self.sources.entry(unit.0, Source::default)
    }

    /// Suspects have a bound of their own, and a share of it for each neighbourhood: beyond that a newcomer takes the
    /// place of a neighbour. What the neighbours did stays in the prefix's own sum.
    fn make_room_for_suspect(&mut self, unit: Unit) {
        let now = self.now;
        let suspects = self.sources.len() - self.clients as usize;
        let crowded = self.crowds.is_full(unit, self.limits.suspects);
        if !crowded && suspects < self.limits.suspects as usize {
            return;
        }
        // Banned ones go only where nothing else is in sight, the one that ends first: the ban was told and stays, what
        // is lost is how often it had to be.
        let rank = |source: &Source| {
            (source.ok == 0).then(|| (source.banned_for(now), source.score(now), source.last_secs()))
        };
        let here = unit.neighbourhood();
        let victim = if crowded {
            let near = |key| Unit(key).neighbourhood() == here && Unit(key).is_v4() == unit.is_v4();
            self.sources.victim_by_key(8, |key, source| near(key).then(|| rank(source)).flatten())
        } else {
            self.sources.victim(32, rank)
        };
        if let Some(victim) = victim {
            self.sources.remove(victim);
            self.crowds.leave(Unit(victim));
            self.dossiers.close(Unit(victim));
        }
    }

    /// Counts the suspects anew: after a restart.
    pub(crate) fn recount(&mut self) {
        self.crowds = Crowds::new(self.config.key);
        for (key, _) in self.sources.iter().filter(|(_, source)| source.ok == 0) {
            self.crowds.enter(Unit(key));
        }
    }

    /// Adds evidence and writes it down.
    fn add(&mut self, unit: Unit, added: &[(Signal, Nats)]) {
        let sample = core::mem::take(&mut self.sample);
        self.add_with_sample(unit, added, &sample);
        self.sample = sample;
    }

    fn add_with_sample(&mut self, unit: Unit, added: &[(Signal, Nats)], sample: &[u8]) {
        let now = self.now;
        let nats: Nats = added.iter().map(|(_, nats)| *nats).sum();
        let Some(source) = self.sources.get_mut(unit.0) else { return };
        let score = source.score(now) + nats;
        self.dossiers.note(unit, source, score, added, sample, &self.limits);
        source.add(now, nats);
    }

    fn narrate(&mut self, case: &Case<'_>, standing: Standing) {
        if !self.config.narrate {
            return;
        }
        let attempt = case.attempt;
        self.effects.push_back(Effect::Seen(Seen {
            time: attempt.time,
            source: attempt.source,
            service: attempt.service,
            protocol: attempt.protocol,
            account: case.logged.clone(),
            outcome: attempt.outcome,
            secret: attempt.secret,
            standing,
            familiar: case.familiar,
        }));
    }

    fn alarm(&mut self, alarm: Alarm) {
        let id = self.next_id();
        self.effects.push_back(Effect::Alarm { id, time: self.now, alarm });
    }

    fn next_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// Whether something was not told yet today (by its key); notes that it is.
    fn tell_today(&mut self, key: u64) -> bool {
        let day = (secs_u32(self.now) / 86_400) as u16;
        if self.told.get(key).is_none() && self.told.len() >= self.limits.names as usize {
            let victim = self.told.victim(16, |day| Some(*day));
            victim.and_then(|victim| self.told.remove(victim));
        }
        self.told.insert(key, day) != Some(day)
    }
}
