//! A small world with virtual time: events go into the engine as a parser would tell them, and what the engine did to
//! whom is counted. Seconds count from the world's beginning, a midnight.
#![allow(dead_code, reason = "each test binary uses another part of it")]
#![allow(clippy::print_stdout, reason = "tests print what a robot gained")]
#![allow(unreachable_pub, reason = "shared between test binaries")]

use std::collections::BTreeMap;
use std::net::IpAddr;

use fairban_core::account::{Account, AccountKey};
use fairban_core::effect::{Alarm, Ban, Effect, Standing};
use fairban_core::engine::{Config, Engine, Explanation, Order, Subject};
use fairban_core::event::{AuthEvent, Mechanism, Outcome, Protocol, SecretTag, Service, Session, Tells};
use fairban_core::limits::Limits;
use fairban_core::time::{Span, Time};

pub const MINUTE: f64 = 60.0;
pub const HOUR: f64 = 3_600.0;
pub const DAY: f64 = 86_400.0;
pub const WEEK: f64 = 7.0 * DAY;

/// The domain of the accounts that exist.
pub const DOMAIN: &str = "site.example";

/// A moment, in seconds from the world's beginning (a midnight of 2026).
pub fn at(secs: f64) -> Time {
    Time::from_secs(1_767_225_600).plus(Span::micros((secs * 1e6).round() as i64))
}

pub fn ip(address: &str) -> IpAddr {
    address.parse().expect("an address")
}

/// A tag as the parser would make it of a secret.
pub fn tag(secret: &str) -> SecretTag {
    let hash = secret.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(17)
    });
    SecretTag::from_hash(hash | 1)
}

/// A try by its own line.
pub fn attempt(secs: f64, source: &str, account: &str, outcome: Outcome) -> AuthEvent {
    let mut event = AuthEvent::new(Service::Vpopmail, Tells::Attempt);
    event.time = at(secs);
    event.protocol = Protocol::Pop3;
    event.source = Some(ip(source));
    event.account = Account::Known(AccountKey::new(account.as_bytes()));
    event.outcome = outcome;
    event.mechanism = Mechanism::Plain;
    event
}

pub fn login(secs: f64, source: &str, account: &str) -> AuthEvent {
    attempt(secs, source, account, Outcome::Success)
}

/// A wrong secret that the log shows.
pub fn wrong(secs: f64, source: &str, account: &str, secret: &str) -> AuthEvent {
    let mut event = attempt(secs, source, account, Outcome::BadSecret);
    event.secret = Some(tag(secret));
    event
}

/// A wrong secret that the log does not show.
pub fn wrong_unseen(secs: f64, source: &str, account: &str) -> AuthEvent {
    attempt(secs, source, account, Outcome::BadSecret)
}

/// A wrong digest: CRAM-MD5 or APOP, which the server cannot check against its hashed secrets.
pub fn digest(secs: f64, source: &str, account: &str) -> AuthEvent {
    let mut event = attempt(secs, source, account, Outcome::BadSecret);
    event.mechanism = Mechanism::Digest;
    event
}

/// An account that the server does not know.
pub fn unknown(secs: f64, source: &str, account: &str) -> AuthEvent {
    attempt(secs, source, account, Outcome::UnknownAccount)
}

/// A connection to Dovecot in which nobody tried to log in.
pub fn connect_only(secs: f64, source: &str) -> AuthEvent {
    let mut event = AuthEvent::new(Service::Dovecot, Tells::End { failed: Some(0), succeeded: None });
    event.time = at(secs);
    event.protocol = Protocol::Imap;
    event.source = Some(ip(source));
    event.lasted = Some(Span::secs(0));
    event.session =
        Session::Id((secs * 1e6) as u64 ^ u64::from(u32::try_from(source.len()).unwrap_or(0)) << 56);
    event
}

/// The same event as another service's.
pub fn of(service: Service, mut event: AuthEvent) -> AuthEvent {
    event.service = service;
    event.protocol = match service {
        Service::Sshd => Protocol::Ssh,
        Service::Postfix => Protocol::Submission,
        Service::Dovecot => Protocol::Imap,
        _ => event.protocol,
    };
    event
}

/// Lines of one smtpd process.
pub fn smtpd(pid: u32, mut event: AuthEvent) -> AuthEvent {
    event = of(Service::Postfix, event);
    event.session = Session::Pid(pid);
    event
}

pub fn smtpd_connect(secs: f64, source: &str, pid: u32) -> AuthEvent {
    let mut event = AuthEvent::new(Service::Postfix, Tells::Connect);
    event.time = at(secs);
    event.source = Some(ip(source));
    smtpd(pid, event)
}

