//! Prefixes: IPv6 /56 and /48, IPv4 /24, judged only when several members accuse themselves and nobody in them has
//! ever succeeded.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::source::{Unit, secs_u32};
use crate::decay::decayed;
use crate::limits::Limits;
use crate::nats::Nats;
use crate::table::Table;
use crate::time::{Span, Time};
use crate::weights::{self, Kind};

/// Members that must have accused themselves before a prefix is judged.
pub(crate) const MEMBERS_MIN: u16 = 4;
/// Four members that fail within this time before another one are a machine's rhythm: four of
/// [`weights::BLIND_GAP`]. People of a large carrier come as close by chance, but not often.
const QUICK_FOUR: Span = Span::minutes(2);

/// A prefix as a key: the masked unit with the length in its lowest byte (all our lengths leave that byte free).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct PrefixKey(pub(crate) u64);

impl PrefixKey {
    /// As a key of a table that holds units too.
    pub(crate) const fn apart(self) -> u64 {
        self.0 ^ 1 << 63
    }
}

/// The prefixes around a unit, narrowest first.
pub(crate) fn around(unit: Unit) -> impl Iterator<Item = (PrefixKey, IpNet)> {
    let lengths: &[(u8, u64)] = if unit.is_v4() { &[(24, 0xff)] } else { &[(56, 0xff), (48, 0xffff)] };
    lengths
        .iter()
        .map(move |&(length, low)| (PrefixKey(unit.0 & !low | u64::from(length)), unit.wider(length)))
}

/// One prefix with accused members.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Prefix {
    score: Nats,
    last: u32,
    counts: [u16; 4],
    /// Members whose failures opened.
    opened: u16,
    /// Members whose failures stayed.
    accused: u16,
    /// The last units that opened: their pending failures are weighed early with those that follow.
    recent: [u64; 4],
    /// Seconds of the last four accusations, the youngest first.
    accused_at: [u32; 4],
    strikes: u8,
    banned_until: u32,
    ban_id: u64,
}

/// All of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Prefixes {
    table: Table<Prefix>,
    /// Prefixes in which somebody succeeded: seconds of the last new member that did.
    succeeded: Table<u32>,
    /// Bans in force on prefixes: 0 saves the look-ups.
    bans: u32,
}

impl Prefixes {
    pub(crate) fn new(key: [u8; 16]) -> Prefixes {
        Prefixes { table: Table::new(key), succeeded: Table::new(key), bans: 0 }
    }

    /// Somebody logged in at a unit for the first time.
    pub(crate) fn success(&mut self, unit: Unit, now: Time, limits: &Limits) {
        for (key, _) in around(unit) {
            if self.succeeded.get(key.0).is_none() && self.succeeded.len() >= 2 * limits.clients as usize {
                let victim = self.succeeded.victim(16, |&last| Some(last));
                victim.and_then(|victim| self.succeeded.remove(victim));
            }
            self.succeeded.insert(key.0, secs_u32(now));
        }
    }

    /// Whether anybody ever logged in there.
    pub(crate) fn has_success(&self, key: PrefixKey) -> bool {
        self.succeeded.get(key.0).is_some()
    }

    /// A stranger's first failure opened. Returns the units whose pending failures should be weighed now, because a
    /// whole neighbourhood fails one by one.
    pub(crate) fn opened(&mut self, unit: Unit, now: Time, limits: &Limits) -> Vec<Unit> {
        let mut early = Vec::new();
        for (key, _) in around(unit) {
            if self.has_success(key) {
                continue;
            }
            self.make_room(key, limits);
            let prefix = self.table.entry(key.0, Prefix::default);
            prefix.settle(now);
            prefix.opened = prefix.opened.saturating_add(1);
            prefix.recent.rotate_right(1);
            prefix.recent[0] = unit.0;
            if prefix.opened >= MEMBERS_MIN {
                early.extend(prefix.recent.iter().filter(|&&unit| unit != 0).map(|&unit| Unit(unit)));
            }
        }
        early.sort_unstable();
        early.dedup();
        early
    }

    /// A stranger's first failure stayed. Returns the narrowest prefix whose own sum has reached `limit`. `seen` says
    /// what it weighs after so many of its kind (in 1/1024), and whether members fail in a machine's rhythm: less where the
    /// log may not show who logs in.
    pub(crate) fn accused(
        &mut self,
        unit: Unit,
        kind: Kind,
        now: Time,
        limit: Nats,
        limits: &Limits,
        seen: impl Fn(u64, bool) -> Nats,
    ) -> Option<(PrefixKey, IpNet, Nats)> {
        let mut convicted = None;
        for (key, net) in around(unit) {
            if self.has_success(key) {
                continue;
            }
            self.make_room(key, limits);
            let prefix = self.table.entry(key.0, Prefix::default);
            prefix.settle(now);
            let earlier = u64::from(prefix.counts[kind.index()]) * 16;
            let quick = prefix.accused_at[3] != 0
                && now.since(Time::from_secs(i64::from(prefix.accused_at[3]))) < QUICK_FOUR;
            prefix.accused_at.rotate_right(1);
            prefix.accused_at[0] = secs_u32(now);
            prefix.score += seen(earlier, quick);
            prefix.counts[kind.index()] = prefix.counts[kind.index()].saturating_add(64);
            prefix.accused = prefix.accused.saturating_add(1);
            if prefix.accused >= MEMBERS_MIN && prefix.score >= limit && convicted.is_none() {
                convicted = Some((key, net, prefix.score));
            }
        }
        convicted
    }

