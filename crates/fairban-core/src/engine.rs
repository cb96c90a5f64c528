//! The engine: five verbs around the joiner and the judge.

use core::hash::Hasher as _;
use core::net::IpAddr;
use std::collections::VecDeque;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use crate::account::{Account, AccountKey};
use crate::effect::{Effect, RobotKind, SignalSum};
use crate::event::{AuthEvent, Outcome, Service, Tells};
use crate::join::{Joined, Joiner};
use crate::judge::Judge;
use crate::limits::Limits;
use crate::nats::Nats;
use crate::time::{Span, Time};
use crate::weights;

/// How an engine is set up. The same configuration and the same events give the same effects, to the byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Key of secret tags and hash tables.
    pub key: [u8; 16],
    /// Prefixes that are never banned and never judged.
    pub allow: Vec<IpNet>,
    /// Tell each attempt as [`Effect::Seen`].
    pub narrate: bool,
    /// How long bans last.
    pub bans: BanLengths,
    /// The sum that bans, usually that of one honest source in a million; lower is stricter.
    pub limit: Nats,
    /// Accounts of administrators: see [`Engine::admin_sessions`].
    pub admins: Vec<AccountKey>,
}

impl Config {
    /// Nobody allowed, nothing narrated, bans as long as usual.
    pub const fn new(key: [u8; 16]) -> Config {
        Config {
            key,
            allow: Vec::new(),
            narrate: false,
            bans: BanLengths::USUAL,
            limit: weights::LIMIT,
            admins: Vec::new(),
        }
    }
}

/// How long bans last: `first`, longer the further the evidence is above the limit, times `ladder` for each earlier ban of
/// the same source, up to the cap.
///
/// Every value gives bans: what is out of bounds is read as the nearest that is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanLengths {
    /// The first ban of a source whose evidence just reaches the limit, and so the shortest of all; a minute at least.
    pub first: Span,
    /// The longest ban of a source at which nobody ever logged in; between `first` and a year.
    pub longest: Span,
    /// The longest ban of a source at which somebody ever logged in; at most `longest`. Addresses change hands, many daily.
    pub longest_familiar: Span,
    /// How many times longer each ban is than the one before, from 1 to 16.
    pub ladder: u8,
}

impl BanLengths {
    /// An hour at first, then four times as long each time, a week at most, a day at most where anybody ever logged in.
    pub const USUAL: BanLengths = BanLengths {
        first: Span::hours(1),
        longest: Span::days(7),
        longest_familiar: Span::hours(24),
        ladder: 4,
    };
}

impl Default for BanLengths {
    fn default() -> BanLengths {
        BanLengths::USUAL
    }
}

/// Whom an explanation is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A source.
    Source(IpAddr),
    /// An account.
    Account(AccountKey),
}

/// Something the operator wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Shut a prefix out, whatever the evidence; attempts from it are then counted as kept out.
    Ban {
        /// Whom.
        prefix: IpNet,
        /// Until when; `None` for ever.
        until: Option<Time>,
    },
    /// Let in again before the end.
    Unban {
        /// Whom.
        whom: Whom,
        /// Also remember the excuse: failures of these sources at the accounts that failed there weigh nothing from now on, so
        /// the same device does not come back into the ban.
        forgive: bool,
    },
    /// From now on exactly these prefixes are never banned and never judged; bans of theirs end.
    Allow(Vec<IpNet>),
    /// From now on bans last so long; those in force stay as they are.
    BanLengths(BanLengths),
    /// Ban sources at which people log in again, though the breaker is open.
    Resume,
    /// From now on exactly these accounts are administrators'.
    Admins(Vec<AccountKey>),
    /// A limit refused so many connections of this source since it was last told: they never reached a server, and count as
    /// connections of which nobody knows that somebody logged in.
    Refused {
        /// Whose; of an IPv6 /64 any address.
        source: IpAddr,
        /// How many.
        times: u32,
    },
}

/// The breaker is open: bans hit too many sources at which people log in, and such are only recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerOpen {
    /// Since when.
    pub since: Time,
    /// It closes then, unless it spares another source before.
    pub until: Time,
    /// Sources spared so far.
    pub spared: u64,
}

/// A login of an administrator over SSH whose end was not seen: whoever carries out bans looks whether the connection is
/// there before he shuts its address out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminSession {
    /// Who.
    pub account: AccountKey,
    /// From where.
    pub source: IpAddr,
    /// From which port.
    pub port: u16,
    /// Since when.
    pub since: Time,
}

/// Whose bans an [`Order::Unban`] ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Whom {
    /// Those within the prefix, and those that hold it.
    Prefix(IpNet),
    /// Those of sources that failed at the account.
    Account(AccountKey),
    /// All.
    All,
}

