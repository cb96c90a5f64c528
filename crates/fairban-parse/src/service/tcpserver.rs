//! Grammar of `tcpserver -v` (ucspi-tcp, with and without IPv6) and `sslserver -v` (ucspi-ssl).
//!
//! ```text
//! status: N/MAX                                     the parent: slots in use
//! pid PID from IP                                   the child: accepted
//! ok PID LNAME:LIP:LPORT RNAME:RIP:RINFO:RPORT      the child: the rules let it in
//! deny PID LNAME:LIP:LPORT RNAME:RIP:RINFO:RPORT    the child: the rules do not
//! end PID status WAIT                               the parent: over; WAIT never tells how a login went
//! ```
//!
//! Two kinds of text in here are not the server's own.
//!
//! RNAME is the client's reverse name and RINFO its ident server's answer. Neither can hold a blank or a colon (the
//! server escapes or replaces them), so words are split at blanks and the last word at its first and its last two
//! colons; whatever stands between is the address, and must be one.
//!
//! The standard error of the child lands in the same log, and vchkpw writes the name that the client gave there:
//! `user invalid …`, `domain invalid …`. A name over SMTP AUTH may hold a line feed, so what follows such a line may be
//! a perfect forgery. The line itself is read as [`Tells::Torn`]; who joins lines then believes an `ok` only for a
//! process whose `pid` line named the same address. The two can be told apart: only `ok` has the client's port.

use fairban_core::event::{AuthEvent, Outcome, Protocol, Service, Session, Tells};

use super::fields::{address as ip, number};
use crate::record::{Reading, Record};
use crate::secret::Secrets;

/// Starts of what vchkpw writes to its standard error before a text that the client chose.
const CLIENT_TEXT: [&[u8]; 2] = [b"user invalid ", b"domain invalid "];

/// What the child writes to its standard error in words of its own.
const STANDARD_ERROR: [&[u8]; 2] =
    [b"vchkpw is only for talking with qmail-popup and qmail-pop3d.", b"Unable to create directory "];

/// Dropped connections that are the client's doing: it spoke no TLS, showed no certificate, or left.
const DROPPED_BY_CLIENT: [&[u8]; 9] = [
    b"unable to SSL accept:",
    b"unable to accept SSL",
    b"unable to start SSL",
    b"unable to speak SSL:",
    b"unable to verify client certificate",
    b"unable to print banner",
    b"no client certificate",
    b"missing credentials",
    b"client ",
];

/// First words of the lines that tell nothing about a login: the set-up of TLS, the end of a handshake.
const QUIET: [&[u8]; 11] = [
    b"ssl",
    b"tls",
    b"done",
    b"cafile",
    b"ccafile",
    b"cadir",
    b"cert",
    b"chainfile",
    b"certchainfile",
    b"key",
    b"param",
];

/// Reads one record.
pub fn read(record: &Record<'_>, _secrets: &Secrets) -> Reading {
    let service = match record.program {
        b"tcpserver" => Service::Tcpserver,
        b"sslserver" | b"sslhandle" => Service::Sslserver,
        _ => return standard_error(record),
    };
    match server_line(service, record.body) {
        Some(reading) => reading,
        None => Reading::Odd { login_like: looks_like_a_connection(record.body) },
    }
}

/// Whether a record of multilog's is a text that a client chose: it names no program.
pub(crate) fn is_client_text(record: &Record<'_>) -> bool {
    record.program.is_empty() && CLIENT_TEXT.iter().any(|start| record.body.starts_with(start))
}

/// A line of the server itself; `None` where it does not fit its form to the last byte.
fn server_line(service: Service, body: &[u8]) -> Option<Reading> {
    let (word, rest) = split_once(body, b' ')?;
    match word {
        b"status:" => status(service, rest),
        b"pid" => accepted(service, rest),
        b"ok" => admitted(service, rest, Tells::Connect),
        b"deny" => admitted(service, rest, Tells::TurnedAway),
        b"end" => ended(service, rest),
        b"warning:" => warning(service, rest),
        b"fatal:" => Some(fault(service)),
        b"usage:" => Some(Reading::Quiet),
        _ if QUIET.contains(&word) => Some(Reading::Quiet),
        _ => None,
    }
}

