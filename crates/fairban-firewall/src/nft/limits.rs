//! [`LimitsTable`]: the second of our tables, which counts connections by source.
//!
//! ```text
//! chain pre { type filter hook prerouting priority mangle; policy accept;
//!     ip saddr @exempt4 accept
//!     ip6 saddr @exempt6 accept
//!     tcp dport @g0_ports tcp flags & (fin | syn | rst | ack) == syn jump g0
//! }
//! chain g0 {
//!     ip saddr @g0_hold… goto g0_new                                         # where sources are held off
//!     ct state new add @g0_open20_4 { ip saddr ct count over 20 } goto g0_open
//!     update @g0_new10m5_4 { ip saddr limit rate over 10/minute burst 5 packets } goto g0_new
//! }
//! chain g0_open {
//!     counter name "g0_open_refused"
//!     update @g0_refused4 { ip saddr counter }
//!     reject with tcp reset                                                  # where it is enforced
//! }
//! ```
//!
//! and the same for IPv6 by /64; after the number of a group its sets carry a hash of its ports. `goto`, so that a connection is over one limit of a group and is counted once, where it is
//! only counted as where it is refused. Sets that hold what was counted carry what they count in their names: so a limit that
//! stays the same goes on counting when the rules are written anew, also by another process, and one that changed begins
//! with empty ones. Each set has a bound. A source that comes when it is full is not counted and not refused.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::Element;
use super::encode::limits::{Filled, GET_OBJECT, Meter, merged, segment_elements};
use super::encode::{A_TABLE, Batch, CHAIN_PRE, ELEMENTS_A_BATCH, GET_CHAIN, GET_ELEMENT, GET_SET};
use super::table::{read_element, table_flags};
use super::wire::{Error, Wire};
use super::{Features, LIMITS_TABLE};
use crate::limits::{Counted, Limit, Rate, SOURCES_TOLD_MAX};
use crate::netlink::{Message, attribute, attributes, be_u64, text};

/// Elements of a set of sources.
pub(crate) const SOURCES_MAX: u32 = 65_536;

/// Who was over is told of for so long after the last time.
const TOLD_MS: u64 = 3_600_000;

const EXEMPT: [&str; 2] = ["exempt4", "exempt6"];

/// See the module.
#[derive(Debug)]
pub(crate) struct LimitsTable {
    wire: Wire,
    features: Features,
    sources_max: u32,
}

/// Names of all things of a kind.
#[derive(Debug, Default)]
struct Names {
    chains: BTreeSet<String>,
    sets: BTreeSet<String>,
    counters: BTreeSet<String>,
}

impl LimitsTable {
    /// Opens the way to the kernel, and changes nothing. `features` are those found for the table of bans.
    pub(crate) fn open(features: Features, sources_max: u32) -> Result<LimitsTable, Error> {
        Ok(LimitsTable { wire: Wire::open(LIMITS_TABLE)?, features, sources_max })
    }

    pub(crate) fn port(&self) -> u32 {
        self.wire.port()
    }

    /// Makes the table what these limits mean; where there are none, takes it away. `exempt` may overlap.
    pub(crate) fn write(
        &mut self,
        limits: &[Limit],
        exempt: impl Iterator<Item = IpNet>,
    ) -> Result<(), Error> {
        if limits.is_empty() {
            return self.wire.remove();
        }
        let flags = table_flags(self.features);
        if self.wire.commit(|batch| batch.table(flags)).is_err() {
            // One that was somebody's own keeps its flags.
            self.wire.remove()?;
        }
        let there = self.names()?;
        let wanted = wanted(limits);
        let exempt = merged(exempt);
        let exempt = [segment_elements(&exempt, false), segment_elements(&exempt, true)];
        let sources_max = self.sources_max;
        self.wire.commit(|batch| {
            batch.table(flags);
            for chain in &there.chains {
                batch.flush_chain(chain);
            }
            // Nothing leads to them any more.
            there
                .chains
                .iter()
                .filter(|chain| *chain != CHAIN_PRE)
                .for_each(|chain| batch.delete_chain(chain));
            there.sets.difference(&wanted.sets).for_each(|set| batch.delete_set(set));
            there.counters.difference(&wanted.counters).for_each(|counter| batch.delete_counter(counter));
            batch.limits_chain();
            for (index, elements) in exempt.iter().enumerate() {
                batch.exempt_set(EXEMPT[index], index == 1, index as u32 + 1);
                batch.flush(EXEMPT[index]);
                batch.add(EXEMPT[index], &elements[..elements.len().min(ELEMENTS_A_BATCH)]);
                batch.exempt_rule(EXEMPT[index], index == 1);
            }
            for (limit, id) in limits.iter().zip((100..).step_by(100)) {
                write_limit(batch, limit, sources_max, id);
            }
        })?;
        for (index, elements) in exempt.iter().enumerate() {
            let rest = elements.get(ELEMENTS_A_BATCH..).unwrap_or_default();
            for elements in rest.chunks(ELEMENTS_A_BATCH) {
                self.wire.commit(|batch| batch.add(EXEMPT[index], elements))?;
            }
        }
        Ok(())
    }

