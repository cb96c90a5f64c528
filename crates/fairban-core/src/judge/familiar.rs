//! Accounts that ever succeeded, and where: what makes a (source, account) pair *familiar*.
//!
//! Entries come in by a success only, and no suspect can push one out: filling this table takes as many accounts as
//! it has places. Familiarity is shared by all services of the host.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use super::source::{Unit, secs_u32};
use crate::account::{AccountKey, distance_at_most};
use crate::limits::Limits;
use crate::table::Table;
use crate::time::Time;

/// The identity of an account in tables: a keyed hash of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct AccountId(pub(crate) u64);

impl AccountId {
    /// The half that episodes keep.
    pub(crate) const fn low(self) -> u32 {
        self.0 as u32
    }
}

/// An account that logged in at least once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Known {
    /// Its name.
    pub(crate) key: AccountKey,
    /// Seconds of the last success.
    pub(crate) last: u32,
    /// Where it logged in.
    pub(crate) pairs: Vec<Pair>,
}

/// One familiar source of an account.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Pair {
    /// The source.
    pub(crate) unit: Unit,
    /// Seconds of the first success.
    pub(crate) first: u32,
    /// Seconds of the last success.
    pub(crate) last: u32,
    /// From when on it counts as familiar: later than `first` after a hit.
    pub(crate) familiar_from: u32,
    /// Near-miss names that its successes have excused.
    pub(crate) near: [u32; 2],
    /// Successes that came after failures, saturating: such a pair's failures tell of no outage.
    pub(crate) habit: u8,
    /// Failures since the last success, saturating; digests aside.
    pub(crate) failures: u16,
    /// It counts among its source's accounts: not while it is in quarantine.
    pub(crate) admitted: bool,
}

impl Pair {
    /// Whether a near-miss name may be excused by this pair: its first two are, for ever.
    pub(crate) fn take_near(&mut self, account: u32) -> bool {
        if self.near.contains(&account) {
            return true;
        }
        match self.near.iter_mut().find(|place| **place == 0) {
            Some(place) => {
                *place = account;
                true
            }
            None => false,
        }
    }
}

/// All known accounts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Saved")]
pub(crate) struct Accounts {
    hash_key: [u8; 16],
    known: Table<Known>,
    pairs: u64,
    #[serde(skip)]
    local_parts: LocalParts,
}

/// What a snapshot has of them.
#[derive(Deserialize)]
struct Saved {
    hash_key: [u8; 16],
    known: Table<Known>,
    pairs: u64,
}

impl From<Saved> for Accounts {
    fn from(saved: Saved) -> Accounts {
        let Saved { hash_key, known, pairs } = saved;
        let mut local_parts = LocalParts::default();
        known.iter().for_each(|(id, known)| local_parts.add(id, &known.key));
        Accounts { hash_key, known, pairs, local_parts }
    }
}

/// Known accounts by the length of their local parts, each with the set of its letters: who looks for names near another
/// reads a few lines of these and hardly any account.
#[derive(Clone, Debug, Default)]
struct LocalParts {
    by_length: Vec<Vec<(u64, u64)>>,
}

impl LocalParts {
    fn add(&mut self, id: u64, key: &AccountKey) {
        let name = key.local_part();
        if self.by_length.len() <= name.len() {
            self.by_length.resize(name.len() + 1, Vec::new());
        }
        self.by_length[name.len()].push((letters(name), id));
    }

    fn remove(&mut self, id: u64, key: &AccountKey) {
        if let Some(same_length) = self.by_length.get_mut(key.local_part().len())
            && let Some(at) = same_length.iter().position(|(_, other)| *other == id)
        {
            same_length.swap_remove(at);
        }
    }

    /// Accounts whose local parts may be within edit distance `max`. In no order that means anything.
    fn near(&self, name: &[u8], max: usize) -> impl Iterator<Item = u64> {
        let mask = letters(name);
        let last = (name.len() + max + 1).min(self.by_length.len());
        let alike = self.by_length.get(name.len().saturating_sub(max)..last).unwrap_or_default();
        let fits = move |(letters, _): &&(u64, u64)| (letters ^ mask).count_ones() as usize <= 2 * max;
        alike.iter().flatten().filter(fits).map(|(_, id)| *id)
    }
}

impl Accounts {
    pub(crate) fn new(key: [u8; 16]) -> Accounts {
        Accounts { hash_key: key, known: Table::new(key), pairs: 0, local_parts: LocalParts::default() }
    }

    /// The identity of a name.
    pub(crate) fn id(&self, key: &AccountKey) -> AccountId {
        self.id_of(key.as_bytes())
    }

