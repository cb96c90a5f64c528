//! [`NftEnforcer`]: the other end of `fairban-fw`, for the process that decides.
//!
//! It starts `fairban-fw` itself, with one end of a socket pair as its descriptor 0 and an empty environment; or starts a
//! parent of it, which hands over one socket after the other (see `fw::run_parent`); or connects to the socket on which a
//! service manager started it. Every call that finds nobody there tries again, with
//! pauses that grow; what was asked meanwhile is not kept, as only a [`Order::Sync`] afterwards is right.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, connect, recv, recvmsg, send, socket_with, socketpair,
};

use crate::enforcer::{Answer, Enforcer, EnforcerStatus, Order, Shut, Unreachable};
use crate::fw::{PARENT, number};
use crate::limits::{Counted, EXEMPT_MAX, Limit};
use crate::protocol::{Health, MESSAGE_MAX, PIECE_MAX, Part, Reply, Request};

/// Answers are waited for so long: each piece of a long list has its own.
const PATIENCE: Duration = Duration::from_secs(1);

/// The first answer of a process that we started: it takes over what is in the kernel first.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// Requests sent before an answer is read: more would fill the socket of either side.
const IN_FLIGHT_MAX: usize = 4;

/// Notes kept; the oldest go.
const NOTES_MAX: usize = 100;

/// Most bytes of a parent's message: a number and a sentence.
const PARENT_MESSAGE_MAX: usize = 512;

/// Pages of a list: as many as the most bans fill.
const PAGES_MAX: usize = 2_000;

/// How to reach `fairban-fw`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Start this program with these arguments; it ends when we do. Needs the rights that it needs.
    Start {
        /// Its file.
        program: PathBuf,
        /// Its arguments.
        arguments: Vec<String>,
    },
    /// Connect to the socket at this path.
    Connect(PathBuf),
}

/// When to try again: pure, the time is passed in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackOff {
    failures: u32,
    failed_at: Option<Duration>,
}

impl BackOff {
    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(30);

    /// Whether `now` is late enough for another try. Times count from any one moment.
    pub fn is_due(&self, now: Duration) -> bool {
        self.failed_at.is_none_or(|failed_at| now >= failed_at + self.pause())
    }

    /// How long the pause is: twice the one before, from a tenth of a second to half a minute.
    pub fn pause(&self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(16);
        Self::FIRST.saturating_mul(1 << doublings).min(Self::LONGEST)
    }

    /// A try failed.
    pub fn failed(&mut self, now: Duration) {
        self.failures = self.failures.saturating_add(1);
        self.failed_at = Some(now);
    }

    /// A try succeeded.
    pub fn succeeded(&mut self) {
        *self = BackOff::default();
    }
}

/// An enforcer that hands everything to `fairban-fw`.
#[derive(Debug)]
pub struct NftEnforcer {
    reach: Option<Reach>,
    parent: Option<Parent>,
    link: Option<Link>,
    back_off: BackOff,
    born: Instant,
    why: String,
    allowed: BTreeSet<IpNet>,
    /// Limits and who is exempt, once anybody said what they are.
    limits: Option<(Vec<Limit>, Vec<IpNet>)>,
    notes: VecDeque<String>,
}

impl NftEnforcer {
    /// Nothing is started or connected before the first call.
    pub fn new(reach: Reach) -> NftEnforcer {
        NftEnforcer::with(Some(reach), None)
    }

    /// Over a socket that is connected already: sequential packets, as descriptor 0 of a `fairban-fw`. When it is gone
    /// nothing replaces it.
    pub fn over(socket: OwnedFd) -> NftEnforcer {
        NftEnforcer::with(None, Some(Link::new(socket, None)))
    }

