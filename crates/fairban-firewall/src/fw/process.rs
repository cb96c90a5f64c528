//! The process: what it opens, the walls it closes, and the loop.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use fairban_wall::{Calls, Capability, Identity, Raised, Wall};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags, SocketType, accept_with, recv, send, sockopt};

use super::arguments::Arguments;
use super::cutter::{Cutter, CutterSocket};
use super::established::Connections;
use super::guard::Guard;
use super::keeper::{Keeper, Outcome};
use super::latency::Latency;
use super::never_ban::{self, NeverBanError};
use super::own::Own;
use crate::nft;
use crate::protocol::{Health, MESSAGE_MAX, PIECE_MAX, Reply, Request};

/// Requests answered before the loop looks at anything else.
const REQUESTS_AT_ONCE: usize = 64;

/// Addresses are looked at again at most so often, however often routes change.
const LOOK_EVERY_MS: u64 = 1_000;

/// A question for the state has the table looked at, at most so often.
const VERIFY_EVERY_MS: u64 = 5_000;

/// Counting more bans than this takes too long to be done at every question.
const COUNTED_MAX: usize = 20_000;

/// Why `fairban-fw` cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Who started it is at fault.
    #[error("descriptor 0 must be a Unix socket of sequential packets: {0}")]
    Channel(String),
    /// The file's owner is at fault.
    #[error(transparent)]
    NeverBan(#[from] NeverBanError),
    /// The kernel lacks something, or we the right.
    #[error("{0}")]
    Kernel(String),
    /// The walls could not be closed.
    #[error(transparent)]
    Wall(#[from] fairban_wall::Error),
    /// What we wait on failed.
    #[error("cannot go on: {0}")]
    Io(#[from] io::Error),
}

impl From<nft::Error> for Error {
    fn from(error: nft::Error) -> Error {
        Error::Kernel(error.to_string())
    }
}

/// Runs until the other end of descriptor 0 is closed; where that listens, until the process is ended. Bans stay in the
/// kernel for their time either way.
pub fn run(arguments: &Arguments) -> Result<(), Error> {
    let mut channel = Channel::open()?;
    let guard = Guard::new(never_ban::read(&arguments.never_ban)?);
    let own = Own::open()?;
    let clock = Clock(Instant::now());
    let mut guard = guard;
    guard.set_own(&own.addresses);
    let keeper = Keeper::open(arguments.settings.clone(), guard, clock.now_ms())?;
    let cutter_socket = CutterSocket::open()?;
    let connections = Connections::open()?;
    let identity = identity(&arguments.user);
    let mut remarks = vec![kernel()];
    // Whoever started us may wait to be told; if nobody does, that is no error.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    let wall = Wall { identity, keep: vec![Capability::NetAdmin], calls: Calls::Firewall, ..Wall::default() };
    remarks.push(wall_remark(&wall.close()?));
    let cutter = Cutter::start(cutter_socket, &arguments.settings)?;
    let mut process = Process {
        clock,
        keeper,
        own,
        cutter,
        connections,
        latency: Latency::default(),
        remarks,
        look_due_ms: None,
        looked_ms: 0,
        verified_ms: 0,
        counted: (0, 0),
        notes_lost: 0,
    };
    process.serve(&mut channel)
}

/// Milliseconds since the start.
#[derive(Debug)]
struct Clock(Instant);

impl Clock {
    fn now_ms(&self) -> u64 {
        self.0.elapsed().as_millis() as u64
    }
}

fn kernel() -> String {
    let release = rustix::system::uname();
    format!("Linux {}", release.release().to_string_lossy())
}

fn wall_remark(raised: &Raised) -> String {
    let missing = raised.missing();
    let lack = if missing.is_empty() { String::new() } else { format!("; lacking {}", missing.join("; ")) };
    format!("fairban-fw: {raised}{lack}")
}

/// The user of that name, if we are root and there is one. Names from elsewhere than the file are not ours to ask for.
pub(super) fn identity(name: &str) -> Option<Identity> {
    if !rustix::process::getuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let mut fields = users
        .lines()
        .map(|line| line.split(':'))
        .find_map(|mut fields| (fields.next() == Some(name)).then_some(fields))?;
    let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Identity { uid, gid, groups: Vec::new() })
}

/// Descriptor 0, and the one that is spoken to.
struct Channel {
    zero: BorrowedFd<'static>,
    accepted: Option<OwnedFd>,
    is_listening: bool,
}

impl Channel {
    fn open() -> Result<Channel, Error> {
        let zero = rustix::stdio::stdin();
        let kind = sockopt::socket_type(zero).map_err(|errno| Error::Channel(errno.to_string()))?;
        if kind != SocketType::SEQPACKET {
            return Err(Error::Channel("it is another kind of socket".to_owned()));
        }
        let is_listening =
            sockopt::socket_acceptconn(zero).map_err(|errno| Error::Channel(errno.to_string()))?;
        Ok(Channel { zero, accepted: None, is_listening })
    }

    /// Where requests come from, if anybody is there.
    fn peer(&self) -> Option<BorrowedFd<'_>> {
        if self.is_listening { self.accepted.as_ref().map(AsFd::as_fd) } else { Some(self.zero) }
    }

    /// What to wait on: the peer, or the next one. One is served at a time.
    fn waits_on(&self) -> BorrowedFd<'_> {
        self.peer().unwrap_or(self.zero)
    }

    fn accept(&mut self) -> io::Result<()> {
        match accept_with(self.zero, SocketFlags::CLOEXEC) {
            Ok(fd) => self.accepted = Some(fd),
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(())
    }
}

