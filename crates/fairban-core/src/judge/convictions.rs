//! The last ban of each source and prefix, for explanations: bans themselves live with their sources.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::effect::{Ban, RobotKind};
use crate::limits::Limits;
use crate::table::Table;
use crate::time::Time;

/// A ban that was told.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Conviction {
    pub(crate) id: u64,
    pub(crate) prefix: IpNet,
    pub(crate) kind: RobotKind,
    pub(crate) from: Time,
    pub(crate) until: Option<Time>,
    /// It was taken back before its end.
    pub(crate) lifted: Option<Time>,
}

impl Conviction {
    /// As an explanation tells it.
    pub(crate) fn told(&self) -> (u64, RobotKind, Time, Option<Time>) {
        (self.id, self.kind, self.from, self.lifted.or(self.until))
    }

    /// Whether it is in force.
    pub(crate) fn is_on(&self, now: Time) -> bool {
        self.lifted.is_none() && self.until.is_none_or(|until| now <= until)
    }
}

/// All of them, by unit or prefix key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Convictions {
    table: Table<Conviction>,
}

impl Convictions {
    pub(crate) fn new(key: [u8; 16]) -> Convictions {
        Convictions { table: Table::new(key) }
    }

    /// Notes a ban; the one that ends first makes room.
    pub(crate) fn note(&mut self, key: u64, ban: &Ban, limits: &Limits) {
        if self.table.get(key).is_none() && self.table.len() >= limits.bans as usize {
            let end = |conviction: &Conviction| Some((conviction.until.is_none(), conviction.until));
            let victim = self.table.victim(16, end);
            victim.and_then(|victim| self.table.remove(victim));
        }
        let (id, prefix, kind, from, until) = (ban.id, ban.prefix, ban.reason, ban.time, ban.until);
        self.table.insert(key, Conviction { id, prefix, kind, from, until, lifted: None });
    }

    /// Notes that a ban was taken back.
    pub(crate) fn lift(&mut self, key: u64, now: Time) {
        if let Some(conviction) = self.table.get_mut(key) {
            conviction.lifted = Some(now);
        }
    }

    /// The last ban of a unit or prefix.
    pub(crate) fn get(&self, key: u64) -> Option<&Conviction> {
        self.table.get(key)
    }
}
