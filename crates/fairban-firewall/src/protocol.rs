//! What is said to `fairban-fw` and what it says: prefixes and seconds, whether a connection is there, and words for a person.
//!
//! One message a packet, at most [`MESSAGE_MAX`] bytes: version, verb, flags, number, then what the verb takes. Numbers
//! are little-endian. A request gets one answer with its number; notes come unasked with number 0. Long lists go in
//! pieces of at most [`PIECE_MAX`]: `sync` and `allow` with flags for the first and the last, `list` with the prefix
//! after which to go on, so that neither side keeps anything for the other.

mod limits;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

use crate::enforcer::{Answer, Doors, Shut};
use crate::limits::{Counted, Limit};

/// Version of what is said; others are refused.
pub const VERSION: u8 = 1;

/// Most bytes of a message.
pub const MESSAGE_MAX: usize = 32 * 1024;

/// Most prefixes in a message.
pub const PIECE_MAX: usize = 1_000;

/// Most bytes of a sentence; the rest is cut off.
const SENTENCE_MAX: usize = 300;

/// Most sentences in a status.
const SENTENCES_MAX: usize = 24;

const FIRST: u16 = 1;
const LAST: u16 = 2;
const ANSWER: u8 = 0x80;

/// A piece of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Neither the first nor the last.
    Middle,
    /// More follow.
    First,
    /// Some came before.
    Last,
    /// The only one.
    Whole,
}

impl Part {
    /// The piece at `index` of `count`.
    pub fn of(index: usize, count: usize) -> Part {
        match (index == 0, index + 1 >= count) {
            (true, true) => Part::Whole,
            (true, false) => Part::First,
            (false, true) => Part::Last,
            (false, false) => Part::Middle,
        }
    }

    /// It begins the list.
    pub fn begins(self) -> bool {
        matches!(self, Part::First | Part::Whole)
    }

    /// It ends the list.
    pub fn ends(self) -> bool {
        matches!(self, Part::Last | Part::Whole)
    }

    fn flags(self) -> u16 {
        u16::from(self.begins()) * FIRST + u16::from(self.ends()) * LAST
    }

    fn from_flags(flags: u16) -> Part {
        match (flags & FIRST != 0, flags & LAST != 0) {
            (true, true) => Part::Whole,
            (true, false) => Part::First,
            (false, true) => Part::Last,
            (false, false) => Part::Middle,
        }
    }
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Shut out.
    Ban(Vec<Shut>),
    /// Let in.
    Unban(Vec<IpNet>),
    /// Exactly these are shut out when the last piece is done.
    Sync(Part, Vec<Shut>),
    /// Who is shut out, after this prefix.
    List(Option<IpNet>),
    /// Exactly these are protected besides the floor when the last piece is done; bans of them end at once.
    Allow(Part, Vec<IpNet>),
    /// Exactly these limits hold when the last piece is done; they come with the first. The prefixes are exempt beside
    /// those that are protected.
    Limits(Part, Vec<Limit>, Vec<IpNet>),
    /// What came of the limits.
    Counts,
    /// How it is going.
    Ping,
    /// Whether the host has an established TCP connection with each of these.
    Established(Vec<SocketAddr>),
}

/// How it is going.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Prefixes shut out.
    pub shut: u64,
    /// Bans that wait for the cap.
    pub waiting: u64,
    /// Connections cut.
    pub cut: u64,
    /// From a request's read to the kernel's word, of the last thousands of bans: microseconds, the median.
    pub ban_us_p50: u32,
    /// The same, the 99th of a hundred.
    pub ban_us_p99: u32,
    /// Sentences for a person.
    pub remarks: Vec<String>,
}

/// What can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To `ban` and `unban` for each prefix, to `sync` and `allow` for the piece.
    Answers(Vec<Answer>),
    /// To `list`, in ascending order; whether there are more.
    Shuts(Vec<Shut>, bool),
    /// To `ping`.
    Health(Health),
    /// To `counts`, for each limit.
    Counts(Vec<Counted>),
    /// To `established`, for each.
    Established(Vec<bool>),
    /// Something happened that nobody asked for.
    Note(String),
    /// The request was not understood.
    Refused(String),
}