    fn id_of(&self, name: &[u8]) -> AccountId {
        AccountId(SipHasher13::new_with_key(&self.hash_key).hash(name))
    }

    /// The identity of a name's local part, as if it were a name.
    pub(crate) fn id_of_local_part(&self, key: &AccountKey) -> AccountId {
        self.id_of(key.local_part().trim_ascii())
    }

    /// The account, if it ever succeeded.
    pub(crate) fn known(&self, id: AccountId) -> Option<&Known> {
        self.known.get(id.0)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Familiar pairs in all.
    pub(crate) fn pairs(&self) -> u64 {
        self.pairs
    }

    /// The pair, familiar or about to be.
    pub(crate) fn pair_mut(&mut self, id: AccountId, unit: Unit) -> Option<&mut Pair> {
        self.known.get_mut(id.0)?.pairs.iter_mut().find(|pair| pair.unit == unit)
    }

    /// Whether the account is familiar at the source.
    pub(crate) fn is_familiar(&mut self, id: AccountId, unit: Unit, now: Time) -> bool {
        let now = secs_u32(now);
        self.known.get_mut(id.0).is_some_and(|known| {
            known.pairs.iter().any(|pair| pair.unit == unit && pair.familiar_from <= now)
        })
    }

    /// Notes a success of a pair that was not there; returns the sources of admitted pairs that had to go for it.
    pub(crate) fn add(
        &mut self,
        id: AccountId,
        key: &AccountKey,
        unit: Unit,
        now: Time,
        familiar_from: Time,
        limits: &Limits,
    ) -> Vec<Unit> {
        let mut gone = Vec::new();
        if self.known.get(id.0).is_none() && self.known.len() >= limits.accounts as usize {
            let victim = self.known.victim(32, |known| Some(known.last));
            if let Some((id, known)) =
                victim.and_then(|victim| self.known.remove(victim).map(|known| (victim, known)))
            {
                self.local_parts.remove(id, &known.key);
                self.pairs -= known.pairs.len() as u64;
                gone.extend(known.pairs.iter().filter(|pair| pair.admitted).map(|pair| pair.unit));
            }
        }
        let secs = secs_u32(now);
        let local_parts = &mut self.local_parts;
        let known = self.known.entry(id.0, || {
            local_parts.add(id.0, key);
            Known { key: key.clone(), last: secs, pairs: Vec::new() }
        });
        known.last = secs;
        if known.pairs.len() >= limits.sources_per_account as usize
            && let Some(oldest) = (0..known.pairs.len()).min_by_key(|&i| known.pairs[i].last)
        {
            self.pairs -= 1;
            let pair = known.pairs.swap_remove(oldest);
            gone.extend(pair.admitted.then_some(pair.unit));
        }
        known.pairs.reserve_exact(usize::from(known.pairs.capacity() == known.pairs.len()));
        let familiar_from = secs_u32(familiar_from);
        self.pairs += 1;
        known.pairs.push(Pair {
            unit,
            first: secs,
            last: secs,
            familiar_from,
            near: [0; 2],
            habit: 0,
            failures: 0,
            admitted: false,
        });
        gone
    }

    /// Sources at which somebody logged in since then (seconds since 1970). Looks at every account.
    pub(crate) fn active_units(&self, since: u32) -> usize {
        let pairs = self.known.iter().flat_map(|(_, known)| &known.pairs);
        let units: BTreeSet<Unit> = pairs.filter(|pair| pair.last >= since).map(|pair| pair.unit).collect();
        units.len()
    }

    /// Notes that the account succeeded now.
    pub(crate) fn touch(&mut self, id: AccountId, now: Time) {
        if let Some(known) = self.known.get_mut(id.0) {
            known.last = secs_u32(now);
        }
    }

    /// Whether some known account's local part is within edit distance `max` of this one.
    pub(crate) fn has_near(&self, local_part: &[u8], max: usize) -> bool {
        self.local_parts
            .near(local_part, max)
            .filter_map(|id| self.known.get(id))
            .any(|known| distance_at_most(known.key.local_part(), local_part, max))
    }

    /// Accounts that are familiar at a source, with their pairs: for explanations only, it walks the table.
    pub(crate) fn at(&self, unit: Unit) -> impl Iterator<Item = (&Known, &Pair)> {
        self.known
            .iter()
            .flat_map(|(_, known)| known.pairs.iter().map(move |pair| (known, pair)))
            .filter(move |(_, pair)| pair.unit == unit)
    }
}

/// A set of the letters in a name. One edit changes at most two bits.
pub(crate) fn letters(name: &[u8]) -> u64 {
    name.iter().fold(0, |set, byte| set | 1 << (byte % 64))
}
