//! [`Bans`]: what should be in the kernel, so that it can be put back, listed and compared.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Bound;

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};

use crate::enforcer::{Doors, Shut};
use crate::nft::{Change, Edit, Element, Group, OTHERS_MAX, SetId, is_common};
use crate::prefixes::within;

/// Most bans at a time. One more is refused: nobody is let in for a newcomer.
pub(super) const BANS_MAX: usize = 1_250_000;

/// Time that is never reached.
const FOREVER_MS: u64 = u64::MAX;

/// A ban in force. Times are milliseconds of the process's own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ban {
    until_ms: u64,
    doors: Doors,
    /// Higher is put back earlier.
    weight: u64,
    /// The last list it was on.
    list: u32,
}

impl Ban {
    fn left_ms(&self, now_ms: u64) -> Option<u64> {
        // An element without any time left would stay for ever.
        (self.until_ms != FOREVER_MS).then(|| self.until_ms.saturating_sub(now_ms).max(1))
    }

    fn is_over(&self, now_ms: u64) -> bool {
        self.until_ms <= now_ms
    }
}

/// All bans.
#[derive(Debug, Default)]
pub(super) struct Bans {
    all: BTreeMap<IpNet, Ban>,
    /// Bans of uncommon lengths: IPv4, IPv6.
    others: [usize; 2],
    weight: u64,
    list: u32,
    /// When so many are held, those that are over are looked for.
    prune_at: usize,
}

/// Why a ban is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    #[error("{BANS_MAX} prefixes are shut out already, which is the most")]
    Bans,
    #[error(
        "{OTHERS_MAX} prefixes of uncommon lengths are shut out already, which is the most; use /24, /32, /48, /56, /64 or /128"
    )]
    Others,
}

impl Bans {
    pub(super) fn holds(&self, prefix: &IpNet) -> bool {
        self.all.contains_key(prefix)
    }

    /// Takes a ban; returns what it replaces.
    pub(super) fn insert(&mut self, shut: &Shut, now_ms: u64) -> Result<Option<Ban>, Full> {
        let is_new = !self.all.contains_key(&shut.prefix);
        if is_new {
            if self.all.len() >= self.prune_at {
                self.prune(now_ms);
            }
            if self.all.len() >= BANS_MAX {
                return Err(Full::Bans);
            }
            if let Some(others) = self.count_of_others(&shut.prefix) {
                if *others >= OTHERS_MAX {
                    return Err(Full::Others);
                }
                *others += 1;
            }
        }
        self.weight += 1;
        let until_ms = shut.seconds.map_or(FOREVER_MS, |seconds| now_ms + u64::from(seconds.max(1)) * 1_000);
        let ban = Ban { until_ms, doors: shut.doors, weight: self.weight, list: self.list };
        Ok(self.all.insert(shut.prefix, ban))
    }

    pub(super) fn remove(&mut self, prefix: &IpNet) -> Option<Ban> {
        let removed = self.all.remove(prefix)?;
        if let Some(others) = self.count_of_others(prefix) {
            *others -= 1;
        }
        Some(removed)
    }

    /// Puts back what [`insert`](Self::insert) replaced or [`remove`](Self::remove) took.
    pub(super) fn undo(&mut self, prefix: IpNet, before: Option<Ban>) {
        self.remove(&prefix);
        if let Some(ban) = before {
            if let Some(others) = self.count_of_others(&prefix) {
                *others += 1;
            }
            self.all.insert(prefix, ban);
        }
    }

    fn count_of_others(&mut self, prefix: &IpNet) -> Option<&mut usize> {
        (!is_common(prefix)).then(|| &mut self.others[usize::from(matches!(prefix, IpNet::V6(_)))])
    }

