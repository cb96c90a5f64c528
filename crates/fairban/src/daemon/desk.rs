//! The desk: the engine with all that a running service decides by, as one function of the journal's entries.
//!
//! Whatever the service knows that matters for a verdict came to it as an [`Entry`], was written to the journal, and was
//! taken here, in that order. So a restart is a snapshot and the entries after it, and an undisturbed desk fed the same
//! journal says the same.

use std::collections::BTreeMap;

use fairban_core::effect::{Effect, Seen, Standing};
use fairban_core::engine::{Config, Engine, Order, SnapshotError};
use fairban_core::event::{AuthEvent, Outcome, Service};
use fairban_core::time::{Span, Time};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::hours::{Counts, Hours};
use super::in_force::BansInForce;
use super::port25::Port25;
use crate::cli::Rule;
use crate::limits::Said;
use crate::pipeline::Doubles;
use crate::tally::Tally;

/// Version of the entries and of the desk's snapshot: rises whenever either changes its form or meaning.
pub(crate) const VERSION: u32 = 5;

/// Without confirmation the service goes back to watching after so long.
pub(crate) const CONFIRM_WITHIN: Span = Span::minutes(10);

/// Prefixes that the operator may allow while the service runs, besides those of the configuration.
pub(crate) const ALLOWED_MAX: usize = 4_096;

/// Limits of which something may be said while the service runs, besides what the configuration says.
pub(crate) const LIMITS_SAID_MAX: usize = 64;

/// Inputs that are told apart; one more takes the number of the oldest.
const INPUTS_MAX: usize = 4_096;

/// The number of an input: the place of its name in the desk's list.
pub(crate) type InputNumber = u16;

/// Whether verdicts are carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Mode {
    /// Decide, record and show.
    #[default]
    Shadow,
    /// Enforce too; without confirmation until then, if that is set.
    Live {
        /// Back to [`Mode::Shadow`] then.
        confirm_until: Option<Time>,
    },
}

impl Mode {
    /// The stable word.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Mode::Shadow => "shadow",
            Mode::Live { .. } => "live",
        }
    }

    /// Until when live mode has to be confirmed, if it has to be.
    pub(crate) const fn confirm_until(self) -> Option<Time> {
        match self {
            Mode::Live { confirm_until } => confirm_until,
            Mode::Shadow => None,
        }
    }

    pub(crate) const fn is_live(self) -> bool {
        matches!(self, Mode::Live { .. })
    }
}

/// Who ordered something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct By {
    pub(crate) uid: u32,
    pub(crate) pid: i32,
}

/// What the operator did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Action {
    /// Ban or unban.
    Order(Order),
    /// Allow a prefix.
    Allow { prefix: IpNet, note: String },
    /// No longer allow it.
    Disallow { prefix: IpNet },
    /// Watch, or enforce.
    Mode(Mode),
    /// A ban is not carried out; the reason says whom it would hit. By the service itself.
    Protect { prefix: IpNet, because: String },
    /// It is carried out after all.
    Release { prefix: IpNet },
    /// A limit of connections is what is said here, whatever the configuration says; `None` gives it back its word.
    Limit { name: String, said: Option<Said> },
}

/// One record of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// An input has this number from now on.
    Input { number: InputNumber, key: String },
    /// A line that tells something about a login; the secret is blanked, and only the beginning is kept.
    Line { input: InputNumber, line: u64, event: AuthEvent, text: Vec<u8>, hash: u64 },
    /// All lines of the input up to here stand before this entry.
    Read { input: InputNumber, position: Vec<u8> },
    /// It was time to decide what had become due.
    Tick { time: Time },
    /// The operator acted.
    Action { time: Time, by: By, action: Action, reason: String },
    /// The configuration that holds from now on.
    Configured { time: Time, config: Config, mode: Mode },
    /// The names of the allowlist stand for these prefixes now.
    Resolved { time: Time, prefixes: Vec<IpNet> },
    /// The old logs have been read; none of them is read again.
    Learnt { time: Time },
}

