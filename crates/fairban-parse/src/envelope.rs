//! What stands around a record: RFC 3164, RFC 5424, ISO 8601, multilog's TAI64N, tai64nlocal, Dovecot's own file.
//!
//! ```text
//! Nov 23 18:29:44 mx sshd[812]: BODY                                   RFC 3164, <38> may stand before it
//! Nov 23 18:29:44 mx mail.notice vpopmail[1]: BODY                     busybox
//! Nov 23 18:29:44 sshd[812]: BODY                                      busybox -S
//! 2026-11-23T18:29:44.123456+00:00 mx sshd[812]: BODY                  ISO 8601
//! <38>1 2026-11-23T18:29:44.123456+00:00 mx sshd 812 - [x y="z"] BODY  RFC 5424
//! @400000006b0489c523db15b4 tcpserver: BODY                            multilog
//! 2007-01-21 09:51:25.570281500 tcpserver: BODY                        tai64nlocal
//! Nov 23 18:35:03 auth: Info: …                                        Dovecot's log_path: BODY from `auth` on
//! ```
//!
//! The first bytes of a line decide, each line for itself, so a file may change its form anywhere. Everything up to
//! the body was written by a syslog daemon or a logger, none of it by a client, as long as a record is one line. Where
//! a daemon lets a client's line feed through, a whole line may be the client's: no envelope can tell.
//!
//! One carriage return at the end of a line goes with the line feed, as in a file with DOS line ends. All others are
//! bytes like any other: none is a border.

use memchr::memchr;

use crate::record::Record;
use crate::service::fields::number;
pub use crate::stamp::RawStamp;
use crate::stamp::{Stamp, Writer, scan, time_of_day};

/// Longest program name looked for, in bytes. RFC 5424 allows 48.
const PROGRAM_BYTES_MAX: usize = 64;

/// Longest host name believed, in bytes (RFC 5424, 6.2.4).
const HOST_BYTES_MAX: usize = 255;

/// Splits a line (without its line feed) into stamp and record; `None` for a line of no known format.
///
/// The program is empty where the line names none (`last message repeated 2 times`, `-- MARK --`).
pub fn split(line: &[u8]) -> Option<(RawStamp<'_>, Record<'_>)> {
    outline(line).map(|outline| (outline.stamp, outline.record()))
}

/// Where the parts of a line lie. Most lines of a log are dropped when their program is known.
pub(crate) struct Outline<'a> {
    pub(crate) stamp: RawStamp<'a>,
    pub(crate) program: &'a [u8],
    pid: &'a [u8],
    pub(crate) body: &'a [u8],
    body_at: u32,
}

impl<'a> Outline<'a> {
    /// The record that a grammar reads.
    pub(crate) fn record(&self) -> Record<'a> {
        let Outline { program, pid, body, body_at, .. } = *self;
        Record { program, pid: number(pid), body, body_at }
    }
}

/// The head of the line before: nearly all lines of a log have the same day and host, and every other one the same second.
/// Changes nothing in what is read, only how fast.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    /// `Nov 23 ` and a byte that is not looked at.
    day: u64,
    /// The blank, the host and the blank after it, at most 16 bytes, and which bits of them count; none if 0.
    host: u128,
    host_mask: u128,
    /// Where the tag begins.
    tag_at: usize,
    /// The stamp that was last asked for, and what it says.
    stamp: Option<([u8; STAMP_BYTES], Stamp)>,
}

/// A stamp of RFC 3164 without a fraction.
const STAMP_BYTES: usize = 15;

/// All of the first eight bytes but the first digit of the hour.
const DAY_MASK: u64 = u64::MAX >> 8;

impl Recent {
    /// Where the tag of a line begins that has the same day and host, and a time within the day.
    #[inline]
    fn tag_at(&self, line: &[u8]) -> Option<usize> {
        let day = u64::from_le_bytes(*line.first_chunk::<8>()?);
        let host = u128::from_le_bytes(*line.get(STAMP_BYTES..)?.first_chunk::<16>()?);
        let same = (day ^ self.day) & DAY_MASK == 0 && (host ^ self.host) & self.host_mask == 0;
        (same && self.host_mask != 0 && time_of_day(&line[7..]).is_some()).then_some(self.tag_at)
    }

