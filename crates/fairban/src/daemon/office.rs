//! The thread that decides: takes what the others bring, writes it down, hands it to the desk, and carries what the desk
//! says to whoever acts on it.

mod answers;

pub(super) use self::answers::told_mode;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::{Receiver, after, never, select};
use fairban_control::{Asked, Publisher, Walls};
use fairban_core::effect::{Effect, Seen, Standing};
use fairban_core::engine::{Order, Whom};
use fairban_core::event::Service;
use fairban_core::event::{Outcome, Protocol};
use fairban_core::time::{Span, Time};
use fairban_firewall::enforcer::{Doors as Close, Order as DoorOrder, Shut};
use fairban_follow::InputStatus;
use fairban_parse::health::Health;
use fairban_store::database::Notice;
use ipnet::IpNet;

use super::alarms::Alarms;
use super::bites::{Carried, Way};
use super::desk::{Action, By, Desk, Entry, InputNumber, Mode};
use super::doors::{Callback, Doors, Told};
use super::floor::Floor;
use super::helped::Table;
use super::intake::{Brought, Item};
use super::keeper::Keeper;
use super::limiting::{Limiting, changes_limits};
use super::recorder::Recorder;
use super::reload::{Reload, Settings};
use super::timeline::{Clock, Step, Timeline};
use super::told::{self, Place};
use super::withheld;
use crate::error;

/// Lines reach us so much later than their stamps say, seconds cut off included: what is due is decided after that, so that
/// a login that excuses a failure is not late.
const LATENESS: Span = Span::secs(2);

/// Positions of inputs without any login line are written down after so many bytes: that much may be read again.
const READ_BYTES_MAX: u64 = 4 << 20;

/// At the end, what was read already is waited for so long.
const LAST_FEEDS_WITHIN: Duration = Duration::from_millis(500);

/// Whose lines they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Feeder {
    /// Of files, sockets and pipes.
    #[default]
    Reader,
    /// Of the journal and the network.
    Helper,
}

/// What a thread that reads brings.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    /// Who brings it.
    pub(crate) from: Feeder,
    /// In the order to be taken.
    pub(crate) brought: Vec<Brought>,
    /// Counters of the lines read.
    pub(crate) health: Health,
    /// Bytes read.
    pub(crate) bytes: u64,
    /// Old lines are still being read.
    pub(crate) behind: bool,
    /// What is right or wrong with inputs: the input, and a sentence if it is wrong.
    pub(crate) troubles: Vec<(String, Option<String>)>,
    /// Sentences for the service's log.
    pub(crate) notes: Vec<String>,
}

/// What the other threads bring.
pub(crate) struct Inbox {
    pub(crate) feed: Receiver<Feed>,
    pub(crate) asked: Receiver<Asked>,
    pub(crate) doors: Receiver<Told>,
    pub(crate) signals: Receiver<Signal>,
    pub(crate) notices: Receiver<Notice>,
    pub(crate) resolved: Receiver<Vec<IpNet>>,
}

/// What the machine's operator or its init system wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Read the configuration again.
    Reload,
    /// End.
    Stop,
}

/// What is true of the running process.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) started: Time,
    pub(crate) walls: Walls,
    pub(crate) state_dir: String,
    /// What a ban closes, for a person.
    pub(crate) closed: String,
}

/// See the module's head.
pub(crate) struct Office {
    pub(crate) desk: Desk,
    pub(crate) keeper: Keeper,
    pub(crate) recorder: Recorder,
    pub(crate) doors: Doors,
    /// Bans close everything.
    pub(crate) all_ports: bool,
    pub(crate) floor: Floor,
    /// From where administrators are logged in, as the doors know it.
    pub(crate) sessions: Vec<SocketAddr>,
    pub(crate) limits: Limiting,
    /// Live mode lasts so long without confirmation.
    pub(crate) confirm_within: Span,
    pub(crate) way: Way,
    /// Since then whoever shuts out has known all bans, without a break.
    pub(crate) shut_since: Option<Time>,
    pub(crate) publisher: Publisher,
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) timeline: Timeline,
    pub(crate) facts: Facts,
    pub(crate) inputs: Arc<Mutex<Vec<InputStatus>>>,
    /// Inputs that the helper reads.
    pub(crate) helped: Table,
    pub(crate) reload: Box<dyn Reload>,
    pub(crate) alarms: Alarms,
    pub(crate) health: Health,
    pub(crate) behind: bool,
    /// The same of each [`Feeder`].
    pub(crate) behind_each: [bool; 2],
    /// Positions not written down yet.
    pub(crate) reads: BTreeMap<InputNumber, Vec<u8>>,
    pub(crate) unread_bytes: u64,
    /// Pings of systemd's watchdog are due this often.
    pub(crate) watchdog: Option<Duration>,
    pub(crate) watchdog_due: Duration,
}

