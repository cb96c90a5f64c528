//! Who was seen: strangers in a few bytes each, and those at which somebody logged in with a little more.

use std::collections::BTreeSet;
use std::hash::Hasher as _;

use fairban_core::account::Account;
use fairban_core::escape::escaped;
use fairban_core::time::{Span, Time};
use hashbrown::hash_map::Entry;
use serde::{Deserialize, Serialize};

use super::map::{Folding, Map};
use super::unit::Unit;

/// Strangers remembered, at 24 bytes each. Who fills the table makes "first seen" of later robots late in a report, nothing
/// else.
const STRANGERS_MAX: usize = 900_000;

/// Strangers not seen for so long are forgotten first.
const STRANGER_FORGOTTEN: Span = Span::days(2);

/// Sources with logins remembered. To fill it takes so many sources and an account.
const PEOPLE_MAX: usize = 1 << 17;

/// Accounts told apart at one source.
const ACCOUNTS_MAX: usize = 16;

/// A source at which nobody has logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stranger {
    first_secs: u32,
    last_secs: u32,
    failures: u32,
    rule_bans: u32,
}

/// A source at which somebody has logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) first: Time,
    pub(crate) last: Time,
    pub(crate) failures: u32,
    pub(crate) successes: u32,
    /// Successes that were hits.
    pub(crate) hits: u32,
    /// Times that the counting rule would have banned it.
    pub(crate) rule_bans: u32,
    /// Logins that the counting rule would have denied.
    pub(crate) rule_denied: u32,
    pub(crate) banned: bool,
    names: Box<Names>,
    #[serde(skip)]
    latest: Latest,
}

/// What a login of the same account as before does not look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Names {
    /// One of the accounts, escaped.
    account: Box<str>,
    accounts: Vec<u32>,
}

/// The tag of the account that logged in last, 0 if that is not known: it is among the accounts already.
#[derive(Clone, Copy, Debug, Default)]
struct Latest(u32);

impl PartialEq for Latest {
    fn eq(&self, _: &Latest) -> bool {
        true
    }
}

impl Eq for Latest {}

impl Person {
    /// Somebody logged in here who was no robot's hit, and it was never banned.
    pub(crate) fn is_honest(&self) -> bool {
        !self.banned && self.successes > self.hits
    }

    /// Different accounts that logged in; `None` for more than can be told apart.
    pub(crate) fn accounts(&self) -> Option<usize> {
        (self.names.accounts.len() < ACCOUNTS_MAX).then_some(self.names.accounts.len())
    }

    /// One of the accounts, escaped.
    pub(crate) fn account(&self) -> &str {
        &self.names.account
    }
}

/// How a login stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Login {
    /// It was a hit.
    pub(crate) hit: bool,
    /// The counting rule would have denied it.
    pub(crate) rule_denies: bool,
    /// Its source was banned at some time before.
    pub(crate) banned: bool,
}

/// Everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct People {
    strangers: Map<Unit, Stranger>,
    known: Map<Unit, Person>,
    /// Those that are known, by address.
    order: BTreeSet<Unit>,
    /// Sources seen, as far as they were remembered.
    pub(crate) sources: u64,
    swept_secs: u32,
}

impl People {
    /// An attempt that did not succeed, or a connection.
    pub(crate) fn missed(&mut self, unit: Unit, time: Time, failed: bool, rule_banned: bool) {
        if let Some(person) = self.known.get_mut(&unit) {
            person.last = person.last.max(time);
            person.failures += u32::from(failed);
            person.rule_bans += u32::from(rule_banned);
            return;
        }
        let now = secs(time);
        if self.strangers.len() >= STRANGERS_MAX && !self.strangers.contains_key(&unit) {
            self.forget_strangers(now);
            if self.strangers.len() >= STRANGERS_MAX {
                return;
            }
        }
        let stranger = self.strangers.entry(unit).or_insert_with(|| {
            self.sources += 1;
            Stranger { first_secs: now, last_secs: now, failures: 0, rule_bans: 0 }
        });
        stranger.last_secs = stranger.last_secs.max(now);
        stranger.failures += u32::from(failed);
        stranger.rule_bans += u32::from(rule_banned);
    }

