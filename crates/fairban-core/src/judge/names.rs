//! Names of accounts that failed lately, for near-miss forgiveness and for explanations.
//!
//! A ring: the oldest name goes first. Who floods it takes nothing but the names out of older explanations, and the
//! forgiveness that a near miss would get later than the pending time.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::account::AccountKey;
use crate::table::Table;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Names {
    table: Table<AccountKey>,
    order: VecDeque<u32>,
}

impl Names {
    pub(crate) fn new(key: [u8; 16]) -> Names {
        Names { table: Table::new(key), order: VecDeque::new() }
    }

    pub(crate) fn insert(&mut self, account: u32, name: &AccountKey, max: u32) {
        if self.table.get(u64::from(account)).is_some() {
            return;
        }
        if self.order.len() >= max as usize
            && let Some(oldest) = self.order.pop_front()
        {
            self.table.remove(u64::from(oldest));
        }
        self.order.push_back(account);
        self.table.insert(u64::from(account), name.clone());
    }

    pub(crate) fn get(&self, account: u32) -> Option<&AccountKey> {
        self.table.get(u64::from(account))
    }
}