/// `disconnect from … auth=succeeded/all`.
pub fn smtpd_disconnect(secs: f64, source: &str, pid: u32, succeeded: u16, all: u16) -> AuthEvent {
    let tells = Tells::End { failed: Some(all - succeeded), succeeded: Some(succeeded) };
    let mut event = AuthEvent::new(Service::Postfix, tells);
    event.time = at(secs);
    event.source = Some(ip(source));
    smtpd(pid, event)
}

/// An address of `site.example`'s users, the host part counted on: `host("192.0.2", 7)`.
pub fn host(net: &str, number: usize) -> String {
    format!("{net}.{}", number % 256)
}

/// Repeatable chance.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    pub fn is(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }
}

/// What came of one address's tries.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fate {
    /// Failed tries that reached the password check.
    pub failed: u32,
    /// Failed tries that a ban kept out.
    pub kept_out: u32,
    /// Logins that a ban would have denied.
    pub denied: u32,
    /// Logins that went through.
    pub logins: u32,
    /// Connections without a login that got through.
    pub idle: u32,
}

pub struct World {
    pub engine: Engine,
    pub effects: Vec<Effect>,
    pub bans: Vec<Ban>,
    fates: BTreeMap<IpAddr, Fate>,
    /// What kind of site it is, for messages.
    pub site: &'static str,
    /// When the scenario starts, in seconds: the site's history lies before.
    pub start: f64,
}

/// The configuration of every world.
pub fn config() -> Config {
    Config { narrate: true, ..Config::new([7; 16]) }
}

impl World {
    /// A host whose log begins now.
    pub fn cold() -> World {
        World::with_limits(Limits::default())
    }

    pub fn with_limits(limits: Limits) -> World {
        World::of(Engine::with_limits(config(), limits))
    }

    /// A host whose log begins now, judged by this engine.
    pub fn of(engine: Engine) -> World {
        World {
            engine,
            effects: Vec::new(),
            bans: Vec::new(),
            fates: BTreeMap::new(),
            site: "cold",
            start: 0.0,
        }
    }

    /// A host with a day of forty users' history.
    pub fn settled() -> World {
        let mut world = World::cold();
        world.play(users(0.0, DAY));
        World { site: "settled", start: DAY, ..world }
    }

    /// The same, besieged by robots for that day, so that a stranger needs the least evidence.
    pub fn besieged() -> World {
        let mut world = World::cold();
        let mut traffic = users(0.0, DAY);
        traffic.extend(siege(0.0, DAY));
        world.play(traffic);
        World { site: "besieged", start: DAY, ..world }
    }

    pub fn take(&mut self, event: &AuthEvent) {
        self.engine.handle(event, b"a line of the log");
        self.drain();
    }

    /// Takes all events in the order of their time (those of one moment in the order given).
    pub fn play(&mut self, mut traffic: Vec<AuthEvent>) {
        traffic.sort_by_key(|event| event.time);
        for event in &traffic {
            self.take(event);
        }
    }

    /// An order of the operator.
    pub fn order(&mut self, secs: f64, order: &Order) {
        self.engine.order(at(secs), order);
        self.drain();
    }

    /// Lets time pass.
    pub fn wait_until(&mut self, secs: f64) {
        self.engine.advance(at(secs));
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(effect) = self.engine.poll() {
            match &effect {
                Effect::Ban(ban) => self.bans.push(ban.clone()),
                Effect::Seen(seen) => {
                    let fate = self.fates.entry(seen.source).or_default();
                    let kept_out = seen.standing == Standing::KeptOut;
                    match (seen.outcome, kept_out) {
                        (Outcome::Success, true) => fate.denied += 1,
                        (Outcome::Success, false) => fate.logins += 1,
                        (Outcome::Aborted, false) => fate.idle += 1,
                        (_, true) => fate.kept_out += 1,
                        (_, false) => fate.failed += 1,
                    }
                    continue;
                }
                _ => {}
            }
            self.effects.push(effect);
        }
    }

    pub fn fate(&self, source: &str) -> Fate {
        self.fates.get(&ip(source)).copied().unwrap_or_default()
    }

