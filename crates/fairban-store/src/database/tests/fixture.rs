//! Entries to record, and a clock to step.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fairban_core::account::{Account, AccountKey};
use fairban_core::effect::{Ban, Effect, RobotKind, Signal, SignalSum, UnbanReason};
use fairban_core::engine::{AccountTold, Explanation};
use fairban_core::event::Outcome;
use fairban_core::nats::Nats;
use fairban_core::time::{Span, Time};
use ipnet::IpNet;

use super::super::*;

/// 2026-01-21T09:51:25Z.
pub(super) const START: Time = Time::from_secs(1_768_989_085);

pub(super) fn at(secs: i64) -> Time {
    START.plus(Span::secs(secs))
}

pub(super) fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// The n-th of many addresses.
pub(super) fn address(n: u32) -> IpNet {
    let octets = (0x0a00_0000 + n).to_be_bytes();
    IpNet::from(core::net::IpAddr::from(octets))
}

pub(super) fn ban(id: u64, prefix: IpNet, secs: i64, length_secs: Option<i64>) -> Ban {
    Ban {
        id,
        prefix,
        time: at(secs),
        until: length_secs.map(|length| at(secs + length)),
        evidence: Nats::milli(14_900),
        limit: Nats::milli(13_800),
        reason: RobotKind::UsernameScan,
        signals: vec![
            SignalSum { signal: Signal::UnknownAccount, count: 3, nats: Nats::milli(12_600) },
            SignalSum { signal: Signal::Speed, count: 2, nats: Nats::milli(2_300) },
        ],
        attempts: 5,
        accounts: 3,
        weak: false,
    }
}

pub(super) fn explanation(account: &[u8], sample: &[u8]) -> Explanation {
    let told = AccountTold {
        account: Account::Known(AccountKey::new(account)),
        source: "203.0.113.36".parse().unwrap(),
        last: Outcome::UnknownAccount,
        failures: 2,
        successes: 0,
        time: START,
    };
    Explanation {
        prefix: None,
        evidence: Nats::milli(14_900),
        limit: Nats::milli(13_800),
        signals: Vec::new(),
        attempts: 5,
        accounts: vec![told],
        samples: vec![sample.to_vec()],
        ban: None,
        remarks: vec!["one success would have halved it".to_owned()],
    }
}

pub(super) fn verdict(seq: u64, effect: Effect) -> Entry {
    verdict_in(Mode::Live, seq, effect)
}

pub(super) fn verdict_in(mode: Mode, seq: u64, effect: Effect) -> Entry {
    let explained = matches!(effect, Effect::Ban(_) | Effect::Extend { .. });
    let explanation = explained.then(|| explanation(b"root", b"Failed password for root"));
    Entry::Verdict(Box::new(Verdict { seq, effect, mode, explanation }))
}

pub(super) fn banned(id: u64, prefix: IpNet, secs: i64, length_secs: Option<i64>) -> Entry {
    verdict(id, Effect::Ban(ban(id, prefix, secs, length_secs)))
}

pub(super) fn unbanned(id: u64, of: u64, prefix: IpNet, secs: i64) -> Entry {
    verdict(id, Effect::Unban { id, of, prefix, time: at(secs), reason: UnbanReason::Familiar })
}

pub(super) fn action(seq: u64, secs: i64, verb: Verb) -> Entry {
    let who = Who { uid: 1000, pid: 77, name: b"anna".to_vec() };
    Entry::Action(Box::new(Action { seq, time: at(secs), who, verb, reason: b"phone of the boss".to_vec() }))
}

pub(super) fn open(dir: &tempfile::TempDir) -> Database {
    open_with(dir, Options::default())
}

pub(super) fn open_with(dir: &tempfile::TempDir, options: Options) -> Database {
    let (database, aside) = Database::open(&dir.path().join("fairban.db"), options, START).unwrap();
    assert_eq!(aside, None);
    database
}

pub(super) fn reader(dir: &tempfile::TempDir) -> Reader {
    Reader::open(&dir.path().join("fairban.db")).unwrap()
}

pub(super) fn prefixes(bans: &[BanRow]) -> Vec<String> {
    bans.iter().map(|ban| ban.prefix.to_string()).collect()
}

/// A clock of day that a test sets; the other one is the machine's, for pauses only.
#[derive(Clone, Debug)]
pub(super) struct SetClock {
    pub(super) now: Arc<Mutex<Time>>,
    begun: Instant,
}

impl SetClock {
    pub(super) fn new() -> SetClock {
        SetClock { now: Arc::new(Mutex::new(START)), begun: Instant::now() }
    }
}

impl Clock for SetClock {
    fn now(&self) -> Time {
        *self.now.lock().unwrap()
    }

    fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }
}

/// Waits until something is so, at most half a minute.
pub(super) fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "never {what}");
        std::thread::yield_now();
    }
}
