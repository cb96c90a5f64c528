//! What old logs say to limits: how many connections sources made, and whom a limit would have touched.
//!
//! A log tells of logins and of connections that a server took. A session with several tries counts once a try, so that what
//! is found is more than was, never less, and a limit that is made of it touches nobody.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, Write};
use std::net::IpAddr;

use fairban_core::effect::Effect;
use fairban_core::engine::{Config as EngineConfig, Engine};
use fairban_core::event::{AuthEvent, Outcome, Protocol, Service, Session, Tells};
use fairban_core::time::{Span, Time};
use fairban_firewall::limits::Rate;
use ipnet::IpNet;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::LimitSpec;
use crate::Done;
use crate::cli::{LimitSuggestArgs, LimitTestArgs, OldLogs};
use crate::config::{Config, Paths};
use crate::error::{self, Failure, Kind};
use crate::input::{Gathered, discover};
use crate::pipeline::{Doubles, Merge, Settings, StreamState};
use crate::report::{Align, Table, grouped, hanging, title};
use crate::tally::show_prefix;

/// Sources that are looked at; others that come later are not, and that is said.
const SOURCES_MAX: usize = 1_000_000;

/// Connections of a source and minute that are told apart: more are as many.
const RECENT_MAX: usize = 10_000;

/// Connections that are open at a time, of all.
const OPEN_MAX: usize = 1_000_000;

/// No suggestion is below: a mail program opens a few connections at once.
const NEW_LEAST: u32 = 10;
const OPEN_LEAST: u32 = 10;

/// Sources of a finding that are named.
const NAMED_MAX: usize = 5;

const KEY: [u8; 16] = *b"fairban's limits";

/// Ports that go together, and what the logs call them.
const GROUPS: [(&str, &[u16], &[Protocol]); 7] = [
    ("pop3", &[110, 995], &[Protocol::Pop3]),
    ("imap", &[143, 993], &[Protocol::Imap]),
    ("smtp", &[25], &[Protocol::Smtp]),
    ("submission", &[465, 587], &[Protocol::Submission]),
    ("sieve", &[4_190], &[Protocol::Sieve]),
    ("ssh", &[22], &[Protocol::Ssh]),
    ("other", &[], &[]),
];
const OTHER: usize = GROUPS.len() - 1;

fn group_of(protocol: Protocol) -> usize {
    GROUPS.iter().position(|(_, _, protocols)| protocols.contains(&protocol)).unwrap_or(OTHER)
}

fn unit_of(address: IpAddr) -> IpNet {
    let address = address.to_canonical();
    let len = if address.is_ipv4() { 32 } else { 64 };
    // The length is within the bits of the address.
    IpNet::new(address, len).map_or_else(|_| IpNet::from(address), |net| net.trunc())
}

fn day_of(time: Time) -> i64 {
    time.secs().div_euclid(86_400)
}

/// Highest numbers of a source at a group, day by day: new connections within a minute, and open ones.
#[derive(Debug, Default)]
struct Flow {
    recent: VecDeque<Time>,
    open: u32,
    peaks: BTreeMap<i64, (u32, u32)>,
}

impl Flow {
    fn came(&mut self, time: Time) {
        while self.recent.front().is_some_and(|first| time.since(*first) >= Span::minutes(1)) {
            self.recent.pop_front();
        }
        if self.recent.len() < RECENT_MAX {
            self.recent.push_back(time);
        }
        let new = self.recent.len() as u32;
        self.peak(time, |peak| peak.0 = peak.0.max(new));
    }

    fn opened(&mut self, time: Time) {
        self.open += 1;
        let open = self.open;
        self.peak(time, |peak| peak.1 = peak.1.max(open));
    }

    fn peak(&mut self, time: Time, raise: impl FnOnce(&mut (u32, u32))) {
        raise(self.peaks.entry(day_of(time)).or_default());
    }

    /// The highest since that day.
    fn since(&self, day: i64) -> (u32, u32) {
        self.peaks.range(day..).fold((0, 0), |all, (_, peak)| (all.0.max(peak.0), all.1.max(peak.1)))
    }
}