    /// Forgets what is over. The kernel has let go of it by itself.
    pub(super) fn prune(&mut self, now_ms: u64) {
        const PRUNE_AT_MIN: usize = 10_000;
        let others = &mut self.others;
        self.all.retain(|prefix, ban| {
            if ban.is_over(now_ms) && !is_common(prefix) {
                others[usize::from(matches!(prefix, IpNet::V6(_)))] -= 1;
            }
            !ban.is_over(now_ms)
        });
        self.prune_at = (self.all.len() * 2).clamp(PRUNE_AT_MIN, BANS_MAX);
    }

    /// Begins a list of all that shall be shut out; see [`is_listed_already`](Self::is_listed_already).
    pub(super) fn begin_list(&mut self) {
        self.list += 1;
        // What comes first on a list matters most; what comes after the list is newer than all on it.
        self.weight += BANS_MAX as u64;
    }

    /// Whether a listed ban is in force as it should be; then it is on the list. Times may differ by a second, in which
    /// lists are written.
    pub(super) fn is_listed_already(&mut self, shut: &Shut, now_ms: u64) -> bool {
        const TOLERANCE_MS: u64 = 1_500;
        let list = self.list;
        let Some(ban) = self.all.get_mut(&shut.prefix).filter(|ban| !ban.is_over(now_ms)) else {
            return false;
        };
        let is_same = ban.doors == shut.doors
            && match (ban.left_ms(now_ms), shut.seconds) {
                (None, None) => true,
                (Some(left_ms), Some(seconds)) => {
                    left_ms.abs_diff(u64::from(seconds) * 1_000) <= TOLERANCE_MS
                }
                _ => false,
            };
        if is_same {
            ban.list = list;
        }
        is_same
    }

    /// What was not on the list.
    pub(super) fn unlisted(&self) -> Vec<IpNet> {
        self.all.iter().filter(|(_, ban)| ban.list != self.list).map(|(prefix, _)| *prefix).collect()
    }

    /// Bans of what lies in `prefix` or around it.
    pub(super) fn overlapping(&self, prefix: &IpNet) -> Vec<IpNet> {
        let around = std::iter::successors(prefix.supernet(), IpNet::supernet);
        let around = around.filter(|wider| self.all.contains_key(wider));
        self.all.range(within(prefix)).map(|(inside, _)| *inside).chain(around).collect()
    }

    /// At most `count` bans in ascending order, after `after`; and whether there are more.
    pub(super) fn page(&self, after: Option<IpNet>, count: usize, now_ms: u64) -> (Vec<Shut>, bool) {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let all = self.all.range((from, Bound::Unbounded)).filter(|(_, ban)| !ban.is_over(now_ms));
        let mut shuts = all.map(|(prefix, ban)| Shut {
            prefix: *prefix,
            seconds: ban.left_ms(now_ms).map(|ms| u32::try_from(ms.div_ceil(1_000)).unwrap_or(u32::MAX)),
            doors: ban.doors,
        });
        let page: Vec<Shut> = shuts.by_ref().take(count).collect();
        let has_more = shuts.next().is_some();
        (page, has_more)
    }

    /// How many are in force.
    pub(super) fn in_force(&self, now_ms: u64) -> u64 {
        self.all.values().filter(|ban| !ban.is_over(now_ms)).count() as u64
    }

    /// What to do to the hash sets when a ban changed from `before` to what it is now.
    pub(super) fn edits(&self, prefix: &IpNet, before: Option<Ban>, now_ms: u64, edits: &mut Vec<Edit>) {
        if !is_common(prefix) {
            return;
        }
        let after = self.all.get(prefix);
        let groups = |ban: Option<&Ban>| ban.map_or(&[][..], |ban| Group::of(ban.doors));
        let element = Element::new(prefix, after.and_then(|ban| ban.left_ms(now_ms)));
        let had_time = before.is_some_and(|ban| ban.until_ms != FOREVER_MS);
        for group in Group::ALL {
            let change = match (groups(before.as_ref()).contains(&group), groups(after).contains(&group)) {
                (false, false) => continue,
                (false, true) => Change::Add,
                // A kernel renews times; that there was or will be none it may not.
                (true, true) if element.timeout_ms.is_some() && had_time => Change::Renew,
                (true, true) => Change::Replace,
                (true, false) => Change::Remove,
            };
            edits.push(Edit { set: SetId::for_prefix(group, prefix), element, change });
        }
    }