    /// What came of them.
    pub(crate) fn counts(&mut self, limits: &[Limit]) -> Result<Vec<Counted>, Error> {
        let mut packets: Vec<(Vec<u8>, u64)> = Vec::new();
        self.wire.ask(
            GET_OBJECT,
            true,
            |writer| writer.text(A_TABLE, LIMITS_TABLE),
            |message| {
                let body = message.body.get(4..).unwrap_or_default();
                let count = attribute(body, 4).and_then(counted_packets);
                if let (Some(name), Some(count)) = (attribute(body, 2).map(text), count) {
                    packets.push((name.to_vec(), count));
                }
            },
        )?;
        let count_of = |name: String| {
            packets.iter().find(|(other, _)| *other == name.as_bytes()).map_or(0, |(_, count)| *count)
        };
        let mut all = Vec::new();
        for limit in limits {
            let mut sources = Vec::new();
            for is_v6 in [false, true] {
                self.read_sources(&told_set(limit, is_v6), &mut sources)?;
            }
            sources.sort_unstable_by_key(|(prefix, count)| (std::cmp::Reverse(*count), *prefix));
            let sources_more = sources.len().saturating_sub(SOURCES_TOLD_MAX) as u64;
            sources.truncate(SOURCES_TOLD_MAX);
            all.push(Counted {
                group: limit.group,
                over_concurrent: count_of(counter(limit, OPEN)),
                over_rate: count_of(counter(limit, NEW)),
                sources,
                sources_more,
            });
        }
        Ok(all)
    }

    fn read_sources(&mut self, set: &str, sources: &mut Vec<(IpNet, u64)>) -> Result<(), Error> {
        let names = |writer: &mut crate::netlink::Writer| {
            writer.text(A_TABLE, LIMITS_TABLE);
            writer.text(2, set);
        };
        self.wire.ask(GET_ELEMENT, true, names, |message| {
            let list = message.body.get(4..).and_then(|body| attribute(body, 3)).unwrap_or_default();
            for (_, bytes) in attributes(list) {
                let Some(Element { key, .. }) = read_element(bytes) else { continue };
                let len = if key.is_ipv4() { 32 } else { 64 };
                let count = attribute(bytes, 7).and_then(|expression| attribute(expression, 2));
                if let (Ok(prefix), Some(count)) = (IpNet::new(key, len), count.and_then(counted_packets)) {
                    sources.push((prefix, count));
                }
            }
        })
    }

    /// Takes the table away, whether it is there or not.
    pub(crate) fn remove(&mut self) -> Result<(), Error> {
        self.wire.remove()
    }

    /// What it looks like but for the elements: equal as long as nobody changed it.
    pub(crate) fn fingerprint(&mut self) -> Result<Vec<(u16, Vec<u8>)>, Error> {
        self.wire.fingerprint()
    }

    fn names(&mut self) -> Result<Names, Error> {
        let mut names = Names::default();
        for (kind, attribute_of_name, found) in [
            (GET_CHAIN, 3, &mut names.chains),
            (GET_SET, 2, &mut names.sets),
            (GET_OBJECT, 2, &mut names.counters),
        ] {
            let take = |message: &Message<'_>| {
                let body = message.body.get(4..).unwrap_or_default();
                if attribute(body, A_TABLE).map(text) == Some(LIMITS_TABLE.as_bytes())
                    && let Some(name) = attribute(body, attribute_of_name).map(text)
                {
                    found.insert(String::from_utf8_lossy(name).into_owned());
                }
            };
            self.wire.ask(kind, true, |writer| writer.text(A_TABLE, LIMITS_TABLE), take)?;
        }
        Ok(names)
    }
}

fn counted_packets(data: &[u8]) -> Option<u64> {
    const PACKETS: u16 = 2;
    attribute(data, PACKETS).and_then(be_u64)
}

const OPEN: &str = "open";
const NEW: &str = "new";

/// Counts of refused connections are others than those of connections that would have been.
fn outcome(limit: &Limit) -> &'static str {
    if limit.enforced { "refused" } else { "seen" }
}