/// Why a message was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// One of the two programs is older.
    #[error("version {0} is spoken there, {VERSION} here: update both fairban and fairban-fw")]
    Version(u8),
    /// The sender's fault.
    #[error("there is no verb {0}")]
    Verb(u8),
    /// The sender's fault.
    #[error("the message is cut off, too long, or not what its verb takes")]
    Body,
}

impl Request {
    /// As bytes.
    pub fn encode(&self, id: u32) -> Vec<u8> {
        let (verb, flags) = match self {
            Request::Ban(_) => (1, 0),
            Request::Unban(_) => (2, 0),
            Request::Sync(part, _) => (3, part.flags()),
            Request::List(_) => (4, 0),
            Request::Allow(part, _) => (5, part.flags()),
            Request::Ping => (6, 0),
            Request::Limits(part, ..) => (7, part.flags()),
            Request::Counts => (9, 0),
            Request::Established(_) => (8, 0),
        };
        let mut bytes = head(verb, flags, id);
        match self {
            Request::Ban(shuts) | Request::Sync(_, shuts) => put_shuts(&mut bytes, shuts),
            Request::Unban(prefixes) | Request::Allow(_, prefixes) => put_prefixes(&mut bytes, prefixes),
            Request::List(after) => put_prefixes(&mut bytes, after.as_slice()),
            Request::Limits(_, limits, exempt) => {
                limits::put_limits(&mut bytes, limits);
                put_prefixes(&mut bytes, exempt);
            }
            Request::Established(peers) => put_peers(&mut bytes, peers),
            Request::Counts | Request::Ping => {}
        }
        bytes
    }

    /// From bytes: the number, and the request.
    pub fn decode(bytes: &[u8]) -> (u32, Result<Request, Malformed>) {
        let mut input = Input(bytes);
        match input.head() {
            Ok((verb, flags, id)) => (id, Request::body(verb, flags, input)),
            Err(malformed) => (0, Err(malformed)),
        }
    }

    fn body(verb: u8, flags: u16, mut input: Input<'_>) -> Result<Request, Malformed> {
        let part = Part::from_flags(flags);
        let request = match verb {
            1 => input.shuts().map(Request::Ban),
            2 => input.prefixes().map(Request::Unban),
            3 => input.shuts().map(|shuts| Request::Sync(part, shuts)),
            4 => input
                .prefixes()
                .filter(|after| after.len() < 2)
                .map(|after| Request::List(after.first().copied())),
            5 => input.prefixes().map(|prefixes| Request::Allow(part, prefixes)),
            6 => Some(Request::Ping),
            7 => input.limits().and_then(|limits| Some(Request::Limits(part, limits, input.prefixes()?))),
            9 => Some(Request::Counts),
            8 => input.peers().map(Request::Established),
            other => return Err(Malformed::Verb(other)),
        };
        request.filter(|_| input.0.is_empty()).ok_or(Malformed::Body)
    }
}

