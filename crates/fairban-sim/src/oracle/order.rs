//! Lines of different sources have no order within one stamp: whoever writes first there must not matter.

use std::collections::BTreeMap;
use std::net::IpAddr;

use fairban_core::effect::Effect;
use fairban_core::limits::Limits;
use fairban_core::time::Time;

use super::{Finding, FirstBan, engine, first_bans};
use crate::format::Told;
use crate::judge::Seen;
use crate::rng::Rng;
use crate::world::address::unit;
use crate::world::tape::{Row, Tape};

/// How far a robot's ban may move, in guesses.
const GUESSES: u32 = 1;

/// The rows in another order: within each second, the sources in any order, each one's own lines as they were.
pub(crate) fn permuted<'a>(rows: &'a [Row], rng: &mut Rng) -> Vec<&'a Row> {
    let second = |row: &Row| match &row.told {
        Told::Event(event) => event.time.secs(),
        Told::Gap { time, .. } => time.secs(),
        Told::Nothing => i64::MIN,
    };
    let mut all = Vec::with_capacity(rows.len());
    let mut rest = rows;
    while let Some(first) = rest.first() {
        let now = second(first);
        let here = rest.iter().take_while(|row| second(row) == now).count();
        let (block, after) = rest.split_at(here);
        rest = after;
        if block.iter().any(|row| !matches!(row.told, Told::Event(_))) {
            all.extend(block);
            continue;
        }
        let mut ranks: BTreeMap<IpAddr, u64> = BTreeMap::new();
        let mut order: Vec<&Row> = block.iter().collect();
        for row in block {
            ranks.entry(unit(row.source)).or_insert_with(|| rng.bits());
        }
        order.sort_by_key(|row| ranks[&unit(row.source)]);
        all.extend(order);
    }
    all
}

pub(super) fn look(tape: &Tape, fed: &[Effect], rng: &mut Rng, findings: &mut Vec<Finding>) {
    let mut engine = engine(Limits::default());
    let mut seen = Seen::default();
    let mut effects = Vec::new();
    for row in permuted(&tape.rows, rng) {
        seen.events(&row.told, |event| engine.handle(event, tape.line(row).as_bytes()));
        while let Some(effect) = engine.poll() {
            effects.push(effect);
        }
    }
    let (was, is) = (first_bans(fed), first_bans(&effects));
    for (source, now) in &is {
        let Some(before) = was.get(source) else { continue };
        if tape.is_honest(*source) {
            if now.banned.is_some() && before.banned.is_none() {
                findings.push(Finding { oracle: "order", what: format!("{source}, honest, is banned too") });
            }
        } else if now.guesses.abs_diff(before.guesses) > GUESSES && !is_same_stamp(now, before) {
            let what = format!("{source}: {before:?} in one order, {now:?} in another");
            findings.push(Finding { oracle: "order", what });
        }
    }
}

/// A robot makes many guesses within a second: by what others wrote in it, its ban may come at any of them.
fn is_same_stamp(one: &FirstBan, other: &FirstBan) -> bool {
    let second = |ban: &FirstBan| ban.banned.map(Time::secs);
    second(one) == second(other)
}
