//! Grammar of Postfix's smtpd, as far as it tells of logins.
//!
//! ```text
//! connect from HOST[ADDRESS]                                       with smtpd_client_port_logging: HOST[ADDRESS]:PORT
//! warning: HOST[ADDRESS]: SASL LOGIN authentication failed: WHY, sasl_username=USER       no name before 3.8 and its backports
//! QID: client=HOST[ADDRESS], sasl_method=PLAIN, sasl_username=USER
//! disconnect from HOST[ADDRESS] ehlo=1 auth=1/2 quit=1 commands=3/4
//! ```
//!
//! HOST is `unknown` or a name that resolves back and forth: it holds no bracket, so the address is taken from the
//! front. Everything behind `sasl_username=` is the client's. One smtpd serves one connection after another: its pid
//! joins the lines from `connect` to `disconnect`. A login that succeeds is told by `auth=k/n` alone, and its name only
//! by a mail that is sent.

#[cfg(test)]
mod tests;

use core::net::IpAddr;

use fairban_core::account::{Account, AccountKey};
use fairban_core::event::{AuthEvent, Mechanism, Outcome, Protocol, Service, Session, Tells};
use memchr::memchr;

use crate::record::{Reading, Record};
use crate::secret::Secrets;
use crate::service::fields::{address, contains, number, split_once, until};

/// Longest host name in a line: DNS allows 255 bytes.
const HOST_BYTES_MAX: usize = 255;
/// The server cuts names at this many bytes, without a mark.
const USER_BYTES_MAX: usize = 100;

/// Reads one record.
pub fn read(record: &Record<'_>, _secrets: &Secrets) -> Reading {
    let Some(protocol) = protocol(record.program) else {
        return Reading::Quiet; // qmgr, cleanup, local, …
    };
    let body = record.body.trim_ascii_start(); // RFC 5424 keeps the blank before the message.
    let reading = match body.first() {
        Some(b'c') => body.strip_prefix(b"connect from ").map(connected),
        Some(b'd') => body.strip_prefix(b"disconnect from ").map(disconnected),
        Some(b'w') => body.strip_prefix(b"warning: ").map(warned),
        Some(b'f') => body.strip_prefix(b"fatal: ").map(died),
        _ => split_once(&body[..body.len().min(64)], b": client=")
            .filter(|(queue_id, _)| !queue_id.is_empty() && queue_id.iter().all(u8::is_ascii_alphanumeric))
            .map(|(queue_id, _)| sent(&body[queue_id.len() + b": client=".len()..])),
    };
    match reading.unwrap_or_else(|| other(body)) {
        Reading::Event(mut event) => {
            event.protocol = protocol;
            event.session = record.pid.map_or(Session::None, Session::Pid);
            Reading::Event(event)
        }
        other => other,
    }
}

/// What the service of master.cf speaks, by its `syslog_name`; `None` for programs other than smtpd. In RFC 5424 form
/// the program is just `postfix`.
fn protocol(program: &[u8]) -> Option<Protocol> {
    let mut parts = program.rsplit(|&byte| byte == b'/');
    let last = parts.next()?;
    let Some(before) = parts.next() else {
        return Some(Protocol::Unknown);
    };
    if last != b"smtpd" {
        return None;
    }
    Some(match before {
        b"smtps" | b"submission" | b"submissions" => Protocol::Submission,
        _ if parts.next().is_none() => Protocol::Smtp, // `postfix/smtpd`, or an instance of its own: `postfix-mx/smtpd`
        _ => Protocol::Unknown,
    })
}

/// Takes `HOST[ADDRESS]` or `HOST[ADDRESS]:PORT` off the front.
fn client(text: &[u8]) -> Option<(IpAddr, Option<u16>, &[u8])> {
    let open = memchr(b'[', &text[..text.len().min(HOST_BYTES_MAX + 1)])?;
    let host = &text[..open];
    if host.is_empty() || host.iter().any(|byte| matches!(byte, b' ' | b':' | b']' | b'=')) {
        return None;
    }
    let inside = until(&text[open + 1..], b']');
    let source = address(inside)?;
    let rest = text.get(open + 1 + inside.len() + 1..)?;
    if let Some(behind) = rest.strip_prefix(b":") {
        let digits = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if let Some(port) = number(&behind[..digits]) {
            return Some((source, Some(port), &behind[digits..]));
        }
    }
    Some((source, None, rest))
}