impl Office {
    /// Runs until it is told to stop; then `stop_reading` is called, and what was read already is taken.
    pub(crate) fn run(mut self, inbox: &Inbox, stop_reading: impl FnOnce()) {
        loop {
            let timer = self.tend().map_or_else(never, after);
            select! {
                recv(inbox.feed) -> feed => match feed {
                    Ok(feed) => self.take(feed),
                    // The follower ends only when we do, or by a fault of ours.
                    Err(_) => break,
                },
                recv(inbox.asked) -> asked => if let Ok(asked) = asked { self.answer(asked) },
                recv(inbox.doors) -> told => if let Ok(told) = told { self.doors_told(told) },
                recv(inbox.signals) -> signal => match signal {
                    Ok(Signal::Reload) => drop(self.reload_settings()),
                    Ok(Signal::Stop) | Err(_) => break,
                },
                recv(inbox.resolved) -> prefixes => if let Ok(prefixes) = prefixes { self.resolved(prefixes) },
                recv(inbox.notices) -> notice => if let Ok(notice) = notice { self.noticed(notice) },
                recv(timer) -> _ => {}
            }
        }
        stop_reading();
        let end = self.clock.since_start() + LAST_FEEDS_WITHIN;
        while let Ok(feed) = inbox.feed.recv_timeout(end.saturating_sub(self.clock.since_start())) {
            self.take(feed);
        }
        self.close();
    }

    /// What has to be done without anybody asking; how long until it has to be done again.
    fn tend(&mut self) -> Option<Duration> {
        let now = self.now();
        let confirm = self.desk.mode().confirm_until();
        if confirm.is_some_and(|until| until <= now) {
            // Also while old lines are read: who locked himself out waits outside.
            self.action(by_itself(), Action::Mode(Mode::Shadow), "not confirmed".to_owned());
            error::warn("live was not confirmed in time: watching again, nothing is shut out", None);
        }
        let due = now.minus(LATENESS);
        if !self.behind && self.desk.next_deadline().is_some_and(|deadline| deadline <= due) {
            self.enter(&[Entry::Tick { time: due }], None);
        }
        let mono = self.clock.since_start();
        let keep = self.keeper.tend(&self.desk, mono);
        self.tell_trouble(now);
        if let Some(every) = self.watchdog
            && mono >= self.watchdog_due
        {
            // systemd restarts a service whose deciding thread hangs.
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
            self.watchdog_due = mono + every;
        }
        let deadline = self.desk.next_deadline().filter(|_| !self.behind).map(|deadline| {
            let wait = deadline.plus(LATENESS).since(now).as_micros().max(1_000);
            mono + Duration::from_micros(wait.unsigned_abs())
        });
        let confirm = self.desk.mode().confirm_until().map(|until| {
            let wait = until.since(now).as_micros().max(1_000);
            mono + Duration::from_micros(wait.unsigned_abs())
        });
        let watchdog = self.watchdog.map(|_| self.watchdog_due);
        let limits = self.tend_limits(mono);
        let next = [keep, deadline, confirm, watchdog, limits].into_iter().flatten().min();
        next.map(|next| next.saturating_sub(mono))
    }

    /// The time now; tells of a clock that jumped.
    pub(crate) fn now(&mut self) -> Time {
        let (now, step) = self.timeline.now(&*self.clock);
        if let Some(step) = step {
            let (way, span) = match step {
                Step::Forward(span) => ("forward", span),
                Step::Back(span) => ("back", span),
            };
            let text = format!(
                "the machine's clock jumped {way} by {}; bans in force stay as long as they were to last",
                crate::when::length(span)
            );
            error::warn(&text, None);
            self.alarms.raise("clock", "", text, now);
        }
        now
    }