/// `N/MAX`
fn status(service: Service, rest: &[u8]) -> Option<Reading> {
    let (in_use, slots) = split_once(rest, b'/')?;
    let tells = Tells::Slots { in_use: number(in_use)?, slots: number(slots)? };
    Some(Reading::Event(AuthEvent::new(service, tells)))
}

/// `PID from IP`
fn accepted(service: Service, rest: &[u8]) -> Option<Reading> {
    let (pid, rest) = split_once(rest, b' ')?;
    let source = ip(rest.strip_prefix(b"from ")?)?;
    let mut event = AuthEvent::new(service, Tells::Connect);
    event.session = Session::Pid(number(pid)?);
    event.source = Some(source);
    Some(Reading::Event(event))
}

/// `PID LNAME:LIP:LPORT RNAME:RIP:RINFO:RPORT`
fn admitted(service: Service, rest: &[u8], tells: Tells) -> Option<Reading> {
    let (pid, rest) = split_once(rest, b' ')?;
    let (local, remote) = split_once(rest, b' ')?;
    let (local, local_port) = rsplit_once(local, b':')?;
    let (_, local_address) = split_once(local, b':')?;
    ip(local_address)?;
    let (remote, port) = rsplit_once(remote, b':')?;
    let (remote, _info) = rsplit_once(remote, b':')?;
    let (_name, address) = split_once(remote, b':')?;
    let mut event = AuthEvent::new(service, tells);
    event.protocol = protocol(number(local_port)?);
    event.session = Session::Pid(number(pid)?);
    event.source = Some(ip(address)?);
    event.port = Some(number(port)?);
    Some(Reading::Event(event))
}

/// `PID status WAIT`: 256 after every POP3 connection, login right, wrong or never tried.
fn ended(service: Service, rest: &[u8]) -> Option<Reading> {
    let (pid, rest) = split_once(rest, b' ')?;
    number::<u32>(rest.strip_prefix(b"status ")?)?;
    let mut event = AuthEvent::new(service, Tells::End { failed: None, succeeded: None });
    event.session = Session::Pid(number(pid)?);
    Some(Reading::Event(event))
}

/// `dropping connection, WHY`: our trouble unless the client brought it about.
fn warning(service: Service, rest: &[u8]) -> Option<Reading> {
    let why = [b"dropping connection, ".as_slice(), b"dropping SSL connection, "]
        .iter()
        .find_map(|start| rest.strip_prefix(*start))?;
    if DROPPED_BY_CLIENT.iter().any(|start| why.starts_with(start)) {
        return Some(Reading::Quiet);
    }
    Some(fault(service))
}

fn fault(service: Service) -> Reading {
    let mut event = AuthEvent::new(service, Tells::Fault);
    event.outcome = Outcome::ServerFault;
    Reading::Event(event)
}

/// Text that the child wrote: no word of it is the server's.
fn standard_error(record: &Record<'_>) -> Reading {
    if is_client_text(record) {
        return Reading::Event(AuthEvent::new(Service::Tcpserver, Tells::Torn));
    }
    if STANDARD_ERROR.iter().any(|start| record.body.starts_with(start)) {
        return Reading::Quiet;
    }
    Reading::Odd { login_like: false }
}

/// Whether a line that fits no form was meant to tell of a connection.
fn looks_like_a_connection(body: &[u8]) -> bool {
    [b"pid ".as_slice(), b"ok ", b"deny ", b"end "].iter().any(|start| body.starts_with(start))
}

/// What a client speaks at a well-known port of ours.
fn protocol(port: u16) -> Protocol {
    match port {
        110 | 995 => Protocol::Pop3,
        143 | 993 => Protocol::Imap,
        25 => Protocol::Smtp,
        465 | 587 => Protocol::Submission,
        4190 => Protocol::Sieve,
        22 => Protocol::Ssh,
        _ => Protocol::Unknown,
    }
}

fn split_once(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(byte, text)?;
    Some((&text[..at], &text[at + 1..]))
}

fn rsplit_once(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memrchr(byte, text)?;
    Some((&text[..at], &text[at + 1..]))
}

#[cfg(test)]
mod tests;
