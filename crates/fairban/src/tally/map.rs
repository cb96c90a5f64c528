//! Tables whose order never shows.

use std::hash::{BuildHasherDefault, Hasher};

use hashbrown::HashMap;

/// A table that is looked into and never walked for what is told, so that its order reaches no result. The key of its
/// hash is no secret: who finds names that collide makes one replay slow, and only by sending from all of them.
pub(super) type Map<K, V> = HashMap<K, V, BuildHasherDefault<Folding>>;

/// A hash of short keys: a folded multiplication for each of their words.
#[derive(Default)]
pub(super) struct Folding(u64);

impl Folding {
    fn fold(&mut self, word: u64) {
        let product = u128::from(self.0.rotate_left(23) ^ word ^ 0x9e37_79b9_7f4a_7c15)
            * u128::from(0xd6e8_feb8_6659_fd93_u64);
        self.0 = product as u64 ^ (product >> 64) as u64;
    }
}

impl Hasher for Folding {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.fold(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, word: u8) {
        self.fold(u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.fold(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.fold(word);
    }

    fn write_usize(&mut self, word: usize) {
        self.fold(word as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