impl Reply {
    /// As bytes.
    pub fn encode(&self, id: u32) -> Vec<u8> {
        match self {
            Reply::Answers(answers) => {
                let mut bytes = head(ANSWER | 1, 0, id);
                put_answers(&mut bytes, answers);
                bytes
            }
            Reply::Shuts(shuts, has_more) => {
                let mut bytes = head(ANSWER | 4, if *has_more { 0 } else { LAST }, id);
                put_shuts(&mut bytes, shuts);
                bytes
            }
            Reply::Health(health) => {
                let mut bytes = head(ANSWER | 6, 0, id);
                for number in [health.shut, health.waiting, health.cut] {
                    bytes.extend(number.to_le_bytes());
                }
                for number in [health.ban_us_p50, health.ban_us_p99] {
                    bytes.extend(number.to_le_bytes());
                }
                for remark in health.remarks.iter().take(SENTENCES_MAX) {
                    put_sentence(&mut bytes, remark);
                }
                bytes
            }
            Reply::Counts(counts) => {
                let mut bytes = head(ANSWER | 9, 0, id);
                limits::put_counts(&mut bytes, counts);
                bytes
            }
            Reply::Established(found) => {
                let mut bytes = head(ANSWER | 8, 0, id);
                bytes.extend(found.iter().take(PIECE_MAX).map(|is_there| u8::from(*is_there)));
                bytes
            }
            Reply::Note(note) => {
                let mut bytes = head(ANSWER | 0x7e, 0, id);
                put_sentence(&mut bytes, note);
                bytes
            }
            Reply::Refused(why) => {
                let mut bytes = head(ANSWER | 0x7f, 0, id);
                put_sentence(&mut bytes, why);
                bytes
            }
        }
    }

    /// From bytes: the number of the request, and the answer.
    pub fn decode(bytes: &[u8]) -> Result<(u32, Reply), Malformed> {
        let mut input = Input(bytes);
        let (verb, flags, id) = input.head()?;
        let reply = match verb.wrapping_sub(ANSWER) {
            1 => input.answers().map(Reply::Answers),
            4 => input.shuts().map(|shuts| Reply::Shuts(shuts, flags & LAST == 0)),
            6 => input.health().map(Reply::Health),
            9 => input.counts().map(Reply::Counts),
            8 => input.list(|input| input.byte().map(|byte| byte != 0)).map(Reply::Established),
            0x7e => input.sentence().map(Reply::Note),
            0x7f => input.sentence().map(Reply::Refused),
            other => return Err(Malformed::Verb(other)),
        };
        reply.filter(|_| input.0.is_empty()).map(|reply| (id, reply)).ok_or(Malformed::Body)
    }
}

fn head(verb: u8, flags: u16, id: u32) -> Vec<u8> {
    let mut bytes = vec![VERSION, verb];
    bytes.extend(flags.to_le_bytes());
    bytes.extend(id.to_le_bytes());
    bytes
}

fn put_prefixes(bytes: &mut Vec<u8>, prefixes: &[IpNet]) {
    debug_assert!(prefixes.len() <= PIECE_MAX, "the sender cuts its lists");
    for prefix in prefixes {
        put_prefix(bytes, prefix);
    }
}

fn put_prefix(bytes: &mut Vec<u8>, prefix: &IpNet) {
    match prefix {
        IpNet::V4(net) => {
            bytes.extend([4, net.prefix_len()]);
            bytes.extend(net.addr().octets());
        }
        IpNet::V6(net) => {
            bytes.extend([6, net.prefix_len()]);
            bytes.extend(net.addr().octets());
        }
    }
}

fn put_peers(bytes: &mut Vec<u8>, peers: &[SocketAddr]) {
    debug_assert!(peers.len() <= PIECE_MAX, "the sender cuts its lists");
    for peer in peers {
        put_prefix(bytes, &peer.ip().into());
        bytes.extend(peer.port().to_le_bytes());
    }
}

/// Seconds 0 are for ever.
fn put_shuts(bytes: &mut Vec<u8>, shuts: &[Shut]) {
    debug_assert!(shuts.len() <= PIECE_MAX, "the sender cuts its lists");
    for shut in shuts {
        bytes.push(match shut.doors {
            Doors::Logins => 0,
            Doors::LoginsAndSmtp => 1,
            Doors::All => 2,
        });
        bytes.extend(shut.seconds.map_or(0, |seconds| seconds.max(1)).to_le_bytes());
        put_prefix(bytes, &shut.prefix);
    }
}

/// A byte for each, and the reason of the first that failed.
fn put_answers(bytes: &mut Vec<u8>, answers: &[Answer]) {
    let code = |answer: &Answer| match answer {
        Answer::Done => 0,
        Answer::Delayed => 1,
        Answer::Protected => 2,
        Answer::Failed(_) => 3,
    };
    let reason = answers.iter().find_map(|answer| match answer {
        Answer::Failed(why) => Some(why.as_str()),
        _ => None,
    });
    put_sentence(bytes, reason.unwrap_or_default());
    bytes.extend(answers.iter().take(PIECE_MAX).map(code));
}