/// What became of the peer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Peer {
    Stays,
    Left,
}

struct Process {
    clock: Clock,
    keeper: Keeper,
    own: Own,
    cutter: Cutter,
    connections: Connections,
    latency: Latency,
    remarks: Vec<String>,
    look_due_ms: Option<u64>,
    looked_ms: u64,
    verified_ms: u64,
    /// Bans in force, and when they were counted.
    counted: (u64, u64),
    notes_lost: u64,
}

impl Process {
    fn serve(&mut self, channel: &mut Channel) -> Result<(), Error> {
        let mut buffer = vec![0; MESSAGE_MAX + 1];
        let mut wait_ms = None;
        loop {
            let [requests, events, routes] = self.wait(channel, wait_ms)?;
            if requests && channel.peer().is_none() {
                channel.accept()?;
                self.keeper.guard.begin();
            } else if requests && self.answer_all(channel, &mut buffer)? == Peer::Left {
                if !channel.is_listening {
                    return Ok(());
                }
                channel.accepted = None;
            }
            if routes && self.own.hear()? {
                self.look_due_ms.get_or_insert(self.looked_ms + LOOK_EVERY_MS);
            }
            wait_ms = self.housekeeping(channel, events)?;
        }
    }

    /// Waits until something happened: a request, an event of the table, an event of the host's addresses.
    fn wait(&self, channel: &Channel, wait_ms: Option<u64>) -> io::Result<[bool; 3]> {
        let wait = wait_ms.map(|ms| Duration::from_millis(ms.max(1)));
        // A duration of milliseconds fits.
        let wait = wait.and_then(|wait| Timespec::try_from(wait).ok());
        let channel = channel.waits_on();
        let mut fds = [
            PollFd::from_borrowed_fd(channel, PollFlags::IN),
            PollFd::from_borrowed_fd(self.keeper.events().as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.own.as_fd(), PollFlags::IN),
        ];
        match poll(&mut fds, wait.as_ref()) {
            Ok(_) => Ok([0, 1, 2].map(|index| !fds[index].revents().is_empty())),
            Err(Errno::INTR) => Ok([false; 3]),
            Err(errno) => Err(errno.into()),
        }
    }

    fn answer_all(&mut self, channel: &Channel, buffer: &mut [u8]) -> Result<Peer, Error> {
        let Some(peer) = channel.peer() else { return Ok(Peer::Left) };
        for _ in 0..REQUESTS_AT_ONCE {
            let len = match recv(peer, &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((_, 0)) | Err(Errno::CONNRESET) => return Ok(Peer::Left),
                Ok((_, len)) => len,
                Err(Errno::AGAIN) => return Ok(Peer::Stays),
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(Error::Io(errno.into())),
            };
            let read_at = Instant::now();
            let (id, request) = Request::decode(&buffer[..len.min(buffer.len())]);
            let (reply, shut) = match request {
                Ok(request) => self.answer(&request, read_at),
                Err(malformed) => (Reply::Refused(malformed.to_string()), Vec::new()),
            };
            // Who does not read the answers to what he asks has left.
            if send(peer, &reply.encode(id), SendFlags::DONTWAIT | SendFlags::NOSIGNAL).is_err() {
                return Ok(Peer::Left);
            }
            self.cutter.cut(shut);
        }
        Ok(Peer::Stays)
    }

