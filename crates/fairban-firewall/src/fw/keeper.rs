//! [`Keeper`]: keeps the kernel's table equal to what was asked, whatever others do to it.

use std::collections::{BTreeMap, BTreeSet};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::IpAddr;

use fairban_core::escape::escaped;
use ipnet::IpNet;

use super::bans::{BANS_MAX, Ban, Bans, from_kernel};
use super::bucket::Bucket;
use super::guard::{Guard, Refused};
use super::limiter::Limiter;
use crate::enforcer::{Answer, Shut};
use crate::limits::{Counted, Limit};
use crate::nft::{Damage, Edit, Error, Events, Foreign, Settings, Table};
use crate::protocol::Part;
use crate::remove::PANIC;

/// The cap: so many bans at once, so many a second thereafter. More wait. Lists, which a restart brings, are bounded by
/// their length alone.
const CAP_BURST: u64 = 50_000;
const CAP_A_SECOND: u64 = 5_000;

/// Bans taken from those that wait at a time.
const RELEASED_AT_ONCE: u64 = 5_000;

/// Repairs: another program that takes our table away in a loop costs us no more than this.
const REPAIRS_BURST: u64 = 8;
const REPAIRS_A_SECOND: u64 = 2;

/// See the module. Times are milliseconds of the process's own clock.
#[derive(Debug)]
pub(super) struct Keeper {
    table: Table,
    events: Events,
    bans: Bans,
    pub(super) guard: Guard,
    limiter: Limiter,
    cap: Bucket,
    waiting: HashMap<IpNet, Shut>,
    /// In order; those taken back are no longer in `waiting`.
    queue: VecDeque<IpNet>,
    repairs: Bucket,
    /// What others broke and is not yet repaired.
    broken: Option<Foreign>,
    repaired: u64,
    /// Of the table as we left it.
    fingerprint: Vec<(u16, Vec<u8>)>,
    /// The list that is coming in holds who is protected.
    is_list_protected: bool,
}

/// What was changed by a request.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// For each prefix asked.
    pub(super) answers: Vec<Answer>,
    /// Shut out now, who may not have been before.
    pub(super) shut: Vec<Shut>,
}

/// Changes to [`Bans`] that the kernel has not yet taken.
#[derive(Default)]
struct Plan {
    /// What each prefix was before.
    before: BTreeMap<IpNet, Option<Ban>>,
    shut: Vec<Shut>,
}

impl Keeper {
    /// Takes over what is in the kernel, and makes the table anew.
    pub(super) fn open(settings: Settings, guard: Guard, now_ms: u64) -> Result<Keeper, Error> {
        let limit_sources = settings.limit_sources;
        let mut table = Table::open(settings)?;
        let left_behind = table.read()?.unwrap_or_default();
        table.probe()?;
        let limiter = Limiter::open(table.features, limit_sources)?;
        let events = Events::open([table.port(), limiter.port()]).map_err(Error::Socket)?;
        let mut keeper = Keeper {
            table,
            events,
            bans: Bans::default(),
            guard,
            limiter,
            cap: Bucket::new(CAP_BURST, CAP_A_SECOND),
            waiting: HashMap::new(),
            queue: VecDeque::new(),
            repairs: Bucket::new(REPAIRS_BURST, REPAIRS_A_SECOND),
            broken: None,
            repaired: 0,
            fingerprint: Vec::new(),
            is_list_protected: false,
        };
        for shut in from_kernel(&left_behind) {
            if keeper.guard.refuses(&shut.prefix).is_none() {
                // More than we hold we did not write.
                let _ = keeper.bans.insert(&shut, now_ms);
            }
        }
        keeper.rebuild(now_ms)?;
        Ok(keeper)
    }

    /// Where others' changes are heard.
    pub(super) fn events(&self) -> &Events {
        &self.events
    }

    /// Sentences for a person, about the kernel and what it lacks.
    pub(super) fn remarks(&self) -> Vec<String> {
        let features = self.table.features;
        let mut remarks = vec![format!(
            "paths: {}, {}, {}",
            if features.destroys {
                "DESTROYSETELEM"
            } else {
                "add and delete (no DESTROYSETELEM before Linux 6.3)"
            },
            if features.renews {
                "times renewed in place"
            } else {
                "times renewed by delete and add (Linux 6.12 can)"
            },
            if features.persists {
                "the table is ours alone"
            } else {
                "a table that others can change, watched"
            },
        )];
        remarks.push(self.table.ports());
        let (floor, allowed) = self.guard.count();
        remarks.push(format!("never banned: {floor} prefixes of the floor, {allowed} allowed"));
        remarks.extend(self.limiter.remark());
        if self.repaired > 0 {
            remarks.push(format!("repaired {} times what other programs changed", self.repaired));
        }
        remarks
    }

