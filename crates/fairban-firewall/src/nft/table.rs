//! [`Table`]: our table in the kernel, and the socket through which alone we write it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::encode::{
    A_TABLE, Batch, CHAIN_PRE, ELEMENTS_A_BATCH, GET_ELEMENT, GET_SET, GET_TABLE, write_element,
};
use super::wire::{Error, Wire, message_is_of};
use super::{Element, Group, PORTS_MAX, SetId, TABLE};
use crate::netlink::{attribute, attributes, be_u32, be_u64, text};

const FLAG_OWNER: u32 = 2;
const FLAG_PERSIST: u32 = 4;

/// Name of the set that lives while we try what the kernel can do.
const PROBE: &str = "probe";

/// What bans close, and how the table is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// TCP ports of the login services; at most 64.
    pub logins: Vec<u16>,
    /// TCP ports at which others' mail arrives; at most 64.
    pub smtp: Vec<u16>,
    /// The table is ours alone: no other program can change it while we live, and it stays when we die. Then a saved
    /// ruleset that contains it cannot be loaded, so it is not the default.
    pub own_table: bool,
    /// What may be used where the kernel has it. All of it but in tests of the other ways.
    pub may_use: Features,
    /// Sources that a limit counts at a time, a family and kind; who comes when it is full is neither counted nor refused.
    pub limit_sources: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            logins: vec![22, 110, 143, 465, 587, 993, 995, 4190],
            smtp: vec![25],
            own_table: false,
            may_use: Features { destroys: true, renews: true, persists: true },
            limit_sources: super::SOURCES_MAX,
        }
    }
}

/// What kernels differ in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Takes an element away if it is there, and says nothing if not (Linux 6.3). Else it is added and deleted.
    pub destroys: bool,
    /// A new time for an element that is there (Linux 6.12). Else it is deleted and added.
    pub renews: bool,
    /// Keeps a table that has an owner when the owner is gone (Linux 6.9). Else nobody owns it.
    pub persists: bool,
}

/// One change to a hash set. A transaction has at most one for a key of a set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edit {
    pub(crate) set: SetId,
    pub(crate) element: Element,
    pub(crate) change: Change,
}

/// What is done with an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    /// It is not there.
    Add,
    /// It may be there, with a time: it gets another one.
    Renew,
    /// It may be there, or not: it comes to be as said.
    Replace,
    /// It may be there, or not.
    Remove,
}

/// Our table; see the module.
#[derive(Debug)]
pub(crate) struct Table {
    wire: Wire,
    settings: Settings,
    pub(crate) features: Features,
}

impl Table {
    /// What is closed, for a person.
    pub(crate) fn ports(&self) -> String {
        let list = |ports: &[u16]| ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
        let (logins, smtp) = (list(&self.settings.logins), list(&self.settings.smtp));
        format!("closes ports {logins}; {smtp} to who tried passwords there")
    }

    /// Opens the way to the kernel, and changes nothing.
    pub(crate) fn open(mut settings: Settings) -> Result<Table, Error> {
        let wire = Wire::open(TABLE)?;
        for ports in [&mut settings.logins, &mut settings.smtp] {
            ports.sort_unstable();
            ports.dedup();
            ports.truncate(PORTS_MAX);
        }
        Ok(Table { wire, settings, features: Features::default() })
    }

    /// Name of our socket: what others do to the table carries another.
    pub(crate) fn port(&self) -> u32 {
        self.wire.port()
    }

    /// Everything that stands in our sets, if there is a table.
    pub(crate) fn read(&mut self) -> Result<Option<Vec<(SetId, Element)>>, Error> {
        let mut is_there = false;
        let mut sets = Vec::new();
        self.wire.ask(GET_TABLE, true, |_| {}, |message| is_there |= message_is_of(message, TABLE))?;
        if !is_there {
            return Ok(None);
        }
        self.wire.ask(
            GET_SET,
            true,
            |writer| writer.text(A_TABLE, TABLE),
            |message| {
                let name = message.body.get(4..).and_then(|body| attribute(body, 2)).map(text);
                sets.extend(name.and_then(SetId::from_name));
            },
        )?;
        let mut elements = Vec::new();
        for set in sets {
            self.wire.ask(
                GET_ELEMENT,
                true,
                |writer| {
                    writer.text(A_TABLE, TABLE);
                    writer.text(2, &set.name());
                },
                |message| elements.extend(read_elements(message.body).map(|element| (set, element))),
            )?;
        }
        Ok(Some(elements))
    }