    fn take(&mut self, feed: Feed) {
        let now = self.now();
        self.health.absorb(&feed.health);
        self.unread_bytes += feed.bytes;
        for (input, trouble) in feed.troubles {
            match trouble {
                Some(text) => {
                    error::warn(&text, None);
                    self.alarms.raise("input", &input, text, now);
                }
                None => {
                    self.alarms.end("input", &input);
                }
            }
        }
        feed.notes.iter().for_each(|note| error::warn(note, None));
        let was_behind = self.behind;
        self.behind_each[feed.from as usize] = feed.behind;
        self.behind = self.behind_each.contains(&true);
        let mut entries = Vec::with_capacity(feed.brought.len() + 1);
        let mut keys = Vec::new();
        for brought in feed.brought {
            self.entries_of(brought, was_behind, &mut keys, &mut entries);
        }
        if !entries.is_empty() || self.unread_bytes > READ_BYTES_MAX {
            self.push_reads(&mut entries);
            self.enter(&entries, Some(&keys));
        }
        if was_behind && !self.behind {
            self.caught_up();
        }
        if !self.behind && self.recorder.wants_status(self.clock.since_start()) {
            self.record_status();
        }
    }

    fn record_status(&mut self) {
        let report = self.status();
        self.recorder.status(&report, &self.desk);
    }

    /// The names of the allowlist stand for these addresses now.
    fn resolved(&mut self, prefixes: Vec<IpNet>) {
        let time = self.now();
        self.enter(&[Entry::Resolved { time, prefixes }], None);
    }

    fn noticed(&mut self, notice: Notice) {
        let now = self.now();
        match notice {
            // The trouble is told with the others.
            Notice::Degraded(why) => error::warn(&format!("verdicts are not recorded: {why}"), None),
            Notice::Recovered { lost } => {
                error::note(&format!("verdicts are recorded again; {lost} entries are lost"));
                self.recorder.in_force(&self.desk, now);
            }
            Notice::BegunAnew(aside) => {
                let (why, to) = (aside.why, error::shown(&aside.to));
                error::warn(
                    &format!("the database was damaged ({why}); it is {to} now, and a new one was begun"),
                    None,
                );
                self.recorder.in_force(&self.desk, now);
            }
        }
    }

    /// Turns what was brought into entries; a position waits until there is a line, or it is time.
    fn entries_of(
        &mut self,
        brought: Brought,
        was_behind: bool,
        keys: &mut Vec<(InputNumber, Arc<str>)>,
        entries: &mut Vec<Entry>,
    ) {
        let input = self.number(&brought.key, keys, entries);
        match brought.item {
            Item::Read(position) => {
                self.reads.insert(input, position);
            }
            Item::Line(line) => {
                let mut event = line.event;
                if !was_behind && self.timeline.is_ahead(event.time) {
                    self.stamp_ahead(&brought.key, event.time);
                }
                event.time = if was_behind {
                    event.time.min(self.last_now())
                } else {
                    self.timeline.of_stamp(event.time)
                };
                if let Some(position) = self.reads.remove(&input) {
                    entries.push(Entry::Read { input, position });
                }
                let (number, text, hash) = (line.number, line.text, line.hash);
                entries.push(Entry::Line { input, line: number, event, text, hash });
            }
        }
    }

    fn last_now(&self) -> Time {
        self.timeline.last()
    }

    fn stamp_ahead(&mut self, key: &str, stamp: Time) {
        let now = self.last_now();
        let ahead = crate::when::length(stamp.since(now));
        let text = format!(
            "stamps of {} are {ahead} ahead of the clock: its time zone is probably not the configured one; the time of \
             arrival is taken instead",
            fairban_core::escape::escaped(key.as_bytes())
        );
        self.alarms.raise("stamps-ahead", key, text, now);
    }

    /// The number of an input, which an entry tells the first time.
    fn number(
        &mut self,
        key: &Arc<str>,
        keys: &mut Vec<(InputNumber, Arc<str>)>,
        entries: &mut Vec<Entry>,
    ) -> InputNumber {
        if let Some((number, _)) = keys.iter().find(|(_, known)| known == key) {
            return *number;
        }
        let taken: Vec<InputNumber> = keys.iter().map(|(number, _)| *number).collect();
        let (number, new) = self.desk.number_of(key, &taken);
        if new {
            self.reads.remove(&number);
            entries.push(Entry::Input { number, key: key.to_string() });
        }
        keys.push((number, Arc::clone(key)));
        number
    }

    fn push_reads(&mut self, entries: &mut Vec<Entry>) {
        let reads = std::mem::take(&mut self.reads);
        entries.extend(reads.into_iter().map(|(input, position)| Entry::Read { input, position }));
        self.unread_bytes = 0;
    }

