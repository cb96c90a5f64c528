//! The thread that listens to `fairban-helper`: lines of the journal and of network syslog go the way of all lines, and
//! the addresses behind names of the allowlist go to the thread that decides.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use fairban_helper::config::{Journal, Listener, Resolve, Syslog, Transport};
use fairban_helper::protocol::Batch;
use fairban_helper::{Config as HelperConfig, Gone, Helper, Launch, Message};
use ipnet::IpNet;
use jiff::Timestamp;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};

use super::helped::{Helped, JOURNAL, Table};
use super::intake::{Intake, Item, Positions};
use super::office::{Feed, Feeder};
use crate::config::{Config, InputSource, Listen};
use crate::input::live::Plan;

/// Lines younger than this are not old ones.
const OLD: i64 = 60;

/// When nothing has come for so long, all old entries have.
const QUIET: Duration = Duration::from_secs(2);

/// What the helper is to do, if anything.
pub(crate) fn config(config: &Config, plan: &Plan, cursor: Option<&str>) -> HelperConfig {
    let mut helper = HelperConfig::default();
    for input in &plan.inputs {
        match &input.source {
            InputSource::Journal(matches) => {
                let journal = helper
                    .journal
                    .get_or_insert_with(|| Journal { matches: Vec::new(), ..Journal::of_services() });
                if matches.is_empty() {
                    journal.matches = Journal::of_services().matches;
                } else {
                    // A single + is journalctl's word for or.
                    let groups = matches.split(|one| one == "+").filter(|group| !group.is_empty());
                    journal.matches.extend(groups.map(<[String]>::to_vec));
                }
                let back = config.read_back.value.as_secs();
                journal.since = Some(Timestamp::now().as_second().saturating_sub(back));
                journal.cursor = cursor.map(str::to_owned);
            }
            InputSource::Syslog(Listen::Udp(address)) => {
                listen(&mut helper.syslog, Transport::Udp, *address, &input.senders);
            }
            InputSource::Syslog(Listen::Tcp(address)) => {
                listen(&mut helper.syslog, Transport::Tcp, *address, &input.senders);
            }
            _ => {}
        }
    }
    if !config.allowed.names.is_empty() {
        let every_seconds = u32::try_from(config.allow_refresh.value.as_secs()).unwrap_or(0);
        helper.resolve = Some(Resolve { names: config.allowed.names.clone(), every_seconds });
    }
    helper
}

fn listen(syslog: &mut Option<Syslog>, transport: Transport, address: SocketAddr, from: &[IpNet]) {
    let listener = Listener { transport, address, from: from.to_vec() };
    syslog.get_or_insert_default().listeners.push(listener);
}

/// Starts the helper if there is something for it to do. To be done before the walls are closed.
///
/// # Errors
/// It is not there, or refuses what it is to do.
pub(crate) fn start(
    config: HelperConfig,
    identity: Option<fairban_wall::Identity>,
) -> Result<Option<Helper>, fairban_helper::StartError> {
    if config.is_idle() {
        return Ok(None);
    }
    let launch = Launch {
        program: program("fairban-helper"),
        journalctl: PathBuf::from("/usr/bin/journalctl"),
        identity,
    };
    Helper::start(&launch, config).map(Some)
}

/// A program of ours: beside this one, or where packages put it.
pub(crate) fn program(name: &str) -> PathBuf {
    let beside = std::env::current_exe().ok().map(|path| path.with_file_name(name));
    let installed = Path::new("/usr/libexec/fairban").join(name);
    beside.filter(|path| path.exists()).unwrap_or(installed)
}

/// Wakes the thread from outside.
#[derive(Clone, Debug)]
pub(crate) struct Alarm(Arc<OwnedFd>);

