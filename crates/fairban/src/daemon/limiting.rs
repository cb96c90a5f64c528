//! Limits of connections, as the thread that decides sees them: what holds is told to whoever counts, and how often it
//! refused is evidence.

use std::collections::BTreeMap;
use std::time::Duration;

use fairban_core::engine::Order;
use fairban_firewall::limits::{Counted, EXEMPT_MAX, Limit};
use ipnet::IpNet;

use super::desk::{Action, Entry, Mode};
use super::doors::Callback;
use super::office::{Office, by_itself};
use crate::limits::{LimitSpec, merged};

/// Refusals are looked at this often, while limits are enforced.
const COUNT_EVERY: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug)]
pub(crate) struct Limiting {
    /// Of the configuration.
    pub(crate) configured: Vec<LimitSpec>,
    /// What was told last, with who is exempt; the number of a limit is its place.
    told: (Vec<LimitSpec>, Vec<Limit>, Vec<IpNet>),
    /// Others may be exempt by now.
    is_exempt_old: bool,
    /// Refusals by limit and source, when they were last looked at; `None` before the first time.
    seen: Option<BTreeMap<(String, IpNet), u64>>,
    count_due: Duration,
}

impl Limiting {
    pub(crate) fn new(configured: Vec<LimitSpec>) -> Limiting {
        Limiting {
            configured,
            told: (Vec::new(), Vec::new(), Vec::new()),
            is_exempt_old: false,
            seen: None,
            count_due: Duration::ZERO,
        }
    }

    /// Somebody became a hub.
    pub(crate) fn forget_exempt(&mut self) {
        self.is_exempt_old = true;
    }

    /// What was told last, with whether each is enforced.
    pub(crate) fn told(&self) -> impl Iterator<Item = (&LimitSpec, &Limit)> {
        self.told.0.iter().zip(&self.told.1)
    }

    /// How many are exempt besides the allowlist and the machine itself.
    pub(crate) fn exempt(&self) -> u64 {
        self.told.2.len() as u64
    }

    /// How often each source was refused since the last time.
    fn news(&mut self, counted: &[Counted]) -> Vec<(IpNet, u32)> {
        let mut now = BTreeMap::new();
        for (number, (spec, limit)) in self.told.0.iter().zip(&self.told.1).enumerate() {
            let sources = counted.iter().filter(|one| limit.enforced && usize::from(one.group) == number);
            for (source, times) in sources.flat_map(|one| &one.sources) {
                now.insert((spec.name.clone(), *source), *times);
            }
        }
        let Some(before) = self.seen.replace(now) else { return Vec::new() };
        let mut news: BTreeMap<IpNet, u64> = BTreeMap::new();
        for (key, times) in self.seen.iter().flatten() {
            // A count that fell began anew.
            let more = times.checked_sub(before.get(key).copied().unwrap_or_default()).unwrap_or(*times);
            *news.entry(key.1).or_default() += more;
        }
        news.into_iter()
            .filter(|(_, times)| *times > 0)
            .map(|(source, times)| (source, u32::try_from(times).unwrap_or(u32::MAX)))
            .collect()
    }
}

/// Whether an entry may change what holds.
pub(crate) fn changes_limits(entry: &Entry) -> bool {
    match entry {
        Entry::Configured { .. } | Entry::Learnt { .. } => true,
        Entry::Action { action, .. } => matches!(action, Action::Limit { .. } | Action::Mode(_)),
        _ => false,
    }
}

impl Office {
    /// Says what holds now, if that has changed or somebody waits for it.
    ///
    /// Refused is only where bans are enforced for good: until live mode is confirmed a limit could lock the operator out and
    /// stay when we are gone; and before the old logs are read nobody knows who is a hub.
    pub(crate) fn tell_limits(&mut self, then: Option<Callback>) {
        let enforced = self.desk.mode() == Mode::Live { confirm_until: None } && self.desk.learnt();
        let specs = merged(&self.limits.configured, self.desk.limits_said().iter());
        let limits: Vec<Limit> =
            (0..).zip(&specs).map(|(group, spec): (u8, &LimitSpec)| spec.limit(group, enforced)).collect();
        let mut exempt: Vec<IpNet> = Vec::new();
        if !limits.is_empty() {
            exempt.extend(self.desk.engine().hubs().take(EXEMPT_MAX));
            exempt.sort_unstable();
        }
        self.limits.is_exempt_old = false;
        let told = (specs, limits, exempt);
        if then.is_none() && told == self.limits.told {
            return;
        }
        self.limits.told = told;
        let (_, limits, exempt) = self.limits.told.clone();
        self.doors.limit(limits, exempt, then);
        if self.limits.seen.is_none() {
            // What was refused in a life before this one is evidence already.
            self.doors.count_for_office();
        }
    }

    /// What has to be done without anybody asking; when it has to be done again, counted from our start.
    pub(super) fn tend_limits(&mut self, since_start: Duration) -> Option<Duration> {
        if self.limits.is_exempt_old {
            self.tell_limits(None);
        }
        if !self.limits.told.1.iter().any(|limit| limit.enforced) {
            return None;
        }
        if since_start >= self.limits.count_due {
            self.limits.count_due = since_start + COUNT_EVERY;
            self.doors.count_for_office();
        }
        Some(self.limits.count_due)
    }

    /// What came of the limits is told to the engine.
    pub(super) fn counted(&mut self, counted: &[Counted]) {
        let time = self.now();
        let entry = |(source, times): (IpNet, u32)| Entry::Action {
            time,
            by: by_itself(),
            action: Action::Order(Order::Refused { source: source.addr(), times }),
            reason: String::new(),
        };
        let entries: Vec<Entry> = self.limits.news(counted).into_iter().map(entry).collect();
        if !entries.is_empty() {
            self.enter(&entries, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str) -> LimitSpec {
        let name = name.to_owned();
        LimitSpec { name, ports: vec![110], concurrent: Some(5), rate: None, enforce: true }
    }

    fn counted(group: u8, sources: &[(&str, u64)]) -> Counted {
        let sources =
            sources.iter().map(|(source, times)| (source.parse().expect("a prefix"), *times)).collect();
        Counted { group, over_concurrent: 0, over_rate: 0, sources, sources_more: 0 }
    }

    #[test]
    fn what_is_new_of_counts_is_told_once_and_of_enforced_limits_alone() {
        let mut limiting = Limiting::new(Vec::new());
        let specs = vec![spec("imap"), spec("pop3"), spec("smtp")];
        let limits = vec![specs[0].limit(0, true), specs[1].limit(1, true), specs[2].limit(2, false)];
        limiting.told = (specs, limits, Vec::new());
        let net = |text: &str| text.parse::<IpNet>().expect("a prefix");
        let (one, other) = ("192.0.2.1/32", "2001:db8:1:1::/64");
        // Of a life before this one.
        assert_eq!(limiting.news(&[counted(0, &[(one, 7)])]), []);
        assert_eq!(limiting.news(&[counted(0, &[(one, 7)])]), []);
        let now = [counted(0, &[(one, 9)]), counted(1, &[(one, 3), (other, 4)]), counted(2, &[(other, 50)])];
        assert_eq!(limiting.news(&now), [(net(one), 5), (net(other), 4)]);
        // Forgotten by the kernel, and over again.
        assert_eq!(limiting.news(&[counted(1, &[(other, 1)])]), [(net(other), 1)]);
    }
}
