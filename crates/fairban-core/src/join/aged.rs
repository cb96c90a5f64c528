//! [`Aged`]: a bounded map that forgets its oldest entry, and remembers how far its forgetting has come.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// At most `BOUND` entries; a full map forgets the entry that was put in first.
///
/// Ordered maps, not hashed ones: no key can be chosen to collide, and equal contents have equal bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Aged<K: Ord, V, const BOUND: usize> {
    entries: BTreeMap<K, Slot<V>>,
    order: BTreeMap<u64, K>,
    next: u64,
    /// When the youngest of the forgotten entries was put in.
    horizon: Option<Time>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Slot<V> {
    order: u64,
    time: Time,
    value: V,
}

impl<K: Ord + Copy, V, const BOUND: usize> Aged<K, V, BOUND> {
    pub(super) const fn new() -> Aged<K, V, BOUND> {
        Aged { entries: BTreeMap::new(), order: BTreeMap::new(), next: 0, horizon: None }
    }

    pub(super) fn lookup(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|slot| &mut slot.value)
    }

    /// When the entry was put in, and the entry.
    pub(super) fn dated(&self, key: &K) -> Option<(Time, &V)> {
        self.entries.get(key).map(|slot| (slot.time, &slot.value))
    }

    /// Puts an entry in as the youngest, in place of one of the same key.
    pub(super) fn insert(&mut self, now: Time, key: K, value: V) {
        self.remove(&key);
        self.or_insert_with(now, key, || value);
    }

    /// The entry of `key`, put in as the youngest if there is none.
    pub(super) fn or_insert_with(&mut self, now: Time, key: K, value: impl FnOnce() -> V) -> &mut V {
        let order = self.next;
        if !self.entries.contains_key(&key) {
            self.make_room();
            self.next += 1;
            self.order.insert(order, key);
        }
        let slot = self.entries.entry(key).or_insert_with(|| Slot { order, time: now, value: value() });
        &mut slot.value
    }

    fn make_room(&mut self) {
        if self.entries.len() >= BOUND
            && let Some((_, oldest)) = self.order.pop_first()
            && let Some(slot) = self.entries.remove(&oldest)
        {
            self.horizon = self.horizon.max(Some(slot.time));
        }
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let slot = self.entries.remove(key)?;
        self.order.remove(&slot.order);
        Some(slot.value)
    }

    /// Whether an entry put in at `start` or later could have been here and was forgotten.
    pub(super) fn may_have_forgotten(&self, start: Time) -> bool {
        self.horizon.is_some_and(|horizon| horizon >= start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_map_forgets_the_oldest_and_says_how_far() {
        let mut map: Aged<u8, &str, 2> = Aged::new();
        map.insert(Time::from_secs(1), 1, "a");
        map.insert(Time::from_secs(2), 2, "b");
        assert!(!map.may_have_forgotten(Time::MIN));
        map.insert(Time::from_secs(3), 3, "c");
        assert_eq!(map.lookup(&1), None);
        assert_eq!(map.lookup(&2), Some(&mut "b"));
        assert!(map.may_have_forgotten(Time::from_secs(1)));
        assert!(!map.may_have_forgotten(Time::from_secs(2)));
    }

    #[test]
    fn an_entry_put_in_again_is_the_youngest() {
        let mut map: Aged<u8, &str, 2> = Aged::new();
        map.insert(Time::from_secs(1), 1, "a");
        map.insert(Time::from_secs(2), 2, "b");
        map.insert(Time::from_secs(3), 1, "again");
        map.insert(Time::from_secs(4), 3, "c");
        assert_eq!(map.dated(&1), Some((Time::from_secs(3), &"again")));
        assert_eq!(map.lookup(&2), None);
        assert_eq!(map.remove(&3), Some("c"));
        assert_eq!(map.remove(&3), None);
    }
}
