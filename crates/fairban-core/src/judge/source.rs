//! The unit that is judged: an IPv4 address or an IPv6 /64, with the episodes of failure that its evidence is made of.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use crate::decay::decayed;
use crate::nats::Nats;
use crate::time::{Span, Time};
use crate::weights::{self, Kind};

/// A source as a 64-bit key: an IPv4 address in `0:1::/32` (nobody's), else the upper half of the IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Unit(pub(crate) u64);

const V4: u64 = 1 << 32;

impl Unit {
    /// The unit an address belongs to.
    pub(crate) fn of(address: IpAddr) -> Unit {
        match address {
            IpAddr::V4(v4) => Unit(V4 | u64::from(v4.to_bits())),
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) => Unit(V4 | u64::from(v4.to_bits())),
                None => Unit((v6.to_bits() >> 64) as u64),
            },
        }
    }

    pub(crate) const fn is_v4(self) -> bool {
        self.0 >> 32 == 1
    }

    /// The prefix that a ban of this unit names.
    pub(crate) fn prefix(self) -> IpNet {
        self.wider(if self.is_v4() { 32 } else { 64 })
    }

    /// The prefix of this length around it; lengths beyond the unit's own are the unit's.
    pub(crate) fn wider(self, length: u8) -> IpNet {
        if self.is_v4() {
            let net = Ipv4Net::new_assert(Ipv4Addr::from_bits(self.0 as u32), length.min(32));
            IpNet::V4(net.trunc())
        } else {
            let address = Ipv6Addr::from_bits(u128::from(self.0) << 64);
            IpNet::V6(Ipv6Net::new_assert(address, length.min(64)).trunc())
        }
    }

    /// An address of it, for effects that name one.
    pub(crate) fn address(self) -> IpAddr {
        self.prefix().addr()
    }

    /// Which neighbourhood it counts in when prefixes have to be *unrelated*: /24 or /48.
    pub(crate) const fn neighbourhood(self) -> u64 {
        if self.is_v4() { self.0 >> 8 } else { self.0 >> 16 }
    }
}

/// One source. 64 bytes: a million of them must fit.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Source {
    /// The sum as of `last`.
    score: Nats,
    /// Seconds since 1970 of the last change of the sum.
    last: u32,
    /// Milliseconds (wrapping) of the last new failing account.
    pub(crate) opened_ms: u32,
    /// End of the ban in force, in seconds since 1970; 0 if none, `u32::MAX` for ever.
    pub(crate) banned_until: u32,
    /// Tries, kept-out ones not counted.
    pub(crate) attempts: u32,
    /// Matured failures of each kind, in 1/64, decaying like the sum.
    counts: [u16; 4],
    /// Credit given so far, raw.
    pub(crate) credit: i16,
    /// What gaps between accounts have added, raw.
    pub(crate) speed: i16,
    /// Accounts that have logged in here.
    pub(crate) ok: u16,
    /// Of these, when the failures began.
    pub(crate) ok_before: u16,
    /// Accounts whose failures opened here since the last success.
    pub(crate) open: u16,
    /// Accounts excused by successes that no line names.
    pub(crate) excused_unnamed: u8,
    /// Bans so far.
    pub(crate) strikes: u8,
    /// See the constants.
    pub(crate) flags: u8,
    /// Accounts that were recognised as devices with an old password.
    pub(crate) stale: u8,
    /// Failures by account.
    pub(crate) episodes: Box<[Episode]>,
}

/// Counted as a failing stranger of the site.
pub(crate) const COUNTED: u8 = 1;
/// Told as a hub.
pub(crate) const HUB: u8 = 2;
/// Looks like a proxy that carries all logins.
pub(crate) const PROXY: u8 = 4;
/// The second failing account has been weighed.
pub(crate) const SECOND: u8 = 8;
/// A guessing source that logged in.
pub(crate) const HIT: u8 = 16;
/// The ban in force names one address of the unit.
pub(crate) const NARROW: u8 = 64;
/// The evidence rests on connections alone.
pub(crate) const WEAK: u8 = 32;
/// Failing again soon after a ban: the robot itself, not the next owner of the address.
pub(crate) const BACK: u8 = 128;

