//! Limits of connections: what holds and what came of it, and orders about them.

use std::collections::BTreeMap;

use fairban_control::{
    ActionDone, LimitChange, LimitRow, LimitsReport, Moment, OverRow, Peer, Problem, Refusal, Reply,
    Response, Shown,
};
use fairban_firewall::enforcer::Answer;
use fairban_firewall::limits::{Counted, GROUPS_MAX, Rate};

use super::{by, told_mode};
use crate::daemon::desk::{Action, LIMITS_SAID_MAX};
use crate::daemon::office::Office;
use crate::limits::{LimitSpec, Said, check_name, merged};

impl Office {
    /// What holds, with what came of it: whoever counts is asked, and nobody waits for it but who wants to know.
    pub(super) fn limits(&mut self, reply: Reply) {
        let now = self.now();
        let mut rows: BTreeMap<String, LimitRow> = BTreeMap::new();
        let origin =
            |name: &str| if self.desk.limits_said().contains_key(name) { "operator" } else { "config" };
        let mut numbers: BTreeMap<u8, String> = BTreeMap::new();
        for (spec, limit) in self.limits.told() {
            let does = if limit.enforced { "refuses" } else { "counts" };
            let row = LimitRow { does: Shown::of(does), origin: Shown::of(origin(&spec.name)), ..row(spec) };
            numbers.insert(limit.group, spec.name.clone());
            rows.insert(spec.name.clone(), row);
        }
        for (name, said) in self.desk.limits_said() {
            if *said == Said::Off {
                let configured = self.limits.configured.iter().find(|spec| spec.name == *name);
                let row =
                    configured.map_or_else(|| LimitRow { name: Shown::of(name), ..LimitRow::default() }, row);
                rows.insert(
                    name.clone(),
                    LimitRow { does: Shown::of("off"), origin: Shown::of("operator"), ..row },
                );
            }
        }
        let mut report = LimitsReport {
            rows: Vec::new(),
            exempt: self.limits.exempt(),
            mode: told_mode(self.desk.mode()),
            at: Moment::from(now),
            remarks: self.why_not_refused().into_iter().map(Shown::of).collect(),
        };
        self.doors.count(Box::new(move |counted| {
            match counted {
                Ok(counted) => {
                    for one in counted {
                        let row = numbers.get(&one.group).and_then(|name| rows.get_mut(name));
                        if let Some(row) = row {
                            put_counts(row, &one);
                        }
                    }
                }
                Err(why) => report.remarks.push(Shown::of(format!("the counts are not known: {why}"))),
            }
            report.rows = rows.into_values().collect();
            reply.send(Response::Limits(report));
        }));
    }

    /// Why limits that shall refuse only count.
    fn why_not_refused(&self) -> Option<&'static str> {
        let wants = self.limits.told().any(|(spec, limit)| spec.enforce && !limit.enforced);
        wants.then(|| match (self.desk.learnt(), self.desk.mode()) {
            (false, _) => "counting only until the old logs are read: nobody knows yet who is a hub",
            (_, mode) if mode.is_live() => "counting only until live mode is confirmed: fairban confirm",
            _ => "counting only in shadow mode: fairban mode live",
        })
    }

    pub(super) fn limit_set(&mut self, peer: &Peer, name: &Shown, change: &LimitChange, reply: Reply) {
        let name = name.as_str();
        let refuse = |why: String| Refusal::new(Problem::Refused, why);
        if let Err(why) = check_name(name) {
            return reply.send(refuse(why));
        }
        let all = self.limits_meant();
        let configured = self.limits.configured.iter().find(|spec| spec.name == name);
        let before = all.iter().find(|spec| spec.name == name);
        if before.is_none() && all.len() >= GROUPS_MAX || self.is_said_full(name) {
            let hint = "one limit may have many ports; fairban limits off takes one away";
            return reply.send(refuse(format!("there are {GROUPS_MAX} limits already")).hint(hint));
        }
        let spec = changed(name, before.or(configured), change);
        if let Err(bad) = spec.limit(0, false).check() {
            let hint = "for example: fairban limits set pop3 --ports 110,995 --concurrent 40 --new 60/1m";
            return reply.send(refuse(format!("the limit {name} cannot be set: {bad}")).hint(hint));
        }
        let is_new = before != Some(&spec);
        let said = vec![(name.to_owned(), Some(Said::Set(spec)))];
        self.say_limits(peer, "limit-set", said, is_new, reply);
    }

    pub(super) fn limit_off(&mut self, peer: &Peer, name: Option<&Shown>, reply: Reply) {
        let all = self.limits_meant();
        let off: Vec<_> = all
            .into_iter()
            .filter(|spec| name.is_none_or(|name| name.as_str() == spec.name))
            .map(|spec| (spec.name, Some(Said::Off)))
            .collect();
        if let (true, Some(name)) = (off.is_empty(), name) {
            let refusal = Refusal::new(Problem::Refused, format!("there is no limit {name}"));
            return reply.send(refusal.hint("fairban limits show tells which there are"));
        }
        if off.iter().any(|(name, _)| self.is_said_full(name)) {
            let refusal = Refusal::new(Problem::Refused, "too much was said of limits already");
            return reply.send(refusal.hint("fairban limits reset gives them back to the configuration"));
        }
        let is_new = !off.is_empty();
        self.say_limits(peer, "limit-off", off, is_new, reply);
    }

    pub(super) fn limit_reset(&mut self, peer: &Peer, name: Option<&Shown>, reply: Reply) {
        let said =
            self.desk.limits_said().keys().filter(|said| name.is_none_or(|name| name.as_str() == **said));
        let said: Vec<_> = said.map(|name| (name.clone(), None)).collect();
        let is_new = !said.is_empty();
        self.say_limits(peer, "limit-reset", said, is_new, reply);
    }

    /// What is meant now, by name.
    fn limits_meant(&self) -> Vec<LimitSpec> {
        merged(&self.limits.configured, self.desk.limits_said().iter())
    }

    fn is_said_full(&self, name: &str) -> bool {
        let said = self.desk.limits_said();
        said.len() >= LIMITS_SAID_MAX && !said.contains_key(name)
    }

    /// Writes it down, and answers when it holds.
    fn say_limits(
        &mut self,
        peer: &Peer,
        action: &str,
        said: Vec<(String, Option<Said>)>,
        changed: bool,
        reply: Reply,
    ) {
        let affected = said.len() as u64;
        let mut done = ActionDone { changed, affected, ..self.done(action) };
        for (name, said) in said {
            let words = format!("{name}: {}", in_words(said.as_ref()));
            done.sequence = Some(self.action(by(peer), Action::Limit { name, said }, words));
        }
        done.remarks = self.unkept();
        done.remarks.extend(self.why_not_refused().map(Shown::of));
        let then = move |carried: Result<Vec<Answer>, String>| match carried {
            Ok(answers) => {
                let failed = answers.into_iter().filter_map(|answer| match answer {
                    Answer::Failed(why) => Some(Shown::of(format!("it does not hold: {why}"))),
                    _ => None,
                });
                done.remarks.extend(failed);
                reply.send(Response::Done(done));
            }
            Err(why) => {
                let refusal = Refusal::new(Problem::Failed, format!("recorded, but not carried out: {why}"));
                reply.send(refusal.hint("fairban status shows what is wrong; it is tried again by itself"));
            }
        };
        self.tell_limits(Some(Box::new(then)));
    }
}

