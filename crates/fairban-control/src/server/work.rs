//! The loop: waits, reads, asks, tells, cuts.

use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::sockopt::socket_peercred;

use super::connection::{Connection, Line, Phase};
use super::places::{Admission, admit};
use super::{Asked, Door, IN_FLIGHT_MAX, Patience, Reply, Shared};
use crate::REQUEST_BYTES_MAX;
use crate::group::named;
use crate::request::Request;
use crate::response::{Problem, Refusal, Response, TailEvent, TailKind};
use crate::rights::{Class, Peer};

/// Connections accepted at a socket at a time.
const ACCEPTED_AT_ONCE: usize = 16;

/// How long nobody is accepted when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// How long those who may only read are given the same answer.
const ANSWER_FRESH: Duration = Duration::from_secs(1);

/// How the thread and the others hand things over.
pub(super) struct Queues {
    pub(super) ask: Sender<Asked>,
    pub(super) to_replies: Sender<(u64, Response)>,
    pub(super) replies: Receiver<(u64, Response)>,
    pub(super) events: Receiver<TailEvent>,
}

/// The thread's state.
pub(super) struct Work {
    doors: [Door; 2],
    patience: Patience,
    shared: Arc<Shared>,
    queues: Queues,
    clients: Vec<Connection>,
    /// Counts connections: no number is given twice.
    last_client: u64,
    /// Counts what clients do, to tell the longest idle.
    moves: u64,
    /// Questions that wait for an answer: who asked, and whether he may only read.
    in_flight: Vec<(u64, bool)>,
    /// What readers were last answered: for the status, and for whether anybody is there.
    fresh: [Option<(Instant, Vec<u8>)>; 2],
    /// No file descriptor was left.
    accepts_again: Option<Instant>,
}

impl Drop for Work {
    fn drop(&mut self) {
        for door in &self.doors {
            door.remove();
        }
    }
}

impl Work {
    pub(super) fn new(doors: [Door; 2], patience: Patience, shared: Arc<Shared>, queues: Queues) -> Work {
        Work {
            doors,
            patience,
            shared,
            queues,
            clients: Vec::new(),
            last_client: 0,
            moves: 0,
            in_flight: Vec::new(),
            fresh: [None, None],
            accepts_again: None,
        }
    }

    /// Serves until it is told to stop.
    pub(super) fn run(mut self) {
        while !self.shared.stops.load(Ordering::SeqCst) {
            self.wait();
            self.take_replies();
            self.take_events();
            self.read_lines();
            self.ask();
            self.tell();
            self.cut_slow();
            self.forget_gone();
        }
        self.say_farewell();
    }

    /// Waits until there is something to do, and reads what there is.
    fn wait(&mut self) {
        let now = Instant::now();
        let mut wakes = self.clients.iter().filter_map(|client| client.cut_at(self.patience)).min();
        let accepts = self.accepts_again.is_none_or(|again| again <= now);
        if accepts {
            self.accepts_again = None;
        }
        wakes = [wakes, self.accepts_again].into_iter().flatten().min();
        if self.clients.iter().any(Connection::can_go_on) {
            wakes = Some(now);
        }
        let timeout = wakes.map(|at| at.saturating_duration_since(now));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());

