//! Echoes: lines that tell a try which another line tells as well.
//!
//! PAM beside sshd, Dovecot's two-field auth line beside Postfix. The lines have no key in common but the address, so
//! they are joined by address, account and half a minute, one to one. An echo waits for its try; when the try's own
//! line comes it claims the echo and learns from it (Postfix says only that a try failed; the echo says that the
//! account is unknown). An echo that nobody claimed is, when its time is over, paired with a try of the address that
//! claimed none (the line came first, or two servers print an odd name differently); if there is none either, the
//! echo was the only trace, and is told. So the number of attempts is the larger of the two counts.
//!
//! What an attacker gains by filling the tables: an echo decided early whose try comes later is told twice, which
//! accuses nobody but the source that filled its own share; when all shares together are too many, the oldest entries
//! are decided early.

use core::net::IpAddr;
use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::attempt::{Fit, better_name, fit};
use super::{Attempt, Joined};
use crate::event::{Mechanism, Outcome, Protocol, Service, Session};
use crate::time::{Span, Time};

/// How far apart an echo and its try may be, and so how long an echo waits.
const ECHO_WAIT: Span = Span::secs(30);

/// How long a try is remembered: an echo that came at the end of its half minute is decided half a minute later.
const TRY_KEPT: Span = Span::minutes(1);

/// Most echoes and tries remembered of one source. An honest one has a few a minute.
pub(super) const PER_SOURCE_MAX: usize = 128;

/// Most echoes and tries remembered in all: some 20 MB with long names.
pub(super) const ECHOES_MAX: usize = 65_536;

/// Tries and echoes of one domain may be one; those of different domains never are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Domain {
    Ssh,
    Mail,
}

/// Who told. One try has at most one echo of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kinds(u8);

impl Kinds {
    const NONE: Kinds = Kinds(0);
    /// `pam_unix`, which knows whether the account exists.
    const PAM_UNIX: Kinds = Kinds(1);
    /// A module behind it in the stack, asked about the same try.
    const PAM_NEXT: Kinds = Kinds(2);
    const PAM: Kinds = Kinds(3);
    const DOVECOT: Kinds = Kinds(4);
    const SSHD: Kinds = Kinds(8);
    const OTHER: Kinds = Kinds(16);
    const ALL: Kinds = Kinds(31);

    const fn overlap(self, other: Kinds) -> bool {
        self.0 & other.0 != 0
    }

    const fn within(self, other: Kinds) -> bool {
        self.0 & !other.0 == 0
    }

    const fn with(self, other: Kinds) -> Kinds {
        Kinds(self.0 | other.0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    due: Time,
    domain: Domain,
    kinds: Kinds,
    /// Its attempt was told: kept only to be paired with echoes.
    told: bool,
    attempt: Attempt,
}

/// Echoes that wait, and tries told of late.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Echoes {
    entries: BTreeMap<(IpAddr, u64), Entry>,
    due: BTreeMap<(Time, u64), IpAddr>,
    next: u64,
    /// PAM wrote about a service other than sshd: only then have Dovecot's own tries echoes.
    pam_beside_mail: bool,
}

impl Echoes {
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.due.first_key_value().map(|(&(due, _), _)| due)
    }

    /// An echo: waits, or joins one that waits.
    pub(super) fn echo(&mut self, now: Time, attempt: Attempt, out: &mut VecDeque<Joined>) {
        let domain = match attempt.service {
            Service::Sshd => Domain::Ssh,
            Service::Pam if attempt.protocol == Protocol::Ssh => Domain::Ssh,
            _ => Domain::Mail,
        };
        self.pam_beside_mail |= domain == Domain::Mail && attempt.service == Service::Pam;
        let kinds = kinds_of(&attempt);
        let waiting = self.best(attempt.source, |entry| {
            (!entry.told && entry.domain == domain && !entry.kinds.overlap(kinds))
                .then(|| same_try(&entry.attempt, &attempt, entry.kinds, kinds))
                .flatten()
        });
        match waiting.and_then(|key| self.entries.get_mut(&key)) {
            Some(entry) => {
                entry.kinds = entry.kinds.with(kinds);
                if attempt.service == Service::Sshd {
                    entry.attempt.session = attempt.session;
                }
                learn(&mut entry.attempt, &attempt);
                if attempt.outcome == Outcome::Success {
                    entry.attempt.outcome = Outcome::Success;
                }
            }
            None => self.put(Entry { due: now.plus(ECHO_WAIT), domain, kinds, told: false, attempt }, out),
        }
    }