fn event(tells: Tells, source: IpAddr, port: Option<u16>) -> AuthEvent {
    let mut event = AuthEvent::new(Service::Postfix, tells);
    event.source = Some(source);
    event.port = port;
    event
}

fn connected(text: &[u8]) -> Reading {
    match client(text) {
        Some((source, port, b"")) => Reading::Event(event(Tells::Connect, source, port)),
        Some(_) => Reading::Odd { login_like: false },
        None => Reading::Quiet, // `unknown[unknown]`: gone before it could be asked.
    }
}

/// ` ehlo=1 auth=1/2 quit=1 commands=3/4`: `OK` of a command, or `OK/ALL`. Postfix before 3.0 writes none of it.
fn disconnected(text: &[u8]) -> Reading {
    let Some((source, port, statistics)) = client(text) else {
        return Reading::Quiet;
    };
    let mut tries = None;
    for command in statistics.split(|&byte| byte == b' ') {
        if let Some(counts) = command.strip_prefix(b"auth=") {
            tries = counted(counts);
            if tries.is_none() {
                return Reading::Odd { login_like: true };
            }
        } else if command.starts_with(b"commands=") && tries.is_none() {
            tries = Some((0, 0));
        }
    }
    let (succeeded, failed) = tries.unzip();
    let mut event = event(Tells::End { failed, succeeded }, source, port);
    event.outcome = match tries {
        Some((1.., _)) => Outcome::Success,
        Some((0, 1..)) => Outcome::Failed,
        _ => Outcome::Aborted,
    };
    Reading::Event(event)
}

/// Good and failed ones out of `1`, `0/4` or `1/2`.
fn counted(text: &[u8]) -> Option<(u16, u16)> {
    let (good, all): (u32, u32) = match split_once(text, b"/") {
        Some((good, all)) => (number(good)?, number(all)?),
        None => (number(text)?, number(text)?),
    };
    let failed = all.checked_sub(good)?;
    Some((u16::try_from(good).unwrap_or(u16::MAX), u16::try_from(failed).unwrap_or(u16::MAX)))
}

/// What follows `warning: `.
fn warned(text: &[u8]) -> Reading {
    // No host name goes on like this; one that begins with SASL is a client's.
    if let Some(trouble) = text.strip_prefix(b"SASL").filter(|rest| matches!(rest, [b':' | b' ', ..])) {
        return sasl_trouble(trouble);
    }
    let Some((source, port, rest)) = client(text) else {
        return Reading::Quiet; // Names that do not resolve, TLS, commands: all of them name the client later in the text.
    };
    let Some((method, told)) =
        rest.strip_prefix(b": SASL ").and_then(|rest| split_once(rest, b" authentication "))
    else {
        return Reading::Quiet;
    };
    if let Some(told) = told.strip_prefix(b"failed: ") {
        return failed(source, port, method, told);
    }
    if told == b"failed:" || told == b"aborted" {
        return failed(source, port, method, b"");
    }
    Reading::Odd { login_like: true }
}

fn failed(source: IpAddr, port: Option<u16>, method: &[u8], told: &[u8]) -> Reading {
    const FAULTS: [&[u8]; 7] = [
        b"Connection lost to authentication server",
        b"Can't connect to authentication server",
        b"Authentication backend error",
        b"Temporary authentication failure",
        b"temporary authentication failure",
        b"generic failure", // Cyrus SASL, when saslauthd or the database is down
        b"internal error",
    ];

    let (why, user) = split_once(told, b", sasl_username=").unwrap_or((told, b""));
    let is_fault = FAULTS.iter().any(|fault| why.starts_with(fault));
    let mut event = event(if is_fault { Tells::Fault } else { Tells::Attempt }, source, port);
    event.outcome = if is_fault { Outcome::ServerFault } else { Outcome::Failed };
    event.account = account(user);
    event.mechanism = mechanism(method);
    Reading::Event(event)
}

