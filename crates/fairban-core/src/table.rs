//! A bounded table from 64-bit keys to values, whose contents and order depend on nothing but what was put in.
//!
//! Values live in chunks of a slab (so growing never copies and never doubles), an index finds them: four bytes a place,
//! of which what the slab's number leaves free tells most wrong entries apart, so that a look-up reads one line of the
//! index and one entry. The index is rebuilt on growth and on restore and never iterated over; walks go over the slab,
//! in an order that the inputs determine.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const CHUNK: usize = 1 << 10;

/// See the module's head. `V` is found by its key; at most `2^30` entries.
#[derive(Clone, Debug)]
pub(crate) struct Table<V> {
    secret: Secret,
    index: Index,
    slab: Slab<V>,
    /// Key and slab number of the entry that was last changed: one event asks for it many times.
    last: Option<(u64, u32)>,
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
        let slab = Slab { chunks: Vec::new(), free: Vec::new(), hand: 0 };
        Table { secret: Secret::new(key), index: Index::default(), slab, last: None }
    }

    /// Entries.
    pub(crate) fn len(&self) -> usize {
        self.index.len
    }

    /// The value at a key.
    pub(crate) fn get(&self, key: u64) -> Option<&V> {
        self.find(key).and_then(|slot| self.slab.at(slot)).map(|(_, value)| value)
    }

    /// The value at a key, to change it.
    pub(crate) fn get_mut(&mut self, key: u64) -> Option<&mut V> {
        let slot = self.find(key)?;
        self.last = Some((key, slot));
        self.slab.at_mut(slot).map(|(_, value)| value)
    }

    /// Puts a value at a key; returns what was there.
    pub(crate) fn insert(&mut self, key: u64, value: V) -> Option<V> {
        if let Some(there) = self.get_mut(key) {
            return Some(core::mem::replace(there, value));
        }
        self.put(key, value);
        None
    }

    /// The value at a key, made by `make` if there is none.
    pub(crate) fn entry(&mut self, key: u64, make: impl FnOnce() -> V) -> &mut V {
        let slot = match self.find(key) {
            Some(slot) => slot,
            None => self.put(key, make()),
        };
        self.last = Some((key, slot));
        match self.slab.at_mut(slot) {
            Some((_, value)) => value,
            None => unreachable!("the key was found or put in above"),
        }
    }

    /// Takes the value at a key out.
    pub(crate) fn remove(&mut self, key: u64) -> Option<V> {
        let (slab, hash) = (&self.slab, self.secret.hash(key));
        let place = self.index.find(hash, |slot| slab.key_at(slot) == key)?;
        let slot = self.index.remove(place, |slot| self.secret.hash(slab.key_at(slot)));
        self.last = None;
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

    /// Reads the index where a key would stand, so that it is in the cache when the key is asked for. What it returns
    /// means nothing.
    pub(crate) fn warm(&self, key: u64) -> u32 {
        self.index.warm(self.secret.hash(key))
    }

    #[inline]
    fn find(&self, key: u64) -> Option<u32> {
        match self.last {
            Some((last, slot)) if last == key => Some(slot),
            _ => self.look_up(key),
        }
    }

    #[inline(never)]
    fn look_up(&self, key: u64) -> Option<u32> {
        let place = self.index.find(self.secret.hash(key), |slot| self.slab.key_at(slot) == key)?;
        Some(self.index.slot(place))
    }

    /// Puts in a key that is not there.
    fn put(&mut self, key: u64, value: V) -> u32 {
        let slot = self.slab.put(key, value);
        let (slab, secret) = (&self.slab, &self.secret);
        if self.index.is_full() {
            self.index.grow(slab.keys().map(|(slot, key)| (slot, secret.hash(key))));
        } else {
            self.index.put(secret.hash(key), slot);
        }
        slot
    }
}

/// Open addressing in steps of one, at most three quarters full. An entry is 0 for none, or the slab's number plus one in
/// its lower [`Index::bits`] bits, and of the hash as much as fits above them.
#[derive(Clone, Debug, Default)]
struct Index {
    places: Box<[u32]>,
    bits: u32,
    len: usize,
}

/// The first size of an index, in bits.
const INDEX_BITS_MIN: u32 = 4;

impl Index {
    /// Where the entry is whose slab number `is_meant`.
    fn find(&self, hash: u64, is_meant: impl Fn(u32) -> bool) -> Option<usize> {
        let mut place = self.home(hash);
        loop {
            let entry = *self.places.get(place)?;
            if entry == 0 {
                return None;
            }
            if (entry ^ hash as u32) >> self.bits == 0 && is_meant(self.number(entry)) {
                return Some(place);
            }
            place = self.after(place);
        }
    }

