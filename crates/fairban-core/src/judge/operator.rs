//! What the operator orders: bans of his own, unbans with or without forgiveness, the allowlist.
//!
//! Orders are inputs of the engine like events: they change what is judged afterwards, and the same inputs in the same
//! order give the same effects.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Judge;
use super::familiar::AccountId;
use super::source::{EpisodeState, Unit};
use crate::effect::{Ban, Effect, RobotKind, UnbanReason};
use crate::engine::{Order, Whom};
use crate::nats::Nats;
use crate::time::Time;

/// Bans by order that are kept; when full, the one that ends first makes room. Only the operator fills this.
const ORDERED_MAX: usize = 1 << 16;

/// Sources whose failing accounts are forgiven; the longest forgiven goes first. Only the operator fills this.
const FORGIVEN_MAX: usize = 1 << 12;

/// A ban by order.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Ordered {
    id: u64,
    until: Option<Time>,
}

/// Where a ban stands among the ends.
fn end_of(prefix: IpNet, ban: &Ordered) -> (bool, Option<Time>, IpNet) {
    (ban.until.is_none(), ban.until, prefix)
}

/// What was ordered and is in force.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Orders {
    bans: BTreeMap<IpNet, Ordered>,
    /// Their ends, those without one last: all of them, or none, and then they are put together when they are needed.
    #[serde(skip)]
    ends: BTreeSet<(bool, Option<Time>, IpNet)>,
    /// Lengths of the prefixes in `bans`, so that a look-up asks for no others.
    lengths: BTreeSet<u8>,
    /// Lower halves of account hashes whose failures weigh nothing at a source.
    forgiven: BTreeMap<u64, Vec<u32>>,
    /// Sources in `forgiven`, the longest forgiven first.
    forgiven_order: VecDeque<u64>,
}

impl Orders {
    /// Whether a ban by order keeps the address out.
    pub(super) fn keep_out(&self, address: IpAddr, now: Time) -> bool {
        self.lengths.iter().any(|&length| {
            let prefix = IpNet::new(address, length).ok().map(|prefix| prefix.trunc());
            let ban = prefix.and_then(|prefix| self.bans.get(&prefix));
            ban.is_some_and(|ban| ban.until.is_none_or(|until| now <= until))
        })
    }

    /// Whether failures of the account at the source were forgiven.
    pub(super) fn forgives(&self, unit: Unit, account: u32) -> bool {
        self.forgiven.get(&unit.0).is_some_and(|accounts| accounts.contains(&account))
    }

    fn put(&mut self, prefix: IpNet, ordered: Ordered) {
        if self.bans.len() >= ORDERED_MAX && !self.bans.contains_key(&prefix) {
            if self.ends.is_empty() {
                self.ends = self.bans.iter().map(|(prefix, ban)| end_of(*prefix, ban)).collect();
            }
            let first = self.ends.pop_first();
            first.and_then(|(.., first)| self.bans.remove(&first));
        }
        let before = self.bans.insert(prefix, ordered);
        if !self.ends.is_empty() {
            before.map(|before| self.ends.remove(&end_of(prefix, &before)));
            self.ends.insert(end_of(prefix, &ordered));
        }
        self.lengths.insert(prefix.prefix_len());
    }

    fn lift(&mut self, whom: impl Fn(&IpNet) -> bool) -> Vec<(IpNet, u64)> {
        let lifted: Vec<_> = self.bans.iter().filter(|(prefix, _)| whom(prefix)).collect();
        let lifted: Vec<(IpNet, u64)> = lifted.into_iter().map(|(prefix, ban)| (*prefix, ban.id)).collect();
        for (prefix, _) in &lifted {
            self.bans.remove(prefix);
        }
        self.ends.clear();
        self.lengths = self.bans.keys().map(IpNet::prefix_len).collect();
        lifted
    }

    fn forgive(&mut self, unit: Unit, accounts: impl Iterator<Item = u32>, max: u32) {
        if !self.forgiven.contains_key(&unit.0) {
            if self.forgiven.len() >= FORGIVEN_MAX
                && let Some(oldest) = self.forgiven_order.pop_front()
            {
                self.forgiven.remove(&oldest);
            }
            self.forgiven_order.push_back(unit.0);
        }
        let forgiven = self.forgiven.entry(unit.0).or_default();
        for account in accounts {
            if forgiven.len() < max as usize && !forgiven.contains(&account) {
                forgiven.push(account);
            }
        }
    }
}

impl Judge {
    pub(crate) fn order(&mut self, order: &Order) {
        match order {
            Order::Ban { prefix, until } => self.ban_by_order(prefix.trunc(), *until),
            Order::Unban { whom, forgive } => self.unban_by_order(whom, *forgive),
            Order::BanLengths(lengths) => self.config.bans = *lengths,
            Order::Resume => self.close_breaker(),
            Order::Refused { source, times } => self.refused(*source, *times),
            Order::Admins(admins) => self.config.admins.clone_from(admins),
            Order::Allow(list) => {
                self.config.allow.clone_from(list);
                for prefix in list {
                    self.unban_by_order(&Whom::Prefix(*prefix), false);
                }
            }
        }
    }