/// A limit that is tried, as the kernel would count.
struct Trial {
    spec: LimitSpec,
    buckets: BTreeMap<IpNet, Bucket>,
    /// Refusals by source and day.
    over: BTreeMap<IpNet, BTreeMap<i64, u64>>,
}

struct Bucket {
    level_us: u64,
    last: Time,
    held_until: Time,
}

impl Trial {
    fn new(spec: LimitSpec) -> Trial {
        Trial { spec, buckets: BTreeMap::new(), over: BTreeMap::new() }
    }

    fn concerns(&self, group: usize) -> bool {
        self.spec.ports.is_empty() || GROUPS[group].1.iter().any(|port| self.spec.ports.contains(port))
    }

    fn came(&mut self, unit: IpNet, time: Time) {
        let Some(Rate { count, seconds, burst, hold_seconds }) = self.spec.rate else { return };
        let cost = u64::from(seconds) * 1_000_000 / u64::from(count);
        let full = cost.saturating_mul(u64::from(burst));
        if self.buckets.len() >= SOURCES_MAX && !self.buckets.contains_key(&unit) {
            return;
        }
        let bucket =
            self.buckets.entry(unit).or_insert(Bucket { level_us: full, last: time, held_until: Time::MIN });
        let passed = time.since(bucket.last).as_micros().max(0).unsigned_abs();
        bucket.last = bucket.last.max(time);
        bucket.level_us = bucket.level_us.saturating_add(passed).min(full);
        let is_held = time < bucket.held_until;
        if !is_held && bucket.level_us >= cost {
            bucket.level_us -= cost;
            return;
        }
        if let Some(hold) = hold_seconds {
            bucket.held_until = time.plus(Span::secs(i64::from(hold)));
        }
        self.refuse(unit, time);
    }

    fn refuse(&mut self, unit: IpNet, time: Time) {
        *self.over.entry(unit).or_default().entry(day_of(time)).or_default() += 1;
    }

    /// Who was refused since that day, how often.
    fn since(&self, day: i64) -> BTreeMap<IpNet, u64> {
        let sums =
            self.over.iter().map(|(unit, days)| (*unit, days.range(day..).map(|(_, times)| times).sum()));
        sums.filter(|(_, times): &(IpNet, u64)| *times > 0).collect()
    }
}

/// What a connection is known by while it is open.
type OpenKey = (Service, IpAddr, u64);

/// All that was read.
struct Past {
    engine: Engine,
    flows: BTreeMap<(usize, IpNet), Flow>,
    open: BTreeMap<OpenKey, usize>,
    succeeded: BTreeSet<IpNet>,
    caught: BTreeSet<IpNet>,
    trials: Vec<Trial>,
    first: Option<Time>,
    last: Time,
}

/// What a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// Somebody logged in there, and nothing speaks against it.
    Familiar,
    /// So many do that it is exempt.
    Hub,
    Stranger,
}

impl Past {
    fn new(trials: Vec<Trial>) -> Past {
        Past {
            engine: Engine::new(EngineConfig { narrate: true, ..EngineConfig::new(KEY) }),
            flows: BTreeMap::new(),
            open: BTreeMap::new(),
            succeeded: BTreeSet::new(),
            caught: BTreeSet::new(),
            trials,
            first: None,
            last: Time::MIN,
        }
    }

    fn read(old: &OldLogs, trials: Vec<Trial>) -> Result<Past, Failure> {
        let gathered = if old.logs.is_empty() {
            discover(std::path::Path::new("/"), old.json)?
        } else {
            Gathered::from_paths(&old.logs)?
        };
        let settings = Settings {
            key: KEY,
            services: (1 << Service::ALL.len()) - 1,
            zone: old.timezone.clone().unwrap_or_else(TimeZone::system),
            year: old.year,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            keep_tail: false,
        };
        let logs = gathered.inputs.into_iter().map(|input| (input, StreamState::default())).collect();
        let mut merge = Merge::new(settings, logs, Doubles::default());
        let mut past = Past::new(trials);
        while merge.peek().is_some() {
            merge.take(|item| past.event(item.event, item.text));
        }
        let mut any = false;
        for (input, _, read) in merge.read() {
            any |= read.lines > 0;
            if let Some(error) = &read.error {
                error::warn(&format!("{}: {error}", input.name), None);
            }
        }
        if !any || past.first.is_none() {
            let failure = Failure::new(Kind::Environment, "the logs tell of no logins and no connections");
            return Err(
                failure.hint("name the log that logins are written to: fairban limits suggest LOG...")
            );
        }
        Ok(past)
    }

