//! [`Limit`]: how much one source may do at some ports, and what came of it.
//!
//! A source is an IPv4 address or an IPv6 /64. Who is over a limit is refused at that moment, not banned.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Most groups of ports with a limit.
pub const GROUPS_MAX: usize = 16;

/// Most ports of a group.
pub const PORTS_MAX: usize = 64;

/// Most prefixes that are exempt beside those that are never banned.
pub const EXEMPT_MAX: usize = 10_000;

/// Sources told of a group, those over most often first.
pub const SOURCES_TOLD_MAX: usize = 64;

/// Most connections a limit may be set to.
pub const COUNT_MAX: u32 = 1_000_000;

/// Longest time that a source is held off: a day.
pub const HOLD_SECONDS_MAX: u32 = 86_400;

/// What a source may do at some ports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// The group's number, below [`GROUPS_MAX`]; no two limits have the same.
    pub group: u8,
    /// TCP ports, from 1 to [`PORTS_MAX`] of them.
    pub ports: Vec<u16>,
    /// Connections open at a time, at least 1.
    pub concurrent: Option<u32>,
    /// New connections in a time.
    pub rate: Option<Rate>,
    /// What is over is refused; else it is only counted.
    pub enforced: bool,
}

/// So many new connections a time. A token bucket: `burst` at once, then `count` every `seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// At least 1.
    pub count: u32,
    /// 1, 60, 3,600 or 86,400.
    pub seconds: u32,
    /// At least 1.
    pub burst: u32,
    /// Who was over is refused until so many seconds have passed without a try; at most [`HOLD_SECONDS_MAX`].
    pub hold_seconds: Option<u32>,
}

/// Why a limit makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadLimit(pub String);

impl Limit {
    /// Whether it can be meant.
    ///
    /// # Errors
    /// What is wrong, for who wrote it.
    pub fn check(&self) -> Result<(), BadLimit> {
        let bad = |what: String| Err(BadLimit(what));
        if usize::from(self.group) >= GROUPS_MAX {
            return bad(format!("there are at most {GROUPS_MAX} groups"));
        }
        if self.ports.is_empty() || self.ports.len() > PORTS_MAX || self.ports.contains(&0) {
            return bad(format!("a group has from 1 to {PORTS_MAX} ports, from 1 to 65535"));
        }
        if self.concurrent.is_none() && self.rate.is_none() {
            return bad("a limit is of open connections, of new ones, or of both".to_owned());
        }
        let counts = self.rate.map(|rate| [rate.count, rate.burst]).into_iter().flatten();
        if counts.chain(self.concurrent).any(|count| !(1..=COUNT_MAX).contains(&count)) {
            return bad(format!("connections are counted from 1 to {COUNT_MAX}"));
        }
        if let Some(rate) = self.rate {
            if ![1, 60, 3_600, 86_400].contains(&rate.seconds) {
                return bad("new connections are counted a second, minute, hour or day".to_owned());
            }
            if rate.hold_seconds.is_some_and(|hold| !(1..=HOLD_SECONDS_MAX).contains(&hold)) {
                return bad(format!("a source is held off from 1 to {HOLD_SECONDS_MAX} seconds"));
            }
        }
        Ok(())
    }

    /// The same for a set of them.
    ///
    /// # Errors
    /// What is wrong with the first that is.
    pub fn check_all(limits: &[Limit]) -> Result<(), BadLimit> {
        let mut seen = 0_u32;
        for limit in limits {
            limit.check()?;
            let bit = 1 << limit.group;
            if seen & bit != 0 {
                return Err(BadLimit(format!("group {} stands twice", limit.group)));
            }
            seen |= bit;
        }
        Ok(())
    }
}

/// What came of a limit since it was set, or since another program last emptied the kernel's tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Whose.
    pub group: u8,
    /// Connections that were, or would have been, refused for those open already.
    pub over_concurrent: u64,
    /// The same for new ones that came too fast.
    pub over_rate: u64,
    /// Sources that were over, with how often: those of the last hour, at most [`SOURCES_TOLD_MAX`].
    pub sources: Vec<(IpNet, u64)>,
    /// How many more there are.
    pub sources_more: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let rate = Rate { count: 10, seconds: 60, burst: 5, hold_seconds: None };
        let good =
            Limit { group: 0, ports: vec![110], concurrent: Some(20), rate: Some(rate), enforced: false };
        assert_eq!(good.check(), Ok(()));
        let bad = [
            Limit { group: 16, ..good.clone() },
            Limit { ports: vec![], ..good.clone() },
            Limit { ports: vec![0], ..good.clone() },
            Limit { ports: vec![1; 65], ..good.clone() },
            Limit { concurrent: Some(0), ..good.clone() },
            Limit { concurrent: None, rate: None, ..good.clone() },
            Limit { rate: Some(Rate { seconds: 7, ..rate }), ..good.clone() },
            Limit { rate: Some(Rate { burst: 0, ..rate }), ..good.clone() },
            Limit { rate: Some(Rate { hold_seconds: Some(0), ..rate }), ..good.clone() },
        ];
        for limit in bad {
            assert!(limit.check().is_err(), "{limit:?}");
        }
        assert!(Limit::check_all(&[good.clone(), good]).is_err());
    }
}