    /// Remembers the head of a line whose tag begins there, behind a stamp without a fraction and a host.
    #[cold]
    fn remember(&mut self, line: &[u8], tag_at: usize) {
        let (Some(day), Some(host)) = (line.first_chunk::<8>(), line.get(STAMP_BYTES..tag_at)) else {
            return;
        };
        if (1..=16).contains(&host.len()) {
            let mut bytes = [0; 16];
            bytes[..host.len()].copy_from_slice(host);
            self.day = u64::from_le_bytes(*day);
            self.host = u128::from_le_bytes(bytes);
            self.host_mask = u128::MAX >> (128 - 8 * host.len());
            self.tag_at = tag_at;
        }
    }

    /// What a stamp says.
    #[inline]
    pub(crate) fn parse(&mut self, raw: &RawStamp<'_>) -> Option<Stamp> {
        let Ok(bytes) = <[u8; STAMP_BYTES]>::try_from(raw.bytes()) else { return raw.parse() };
        if let Some((known, stamp)) = self.stamp
            && known == bytes
        {
            return Some(stamp);
        }
        let stamp = raw.parse()?;
        self.stamp = Some((bytes, stamp));
        Some(stamp)
    }
}

/// Finds the parts of a line, with the help of the line before.
#[inline]
pub(crate) fn outline_after<'a>(recent: &mut Recent, line: &'a [u8]) -> Option<Outline<'a>> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if let Some(tag_at) = recent.tag_at(line) {
        let Head { program, pid, body } = after_host_name(&line[tag_at..]);
        let stamp = RawStamp::traditional(&line[..STAMP_BYTES]);
        return Some(Outline { stamp, program, pid, body, body_at: (line.len() - body.len()) as u32 });
    }
    let found = outline(line)?;
    // A line of another form stays one: its head is not remembered.
    if found.stamp.bytes().len() == STAMP_BYTES
        && line.starts_with(found.stamp.bytes())
        && let Some(Some(end)) = line.get(STAMP_BYTES + 1..).map(host_len)
    {
        recent.remember(line, STAMP_BYTES + 1 + end + 1);
    }
    Some(found)
}

/// Finds the parts of a line.
pub(crate) fn outline(line: &[u8]) -> Option<Outline<'_>> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = after_priority(line)?;
    let versioned = if text.len() < line.len() { text.strip_prefix(b"1 ") } else { None };
    let (stamp, head) = match versioned {
        Some(rest) => rfc5424(rest)?,
        None => match scan(text)? {
            (stamp, Writer::Syslog, rest) => (stamp, after_host(rest)?),
            (stamp, Writer::Bare, rest) => (stamp, after_stamp(rest)),
        },
    };
    let Head { program, pid, body } = head;
    let body_at = (line.len() - body.len()) as u32; // A body always reaches to the end of its line.
    Some(Outline { stamp, program, pid, body, body_at })
}

/// Program, process id and all that follows them.
struct Head<'a> {
    program: &'a [u8],
    /// What stands in its place; what is no number (`[abc]`) names no process.
    pid: &'a [u8],
    body: &'a [u8],
}

/// Takes `<0>` to `<191>` off the front.
fn after_priority(line: &[u8]) -> Option<&[u8]> {
    let Some(rest) = line.strip_prefix(b"<") else { return Some(line) };
    let end = memchr(b'>', &rest[..rest.len().min(4)])?;
    (number::<u32>(&rest[..end])? <= 191).then_some(&rest[end + 1..])
}