    /// Over sockets that a parent of `fairban-fw` hands over, which is started here: so it still works when this process
    /// can start nothing any more. Needs root, or the rights that `fairban-fw` needs.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn under_parent(program: &Path, arguments: &[String]) -> Result<NftEnforcer, Unreachable> {
        let parent = Parent::start(program, arguments).map_err(Unreachable)?;
        let why = "fairban-fw has not begun yet".to_owned();
        Ok(NftEnforcer { parent: Some(parent), why, ..NftEnforcer::with(None, None) })
    }

    fn with(reach: Option<Reach>, link: Option<Link>) -> NftEnforcer {
        NftEnforcer {
            reach,
            parent: None,
            link,
            back_off: BackOff::default(),
            born: Instant::now(),
            why: "not yet tried".to_owned(),
            allowed: BTreeSet::new(),
            limits: None,
            notes: VecDeque::new(),
        }
    }

    /// Starts or connects now, so that a process may give up its rights afterwards. Under a parent it waits for the first
    /// `fairban-fw`, at most ten seconds.
    pub fn open(&mut self) -> Result<(), Unreachable> {
        if let (None, Some(parent)) = (&self.link, &self.parent) {
            let patience =
                Timespec::try_from(START_PATIENCE).map_err(|error| Unreachable(error.to_string()))?;
            // Whatever comes of it, the next call tells.
            let _ = poll(&mut [PollFd::new(&parent.socket, PollFlags::IN)], Some(&patience));
        }
        self.ping().map(|_| ())
    }

    /// How `fairban-fw` is.
    pub fn ping(&mut self) -> Result<Health, Unreachable> {
        match self.talk(&[Request::Ping])?.pop() {
            Some(Reply::Health(health)) => Ok(health),
            _ => Err(self.lose("fairban-fw answers something else than was asked".to_owned())),
        }
    }

    /// The process that we started, while it is there: `fairban-fw`, or its parent.
    pub fn child_id(&self) -> Option<u32> {
        let child = self.link.as_ref().and_then(|link| link.child.as_ref());
        child.or(self.parent.as_ref().map(|parent| &parent.child)).map(Child::id)
    }

    /// Requests and their answers, one each.
    fn talk(&mut self, requests: &[Request]) -> Result<Vec<Reply>, Unreachable> {
        self.connect()?;
        let Some(link) = &mut self.link else { return Err(Unreachable(self.why.clone())) };
        match link.talk(requests, &mut self.notes) {
            Ok(replies) => Ok(replies),
            Err(why) => Err(self.lose(why)),
        }
    }

    fn connect(&mut self) -> Result<(), Unreachable> {
        if self.link.is_some() {
            return Ok(());
        }
        let socket = match &mut self.parent {
            Some(parent) => parent.receive().map_err(|why| {
                // While there is no word, the last one holds.
                if let Some(why) = why {
                    self.why = why;
                }
                Unreachable(self.why.clone())
            })?,
            None => None,
        };
        let now = self.born.elapsed();
        let reach = self.reach.clone().filter(|_| self.back_off.is_due(now));
        if socket.is_none() && reach.is_none() {
            return Err(Unreachable(self.why.clone()));
        }
        let open = || match (socket, reach) {
            (Some(socket), _) => Ok(Link::new(socket, None)),
            (None, Some(reach)) => Link::open(&reach),
            (None, None) => Err(String::new()),
        };
        let mut again = if self.allowed.is_empty() { Vec::new() } else { allow_requests(&self.allowed) };
        if let Some((limits, exempt)) = &self.limits {
            again.extend(limit_requests(limits, exempt));
        }
        let opened = open().and_then(|mut link| {
            // The first word must be heard before anything else is believed.
            let first = [Request::Ping].into_iter().chain(again);
            link.talk(&first.collect::<Vec<_>>(), &mut self.notes)?;
            Ok(link)
        });
        match opened {
            Ok(link) => {
                self.link = Some(link);
                self.back_off.succeeded();
                Ok(())
            }
            Err(why) => Err(self.lose(why)),
        }
    }

    fn lose(&mut self, why: String) -> Unreachable {
        self.link = None;
        if let Some(parent) = &self.parent {
            parent.ask_for_another();
        }
        self.back_off.failed(self.born.elapsed());
        self.why.clone_from(&why);
        Unreachable(why)
    }
}