    fn ban_by_order(&mut self, prefix: IpNet, until: Option<Time>) {
        let (id, now) = (self.next_id(), self.now);
        self.orders.put(prefix, Ordered { id, until });
        self.effects.push_back(Effect::Ban(Ban {
            id,
            prefix,
            time: now,
            until,
            evidence: Nats::ZERO,
            limit: Nats::ZERO,
            reason: RobotKind::Operator,
            signals: Vec::new(),
            attempts: 0,
            accounts: 0,
            weak: false,
        }));
    }

    fn unban_by_order(&mut self, whom: &Whom, forgive: bool) {
        let account = match whom {
            Whom::Account(key) => Some(self.accounts.id(key)),
            Whom::Prefix(_) | Whom::All => None,
        };
        let meant = |prefix: &IpNet| match whom {
            Whom::Prefix(other) => prefix.contains(&other.trunc()) || other.trunc().contains(prefix),
            Whom::Account(_) => false,
            Whom::All => true,
        };
        for (prefix, of) in self.orders.lift(meant) {
            self.tell_unban(prefix, of);
        }
        for (key, net, of) in self.prefixes.bans_in_force(self.now) {
            if meant(&net) {
                self.prefixes.unban(key);
                self.convictions.lift(key.apart(), self.now);
                self.tell_unban(net, of);
            }
        }
        for unit in self.units_meant(meant, account) {
            self.unban_unit(unit, account, forgive);
        }
    }

    /// Sources whose ban is meant, or whose failures are; by number, so that the order is the same everywhere.
    fn units_meant(&self, meant: impl Fn(&IpNet) -> bool, account: Option<AccountId>) -> Vec<Unit> {
        let is_meant = |unit: Unit| match account {
            None => meant(&unit.prefix()),
            Some(id) => self
                .sources
                .get(unit.0)
                .is_some_and(|source| source.episodes.iter().any(|episode| episode.account == id.low())),
        };
        let mut units: Vec<Unit> =
            self.sources.iter().map(|(key, _)| Unit(key)).filter(|unit| is_meant(*unit)).collect();
        units.sort_unstable();
        units
    }

    /// Ends the ban of a source, if there is one, and closes the record that led to it. What waits is dropped with it.
    fn unban_unit(&mut self, unit: Unit, account: Option<AccountId>, forgive: bool) {
        let now = self.now;
        let episodes_max = self.limits.episodes_per_source;
        let Some(source) = self.sources.get_mut(unit.0) else { return };
        if forgive {
            let all = source.episodes.iter().filter(|episode| episode.state != EpisodeState::Slip);
            let named = all.map(|e| e.account).filter(|&one| account.is_none_or(|id| id.low() == one));
            let named: Vec<u32> = named.collect();
            self.orders.forgive(unit, named.into_iter(), episodes_max);
        }
        let banned = source.banned_until != 0 && !source.ban_is_over(now);
        if !banned && !forgive {
            return;
        }
        let waiting: Vec<u32> = source.episodes.iter().map(|episode| episode.account).collect();
        let whole = unit.prefix();
        source.strikes = source.strikes.saturating_sub(u8::from(forgive && banned));
        source.clear(now);
        for account in waiting {
            self.pending.remove(unit, account);
        }
        self.dossiers.close(unit);
        self.addresses.unban(unit);
        if banned {
            let told = self.convictions.get(unit.0).map(|conviction| (conviction.prefix, conviction.id));
            let (prefix, of) = told.unwrap_or((whole, 0));
            self.convictions.lift(unit.0, now);
            self.tell_unban(prefix, of);
        }
    }

    fn tell_unban(&mut self, prefix: IpNet, of: u64) {
        let id = self.next_id();
        self.effects.push_back(Effect::Unban {
            id,
            of,
            prefix,
            time: self.now,
            reason: UnbanReason::Operator,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(n: u32) -> IpNet {
        IpNet::from(IpAddr::from(core::net::Ipv4Addr::from(n)))
    }

    #[test]
    fn the_ban_that_ends_first_makes_room_and_those_without_end_last() {
        let (mut orders, max) = (Orders::default(), ORDERED_MAX as u32);
        for n in 0..max {
            let until = (n % 2 == 0).then(|| Time::from_secs(i64::from(max - n)));
            orders.put(prefix(n), Ordered { id: u64::from(n), until });
        }
        // Every further one costs a look at the first end only, so many are no matter.
        for n in max..max + max / 2 {
            orders.put(prefix(n), Ordered { id: u64::from(n), until: None });
        }
        assert_eq!(orders.bans.len(), ORDERED_MAX);
        assert!(orders.bans.values().all(|ban| ban.until.is_none()), "those with an end went first");
        orders.put(prefix(1), Ordered { id: 7, until: Some(Time::from_secs(1)) });
        orders.put(prefix(0), Ordered { id: 8, until: None });
        assert!(!orders.bans.contains_key(&prefix(1)), "its new end is the first");
        assert_eq!(orders.lift(|_| true).len(), ORDERED_MAX);
        orders.put(prefix(5), Ordered { id: 9, until: None });
        assert_eq!((orders.bans.len(), orders.ends.len()), (1, 0));
    }
}