    pub(super) fn in_force(&self, now_ms: u64) -> u64 {
        self.bans.in_force(now_ms)
    }

    pub(super) fn waiting(&self) -> u64 {
        self.waiting.len() as u64
    }

    pub(super) fn page(&self, after: Option<IpNet>, count: usize, now_ms: u64) -> (Vec<Shut>, bool) {
        self.bans.page(after, count, now_ms)
    }

    /// Shuts out.
    pub(super) fn ban(&mut self, shuts: &[Shut], now_ms: u64) -> Outcome {
        let mut plan = Plan::default();
        let answers = shuts.iter().map(|shut| self.take(shut, true, &mut plan, now_ms)).collect();
        self.carry_out(plan, answers, now_ms)
    }

    /// Lets in, also who is only waiting to be shut out.
    pub(super) fn unban(&mut self, prefixes: &[IpNet], now_ms: u64) -> Outcome {
        let mut plan = Plan::default();
        for prefix in prefixes {
            self.release(prefix, &mut plan);
        }
        self.carry_out(plan, vec![Answer::Done; prefixes.len()], now_ms)
    }

    /// A piece of the list of all who shall be shut out; one answer for it.
    pub(super) fn sync(&mut self, part: Part, shuts: &[Shut], now_ms: u64) -> Outcome {
        if part.begins() {
            self.bans.begin_list();
            self.waiting.clear();
            self.queue.clear();
            self.is_list_protected = false;
        }
        let mut plan = Plan::default();
        let mut answers = Vec::new();
        // What comes first matters most, and gets the highest weight last.
        for shut in shuts.iter().rev() {
            if !self.bans.is_listed_already(shut, now_ms) {
                answers.push(self.take(shut, false, &mut plan, now_ms));
            }
        }
        if part.ends() {
            for prefix in self.bans.unlisted() {
                self.release(&prefix, &mut plan);
            }
        }
        self.is_list_protected |= answers.contains(&Answer::Protected);
        let mut outcome = self.carry_out(plan, answers, now_ms);
        let worst = |answer: &Answer| match answer {
            Answer::Done => 0,
            Answer::Delayed => 1,
            Answer::Protected => 2,
            Answer::Failed(_) => 3,
        };
        let answer =
            outcome.answers.iter().max_by_key(|answer| worst(answer)).cloned().unwrap_or(Answer::Done);
        let is_good = matches!(answer, Answer::Done | Answer::Delayed);
        outcome.answers =
            vec![if is_good && part.ends() && self.is_list_protected { Answer::Protected } else { answer }];
        outcome
    }

    /// A piece of the list of who else is protected. Their bans end.
    pub(super) fn allow(&mut self, part: Part, prefixes: &[IpNet], now_ms: u64) -> Outcome {
        let has_room = self.guard.allow(part.begins(), part.ends(), prefixes);
        let answer = if has_room { Answer::Done } else { Answer::Failed("the list is too long".to_owned()) };
        let outcome = self.lift(prefixes, vec![answer], now_ms);
        if part.ends() { self.exempt_anew(outcome) } else { outcome }
    }

    /// A piece of what sources may do at a time; one answer for it.
    pub(super) fn limit(&mut self, part: Part, limits: &[Limit], exempt: &[IpNet]) -> Outcome {
        let done = self.limiter.take(part, limits, exempt, self.guard.protected());
        Outcome { answers: vec![done.map_or_else(Answer::Failed, |()| Answer::Done)], shut: Vec::new() }
    }

    /// What came of that.
    pub(super) fn counts(&mut self) -> Result<Vec<Counted>, Error> {
        self.limiter.counts()
    }

    /// Who is protected is exempt from limits.
    fn exempt_anew(&mut self, mut outcome: Outcome) -> Outcome {
        if let (Err(error), Some(answer @ Answer::Done)) =
            (self.limiter.refresh(self.guard.protected()), outcome.answers.first_mut())
        {
            *answer = Answer::Failed(error.to_string());
        }
        outcome
    }

    /// This host's addresses and gateways are these now.
    pub(super) fn set_own(&mut self, addresses: &BTreeSet<IpAddr>, now_ms: u64) {
        let new = self.guard.set_own(addresses);
        self.lift(&new, Vec::new(), now_ms);
        self.exempt_anew(Outcome::default());
    }