    fn event(&mut self, event: &AuthEvent, text: &[u8]) {
        self.session(event);
        self.engine.handle(event, text);
        while let Some(effect) = self.engine.poll() {
            match effect {
                Effect::Seen(seen) => {
                    let unit = unit_of(seen.source);
                    if seen.outcome == Outcome::Success {
                        self.succeeded.insert(unit);
                    }
                    self.came(group_of(seen.protocol), unit, seen.time);
                }
                Effect::Ban(ban) => drop(self.caught.insert(ban.prefix)),
                Effect::Hit { source, .. } => drop(self.caught.insert(unit_of(source))),
                _ => {}
            }
        }
    }

    fn came(&mut self, group: usize, unit: IpNet, time: Time) {
        self.first.get_or_insert(time);
        self.last = self.last.max(time);
        if let Some(flow) = self.flow(group, unit) {
            flow.came(time);
        }
        self.trials.iter_mut().filter(|trial| trial.concerns(group)).for_each(|trial| trial.came(unit, time));
    }

    fn flow(&mut self, group: usize, unit: IpNet) -> Option<&mut Flow> {
        let key = (group, unit);
        if self.flows.len() >= SOURCES_MAX && !self.flows.contains_key(&key) {
            return None;
        }
        Some(self.flows.entry(key).or_default())
    }

    /// Connections that are open, where the log tells both ends.
    fn session(&mut self, event: &AuthEvent) {
        let Some(source) = event.source else { return };
        let number = match (event.session, event.port) {
            (Session::Id(id), _) => id,
            (_, Some(port)) => u64::from(port),
            _ => return,
        };
        let (key, unit) = ((event.service, source, number), unit_of(source));
        let begins = event.tells == Tells::Connect
            || event.tells == Tells::Attempt && event.outcome == Outcome::Success;
        if matches!(event.tells, Tells::End { .. }) {
            if let Some(group) = self.open.remove(&key)
                && let Some(flow) = self.flow(group, unit)
            {
                flow.open = flow.open.saturating_sub(1);
            }
        } else if begins && self.open.len() < OPEN_MAX && !self.open.contains_key(&key) {
            let group = group_of(event.protocol);
            self.open.insert(key, group);
            let Some(flow) = self.flow(group, unit) else { return };
            flow.opened(event.time);
            let open = flow.open;
            for trial in self.trials.iter_mut().filter(|trial| trial.concerns(group)) {
                if trial.spec.concurrent.is_some_and(|most| open > most) {
                    trial.refuse(unit, event.time);
                }
            }
        }
    }

    fn begin_day(&self, days: u16) -> i64 {
        day_of(self.last) - i64::from(days) + 1
    }

    fn who(&self, unit: &IpNet, hubs: &BTreeSet<IpNet>) -> Who {
        let is_caught = (8..=unit.prefix_len())
            .filter_map(|len| IpNet::new(unit.addr(), len).ok())
            .any(|wider| self.caught.contains(&wider.trunc()));
        match (hubs.contains(unit), self.succeeded.contains(unit) && !is_caught) {
            (true, _) => Who::Hub,
            (false, true) => Who::Familiar,
            (false, false) => Who::Stranger,
        }
    }

    fn hubs(&self) -> BTreeSet<IpNet> {
        self.engine.hubs().collect()
    }
}

/// How many sources, and what the median, nine of ten, 99 of 100 and the highest of them had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Distribution {
    sorted: Vec<u32>,
}