    /// Finds out what the kernel can do. Makes the table if it is not there.
    pub(crate) fn probe(&mut self) -> Result<(), Error> {
        const HOUR_MS: u64 = 3_600_000;
        let may_use = self.settings.may_use;
        let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        let element = |timeout_ms| Element { key: address, timeout_ms: Some(timeout_ms), is_end: false };
        self.features = Features::default();
        self.features.persists = self.settings.own_table && may_use.persists && self.try_to_own();
        if !self.features.persists && self.commit(|batch, _| batch.table(0)).is_err() {
            // One that was somebody's own keeps its flags.
            self.remove()?;
        }
        self.commit(|batch, flags| {
            batch.table(flags);
            batch.probe_set(PROBE);
            batch.add(PROBE, &[element(HOUR_MS)]);
        })?;
        let absent = Element { key: Ipv4Addr::new(192, 0, 2, 2).into(), timeout_ms: None, is_end: false };
        self.features.destroys =
            may_use.destroys && self.commit(|batch, _| batch.destroy(PROBE, &[absent])).is_ok();
        self.commit(|batch, _| batch.add(PROBE, &[element(2 * HOUR_MS)]))?;
        let mut timeout_ms = 0;
        self.wire.ask(
            GET_ELEMENT,
            false,
            |writer| {
                writer.text(A_TABLE, TABLE);
                writer.text(2, PROBE);
                writer.nested(3, |writer| write_element(writer, &element(HOUR_MS), false));
            },
            |message| timeout_ms = read_elements(message.body).filter_map(|found| found.timeout_ms).sum(),
        )?;
        self.features.renews = may_use.renews && timeout_ms > HOUR_MS;
        self.commit(|batch, _| batch.delete_set(PROBE))
    }

    /// Whether the table can be ours alone and outlive us. One that is there keeps its flags, so it has to go; an orphan
    /// is adopted.
    fn try_to_own(&mut self) -> bool {
        let flags = FLAG_OWNER | FLAG_PERSIST;
        let mut own = || self.commit(|batch, _| batch.table(flags)).is_ok();
        own() || (self.remove().is_ok() && self.commit(|batch, _| batch.table(flags)).is_ok())
    }

    /// Makes the table anew in one transaction, whatever is there: sets, rules, and the first of `edits`. The others
    /// follow; `between` is called after each transaction.
    pub(crate) fn rebuild(
        &mut self,
        edits: &[Edit],
        others: &[(SetId, Vec<Element>)],
        between: &mut dyn FnMut(),
    ) -> Result<(), Error> {
        let (first, rest) = edits.split_at(edits.len().min(ELEMENTS_A_BATCH));
        let settings = self.settings.clone();
        let features = self.features;
        self.commit(|batch, flags| {
            batch.table(flags);
            batch.delete_table();
            batch.table(flags);
            for (id, group) in Group::ALL.into_iter().enumerate() {
                let sets = SetId::of_group(group).zip(id as u32 * 100..);
                sets.for_each(|(set, id)| batch.set(set, id));
            }
            batch.ports(Group::Logins, &settings.logins, 1_000);
            batch.ports(Group::Smtp, &settings.smtp, 1_001);
            batch.base_chain();
            batch.chain(Group::Logins);
            batch.chain(Group::Smtp);
            write_rules(batch);
            write_edits(batch, features, first);
            for (set, segments) in others {
                batch.add(&set.name(), segments);
            }
        })?;
        between();
        self.write(rest, &[], between)
    }

    /// Makes the rules anew, in chains that are there.
    pub(crate) fn rewrite_rules(&mut self) -> Result<(), Error> {
        self.commit(|batch, _| {
            for chain in [CHAIN_PRE, Group::Logins.name(), Group::Smtp.name()] {
                batch.flush_chain(chain);
            }
            write_rules(batch);
        })
    }