    /// Lets in who waited to be shut out until the cap allows it; the milliseconds until the next.
    pub(super) fn work_off(&mut self, now_ms: u64) -> (Vec<Shut>, Option<u64>) {
        let mut plan = Plan::default();
        if !self.waiting.is_empty() {
            for _ in 0..self.cap.take(RELEASED_AT_ONCE.min(self.waiting.len() as u64), now_ms) {
                let next =
                    std::iter::from_fn(|| self.queue.pop_front()).find_map(|next| self.waiting.remove(&next));
                if let Some(shut) = next {
                    self.insert(&shut, &mut plan, now_ms);
                }
            }
        }
        let outcome = self.carry_out(plan, Vec::new(), now_ms);
        (outcome.shut, (!self.waiting.is_empty()).then(|| self.cap.wait_ms()))
    }

    /// Whether a repair is due.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Looks at what others did and repairs it. Returns sentences, and the milliseconds until the next repair may begin.
    pub(super) fn repair(&mut self, now_ms: u64) -> io::Result<(Vec<String>, Option<u64>)> {
        self.hear()?;
        let Some(foreign) = self.broken.take() else { return Ok((Vec::new(), None)) };
        if self.repairs.take(1, now_ms) == 0 {
            self.broken = Some(foreign);
            return Ok((Vec::new(), Some(self.repairs.wait_ms())));
        }
        if foreign.by.as_ref().is_some_and(|(_, name)| name == PANIC.as_bytes()) {
            self.forget();
            return Ok((
                vec!["all bans were taken away by order: nothing is shut out until asked again".to_owned()],
                None,
            ));
        }
        let done = match &foreign.damage {
            None => Ok(()),
            Some(Damage::Elements(touched)) => self.settle(touched, now_ms),
            Some(Damage::Rules) => self.table.rewrite_rules().and_then(|()| self.take_fingerprint()),
            Some(Damage::Everything) => self.rebuild(now_ms),
        };
        // Whoever changed it may have done so again.
        let done = done.or_else(|_| self.rebuild(now_ms));
        let done =
            if foreign.is_limits { done.and(self.limiter.write(self.guard.protected())) } else { done };
        self.repaired += 1;
        Ok((vec![sentence(&foreign, &done)], None))
    }

    /// Whether the table looks as we left it; else it is repaired as after a foreign change.
    pub(super) fn verify(&mut self) {
        if !self.fingerprint.is_empty()
            && !self.table.fingerprint().is_ok_and(|seen| seen == self.fingerprint)
        {
            self.note(Foreign { damage: Some(Damage::Everything), is_limits: false, by: None });
        }
        if self.limiter.is_changed() {
            self.note(Foreign { damage: None, is_limits: true, by: None });
        }
    }

    fn take(&mut self, shut: &Shut, is_capped: bool, plan: &mut Plan, now_ms: u64) -> Answer {
        match self.guard.refuses(&shut.prefix) {
            Some(Refused::Protected) => return Answer::Protected,
            Some(Refused::TooWide) => {
                return Answer::Failed(format!("{} is too wide to be meant", shut.prefix));
            }
            None => {}
        }
        // Who is shut out already passes.
        if is_capped && !self.bans.holds(&shut.prefix) && self.cap.take(1, now_ms) == 0 {
            if self.waiting.len() >= BANS_MAX {
                return Answer::Failed("too many bans wait already".to_owned());
            }
            if self.waiting.insert(shut.prefix, *shut).is_none() {
                self.queue.push_back(shut.prefix);
            }
            return Answer::Delayed;
        }
        self.insert(shut, plan, now_ms)
    }

    fn insert(&mut self, shut: &Shut, plan: &mut Plan, now_ms: u64) -> Answer {
        match self.bans.insert(shut, now_ms) {
            Ok(before) => {
                plan.before.entry(shut.prefix).or_insert(before);
                plan.shut.push(*shut);
                Answer::Done
            }
            Err(full) => Answer::Failed(full.to_string()),
        }
    }

    fn release(&mut self, prefix: &IpNet, plan: &mut Plan) {
        self.waiting.remove(prefix);
        if let Some(before) = self.bans.remove(prefix) {
            plan.before.entry(*prefix).or_insert(Some(before));
        }
    }

    fn lift(&mut self, protected: &[IpNet], answers: Vec<Answer>, now_ms: u64) -> Outcome {
        let mut plan = Plan::default();
        for prefix in protected {
            for banned in self.bans.overlapping(prefix) {
                self.release(&banned, &mut plan);
            }
        }
        let guard = &self.guard;
        self.waiting.retain(|prefix, _| guard.refuses(prefix).is_none());
        self.carry_out(plan, answers, now_ms)
    }