    /// A try's own line: claims its echo and learns from it. The try is told by the caller.
    pub(super) fn claim(&mut self, now: Time, attempt: &mut Attempt, out: &mut VecDeque<Joined>) {
        let (domain, kinds) = match attempt.service {
            Service::Sshd => (Domain::Ssh, Kinds::PAM.with(Kinds::SSHD)),
            Service::Dovecot if attempt.session != Session::None => (Domain::Mail, Kinds::PAM),
            _ => (Domain::Mail, Kinds::ALL),
        };
        if domain == Domain::Mail && kinds == Kinds::PAM && !self.pam_beside_mail {
            return;
        }
        let key = self.best(attempt.source, |entry| {
            (!entry.told && entry.domain == domain && entry.kinds.within(kinds))
                .then(|| claims(attempt, &entry.attempt, domain, entry.kinds))
                .flatten()
        });
        let mut claimed = Kinds::NONE;
        if let Some(key) = key
            && let Some(entry) = self.take(key)
        {
            claimed = entry.kinds;
            attempt.time = entry.attempt.time;
            learn(attempt, &entry.attempt);
        }
        let attempt = attempt.clone();
        self.put(Entry { due: now.plus(TRY_KEPT), domain, kinds: claimed, told: true, attempt }, out);
    }

    /// Whether an echo about a login over SSH waits for a try of this source.
    pub(super) fn ssh_waits(&self, source: IpAddr) -> bool {
        self.of(source).any(|(_, entry)| !entry.told && entry.domain == Domain::Ssh)
    }

    /// Decides the entry whose time is over first, if that is so at `now`.
    pub(super) fn settle_due(&mut self, now: Time, out: &mut VecDeque<Joined>) {
        if self.next_deadline().is_some_and(|due| due <= now) {
            self.settle_first(out);
        }
    }

    fn settle_first(&mut self, out: &mut VecDeque<Joined>) {
        if let Some((&(_, order), &source)) = self.due.first_key_value() {
            self.settle((source, order), out);
        }
    }

    fn settle(&mut self, key: (IpAddr, u64), out: &mut VecDeque<Joined>) {
        let Some(entry) = self.take(key) else { return };
        if entry.told {
            return;
        }
        // Names are no condition any more: this try claimed no echo, and this echo has no try.
        let partner = self.best(key.0, |told| {
            let open = told.told && told.domain == entry.domain && !told.kinds.overlap(entry.kinds);
            let near = entry.attempt.time <= told.due.minus(TRY_KEPT).plus(ECHO_WAIT);
            let alike =
                (told.attempt.outcome == Outcome::Success) == (entry.attempt.outcome == Outcome::Success);
            // Dovecot's own sessions are never told by its two-field line.
            let of_session =
                told.attempt.service == Service::Dovecot && told.attempt.session != Session::None;
            (open && near && alike && (!of_session || entry.kinds.within(Kinds::PAM)))
                .then(|| fit(&entry.attempt.account, &told.attempt.account).map_or(u8::MAX, |fit| fit as u8))
        });
        match partner.and_then(|key| self.entries.get_mut(&key)) {
            Some(told) => told.kinds = told.kinds.with(entry.kinds),
            None => out.push_back(Joined::Attempt(entry.attempt)),
        }
    }