impl Distribution {
    fn of(mut peaks: Vec<u32>) -> Distribution {
        peaks.retain(|peak| *peak > 0);
        peaks.sort_unstable();
        Distribution { sorted: peaks }
    }

    fn at(&self, percent: usize) -> u32 {
        let last = self.sorted.len().saturating_sub(1);
        self.sorted
            .get((self.sorted.len() * percent).div_ceil(100).saturating_sub(1).min(last))
            .copied()
            .unwrap_or(0)
    }

    fn most(&self) -> u32 {
        self.sorted.last().copied().unwrap_or(0)
    }

    fn over(&self, limit: u32) -> u64 {
        self.sorted.iter().filter(|peak| **peak > limit).count() as u64
    }

    fn json(&self) -> Value {
        json!({"sources": self.sorted.len(), "median": self.at(50), "p90": self.at(90), "p99": self.at(99), "max": self.most()})
    }
}

/// A quarter above the highest of those that must not be touched.
fn suggested(familiar: &Distribution, least: u32) -> u32 {
    let most = familiar.most();
    most.saturating_add(most.div_ceil(4)).max(least)
}

/// One group's numbers of those who are familiar, hubs, and strangers.
struct Found {
    group: usize,
    new: [Distribution; 3],
    open: [Distribution; 3],
}

fn found(past: &Past, days: u16) -> Vec<Found> {
    let (hubs, begin) = (past.hubs(), past.begin_day(days));
    let mut all: Vec<Found> = Vec::new();
    for group in 0..GROUPS.len() {
        let mut peaks: [[Vec<u32>; 3]; 2] = Default::default();
        let flows = past.flows.range((group, least_net())..).take_while(|((at, _), _)| *at == group);
        for ((_, unit), flow) in flows {
            let (new, open) = flow.since(begin);
            let who = past.who(unit, &hubs) as usize;
            peaks[0][who].push(new);
            peaks[1][who].push(open);
        }
        let [new, open] = peaks.map(|by_who| by_who.map(Distribution::of));
        if new.iter().chain(&open).any(|one| !one.sorted.is_empty()) {
            all.push(Found { group, new, open });
        }
    }
    all
}

fn least_net() -> IpNet {
    IpNet::V4(ipnet::Ipv4Net::default())
}

const WHO: [&str; 3] = ["familiar", "hub", "stranger"];

/// `fairban limits suggest`
pub(crate) fn suggest(args: &LimitSuggestArgs) -> Done {
    let past = Past::read(&args.old, Vec::new())?;
    let all = found(&past, args.old.days);
    let mut text = Vec::new();
    let written = if args.old.json {
        all.iter().try_for_each(|found| writeln!(text, "{}", suggestion_json(found)))
    } else {
        write_suggestions(&mut text, &all, args.old.days)
    };
    written.and_then(|()| print(&text)).map_err(|error| Failure::output(&error))
}

fn print(text: &[u8]) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    // A title stands apart from what is before it; here there is nothing.
    out.write_all(text.strip_prefix(b"\n").unwrap_or(text))?;
    out.flush()
}

fn suggestion_json(found: &Found) -> Value {
    let (name, ports, _) = GROUPS[found.group];
    let by_who = |three: &[Distribution; 3]| {
        Value::Object(WHO.iter().zip(three).map(|(who, one)| ((*who).to_owned(), one.json())).collect())
    };
    let new = suggested(&found.new[0], NEW_LEAST);
    let has_open = found.open.iter().any(|one| !one.sorted.is_empty());
    let open = has_open.then(|| suggested(&found.open[0], OPEN_LEAST));
    json!({
        "action": "suggest", "name": name, "ports": ports,
        "new_a_minute": by_who(&found.new), "open": by_who(&found.open),
        "suggested": {"new": format!("{new}/1m"), "concurrent": open},
        "strangers_over": found.new[2].over(new),
    })
}

