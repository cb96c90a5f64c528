//! The thread that records.
//!
//! The engine's thread hands entries over and goes on. While the database cannot be written (disk full, read-only,
//! damaged, held by another program) entries wait in a bounded backlog and writing is tried again, less and less often;
//! what the backlog does not hold is lost, counted and said. Whatever happens here, bans go on.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use fairban_core::time::Time;

use super::{Clock, Database, Entry, Error, MovedAside, Options};

/// Entries in one transaction.
const BATCH_MAX: usize = 512;

/// The first entry waits so long for others: too short for anybody to miss it, and long enough for those who were told of
/// the same verdict to have the processor first.
const GATHER: Duration = Duration::from_millis(2);

/// The longest pause between two tries.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// How the database does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Everything is recorded.
    Ok,
    /// It cannot be written. Bans go on; history waits.
    Degraded {
        /// Since when.
        since: Time,
        /// Why, with the remedy.
        why: String,
        /// Entries that wait.
        waiting: u64,
        /// Entries lost since then.
        lost: u64,
    },
}

/// Something that the daemon should say, and may have to do something about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It cannot be written from now on, and why; or the reason changed.
    Degraded(String),
    /// It can be written again. Send [`Entry::InForce`]: entries may have been lost, or the file replaced.
    Recovered {
        /// Entries that were lost.
        lost: u64,
    },
    /// The database was damaged: it was moved aside and a new one begun. Send [`Entry::InForce`].
    BegunAnew(MovedAside),
}

/// A handle to the thread. Dropping it lets the thread record what it has and end, without waiting for it.
#[derive(Debug)]
pub struct Writer {
    sender: SyncSender<Message>,
    shared: Arc<Mutex<Shared>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Message {
    Entry(Entry),
    /// Record everything, force it onto the disk, and say how it went.
    Settle(SyncSender<Result<(), Health>>),
    /// Record what was sent before, as far as that goes now, and say that it was tried.
    Tried(SyncSender<()>),
}

/// Entries sent until now, on their way: for whoever wants to read what was just written.
#[derive(Debug)]
pub struct OnTheirWay(Receiver<()>);

impl OnTheirWay {
    /// Waits until they were recorded, or could not be; at most for `longest`.
    pub fn wait(&self, longest: Duration) {
        // Late, or the thread has ended: what is there is there.
        let _ = self.0.recv_timeout(longest);
    }
}

#[derive(Debug)]
struct Shared {
    health: Health,
    /// Entries that could not even enter the channel.
    refused: u64,
}

impl Writer {
    /// Starts the thread on the database at `path`, which is opened (or made) there: this never fails and never waits.
    /// `on_notice` is called in that thread and must not wait for it.
    ///
    /// # Errors
    /// If the system has no thread to give.
    pub fn start(
        path: &Path,
        options: Options,
        clock: impl Clock + 'static,
        on_notice: impl FnMut(Notice) + Send + 'static,
    ) -> std::io::Result<Writer> {
        let (sender, receiver) = mpsc::sync_channel(options.queue_max.max(1));
        let shared = Arc::new(Mutex::new(Shared { health: Health::Ok, refused: 0 }));
        let worker = Worker {
            path: path.to_owned(),
            options,
            clock: Box::new(clock),
            on_notice: Box::new(on_notice),
            receiver,
            shared: Arc::clone(&shared),
            database: None,
            backlog: VecDeque::new(),
            trouble: None,
            dropped: 0,
            settle: Vec::new(),
            tried: Vec::new(),
        };
        let thread = std::thread::Builder::new().name("store".to_owned()).spawn(move || worker.run())?;
        Ok(Writer { sender, shared, thread: Some(thread) })
    }

    /// Hands an entry over. Waits only while the channel is full, and the thread takes from it also while the database
    /// cannot be written: at most for one transaction.
    pub fn send(&self, entry: Entry) {
        if self.sender.send(Message::Entry(entry)).is_err() {
            // The thread has ended, which it does only if it panicked.
            self.refuse();
        }
    }