impl Enforcer for NftEnforcer {
    fn carry_out(&mut self, orders: &[Order]) -> Result<Vec<Answer>, Unreachable> {
        if orders.is_empty() {
            return self.ping().map(|_| Vec::new());
        }
        let mut requests = Vec::new();
        // For each order, the requests that it became part of.
        let mut parts: Vec<std::ops::Range<usize>> = Vec::new();
        for run in orders.chunk_by(is_same_kind) {
            for orders in run.chunks(PIECE_MAX) {
                append_requests(orders, &mut requests, &mut parts);
            }
        }
        let replies = self.talk(&requests)?;
        let mut answers = Vec::with_capacity(orders.len());
        let mut within = 0;
        for (index, part) in parts.iter().enumerate() {
            within = if index > 0 && parts[index - 1] == *part { within + 1 } else { 0 };
            answers.push(match (&orders[index], replies.get(part.clone()).unwrap_or_default()) {
                (Order::Sync(_), pieces) => worst(pieces),
                (_, [Reply::Answers(answers)]) => {
                    answers.get(within).cloned().unwrap_or_else(|| Answer::Failed("no answer".to_owned()))
                }
                (_, [Reply::Refused(why)]) => Answer::Failed(why.clone()),
                _ => Answer::Failed("no answer".to_owned()),
            });
        }
        Ok(answers)
    }

    fn list(&mut self) -> Result<Vec<Shut>, Unreachable> {
        let mut all: Vec<Shut> = Vec::new();
        for _ in 0..PAGES_MAX {
            let after = all.last().map(|shut| shut.prefix);
            match self.talk(&[Request::List(after)])?.pop() {
                Some(Reply::Shuts(page, has_more)) => {
                    all.extend(page);
                    if !has_more {
                        return Ok(all);
                    }
                }
                _ => break,
            }
        }
        Err(self.lose("fairban-fw's list does not end".to_owned()))
    }

    /// Remembered, and said again after a reconnection. Answers [`Answer::Failed`] when they are too many.
    fn allow(&mut self, prefixes: &[IpNet]) -> Result<Answer, Unreachable> {
        self.allowed = prefixes.iter().map(IpNet::trunc).collect();
        let requests = allow_requests(&self.allowed);
        let replies = self.talk(&requests)?;
        Ok(worst(&replies))
    }

    /// Remembered, and said again after a reconnection.
    fn limit(&mut self, limits: &[Limit], exempt: &[IpNet]) -> Result<Answer, Unreachable> {
        if let Err(bad) = Limit::check_all(limits) {
            return Ok(Answer::Failed(bad.to_string()));
        }
        if exempt.len() > EXEMPT_MAX {
            return Ok(Answer::Failed(format!("at most {EXEMPT_MAX} prefixes are exempt")));
        }
        let (limits, exempt) = self.limits.insert((limits.to_vec(), exempt.to_vec()));
        let requests = limit_requests(limits, exempt);
        let replies = self.talk(&requests)?;
        Ok(worst(&replies))
    }

    fn counted(&mut self) -> Result<Vec<Counted>, Unreachable> {
        match self.talk(&[Request::Counts])?.pop() {
            Some(Reply::Counts(counts)) => Ok(counts),
            Some(Reply::Refused(why)) => Err(Unreachable(why)),
            _ => Err(self.lose("fairban-fw answers something else than was asked".to_owned())),
        }
    }

    fn established(&mut self, peers: &[SocketAddr]) -> Result<Vec<bool>, Unreachable> {
        let peers = &peers[..peers.len().min(PIECE_MAX)];
        match self.talk(&[Request::Established(peers.to_vec())])?.pop() {
            Some(Reply::Established(found)) if found.len() == peers.len() => Ok(found),
            // It cannot tell: an older one, or without the right to look.
            _ => Ok(vec![true; peers.len()]),
        }
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        let link = self.link.as_ref().map(|link| link.socket.as_fd());
        // While there is none, its parent's word is waited for.
        link.or_else(|| {
            self.parent.as_ref().filter(|parent| parent.is_there).map(|parent| parent.socket.as_fd())
        })
    }

