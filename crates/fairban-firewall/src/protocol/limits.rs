//! Limits and what came of them, as bytes.

use ipnet::IpNet;

use super::{Input, put_prefix};
use crate::limits::{Counted, GROUPS_MAX, Limit, PORTS_MAX, Rate, SOURCES_TOLD_MAX};

const ENFORCED: u8 = 1;
const CONCURRENT: u8 = 2;
const RATE: u8 = 4;

/// How many, then each: group, flags, numbers, ports.
pub(super) fn put_limits(bytes: &mut Vec<u8>, limits: &[Limit]) {
    debug_assert!(limits.len() <= GROUPS_MAX, "checked before it is sent");
    bytes.push(limits.len() as u8);
    for limit in limits {
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        let flags = flag(limit.enforced, ENFORCED)
            | flag(limit.concurrent.is_some(), CONCURRENT)
            | flag(limit.rate.is_some(), RATE);
        bytes.extend([limit.group, flags]);
        let concurrent = limit.concurrent.as_slice().iter().copied();
        let rate = limit.rate.map(|rate| {
            // No time is no holding off.
            [rate.count, rate.seconds, rate.burst, rate.hold_seconds.unwrap_or(0)]
        });
        for number in concurrent.chain(rate.into_iter().flatten()) {
            bytes.extend(number.to_le_bytes());
        }
        bytes.push(limit.ports.len() as u8);
        limit.ports.iter().for_each(|port| bytes.extend(port.to_le_bytes()));
    }
}

/// Each: group, numbers, sources.
pub(super) fn put_counts(bytes: &mut Vec<u8>, counts: &[Counted]) {
    for count in counts.iter().take(GROUPS_MAX) {
        bytes.push(count.group);
        for number in [count.over_concurrent, count.over_rate, count.sources_more] {
            bytes.extend(number.to_le_bytes());
        }
        let sources = &count.sources[..count.sources.len().min(SOURCES_TOLD_MAX)];
        bytes.push(sources.len() as u8);
        for (prefix, times) in sources {
            put_prefix(bytes, prefix);
            bytes.extend(times.to_le_bytes());
        }
    }
}

impl Input<'_> {
    pub(super) fn limits(&mut self) -> Option<Vec<Limit>> {
        let count = usize::from(self.byte()?);
        (count <= GROUPS_MAX).then(|| (0..count).map(|_| self.limit()).collect())?
    }

    fn limit(&mut self) -> Option<Limit> {
        let (group, flags) = (self.byte()?, self.byte()?);
        let concurrent = if flags & CONCURRENT != 0 { Some(self.u32()?) } else { None };
        let rate = if flags & RATE != 0 {
            let [count, seconds, burst] = [self.u32()?, self.u32()?, self.u32()?];
            Some(Rate { count, seconds, burst, hold_seconds: Some(self.u32()?).filter(|hold| *hold > 0) })
        } else {
            None
        };
        let count = usize::from(self.byte()?);
        let ports = (0..count).map(|_| self.take().map(u16::from_le_bytes)).collect::<Option<Vec<u16>>>()?;
        let is_known = flags & !(ENFORCED | CONCURRENT | RATE) == 0 && count <= PORTS_MAX;
        is_known.then_some(Limit { group, ports, concurrent, rate, enforced: flags & ENFORCED != 0 })
    }

    pub(super) fn counts(&mut self) -> Option<Vec<Counted>> {
        let counts = self.list(|input| {
            let group = input.byte()?;
            let [over_concurrent, over_rate, sources_more] = [input.u64()?, input.u64()?, input.u64()?];
            let told = usize::from(input.byte()?);
            let sources = (0..told).map(|_| Some((input.prefix()?, input.u64()?)));
            let sources = sources.collect::<Option<Vec<(IpNet, u64)>>>()?;
            Some(Counted { group, over_concurrent, over_rate, sources, sources_more })
        })?;
        (counts.len() <= GROUPS_MAX).then_some(counts)
    }
}