    /// What should be in the hash sets, that which matters most first.
    pub(super) fn all_edits(&self, now_ms: u64) -> Vec<Edit> {
        let in_force = self.all.iter().filter(|(_, ban)| !ban.is_over(now_ms));
        let mut all: Vec<(u64, IpNet)> = in_force.map(|(prefix, ban)| (ban.weight, *prefix)).collect();
        all.sort_unstable_by(|one, other| other.cmp(one));
        let mut edits = Vec::with_capacity(all.len());
        for (_, prefix) in all {
            self.edits(&prefix, None, now_ms, &mut edits);
        }
        edits
    }

    /// What makes one element of a hash set as it should be.
    pub(super) fn settle(&self, set: SetId, key: IpAddr, now_ms: u64) -> Option<Edit> {
        let prefix = IpNet::new(key, set.len?).ok()?;
        let ban = self.all.get(&prefix).filter(|ban| !ban.is_over(now_ms));
        let ban = ban.filter(|ban| Group::of(ban.doors).contains(&set.group));
        let element = Element::new(&prefix, ban.and_then(|ban| ban.left_ms(now_ms)));
        let change = if ban.is_some() { Change::Replace } else { Change::Remove };
        Some(Edit { set, element, change })
    }

    /// What should be in the interval sets that hold bans of this length's kind; empty for a common length.
    pub(super) fn other_sets(&self, prefixes: &BTreeSet<IpNet>, now_ms: u64) -> Vec<(SetId, Vec<Element>)> {
        let is_touched = |is_v6: bool| {
            prefixes.iter().any(|prefix| !is_common(prefix) && matches!(prefix, IpNet::V6(_)) == is_v6)
        };
        let families = [false, true].into_iter().filter(|is_v6| is_touched(*is_v6));
        families.flat_map(|is_v6| self.other_sets_of(is_v6, now_ms)).collect()
    }

    /// What should be in all interval sets.
    pub(super) fn all_other_sets(&self, now_ms: u64) -> Vec<(SetId, Vec<Element>)> {
        [false, true].into_iter().flat_map(|is_v6| self.other_sets_of(is_v6, now_ms)).collect()
    }

    fn other_sets_of(&self, is_v6: bool, now_ms: u64) -> Vec<(SetId, Vec<Element>)> {
        let is_here = |prefix: &IpNet| !is_common(prefix) && matches!(prefix, IpNet::V6(_)) == is_v6;
        let bans = || self.all.iter().filter(|(prefix, ban)| is_here(prefix) && !ban.is_over(now_ms));
        let is_any = self.others[usize::from(is_v6)] > 0;
        let of_group = |group: Group| {
            let in_group = |ban: &Ban| Group::of(ban.doors).contains(&group);
            let members: Vec<(IpNet, u64)> = if is_any {
                bans().filter(|(_, ban)| in_group(ban)).map(|(prefix, ban)| (*prefix, ban.until_ms)).collect()
            } else {
                Vec::new()
            };
            (SetId { group, is_v6, len: None }, segments(&members, is_v6, now_ms))
        };
        Group::ALL.into_iter().map(of_group).collect()
    }
}