/// `STAMP HOST APP-NAME PROCID MSGID STRUCTURED-DATA [MSG]`, after the version.
fn rfc5424(text: &[u8]) -> Option<(RawStamp<'_>, Head<'_>)> {
    let (stamp, writer, rest) = scan(text)?;
    let (host, rest) = word(rest)?;
    let (program, rest) = word(rest)?;
    let (pid, rest) = word(rest)?;
    let (_message_id, rest) = word(rest)?;
    if writer != Writer::Syslog || !is_host(host) || program.is_empty() {
        return None;
    }
    let rest = after_structured_data(rest)?;
    let body = match rest.strip_prefix(b" ") {
        Some(message) => {
            let message = message.strip_prefix(b"\xef\xbb\xbf").unwrap_or(message);
            // rsyslog keeps the blank that stood behind the colon of an RFC 3164 tag.
            message.strip_prefix(b" ").unwrap_or(message)
        }
        None if rest.is_empty() => rest,
        None => return None,
    };
    let program = if program == b"-" { &[] } else { program };
    Some((stamp, Head { program, pid, body }))
}

fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr(b' ', text)?;
    Some((&text[..end], &text[end + 1..]))
}

/// After `-` or `[id name="value"…]…`. In a value a backslash takes the meaning from `"`, `]` and itself.
fn after_structured_data(text: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = text.strip_prefix(b"-") {
        return Some(rest);
    }
    let mut rest = text;
    while rest.first() == Some(&b'[') {
        let (mut quoted, mut escaped) = (false, false);
        let end = rest.iter().position(|&byte| {
            let closes = byte == b']' && !quoted;
            quoted ^= byte == b'"' && !escaped;
            escaped = byte == b'\\' && quoted && !escaped;
            closes
        })?;
        rest = &rest[end + 1..];
    }
    (rest.len() < text.len()).then_some(rest)
}

/// `HOST TAG: BODY`, or what has no host.
fn after_host(text: &[u8]) -> Option<Head<'_>> {
    let Some(end) = host_len(text) else {
        // Longer than a host may be.
        if !text.iter().take(HOST_BYTES_MAX + 1).any(|&byte| !is_host_byte(byte)) {
            return None;
        }
        // Not a host: a tag, or a process of Dovecot's.
        let head = after_stamp(text);
        return (!head.program.is_empty()).then_some(head);
    };
    Some(after_host_name(&text[end + 1..]))
}

/// Length of the host that the text begins with, a blank behind it.
fn host_len(text: &[u8]) -> Option<usize> {
    let end = text.iter().take(HOST_BYTES_MAX + 1).position(|&byte| !is_host_byte(byte))?;
    (end > 0 && text[end] == b' ' && text[end - 1] != b':').then_some(end)
}

/// `TAG: BODY`, busybox' severity before it or not.
fn after_host_name(text: &[u8]) -> Head<'_> {
    // What goes on to the end of a tag without a blank has no severity before it.
    tag(text).unwrap_or_else(|| after_tag(after_severity(text)))
}

/// Takes busybox' `mail.notice ` off the front. A tag ends in a colon, so most lines are told apart by one byte.
fn after_severity(text: &[u8]) -> &[u8] {
    let beginning = &text[..text.len().min(PROGRAM_BYTES_MAX)];
    match beginning.iter().position(|&byte| byte == b' ') {
        Some(end) if end > 0 && text[end - 1] != b':' && is_facility_and_severity(&text[..end]) => {
            &text[end + 1..]
        }
        _ => text,
    }
}

/// `TAG: BODY`, or a line of Dovecot's own file.
fn after_stamp(text: &[u8]) -> Head<'_> {
    if is_dovecot_process(text) {
        return Head { program: b"dovecot", pid: &[], body: text };
    }
    after_tag(text)
}

/// `program: `, `program[pid]: `, or nothing of the kind: then everything is body.
fn after_tag(text: &[u8]) -> Head<'_> {
    tag(text).unwrap_or(Head { program: &[], pid: &[], body: text })
}

/// `program: ` or `program[pid]: `.
fn tag(text: &[u8]) -> Option<Head<'_>> {
    let beginning = &text[..text.len().min(PROGRAM_BYTES_MAX + 1)];
    let end = first_of(beginning, *b"[: ")?;
    let (program, rest) = text.split_at(end);
    let (pid, rest) = if rest[0] == b'[' { after_pid(rest).unwrap_or((&[], rest)) } else { (&[][..], rest) };
    let body = rest.strip_prefix(b":").filter(|_| !program.is_empty())?;
    Some(Head { program, pid, body: body.strip_prefix(b" ").unwrap_or(body) })
}

