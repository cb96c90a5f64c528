//! What is put on record: verdicts with what explains them, what operators did, and now and then how the service is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crossbeam_channel::Sender;
use fairban_control::StatusReport;
use fairban_core::account::AccountKey;
use fairban_core::effect::{Effect, RobotKind};
use fairban_core::engine::{Order, Subject, Whom};
use fairban_core::event::Service;
use fairban_core::time::Time;
use fairban_store::database::{
    self, Counters, Entry, InForce, Notice, Options, Standing, Status, Verb, Verdict, Who, Writer,
};
use ipnet::IpNet;

use super::desk::{Action, By, DayCounts, Desk, Mode};
use super::timeline::{Clock, SystemClock};

/// How the service is goes on record at most so often, and only when something happened.
const STATUS_EVERY: Duration = Duration::from_secs(60);

/// How long the end waits for the database.
const CLOSE_WITHIN: Duration = Duration::from_millis(700);

/// The database's thread, as the thread that decides sees it.
pub(crate) struct Recorder {
    writer: Writer,
    path: PathBuf,
    status_due: Duration,
}

/// The machine's clocks, for the database's thread.
struct Clocks(SystemClock);

impl database::Clock for Clocks {
    fn now(&self) -> Time {
        self.0.now()
    }

    fn elapsed(&self) -> Duration {
        self.0.since_start()
    }
}

impl Recorder {
    /// Starts the thread; what it has to say goes to `notices`.
    ///
    /// # Errors
    /// The machine has no more threads.
    pub(crate) fn start(path: &Path, options: Options, notices: Sender<Notice>) -> std::io::Result<Recorder> {
        let tell = move |notice| {
            // The other end is gone only at the end.
            let _ = notices.try_send(notice);
        };
        let writer = Writer::start(path, options, Clocks(SystemClock::new()), tell)?;
        Ok(Recorder { writer, path: path.to_owned(), status_due: Duration::ZERO })
    }

    /// What an entry of the journal caused.
    pub(crate) fn effects(&self, seq: u64, effects: &[Effect], desk: &Desk) {
        for effect in effects {
            let source = match effect {
                Effect::Seen(_) => continue,
                // An operator's own ban is recorded with his order.
                Effect::Ban(ban) if ban.reason == RobotKind::Operator => continue,
                Effect::Ban(ban) | Effect::Extend { ban, .. } => Some(ban.prefix.addr()),
                Effect::Hit { source, .. } => Some(*source),
                _ => None,
            };
            let explanation = source.and_then(|source| desk.engine().explain(&Subject::Source(source)));
            let (effect, mode) = (effect.clone(), told_mode(desk.mode()));
            self.writer.send(Entry::Verdict(Box::new(Verdict { seq, effect, mode, explanation })));
        }
    }

    /// What an operator did.
    pub(crate) fn action(&self, seq: u64, time: Time, by: &By, action: &Action, reason: &str, mode: Mode) {
        let verb = match action {
            Action::Order(Order::Ban { prefix, until }) => {
                Verb::Ban { prefix: *prefix, until: *until, mode: told_mode(mode) }
            }
            Action::Order(Order::Unban { whom, forgive }) => {
                Verb::Unban { whom: told_whom(whom), forgive: *forgive }
            }
            // No operator orders these: they come from the configuration, and from the kernel.
            Action::Order(
                Order::Allow(_) | Order::BanLengths(_) | Order::Admins(_) | Order::Refused { .. },
            ) => return,
            Action::Order(Order::Resume) => Verb::Resume,
            Action::Limit { .. } => Verb::Limit,
            Action::Protect { prefix, .. } => Verb::Protect { prefix: *prefix },
            Action::Release { prefix } => Verb::Release { prefix: *prefix },
            Action::Allow { prefix, .. } => Verb::Allow { prefix: *prefix, until: None },
            Action::Disallow { prefix } => Verb::Disallow { prefix: *prefix },
            Action::Mode(mode) => {
                let confirm = match mode {
                    Mode::Live { confirm_until } => *confirm_until,
                    Mode::Shadow => None,
                };
                Verb::Mode { mode: told_mode(*mode), confirm }
            }
        };
        let note = match action {
            Action::Allow { note, .. } => note.as_str(),
            Action::Protect { because, .. } => because.as_str(),
            _ => reason,
        };
        let who = Who { uid: by.uid, pid: by.pid.unsigned_abs(), name: Vec::new() };
        let reason = note.as_bytes().to_vec();
        self.writer.send(Entry::Action(Box::new(database::Action { seq, time, who, verb, reason })));
    }

    /// All that is in force: after the database has missed something.
    pub(crate) fn in_force(&self, desk: &Desk, time: Time) {
        let mode = told_mode(desk.mode());
        let standing = |(prefix, ban): (&IpNet, &super::in_force::InForce)| {
            let operator = ban.reason == RobotKind::Operator;
            Standing {
                id: if operator { 0 } else { ban.id },
                prefix: *prefix,
                since: ban.from,
                until: ban.until,
                reason: (!operator).then_some(ban.reason),
                evidence: ban.evidence,
                mode,
            }
        };
        let bans = desk.bans().iter().map(standing).collect();
        self.writer.send(Entry::InForce(Box::new(InForce { seq: desk.seq(), time, bans })));
    }

    /// Whether it is time to put on record how the service is. Nobody is woken for it.
    pub(crate) fn wants_status(&mut self, now: Duration) -> bool {
        let due = now >= self.status_due;
        if due {
            self.status_due = now + STATUS_EVERY;
        }
        due
    }

    /// How the service is, and what was counted today.
    pub(crate) fn status(&self, report: &StatusReport, desk: &Desk) {
        let (time, today) = (report.at.time(), desk.today());
        for service in Service::ALL {
            let counts = today.services[service.index()];
            if counts == DayCounts::default() {
                continue;
            }
            let values = vec![
                ("successes", counts.successes),
                ("failures", counts.failures),
                ("kept-out", counts.kept_out),
                ("connections", counts.connections),
            ];
            let (seq, day, service) = (desk.seq(), today.time(), service.name());
            self.writer.send(Entry::Counters(Counters { seq, day, service, values }));
        }
        if let Ok(json) = serde_json::to_string(report) {
            self.writer.send(Entry::Status(Status { time, json }));
        }
    }

    /// Why verdicts are not recorded at the moment.
    pub(crate) fn trouble(&self) -> Option<String> {
        match self.writer.health() {
            database::Health::Ok => None,
            database::Health::Degraded { why, waiting, lost, .. } => {
                Some(format!("{why} ({waiting} entries wait, {lost} are lost)"))
            }
        }
    }

    /// What was put on record until now and may not be there yet.
    pub(crate) fn on_their_way(&self) -> database::OnTheirWay {
        self.writer.on_their_way()
    }

    /// Where the database is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the database on the disk.
    pub(crate) fn bytes(&self) -> u64 {
        let wal = self.path.with_extension("db-wal");
        let length = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        length(&self.path) + length(&wal)
    }

    /// Records what waits, as far as that goes quickly: the journal makes the rest again at the next start.
    pub(crate) fn close(self) {
        let _ = self.writer.settle(CLOSE_WITHIN);
    }
}

fn told_mode(mode: Mode) -> database::Mode {
    if mode.is_live() { database::Mode::Live } else { database::Mode::Shadow }
}

fn told_whom(whom: &Whom) -> database::Whom {
    match whom {
        Whom::Prefix(prefix) => database::Whom::Prefix(*prefix),
        Whom::Account(key) => database::Whom::Account(AccountKey::clone(key)),
        Whom::All => database::Whom::All,
    }
}