fn write_suggestions(out: &mut impl Write, all: &[Found], days: u16) -> io::Result<()> {
    title(out, &format!("Connections by source, the most within {days} days"))?;
    let mut table = Table::new(&[
        ("port group", Align::Left),
        ("what", Align::Left),
        ("sources", Align::Left),
        ("number", Align::Right),
        ("median", Align::Right),
        ("90 %", Align::Right),
        ("99 %", Align::Right),
        ("most", Align::Right),
    ]);
    for found in all {
        for (what, three) in [("new a minute", &found.new), ("open", &found.open)] {
            for (who, one) in WHO.iter().zip(three).filter(|(_, one)| !one.sorted.is_empty()) {
                let numbers = [one.at(50), one.at(90), one.at(99), one.most()];
                let head = [GROUPS[found.group].0.to_owned(), what.to_owned(), (*who).to_owned()];
                let count = grouped(one.sorted.len() as u64);
                let cells = numbers.map(|number| grouped(u64::from(number)));
                table.row(head.into_iter().chain([count]).chain(cells));
            }
        }
    }
    table.write(out)?;
    title(out, "Limits that would have touched no familiar source, with a quarter to spare")?;
    for found in all {
        let (name, ports, _) = GROUPS[found.group];
        let new = suggested(&found.new[0], NEW_LEAST);
        let has_open = found.open.iter().any(|one| !one.sorted.is_empty());
        let open = suggested(&found.open[0], OPEN_LEAST);
        let open = if has_open { format!(" --concurrent {open}") } else { String::new() };
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        let ports = if ports.is_empty() { "PORTS".to_owned() } else { ports.join(",") };
        writeln!(out, "  fairban limits set {name} --ports {ports} --new {new}/1m{open}")?;
        let over = grouped(found.new[2].over(new));
        hanging(out, "    ", &format!("{over} strangers would have been over it; hubs are exempt"))?;
    }
    hanging(
        out,
        "  ",
        "A limit that is set only counts. Look at fairban limits show before you add --enforce.",
    )
}

/// `fairban limits test`
pub(crate) fn test(args: &LimitTestArgs) -> Done {
    let specs = if args.new.is_some() || args.concurrent.is_some() {
        let rate = args.new.map(|(count, seconds)| Rate {
            count,
            seconds,
            burst: args.burst.unwrap_or(count),
            hold_seconds: None,
        });
        let (name, ports) = ("this".to_owned(), args.ports.clone());
        vec![LimitSpec { name, ports, concurrent: args.concurrent, rate, enforce: false }]
    } else {
        configured(args)?
    };
    if specs.is_empty() {
        let failure = Failure::new(Kind::Config, "the configuration has no limits");
        return Err(
            failure.hint("name one: fairban limits test --new 60/1m; fairban limits suggest finds numbers")
        );
    }
    let past = Past::read(&args.old, specs.into_iter().map(Trial::new).collect())?;
    let (hubs, begin) = (past.hubs(), past.begin_day(args.old.days));
    let mut out = Vec::new();
    let mut touched = 0;
    for trial in &past.trials {
        let mut by_who: [Vec<(IpNet, u64)>; 3] = Default::default();
        for (unit, times) in trial.since(begin) {
            by_who[past.who(&unit, &hubs) as usize].push((unit, times));
        }
        for sources in &mut by_who {
            sources.sort_by_key(|(unit, times)| (std::cmp::Reverse(*times), *unit));
        }
        touched += by_who[0].len();
        let written = if args.old.json {
            writeln!(out, "{}", trial_json(trial, &by_who))
        } else {
            write_trial(&mut out, trial, &by_who)
        };
        written.map_err(|error| Failure::output(&error))?;
    }
    print(&out).map_err(|error| Failure::output(&error))?;
    if touched > 0 {
        let count = error::plural(touched as u64, "familiar source");
        return Err(Failure::new(Kind::Finding, format!("{count} would have been refused")));
    }
    Ok(())
}

fn configured(args: &LimitTestArgs) -> Result<Vec<LimitSpec>, Failure> {
    let loaded = Config::load(&Paths::new(args.config.as_deref())).map_err(|report| {
        error::raw(&report.render(false));
        Failure::new(Kind::Config, "the configuration is wrong")
    })?;
    Ok(loaded.config.limit_specs())
}

