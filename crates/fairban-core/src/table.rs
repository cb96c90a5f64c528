//! A bounded table from 64-bit keys to values, whose contents and order depend on nothing but what was put in.
//!
//! Values live in chunks of a slab (so growing never copies and never doubles), a hash index finds them. The index is
//! rebuilt on restore and never iterated over; walks go over the slab, in an order that the inputs determine.

use hashbrown::HashTable;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const CHUNK: usize = 1 << 10;

/// See the module's head. `V` is found by its key; at most `u32::MAX` entries.
#[derive(Clone, Debug)]
pub(crate) struct Table<V> {
    key: [u8; 16],
    index: HashTable<u32>,
    slab: Slab<V>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Slab<V> {
    chunks: Vec<Vec<Option<(u64, V)>>>,
    free: Vec<u32>,
    hand: u32,
}

impl<V> Table<V> {
    /// An empty table. `key` keeps attackers from choosing keys that collide.
    pub(crate) fn new(key: [u8; 16]) -> Table<V> {
        Table { key, index: HashTable::new(), slab: Slab { chunks: Vec::new(), free: Vec::new(), hand: 0 } }
    }

    /// Entries.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// The value at a key.
    pub(crate) fn get(&self, key: u64) -> Option<&V> {
        self.find(key).and_then(|slot| self.slab.at(slot)).map(|(_, value)| value)
    }

    /// The value at a key, to change it.
    pub(crate) fn get_mut(&mut self, key: u64) -> Option<&mut V> {
        let slot = self.find(key)?;
        self.slab.at_mut(slot).map(|(_, value)| value)
    }

    /// Puts a value at a key; returns what was there.
    pub(crate) fn insert(&mut self, key: u64, value: V) -> Option<V> {
        if let Some(there) = self.get_mut(key) {
            return Some(core::mem::replace(there, value));
        }
        let slot = self.slab.put(key, value);
        let (slab, sip) = (&self.slab, &self.key);
        self.index.insert_unique(hash(sip, key), slot, |&slot| hash(sip, slab.key_at(slot)));
        None
    }

    /// The value at a key, made by `make` if there is none.
    pub(crate) fn entry(&mut self, key: u64, make: impl FnOnce() -> V) -> &mut V {
        if self.find(key).is_none() {
            self.insert(key, make());
        }
        match self.get_mut(key) {
            Some(value) => value,
            None => unreachable!("the key was found or inserted above"),
        }
    }

    /// Takes the value at a key out.
    pub(crate) fn remove(&mut self, key: u64) -> Option<V> {
        let slab = &self.slab;
        let entry = self.index.find_entry(hash(&self.key, key), |&slot| slab.key_at(slot) == key).ok()?;
        let (slot, _) = entry.remove();
        self.slab.take(slot)
    }

    /// All entries, in the slab's order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &V)> {
        self.slab.chunks.iter().flatten().flatten().map(|(key, value)| (*key, value))
    }

    /// The key to evict: of the next `among` entries that have a rank, from where the last search ended, the one with
    /// the smallest; `None` only if no entry has one. A sample instead of the exact minimum: an attacker cannot aim it,
    /// and where a fair share of the entries have a rank a whole lap costs a few steps for each eviction.
    pub(crate) fn victim<R: Ord>(&mut self, among: usize, rank: impl Fn(&V) -> Option<R>) -> Option<u64> {
        self.victim_by_key(among, |_, value| rank(value))
    }

    /// The same where the rank depends on the key too.
    pub(crate) fn victim_by_key<R: Ord>(
        &mut self,
        among: usize,
        rank: impl Fn(u64, &V) -> Option<R>,
    ) -> Option<u64> {
        let slots = self.slab.slots();
        let mut best: Option<(R, u64)> = None;
        let mut seen = 0;
        for _ in 0..slots {
            let slot = self.slab.hand as usize % slots;
            self.slab.hand = ((slot + 1) % slots) as u32;
            let Some((key, value)) = self.slab.at(slot as u32) else { continue };
            let Some(rank) = rank(*key, value) else { continue };
            seen += 1;
            if best.as_ref().is_none_or(|(least, _)| rank < *least) {
                best = Some((rank, *key));
            }
            if seen == among {
                break;
            }
        }
        best.map(|(_, key)| key)
    }

    fn find(&self, key: u64) -> Option<u32> {
        self.index.find(hash(&self.key, key), |&slot| self.slab.key_at(slot) == key).copied()
    }
}