    /// Writes entries down, hands them to the desk, and acts on what it says. Returns the number of the first.
    pub(crate) fn enter(&mut self, entries: &[Entry], keys: Option<&[(InputNumber, Arc<str>)]>) -> u64 {
        let first = self.keeper.keep(&self.desk, entries, self.clock.since_start());
        let live = self.desk.mode().is_live();
        let mut effects = Vec::new();
        for (seq, entry) in (first..).zip(entries) {
            self.desk.take(seq, entry, &mut effects);
            let place = match (entry, keys) {
                (Entry::Line { input, line, .. }, Some(keys)) => {
                    let key = keys.iter().find(|(number, _)| number == input).map(|(_, key)| &**key);
                    key.map(|input| Place { input, line: *line })
                }
                _ => None,
            };
            if may_change_sessions(entry, &effects) {
                self.tell_sessions();
            }
            self.act(seq, &effects, place);
            effects.clear();
        }
        if entries.iter().any(changes_allowlist) {
            self.tell_allowlist(None);
        }
        if live && !self.desk.mode().is_live() {
            self.open_all();
        }
        if live != self.desk.mode().is_live() || entries.iter().any(changes_limits) {
            self.tell_limits(None);
        }
        first
    }

    /// Carries effects to whoever acts on them.
    fn act(&mut self, seq: u64, effects: &[Effect], place: Option<Place<'_>>) {
        if effects.is_empty() {
            return;
        }
        let enforced = self.desk.mode().is_live() && !self.behind;
        let now = self.last_now();
        let mut orders = Vec::new();
        for effect in effects {
            match effect {
                Effect::Ban(ban) | Effect::Extend { ban, .. } => {
                    orders.extend(self.shut(ban.prefix, ban.until, now).map(DoorOrder::Ban));
                }
                Effect::Unban { prefix, .. } => orders.push(DoorOrder::Unban(*prefix)),
                Effect::Alarm { time, alarm, .. } => self.alarms.engine(alarm, *time),
                Effect::Hub { .. } => self.limits.forget_exempt(),
                Effect::Seen(seen) if is_kept_out_smtp(seen) => {
                    // A ban that left port 25 open closes it now, if it should.
                    let around = self.desk.bans().around(seen.source);
                    let around = around.filter(|(prefix, _)| self.desk.closes_smtp(prefix).is_some());
                    let again = around.filter_map(|(prefix, ban)| self.shut(prefix, ban.until, now));
                    orders.extend(again.map(DoorOrder::Ban));
                }
                _ => {}
            }
        }
        // First the doors, then those who watch. The database's thread is woken last: where it is given the processor first,
        // everybody else waits until its time slice ends, which is milliseconds.
        if enforced && !orders.is_empty() {
            self.doors.order(orders, None);
        }
        let told = || effects.iter().filter(|effect| !matches!(effect, Effect::Seen(_)));
        if self.publisher.is_watched() {
            let events = told().filter_map(|effect| told::tail_event(effect, place, enforced));
            events.for_each(|event| self.publisher.publish(&event));
        }
        if !self.behind {
            told().for_each(|effect| error::log(&told::sentence(effect)));
        }
        if enforced {
            self.expect_silence(effects);
        }
        self.recorder.effects(seq, effects, &self.desk);
    }

    /// Who is shut out should not be seen any more.
    fn expect_silence(&mut self, effects: &[Effect]) {
        let Some(shut_since) = self.shut_since else { return };
        for effect in effects {
            let Effect::Seen(seen) = effect else { continue };
            let carried_out = self.desk.bans().around(seen.source).filter(|(_, ban)| ban.protected.is_none());
            let complaints = carried_out.filter_map(|(prefix, ban)| {
                let carried = Carried {
                    prefix,
                    since: ban.from.max(shut_since),
                    closes_smtp: self.desk.closes_smtp(&prefix),
                    closes_all: self.all_ports,
                };
                self.way.complaint(seen, &carried).map(|complaint| (prefix, complaint))
            });
            for (prefix, complaint) in complaints.collect::<Vec<_>>() {
                if self.alarms.raise("ban-without-effect", &prefix.to_string(), complaint.clone(), seen.time)
                {
                    error::warn(&complaint, None);
                }
            }
        }
    }

