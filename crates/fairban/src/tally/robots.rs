//! The sources that were banned, and what became of them.

use std::net::IpAddr;

use fairban_core::effect::{Ban, RobotKind, UnbanReason};
use fairban_core::nats::Nats;
use fairban_core::time::Time;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::map::Map;

/// Rows of the report. Who fills it hides later rows from a table; all are counted.
const ROBOTS_MAX: usize = 1 << 17;

/// A banned source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Robot {
    pub(crate) prefix: IpNet,
    pub(crate) reason: RobotKind,
    pub(crate) weak: bool,
    pub(crate) first_seen: Time,
    pub(crate) banned: Time,
    pub(crate) last_seen: Time,
    /// Tries (or connections) before the first ban.
    pub(crate) attempts: u32,
    pub(crate) accounts: u32,
    pub(crate) evidence: Nats,
    pub(crate) limit: Nats,
    pub(crate) bans: u32,
    /// Attempts (or connections) that a ban kept out.
    pub(crate) kept_out: u64,
    pub(crate) unbanned: Option<UnbanReason>,
    /// Logins there that were no hits.
    pub(crate) logins: Logins,
}

/// Logins at a banned source that were no hits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Logins {
    pub(crate) before: u64,
    /// That a ban kept out.
    pub(crate) denied: u64,
    /// Between bans or after them.
    pub(crate) after: u64,
    /// One of the accounts, escaped.
    pub(crate) account: Option<Box<str>>,
}

impl Robot {
    /// Somebody logged in here: perhaps the ban was wrong.
    pub(crate) fn is_casualty(&self) -> bool {
        self.logins.before + self.logins.denied + self.logins.after > 0
    }
}

/// All banned sources, the first banned first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Robots {
    rows: Vec<Robot>,
    index: Map<IpNet, u32>,
    /// Lengths of IPv4 and IPv6 prefixes that have been banned, longest first.
    lengths: [Vec<u8>; 2],
    /// Which neighbourhoods may hold one.
    around: Neighbourhoods,
    /// Banned, and not among the rows.
    pub(crate) unlisted: u64,
}

impl Robots {
    pub(crate) fn rows(&self) -> &[Robot] {
        &self.rows
    }

    pub(crate) fn from_rows(rows: Vec<Robot>, unlisted: u64) -> Robots {
        let mut robots = Robots { unlisted, ..Robots::default() };
        for row in rows {
            robots.push(row);
        }
        robots
    }

    /// A ban began or goes on; whether its source is new.
    pub(crate) fn banned(&mut self, ban: &Ban, first_seen: Time, logins: Logins) -> bool {
        if let Some(&at) = self.index.get(&ban.prefix.trunc()) {
            let robot = &mut self.rows[at as usize];
            robot.bans += 1;
            robot.evidence = ban.evidence;
            robot.accounts = robot.accounts.max(ban.accounts);
            robot.unbanned = None;
            return false;
        }
        if self.rows.len() >= ROBOTS_MAX {
            self.unlisted += 1;
            return true;
        }
        self.push(Robot {
            prefix: ban.prefix.trunc(),
            reason: ban.reason,
            weak: ban.weak,
            first_seen: first_seen.min(ban.time),
            banned: ban.time,
            last_seen: ban.time,
            attempts: ban.attempts,
            accounts: ban.accounts,
            evidence: ban.evidence,
            limit: ban.limit,
            bans: 1,
            kept_out: 0,
            unbanned: None,
            logins,
        });
        true
    }

    /// The ban of a prefix goes on.
    pub(crate) fn extended(&mut self, ban: &Ban) {
        if let Some(&at) = self.index.get(&ban.prefix.trunc()) {
            let robot = &mut self.rows[at as usize];
            robot.evidence = ban.evidence;
            robot.accounts = robot.accounts.max(ban.accounts);
        }
    }

    pub(crate) fn unbanned(&mut self, prefix: &IpNet, reason: UnbanReason) {
        if let Some(&at) = self.index.get(&prefix.trunc()) {
            self.rows[at as usize].unbanned = Some(reason);
        }
    }

    /// The place of a source's row: that of the narrowest prefix that was ever banned around it.
    pub(crate) fn around(&self, source: IpAddr) -> Option<usize> {
        if !self.around.may_hold(source) {
            return None;
        }
        let lengths = &self.lengths[usize::from(source.is_ipv6())];
        let at = lengths.iter().find_map(|&length| {
            let prefix = IpNet::new(source, length).ok()?.trunc();
            self.index.get(&prefix).copied()
        })?;
        Some(at as usize)
    }

    /// The row at a place.
    pub(crate) fn row_mut(&mut self, at: usize) -> Option<&mut Robot> {
        self.rows.get_mut(at)
    }

    fn push(&mut self, robot: Robot) {
        let lengths = &mut self.lengths[usize::from(robot.prefix.addr().is_ipv6())];
        let length = robot.prefix.prefix_len();
        if let Err(at) = lengths.binary_search_by(|known| length.cmp(known)) {
            lengths.insert(at, length);
        }
        self.index.insert(robot.prefix, self.rows.len() as u32);
        self.around.add(robot.prefix);
        self.rows.push(robot);
    }
}

/// Which of [`Neighbourhoods::CELLS`] sets of /16 (IPv4) and /32 (IPv6) hold a banned prefix: most sources are told to be
/// far from all by one bit, which is in the cache where the rows are not.
#[derive(Clone, Debug, Default)]
struct Neighbourhoods {
    cells: Vec<u64>,
    /// A prefix that is wider than a neighbourhood was banned: they tell nothing any more.
    wide: bool,
}

impl Neighbourhoods {
    const CELLS: usize = 1 << 17;

    fn add(&mut self, prefix: IpNet) {
        let narrow = if prefix.addr().is_ipv6() { 32 } else { 16 };
        self.wide |= prefix.prefix_len() < narrow;
        self.cells.resize(Self::CELLS / 64, 0);
        let cell = Self::cell(prefix.network());
        self.cells[cell / 64] |= 1 << (cell % 64);
    }

    fn may_hold(&self, source: IpAddr) -> bool {
        let cell = Self::cell(source);
        self.wide || self.cells.get(cell / 64).is_some_and(|cells| cells >> (cell % 64) & 1 == 1)
    }

    fn cell(address: IpAddr) -> usize {
        match address {
            IpAddr::V4(v4) => (v4.to_bits() >> 16) as usize,
            IpAddr::V6(v6) => {
                let word = (v6.to_bits() >> 96) as u32;
                (1 << 16) | (word.wrapping_mul(0x9e37_79b1) >> 16) as usize
            }
        }
    }
}

impl Serialize for Robots {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.rows, self.unlisted).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Robots {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Robots, D::Error> {
        let (rows, unlisted) = Deserialize::deserialize(deserializer)?;
        Ok(Robots::from_rows(rows, unlisted))
    }
}