    /// Tells the kernel; what it refuses is undone.
    fn carry_out(&mut self, plan: Plan, mut answers: Vec<Answer>, now_ms: u64) -> Outcome {
        if plan.before.is_empty() {
            return Outcome { answers, shut: plan.shut };
        }
        if let Err(error) = self.write(&plan, now_ms) {
            for (prefix, before) in plan.before {
                self.bans.undo(prefix, before);
            }
            for answer in &mut answers {
                if *answer == Answer::Done {
                    *answer = Answer::Failed(error.to_string());
                }
            }
            return Outcome { answers, shut: Vec::new() };
        }
        Outcome { answers, shut: plan.shut }
    }

    fn write(&mut self, plan: &Plan, now_ms: u64) -> Result<(), Error> {
        let mut edits: Vec<Edit> = Vec::new();
        for (prefix, before) in &plan.before {
            self.bans.edits(prefix, *before, now_ms, &mut edits);
        }
        let prefixes = plan.before.keys().filter(|prefix| !crate::nft::is_common(prefix)).copied().collect();
        let others = self.bans.other_sets(&prefixes, now_ms);
        let (events, broken) = (&mut self.events, &mut self.broken);
        let written = self.table.write(&edits, &others, &mut || hear(events, broken));
        // Somebody took our table away and we have not heard of it yet.
        written.or_else(|_| self.rebuild(now_ms))
    }

    /// Nothing shall be in the kernel. The next ban makes the table anew.
    fn forget(&mut self) {
        self.bans = Bans::default();
        self.waiting.clear();
        self.queue.clear();
        self.fingerprint.clear();
        // Whoever gave the order takes it away as well, and may do so first.
        let _ = self.limiter.forget();
    }

    fn settle(&mut self, touched: &[(crate::nft::SetId, IpAddr)], now_ms: u64) -> Result<(), Error> {
        let touched: BTreeSet<_> = touched.iter().copied().collect();
        let edits: Vec<Edit> =
            touched.into_iter().filter_map(|(set, key)| self.bans.settle(set, key, now_ms)).collect();
        self.table.write(&edits, &[], &mut || {})
    }

    fn rebuild(&mut self, now_ms: u64) -> Result<(), Error> {
        self.bans.prune(now_ms);
        let edits = self.bans.all_edits(now_ms);
        let others = self.bans.all_other_sets(now_ms);
        let (events, broken) = (&mut self.events, &mut self.broken);
        self.table.rebuild(&edits, &others, &mut || hear(events, broken))?;
        self.take_fingerprint()
    }

    fn take_fingerprint(&mut self) -> Result<(), Error> {
        self.fingerprint = self.table.fingerprint()?;
        Ok(())
    }

    fn hear(&mut self) -> io::Result<()> {
        for foreign in self.events.read()? {
            self.note(foreign);
        }
        Ok(())
    }

    fn note(&mut self, foreign: Foreign) {
        note(&mut self.broken, foreign);
    }
}

/// Takes in what happened while we write much: else our own doings fill the queue of events.
fn hear(events: &mut Events, broken: &mut Option<Foreign>) {
    // What cannot be heard here is told to the loop that waits for events.
    for foreign in events.read().unwrap_or_default() {
        note(broken, foreign);
    }
}

fn note(broken: &mut Option<Foreign>, foreign: Foreign) {
    *broken = Some(match broken.take() {
        None => foreign,
        Some(before) => Foreign {
            damage: match (before.damage, foreign.damage) {
                (Some(before), Some(now)) => Some(before.and(now)),
                (before, now) => before.or(now),
            },
            is_limits: before.is_limits || foreign.is_limits,
            by: foreign.by.or(before.by),
        },
    });
}

fn sentence(foreign: &Foreign, done: &Result<(), Error>) -> String {
    let what = match &foreign.damage {
        None => "the limits in the kernel".to_owned(),
        Some(Damage::Elements(touched)) => format!("{} bans in the kernel", touched.len()),
        Some(Damage::Rules) => "the rules in the kernel".to_owned(),
        Some(Damage::Everything) => "the table in the kernel".to_owned(),
    };
    let who = match &foreign.by {
        Some((pid, name)) => format!("process {pid} ({})", escaped(name)),
        None => "somebody".to_owned(),
    };
    match done {
        Ok(()) => format!("{who} changed {what}; repaired"),
        Err(error) => format!("{who} changed {what}; cannot repair it: {error}"),
    }
}

#[cfg(test)]
mod tests;
