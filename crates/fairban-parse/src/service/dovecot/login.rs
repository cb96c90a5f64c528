//! Lines of the login processes: `imap-login`, `pop3-login`, `managesieve-login`, `submission-login`.

use core::net::IpAddr;

use fairban_core::account::Account;
use fairban_core::event::{Mechanism, Outcome, Protocol, Tells};
use fairban_core::time::Span;
use memchr::{memchr, memchr_iter, memrchr, memrchr_iter};

use super::session::ID_BYTES_MAX;
use super::{Level, account, event, mechanism, split_level};
use crate::record::Reading;
use crate::service::fields::{address, contains, number, split_once, until};

/// The server cuts `user=<…>` at this many bytes.
const USER_BYTES_MAX: usize = 80;

/// What a line of a login process tells, given what follows `PROTOCOL-login: `.
pub(super) fn read(protocol: Protocol, text: &[u8]) -> Reading {
    let (level, text) = split_level(text);
    let reading = match text.first() {
        _ if level != Level::Info => trouble(text),
        Some(b'L') if text.starts_with(b"Login: user=<") => logged_in(&text[13..]),
        Some(b'L') if text.starts_with(b"Logged in: user=<") => logged_in(&text[17..]),
        Some(b'p') if text.starts_with(b"proxy(") => proxied(text),
        // Malformed or forbidden requests: the session goes on and ends in a line of its own.
        Some(b'A') if text.starts_with(b"Authenticate ") || text.starts_with(b"APOP failed: ") => {
            Reading::Quiet
        }
        Some(b'L') if text.starts_with(b"Login failed: ") => Reading::Quiet,
        _ => ended(text),
    };
    match reading {
        Reading::Event(mut event) => {
            event.protocol = protocol;
            Reading::Event(event)
        }
        other => other,
    }
}

/// The session id of a login line: the last `session=<…>`, at the very end.
pub(super) fn session_id(body: &[u8]) -> Option<&[u8]> {
    split_session(body).1
}

/// The fields behind `user=<`.
struct Elements<'a> {
    user: &'a [u8],
    method: &'a [u8],
    source: IpAddr,
    session: Option<&'a [u8]>,
}

impl Elements<'_> {
    fn mechanism(&self) -> Mechanism {
        mechanism(self.method)
    }
}

/// Splits at the first `: user=<`. Login lines are many, and `<` is rare in front of it.
fn split_user(text: &[u8]) -> Option<(&[u8], &[u8])> {
    memchr_iter(b'<', text)
        .find_map(|at| text[..at].strip_suffix(b": user=").map(|head| (head, &text[at + 1..])))
}

/// Splits at the last `key`, which ends in `=`.
fn rsplit_key<'a>(text: &'a [u8], key: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    memrchr_iter(b'=', text)
        .find_map(|at| text[..=at].strip_suffix(key).map(|front| (front, &text[at + 1..])))
}

/// Reads `USER>, method=M, rip=R, lip=L, …, session=<S>` from the right: only `USER` (and `M`, which stands before
/// the address too) is the client's.
fn elements(text: &[u8]) -> Option<Elements<'_>> {
    let (text, session) = split_session(text);
    let (names, network) = rsplit_key(text, b", rip=")?;
    let source = address(until(network, b','))?;
    let (user, method) = match rsplit_key(names, b">, method=") {
        Some(fields) => fields,
        None => (names.strip_suffix(b">")?, &b""[..]),
    };
    Some(Elements { user, method, source, session })
}

fn split_session(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let Some(open) = text.strip_suffix(b">").and_then(|text| memrchr(b'<', text)) else {
        return (text, None);
    };
    let id = &text[open + 1..text.len() - 1];
    match text[..open].strip_suffix(b", session=") {
        Some(rest) if !id.is_empty() && id.len() <= ID_BYTES_MAX && memchr(b'>', id).is_none() => {
            (rest, Some(id))
        }
        _ => (text, None),
    }
}

fn logged_in(text: &[u8]) -> Reading {
    let Some(elements) = elements(text) else {
        return Reading::Odd { login_like: true };
    };
    attempt(&elements, Outcome::Success)
}