impl<V> Slab<V> {
    fn slots(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.len())
    }

    fn at(&self, slot: u32) -> Option<&(u64, V)> {
        self.chunks.get(slot as usize / CHUNK)?.get(slot as usize % CHUNK)?.as_ref()
    }

    fn at_mut(&mut self, slot: u32) -> Option<&mut (u64, V)> {
        self.chunks.get_mut(slot as usize / CHUNK)?.get_mut(slot as usize % CHUNK)?.as_mut()
    }

    fn key_at(&self, slot: u32) -> u64 {
        self.at(slot).map_or(0, |(key, _)| *key)
    }

    fn put(&mut self, key: u64, value: V) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.chunks[slot as usize / CHUNK][slot as usize % CHUNK] = Some((key, value));
            return slot;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            // Small tables stay small; only full chunks ask for a whole one.
            self.chunks.push(Vec::with_capacity(if self.chunks.is_empty() { 16 } else { CHUNK }));
        }
        let slot = self.slots();
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(Some((key, value)));
        }
        slot as u32
    }

    fn take(&mut self, slot: u32) -> Option<V> {
        let value = self.chunks.get_mut(slot as usize / CHUNK)?.get_mut(slot as usize % CHUNK)?.take();
        self.free.push(slot);
        value.map(|(_, value)| value)
    }
}

/// Mixes a key with the secret by two folded multiplications: as hard to aim at as the secret is to guess, and a
/// tenth of the cost of a keyed hash function made for strings.
fn hash(secret: &[u8; 16], key: u64) -> u64 {
    let (low, high) = secret.split_at(8);
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |word, &byte| word << 8 | u64::from(byte));
    let folded = |x: u64, y: u64| {
        let product = u128::from(x) * u128::from(y);
        product as u64 ^ (product >> 64) as u64
    };
    let mixed = folded(key ^ word(low) ^ 0x9e37_79b9_7f4a_7c15, 0xd6e8_feb8_6659_fd93);
    folded(mixed ^ word(high), 0xa076_1d64_78bd_642f)
}

impl<V: Serialize> Serialize for Table<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.key, &self.slab).serialize(serializer)
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Table<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (key, slab): ([u8; 16], Slab<V>) = Deserialize::deserialize(deserializer)?;
        let mut index = HashTable::with_capacity(slab.slots());
        for slot in 0..slab.slots() as u32 {
            if let Some((at, _)) = slab.at(slot) {
                index.insert_unique(hash(&key, *at), slot, |&slot| hash(&key, slab.key_at(slot)));
            }
        }
        Ok(Table { key, index, slab })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_is_found_until_it_is_taken_out() {
        let mut table = Table::new([7; 16]);
        for key in 0..5_000_u64 {
            assert_eq!(table.insert(key, key * 2), None);
        }
        for key in (0..5_000).step_by(3) {
            assert_eq!(table.remove(key), Some(key * 2));
        }
        for key in 0..5_000 {
            assert_eq!(table.get(key).copied(), (key % 3 != 0).then_some(key * 2));
        }
        assert_eq!(table.len(), 5_000 - 1_667);
    }

    #[test]
    fn restored_tables_go_on_alike() {
        let mut table = Table::new([1; 16]);
        for key in 0..3_000_u64 {
            table.insert(key, key);
            if key % 5 == 0 {
                table.remove(key / 2);
            }
        }
        let bytes = postcard::to_allocvec(&table).expect("a table of integers serializes");
        let mut again: Table<u64> = postcard::from_bytes(&bytes).expect("just written");
        for key in 0..500 {
            table.insert(10_000 + key, key);
            again.insert(10_000 + key, key);
            let (a, b) = (table.victim(8, |v| Some(*v)), again.victim(8, |v| Some(*v)));
            assert_eq!(a, b);
        }
        let (one, two) = (postcard::to_allocvec(&table), postcard::to_allocvec(&again));
        assert_eq!(one.expect("serializes"), two.expect("serializes"));
    }

    #[test]
    fn the_victim_is_the_smallest_of_the_sample_and_spared_ones_stay() {
        let mut table = Table::new([1; 16]);
        for key in 0..64_u64 {
            table.insert(key, 100 - key);
        }
        assert_eq!(table.victim(64, |&v| (v > 40).then_some(v)), Some(59));
        assert_eq!(table.victim(64, |_| None::<u64>), None);
    }
}
