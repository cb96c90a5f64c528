//! Grammar of Dovecot 2.2 to 2.4: login processes, auth and auth-worker.
//!
//! ```text
//! imap-login: Login: user=<U>, method=PLAIN, rip=R, lip=L, mpid=7, TLS, session=<S>          2.2, 2.3
//! imap-login: Disconnected: WHY (auth failed, 2 attempts in 9 secs): user=<U>, …, session=<S>
//! auth: passwd-file(U,R,<S>): Password mismatch
//! imap-login: Logged in: user=<U>, …                                                          2.4
//! imap-login: Login aborted: WHY (auth failed, 2 attempts in 9 secs) (auth_failed): user=<U>, …
//! auth(U,R,sasl:plain)<S>: passwd-file: Password mismatch
//! ```
//!
//! The name `U` is the client's. It may hold every delimiter of these lines, so fields are taken from the right end:
//! the real address is the last `rip=`, the real session the last `session=<…>`; in an auth line the real
//! `,R,<S>)` stands right before the fixed text at the end. Only a logged clear-text password stands further right:
//! where both could have placed the border, the line is refused (`auth`).
//!
//! In 2.3 and before an auth line without a session is told by the server that asked (Postfix, Exim) too: an
//! [`Tells::Echo`]. One without an address asks for a mailbox, not for a login.
//!
//! What cannot be told: where an admin has lifted `auth_username_chars` (by default no comma gets through) and a program
//! asks for logins without a client's address, `sql(x,8.8.8.8): unknown user` may be a name. It is an echo, no more.

mod auth;
mod login;
pub mod session;
#[cfg(test)]
mod tests;

use core::net::IpAddr;

use fairban_core::account::{Account, AccountKey};
use fairban_core::event::{AuthEvent, Mechanism, Protocol, Service, Session, Tells, Witness};

use crate::record::{Reading, Record};
use crate::secret::Secrets;

pub use session::session_start;

/// Longest name of a Dovecot process that is looked for, in bytes (`managesieve-login` has 17).
const PROCESS_BYTES_MAX: usize = 32;

/// Reads one record.
pub fn read(record: &Record<'_>, secrets: &Secrets) -> Reading {
    let body = record.body.trim_ascii_start(); // RFC 5424 keeps the blank before the message.
    let head = &body[..body.len().min(PROCESS_BYTES_MAX)];
    let Some(end) = head.iter().position(|b| matches!(b, b':' | b'(' | b'<' | b' ')) else {
        return Reading::Odd { login_like: false };
    };
    let (process, delimiter) = (&body[..end], body[end]);
    if process == b"auth" || process == b"auth-worker" {
        let body_at = record.body_at as usize + (record.body.len() - body.len());
        return auth::read(&auth::Line { body, end, body_at, secrets });
    }
    if let Some(name) = process.strip_suffix(b"-login")
        && let Some(text) = body[end..].strip_prefix(b": ")
    {
        return login::read(protocol(name), text);
    }
    // Mail processes, master, anvil, log, stats, …: nothing about a login that the lines above do not tell.
    if delimiter == b' ' { Reading::Odd { login_like: false } } else { Reading::Quiet }
}

/// The session id that [`read`] found in a record: its last `session=<…>`, or the `<…>` of an auth line.
///
/// The id carries the start of the connection ([`session_start`]), so that a caller who knows the record's time can
/// tell an id of this Dovecot from one that something else made up.
pub fn session_id<'a>(record: &Record<'a>) -> Option<&'a [u8]> {
    let body = record.body.trim_ascii_start();
    let name_bytes = body.iter().position(|b| matches!(b, b':' | b'('))?;
    if matches!(&body[..name_bytes], b"auth" | b"auth-worker") {
        auth::session_id(body, name_bytes)
    } else {
        login::session_id(body)
    }
}

fn protocol(name: &[u8]) -> Protocol {
    match name {
        b"imap" => Protocol::Imap,
        b"pop3" => Protocol::Pop3,
        b"managesieve" | b"sieve" => Protocol::Sieve,
        b"submission" => Protocol::Submission,
        _ => Protocol::Unknown,
    }
}

/// How grave Dovecot itself holds a record. Through syslog `Info` is left out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Info,
    Warning,
    Error,
}

/// Takes the level off the front of a message.
fn split_level(text: &[u8]) -> (Level, &[u8]) {
    const LEVELS: [(&[u8], Level); 6] = [
        (b"Info: ", Level::Info),
        (b"Warning: ", Level::Warning),
        (b"Error: ", Level::Error),
        (b"Fatal: ", Level::Error),
        (b"Panic: ", Level::Error),
        (b"Debug: ", Level::Info),
    ];
    if matches!(text.first(), Some(b'I' | b'W' | b'E' | b'F' | b'P' | b'D')) {
        for (word, level) in LEVELS {
            if let Some(rest) = text.strip_prefix(word) {
                return (level, rest);
            }
        }
    }
    (Level::Info, text)
}

/// Takes the level off the end of a prefix (2.4 writes it behind the request's own prefix).
fn strip_level(prefix: &[u8]) -> &[u8] {
    for word in [&b": Info"[..], b": Warning", b": Error"] {
        if let Some(rest) = prefix.strip_suffix(word) {
            return rest;
        }
    }
    prefix
}

fn event(tells: Tells, source: Option<IpAddr>, session: Option<&[u8]>) -> AuthEvent {
    let mut event = AuthEvent::new(Service::Dovecot, tells);
    event.source = source;
    if let Some(id) = session {
        event.session = session::key(id);
        event.witness = source.map_or(Witness::Absent, |source| session::witness(id, source));
    } else {
        event.session = Session::None;
    }
    event
}

/// An account out of a name that the server cuts at `bytes_max`, replacing the last bytes by `...`; `tries` in the
/// session and only the last one named.
fn account(name: &[u8], bytes_max: usize, tries: u16) -> Account {
    /// A cut never splits a character: up to three bytes may be missing.
    const CHARACTER_BYTES_MAX: usize = 3;

    if name.is_empty() {
        return Account::Hidden;
    }
    if name.len() + CHARACTER_BYTES_MAX >= bytes_max
        && let Some(beginning) = name.strip_suffix(b"...")
    {
        return Account::Cut(AccountKey::new(beginning));
    }
    let key = AccountKey::new(name);
    if tries > 1 { Account::Last { key, of: tries } } else { Account::Known(key) }
}

/// Digest, or the secret itself, by SASL name in any case.
fn mechanism(name: &[u8]) -> Mechanism {
    const DIGESTS: [&[u8]; 7] = [b"cram-md5", b"digest-md5", b"apop", b"ntlm", b"otp", b"skey", b"rpa"];
    if name.eq_ignore_ascii_case(b"plain") || name.eq_ignore_ascii_case(b"login") {
        return Mechanism::Plain;
    }
    let scram = name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"scram-"));
    if scram || DIGESTS.iter().any(|digest| name.eq_ignore_ascii_case(digest)) {
        return Mechanism::Digest;
    }
    Mechanism::Unknown
}