    /// The old logs are read: from now on verdicts are carried out, those still in force at once.
    fn caught_up(&mut self) {
        let now = self.now();
        if !self.desk.learnt() {
            self.enter(&[Entry::Learnt { time: now.minus(LATENESS) }], None);
        }
        error::note(&format!(
            "all old lines are read; following, {} bans in force, mode {}",
            self.desk.bans().len(),
            self.desk.mode().name()
        ));
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Status("following")]);
        if self.desk.mode().is_live() {
            self.shut_all(None);
        }
    }

    /// Says who is never shut out, in whatever mode.
    pub(crate) fn tell_allowlist(&self, then: Option<Callback>) {
        self.doors.allow(self.desk.allowlist(), then);
    }

    /// Says from where administrators are logged in, if that has changed.
    pub(crate) fn tell_sessions(&mut self) {
        let open = self.desk.engine().admin_sessions();
        let peers: Vec<SocketAddr> = open.map(|open| SocketAddr::new(open.source, open.port)).collect();
        if peers != self.sessions {
            self.sessions.clone_from(&peers);
            self.doors.sessions(peers);
        }
    }

    /// A ban as an order, with the seconds that are left of it; `None` if nothing is.
    pub(crate) fn shut(&self, prefix: IpNet, until: Option<Time>, now: Time) -> Option<Shut> {
        let doors = match (self.all_ports, self.desk.closes_smtp(&prefix).is_some()) {
            (true, _) => Close::All,
            (false, true) => Close::LoginsAndSmtp,
            (false, false) => Close::Logins,
        };
        // Until it is confirmed nothing is shut for longer than that: the kernel opens by itself then, even if we are gone.
        let until = until.into_iter().chain(self.desk.mode().confirm_until()).min();
        let Some(until) = until else { return Some(Shut { doors, ..Shut::new(prefix, None) }) };
        let left = until.since(now).as_micros();
        let seconds = u32::try_from(left.div_euclid(1_000_000) + 1).unwrap_or(u32::MAX);
        (left > 0).then_some(Shut { doors, ..Shut::new(prefix, Some(seconds)) })
    }

    /// Asks for exactly the bans in force, the newest first.
    pub(crate) fn shut_all(&mut self, then: Option<Callback>) {
        let now = self.last_now();
        let mut bans: Vec<_> = self.desk.bans().iter().collect();
        bans.sort_by_key(|(_, ban)| std::cmp::Reverse(ban.id));
        let all: Vec<Shut> =
            bans.into_iter().filter_map(|(prefix, ban)| self.shut(*prefix, ban.until, now)).collect();
        self.shut_since = Some(now);
        self.doors.order(vec![DoorOrder::Sync(all)], then);
    }

    /// Opens everything.
    pub(crate) fn open_all(&mut self) {
        self.shut_since = None;
        self.doors.order(vec![DoorOrder::Sync(Vec::new())], None);
    }

    fn doors_told(&mut self, told: Told) {
        let now = self.now();
        match told {
            Told::WantsSync => {
                if self.alarms.end("enforcer", "") {
                    error::note("whoever shuts sources out can be reached again");
                }
                match self.desk.mode() {
                    _ if self.behind => {}
                    Mode::Live { .. } => self.shut_all(None),
                    Mode::Shadow => self.open_all(),
                }
            }
            Told::Lost(why) => {
                self.shut_since = None;
                let why = spelt(&why);
                error::warn(&format!("nobody can be shut out: {why}"), None);
                self.alarms.raise("enforcer", "", why, now);
            }
            Told::Protected(prefix) => {
                let text = format!(
                    "{prefix} is protected and was not shut out: it is or holds an address of this host, a gateway, or what \
                     /etc/fairban/never-ban names; its ban is taken back"
                );
                error::warn(&text, None);
                self.alarms.raise("protected", &prefix.to_string(), text, now);
                if self.desk.bans().get(&prefix).is_some() {
                    let order = Order::Unban { whom: Whom::Prefix(prefix), forgive: false };
                    let reason = "protected by whoever shuts out".to_owned();
                    self.action(by_itself(), Action::Order(order), reason);
                }
            }
            Told::Counted(counted) => self.counted(&counted),
            Told::Withheld(prefix, peer) => {
                let because = withheld::reason(peer);
                let text = format!("{prefix} is not shut out: {because}");
                error::warn(&text, None);
                self.alarms.raise("protected", &prefix.to_string(), text, now);
                self.action(by_itself(), Action::Protect { prefix, because }, String::new());
            }
            Told::Released(prefix) => {
                self.alarms.end("protected", &prefix.to_string());
                self.action(by_itself(), Action::Release { prefix }, String::new());
            }
            Told::Failed(why) => {
                let why = spelt(&why);
                error::warn(&format!("not carried out: {why}"), None);
                self.alarms.raise("not-carried-out", "", why, now);
            }
            Told::Note(note) => {
                let note = spelt(&note);
                error::warn(&note, None);
                self.alarms.raise("firewall-changed", "", note, now);
            }
        }
    }

    /// The operator acted.
    pub(crate) fn action(&mut self, by: By, action: Action, reason: String) -> u64 {
        let time = self.now();
        self.action_at(time, by, action, reason)
    }

    /// The same at a time that the action itself counts from.
    pub(crate) fn action_at(&mut self, time: Time, by: By, action: Action, reason: String) -> u64 {
        let entries = [Entry::Action { time, by, action, reason }];
        let seq = self.enter(&entries, None);
        if let [Entry::Action { by, action, reason, .. }] = &entries {
            self.recorder.action(seq, time, by, action, reason, self.desk.mode());
        }
        seq
    }

    /// Reads the configuration again and takes it, or keeps the old one and says why.
    ///
    /// # Errors
    /// The configuration is wrong; each complaint is in the text.
    pub(crate) fn reload_settings(&mut self) -> Result<(u64, Vec<String>), String> {
        // Whoever waits for the end of a reload must know that it began; both are harmless where nobody does.
        let begun =
            [sd_notify::NotifyState::monotonic_usec_now().ok(), Some(sd_notify::NotifyState::Reloading)];
        let _ = sd_notify::notify(&begun.into_iter().flatten().collect::<Vec<_>>());
        let reloaded = self.try_reload();
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        reloaded
    }

    fn try_reload(&mut self) -> Result<(u64, Vec<String>), String> {
        let time = self.now();
        match self.reload.reload() {
            Ok(Settings { config, mode, remarks, all_ports, floor, limits }) => {
                self.floor = floor;
                self.limits.configured = limits;
                let config = fairban_core::engine::Config { key: self.desk.config().key, ..config };
                let seq = self.enter(&[Entry::Configured { time, config, mode }], None);
                if std::mem::replace(&mut self.all_ports, all_ports) != all_ports
                    && self.desk.mode().is_live()
                    && !self.behind
                {
                    self.shut_all(None);
                }
                self.alarms.end("config", "");
                error::note("the configuration was read again");
                Ok((seq, remarks))
            }
            Err(why) => {
                error::warn(&format!("the configuration is wrong; the old one stays: {why}"), None);
                self.alarms.raise("config", "", why.clone(), time);
                Err(why)
            }
        }
    }

    fn tell_trouble(&mut self, now: Time) {
        match self.keeper.trouble() {
            Some(why) => {
                if self.alarms.raise("journal", "", why.clone(), now) {
                    error::warn(&why, None);
                }
            }
            None => {
                if self.alarms.end("journal", "") {
                    error::note("everything is kept across a restart again");
                }
            }
        }
        match self.recorder.trouble() {
            Some(why) => {
                self.alarms.raise("database", "", format!("verdicts are not recorded: {why}"), now);
            }
            None => {
                self.alarms.end("database", "");
            }
        }
    }

    fn close(mut self) {
        let mut entries = Vec::new();
        self.push_reads(&mut entries);
        if !entries.is_empty() {
            self.enter(&entries, None);
        }
        self.record_status();
        self.recorder.close();
        self.keeper.close();
    }
}