/// Everything the engine holds about a subject, for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The unit that was judged.
    pub prefix: Option<IpNet>,
    /// The sum now (at the engine's time).
    pub evidence: Nats,
    /// The sum that bans it.
    pub limit: Nats,
    /// What made the sum, largest first.
    pub signals: Vec<SignalSum>,
    /// Tries seen.
    pub attempts: u32,
    /// Accounts tried, with the last outcome and the number of tries; the first 32.
    pub accounts: Vec<AccountTold>,
    /// Up to five lines, secrets blanked, not yet escaped, cut to 200 bytes.
    pub samples: Vec<Vec<u8>>,
    /// The ban in force or the last one, its own or its prefix's: number, kind, from when, until when.
    pub ban: Option<(u64, RobotKind, Time, Option<Time>)>,
    /// Sentences: why the sum is what it is (hub, stale device, familiar, pending …), and what would have changed it.
    pub remarks: Vec<String>,
}

/// One account within an [`Explanation`] of a source (or one source within that of an account).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountTold {
    /// Which account.
    pub account: Account,
    /// From where.
    pub source: IpAddr,
    /// How its last try ended.
    pub last: Outcome,
    /// Failures.
    pub failures: u32,
    /// Successes.
    pub successes: u32,
    /// When it was last seen.
    pub time: Time,
}

/// Why a snapshot cannot be restored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Not a snapshot at all, or cut short before its header: the file's fault.
    #[error("not a snapshot of fairban's engine")]
    NotASnapshot,
    /// Written by another version: the operator mixed versions.
    #[error("snapshot of format version {found}; this program reads version {expected}")]
    Version {
        /// In the snapshot.
        found: u32,
        /// What this program reads.
        expected: u32,
    },
    /// The checksum does not fit: cut short or damaged.
    #[error("the snapshot is damaged or cut short (its checksum does not fit)")]
    Damaged,
    /// The snapshot was made under another configuration.
    #[error("the snapshot was made with another key")]
    OtherKey,
}

/// How many an engine watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Census {
    /// Sources at which nobody has logged in.
    pub suspects: u64,
    /// Sources at which somebody has.
    pub clients: u64,
    /// Accounts that have logged in.
    pub accounts: u64,
}

/// Whether a service's log shows successes, as measured so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blindness {
    /// Failures seen.
    pub failures: u64,
    /// Successes seen.
    pub successes: u64,
    /// The engine treats the service as blind to successes.
    pub blind: bool,
}

/// The engine: made by [`Engine::new`] or [`Engine::restore`], fed by [`Engine::handle`] and [`Engine::advance`], and
/// asked by [`Engine::poll`] until it has nothing more to say.
///
/// A function of its configuration and its inputs, in order: no clock, no randomness, no iteration order of a hash
/// table reaches an effect.
#[derive(Clone, Debug)]
pub struct Engine {
    joiner: Joiner,
    judge: Judge,
    now: Time,
    joined: VecDeque<Joined>,
}

/// Version of the snapshot's format: changed whenever the state's shape or meaning changes.
pub const SNAPSHOT_VERSION: u32 = 3;

const MAGIC: &[u8; 8] = b"fairbanE";

impl Engine {
    /// A new engine that knows nothing, with the default [`Limits`].
    pub fn new(config: Config) -> Engine {
        Engine::with_limits(config, Limits::default())
    }

    /// A new engine with other bounds.
    pub fn with_limits(config: Config, limits: Limits) -> Engine {
        Engine {
            joiner: Joiner::new(),
            judge: Judge::new(config, limits),
            now: Time::from_secs(0),
            joined: VecDeque::new(),
        }
    }

    /// Takes an event. `line` is the raw line, kept (secret blanked, cut) only as a sample for suspects. Then call
    /// [`Engine::poll`] until it returns `None`.
    ///
    /// Engine time is the largest stamp taken so far: an older line is handled now.
    pub fn handle(&mut self, event: &AuthEvent, line: &[u8]) {
        if event.tells == Tells::Mail {
            return;
        }
        let now = self.now.max(event.time);
        self.advance(now);
        if event.outcome != Outcome::Success {
            self.judge.set_sample(line, event.secret_at);
        }
        self.judge.connection_line(event);
        self.joiner.handle(now, event, &mut self.joined);
        if self.joiner.connections_forgeable() {
            self.judge.set_forgeable();
        }
        self.take_joined();
        self.judge.set_sample(b"", None);
    }

    /// Takes an order of the operator, given at `time`. Then call [`Engine::poll`] until it returns `None`.
    ///
    /// A time before the engine's own is the engine's own.
    pub fn order(&mut self, time: Time, order: &Order) {
        self.advance(self.now.max(time));
        self.judge.order(order);
    }