    /// Failed tries of all these that reached the password check.
    pub fn leaked<'a>(&self, sources: impl IntoIterator<Item = &'a String>) -> u32 {
        sources.into_iter().map(|source| self.fate(source).failed).sum()
    }

    pub fn bans_of(&self, source: &str) -> Vec<&Ban> {
        let address = ip(source);
        self.bans.iter().filter(|ban| ban.prefix.contains(&address)).collect()
    }

    pub fn is_banned(&self, source: &str) -> bool {
        !self.bans_of(source).is_empty()
    }

    pub fn explain(&self, source: &str) -> Option<Explanation> {
        self.engine.explain(&Subject::Source(ip(source)))
    }

    pub fn evidence(&self, source: &str) -> f64 {
        self.explain(source).map_or(0.0, |told| told.evidence.to_f64())
    }

    #[track_caller]
    pub fn assert_spared(&self, source: &str) {
        let bans = self.bans_of(source);
        assert!(bans.is_empty(), "{}: {source} is honest, and was banned: {:#?}", self.site, bans[0]);
        let fate = self.fate(source);
        assert_eq!(fate.denied + fate.kept_out, 0, "{}: {source} was kept out", self.site);
    }

    /// Banned, after at most so many failed tries in all.
    #[track_caller]
    pub fn assert_caught(&self, what: &str, source: &str, at_most: u32) {
        let fate = self.fate(source);
        println!(
            "{what}, {} site: {} guesses let through, {} kept out",
            self.site, fate.failed, fate.kept_out
        );
        assert!(self.is_banned(source), "{}: {what} was not banned: {:#?}", self.site, self.explain(source));
        assert!(fate.failed <= at_most, "{}: {what} made {} guesses, over {at_most}", self.site, fate.failed);
    }

    /// However long it went on, no more than so many guesses an hour.
    #[track_caller]
    pub fn assert_bounded(&self, what: &str, guesses: u32, hours: f64, an_hour: f64) {
        let gain = f64::from(guesses) / hours;
        println!("{what}, {} site: {guesses} guesses in {hours:.1} hours: {gain:.1} an hour", self.site);
        assert!(gain <= an_hour, "{}: {what} gained {gain:.1} guesses an hour, over {an_hour}", self.site);
    }

    pub fn hits(&self) -> Vec<(IpAddr, &Account)> {
        let hit = |effect: &Effect| matches!(effect, Effect::Hit { .. });
        let told = self.effects.iter().filter(|effect| hit(effect));
        told.filter_map(|effect| match effect {
            Effect::Hit { source, account, .. } => Some((*source, account)),
            _ => None,
        })
        .collect()
    }

    pub fn alarms(&self) -> impl Iterator<Item = &Alarm> {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::Alarm { alarm, .. } => Some(alarm),
            _ => None,
        })
    }
}

/// Runs a scenario at a host whose log begins, at a settled one and at a besieged one.
pub fn everywhere(scenario: impl Fn(&mut World)) {
    for mut world in [World::cold(), World::settled(), World::besieged()] {
        scenario(&mut world);
    }
}

/// The same where enough is known of the site to expect robots to be found as fast as can be.
pub fn where_settled(scenario: impl Fn(&mut World)) {
    for mut world in [World::settled(), World::besieged()] {
        scenario(&mut world);
    }
}

/// A name that is no near miss of any other: eight letters drawn from a number.
pub fn name(family: &str, number: usize) -> String {
    let seed =
        family.bytes().fold(number as u64, |seed, byte| seed.wrapping_mul(257).wrapping_add(u64::from(byte)));
    let mut chance = Chance::new(seed);
    (0..8)
        .map(|place| {
            let letters: &[u8] = if place % 2 == 0 { b"bcdfghjklmnprstvwz" } else { b"aeiou" };
            char::from(letters[chance.below(letters.len())])
        })
        .collect()
}

/// An account that does not exist.
pub fn no_one(number: usize) -> String {
    format!("{}@{DOMAIN}", name("no one", number))
}

/// An account that exists, of somebody who has not logged in since the log began.
pub fn absent(number: usize) -> String {
    format!("{}@{DOMAIN}", name("absent", number))
}

/// A user of the site.
pub fn user(number: usize) -> String {
    format!("{}@{DOMAIN}", name("user", number))
}

/// Home of that user.
pub fn home(number: usize) -> String {
    format!("100.{}.{}.9", 64 + number % 64, number % 200)
}

/// Forty users at home, who look for mail every twenty minutes; ten of them send some.
pub fn users(from: f64, until: f64) -> Vec<AuthEvent> {
    let mut traffic = Vec::new();
    for number in 0..40 {
        let mut now = from + number as f64 * 27.0;
        while now < until {
            traffic.push(login(now, &home(number), &user(number)));
            if number % 4 == 0 {
                let pid = 40_000 + number as u32;
                traffic.push(smtpd_connect(now, &home(number), pid));
                traffic.push(smtpd(pid, login(now + 1.0, &home(number), &user(number))));
                traffic.push(smtpd_disconnect(now + 2.0, &home(number), pid, 1, 1));
            }
            now += 20.0 * MINUTE;
        }
    }
    traffic
}

/// Robots of one guess an address, three an hour and more.
pub fn siege(from: f64, until: f64) -> Vec<AuthEvent> {
    let mut traffic = Vec::new();
    let mut now = from;
    let mut number = (from / 100.0) as usize;
    while now < until {
        let source = format!("45.{}.{}.{}", number / 200 % 200, number % 200, 1 + number % 250);
        traffic.push(unknown(now, &source, &no_one(1_000_000 + number)));
        now += 4.0 * MINUTE;
        number += 1;
    }
    traffic
}