        let listens = if accepts { PollFlags::IN } else { PollFlags::empty() };
        let mut polled = vec![PollFd::new(&self.shared.event, PollFlags::IN)];
        polled.extend(self.doors.iter().map(|door| PollFd::new(&door.listener, listens)));
        polled.extend(self.clients.iter().map(|client| {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, client.wants_input());
            flags.set(PollFlags::OUT, client.wants_output());
            PollFd::new(&client.stream, flags)
        }));
        if rustix::event::poll(&mut polled, timeout.as_ref()).is_err() {
            // Interrupted, or the kernel has no memory: the next round tries again.
            return;
        }
        let ready: Vec<PollFlags> = polled.iter().map(PollFd::revents).collect();
        drop(polled);
        self.take_ready(&ready);
    }

    fn take_ready(&mut self, ready: &[PollFlags]) {
        let now = Instant::now();
        if ready[0].contains(PollFlags::IN) {
            let mut count = [0; 8];
            // It says that there is something, and how often does not matter.
            let _ = rustix::io::read(&self.shared.event, &mut count);
        }
        // Before the queues are looked at: what is put there later is told anew.
        self.shared.told.store(false, Ordering::SeqCst);
        for (client, flags) in self.clients.iter_mut().zip(&ready[3..]) {
            if flags.contains(PollFlags::IN) {
                self.moves += 1;
                client.active = self.moves;
                client.read(now);
            }
            // Its end is closed both ways: nothing can be told to it.
            client.gone |= flags.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL)
                && !flags.contains(PollFlags::IN);
        }
        for (door, flags) in ready[1..3].iter().enumerate() {
            if flags.contains(PollFlags::IN) {
                self.accept(door, now);
            }
        }
    }

    fn accept(&mut self, door: usize, now: Instant) {
        for _ in 0..ACCEPTED_AT_ONCE {
            match self.doors[door].listener.accept() {
                Ok((stream, _)) => self.welcome(door, stream, now),
                Err(error) => {
                    let out_of =
                        |errno: rustix::io::Errno| error.raw_os_error() == Some(errno.raw_os_error());
                    let errnos = [
                        rustix::io::Errno::MFILE,
                        rustix::io::Errno::NFILE,
                        rustix::io::Errno::NOBUFS,
                        rustix::io::Errno::NOMEM,
                    ];
                    if errnos.into_iter().any(out_of) {
                        self.accepts_again = Some(now + ACCEPT_PAUSE);
                    }
                    return;
                }
            }
        }
    }

    /// Gives a newcomer a place, or tells it why not.
    fn welcome(&mut self, door: usize, stream: UnixStream, now: Instant) {
        let (Ok(()), Ok(peer)) = (stream.set_nonblocking(true), self.doors[door].peer(&stream)) else {
            return;
        };
        self.moves += 1;
        self.last_client += 1;
        let mut client = Connection::new(self.last_client, peer, stream, self.moves);
        let readers = self.shared.readers.load(Ordering::Relaxed);
        if peer.class == Class::Reader && !readers {
            client.tell(&self.denied().into(), now);
            client.write(now);
            return;
        }
        match admit(peer.class, self.clients.iter().filter(|client| !client.gone).map(Connection::seat)) {
            Admission::Free => {}
            Admission::InPlaceOf(other) => {
                let other = self.clients.iter_mut().filter(|client| client.id == other);
                other.for_each(|client| client.gone = true);
            }
            Admission::Full => {
                client.tell(&Refusal::new(Problem::Busy, "too many clients; try again later").into(), now);
                client.write(now);
                return;
            }
        }
        self.clients.push(client);
    }

    fn denied(&self) -> Refusal {
        let who = match self.doors[0].group {
            Some(group) => format!("root and members of the group {}", named(group)),
            None => "root".to_owned(),
        };
        let status = if self.shared.readers.load(Ordering::Relaxed) {
            "the status is for everybody"
        } else {
            "control.status_for_all would let everybody read the status"
        };
        Refusal::new(Problem::Denied, format!("only {who} may do this"))
            .hint(format!("use sudo, or let root set control.group to a group of yours; {status}"))
    }

    fn take_replies(&mut self) {
        let now = Instant::now();
        while let Ok((id, response)) = self.queues.replies.try_recv() {
            self.in_flight.retain(|(asked, _)| *asked != id);
            let Some(client) = self.clients.iter_mut().find(|client| client.id == id) else { continue };
            if !matches!(client.phase, Phase::Asked) {
                continue;
            }
            client.phase = Phase::Ready;
            if client.peer.class != Class::Reader {
                client.tell(&response, now);
                continue;
            }
            let (response, kept) = for_readers(response);
            let line = response.to_line();
            client.tell_line(&line, now);
            if let Some(kept) = kept {
                self.fresh[kept] = Some((now, line));
            }
        }
    }

    fn take_events(&mut self) {
        let now = Instant::now();
        let missed = self.shared.missed.swap(0, Ordering::Relaxed);
        while let Ok(event) = self.queues.events.try_recv() {
            let kind = event.kind.bit();
            let line = Response::Event(event).to_line();
            self.clients.iter_mut().for_each(|client| client.tell_event(kind, &line, now));
        }
        if missed > 0 {
            self.clients.iter_mut().for_each(|client| client.miss(missed));
        }
    }

    /// Makes requests of what was read.
    fn read_lines(&mut self) {
        let now = Instant::now();
        for at in 0..self.clients.len() {
            loop {
                match self.clients[at].next_line(now) {
                    Line::None => break,
                    Line::Whole(line) => self.take_line(at, &line, now),
                    Line::TooLong => {
                        let message = format!("a request has at most {REQUEST_BYTES_MAX} bytes");
                        self.refuse(at, Refusal::new(Problem::TooLong, message), now);
                    }
                }
            }
            let client = &self.clients[at];
            if matches!(client.phase, Phase::Tailing { .. }) && client.has_input() && !client.ends {
                let message = "whoever tails asks nothing else: open another connection";
                self.refuse(at, Refusal::new(Problem::BadRequest, message), now);
            }
        }
    }

    /// Says why, and ends the connection.
    fn refuse(&mut self, at: usize, refusal: Refusal, now: Instant) {
        self.clients[at].tell(&refusal.into(), now);
        self.clients[at].end();
    }

    fn take_line(&mut self, at: usize, line: &[u8], now: Instant) {
        let client = &self.clients[at];
        match Request::parse(line) {
            Err(bad) => self.clients[at].tell(&bad.into(), now),
            Ok(request) if !client.peer.may(&request) => {
                let denied = self.denied();
                self.clients[at].tell(&denied.into(), now);
            }
            Ok(Request::Tail { only }) => {
                let only = if only.is_empty() { TailKind::ALL.to_vec() } else { only };
                let kinds = only.into_iter().fold(TailKind::Other.bit(), |kinds, kind| kinds | kind.bit());
                self.clients[at].tell(&Response::Tailing, now);
                self.clients[at].phase = Phase::Tailing { kinds, missed: 0 };
                self.shared.tailing.fetch_add(1, Ordering::Relaxed);
            }
            Ok(request) => self.clients[at].phase = Phase::Waiting(request),
        }
    }

    /// Passes on as many questions as may be in flight: root's first, readers' one at a time and last.
    fn ask(&mut self) {
        let now = Instant::now();
        self.answer_again(now);
        while self.in_flight.len() < IN_FLIGHT_MAX {
            let reader_waits = self.in_flight.iter().any(|(_, reader)| *reader);
            let waiting = self.clients.iter_mut().filter(|client| matches!(client.phase, Phase::Waiting(_)));
            let may = waiting.filter(|client| client.peer.class != Class::Reader || !reader_waits);
            let Some(client) = may.min_by_key(|client| (client.peer.class, client.active)) else { return };
            let Phase::Waiting(request) = std::mem::replace(&mut client.phase, Phase::Asked) else { return };
            let (id, peer) = (client.id, client.peer);
            let (to, shared) = (self.queues.to_replies.clone(), Arc::clone(&self.shared));
            let asked = Asked { request, peer, reply: Reply { client: id, to, shared, sent: false } };
            match self.queues.ask.try_send(asked) {
                Ok(()) => self.in_flight.push((id, peer.class == Class::Reader)),
                Err(TrySendError::Full(asked) | TrySendError::Disconnected(asked)) => {
                    asked.reply.send(Refusal::new(Problem::Stopping, "fairban is stopping"));
                    return;
                }
            }
        }
    }

    /// Gives readers what another was told a moment ago.
    fn answer_again(&mut self, now: Instant) {
        for client in self.clients.iter_mut().filter(|client| client.peer.class == Class::Reader) {
            let Phase::Waiting(request) = &client.phase else { continue };
            let kept = usize::from(matches!(request, Request::Ping));
            let fresh =
                self.fresh[kept].as_ref().filter(|(then, _)| now.duration_since(*then) < ANSWER_FRESH);
            if let Some((_, line)) = fresh {
                client.phase = Phase::Ready;
                client.tell_line(line, now);
            }
        }
    }

    fn tell(&mut self) {
        let now = Instant::now();
        for client in self.clients.iter_mut().filter(|client| client.wants_output()) {
            client.write(now);
        }
    }

    fn cut_slow(&mut self) {
        let now = Instant::now();
        for client in &mut self.clients {
            if client.cut_at(self.patience).is_none_or(|at| at > now) {
                continue;
            }
            if client.owes_reading() {
                client.gone = true;
                continue;
            }
            let message = "the request was begun and not ended in time";
            client.tell(&Refusal::new(Problem::TimedOut, message).into(), now);
            client.end();
            client.write(now);
        }
    }

    fn forget_gone(&mut self) {
        let over = |client: &Connection| client.is_over();
        let tails = |client: &Connection| matches!(client.phase, Phase::Tailing { .. });
        let tailed = self.clients.iter().filter(|client| over(client) && tails(client)).count();
        self.shared.tailing.fetch_sub(tailed, Ordering::Relaxed);
        self.clients.retain(|client| !over(client));
    }

    fn say_farewell(&mut self) {
        let now = Instant::now();
        self.take_replies();
        for client in &mut self.clients {
            let waits = matches!(client.phase, Phase::Waiting(_) | Phase::Asked | Phase::Tailing { .. });
            if waits {
                client.tell(&Refusal::new(Problem::Stopping, "fairban is stopping").into(), now);
            }
            client.write(now);
        }
    }
}

/// An answer without what is not for everybody, and where it is kept for the next who asks.
fn for_readers(response: Response) -> (Response, Option<usize>) {
    match response {
        Response::Status(mut status) => {
            status.for_readers();
            (Response::Status(status), Some(0))
        }
        Response::Pong { .. } => (response, Some(1)),
        _ => (response, None),
    }
}

impl Door {
    /// Who came through this door, and what he may.
    fn peer(&self, stream: &UnixStream) -> rustix::io::Result<Peer> {
        let credentials = socket_peercred(stream.as_fd())?;
        let (uid, gid) = (credentials.uid.as_raw(), credentials.gid.as_raw());
        let own = rustix::process::geteuid().as_raw();
        // Only the file's mode lets members through the first door, by any of their groups.
        let member = self.group.is_some_and(|group| self.acts || gid == group);
        let class = match uid {
            0 => Class::Root,
            _ if uid == own => Class::Root,
            _ if member => Class::Member,
            _ => Class::Reader,
        };
        Ok(Peer { uid, gid, pid: credentials.pid.as_raw_pid() as u32, class })
    }
}