/// Words of another process of ours, which may have them from elsewhere.
fn spelt(words: &str) -> String {
    fairban_core::escape::escaped(words.as_bytes()).to_string()
}

/// Whether administrators may be logged in from elsewhere now.
fn may_change_sessions(entry: &Entry, effects: &[Effect]) -> bool {
    match entry {
        Entry::Line { event, .. } => {
            event.service == Service::Sshd
                || effects.iter().any(|effect| matches!(effect, Effect::Hit { .. }))
        }
        Entry::Configured { .. } => true,
        _ => false,
    }
}

/// Nobody ordered it.
pub(super) fn by_itself() -> By {
    By { uid: rustix::process::geteuid().as_raw(), pid: std::process::id() as i32 }
}

/// A try at port 25 that a ban was to keep out.
fn is_kept_out_smtp(seen: &Seen) -> bool {
    seen.standing == Standing::KeptOut && seen.protocol == Protocol::Smtp && seen.outcome != Outcome::Aborted
}

/// Whether an entry may change who is never shut out.
fn changes_allowlist(entry: &Entry) -> bool {
    match entry {
        Entry::Configured { .. } | Entry::Resolved { .. } => true,
        Entry::Action { action, .. } => matches!(action, Action::Allow { .. } | Action::Disallow { .. }),
        _ => false,
    }
}