/// Of a group with these ports: others are another group's, whose counts are its own.
fn group(limit: &Limit) -> String {
    // FNV-1a.
    let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let ports: BTreeSet<u16> = limit.ports.iter().copied().collect();
    let hash = ports.iter().flat_map(|port| port.to_be_bytes()).fold(0x811c_9dc5, mix);
    format!("g{}_{hash:08x}", limit.group)
}

const fn family(is_v6: bool) -> char {
    if is_v6 { '6' } else { '4' }
}

fn counter(limit: &Limit, what: &str) -> String {
    format!("{}_{what}_{}", group(limit), outcome(limit))
}

fn told_set(limit: &Limit, is_v6: bool) -> String {
    format!("{}_{}{}", group(limit), outcome(limit), family(is_v6))
}

fn open_set(limit: &Limit, most: u32, is_v6: bool) -> String {
    format!("{}_open{most}_{}", group(limit), family(is_v6))
}

fn new_set(limit: &Limit, rate: Rate, is_v6: bool) -> String {
    let Rate { count, seconds, burst, .. } = rate;
    format!("{}_new{count}in{seconds}b{burst}_{}", group(limit), family(is_v6))
}

fn hold_set(limit: &Limit, seconds: u32, is_v6: bool) -> String {
    format!("{}_hold{seconds}_{}", group(limit), family(is_v6))
}

fn ports_set(limit: &Limit) -> String {
    format!("{}_ports", group(limit))
}

fn wanted(limits: &[Limit]) -> Names {
    let mut names = Names::default();
    names.sets.extend(EXEMPT.map(str::to_owned));
    for limit in limits {
        names.sets.insert(ports_set(limit));
        names.counters.extend([counter(limit, OPEN), counter(limit, NEW)]);
        for is_v6 in [false, true] {
            names.sets.insert(told_set(limit, is_v6));
            names.sets.extend(limit.concurrent.map(|most| open_set(limit, most, is_v6)));
            names.sets.extend(limit.rate.map(|rate| new_set(limit, rate, is_v6)));
            let hold = limit.rate.and_then(|rate| rate.hold_seconds);
            names.sets.extend(hold.map(|seconds| hold_set(limit, seconds, is_v6)));
        }
    }
    names
}

/// A bucket that is full again is as good as a new one: so long its element is kept, and a minute at least.
fn refill_ms(rate: Rate) -> u64 {
    let seconds = u64::from(rate.burst) * u64::from(rate.seconds) / u64::from(rate.count.max(1));
    seconds.saturating_add(1).clamp(60, 86_400) * 1_000
}

fn write_limit(batch: &mut Batch, limit: &Limit, sources_max: u32, first_id: u32) {
    let [group, open, new] = ["", "_open", "_new"].map(|what| format!("g{}{what}", limit.group));
    let hold = limit.rate.and_then(|rate| rate.hold_seconds);
    let mut id = first_id;
    let mut filled = |batch: &mut Batch, name: &str, is_v6: bool, timeout_ms: Option<u64>| {
        id += 1;
        batch.filled_set(Filled { name, is_v6, size: sources_max, timeout_ms }, id);
    };
    for chain in [&group, &open, &new] {
        batch.named_chain(chain);
    }
    batch.port_set(&ports_set(limit), &limit.ports, first_id);
    for (what, chain) in [(OPEN, &open), (NEW, &new)] {
        batch.counter(&counter(limit, what));
        batch.counter_rule(chain, &counter(limit, what));
    }
    for is_v6 in [false, true] {
        let told = told_set(limit, is_v6);
        filled(batch, &told, is_v6, Some(TOLD_MS));
        for chain in [&open, &new] {
            batch.meter_rule(chain, &told, is_v6, Meter::Count, None);
        }
        if let Some(seconds) = hold {
            let held_off = hold_set(limit, seconds, is_v6);
            filled(batch, &held_off, is_v6, Some(u64::from(seconds) * 1_000));
            // Each try begins its time anew.
            batch.meter_rule(&new, &held_off, is_v6, Meter::Presence, None);
            batch.held_rule(&group, &held_off, is_v6, &new);
        }
        if let Some(most) = limit.concurrent {
            let set = open_set(limit, most, is_v6);
            filled(batch, &set, is_v6, None);
            batch.meter_rule(&group, &set, is_v6, Meter::Open(most), Some(&open));
        }
        if let Some(rate @ Rate { count, seconds, burst, .. }) = limit.rate {
            let set = new_set(limit, rate, is_v6);
            filled(batch, &set, is_v6, Some(refill_ms(rate)));
            batch.meter_rule(&group, &set, is_v6, Meter::Rate { count, seconds, burst }, Some(&new));
        }
    }
    if limit.enforced {
        batch.reject_rule(&open);
        batch.reject_rule(&new);
    }
    batch.group_rule(&ports_set(limit), &group);
}