    /// Says what time it is. Decides what has become due; changes nothing else, so how often it is called changes no
    /// verdict. A time before the engine's own is ignored.
    pub fn advance(&mut self, now: Time) {
        while let Some(due) = self.next_deadline().filter(|due| *due <= now) {
            // What the joiner gives out at a moment comes before what the judge weighs at it.
            let due = self.now.max(due);
            self.joiner.advance(due, &mut self.joined);
            if self.joined.is_empty() {
                self.judge.advance(due);
            } else {
                self.judge.set_now(due);
            }
            self.take_joined();
            self.now = due;
        }
        self.judge.advance(self.now.max(now));
        self.now = self.now.max(now);
    }

    /// When [`Engine::advance`] must be called at the latest.
    pub fn next_deadline(&self) -> Option<Time> {
        match (self.joiner.next_deadline(), self.judge.next_deadline()) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// The next effect, in the order of decisions.
    pub fn poll(&mut self) -> Option<Effect> {
        self.judge.poll()
    }

    /// All effects that [`Engine::poll`] would give, in its order, in place of what `effects` held: for who asks after
    /// each of a million lines, and will not have them carried over one by one.
    pub fn poll_all(&mut self, effects: &mut VecDeque<Effect>) {
        effects.clear();
        self.judge.poll_all(effects);
    }

    /// What is known about a subject; `None` if nothing.
    pub fn explain(&self, subject: &Subject) -> Option<Explanation> {
        match subject {
            Subject::Source(address) => self.judge.explain_source(*address),
            Subject::Account(key) => self.judge.explain_account(key),
        }
    }

    /// Blindness of a service so far.
    pub fn blindness(&self, service: Service) -> Blindness {
        self.judge.blindness(service)
    }

    /// Whether the breaker is open.
    pub fn breaker(&self) -> Option<BreakerOpen> {
        self.judge.breaker()
    }

    /// Logins of administrators over SSH whose end was not seen, from sources that were not guessing: at most 16 addresses.
    /// In the order of their logins.
    pub fn admin_sessions(&self) -> impl Iterator<Item = &AdminSession> {
        self.judge.admin_sessions()
    }

    /// Sources at which so many log in that they are never banned by address: one IPv4 address or IPv6 /64 each. Looks at
    /// every source, so it is not for every line.
    pub fn hubs(&self) -> impl Iterator<Item = IpNet> {
        self.judge.hubs()
    }

    /// How many it watches.
    pub fn census(&self) -> Census {
        self.judge.census()
    }

    /// The engine's time: the largest stamp it has taken.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The whole state in bytes: same events, same bytes. Effects that were not polled are part of it.
    ///
    /// # Panics
    /// Never: writing to a vector cannot fail, and every type of the state serializes.
    pub fn snapshot(&self) -> Vec<u8> {
        let state = (&self.joiner, &self.judge, self.now);
        #[expect(
            clippy::expect_used,
            reason = "every type of the state derives Serialize, and memory is the only sink"
        )]
        let body = postcard::to_allocvec(&state).expect("the state serializes");
        let mut bytes = Vec::with_capacity(body.len() + 20);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&SNAPSHOT_VERSION.to_le_bytes());
        bytes.extend_from_slice(&checksum(&body).to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }

    /// The engine that wrote `bytes`, under the same key. Everything else of `config` replaces what the snapshot had.
    pub fn restore(bytes: &[u8], config: Config) -> Result<Engine, SnapshotError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(SnapshotError::NotASnapshot)?;
        let (version, rest) = rest.split_first_chunk::<4>().ok_or(SnapshotError::NotASnapshot)?;
        let found = u32::from_le_bytes(*version);
        if found != SNAPSHOT_VERSION {
            return Err(SnapshotError::Version { found, expected: SNAPSHOT_VERSION });
        }
        let (sum, body) = rest.split_first_chunk::<8>().ok_or(SnapshotError::Damaged)?;
        if u64::from_le_bytes(*sum) != checksum(body) {
            return Err(SnapshotError::Damaged);
        }
        let (joiner, mut judge, now): (Joiner, Judge, Time) =
            postcard::from_bytes(body).map_err(|_| SnapshotError::Damaged)?;
        if judge.config.key != config.key {
            return Err(SnapshotError::OtherKey);
        }
        judge.config = config;
        judge.recount();
        Ok(Engine { joiner, judge, now, joined: VecDeque::new() })
    }

    fn take_joined(&mut self) {
        for joined in &self.joined {
            self.judge.take(joined);
        }
        self.joined.clear();
    }
}

fn checksum(bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new_with_key(MAGIC_KEY);
    hasher.write(bytes);
    hasher.finish()
}

/// Against accidents, not against forgers: whoever can write the state file owns the engine anyway.
const MAGIC_KEY: &[u8; 16] = b"fairban snapshot";