fn attempt(elements: &Elements<'_>, outcome: Outcome) -> Reading {
    let tells = if outcome == Outcome::ServerFault { Tells::Fault } else { Tells::Attempt };
    let mut event = event(tells, Some(elements.source), elements.session);
    event.account = account(elements.user, USER_BYTES_MAX, 1);
    event.outcome = outcome;
    event.mechanism = elements.mechanism();
    Reading::Event(event)
}

/// `proxy(USER,HOST:PORT): Started proxying to remote host (…): user=<USER>, …`, in 2.2 `proxy(USER): started proxying
/// to HOST:PORT: user=<USER>, …`. The name is checked against `user=<…>`, else it could place the border itself.
fn proxied(text: &[u8]) -> Reading {
    let fields = split_user(text).and_then(|(head, tail)| Some((head, elements(tail)?)));
    let Some((head, elements)) = fields else {
        return Reading::Quiet;
    };
    let told =
        head[b"proxy(".len()..].strip_prefix(elements.user).filter(|rest| matches!(rest, [b')' | b',', ..]));
    let Some((_, told)) = told.and_then(|rest| split_once(rest, b"): ")) else {
        return Reading::Quiet;
    };
    if told.starts_with(b"Started proxying") || told.starts_with(b"started proxying") {
        attempt(&elements, Outcome::Success)
    } else if told.starts_with(b"Login failed") {
        let down = contains(told, b"[UNAVAILABLE]") || contains(told, b"[SYS/TEMP]");
        attempt(&elements, if down { Outcome::ServerFault } else { Outcome::Failed })
    } else {
        Reading::Quiet
    }
}

/// Warnings and errors: the auth service is down, or nothing about a login.
fn trouble(text: &[u8]) -> Reading {
    let waits = text.starts_with(b"Auth process not responding");
    if !waits
        && !text.starts_with(b"auth-client: ")
        && !text.starts_with(b"Timeout waiting for handshake from auth")
    {
        return Reading::Quiet;
    }
    let elements = split_user(text).and_then(|(_, tail)| elements(tail)).filter(|_| waits);
    let source = elements.as_ref().map(|elements| elements.source);
    let mut event = event(Tells::Fault, source, elements.and_then(|elements| elements.session));
    event.outcome = Outcome::ServerFault;
    Reading::Event(event)
}

/// How a session ended, by the reason in parentheses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Its tries failed.
    Failed,
    /// Nobody tried.
    NoTry,
    /// The last try was not finished or malformed. Earlier ones, and one whose answer the server was still delaying,
    /// are hidden by that.
    Unfinished,
    /// The secret was right or did not matter.
    Denied,
    /// The backend is down.
    Fault,
}

/// The reasons' beginnings; where one is the beginning of another, the longer one comes first.
const REASONS: [(&[u8], Ending); 28] = [
    (b"auth failed", Ending::Failed),
    (b"no auth attempts", Ending::NoTry),
    (b"client didn't finish SASL auth", Ending::Unfinished),
    (b"disconnected before auth was ready", Ending::NoTry),
    (b"disconnected during TLS handshake", Ending::NoTry),
    (b"disconnected while authenticating", Ending::Unfinished),
    (b"disconnected while finishing login", Ending::Unfinished),
    (b"aborted authentication", Ending::Unfinished),
    (b"auth aborted by client", Ending::Unfinished),
    (b"tried to use ", Ending::Unfinished),
    (b"sent invalid base64 in response", Ending::Unfinished),
    (b"anonymous logins disabled", Ending::Unfinished),
    (b"auth referral", Ending::Unfinished),
    (b"client_limit and process_limit", Ending::Unfinished),
    (b"The process is shutting down", Ending::Unfinished),
    (b"cert required", Ending::NoTry),
    (b"client sent an ", Ending::NoTry),
    (b"client didn't send a cert", Ending::NoTry),
    (b"auth process communication failure", Ending::Fault),
    (b"auth service reported temporary failure", Ending::Fault),
    (b"internal failure", Ending::Denied),
    (b"user disabled", Ending::Denied),
    (b"password expired", Ending::Denied),
    (b"login disabled", Ending::Denied),
    (b"authorization failed", Ending::Denied),
    (b"connection limit reached", Ending::Denied),
    (b"proxy dest auth", Ending::Failed),
    (b"proxy dest ", Ending::Fault),
];

