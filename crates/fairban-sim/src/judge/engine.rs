//! fairban's engine, fed as the service feeds it: lines as they are written, ticks two seconds behind the clock, bans
//! in force at once.

use std::collections::BTreeMap;
use std::net::IpAddr;

use fairban_core::effect::{Ban, Effect};
use fairban_core::engine::{Config, Engine, Order, Subject, Whom};
use fairban_core::event::{AuthEvent, Service, Tells};
use fairban_core::limits::Limits;
use fairban_core::time::{Span, Time};
use ipnet::IpNet;

use super::{Judge, Verdict};
use crate::format::{KEY, Told, stamp};

/// Ticks run so far behind the clock: stamps are cut to the second.
const TICK_LAG: Span = Span::secs(2);

/// Services that the log holds, so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen(u32);

impl Seen {
    /// Gives the events of a line to `take`. A notice of lost lines is one for each service seen in the log.
    pub(crate) fn events(&mut self, told: &Told, mut take: impl FnMut(&AuthEvent)) {
        match told {
            Told::Event(event) => {
                self.0 |= 1 << event.service.index();
                take(event);
            }
            Told::Gap { time, lost } => {
                for service in Service::ALL {
                    if self.0 >> service.index() & 1 == 1 {
                        let mut event = AuthEvent::new(service, Tells::Gap { lost: *lost });
                        event.time = *time;
                        take(&event);
                    }
                }
            }
            Told::Nothing => {}
        }
    }
}

/// Bans as the kernel holds them, with the end of each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held(BTreeMap<IpNet, Option<Time>>);

impl Held {
    pub(crate) fn take(&mut self, effect: &Effect) {
        match effect {
            Effect::Ban(ban) | Effect::Extend { ban, .. } => {
                self.0.insert(ban.prefix, ban.until);
            }
            Effect::Unban { prefix, .. } => {
                self.0.remove(prefix);
            }
            _ => {}
        }
    }

    pub(crate) fn shuts_out(&self, source: IpAddr, now: Time) -> bool {
        bans_held(source)
            .any(|prefix| self.0.get(&prefix).is_some_and(|until| until.is_none_or(|until| now < until)))
    }
}

/// The prefixes that may hold an address: the engine bans single addresses, IPv6 /64, and by evidence wider ones.
fn bans_held(source: IpAddr) -> impl Iterator<Item = IpNet> {
    let lengths: &[u8] = if source.is_ipv4() { &[32, 24] } else { &[128, 64, 56, 48] };
    // The lengths are those of the address's family.
    lengths.iter().filter_map(move |length| Some(IpNet::new(source, *length).ok()?.trunc()))
}

/// fairban's engine.
pub(crate) struct EngineJudge {
    engine: Engine,
    seen: Seen,
    held: Held,
    verdicts: Vec<Verdict>,
    complaints: Vec<String>,
    diary: Vec<String>,
}

impl EngineJudge {
    pub(crate) fn new() -> EngineJudge {
        EngineJudge {
            engine: Engine::new(Config::new(KEY)),
            seen: Seen::default(),
            held: Held::default(),
            verdicts: Vec::new(),
            complaints: Vec::new(),
            diary: Vec::new(),
        }
    }

    fn drain(&mut self) {
        while let Some(effect) = self.engine.poll() {
            self.held.take(&effect);
            self.diary.push(entry(&effect));
            if let Effect::Ban(ban) | Effect::Extend { ban, .. } = &effect {
                self.complaints.extend(unexplained(&self.engine, ban));
                self.verdicts.push(Verdict { prefix: ban.prefix, because: because(ban) });
            }
        }
    }
}

/// An effect, for a person. Everything in it is of our own making.
fn entry(effect: &Effect) -> String {
    let stamp = |time: Time| stamp(time.secs());
    match effect {
        Effect::Ban(ban) => format!("{}ban {} {}: {}", stamp(ban.time), ban.id, ban.prefix, because(ban)),
        Effect::Extend { of, ban } => {
            format!("{}extend {of} {}: {}", stamp(ban.time), ban.prefix, because(ban))
        }
        Effect::Alarm { time, alarm, .. } => format!("{}alarm {alarm:?}", stamp(*time)),
        Effect::Hit { time, source, account, guesses, .. } => {
            format!("{}hit {source} {account:?} after {guesses}", stamp(*time))
        }
        Effect::Hub { time, source, accounts, .. } => format!("{}hub {source} {accounts}", stamp(*time)),
        other => format!("{other:?}"),
    }
}