    /// The same without ever waiting; false if the channel is full: then the entry is lost, and counted.
    pub fn try_send(&self, entry: Entry) -> bool {
        match self.sender.try_send(Message::Entry(entry)) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.refuse();
                false
            }
        }
    }

    /// How the database does.
    pub fn health(&self) -> Health {
        lock(&self.shared).health.clone()
    }

    /// Entries that never reached the thread.
    pub fn refused(&self) -> u64 {
        lock(&self.shared).refused
    }

    /// Waits until everything sent before is recorded and on the disk: before the journal is shortened, and when the
    /// daemon ends. An error if that could not be done at the first try, or not within `longest`.
    pub fn settle(&self, longest: Duration) -> Result<(), Health> {
        let (answer, answered) = mpsc::sync_channel(1);
        if self.sender.send(Message::Settle(answer)).is_err() {
            return Err(self.health());
        }
        answered.recv_timeout(longest).unwrap_or_else(|_| Err(self.health()))
    }

    /// What was sent until now, for another thread to wait for. Waits itself only as [`Writer::send`] does.
    pub fn on_their_way(&self) -> OnTheirWay {
        let (answer, answered) = mpsc::sync_channel(1);
        // If the thread has ended, the other end is dropped, and nobody waits.
        let _ = self.sender.send(Message::Tried(answer));
        OnTheirWay(answered)
    }

    /// Records what was sent and ends the thread. Entries that cannot be recorded at the first try are lost here; the
    /// journal makes them again at the next start.
    pub fn stop(mut self) -> Health {
        let (closed, _) = mpsc::sync_channel(1);
        self.sender = closed;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread is in its health already: nothing more is known of it.
            let _ = thread.join();
        }
        self.health()
    }

    fn refuse(&self) {
        lock(&self.shared).refused += 1;
    }
}

/// Records the first `batch` entries one by one, in a database that is full. Where it has reached its own bound with bans
/// in force, waiting makes no room, and what ends bans does, wherever it stands: so what does not fit is dropped, and
/// counted in `dropped`. Where the disk is full, everything waits.
fn record_singly(
    database: &mut Database,
    backlog: &mut VecDeque<Entry>,
    batch: usize,
    dropped: &mut u64,
) -> Result<(), Error> {
    for _ in 0..batch {
        let Some(entry) = backlog.front() else { break };
        let mut written = database.record(std::slice::from_ref(entry));
        if written.as_ref().is_err_and(Error::is_full) && database.is_at_bound() {
            written = database.record_at_bound(entry);
            if written.as_ref().is_err_and(Error::is_full) {
                *dropped += 1;
                written = Ok(());
            }
        }
        written?;
        backlog.pop_front();
    }
    Ok(())
}

fn lock(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    // What it guards is whole at every moment.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Worker {
    path: PathBuf,
    options: Options,
    clock: Box<dyn Clock>,
    on_notice: Box<dyn FnMut(Notice) + Send>,
    receiver: Receiver<Message>,
    shared: Arc<Mutex<Shared>>,
    database: Option<Database>,
    /// What is not yet recorded, oldest first.
    backlog: VecDeque<Entry>,
    trouble: Option<Trouble>,
    /// Entries lost that are not yet counted in `trouble`.
    dropped: u64,
    /// Who waits for everything to be on the disk.
    settle: Vec<SyncSender<Result<(), Health>>>,
    /// Who waits for what was sent before to be recorded, if it can be.
    tried: Vec<SyncSender<()>>,
}

/// Since the database cannot be written.
#[derive(Debug)]
struct Trouble {
    since: Time,
    why: String,
    lost: u64,
    /// When to try again, and how long to wait after that.
    retry_at: Duration,
    pause: Duration,
}

impl Worker {
    fn run(mut self) {
        // Opened at once, so that a daemon with nothing to record says at its start what is wrong.
        self.attempt();
        while self.receive() {
            let due = self.trouble.as_ref().is_none_or(|trouble| self.clock.elapsed() >= trouble.retry_at);
            if due || !self.settle.is_empty() {
                self.attempt();
            }
            self.shorten();
            self.tell_health();
            self.answer();
        }
        self.attempt();
        if let Some(database) = &mut self.database {
            // A log that stays behind is read at the next start.
            let _ = database.settle();
        }
        self.tell_health();
        self.answer();
    }

    /// Waits for a message, or for the time to try again, and takes what there is. False when all senders are gone.
    fn receive(&mut self) -> bool {
        let first = match &self.trouble {
            None => self.receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(trouble) => {
                let wait = trouble.retry_at.saturating_sub(self.clock.elapsed());
                self.receiver.recv_timeout(wait.max(Duration::from_millis(1)))
            }
        };
        let mut next = match first {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return false,
        };
        let mut taken = 0;
        let end = self.clock.elapsed() + GATHER;
        while let Some(message) = next {
            match message {
                Message::Entry(entry) => self.backlog.push_back(entry),
                Message::Settle(answer) => {
                    self.settle.push(answer);
                    return true;
                }
                Message::Tried(answer) => {
                    self.tried.push(answer);
                    return true;
                }
            }
            taken += 1;
            // Who has hung up is noticed the next time.
            let wait = end.saturating_sub(self.clock.elapsed());
            next = if taken < BATCH_MAX { self.receiver.recv_timeout(wait).ok() } else { None };
        }
        true
    }