/// Takes `[812]` off the front.
fn after_pid(text: &[u8]) -> Option<(&[u8], &[u8])> {
    const PID_BYTES_MAX: usize = 16;
    let inside = text.strip_prefix(b"[")?;
    let end = first_of(&inside[..inside.len().min(PID_BYTES_MAX + 1)], *b"]")?;
    Some((&inside[..end], &inside[end + 1..]))
}

/// Where one of these bytes stands first: eight places at a time, for every line of a log is asked.
#[inline]
fn first_of<const N: usize>(text: &[u8], wanted: [u8; N]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let (words, rest) = text.as_chunks::<8>();
    for (n, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let mut found = 0;
        for byte in wanted {
            let differs = word ^ (ONES * u64::from(byte));
            // The lowest top bit set is that of the first zero byte.
            found |= differs.wrapping_sub(ONES) & !differs & (ONES << 7);
        }
        if found != 0 {
            return Some(n * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    rest.iter().position(|byte| wanted.contains(byte)).map(|at| words.len() * 8 + at)
}

/// What hosts are made of: names, IPv4 and IPv6 addresses, and the `source@host/relay` chains that relays write.
static HOST: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        table[byte] =
            b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'@' | b'/' | b'%');
        byte += 1;
    }
    table
};

fn is_host(host: &[u8]) -> bool {
    !host.is_empty() && host.len() <= HOST_BYTES_MAX && host.iter().all(|&byte| is_host_byte(byte))
}

fn is_host_byte(byte: u8) -> bool {
    HOST[usize::from(byte)]
}

/// `mail.notice`, as busybox has it before the tag.
fn is_facility_and_severity(word: &[u8]) -> bool {
    const SEVERITIES: [&[u8]; 11] = [
        b"emerg", b"panic", b"alert", b"crit", b"err", b"error", b"warning", b"warn", b"notice", b"info",
        b"debug",
    ];
    memchr(b'.', word).is_some_and(|dot| {
        word[..dot].iter().all(u8::is_ascii_alphanumeric) && SEVERITIES.contains(&&word[dot + 1..])
    })
}

/// Whether a line of Dovecot's own file begins here: a process of Dovecot's and `(`, `<` or a level.
fn is_dovecot_process(text: &[u8]) -> bool {
    const LEVELS: [&[u8]; 6] =
        [b": Info: ", b": Warning: ", b": Error: ", b": Fatal: ", b": Panic: ", b": Debug: "];
    const PROCESSES: [&[u8]; 35] = [
        b"aggregator",
        b"anvil",
        b"auth",
        b"auth-worker",
        b"config",
        b"dict",
        b"dict-async",
        b"dict-expire",
        b"director",
        b"dns-client",
        b"doveadm",
        b"health-check",
        b"imap",
        b"imap-hibernate",
        b"imap-login",
        b"imap-urlauth",
        b"imap-urlauth-login",
        b"indexer",
        b"indexer-worker",
        b"ipc",
        b"lda",
        b"lmtp",
        b"log",
        b"managesieve",
        b"managesieve-login",
        b"master",
        b"old-stats",
        b"pop3",
        b"pop3-login",
        b"quota-status",
        b"replicator",
        b"ssl-params",
        b"stats",
        b"submission",
        b"submission-login",
    ];
    let beginning = &text[..text.len().min(PROGRAM_BYTES_MAX)];
    let Some(end) = beginning.iter().position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'-')) else {
        return false;
    };
    let (process, rest) = text.split_at(end);
    let delimited = matches!(rest[0], b'(' | b'<') || LEVELS.iter().any(|level| rest.starts_with(level));
    delimited && PROCESSES.binary_search(&process).is_ok()
}

#[cfg(test)]
mod tests;