/// A prefix that the operator allowed while the service ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Allowed {
    pub(crate) since: Time,
    pub(crate) by: By,
    pub(crate) note: String,
}

/// An input as the desk knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InputKnown {
    pub(crate) key: String,
    /// How far it was read, as whoever reads it wrote it.
    pub(crate) position: Option<Vec<u8>>,
    /// When it last told something.
    pub(crate) last_event: Option<Time>,
}

/// See the module's head.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    engine: Engine,
    state: State,
}

/// What a desk has besides the engine.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    /// The last entry taken.
    seq: u64,
    /// As configured: what was allowed otherwise is not in it.
    config: Config,
    inputs: Vec<InputKnown>,
    doubles: Doubles,
    mode: Mode,
    mode_since: Time,
    /// Somebody has confirmed once that he can still reach the machine while the service enforces.
    confirmed: bool,
    allowed: BTreeMap<IpNet, Allowed>,
    resolved: Vec<IpNet>,
    /// What was said of limits while the service ran, by name.
    limits: BTreeMap<String, Said>,
    bans: BansInForce,
    port25: Port25,
    /// The same since one and since two turns of a week, so that a report always reaches back a week.
    weeks: [Tally; 2],
    week_began: Time,
    hours: Hours,
    today: Today,
    /// The last login that each service told of.
    last_events: [Option<Time>; Service::ALL.len()],
    learnt: bool,
}

/// What happened today (UTC), by service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Today {
    /// Days since 1970.
    day: i64,
    pub(crate) services: [DayCounts; Service::ALL.len()],
}

/// Counters of one service and day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DayCounts {
    pub(crate) successes: u64,
    pub(crate) failures: u64,
    /// Tries and connections that a ban kept out, or would have.
    pub(crate) kept_out: u64,
    /// Connections without a login.
    pub(crate) connections: u64,
}

impl Today {
    fn count(&mut self, now: Time, seen: &Seen) {
        let day = now.secs().div_euclid(86_400);
        if day != self.day {
            *self = Today { day, ..Today::default() };
        }
        let counts = &mut self.services[seen.service.index()];
        match (seen.standing, seen.outcome) {
            (Standing::KeptOut, _) => counts.kept_out += 1,
            (_, Outcome::Success) => counts.successes += 1,
            (_, Outcome::BadSecret | Outcome::UnknownAccount | Outcome::Failed) => counts.failures += 1,
            (_, Outcome::Aborted) => counts.connections += 1,
            (_, Outcome::Denied | Outcome::ServerFault) => {}
        }
    }

    /// A time of that day.
    pub(crate) fn time(&self) -> Time {
        Time::from_secs(self.day * 86_400)
    }
}

/// How far back a report reaches at least, once so much has been seen.
const WEEK: Span = Span::days(7);