impl Alarm {
    /// # Errors
    /// There are no more descriptors.
    pub(crate) fn new() -> io::Result<Alarm> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Alarm(Arc::new(event)))
    }

    pub(crate) fn ring(&self) {
        // It fails only if it has been rung 2^64 times.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }

    /// What has rung is heard.
    pub(crate) fn hear(&self) {
        let mut count = [0; 8];
        // Nothing is there where it has not rung.
        let _ = rustix::io::read(&*self.0, &mut count);
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Messages that are still taken at the end.
const LAST_MAX: usize = 256;

/// What the thread is told.
pub(crate) enum Order {
    /// Do this from now on, for these inputs.
    Configure(HelperConfig, Vec<Helped>),
    /// The end.
    Stop,
}

/// See the module's head.
pub(crate) struct Assistant {
    helper: Helper,
    intake: Intake,
    feed: Sender<Feed>,
    resolved: Sender<Vec<IpNet>>,
    orders: Receiver<Order>,
    alarm: Alarm,
    /// What it reads, for `status`.
    table: Table,
    /// What it reads once the next worker begins: until then batches name the inputs of before.
    next: Option<Vec<Helped>>,
    /// Old entries of the journal are still coming.
    behind: bool,
    told: Vec<IpNet>,
    lines: u64,
}

impl Assistant {
    pub(crate) fn new(
        helper: Helper,
        key: [u8; 16],
        table: Table,
        (feed, resolved): (Sender<Feed>, Sender<Vec<IpNet>>),
        orders: Receiver<Order>,
        alarm: Alarm,
    ) -> Assistant {
        let behind = helper.config().journal.is_some();
        let mut assistant = Assistant {
            helper,
            intake: Intake::new(key),
            feed,
            resolved,
            orders,
            alarm,
            table,
            next: None,
            behind,
            told: Vec::new(),
            lines: 0,
        };
        assistant.begin_inputs();
        assistant
    }

    /// These are the inputs from now on.
    fn read_now(&mut self, inputs: Vec<Helped>) {
        self.table.set(inputs);
        self.begin_inputs();
    }

    /// Inputs are known from now on. Nothing is merged here: what comes is handed out.
    fn begin_inputs(&mut self) {
        for input in self.table.inputs() {
            self.intake.begin(&input.key, input.reading, Timestamp::now());
            self.intake.caught_up(&input.key);
        }
        self.intake.hand_out(&mut Vec::new());
    }

    /// Whether it begins with old lines.
    pub(crate) fn is_behind(&self) -> bool {
        self.behind
    }

    /// Listens until it is told to stop, or the helper is gone.
    pub(crate) fn run(mut self) {
        loop {
            match self.wait() {
                Ok(true) => {}
                Ok(false) => self.quiet(),
                Err(_) => return,
            }
            while let Ok(order) = self.orders.try_recv() {
                match order {
                    Order::Stop => return self.end(),
                    Order::Configure(config, inputs) => match self.helper.reconfigure(config) {
                        Ok(true) => self.next = Some(inputs),
                        Ok(false) => self.read_now(inputs),
                        Err(error) => drop(self.tell(Some(error.to_string()))),
                    },
                }
            }
            loop {
                match self.helper.recv() {
                    Ok(Some(message)) => {
                        if !self.take(message) {
                            return;
                        }
                    }
                    Ok(None) => break,
                    Err(Gone(why)) => {
                        let text = format!("fairban-helper has ended ({why}): restart fairban");
                        self.table.failed(&text);
                        self.tell(Some(text));
                        return;
                    }
                }
            }
        }
    }

    /// The end: what has come is handed over, for the network does not say it again.
    fn end(mut self) {
        for _ in 0..LAST_MAX {
            let Ok(Some(message)) = self.helper.recv() else { return };
            if !self.take(message) {
                return;
            }
        }
    }

    /// `false` when nothing came for a while, and old entries were waited for.
    fn wait(&self) -> io::Result<bool> {
        let timeout = self
            .behind
            .then_some(QUIET)
            .map(|quiet| rustix::event::Timespec { tv_sec: quiet.as_secs() as i64, tv_nsec: 0 });
        let mut descriptors =
            [PollFd::new(&self.helper, PollFlags::IN), PollFd::new(&self.alarm, PollFlags::IN)];
        let ready = rustix::io::retry_on_intr(|| poll(&mut descriptors, timeout.as_ref()))?;
        if !descriptors[1].revents().is_empty() {
            self.alarm.hear();
        }
        Ok(ready > 0)
    }

    fn take(&mut self, message: Message) -> bool {
        match message {
            Message::Batch(batch) => self.lines(batch),
            Message::Resolved { .. } => {
                let names = self.helper.status().names.values();
                let mut all: Vec<IpNet> = names
                    .flat_map(|name| &name.addresses)
                    .map(|address: &IpAddr| IpNet::from(*address))
                    .collect();
                all.sort_unstable();
                all.dedup();
                if all != self.told {
                    self.told.clone_from(&all);
                    return self.resolved.send(all).is_ok();
                }
                true
            }
            Message::Restarted { why, .. } => {
                self.table.journal_restarted(&why);
                let note = format!("{why} and is started again");
                self.send(Feed { notes: vec![note], ..Feed::default() })
            }
            Message::Said { text, .. } => self.send(Feed { notes: vec![text], ..Feed::default() }),
            Message::Ready(ready) => {
                self.table.ready(&ready, self.behind);
                self.tell(None)
            }
            Message::Hello { after, .. } => {
                if let Some(inputs) = self.next.take() {
                    self.read_now(inputs);
                }
                let Some(why) = after else { return true };
                self.table.all_restarted(&format!("fairban-helper ended: {why}"));
                self.send(Feed {
                    notes: vec![format!("fairban-helper began again: {why}")],
                    ..Feed::default()
                })
            }
        }
    }

    fn lines(&mut self, batch: Batch) -> bool {
        let Some(key) = self.table.note(&batch, self.behind) else { return true };
        let Batch { lines, cursor, .. } = batch;
        let mut bytes = Vec::with_capacity(lines.iter().map(|line| line.len() + 1).sum());
        for line in &lines {
            bytes.extend_from_slice(line);
            bytes.push(b'\n');
        }
        let first = self.lines + 1;
        self.lines += lines.len() as u64;
        let cursor: Arc<dyn Positions> = Arc::new(Cursor(cursor.unwrap_or_default().into_bytes()));
        self.intake.lines(&key, &bytes, first, &cursor);
        let mut feed = Feed { bytes: bytes.len() as u64, ..Feed::default() };
        self.intake.hand_out(&mut feed.brought);
        // Network syslog has no place to go on from.
        feed.brought.retain(|brought| !matches!(&brought.item, Item::Read(place) if place.is_empty()));
        let newest = feed.brought.iter().rev().find_map(|brought| match &brought.item {
            Item::Line(line) => Some(line.event.time.secs()),
            Item::Read(_) => None,
        });
        if newest.is_some_and(|newest| newest >= Timestamp::now().as_second() - OLD) {
            self.be_live();
        }
        self.send(feed)
    }

    /// All old entries have come.
    fn quiet(&mut self) {
        self.be_live();
        self.send(Feed::default());
    }

    fn be_live(&mut self) {
        self.behind = false;
        self.table.caught_up();
    }

    fn tell(&mut self, trouble: Option<String>) -> bool {
        self.send(Feed { troubles: vec![("fairban-helper".to_owned(), trouble)], ..Feed::default() })
    }

    fn send(&mut self, feed: Feed) -> bool {
        let health = self.intake.take_health();
        self.feed.send(Feed { health, behind: self.behind, from: Feeder::Helper, ..feed }).is_ok()
    }
}

/// Where the journal stands after a batch; empty for what has no such place.
#[derive(Debug)]
struct Cursor(Vec<u8>);

impl Positions for Cursor {
    fn after(&self, _: usize, _: u64) -> Vec<u8> {
        self.0.clone()
    }
}

/// The place in the journal that was stored.
pub(crate) fn stored_cursor(inputs: &[super::desk::InputKnown]) -> Option<String> {
    let journal = inputs.iter().find(|input| input.key == JOURNAL)?;
    String::from_utf8(journal.position.clone()?).ok().filter(|cursor| !cursor.is_empty())
}