fn because(ban: &Ban) -> String {
    let signals = ban.signals.iter().map(|sum| format!("{} {} x{}", sum.signal.name(), sum.nats, sum.count));
    let signals: Vec<String> = signals.collect();
    format!(
        "{} of {} nats, {} tries, {}: {}",
        ban.evidence,
        ban.limit,
        ban.attempts,
        ban.reason.name(),
        signals.join(", ")
    )
}

/// What a ban's explanation lacks.
pub(crate) fn unexplained(engine: &Engine, ban: &Ban) -> Option<String> {
    let of = |what: &str| Some(format!("ban {} of {} {what}", ban.id, ban.prefix));
    if ban.signals.is_empty() {
        return of("names no signal");
    }
    if ban.evidence < ban.limit {
        return of("has less evidence than its limit");
    }
    let Some(told) = engine.explain(&Subject::Source(ban.prefix.network())) else {
        return of("is not explained");
    };
    if told.ban.is_none() {
        return of("is not in its source's explanation");
    }
    if told.signals.is_empty() && told.remarks.is_empty() { of("has an empty explanation") } else { None }
}

/// What of the engine's tables is over its bound.
pub(crate) fn over_limits(engine: &Engine, limits: &Limits) -> Option<String> {
    let census = engine.census();
    let tables = [
        ("suspects", census.suspects, limits.suspects),
        ("clients", census.clients, limits.clients),
        ("accounts", census.accounts, limits.accounts),
    ];
    let over = tables.iter().find(|(_, held, most)| *held > u64::from(*most));
    over.map(|(name, held, most)| format!("{held} {name}, and the bound is {most}"))
}

impl Judge for EngineJudge {
    fn read(&mut self, told: &Told, line: &str) {
        let engine = &mut self.engine;
        self.seen.events(told, |event| engine.handle(event, line.as_bytes()));
        self.drain();
    }

    fn tick(&mut self, now: Time) {
        let now = now.minus(TICK_LAG);
        if self.engine.next_deadline().is_some_and(|due| due <= now) {
            self.engine.advance(now);
            self.drain();
        }
    }

    fn shuts_out(&self, source: IpAddr, now: Time) -> bool {
        self.held.shuts_out(source, now)
    }

    fn pardon(&mut self, source: IpAddr, now: Time) {
        let order = Order::Unban { whom: Whom::Prefix(source.into()), forgive: true };
        self.engine.order(now.minus(TICK_LAG), &order);
        self.drain();
    }

    fn verdicts(&mut self) -> Vec<Verdict> {
        std::mem::take(&mut self.verdicts)
    }

    fn diary(&mut self) -> Vec<String> {
        std::mem::take(&mut self.diary)
    }

    fn complaints(&mut self) -> Vec<String> {
        let over = over_limits(&self.engine, &Limits::default());
        self.complaints.drain(..).chain(over).collect()
    }
}

#[cfg(test)]
mod tests {
    use fairban_core::effect::{RobotKind, Signal, SignalSum};
    use fairban_core::nats::Nats;

    use super::*;

    #[test]
    fn a_ban_that_nobody_can_explain_is_found() {
        let engine = Engine::new(Config::new(KEY));
        let signals = vec![SignalSum { signal: Signal::Speed, count: 1, nats: Nats::milli(14_000) }];
        let ban = Ban {
            id: 1,
            prefix: "192.0.2.1/32".parse().expect("a prefix"),
            time: Time::from_secs(0),
            until: None,
            evidence: Nats::milli(14_000),
            limit: Nats::milli(13_805),
            reason: RobotKind::UsernameScan,
            signals,
            attempts: 4,
            accounts: 4,
            weak: false,
        };
        let found = |ban: &Ban, what: &str| {
            assert!(unexplained(&engine, ban).is_some_and(|told| told.contains(what)), "{what}");
        };
        found(&ban, "is not explained");
        found(&Ban { signals: Vec::new(), ..ban.clone() }, "names no signal");
        found(&Ban { evidence: Nats::milli(13_000), ..ban }, "less evidence");
    }

    #[test]
    fn bans_hold_whoever_is_in_their_prefix() {
        for (source, prefixes) in [("192.0.2.1", 2), ("2001:db8::1", 4)] {
            let source: IpAddr = source.parse().expect("an address");
            let held: Vec<IpNet> = bans_held(source).collect();
            assert_eq!(held.len(), prefixes);
            assert!(held.iter().all(|prefix| prefix.contains(&source)));
        }
    }
}
