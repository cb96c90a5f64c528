//! The engine: five verbs around the joiner and the judge.

use core::net::IpAddr;
use std::collections::VecDeque;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::account::{Account, AccountKey};
use crate::effect::{Effect, RobotKind, SignalSum};
use crate::event::{AuthEvent, Outcome, Service};
use crate::nats::Nats;
use crate::time::Time;

/// How an engine is set up. The same configuration and the same events give the same effects, to the byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Key of secret tags and hash tables.
    pub key: [u8; 16],
    /// Prefixes that are never banned and never judged.
    pub allow: Vec<IpNet>,
    /// Tell each attempt as [`Effect::Seen`].
    pub narrate: bool,
}

/// Whom an explanation is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A source.
    Source(IpAddr),
    /// An account.
    Account(AccountKey),
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
    /// The ban in force or the last one.
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

/// The engine.
pub struct Engine {
    config: Config,
    effects: VecDeque<Effect>,
}

impl Engine {
    /// A new engine that knows nothing.
    pub fn new(config: Config) -> Engine {
        Engine { config, effects: VecDeque::new() }
    }

    /// Takes an event. `line` is the raw line, kept (secret blanked, cut) only as a sample for suspects. Then call
    /// [`Engine::poll`] until it returns `None`.
    pub fn handle(&mut self, event: &AuthEvent, line: &[u8]) {
        let _ = (event, line, &self.config);
    }

    /// Says what time it is. Decides what has become due; changes nothing else, so how often it is called changes no verdict.
    pub fn advance(&mut self, now: Time) {
        let _ = now;
    }

    /// When [`Engine::advance`] must be called at the latest.
    pub fn next_deadline(&self) -> Option<Time> {
        None
    }

    /// The next effect.
    pub fn poll(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// What is known about a subject; `None` if nothing.
    pub fn explain(&self, subject: &Subject) -> Option<Explanation> {
        let _ = subject;
        None
    }

    /// Blindness of a service so far.
    pub fn blindness(&self, service: Service) -> Blindness {
        let _ = service;
        Blindness::default()
    }

    /// The whole state in bytes: same events, same bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        Vec::new()
    }

    /// The engine that wrote `bytes`, under the same key.
    pub fn restore(bytes: &[u8], config: Config) -> Result<Engine, SnapshotError> {
        let _ = (bytes, config);
        Err(SnapshotError::NotASnapshot)
    }
}
