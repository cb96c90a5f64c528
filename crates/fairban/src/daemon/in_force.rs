//! The bans in force: what whoever shuts sources out is told, and what it is asked to do again after a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use fairban_core::effect::{Ban, RobotKind};
use fairban_core::nats::Nats;
use fairban_core::time::Time;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Bans kept; when full, the one that ends first makes room. It stays in the kernel until its end.
const BANS_MAX: usize = 1 << 20;

/// A ban in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InForce {
    /// The engine's number of it.
    pub(crate) id: u64,
    pub(crate) from: Time,
    /// `None` for ever.
    pub(crate) until: Option<Time>,
    pub(crate) evidence: Nats,
    pub(crate) limit: Nats,
    pub(crate) reason: RobotKind,
    pub(crate) attempts: u32,
    pub(crate) accounts: u32,
    pub(crate) weak: bool,
    /// Tries that the log has shown since.
    pub(crate) attempts_since: u32,
    /// Why it is not carried out, escaped.
    pub(crate) protected: Option<String>,
}

/// All of them, by prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BansInForce {
    by_prefix: BTreeMap<IpNet, InForce>,
    /// Those that end, by their end.
    by_end: BTreeSet<(Time, IpNet)>,
    /// How many there are of each length, so that a look-up asks for no others.
    lengths: BTreeMap<u8, u32>,
}

impl BansInForce {
    /// Notes a ban, or its new end.
    pub(crate) fn note(&mut self, ban: &Ban) {
        let before = self.remove(&ban.prefix);
        if self.by_prefix.len() >= BANS_MAX
            && let Some((_, first)) = self.by_end.first().copied()
        {
            self.remove(&first);
        }
        self.by_end.extend(ban.until.map(|until| (until, ban.prefix)));
        *self.lengths.entry(ban.prefix.prefix_len()).or_default() += 1;
        let in_force = InForce {
            id: ban.id,
            from: ban.time,
            until: ban.until,
            evidence: ban.evidence,
            limit: ban.limit,
            reason: ban.reason,
            attempts: ban.attempts,
            accounts: ban.accounts,
            weak: ban.weak,
            attempts_since: before.as_ref().map_or(0, |before| before.attempts_since),
            protected: before.and_then(|before| before.protected),
        };
        self.by_prefix.insert(ban.prefix, in_force);
    }

    /// A ban is not carried out, for this reason; or it is.
    pub(crate) fn protect(&mut self, prefix: &IpNet, because: Option<String>) {
        if let Some(ban) = self.by_prefix.get_mut(prefix) {
            ban.protected = because;
        }
    }

    /// A try from there that a ban keeps out, or would.
    pub(crate) fn kept_out(&mut self, address: IpAddr) {
        let around = self.lengths.keys().filter_map(|length| IpNet::new(address, *length).ok());
        let around: Vec<IpNet> = around.map(|net| net.trunc()).collect();
        for prefix in around {
            if let Some(ban) = self.by_prefix.get_mut(&prefix) {
                ban.attempts_since = ban.attempts_since.saturating_add(1);
            }
        }
    }

    /// The bans that hold this address.
    pub(crate) fn around(&self, address: IpAddr) -> impl Iterator<Item = (IpNet, &InForce)> {
        let around = self.lengths.keys().filter_map(move |length| IpNet::new(address, *length).ok());
        around.filter_map(|net| self.by_prefix.get(&net.trunc()).map(|ban| (net.trunc(), ban)))
    }

    /// Forgets a ban that was taken back.
    pub(crate) fn remove(&mut self, prefix: &IpNet) -> Option<InForce> {
        let gone = self.by_prefix.remove(prefix)?;
        if let Some(until) = gone.until {
            self.by_end.remove(&(until, *prefix));
        }
        if let Some(left) = self.lengths.get_mut(&prefix.prefix_len()) {
            *left -= 1;
            if *left == 0 {
                self.lengths.remove(&prefix.prefix_len());
            }
        }
        Some(gone)
    }

    /// Forgets what is over.
    pub(crate) fn forget(&mut self, now: Time) {
        while let Some((until, prefix)) = self.by_end.first().copied()
            && until <= now
        {
            self.remove(&prefix);
        }
    }

    pub(crate) fn get(&self, prefix: &IpNet) -> Option<&InForce> {
        self.by_prefix.get(prefix)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_prefix.len()
    }

    /// All, by prefix.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&IpNet, &InForce)> {
        self.by_prefix.iter()
    }
}

#[cfg(test)]
mod tests {
    use fairban_core::time::Span;

    use super::*;

    fn ban(prefix: &str, until: Option<i64>) -> Ban {
        Ban {
            id: 1,
            prefix: prefix.parse().expect("a prefix"),
            time: Time::from_secs(0),
            until: until.map(Time::from_secs),
            evidence: Nats::ZERO,
            limit: Nats::ZERO,
            reason: RobotKind::Operator,
            signals: Vec::new(),
            attempts: 0,
            accounts: 0,
            weak: false,
        }
    }

    #[test]
    fn bans_end_and_a_new_end_replaces_the_old_one() {
        let mut bans = BansInForce::default();
        bans.note(&ban("192.0.2.1/32", Some(10)));
        bans.note(&ban("192.0.2.1/32", Some(20)));
        bans.note(&ban("192.0.2.2/32", None));
        bans.forget(Time::from_secs(15));
        assert_eq!(bans.len(), 2);
        bans.forget(Time::from_secs(20).plus(Span::secs(1)));
        assert_eq!(bans.len(), 1);
        bans.kept_out("192.0.2.2".parse().expect("an address"));
        bans.kept_out("192.0.2.3".parse().expect("an address"));
        let prefix = "192.0.2.2/32".parse().expect("a prefix");
        assert_eq!(bans.get(&prefix).map(|ban| ban.attempts_since), Some(1));
        assert!(bans.remove(&"192.0.2.2/32".parse().expect("a prefix")).is_some());
        assert_eq!(bans.len(), 0);
    }
}