    fn answer(&mut self, request: &Request, read_at: Instant) -> (Reply, Vec<crate::enforcer::Shut>) {
        let now_ms = self.clock.now_ms();
        let outcome = match request {
            Request::Ban(shuts) => {
                let outcome = self.keeper.ban(shuts, now_ms);
                self.latency.note(read_at.elapsed());
                outcome
            }
            Request::Unban(prefixes) => self.keeper.unban(prefixes, now_ms),
            Request::Sync(part, shuts) => self.keeper.sync(*part, shuts, now_ms),
            Request::Allow(part, prefixes) => self.keeper.allow(*part, prefixes, now_ms),
            Request::Limits(part, limits, exempt) => self.keeper.limit(*part, limits, exempt),
            Request::Counts => {
                let counts = self.keeper.counts();
                let reply = counts.map_or_else(|error| Reply::Refused(error.to_string()), Reply::Counts);
                return (reply, Vec::new());
            }
            Request::List(after) => {
                let (page, has_more) = self.keeper.page(*after, PIECE_MAX, now_ms);
                return (Reply::Shuts(page, has_more), Vec::new());
            }
            Request::Ping => return (Reply::Health(self.health(now_ms)), Vec::new()),
            Request::Established(peers) => {
                let found = self.connections.established(peers);
                let told = found.map_or_else(|error| Reply::Refused(error.to_string()), Reply::Established);
                return (told, Vec::new());
            }
        };
        let Outcome { answers, shut } = outcome;
        (Reply::Answers(answers), shut)
    }

    fn health(&mut self, now_ms: u64) -> Health {
        if now_ms >= self.verified_ms + VERIFY_EVERY_MS {
            self.verified_ms = now_ms;
            self.keeper.verify();
        }
        let (count, counted_ms) = self.counted;
        if count < COUNTED_MAX as u64 || now_ms >= counted_ms + 1_000 {
            self.counted = (self.keeper.in_force(now_ms), now_ms);
        }
        let mut remarks = self.remarks.clone();
        remarks.extend(self.keeper.remarks());
        remarks.extend(self.cutter.remark());
        if self.notes_lost > 0 {
            remarks.push(format!("{} notes were not taken by the other process", self.notes_lost));
        }
        Health {
            shut: self.counted.0,
            waiting: self.keeper.waiting(),
            cut: self.cutter.count(),
            ban_us_p50: self.latency.percentile_us(50),
            ban_us_p99: self.latency.percentile_us(99),
            remarks,
        }
    }

    /// What is due. Returns the milliseconds until something will be.
    fn housekeeping(&mut self, channel: &Channel, events: bool) -> Result<Option<u64>, Error> {
        let now_ms = self.clock.now_ms();
        let mut due = Vec::new();
        if let Some(due_ms) = self.look_due_ms {
            if now_ms >= due_ms {
                self.own.look()?;
                self.keeper.set_own(&self.own.addresses, now_ms);
                (self.look_due_ms, self.looked_ms) = (None, now_ms);
            } else {
                due.push(due_ms - now_ms);
            }
        }
        let (shut, wait_ms) = self.keeper.work_off(now_ms);
        self.cutter.cut(shut);
        due.extend(wait_ms);
        if events || self.keeper.is_broken() {
            let (notes, wait_ms) = self.keeper.repair(now_ms)?;
            for note in notes {
                self.tell(channel, note);
            }
            due.extend(wait_ms);
        }
        Ok(due.into_iter().min())
    }

    fn tell(&mut self, channel: &Channel, note: String) {
        let bytes = Reply::Note(note).encode(0);
        let is_told = channel
            .peer()
            .is_some_and(|peer| send(peer, &bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL).is_ok());
        self.notes_lost += u64::from(!is_told);
    }
}