fn row(spec: &LimitSpec) -> LimitRow {
    let rate = spec.rate;
    LimitRow {
        name: Shown::of(&spec.name),
        ports: spec.ports.clone(),
        concurrent: spec.concurrent,
        new: rate.map(|rate| rate.count),
        per: rate.map(|rate| rate.seconds),
        burst: rate.map(|rate| rate.burst),
        hold: rate.and_then(|rate| rate.hold_seconds),
        enforce: spec.enforce,
        ..LimitRow::default()
    }
}

fn put_counts(row: &mut LimitRow, counted: &Counted) {
    row.over_concurrent = counted.over_concurrent;
    row.over_new = counted.over_rate;
    row.sources = counted.sources.iter().map(|&(prefix, times)| OverRow { prefix, times }).collect();
    row.sources_more = counted.sources_more;
}

/// A limit that was `before`, changed; one that was not there only counts until it is said otherwise.
fn changed(name: &str, before: Option<&LimitSpec>, change: &LimitChange) -> LimitSpec {
    let none =
        LimitSpec { name: name.to_owned(), ports: Vec::new(), concurrent: None, rate: None, enforce: false };
    let mut spec = before.cloned().unwrap_or(none);
    if let Some(ports) = &change.ports {
        spec.ports.clone_from(ports);
    }
    if let Some(most) = change.concurrent {
        spec.concurrent = Some(most).filter(|most| *most > 0);
    }
    let old = spec.rate;
    let count = change.new.or(old.map(|rate| rate.count)).filter(|count| *count > 0);
    spec.rate = count.map(|count| Rate {
        count,
        seconds: change.per.or(old.map(|rate| rate.seconds)).unwrap_or(60),
        // Where it was the number of new ones it still is.
        burst: change
            .burst
            .or(old.filter(|rate| rate.burst != rate.count).map(|rate| rate.burst))
            .unwrap_or(count),
        hold_seconds: change.hold.or(old.and_then(|rate| rate.hold_seconds)).filter(|hold| *hold > 0),
    });
    spec.enforce = change.enforce.unwrap_or(spec.enforce);
    spec
}

/// For those who read what was ordered.
fn in_words(said: Option<&Said>) -> String {
    let spec = match said {
        None => return "as configured".to_owned(),
        Some(Said::Off) => return "off".to_owned(),
        Some(Said::Set(spec)) => spec,
    };
    let ports: Vec<String> = spec.ports.iter().map(u16::to_string).collect();
    let open = spec.concurrent.map(|most| format!(", {most} open"));
    let new = spec.rate.map(|rate| format!(", {} new in {} s", rate.count, rate.seconds));
    let does = if spec.enforce { "refuse" } else { "count" };
    format!("ports {}{}{}, {does}", ports.join(" "), open.unwrap_or_default(), new.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_stays() {
        let change = LimitChange { ports: Some(vec![110]), new: Some(60), ..LimitChange::default() };
        let first = changed("pop3", None, &change);
        let rate = Rate { count: 60, seconds: 60, burst: 60, hold_seconds: None };
        assert_eq!((first.rate, first.concurrent, first.enforce), (Some(rate), None, false));
        let change = LimitChange {
            concurrent: Some(5),
            new: Some(30),
            hold: Some(9),
            enforce: Some(true),
            ..LimitChange::default()
        };
        let second = changed("pop3", Some(&first), &change);
        let rate = Rate { count: 30, seconds: 60, burst: 30, hold_seconds: Some(9) };
        assert_eq!((second.rate, second.concurrent, second.enforce), (Some(rate), Some(5), true));
        let change = LimitChange { new: Some(0), ..LimitChange::default() };
        let third = changed("pop3", Some(&second), &change);
        assert_eq!((third.rate, third.ports, third.enforce), (None, vec![110], true));
    }
}