/// Prefixes that may lie in each other, as disjoint segments: each lives as long as the longest ban over it.
fn segments(bans: &[(IpNet, u64)], is_v6: bool, now_ms: u64) -> Vec<Element> {
    let last_of_family = if is_v6 { u128::MAX } else { u128::from(u32::MAX) };
    let ranges: Vec<(u128, u128, u64)> = bans
        .iter()
        .map(|(prefix, until_ms)| (number(prefix.network()), number(prefix.broadcast()), *until_ms))
        .collect();
    let mut bounds: BTreeSet<u128> = ranges.iter().map(|(start, _, _)| *start).collect();
    bounds.extend(ranges.iter().filter(|(_, last, _)| *last < last_of_family).map(|(_, last, _)| last + 1));
    let mut elements: Vec<Element> = Vec::new();
    let mut open: Option<u64> = None;
    for bound in bounds {
        let over = ranges.iter().filter(|(start, last, _)| *start <= bound && bound <= *last);
        let until_ms = over.map(|(_, _, until_ms)| *until_ms).max();
        if until_ms == open {
            continue;
        }
        let key = address(bound, is_v6);
        if open.is_some() {
            elements.push(Element { key, timeout_ms: None, is_end: true });
        }
        if let Some(until_ms) = until_ms {
            let timeout_ms = (until_ms != FOREVER_MS).then(|| until_ms.saturating_sub(now_ms).max(1));
            elements.push(Element { key, timeout_ms, is_end: false });
        }
        open = until_ms;
    }
    elements
}

/// Bans as found in the kernel: what an earlier process left.
pub(super) fn from_kernel(elements: &[(SetId, Element)]) -> Vec<Shut> {
    let mut found: BTreeMap<IpNet, (Option<u64>, Vec<Group>)> = BTreeMap::new();
    let mut note = |prefix: IpNet, group: Group, left_ms: Option<u64>| {
        found.entry(prefix).or_insert((left_ms, Vec::new())).1.push(group);
    };
    let mut edges: BTreeMap<SetId, BTreeMap<(u128, bool), Option<u64>>> = BTreeMap::new();
    for (set, element) in elements {
        match set.len.map(|len| IpNet::new(element.key, len)) {
            Some(Ok(prefix)) => note(prefix.trunc(), set.group, element.timeout_ms),
            Some(Err(_)) => {}
            // An end comes before the start of the next segment at the same address.
            None => {
                edges
                    .entry(*set)
                    .or_default()
                    .insert((number(element.key), !element.is_end), element.timeout_ms);
            }
        }
    }
    for (set, edges) in edges {
        let mut edges = edges.into_iter().peekable();
        while let Some(((start, is_start), left_ms)) = edges.next() {
            if !is_start {
                continue;
            }
            let family_last = if set.is_v6 { u128::MAX } else { u128::from(u32::MAX) };
            let last = edges.peek().map_or(family_last, |((next, _), _)| next.saturating_sub(1));
            for prefix in prefixes_of(start, last, set.is_v6) {
                note(prefix, set.group, left_ms);
            }
        }
    }
    let seconds = |left_ms: u64| u32::try_from(left_ms.div_ceil(1_000)).unwrap_or(u32::MAX).max(1);
    let shut = |(prefix, (left_ms, groups)): (IpNet, (Option<u64>, Vec<Group>))| {
        let doors = if groups.contains(&Group::All) {
            Doors::All
        } else if groups.contains(&Group::Smtp) {
            Doors::LoginsAndSmtp
        } else {
            Doors::Logins
        };
        Shut { prefix, seconds: left_ms.map(seconds), doors }
    };
    found.into_iter().map(shut).collect()
}

fn prefixes_of(start: u128, last: u128, is_v6: bool) -> Vec<IpNet> {
    match (address(start, is_v6), address(last, is_v6)) {
        (IpAddr::V4(start), IpAddr::V4(last)) => Ipv4Subnets::new(start, last, 0).map(IpNet::V4).collect(),
        (IpAddr::V6(start), IpAddr::V6(last)) => Ipv6Subnets::new(start, last, 0).map(IpNet::V6).collect(),
        _ => Vec::new(),
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

fn address(number: u128, is_v6: bool) -> IpAddr {
    if is_v6 { Ipv6Addr::from(number).into() } else { Ipv4Addr::from(number as u32).into() }
}

#[cfg(test)]
mod tests;