    fn put(&mut self, entry: Entry, out: &mut VecDeque<Joined>) {
        let source = entry.attempt.source;
        let crowded = self.of(source).count() >= PER_SOURCE_MAX;
        let oldest = self.of(source).next().map(|(key, _)| *key).filter(|_| crowded);
        if let Some(key) = oldest {
            self.settle(key, out);
        }
        if self.entries.len() >= ECHOES_MAX {
            self.settle_first(out);
        }
        let order = self.next;
        self.next += 1;
        self.due.insert((entry.due, order), source);
        self.entries.insert((source, order), entry);
    }

    fn take(&mut self, key: (IpAddr, u64)) -> Option<Entry> {
        let entry = self.entries.remove(&key)?;
        self.due.remove(&(entry.due, key.1));
        Some(entry)
    }

    fn of(&self, source: IpAddr) -> impl Iterator<Item = (&(IpAddr, u64), &Entry)> {
        self.entries.range((source, 0)..=(source, u64::MAX))
    }

    /// The entry of `source` with the smallest rank, the oldest of them.
    fn best(&self, source: IpAddr, rank: impl Fn(&Entry) -> Option<u8>) -> Option<(IpAddr, u64)> {
        self.of(source)
            .filter_map(|(key, entry)| rank(entry).map(|rank| (rank, *key)))
            .min()
            .map(|(_, key)| key)
    }
}

fn kinds_of(echo: &Attempt) -> Kinds {
    match (echo.service, echo.outcome) {
        (Service::Pam, Outcome::BadSecret | Outcome::UnknownAccount | Outcome::Denied) => Kinds::PAM_UNIX,
        (Service::Pam, _) => Kinds::PAM_NEXT,
        (Service::Dovecot, _) => Kinds::DOVECOT,
        (Service::Sshd, _) => Kinds::SSHD,
        _ => Kinds::OTHER,
    }
}

fn same_pid(a: &Attempt, b: &Attempt) -> bool {
    matches!((a.session, b.session), (Session::Pid(a), Session::Pid(b)) if a == b)
}

/// Whether two echoes tell one try: how well they fit.
fn same_try(waiting: &Attempt, echo: &Attempt, waiting_kinds: Kinds, kinds: Kinds) -> Option<u8> {
    if same_pid(waiting, echo) {
        return Some(0);
    }
    // One process runs the whole PAM stack.
    if waiting_kinds.overlap(Kinds::PAM) && kinds.within(Kinds::PAM) {
        return None;
    }
    let fit = fit(&waiting.account, &echo.account).or_else(|| fit(&echo.account, &waiting.account))?;
    Some(1 + fit as u8)
}

/// Whether a try's own line may claim an echo: how well they fit.
fn claims(attempt: &Attempt, echo: &Attempt, domain: Domain, kinds: Kinds) -> Option<u8> {
    if domain == Domain::Ssh && same_pid(attempt, echo) {
        return Some(0);
    }
    let fit = fit(&echo.account, &attempt.account)?;
    let succeeded = attempt.outcome == Outcome::Success;
    let echo_succeeded = echo.outcome == Outcome::Success;
    // The first module of a stack says that it failed although a later one lets the user in.
    let passed_on = succeeded && kinds.within(Kinds::PAM) && fit == Fit::Equal;
    (succeeded == echo_succeeded || passed_on).then_some(1 + fit as u8)
}

/// What the other line of the same try adds.
fn learn(attempt: &mut Attempt, other: &Attempt) {
    if attempt.outcome == Outcome::Failed && other.outcome != Outcome::Success {
        attempt.outcome = other.outcome;
    }
    attempt.account = better_name(&attempt.account, &other.account);
    if attempt.mechanism == Mechanism::Unknown {
        attempt.mechanism = other.mechanism;
    }
    if attempt.secret.is_none() {
        attempt.secret = other.secret;
    }
    attempt.common_secret |= other.common_secret;
}