fn trial_json(trial: &Trial, by_who: &[Vec<(IpNet, u64)>; 3]) -> Value {
    let over = |sources: &Vec<(IpNet, u64)>| {
        let named: Vec<Value> =
            sources.iter().map(|(unit, times)| json!({"prefix": unit, "times": times})).collect();
        json!(named)
    };
    let over = WHO.iter().zip(by_who).map(|(who, sources)| ((*who).to_owned(), over(sources))).collect();
    json!({"action": "test", "name": trial.spec.name, "over": Value::Object(over)})
}

fn write_trial(out: &mut impl Write, trial: &Trial, by_who: &[Vec<(IpNet, u64)>; 3]) -> io::Result<()> {
    title(out, &format!("The limit {} would have refused", trial.spec.name))?;
    for (who, sources) in ["familiar source", "hub", "stranger"].iter().zip(by_who) {
        let named: Vec<String> = sources
            .iter()
            .take(NAMED_MAX)
            .map(|(unit, times)| format!("{} ({})", show_prefix(unit), grouped(*times)))
            .collect();
        let exempt = if *who == "hub" && !sources.is_empty() { "; hubs are exempt" } else { "" };
        let colon = if named.is_empty() { "" } else { ": " };
        let count = error::plural(sources.len() as u64, who);
        hanging(out, "  ", &format!("{count}{colon}{}{exempt}", named.join(", ")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().expect("a prefix")
    }

    fn at(secs: i64) -> Time {
        Time::from_secs(1_000_000 + secs)
    }

    #[test]
    fn the_most_within_any_minute_counts_and_old_days_do_not() {
        let mut flow = Flow::default();
        (0..7).for_each(|n| flow.came(at(n)));
        (0..3).for_each(|n| flow.came(at(90_000 + n)));
        (0..4).for_each(|n| flow.came(at(90_050 + n * 3)));
        assert_eq!(flow.since(0).0, 7);
        assert_eq!(flow.since(day_of(at(90_000))).0, 7, "both groups are within a minute");
        (0..2).for_each(|n| flow.came(at(200_000 + n * 60)));
        assert_eq!(flow.since(day_of(at(200_000))).0, 1);
    }

    #[test]
    fn a_trial_refuses_as_the_kernel_does() {
        let rate = Rate { count: 1, seconds: 60, burst: 3, hold_seconds: Some(100) };
        let spec = LimitSpec {
            name: "x".to_owned(),
            ports: vec![110],
            concurrent: None,
            rate: Some(rate),
            enforce: true,
        };
        let mut trial = Trial::new(spec);
        assert!(trial.concerns(0) && !trial.concerns(1));
        let one = net("192.0.2.1/32");
        (0..5).for_each(|n| trial.came(one, at(n)));
        // Held off, though there is a token again; each try prolongs it.
        trial.came(one, at(90));
        trial.came(one, at(189));
        assert_eq!(trial.since(0), BTreeMap::from([(one, 4)]));
        trial.came(one, at(290));
        assert_eq!(trial.since(0), BTreeMap::from([(one, 4)]));
    }

    #[test]
    fn distributions_and_suggestions() {
        let one = Distribution::of((0..=100).collect());
        assert_eq!((one.at(50), one.at(90), one.at(99), one.most()), (50, 90, 99, 100));
        assert_eq!((suggested(&one, 10), one.over(98)), (125, 2));
        assert_eq!(suggested(&Distribution::default(), 10), 10);
        assert_eq!(Distribution::default().at(99), 0);
    }

    #[test]
    fn addresses_count_by_what_the_kernel_counts_by() {
        assert_eq!(unit_of("::ffff:192.0.2.1".parse().expect("an address")), net("192.0.2.1/32"));
        assert_eq!(unit_of("2001:db8:1:2:3::4".parse().expect("an address")), net("2001:db8:1:2::/64"));
    }
}