    /// Records the backlog, if the database lets it.
    fn attempt(&mut self) {
        match self.record() {
            Ok(()) => self.recover(),
            Err(error) => {
                if !error.is_passing() {
                    // What is wrong may be the connection itself: it is opened again next time.
                    self.database = None;
                }
                if error.is_corrupt() && self.begin_anew(&error) {
                    return;
                }
                self.degrade(&error);
            }
        }
    }

    fn record(&mut self) -> Result<(), Error> {
        loop {
            let now = self.clock.now();
            let database = match &mut self.database {
                Some(database) => database,
                closed @ None => {
                    let (database, aside) = Database::open(&self.path, self.options, now)?;
                    if let Some(aside) = aside {
                        (self.on_notice)(Notice::BegunAnew(aside));
                    }
                    closed.insert(database)
                }
            };
            let batch = self.backlog.len().min(BATCH_MAX);
            if batch == 0 {
                return Ok(());
            }
            let mut written = database.record(&self.backlog.make_contiguous()[..batch]);
            if written.as_ref().is_err_and(Error::is_full) {
                // Perhaps it is the bound of our own that is reached: make room.
                while database.prune(now)? {}
                written = database.record(&self.backlog.make_contiguous()[..batch]);
            }
            if written.as_ref().is_err_and(Error::is_full) {
                record_singly(database, &mut self.backlog, batch, &mut self.dropped)?;
                return written;
            }
            written?;
            self.backlog.drain(..batch);
            database.prune(now)?;
        }
    }

    /// The database turned out to be damaged while it was open: opening it again finds that out for itself, unless the
    /// damage lies where opening does not look.
    fn begin_anew(&mut self, error: &Error) -> bool {
        let now = self.clock.now();
        match Database::begin_anew(&self.path, self.options, error, now) {
            Ok((database, aside)) => {
                self.database = Some(database);
                (self.on_notice)(Notice::BegunAnew(aside));
                match self.record() {
                    Ok(()) => {
                        self.recover();
                        true
                    }
                    Err(_) => false,
                }
            }
            Err(_) => false,
        }
    }

    fn recover(&mut self) {
        if let Some(trouble) = self.trouble.take() {
            let lost = trouble.lost;
            if let (true, Some(database)) = (lost > 0, &mut self.database) {
                let text = format!("{lost} entries were lost: {}", trouble.why);
                // The notice says it too.
                let _ = database.note(self.clock.now(), "lost", &text);
            }
            (self.on_notice)(Notice::Recovered { lost });
        }
    }

    fn degrade(&mut self, error: &Error) {
        let why = error.to_string();
        let now = self.clock.elapsed();
        let first = Duration::from_millis(self.options.retry_millis.max(1));
        match &mut self.trouble {
            None => {
                let since = self.clock.now();
                self.trouble =
                    Some(Trouble { since, why: why.clone(), lost: 0, retry_at: now + first, pause: first });
                (self.on_notice)(Notice::Degraded(why));
            }
            Some(trouble) => {
                trouble.pause = trouble.pause.saturating_mul(2).min(RETRY_MAX);
                trouble.retry_at = now + trouble.pause;
                if trouble.why != why {
                    trouble.why.clone_from(&why);
                    (self.on_notice)(Notice::Degraded(why));
                }
            }
        }
    }

    /// Keeps the backlog within its bound: the oldest goes.
    fn shorten(&mut self) {
        let over = self.backlog.len().saturating_sub(self.options.backlog_max);
        self.backlog.drain(..over);
        self.dropped += over as u64;
        if let Some(trouble) = &mut self.trouble {
            trouble.lost += std::mem::take(&mut self.dropped);
        }
    }

    fn tell_health(&self) {
        let health = match &self.trouble {
            None => Health::Ok,
            Some(trouble) => Health::Degraded {
                since: trouble.since,
                why: trouble.why.clone(),
                waiting: self.backlog.len() as u64,
                lost: trouble.lost,
            },
        };
        lock(&self.shared).health = health;
    }

    fn answer(&mut self) {
        for waiting in self.tried.drain(..) {
            // Whoever asked may have given up.
            let _ = waiting.try_send(());
        }
        for waiting in std::mem::take(&mut self.settle) {
            let settled = match (&self.trouble, &mut self.database) {
                (None, Some(database)) => database.settle().map_err(|error| error.to_string()),
                (Some(trouble), _) => Err(trouble.why.clone()),
                (None, None) => Err("the database is not open".to_owned()),
            };
            let answer = settled.map_err(|why| Health::Degraded {
                since: self.clock.now(),
                why,
                waiting: self.backlog.len() as u64,
                lost: 0,
            });
            // Whoever asked may have given up.
            let _ = waiting.try_send(answer);
        }
    }
}
