//! The server: one thread, `poll`, and a bound on everything.
//!
//! Two sockets stand side by side, for the kernel knows best who is in a group. The first (`control.sock`) can only be
//! opened by root, the service's own user and the group that may act: its mode says so, and supplementary groups count, which
//! no socket tells of its peer. The second (`control.sock.read`) can be opened by everybody; who comes through it may read the
//! status where that is allowed, and is told why not where it is not.
//!
//! The thread that judges hears of clients only what they ask: at most [`IN_FLIGHT_MAX`] questions wait for it, at most
//! one of them from somebody who may only read, and such readers are given the same answer for a second. It never waits for a
//! client: an answer and a decision are handed over through queues, and what a slow client has no room for is counted.
//!
//! Nothing here wakes up by itself but to cut a client who has begun a line, or owes us the reading of one.

mod bind;
mod connection;
mod places;
mod work;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::event::EventfdFlags;

pub use self::bind::{Access, BindError, read_door};
use crate::request::Request;
use crate::response::{Problem, Refusal, Response, TailEvent};
use crate::rights::Peer;

/// Questions that may wait for the thread that judges.
pub(crate) const IN_FLIGHT_MAX: usize = 8;

/// Decisions that may wait for the server's thread; what is more is counted as missed.
const EVENTS_MAX: usize = 1024;

/// How long a slow client is borne with.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From a line's first byte to its line feed.
    pub half_request: Duration,
    /// From the moment that an answer is ready until the client has read it. Clients who tail are borne with for ever:
    /// they lose decisions instead.
    pub unread_answer: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience { half_request: Duration::from_secs(10), unread_answer: Duration::from_secs(30) }
    }
}

/// Sockets that are bound and listen. Bind before rights are given up, start afterwards.
#[derive(Debug)]
pub struct Server {
    doors: [Door; 2],
    patience: Patience,
    readers: bool,
}

/// One of the two sockets.
#[derive(Debug)]
struct Door {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the socket's file.
    identity: (u64, u64),
    /// Whoever comes through may act, if the group is not this.
    group: Option<u32>,
    acts: bool,
}

/// A question that waits for an answer.
#[derive(Debug)]
pub struct Asked {
    /// What; never [`Request::Tail`], and never what the peer may not ask.
    pub request: Request,
    /// By whom.
    pub peer: Peer,
    /// Where the answer goes.
    pub reply: Reply,
}

/// Takes one answer. Dropped without one, the client is told that there was none.
#[derive(Debug)]
pub struct Reply {
    client: u64,
    to: Sender<(u64, Response)>,
    shared: Arc<Shared>,
    sent: bool,
}

impl Reply {
    /// Sends the answer. Never waits, and cannot fail: the client may be gone.
    pub fn send(mut self, response: impl Into<Response>) {
        self.hand_over(response.into());
    }

    fn hand_over(&mut self, response: Response) {
        self.sent = true;
        // There is room for every question in flight; where the server is gone, so is the client.
        let _ = self.to.try_send((self.client, response));
        self.shared.wake();
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.sent {
            self.hand_over(Refusal::new(Problem::Internal, "fairban gave no answer").into());
        }
    }
}

/// Tells decisions to those who tail. Costs one load where nobody does.
#[derive(Clone, Debug)]
pub struct Publisher {
    to: Sender<TailEvent>,
    shared: Arc<Shared>,
}

impl Publisher {
    /// Whether anybody tails: else there is no need to make an event.
    pub fn is_watched(&self) -> bool {
        self.shared.tailing.load(Ordering::Relaxed) > 0
    }

    /// Tells an event. Never waits: where there is no room it is counted as missed.
    pub fn publish(&self, event: &TailEvent) {
        if !self.is_watched() {
            return;
        }
        if self.to.try_send(event.clone()).is_err() {
            self.shared.missed.fetch_add(1, Ordering::Relaxed);
        }
        self.shared.wake();
    }
}

/// What the server's thread and the others share.
#[derive(Debug)]
struct Shared {
    /// Counts up when there is something to look at.
    event: OwnedFd,
    /// It has been told, and has not looked yet.
    told: AtomicBool,
    tailing: AtomicUsize,
    missed: AtomicU64,
    stops: AtomicBool,
    readers: AtomicBool,
}

impl Shared {
    fn wake(&self) {
        if !self.told.swap(true, Ordering::SeqCst) {
            // The counter has room for more than can ever be told before it is read.
            let _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
        }
    }
}

/// The server's thread. Dropped, it is stopped and the sockets are removed.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Says whether others may read the status; for whoever is told so while the server runs.
#[derive(Clone, Debug)]
pub struct Readers(Arc<Shared>);

impl Readers {
    /// Whether others may read the status, from now on.
    pub fn allow(&self, allow: bool) {
        self.0.readers.store(allow, Ordering::Relaxed);
    }
}

impl Running {
    /// For whoever says whether others may read the status.
    pub fn readers(&self) -> Readers {
        Readers(Arc::clone(&self.shared))
    }

    /// Answers what is waiting with "stopping", closes all connections, removes the sockets.
    pub fn stop(self) {}
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.stops.store(true, Ordering::SeqCst);
        self.shared.wake();
        if let Some(thread) = self.thread.take() {
            // A panic there has been told already.
            let _ = thread.join();
        }
    }
}

/// The server's thread could not be started: what surrounds us is at fault.
#[derive(Debug, thiserror::Error)]
#[error("the control socket cannot be served: no {what}")]
pub struct StartError {
    what: &'static str,
    source: io::Error,
}

impl Server {
    /// Other patience than the default.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Server {
        self.patience = patience;
        self
    }

    /// Starts the thread. Questions arrive at the receiver; whoever drops it makes the server answer "stopping".
    pub fn start(self) -> Result<(Running, Receiver<Asked>, Publisher), StartError> {
        let event = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| StartError { what: "event counter", source: error.into() })?;
        let shared = Arc::new(Shared {
            event,
            told: AtomicBool::new(false),
            tailing: AtomicUsize::new(0),
            missed: AtomicU64::new(0),
            stops: AtomicBool::new(false),
            readers: AtomicBool::new(self.readers),
        });
        let (ask, asked) = bounded(IN_FLIGHT_MAX);
        let (to_replies, replies) = bounded(IN_FLIGHT_MAX);
        let (to_events, events) = bounded(EVENTS_MAX);
        let queues = work::Queues { ask, to_replies, replies, events };
        let work = work::Work::new(self.doors, self.patience, Arc::clone(&shared), queues);
        let thread = thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || work.run())
            .map_err(|source| StartError { what: "thread", source })?;
        let publisher = Publisher { to: to_events, shared: Arc::clone(&shared) };
        Ok((Running { shared, thread: Some(thread) }, asked, publisher))
    }
}