fn put_sentence(bytes: &mut Vec<u8>, sentence: &str) {
    let sentence = &sentence.as_bytes()[..sentence.len().min(SENTENCE_MAX)];
    bytes.extend((sentence.len() as u16).to_le_bytes());
    bytes.extend(sentence);
}

/// What is not yet read.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn head(&mut self) -> Result<(u8, u16, u32), Malformed> {
        if self.0.len() > MESSAGE_MAX {
            return Err(Malformed::Body);
        }
        let version = self.byte().ok_or(Malformed::Body)?;
        if version != VERSION {
            return Err(Malformed::Version(version));
        }
        let head = || Some((self.byte()?, u16::from_le_bytes(self.take()?), self.u32()?));
        Some(head).and_then(|mut head| head()).ok_or(Malformed::Body)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    /// Until the end, at most a piece.
    fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut all = Vec::new();
        while !self.0.is_empty() {
            all.push(read(self)?);
            if all.len() > PIECE_MAX {
                return None;
            }
        }
        Some(all)
    }

    fn prefixes(&mut self) -> Option<Vec<IpNet>> {
        self.list(Input::prefix)
    }

    fn shuts(&mut self) -> Option<Vec<Shut>> {
        self.list(|input| {
            let doors = match input.byte()? {
                0 => Doors::Logins,
                1 => Doors::LoginsAndSmtp,
                2 => Doors::All,
                _ => return None,
            };
            let seconds = Some(input.u32()?).filter(|seconds| *seconds > 0);
            Some(Shut { prefix: input.prefix()?, seconds, doors })
        })
    }

    /// Host bits are cut off, and an IPv4 address in an IPv6 one is what packets carry: an IPv4 address.
    fn prefix(&mut self) -> Option<IpNet> {
        const MAPPED_LEN: u8 = 96;
        let family = self.byte()?;
        let len = self.byte()?;
        let prefix = match family {
            4 => IpNet::new(Ipv4Addr::from(self.take::<4>()?).into(), len),
            6 => {
                let address = Ipv6Addr::from(self.take::<16>()?);
                match (address.to_ipv4_mapped(), len.checked_sub(MAPPED_LEN)) {
                    (Some(address), Some(len)) => IpNet::new(address.into(), len),
                    _ => IpNet::new(IpAddr::V6(address), len),
                }
            }
            _ => return None,
        };
        Some(prefix.ok()?.trunc())
    }

    fn peers(&mut self) -> Option<Vec<SocketAddr>> {
        self.list(|input| {
            let host = input.prefix().filter(|net| net.prefix_len() == net.max_prefix_len())?;
            Some(SocketAddr::new(host.addr(), input.take().map(u16::from_le_bytes)?))
        })
    }

    fn answers(&mut self) -> Option<Vec<Answer>> {
        let reason = self.sentence()?;
        self.list(|input| {
            Some(match input.byte()? {
                0 => Answer::Done,
                1 => Answer::Delayed,
                2 => Answer::Protected,
                3 => Answer::Failed(reason.clone()),
                _ => return None,
            })
        })
    }

    fn sentence(&mut self) -> Option<String> {
        let len = usize::from(u16::from_le_bytes(self.take()?));
        if len > SENTENCE_MAX {
            return None;
        }
        let (sentence, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(String::from_utf8_lossy(sentence).into_owned())
    }

    fn health(&mut self) -> Option<Health> {
        Some(Health {
            shut: self.u64()?,
            waiting: self.u64()?,
            cut: self.u64()?,
            ban_us_p50: self.u32()?,
            ban_us_p99: self.u32()?,
            remarks: self.list(Input::sentence)?,
        })
    }
}

#[cfg(test)]
mod tests;