/// The failures of one source at one account.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Episode {
    /// Lower half of the account's hash.
    pub(crate) account: u32,
    /// Seconds of the last failure.
    pub(crate) last: u32,
    /// What it has added to the sum, raw, as of when it was added.
    pub(crate) nats: i16,
    /// Failures, saturating.
    pub(crate) tries: u16,
    /// The last two secrets, 16 bits each; 0 is none.
    pub(crate) tags: [u16; 2],
    /// From the first failure to the last, in steps of ten minutes, saturating.
    pub(crate) tens_of_minutes: u8,
    /// Near-miss names and other forms that were taken for this account.
    pub(crate) near: u8,
    /// Seconds (wrapping) of the start of the current minute of tries.
    pub(crate) burst_at: u16,
    /// Tries in it.
    pub(crate) burst: u8,
    /// Distinct secrets.
    pub(crate) distinct: u8,
    /// Kind of its first failure.
    pub(crate) kind: Kind,
    /// Where it stands.
    pub(crate) state: EpisodeState,
}

/// Where an episode stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum EpisodeState {
    /// Waits for a success.
    Pending,
    /// Weighed.
    Weighed,
    /// Weighed, and recognised as a device with an old password.
    Device,
    /// A success has explained it.
    Excused,
    /// A slip of another name that failed here: judged there. Its tags hold that account's number in two halves.
    Slip,
}

impl Source {
    /// The sum now.
    pub(crate) fn score(&self, now: Time) -> Nats {
        Nats::raw(decayed(i64::from(self.score.to_raw()), self.age(now), weights::HALF_LIFE) as i32)
    }

    /// Adds to the sum; credit stops at the floor.
    pub(crate) fn add(&mut self, now: Time, nats: Nats) {
        self.settle(now);
        let score = self.score + nats;
        self.score = if nats < Nats::ZERO { score.max(weights::CREDIT_FLOOR.min(self.score)) } else { score };
    }

    /// Seconds until the end of the ban in force; 0 if there is none.
    pub(crate) fn banned_for(&self, now: Time) -> u32 {
        if self.banned_until == 0 {
            0
        } else {
            self.banned_until.saturating_add(1).saturating_sub(secs_u32(now))
        }
    }

    /// Whether a ban is over that nobody has looked at since.
    pub(crate) fn ban_is_over(&self, now: Time) -> bool {
        self.banned_until != 0 && self.banned_for(now) == 0
    }

    /// Ends a ban that is over: the evidence starts high, and the record of what was punished is closed.
    pub(crate) fn end_ban(&mut self, now: Time) {
        let ended = Time::from_secs(i64::from(self.banned_until));
        self.banned_until = 0;
        self.set_score(ended, weights::PROBATION);
        self.close_episodes();
        self.flags &= !(WEAK | NARROW | BACK);
        if now.since(ended) <= weights::BACK_WITHIN {
            self.flags |= BACK;
        }
    }

    /// Ends a ban by order: a stranger again, or a client whose credit is all that is left.
    pub(crate) fn clear(&mut self, now: Time) {
        self.banned_until = 0;
        self.counts = [0; 4];
        self.set_score(now, self.score(now).min(Nats::ZERO));
        self.close_episodes();
        self.flags &= !(WEAK | NARROW | BACK);
    }

    /// Brings the sum and the counts up to now.
    fn settle(&mut self, now: Time) {
        let age = self.age(now);
        self.score = self.score(now);
        for count in &mut self.counts {
            *count = decayed(i64::from(*count), age, weights::HALF_LIFE) as u16;
        }
        self.last = now.secs().clamp(0, i64::from(u32::MAX)) as u32;
    }

    /// Sets the sum (probation).
    pub(crate) fn set_score(&mut self, now: Time, nats: Nats) {
        self.add(now, Nats::ZERO);
        self.score = nats;
    }

    /// Matured failures of a kind, in 1/1024, as decayed at the last change.
    pub(crate) fn count_1024(&self, kind: Kind) -> u64 {
        u64::from(self.counts[kind.index()]) * 16
    }

    /// One more, or (forgiven) one less.
    pub(crate) fn count(&mut self, now: Time, kind: Kind, up: bool) {
        self.settle(now);
        let count = &mut self.counts[kind.index()];
        *count = if up { count.saturating_add(64) } else { count.saturating_sub(64) };
    }