    /// Writes changes: to hash sets as said, of interval sets the whole. `between` is called after each transaction.
    pub(crate) fn write(
        &mut self,
        edits: &[Edit],
        others: &[(SetId, Vec<Element>)],
        between: &mut dyn FnMut(),
    ) -> Result<(), Error> {
        let features = self.features;
        for edits in edits.chunks(ELEMENTS_A_BATCH) {
            self.commit(|batch, _| write_edits(batch, features, edits))?;
            between();
        }
        if !others.is_empty() {
            self.commit(|batch, _| {
                for (set, segments) in others {
                    batch.flush(&set.name());
                    batch.add(&set.name(), segments);
                }
            })?;
            between();
        }
        Ok(())
    }

    /// What our table looks like but for the elements: equal as long as nobody changed it.
    pub(crate) fn fingerprint(&mut self) -> Result<Vec<(u16, Vec<u8>)>, Error> {
        self.wire.fingerprint()
    }

    /// Takes the table away with all that is in it, whether it is there or not.
    pub(crate) fn remove(&mut self) -> Result<(), Error> {
        self.wire.remove()
    }

    /// One transaction. `write` is also told the table's flags.
    fn commit(&mut self, write: impl FnOnce(&mut Batch, u32)) -> Result<(), Error> {
        let flags = table_flags(self.features);
        self.wire.commit(|batch| write(batch, flags))
    }
}

/// Of a table that is ours alone, or everybody's.
pub(crate) fn table_flags(features: Features) -> u32 {
    if features.persists { FLAG_OWNER | FLAG_PERSIST } else { 0 }
}

fn write_rules(batch: &mut Batch) {
    for set in SetId::of_group(Group::All) {
        batch.lookup_rule(CHAIN_PRE, set);
    }
    for group in [Group::Logins, Group::Smtp] {
        batch.ports_rule(group);
        for set in SetId::of_group(group) {
            batch.lookup_rule(group.name(), set);
        }
    }
}

/// One message for each set and each thing done to it.
fn write_edits(batch: &mut Batch, features: Features, edits: &[Edit]) {
    let key = |edit: &Edit| (edit.set, edit.change);
    let mut sorted = edits.to_vec();
    // Stable: where elements repair a table the newest come first.
    sorted.sort_by_key(key);
    for same in sorted.chunk_by(|one, other| key(one) == key(other)) {
        let set = same[0].set.name();
        let elements = || same.iter().map(|edit| &edit.element);
        match same[0].change {
            Change::Add => batch.add(&set, elements()),
            Change::Renew if features.renews => batch.add(&set, elements()),
            Change::Renew | Change::Replace => {
                remove(batch, features, &set, same);
                batch.add(&set, elements());
            }
            Change::Remove => remove(batch, features, &set, same),
        }
    }
}

fn remove(batch: &mut Batch, features: Features, set: &str, edits: &[Edit]) {
    let elements = || edits.iter().map(|edit| &edit.element);
    if features.destroys {
        batch.destroy(set, elements());
    } else {
        // What is there stays, what is not is made: then it can be deleted without a refusal.
        batch.add(set, elements());
        batch.delete(set, elements());
    }
}

/// The elements that a message tells of. What has no time left is left out.
pub(super) fn read_elements(body: &[u8]) -> impl Iterator<Item = Element> {
    let list = body.get(4..).and_then(|body| attribute(body, 3)).unwrap_or_default();
    attributes(list).filter_map(|(_, element)| read_element(element))
}

/// One of them.
pub(super) fn read_element(element: &[u8]) -> Option<Element> {
    let key = attribute(attribute(element, 1)?, 1)?;
    let key = match key.len() {
        4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(key).ok()?)),
        16 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(key).ok()?)),
        _ => return None,
    };
    let left = attribute(element, 5).or_else(|| attribute(element, 4)).and_then(be_u64);
    let flags = attribute(element, 3).and_then(be_u32).unwrap_or_default();
    Some(Element { key, timeout_ms: left, is_end: flags & 1 != 0 })
}