/// What follows `warning: SASL`: the server's own talk with Dovecot or Cyrus SASL, without an address. The next failure
/// of this pid is its consequence.
fn sasl_trouble(text: &[u8]) -> Reading {
    // Not Cyrus' `authentication problem: unable to open Berkeley db`: hosts without such a file write it for ever.
    const TROUBLES: [&[u8]; 3] = [
        b": ", // Connect to Dovecot auth socket … failed, Couldn't send handshake, Protocol error
        b" authentication failure: cannot connect to ",
        b" per-connection server initialization: ",
    ];

    if TROUBLES.iter().any(|trouble| text.starts_with(trouble)) { fault() } else { Reading::Quiet }
}

/// What follows `fatal: `.
fn died(text: &[u8]) -> Reading {
    let sasl = text.starts_with(b"no SASL authentication mechanisms")
        || text.starts_with(b"SASL per-")
        || text.starts_with(b"smtpd_sasl_mechanism_filter discards all");
    if sasl { fault() } else { Reading::Quiet }
}

fn fault() -> Reading {
    let mut event = AuthEvent::new(Service::Postfix, Tells::Fault);
    event.outcome = Outcome::ServerFault;
    Reading::Event(event)
}

/// What follows `QID: client=`. Without `sasl_username=` it is mail from outside.
fn sent(text: &[u8]) -> Reading {
    let Some((source, port, rest)) = client(text) else {
        return Reading::Quiet;
    };
    let Some((method, user)) =
        rest.strip_prefix(b", sasl_method=").and_then(|rest| split_once(rest, b", sasl_username="))
    else {
        return Reading::Event(event(Tells::Mail, source, port));
    };
    // The name of a user who logged in; what may follow it is the server's, or encoded.
    let mut user = user;
    for field in [&b", sasl_sender="[..], b", orig_queue_id=", b", orig_client="] {
        user = split_once(user, field).map_or(user, |(user, _)| user);
    }
    let mut event = event(Tells::Used, source, port);
    event.outcome = Outcome::Success;
    event.account = account(user);
    event.mechanism = mechanism(method);
    Reading::Event(event)
}

/// Lines that tell nothing of a login, or nothing that `connect` and `disconnect` do not tell.
fn other(body: &[u8]) -> Reading {
    const KNOWN: [&[u8]; 23] = [
        b"lost connection after ",
        b"timeout after ",
        b"too many errors after ",
        b"improper command pipelining after ",
        b"SSL_accept error from ",
        b"Anonymous TLS connection established from ",
        b"Trusted TLS connection established from ",
        b"Untrusted TLS connection established from ",
        b"Verified TLS connection established from ",
        b"setting up TLS connection from ",
        b"initializing the server-side TLS engine",
        b"NOQUEUE: ",
        b"discarding EHLO keywords: ",
        b"statistics: ",
        b"table ",
        b"error: ",
        b"panic: ",
        b"proxy-",
        // Of other programs, in RFC 5424 form.
        b"daemon started",
        b"reload ",
        b"starting the Postfix",
        b"stopping the Postfix",
        b"refreshing the Postfix",
    ];

    let queue_id = until(&body[..body.len().min(32)], b':');
    let queued = queue_id.len() < body.len() && queue_id.iter().all(u8::is_ascii_alphanumeric);
    if queued || KNOWN.iter().any(|known| body.starts_with(known)) {
        return Reading::Quiet;
    }
    Reading::Odd { login_like: contains(body, b"SASL") && contains(body, b"authentication") }
}

fn account(user: &[u8]) -> Account {
    if user.is_empty() || user == b"(unavailable)" {
        return Account::Hidden;
    }
    let key = AccountKey::new(user);
    if user.len() >= USER_BYTES_MAX { Account::Cut(key) } else { Account::Known(key) }
}

fn mechanism(method: &[u8]) -> Mechanism {
    const DIGESTS: [&[u8]; 4] = [b"CRAM-MD5", b"DIGEST-MD5", b"NTLM", b"OTP"];
    if method.eq_ignore_ascii_case(b"PLAIN") || method.eq_ignore_ascii_case(b"LOGIN") {
        return Mechanism::Plain;
    }
    let scram = method.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"SCRAM-"));
    if scram || DIGESTS.iter().any(|digest| method.eq_ignore_ascii_case(digest)) {
        return Mechanism::Digest;
    }
    Mechanism::Unknown
}