    /// A login.
    pub(crate) fn logged_in(&mut self, unit: Unit, time: Time, account: &Account, login: Login) {
        let full = self.known.len() >= PEOPLE_MAX;
        let person = match self.known.entry(unit) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if full => return,
            Entry::Vacant(new) => {
                // A stranger is one no more.
                let stranger = self.strangers.remove(&unit);
                self.sources += u64::from(stranger.is_none());
                self.order.insert(unit);
                new.insert(Person::new(time, stranger, account))
            }
        };
        person.last = person.last.max(time);
        person.successes += 1;
        person.hits += u32::from(login.hit);
        person.rule_denied += u32::from(login.rule_denies);
        person.banned |= login.banned;
        let tag = account.key().map_or(0, |key| tag(key.as_bytes()));
        if tag != 0 && tag == person.latest.0 {
            return;
        }
        person.latest = Latest(tag);
        let accounts = &mut person.names.accounts;
        if accounts.len() < ACCOUNTS_MAX && !accounts.contains(&tag) {
            accounts.push(tag);
        }
    }

    /// When a source was first seen.
    pub(crate) fn first_seen(&self, unit: Unit) -> Option<Time> {
        let person = self.known.get(&unit).map(|person| person.first);
        person.or_else(|| self.strangers.get(&unit).map(|s| Time::from_secs(i64::from(s.first_secs))))
    }

    /// Attempts of a source, and when it was last seen.
    pub(crate) fn attempts(&self, unit: Unit) -> Option<(u64, Time)> {
        let person = self.known.get(&unit);
        let person = person.map(|p| (u64::from(p.failures) + u64::from(p.successes), p.last));
        person.or_else(|| {
            let stranger = self.strangers.get(&unit)?;
            Some((u64::from(stranger.failures), Time::from_secs(i64::from(stranger.last_secs))))
        })
    }

    /// Does something to each source with logins within a prefix.
    pub(crate) fn within(&mut self, prefix: &ipnet::IpNet, mut visit: impl FnMut(&mut Person)) {
        for unit in self.order.range(Unit::within(prefix)) {
            self.known.get_mut(unit).map(&mut visit);
        }
    }

    /// All sources with logins, by address.
    pub(crate) fn known(&self) -> impl Iterator<Item = (Unit, &Person)> {
        self.order.iter().filter_map(|unit| Some((*unit, self.known.get(unit)?)))
    }

    /// Honest sources that the counting rule would have banned.
    pub(crate) fn spared(&self) -> impl Iterator<Item = (Unit, &Person)> {
        self.known().filter(|(_, person)| person.is_honest() && person.rule_bans > 0)
    }

    fn forget_strangers(&mut self, now_secs: u32) {
        let keep_secs = STRANGER_FORGOTTEN.as_secs() as u32;
        // Looking at all of them is dear: at most once an hour of the log.
        if now_secs.saturating_sub(self.swept_secs) >= 3_600 {
            self.swept_secs = now_secs;
            self.strangers.retain(|_, stranger| now_secs.saturating_sub(stranger.last_secs) < keep_secs);
        }
    }
}

impl Person {
    fn new(time: Time, stranger: Option<Stranger>, account: &Account) -> Person {
        let name =
            account.key().map_or_else(|| "(not named)".to_owned(), |key| escaped(key.as_bytes()).to_string());
        Person {
            first: stranger.map_or(time, |s| Time::from_secs(i64::from(s.first_secs))).min(time),
            last: time,
            failures: stranger.map_or(0, |s| s.failures),
            successes: 0,
            hits: 0,
            rule_bans: stranger.map_or(0, |s| s.rule_bans),
            rule_denied: 0,
            banned: false,
            names: Box::new(Names { account: name.into(), accounts: Vec::new() }),
            latest: Latest::default(),
        }
    }
}

/// Seconds that fit half a word until 2106.
fn secs(time: Time) -> u32 {
    time.secs().clamp(0, i64::from(u32::MAX)) as u32
}

fn tag(name: &[u8]) -> u32 {
    let mut hasher = Folding::default();
    hasher.write(name);
    hasher.finish() as u32
}
