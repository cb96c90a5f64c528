//! How many suspects each neighbourhood (/24 or /48) has in the table, so that none takes more than its share: who owns
//! a /48 has 65,536 sources, and would push out everybody else's evidence with them.
//!
//! Counted in a sketch of two rows, which never counts too few. With a table full of strangers a cell holds some fifty,
//! where a share is thousands; which neighbourhoods share a cell depends on the key.

use core::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use super::source::Unit;

/// The part of the suspects that one neighbourhood may hold: one in so many.
const SHARES: u32 = 64;
const CELLS: usize = 1 << 14;

/// Derived from the table of sources, so it is no part of the state: [`super::Judge::recount`] makes it anew.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowds {
    key: [u8; 16],
    /// Two rows of [`CELLS`].
    cells: Vec<u32>,
}

impl Crowds {
    pub(super) fn new(key: [u8; 16]) -> Crowds {
        Crowds { key, cells: vec![0; 2 * CELLS] }
    }

    /// A unit became a suspect.
    pub(super) fn enter(&mut self, unit: Unit) {
        for cell in self.cells_of(unit) {
            self.cells[cell] = self.cells[cell].saturating_add(1);
        }
    }

    /// A suspect is none any more: forgotten, or somebody logged in there.
    pub(super) fn leave(&mut self, unit: Unit) {
        for cell in self.cells_of(unit) {
            self.cells[cell] = self.cells[cell].saturating_sub(1);
        }
    }

    /// Whether the unit's neighbourhood holds its share of so many suspects.
    pub(super) fn is_full(&self, unit: Unit, suspects_max: u32) -> bool {
        let members = self.cells_of(unit).map(|cell| self.cells[cell]).into_iter().min();
        members >= Some((suspects_max / SHARES).max(1))
    }

    fn cells_of(&self, unit: Unit) -> [usize; 2] {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write_u64(unit.neighbourhood());
        hasher.write_u8(u8::from(unit.is_v4()));
        let hash = hasher.finish() as usize;
        [hash % CELLS, CELLS + hash / CELLS % CELLS]
    }
}