    /// Time since the last new failing account, if there was one in the last month.
    pub(crate) fn gap(&self, now: Time) -> Option<Span> {
        if self.episodes.is_empty() || self.age(now) > Span::days(30) {
            return None;
        }
        let now_ms = now.micros().div_euclid(1_000) as u32;
        Some(Span::millis(i64::from(now_ms.wrapping_sub(self.opened_ms))))
    }

    /// The episode at an account.
    pub(crate) fn episode(&mut self, account: u32) -> Option<&mut Episode> {
        self.episodes.iter_mut().find(|episode| episode.account == account)
    }

    /// Adds an episode; the oldest weighed one goes when there are `max`.
    pub(crate) fn push_episode(&mut self, episode: Episode, max: u32) {
        let mut episodes = core::mem::take(&mut self.episodes).into_vec();
        if episodes.len() >= max as usize
            && let Some(oldest) = (0..episodes.len())
                .filter(|&i| episodes[i].state != EpisodeState::Pending)
                .min_by_key(|&i| episodes[i].last)
        {
            episodes.remove(oldest);
        }
        if episodes.len() < max as usize {
            episodes.reserve_exact(1);
            episodes.push(episode);
        }
        self.episodes = episodes.into_boxed_slice();
    }

    /// Takes an episode out.
    pub(crate) fn remove_episode(&mut self, account: u32) {
        if let Some(at) = self.episodes.iter().position(|episode| episode.account == account) {
            let mut episodes = core::mem::take(&mut self.episodes).into_vec();
            episodes.remove(at);
            self.episodes = episodes.into_boxed_slice();
        }
    }

    /// Whether a secret is one of the last that failed at another account of this source.
    pub(crate) fn has_tried_elsewhere(&self, account: u32, tag: u16) -> bool {
        self.episodes.iter().any(|episode| {
            episode.account != account && episode.state != EpisodeState::Slip && episode.tags.contains(&tag)
        })
    }

    /// After a ban the record of what was punished is closed.
    pub(crate) fn close_episodes(&mut self) {
        self.episodes = Box::default();
        self.open = 0;
        self.speed = 0;
        self.flags &= !SECOND;
    }

    pub(crate) const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Seconds of its last change, for eviction.
    pub(crate) const fn last_secs(&self) -> u32 {
        self.last
    }

    fn age(&self, now: Time) -> Span {
        now.since(Time::from_secs(i64::from(self.last)))
    }
}

/// Seconds since 1970 as stored: clamped to 1970 … 2106.
pub(crate) fn secs_u32(time: Time) -> u32 {
    time.secs().clamp(0, i64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_their_prefixes() {
        let prefix = |text: &str| Unit::of(text.parse().expect("an address")).prefix().to_string();
        assert_eq!(prefix("192.0.2.7"), "192.0.2.7/32");
        assert_eq!(prefix("::ffff:192.0.2.7"), "192.0.2.7/32");
        assert_eq!(prefix("2001:db8:1:2:3::4"), "2001:db8:1:2::/64");
        let unit = Unit::of("2001:db8:1:2ff::4".parse().expect("an address"));
        assert_eq!(unit.wider(56).to_string(), "2001:db8:1:200::/56");
        assert_eq!(unit.wider(48).to_string(), "2001:db8:1::/48");
        assert_eq!(Unit::of("192.0.2.7".parse().expect("an address")).wider(24).to_string(), "192.0.2.0/24");
    }

    #[test]
    fn a_source_stays_small() {
        assert!(size_of::<Source>() <= 64, "{}", size_of::<Source>());
        assert!(size_of::<Episode>() <= 24, "{}", size_of::<Episode>());
    }

    #[test]
    fn credit_has_a_floor_and_evidence_decays() {
        let mut source = Source::default();
        let start = Time::from_secs(1_000_000);
        for _ in 0..10 {
            source.add(start, Nats::milli(-4_000));
        }
        assert_eq!(source.score(start), weights::CREDIT_FLOOR);
        source.set_score(start, Nats::milli(10_000));
        let half = source.score(start.plus(weights::HALF_LIFE));
        assert!((half.to_f64() - 5.0).abs() < 0.01, "{half}");
    }
}