    /// The slab's number at a place that holds an entry.
    fn slot(&self, place: usize) -> u32 {
        self.number(self.places[place])
    }

    fn warm(&self, hash: u64) -> u32 {
        self.places.get(self.home(hash)).copied().unwrap_or(0)
    }

    fn is_full(&self) -> bool {
        (self.len + 1) * 4 > self.places.len() * 3
    }

    /// Puts in an entry that is not there. It must not be full.
    fn put(&mut self, hash: u64, slot: u32) {
        let mut place = self.home(hash);
        while self.places[place] != 0 {
            place = self.after(place);
        }
        self.places[place] = (hash as u32 >> self.bits << self.bits) | (slot + 1);
        self.len += 1;
    }

    /// Makes an index for `entries`, which are those there were and one more.
    fn grow(&mut self, entries: impl Iterator<Item = (u32, u64)>) {
        self.bits = (self.bits + 1).max(INDEX_BITS_MIN);
        // The old one is given back first: growing needs no memory for both.
        self.places = Box::default();
        self.places = vec![0; 1 << self.bits].into_boxed_slice();
        self.len = 0;
        for (slot, hash) in entries {
            self.put(hash, slot);
        }
    }

    /// Takes an entry out, and moves those up that had to stand behind it. Returns the slab's number.
    fn remove(&mut self, place: usize, hash_of: impl Fn(u32) -> u64) -> u32 {
        let slot = self.slot(place);
        let (mut gap, mut next) = (place, self.after(place));
        while self.places[next] != 0 {
            let home = self.home(hash_of(self.slot(next)));
            let mask = self.places.len() - 1;
            // Whoever would not stand before its home moves into the gap.
            if next.wrapping_sub(home) & mask >= next.wrapping_sub(gap) & mask {
                self.places[gap] = self.places[next];
                gap = next;
            }
            next = self.after(next);
        }
        self.places[gap] = 0;
        self.len -= 1;
        slot
    }

    /// Upper bits of the hash; the lower ones stand in the entry.
    fn home(&self, hash: u64) -> usize {
        (hash >> 32 >> (32 - self.bits)) as usize
    }

    fn after(&self, place: usize) -> usize {
        (place + 1) & (self.places.len() - 1)
    }

    fn number(&self, entry: u32) -> u32 {
        (entry & ((1 << self.bits) - 1)) - 1
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

    fn keys(&self) -> impl Iterator<Item = (u32, u64)> {
        let entries = (0..).zip(self.chunks.iter().flatten());
        entries.filter_map(|(slot, entry)| entry.as_ref().map(|(key, _)| (slot, *key)))
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
#[derive(Clone, Debug)]
struct Secret {
    key: [u8; 16],
    words: [u64; 2],
}

impl Secret {
    fn new(key: [u8; 16]) -> Secret {
        let (low, high) = key.split_at(8);
        let word = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |word, &byte| word << 8 | u64::from(byte));
        Secret { key, words: [word(low) ^ 0x9e37_79b9_7f4a_7c15, word(high)] }
    }

    fn hash(&self, key: u64) -> u64 {
        let folded = |x: u64, y: u64| {
            let product = u128::from(x) * u128::from(y);
            product as u64 ^ (product >> 64) as u64
        };
        let mixed = folded(key ^ self.words[0], 0xd6e8_feb8_6659_fd93);
        folded(mixed ^ self.words[1], 0xa076_1d64_78bd_642f)
    }
}

impl<V: Serialize> Serialize for Table<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.secret.key, &self.slab).serialize(serializer)
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Table<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (key, slab): ([u8; 16], Slab<V>) = Deserialize::deserialize(deserializer)?;
        let secret = Secret::new(key);
        let mut index = Index::default();
        // Slab numbers must fit the index: its free places count too.
        while slab.slots() * 4 > index.places.len() * 3 {
            index.grow(core::iter::empty());
        }
        for (slot, key) in slab.keys() {
            index.put(secret.hash(key), slot);
        }
        Ok(Table { secret, index, slab, last: None })
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
    fn entries_stay_found_while_others_come_and_go() {
        let (mut table, mut model) = (Table::new([3; 16]), std::collections::BTreeMap::new());
        let mut random = 1_u64;
        for step in 0..40_000_u64 {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            // Few keys and a table that is nearly full: places are taken, given back and moved all the time.
            let key = (random >> 40) % 97;
            if random >> 62 == 0 {
                assert_eq!(table.remove(key), model.remove(&key));
            } else {
                assert_eq!(table.insert(key, step), model.insert(key, step));
            }
            let other = (random >> 30) % 97;
            assert_eq!(table.get(other), model.get(&other));
            assert_eq!(table.len(), model.len());
        }
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