    /// A later success took a member's first failure back.
    pub(crate) fn excused(&mut self, unit: Unit, kind: Kind, now: Time) {
        for (key, _) in around(unit) {
            if let Some(prefix) = self.table.get_mut(key.0) {
                prefix.settle(now);
                prefix.accused = prefix.accused.saturating_sub(1);
                prefix.counts[kind.index()] = prefix.counts[kind.index()].saturating_sub(64);
                let earlier = u64::from(prefix.counts[kind.index()]) * 16;
                prefix.score = (prefix.score - kind.model(false).weight(earlier)).max(Nats::ZERO);
            }
        }
    }

    /// Members that accused themselves.
    pub(crate) fn members(&self, key: PrefixKey) -> u16 {
        self.table.get(key.0).map_or(0, |prefix| prefix.accused)
    }

    /// Earlier bans of the prefix.
    pub(crate) fn strikes(&self, key: PrefixKey) -> u8 {
        self.table.get(key.0).map_or(0, |prefix| prefix.strikes)
    }

    /// Notes a ban; evidence starts at probation when it ends.
    pub(crate) fn ban(&mut self, key: PrefixKey, id: u64, until: Time, now: Time) {
        let prefix = self.table.entry(key.0, Prefix::default);
        self.bans += u32::from(prefix.banned_until == 0);
        prefix.settle(now);
        prefix.score = weights::PROBATION;
        prefix.strikes = prefix.strikes.saturating_add(1);
        prefix.banned_until = secs_u32(until);
        prefix.ban_id = id;
    }

    /// The ban in force on a prefix around the unit.
    pub(crate) fn banned(&mut self, unit: Unit, now: Time) -> Option<(PrefixKey, IpNet, u64)> {
        if self.bans == 0 {
            return None;
        }
        for (key, net) in around(unit) {
            let Some(prefix) = self.table.get_mut(key.0) else { continue };
            if prefix.banned_until == 0 {
                continue;
            }
            if now <= Time::from_secs(i64::from(prefix.banned_until)) {
                return Some((key, net, prefix.ban_id));
            }
            prefix.banned_until = 0;
            self.bans -= 1;
        }
        None
    }

    /// All bans in force, by prefix.
    pub(crate) fn bans_in_force(&self, now: Time) -> Vec<(PrefixKey, IpNet, u64)> {
        let on = |prefix: &Prefix| {
            prefix.banned_until != 0 && now <= Time::from_secs(i64::from(prefix.banned_until))
        };
        let mut bans: Vec<_> = self.table.iter().filter(|(_, prefix)| on(prefix)).collect();
        bans.sort_unstable_by_key(|(key, _)| *key);
        let net = |key: u64| Unit(key & !0xff).wider((key & 0xff) as u8);
        bans.into_iter().map(|(key, prefix)| (PrefixKey(key), net(key), prefix.ban_id)).collect()
    }

    /// Ends a ban; nothing is left of the prefix's evidence.
    pub(crate) fn unban(&mut self, key: PrefixKey) {
        if let Some(prefix) = self.table.get_mut(key.0) {
            self.bans -= u32::from(prefix.banned_until != 0);
            *prefix = Prefix { strikes: prefix.strikes, ..Prefix::default() };
        }
    }

    /// Banned ones go last, the one that ends first: the ban was told and stays.
    fn make_room(&mut self, key: PrefixKey, limits: &Limits) {
        if self.table.get(key.0).is_none() && self.table.len() >= limits.prefixes as usize {
            let rank = |prefix: &Prefix| Some((prefix.banned_until, prefix.opened, prefix.last));
            let victim = self.table.victim(16, rank);
            if let Some(gone) = victim.and_then(|victim| self.table.remove(victim)) {
                self.bans -= u32::from(gone.banned_until != 0);
            }
        }
    }
}

impl Prefix {
    fn settle(&mut self, now: Time) {
        let age = now.since(Time::from_secs(i64::from(self.last)));
        self.score = Nats::raw(decayed(i64::from(self.score.to_raw()), age, weights::HALF_LIFE) as i32);
        for count in &mut self.counts {
            *count = decayed(i64::from(*count), age, weights::HALF_LIFE) as u16;
        }
        if age > Span::days(2) {
            self.opened = 0;
            self.accused = 0;
            self.recent = [0; 4];
        }
        self.last = secs_u32(now);
    }
}