impl State {
    /// Everybody who is never banned and never judged: by configuration, by name, by order.
    fn allowlist(&self) -> Vec<IpNet> {
        let all = self.config.allow.iter().chain(&self.resolved).chain(self.allowed.keys());
        let mut all: Vec<IpNet> = all.copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// Why a desk's snapshot cannot be taken up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    #[error("it is of version {found}; this program reads version {VERSION}")]
    Version { found: u32 },
    #[error("it cannot be understood")]
    Damaged(#[from] postcard::Error),
    #[error("its engine cannot be taken up")]
    Engine(#[from] SnapshotError),
}

impl Desk {
    /// A desk that knows nothing.
    pub(crate) fn new(config: Config, rule: Rule) -> Desk {
        let config = Config { narrate: true, ..config };
        let state = State {
            seq: 0,
            config: config.clone(),
            inputs: Vec::new(),
            doubles: Doubles::default(),
            mode: Mode::Shadow,
            mode_since: Time::from_secs(0),
            confirmed: false,
            allowed: BTreeMap::new(),
            resolved: Vec::new(),
            limits: BTreeMap::new(),
            bans: BansInForce::default(),
            port25: Port25::default(),
            weeks: [Tally::new(rule), Tally::new(rule)],
            week_began: Time::MIN,
            hours: Hours::default(),
            today: Today::default(),
            last_events: [None; Service::ALL.len()],
            learnt: false,
        };
        Desk { engine: Engine::new(config), state }
    }

    /// Takes an entry and hands on what it caused, in the order of decisions.
    pub(crate) fn take(&mut self, seq: u64, entry: &Entry, effects: &mut Vec<Effect>) {
        let before = effects.len();
        self.state.seq = seq;
        match entry {
            Entry::Input { number, key } => self.name_input(*number, key),
            Entry::Line { input, event, text, hash, .. } => self.line(*input, event, text, *hash),
            Entry::Read { input, position } => {
                if let Some(input) = self.state.inputs.get_mut(usize::from(*input)) {
                    input.position = Some(position.clone());
                }
            }
            Entry::Tick { time } => {
                self.engine.advance(*time);
                self.revert_unconfirmed(*time);
            }
            Entry::Action { time, by, action, .. } => self.act(*time, by, action),
            Entry::Configured { time, config, mode } => {
                if !self.state.learnt {
                    self.set_mode(*mode, *time);
                }
                self.state.config = Config { narrate: true, ..config.clone() };
                self.engine.order(*time, &Order::BanLengths(config.bans));
                self.engine.order(*time, &Order::Admins(config.admins.clone()));
                self.allow(*time);
            }
            Entry::Resolved { time, prefixes } => {
                self.state.resolved.clone_from(prefixes);
                self.allow(*time);
            }
            Entry::Learnt { time } => {
                self.engine.advance(*time);
                self.state.learnt = true;
            }
        }
        while let Some(effect) = self.engine.poll() {
            self.note(&effect);
            effects.push(effect);
        }
        let now = self.engine.now();
        if effects.len() > before {
            self.count(now, &effects[before..]);
        }
        self.state.bans.forget(now);
    }

    fn line(&mut self, input: InputNumber, event: &AuthEvent, text: &[u8], hash: u64) {
        if let Some(known) = self.state.inputs.get_mut(usize::from(input)) {
            known.last_event = Some(event.time);
        }
        self.state.last_events[event.service.index()] = Some(event.time);
        let now = self.engine.now().max(event.time);
        self.state.port25.note(event);
        if !self.state.doubles.is_double_hash(now, u32::from(input), hash) {
            self.engine.handle(event, text);
        }
    }

    fn act(&mut self, time: Time, by: &By, action: &Action) {
        match action {
            Action::Order(order) => self.engine.order(time, order),
            Action::Allow { prefix, note } => {
                let allowed = Allowed { since: time, by: by.clone(), note: note.clone() };
                if self.state.allowed.len() < ALLOWED_MAX {
                    self.state.allowed.insert(*prefix, allowed);
                }
                self.allow(time);
            }
            Action::Disallow { prefix } => {
                self.state.allowed.remove(prefix);
                self.allow(time);
            }
            Action::Mode(mode) => {
                // Who confirms is the only one who makes live mode last.
                self.state.confirmed |= *mode == Mode::Live { confirm_until: None };
                self.set_mode(*mode, time);
            }
            Action::Limit { name, said: None } => drop(self.state.limits.remove(name)),
            Action::Limit { name, said: Some(said) } => {
                if self.state.limits.len() < LIMITS_SAID_MAX || self.state.limits.contains_key(name) {
                    self.state.limits.insert(name.clone(), said.clone());
                }
            }
            Action::Protect { prefix, because } => self.state.bans.protect(prefix, Some(because.clone())),
            Action::Release { prefix } => self.state.bans.protect(prefix, None),
        }
    }

    /// Counts what one entry caused; every week the older of both counts begins anew.
    fn count(&mut self, now: Time, effects: &[Effect]) {
        let state = &mut self.state;
        if now.since(state.week_began) > WEEK || state.week_began == Time::MIN {
            state.week_began = now;
            state.weeks.swap(0, 1);
            state.weeks[1] = Tally::new(state.weeks[1].rule());
        }
        for effect in effects {
            if let Effect::Seen(seen) = effect {
                state.today.count(now, seen);
            }
        }
        let before = state.weeks[0].totals;
        for week in &mut state.weeks {
            week.line(now, effects);
        }
        state.hours.add(now, &Counts::between(&before, &state.weeks[0].totals));
    }

    /// Tells the engine the whole allowlist.
    fn allow(&mut self, time: Time) {
        self.engine.order(time, &Order::Allow(self.allowlist()));
    }

    fn revert_unconfirmed(&mut self, now: Time) {
        if let Mode::Live { confirm_until: Some(until) } = self.state.mode
            && until <= now
        {
            self.set_mode(Mode::Shadow, now);
        }
    }

    fn set_mode(&mut self, mode: Mode, time: Time) {
        if mode.is_live() != self.state.mode.is_live() {
            self.state.mode_since = time;
        }
        self.state.mode = mode;
    }

    fn name_input(&mut self, number: InputNumber, key: &str) {
        let known = InputKnown { key: key.to_owned(), position: None, last_event: None };
        let inputs = &mut self.state.inputs;
        match inputs.get_mut(usize::from(number)) {
            Some(input) => *input = known,
            None => inputs.push(known),
        }
    }

    fn note(&mut self, effect: &Effect) {
        match effect {
            Effect::Ban(ban) | Effect::Extend { ban, .. } => self.state.bans.note(ban),
            Effect::Unban { prefix, .. } => {
                self.state.bans.remove(prefix);
            }
            Effect::Seen(seen) if seen.standing == Standing::KeptOut => self.state.bans.kept_out(seen.source),
            _ => {}
        }
    }

    /// The number of an input, and whether it has to be told by an [`Entry::Input`] first. `taken` are numbers that others
    /// got or keep in the batch being made.
    pub(crate) fn number_of(&self, key: &str, taken: &[InputNumber]) -> (InputNumber, bool) {
        let inputs = &self.state.inputs;
        let is_free = |number: &InputNumber| !taken.contains(number);
        let known = inputs.iter().position(|input| input.key == key).map(|number| number as InputNumber);
        if let Some(number) = known.filter(is_free) {
            return (number, false);
        }
        if let Some(number) = (inputs.len() as InputNumber..INPUTS_MAX as InputNumber).find(is_free) {
            return (number, true);
        }
        let free = inputs.iter().enumerate().filter(|(number, _)| is_free(&(*number as InputNumber)));
        let oldest = free.min_by_key(|(_, input)| input.last_event);
        (oldest.map_or(0, |(number, _)| number as InputNumber), true)
    }

    /// See [`State::allowlist`].
    pub(crate) fn allowlist(&self) -> Vec<IpNet> {
        self.state.allowlist()
    }

    pub(crate) fn seq(&self) -> u64 {
        self.state.seq
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn config(&self) -> &Config {
        &self.state.config
    }

    pub(crate) fn mode(&self) -> Mode {
        self.state.mode
    }

    pub(crate) fn learnt(&self) -> bool {
        self.state.learnt
    }

    pub(crate) fn inputs(&self) -> &[InputKnown] {
        &self.state.inputs
    }

    pub(crate) fn bans(&self) -> &BansInForce {
        &self.state.bans
    }

    /// Since when a ban of `prefix` closes the port of others' mail too, if it does.
    pub(crate) fn closes_smtp(&self, prefix: &IpNet) -> Option<Time> {
        self.state.port25.closed_since(prefix, self.engine.now())
    }

    pub(crate) fn allowed(&self) -> &BTreeMap<IpNet, Allowed> {
        &self.state.allowed
    }

    /// What was said of limits while the service ran, by name.
    pub(crate) fn limits_said(&self) -> &BTreeMap<String, Said> {
        &self.state.limits
    }

    /// Of the older count: one to two weeks, or all there is.
    pub(crate) fn tally(&self) -> &Tally {
        &self.state.weeks[0]
    }

    /// The count that began last before this time; the older one if both began later.
    pub(crate) fn tally_since(&self, since: Time) -> &Tally {
        let [older, newer] = &self.state.weeks;
        let began = |tally: &Tally| tally.span.map(|(first, _)| first);
        if began(newer).is_some_and(|began| began <= since) { newer } else { older }
    }

    /// What happened hour by hour.
    pub(crate) fn hours(&self) -> &Hours {
        &self.state.hours
    }

    /// When a service last told of a login, by its stamp.
    pub(crate) fn last_event(&self, service: Service) -> Option<Time> {
        self.state.last_events[service.index()]
    }

    /// What happened today.
    pub(crate) fn today(&self) -> &Today {
        &self.state.today
    }

    /// Whether live mode was ever confirmed.
    pub(crate) fn confirmed(&self) -> bool {
        self.state.confirmed
    }

    /// When watching or enforcing began.
    pub(crate) fn mode_since(&self) -> Time {
        self.state.mode_since
    }

    /// When an [`Entry::Tick`] is due at the latest.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let confirm = match self.state.mode {
            Mode::Live { confirm_until } => confirm_until,
            Mode::Shadow => None,
        };
        match (self.engine.next_deadline(), confirm) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// The whole desk in bytes.
    ///
    /// # Errors
    /// Never in practice: every type of the state can be written, and memory is the only sink.
    pub(crate) fn snapshot(&self) -> Result<Vec<u8>, postcard::Error> {
        let bytes = VERSION.to_le_bytes().to_vec();
        postcard::to_extend(&(&self.state, self.engine.snapshot()), bytes)
    }

    /// What another desk, which took the same entries, has otherwise; `None` if nothing.
    pub(crate) fn difference(&self, other: &Desk) -> Option<&'static str> {
        let (one, two) = (&self.state, &other.state);
        let doubles = |state: &State| postcard::to_allocvec(&state.doubles).ok();
        let checks = [
            ("its last entry", one.seq == two.seq),
            ("the configuration", one.config == two.config),
            ("the inputs and their positions", one.inputs == two.inputs),
            (
                "the mode",
                (one.mode, one.mode_since, one.confirmed, one.learnt)
                    == (two.mode, two.mode_since, two.confirmed, two.learnt),
            ),
            ("the allowlist", one.allowed == two.allowed && one.resolved == two.resolved),
            ("the limits", one.limits == two.limits),
            ("the bans in force", one.bans == two.bans),
            (
                "the counts of the report",
                (&one.weeks, one.week_began, &one.hours) == (&two.weeks, two.week_began, &two.hours),
            ),
            ("the last logins", one.last_events == two.last_events),
            ("the lines that two logs hold", doubles(one) == doubles(two)),
            ("the engine", self.engine.snapshot() == other.engine.snapshot()),
        ];
        checks.into_iter().find(|(_, equal)| !equal).map(|(what, _)| what)
    }

    /// The desk that wrote these bytes.
    ///
    /// # Errors
    /// They are of another version (the operator mixed versions) or damaged.
    pub(crate) fn restore(bytes: &[u8]) -> Result<Desk, RestoreError> {
        let (version, body) = bytes.split_first_chunk::<4>().ok_or(RestoreError::Version { found: 0 })?;
        let found = u32::from_le_bytes(*version);
        if found != VERSION {
            return Err(RestoreError::Version { found });
        }
        let (state, engine): (State, Vec<u8>) = postcard::from_bytes(body)?;
        let config = Config { allow: state.allowlist(), ..state.config.clone() };
        Ok(Desk { engine: Engine::restore(&engine, config)?, state })
    }
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