    fn status(&mut self) -> EnforcerStatus {
        let name = "nftables".to_owned();
        match self.ping() {
            Ok(health) => {
                let mut remarks = health.remarks;
                if health.ban_us_p99 > 0 {
                    let (p50, p99) = (health.ban_us_p50, health.ban_us_p99);
                    remarks
                        .push(format!("bans reached the kernel in {p50} µs (median), {p99} µs (99 of 100)"));
                }
                if health.cut > 0 {
                    remarks.push(format!("{} open connections cut", health.cut));
                }
                if health.waiting > 0 {
                    remarks.push(format!("{} bans wait for the cap", health.waiting));
                }
                EnforcerStatus { name, ready: true, shut: health.shut, remarks }
            }
            Err(Unreachable(why)) => EnforcerStatus { name, ready: false, shut: 0, remarks: vec![why] },
        }
    }

    fn notes(&mut self) -> Vec<String> {
        if let Some(link) = &mut self.link
            && let Err(why) = link.take_notes(&mut self.notes)
        {
            self.lose(why);
        }
        self.notes.drain(..).collect()
    }
}

fn is_same_kind(one: &Order, other: &Order) -> bool {
    matches!((one, other), (Order::Ban(_), Order::Ban(_)) | (Order::Unban(_), Order::Unban(_)))
}

/// At most a piece of orders of one kind.
fn append_requests(orders: &[Order], requests: &mut Vec<Request>, parts: &mut Vec<std::ops::Range<usize>>) {
    let start = requests.len();
    let bans =
        || orders.iter().filter_map(|order| if let Order::Ban(shut) = order { Some(*shut) } else { None });
    let unbans =
        || orders.iter().filter_map(|order| if let Order::Unban(net) = order { Some(*net) } else { None });
    match &orders[0] {
        Order::Ban(_) => requests.push(Request::Ban(bans().collect())),
        Order::Unban(_) => requests.push(Request::Unban(unbans().collect())),
        Order::Sync(all) => {
            let count = all.len().div_ceil(PIECE_MAX).max(1);
            let piece = |index: usize| all.chunks(PIECE_MAX).nth(index).unwrap_or_default().to_vec();
            requests.extend((0..count).map(|index| Request::Sync(Part::of(index, count), piece(index))));
        }
    }
    parts.extend(orders.iter().map(|_| start..requests.len()));
}

fn allow_requests(prefixes: &BTreeSet<IpNet>) -> Vec<Request> {
    let all: Vec<IpNet> = prefixes.iter().copied().collect();
    let count = all.len().div_ceil(PIECE_MAX).max(1);
    let piece = |index: usize| all.chunks(PIECE_MAX).nth(index).unwrap_or_default().to_vec();
    (0..count).map(|index| Request::Allow(Part::of(index, count), piece(index))).collect()
}

fn limit_requests(limits: &[Limit], exempt: &[IpNet]) -> Vec<Request> {
    let count = exempt.len().div_ceil(PIECE_MAX).max(1);
    let piece = |index: usize| {
        let limits = if index == 0 { limits.to_vec() } else { Vec::new() };
        let exempt = exempt.chunks(PIECE_MAX).nth(index).unwrap_or_default().to_vec();
        Request::Limits(Part::of(index, count), limits, exempt)
    };
    (0..count).map(piece).collect()
}

/// One answer for the pieces of a list.
fn worst(replies: &[Reply]) -> Answer {
    let mut worst = Answer::Done;
    for reply in replies {
        match reply {
            Reply::Answers(answers) => {
                for answer in answers {
                    match (answer, &worst) {
                        (Answer::Failed(_), _) => return answer.clone(),
                        (Answer::Protected, _) | (Answer::Delayed, Answer::Done) => worst = answer.clone(),
                        _ => {}
                    }
                }
            }
            Reply::Refused(why) => return Answer::Failed(why.clone()),
            _ => return Answer::Failed("no answer".to_owned()),
        }
    }
    worst
}

/// The parent of `fairban-fw`, and the end of our socket pair with it.
#[derive(Debug)]
struct Parent {
    socket: OwnedFd,
    child: Child,
    /// Of the `fairban-fw` whose socket came last.
    number: u32,
    is_there: bool,
}

