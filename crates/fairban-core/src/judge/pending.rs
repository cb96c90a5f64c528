//! Failures that wait for a success: a digest failure for the plain login a second later, a typo for the second try.
//!
//! Bounded; when full, the one due next is weighed at once, so that nothing is lost and filling it only brings an
//! attacker's own weights forward.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::familiar::AccountId;
use super::source::Unit;
use crate::account::AccountKey;
use crate::event::{Mechanism, Outcome, SecretTag, Service, Session};
use crate::table::Table;
use crate::time::Time;

/// One failure that waits (the first of its episode; later ones of the same pair only count there).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// Order of arrival, which also tells a live queue entry from a stale one.
    pub(crate) sequence: u64,
    /// When it is weighed if nothing resolves it.
    pub(crate) due: Time,
    /// When it happened.
    pub(crate) time: Time,
    /// Where.
    pub(crate) unit: Unit,
    /// At which account; for a hidden one a made-up identity of its own.
    pub(crate) id: AccountId,
    /// Its name; `None` if hidden.
    pub(crate) name: Option<AccountKey>,
    /// The name is only a beginning.
    pub(crate) cut: bool,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// How the secret was proved.
    pub(crate) mechanism: Mechanism,
    /// Tag of the secret.
    pub(crate) secret: Option<SecretTag>,
    /// The secret is one that robots try first.
    pub(crate) common: bool,
    /// Whose line.
    pub(crate) service: Service,
    /// Its session.
    pub(crate) session: Session,
    /// The gap before it, if it was a new failing account where none had succeeded.
    pub(crate) gap_micros: Option<i64>,
    /// Its line, secret blanked.
    pub(crate) sample: Box<[u8]>,
}

impl Waiting {
    /// The log does not name the account.
    pub(crate) const fn name_is_hidden(&self) -> bool {
        self.name.is_none()
    }
}

/// All of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pending {
    table: Table<Waiting>,
    queue: BTreeMap<(Time, u64), u64>,
    sequence: u64,
}

/// The table's key of a pair.
pub(crate) fn pair_key(unit: Unit, account: u32) -> u64 {
    unit.0.rotate_left(32) ^ u64::from(account).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Pending {
    pub(crate) fn new(key: [u8; 16]) -> Pending {
        Pending { table: Table::new(key), queue: BTreeMap::new(), sequence: 0 }
    }

    pub(crate) fn get(&self, unit: Unit, account: u32) -> Option<&Waiting> {
        self.table.get(pair_key(unit, account))
    }

    pub(crate) fn insert(&mut self, mut waiting: Waiting) {
        self.sequence += 1;
        waiting.sequence = self.sequence;
        let key = pair_key(waiting.unit, waiting.id.low());
        self.queue.insert((waiting.due, waiting.sequence), key);
        if let Some(old) = self.table.insert(key, waiting) {
            self.queue.remove(&(old.due, old.sequence));
        }
    }

    /// Changes when one is due.
    pub(crate) fn postpone(&mut self, unit: Unit, account: u32, due: Time) {
        let key = pair_key(unit, account);
        if let Some(waiting) = self.table.get_mut(key) {
            self.queue.remove(&(waiting.due, waiting.sequence));
            waiting.due = due;
            self.queue.insert((due, waiting.sequence), key);
        }
    }

    pub(crate) fn remove(&mut self, unit: Unit, account: u32) -> Option<Waiting> {
        let waiting = self.table.remove(pair_key(unit, account))?;
        self.queue.remove(&(waiting.due, waiting.sequence));
        Some(waiting)
    }

    /// When the next one is due.
    pub(crate) fn next_due(&self) -> Option<Time> {
        self.queue.first_key_value().map(|((due, _), _)| *due)
    }

    /// The next one that is due by `now`, or due next at all when there are more than `max`.
    pub(crate) fn pop_due(&mut self, now: Time, max: u32) -> Option<Waiting> {
        let (&(due, sequence), &key) = self.queue.first_key_value()?;
        if due > now && self.table.len() <= max as usize {
            return None;
        }
        self.queue.remove(&(due, sequence));
        self.table.remove(key)
    }
}