/// `Disconnected: WHY (REASON): user=<…`, in 2.2 `Aborted login (REASON): user=<…`, in 2.4 `Login aborted: WHY (REASON)
/// (CODE): user=<…`. WHY and REASON are the server's, so the first `: user=<` is the border.
fn ended(text: &[u8]) -> Reading {
    let Some((head, tail)) = split_user(text) else {
        return Reading::Odd { login_like: contains(text, b"auth failed") };
    };
    let opened = memchr_iter(b'(', head).filter(|&at| head[..at].ends_with(b" "));
    let mut reasons = opened.filter_map(|at| reason(&head[at + 1..]));
    let Some((ending, counts)) = reasons.next() else {
        // After a login, or turned away by a plug-in before the greeting: no reason is given.
        let said = head.starts_with(b"Disconnected") || head.starts_with(b"Login aborted: ");
        return if said { Reading::Quiet } else { Reading::Odd { login_like: contains(head, b"fail") } };
    };
    let Some(elements) = elements(tail) else {
        return Reading::Odd { login_like: ending == Ending::Failed };
    };
    let tries = if ending == Ending::Failed { counts.tries.unwrap_or(1) } else { 1 };
    let (tells, outcome) = match ending {
        Ending::Failed => (Tells::End { failed: Some(tries), succeeded: None }, Outcome::Failed),
        Ending::NoTry => (Tells::End { failed: Some(0), succeeded: None }, Outcome::Aborted),
        Ending::Unfinished => (Tells::End { failed: None, succeeded: None }, Outcome::Aborted),
        Ending::Denied => {
            let failed = counts.tries.map(|tries| tries.saturating_sub(counts.succeeded.unwrap_or(0)));
            (Tells::End { failed, succeeded: counts.succeeded }, Outcome::Denied)
        }
        Ending::Fault => (Tells::Fault, Outcome::ServerFault),
    };
    let mut event = event(tells, Some(elements.source), elements.session);
    event.account = if outcome == Outcome::Aborted {
        Account::Hidden // Nothing says that the name shown is the one that was being tried.
    } else {
        account(elements.user, USER_BYTES_MAX, tries)
    };
    event.outcome = outcome;
    event.mechanism = elements.mechanism();
    event.lasted = counts.lasted_secs.map(|secs| Span::secs(i64::from(secs)));
    Reading::Event(event)
}

/// The numbers in a reason.
#[derive(Default)]
struct Counts {
    tries: Option<u16>,
    succeeded: Option<u16>,
    lasted_secs: Option<u32>,
}

fn reason(text: &[u8]) -> Option<(Ending, Counts)> {
    let (beginning, ending) = REASONS.iter().find(|(beginning, _)| text.starts_with(beginning))?;
    Some((*ending, counts(&text[beginning.len()..])))
}

/// Reads `, 2 attempts in 9 secs`, ` in 9 secs`, `, waited 9 secs`, `, 1 successful auths`, `, 1/2 successful auths in 9
/// secs`. What a proxy's backend said may follow the seconds.
fn counts(text: &[u8]) -> Counts {
    /// The longest form: `authentication failure, 1/2 successful auths in 9 secs`.
    const WORDS_MAX: usize = 8;

    let mut counts = Counts::default();
    let mut last = &b""[..];
    let words = until(text, b')').split(|byte| matches!(byte, b' ' | b',')).filter(|word| !word.is_empty());
    for word in words.take(WORDS_MAX) {
        match word {
            b"attempts" => counts.tries = number(last).map(saturated),
            b"successful" => match split_once(last, b"/") {
                Some((succeeded, tries)) => {
                    counts.succeeded = number(succeeded).map(saturated);
                    counts.tries = number(tries).map(saturated);
                }
                None => counts.succeeded = number(last).map(saturated),
            },
            b"secs" => {
                counts.lasted_secs = number(last);
                break;
            }
            _ => {}
        }
        last = word;
    }
    counts
}

fn saturated(count: u32) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}