impl Parent {
    fn start(program: &Path, arguments: &[String]) -> Result<Parent, String> {
        let failed = |error: io::Error| format!("cannot start {}: {error}", program.display());
        let (socket, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .map_err(|errno| failed(errno.into()))?;
        let child = Command::new(program)
            .arg(PARENT)
            .args(arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .spawn()
            .map_err(failed)?;
        Ok(Parent { socket, child, number: 0, is_there: true })
    }

    /// The socket that came last, if any came. An error is what was said last, if anything was.
    fn receive(&mut self) -> Result<Option<OwnedFd>, Option<String>> {
        let (mut last, mut said) = (None, None);
        loop {
            let mut bytes = [0; PARENT_MESSAGE_MAX];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
            let received = recvmsg(&self.socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags);
            let len = match received {
                Ok(message) if message.bytes > 0 => message.bytes,
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => break,
                Ok(_) | Err(_) => {
                    self.is_there = false;
                    said = Some("the parent of fairban-fw is gone; restart fairban".to_owned());
                    break;
                }
            };
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(mut sockets) = message {
                    last = sockets.next();
                }
            }
            if let Some((number, words)) = number(&bytes[..len]) {
                self.number = number;
                if !words.is_empty() {
                    // Who has ended is of no use any more.
                    last = None;
                    said = Some(String::from_utf8_lossy(words).into_owned());
                }
            }
        }
        match last {
            Some(socket) => Ok(Some(socket)),
            None => Err(said),
        }
    }

    /// The one whose socket came last is of no use.
    fn ask_for_another(&self) {
        // A parent that is gone, or busy with a new one already, is heard next time.
        let _ = send(&self.socket, &self.number.to_le_bytes(), SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
    }
}

/// A connection.
#[derive(Debug)]
struct Link {
    socket: OwnedFd,
    child: Option<Child>,
    next_id: u32,
    patience: Duration,
    buffer: Vec<u8>,
}

impl Link {
    fn new(socket: OwnedFd, child: Option<Child>) -> Link {
        Link { socket, child, next_id: 1, patience: START_PATIENCE, buffer: Vec::new() }
    }

    fn open(reach: &Reach) -> Result<Link, String> {
        let (flags, kind) = (SocketFlags::CLOEXEC, SocketType::SEQPACKET);
        match reach {
            Reach::Start { program, arguments } => {
                let failed = |error: io::Error| format!("cannot start {}: {error}", program.display());
                let (ours, theirs) = socketpair(AddressFamily::UNIX, kind, flags, None)
                    .map_err(|errno| failed(errno.into()))?;
                let child = Command::new(program)
                    .args(arguments)
                    .env_clear()
                    .stdin(Stdio::from(theirs))
                    .stdout(Stdio::null())
                    .spawn()
                    .map_err(failed)?;
                Ok(Link::new(ours, Some(child)))
            }
            Reach::Connect(path) => {
                let failed =
                    |errno: Errno| format!("cannot connect to fairban-fw at {}: {errno}", path.display());
                let socket = socket_with(AddressFamily::UNIX, kind, flags, None).map_err(failed)?;
                let address = SocketAddrUnix::new(path).map_err(failed)?;
                connect(&socket, &address).map_err(failed)?;
                Ok(Link::new(socket, None))
            }
        }
    }

    fn talk(&mut self, requests: &[Request], notes: &mut VecDeque<String>) -> Result<Vec<Reply>, String> {
        let mut replies = Vec::with_capacity(requests.len());
        let mut sent = 0;
        let first_id = self.next_id;
        while replies.len() < requests.len() {
            while sent < requests.len() && sent - replies.len() < IN_FLIGHT_MAX {
                let bytes = requests[sent].encode(self.next_id);
                self.next_id = self.next_id.checked_add(1).unwrap_or(1);
                send(&self.socket, &bytes, SendFlags::NOSIGNAL).map_err(|errno| self.is_gone(errno))?;
                sent += 1;
            }
            let (id, reply) = self.receive(notes)?;
            if id != first_id.wrapping_add(replies.len() as u32) && id != 0 {
                return Err("fairban-fw answers what was not asked".to_owned());
            }
            replies.push(reply);
            self.patience = PATIENCE;
        }
        Ok(replies)
    }

    fn receive(&mut self, notes: &mut VecDeque<String>) -> Result<(u32, Reply), String> {
        let end = Instant::now() + self.patience;
        loop {
            if let Some((id, reply)) = self.try_receive()? {
                match reply {
                    Reply::Note(note) => keep(notes, note),
                    reply => return Ok((id, reply)),
                }
                continue;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("fairban-fw does not answer within {} s", self.patience.as_secs()));
            }
            let left = Timespec::try_from(left).map_err(|error| error.to_string())?;
            match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&left)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(format!("cannot wait for fairban-fw: {errno}")),
            }
        }
    }

    fn try_receive(&mut self) -> Result<Option<(u32, Reply)>, String> {
        self.buffer.resize(MESSAGE_MAX, 0);
        match recv(&self.socket, &mut self.buffer[..], RecvFlags::DONTWAIT) {
            Ok((_, 0)) => Err(self.is_gone(Errno::PIPE)),
            Ok((_, len)) => {
                let message = &self.buffer[..len.min(MESSAGE_MAX)];
                Reply::decode(message).map(Some).map_err(|malformed| format!("fairban-fw: {malformed}"))
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(None),
            Err(errno) => Err(self.is_gone(errno)),
        }
    }

    fn take_notes(&mut self, notes: &mut VecDeque<String>) -> Result<(), String> {
        while let Some((_, reply)) = self.try_receive()? {
            match reply {
                Reply::Note(note) => keep(notes, note),
                _ => return Err("fairban-fw answers what was not asked".to_owned()),
            }
        }
        Ok(())
    }

    fn is_gone(&self, errno: Errno) -> String {
        let who = if self.child.is_some() { "its own words are in our log" } else { "see its service" };
        format!("fairban-fw is gone ({errno}); {who}")
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It is of no use any more; its bans stay.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn keep(notes: &mut VecDeque<String>, note: String) {
    if notes.len() == NOTES_MAX {
        notes.pop_front();
    }
    notes.push_back(note);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_with_a_success() {
        let mut back_off = BackOff::default();
        let mut now = Duration::ZERO;
        assert!(back_off.is_due(now));
        let mut pauses = Vec::new();
        for _ in 0..12 {
            back_off.failed(now);
            assert!(!back_off.is_due(now + back_off.pause().mul_f64(0.99)));
            now += back_off.pause();
            assert!(back_off.is_due(now));
            pauses.push(back_off.pause().as_millis());
        }
        assert_eq!(pauses[..4], [100, 200, 400, 800]);
        assert_eq!(pauses[9..], [30_000; 3]);
        back_off.succeeded();
        assert!(back_off.is_due(now));
    }

    #[test]
    fn who_is_not_there_is_unreachable_and_tried_again_later() {
        let mut enforcer = NftEnforcer::new(Reach::Connect(PathBuf::from("/nowhere/socket")));
        let first = enforcer.carry_out(&[]).expect_err("nobody is there");
        assert!(first.0.contains("/nowhere/socket"), "{first}");
        assert_eq!(enforcer.status().remarks, [first.0]);
        assert!(!enforcer.status().ready);
    }

    #[test]
    fn long_lists_are_cut_into_pieces() {
        let all: Vec<Shut> = (0..2_500_u32)
            .map(|index| Shut::new(IpNet::from(std::net::IpAddr::V4(index.into())), Some(1)))
            .collect();
        let (mut requests, mut parts) = (Vec::new(), Vec::new());
        append_requests(&[Order::Sync(all)], &mut requests, &mut parts);
        assert_eq!((parts.len(), parts[0].clone()), (1, 0..3));
        let shape: Vec<_> = requests
            .iter()
            .map(
                |request| {
                    if let Request::Sync(part, shuts) = request { (*part, shuts.len()) } else { panic!() }
                },
            )
            .collect();
        assert_eq!(shape, [(Part::First, 1_000), (Part::Middle, 1_000), (Part::Last, 500)]);
    }
}
