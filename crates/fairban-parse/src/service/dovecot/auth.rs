//! Lines of auth and auth-worker: one for each checked secret, where `auth_verbose` or `auth_verbose_passwords` is on.
//!
//! ```text
//! auth: DRIVER(USER,R,<S>): MESSAGE [TAG]                                                      2.3
//! auth-worker(7): conn unix:auth-worker (pid=8,uid=9): auth-worker<1>: DRIVER(USER,R,<S>): MESSAGE [TAG]
//! auth(USER,R,sasl:MECHANISM)<S>: NAME: MESSAGE [TAG]                                          2.4
//! auth-worker(USER,R)<7><S>: request [1]: NAME: MESSAGE [TAG]
//! ```
//!
//! `USER` is the client's, cut at 64 bytes; so is the password in `(given password: …)`, up to 1,024 bytes. `R` and `S`
//! stand between the two. Every place where a tag may begin is therefore tried, and a line in which two places are
//! good for different clients is refused: a client who writes such a name or password gets his own line dropped
//! (the end of his session still counts his tries), and never another's address into it.

use core::net::IpAddr;

use fairban_core::account::Account;
use fairban_core::event::{AuthEvent, Mechanism, Outcome, Tells};
use memchr::{memchr, memrchr};

use super::session::{ID_BYTES_MAX, is_delivery};
use super::{Level, account, event, mechanism, split_level, strip_level};
use crate::record::Reading;
use crate::secret::Secrets;
use crate::service::fields::{self, address, contains, rsplit_once, split_once};

/// The server cuts names in front of a message at this many bytes.
const USER_BYTES_MAX: usize = 64;
/// The server cuts names in `(username: …)` at this many bytes.
const REFUSED_USER_BYTES_MAX: usize = 128;
/// Longest name of a password database (the operator's choice in 2.4) or mechanism, in bytes.
const DRIVER_BYTES_MAX: usize = 64;
/// Longest text of a client's identity in front of a message: name, address, mechanism, `master`, session.
const WHO_BYTES_MAX: usize = USER_BYTES_MAX + 45 + DRIVER_BYTES_MAX + ID_BYTES_MAX + 64;
/// A password logged at full length may have been cut there.
const SECRET_BYTES_MAX: usize = 1024;

/// A line of auth or auth-worker.
pub(super) struct Line<'a> {
    /// All of it.
    pub(super) body: &'a [u8],
    /// Where the process name ends in `body`.
    pub(super) end: usize,
    /// Where `body` begins in the record's line.
    pub(super) body_at: usize,
    /// For the tags.
    pub(super) secrets: &'a Secrets,
}

/// What the line tells.
pub(super) fn read(line: &Line<'_>) -> Reading {
    let heads = Heads::of(line.body, line.end);
    match tried(&heads) {
        Found::One(tried) => return tried.reading(line),
        Found::Ambiguous => return Reading::Odd { login_like: true },
        Found::None => {}
    }
    if let Some(event) = heads.request().and_then(|request| request.refused()) {
        return Reading::Event(event);
    }
    if heads.is_fault() {
        let mut fault = event(Tells::Fault, None, None);
        fault.outcome = Outcome::ServerFault;
        return Reading::Event(fault);
    }
    if heads.is_quiet() { Reading::Quiet } else { Reading::Odd { login_like: true } }
}

/// The session id that the line is read with.
pub(super) fn session_id(body: &[u8], end: usize) -> Option<&[u8]> {
    let heads = Heads::of(body, end);
    match tried(&heads) {
        Found::One(tried) => tried.who.session,
        Found::Ambiguous => None,
        Found::None => heads.request().and_then(|request| request.who.session),
    }
}

/// The two forms that the beginning of a line may have.
struct Heads<'a> {
    body: &'a [u8],
    level: Level,
    /// 2.3: `DRIVER(…`, behind process, level and connection.
    old: Option<&'a [u8]>,
    /// 2.4: the name of the process is followed by `(USER`; this begins with `USER`.
    new: Option<&'a [u8]>,
}

impl<'a> Heads<'a> {
    fn of(body: &'a [u8], end: usize) -> Heads<'a> {
        let rest = &body[end..];
        let mut heads = Heads { body, level: Level::Info, old: None, new: None };
        let text = if let Some(text) = rest.strip_prefix(b": ") {
            Some(text)
        } else {
            heads.new = rest.strip_prefix(b"(");
            heads.new.and_then(behind_worker)
        };
        if let Some(text) = text {
            let (level, text) = split_level(text);
            heads.level = level;
            heads.old = Some(behind_connection(text));
        }
        heads
    }

    /// A request that is not a checked secret: read from the left, for names that were refused before they could
    /// reach this place (`?` stands for them).
    fn request(&self) -> Option<Request<'a>> {
        if let Some(text) = self.old {
            let open = driver_end(text)?;
            let inner = text[open + 1..].strip_prefix(b"?")?;
            let (inner, message) = split_once(inner, b"): ")?;
            let who = who(&text[open + 1..open + 2 + inner.len()])?;
            return Some(Request { who, mechanism: mechanism(&text[..open]), message });
        }
        let text = self.new.filter(|text| text.starts_with(b"?"))?;
        let (prefix, mut rest) = split_once(text, b": ")?;
        for level in [&b"Info: "[..], b"Warning: ", b"Error: "] {
            rest = rest.strip_prefix(level).unwrap_or(rest);
        }
        let (name, message) = split_once(rest, b": ")?;
        let (who, sasl) = who_of_new(prefix)?;
        Some(Request { who, mechanism: mechanism(sasl.unwrap_or(name)), message })
    }

    /// Whether the end of another client's identity stands at `from` or behind it, where one could still end.
    fn is_followed_by_another(&self, client: &Who<'_>, from: usize) -> bool {
        let is_another =
            |who: Option<Who<'_>>| who.is_some_and(|who| who.source.is_some() && !who.is_same_client(client));
        let tail = &self.body[from..];
        if let Some(text) = self.old
            && let Some(open) = driver_end(text)
        {
            let inner = &self.body[self.body.len() - text.len() + open + 1..];
            let skipped = from.saturating_sub(self.body.len() - inner.len());
            if fields::find_iter(tail, b"): ").any(|at| is_another(inner.get(..skipped + at).and_then(who))) {
                return true;
            }
        }
        self.new.is_some_and(|inner| {
            let skipped = from.saturating_sub(self.body.len() - inner.len());
            fields::find_iter(tail, b": ").any(|at| {
                is_another(inner.get(..skipped + at).and_then(|prefix| Some(who_of_new(prefix)?.0)))
            })
        })
    }

    fn is_fault(&self) -> bool {
        let Some(text) = self.old else {
            return self.new.is_some_and(is_fault_of_new);
        };
        if text.starts_with(b"missing passwd file: ") {
            return true;
        }
        if self.level != Level::Error {
            return false; // What follows is free text in other lines, but none of them is an error.
        }
        if text.starts_with(b"auth-worker: Aborted ") || text.starts_with(b"auth worker: Aborted ") {
            return true;
        }
        if let Some(text) = text.strip_prefix(b"master: service(auth") {
            return contains(text, b" killed with signal ");
        }
        let backend = [&b"mysql("[..], b"pgsql(", b"sqlite(", b"cassandra(", b"ldap(", b"sql("];
        backend.iter().any(|backend| text.starts_with(backend))
            && split_once(text, b"): ").is_some_and(|(_, message)| {
                let down = [&b"Connect failed"[..], b"Can't connect to server", b"Password query failed: "];
                down.iter().any(|down| message.starts_with(down))
            })
    }

    /// Lines that are known to say nothing about the outcome of a login. Every failed login has a line of the login
    /// process too, so what a client can hide by a name that looks like one of these is a name.
    fn is_quiet(&self) -> bool {
        const OUTCOMES: [&[u8]; 6] =
            [b"fail", b"mismatch", b"unknown", b"invalid", b"denied", b"not allowed"];

        self.level != Level::Info
            || self.body.ends_with(b" secs)") // Request timed out waiting for client to continue authentication
            || self.body.ends_with(b" - trying the next passdb") // The next one writes its own line.
            || self.body.ends_with(b" - trying the next userdb")
            || self.body.ends_with(b" not in allowed networks")
            || contains(self.body, b"policy server refusal: ")
            || self.request().is_some() // Malformed requests.
            || self.new.is_some() && contains(self.body, b": Error: ")
            || !OUTCOMES.iter().any(|word| contains(self.body, word))
    }
}

/// Whether a line of 2.4 tells that the passwords cannot be read. A name can hold these texts, but then the end of its
/// own prefix follows.
fn is_fault_of_new(text: &[u8]) -> bool {
    [&b": missing passwd file: "[..], b": Password query failed: "].iter().any(|trouble| {
        let Some((prefix, reason)) = rsplit_once(text, trouble) else {
            return false;
        };
        let named = rsplit_once(prefix, b": ")
            .is_some_and(|(prefix, name)| is_driver(name) && who_of_new(prefix).is_some());
        named && !contains(reason, b")<") && !contains(reason, b"): ")
    })
}

/// What follows `PID): ` of a 2.3 worker.
fn behind_worker(text: &[u8]) -> Option<&[u8]> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text[digits..].strip_prefix(b"): ").filter(|_| digits > 0)
}

/// What follows `conn unix:auth-worker (pid=8,uid=9): auth-worker<1>: `: the server's own words, so the leftmost border
/// is the right one.
fn behind_connection(text: &[u8]) -> &[u8] {
    if !text.starts_with(b"conn ") && !text.starts_with(b"auth-worker<") {
        return text;
    }
    let Some(at) = fields::find(text, b"auth-worker<") else {
        return text;
    };
    split_once(&text[at..], b">: ").map_or(text, |(_, rest)| rest)
}

/// Where `(` ends the driver's name.
fn driver_end(text: &[u8]) -> Option<usize> {
    let open = memchr(b'(', &text[..text.len().min(DRIVER_BYTES_MAX + 1)])?;
    is_driver(&text[..open]).then_some(open)
}

fn is_driver(name: &[u8]) -> bool {
    !name.is_empty()
        && name.len() <= DRIVER_BYTES_MAX
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// Who tried, as the prefix of a message names him.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Who<'a> {
    user: &'a [u8],
    source: Option<IpAddr>,
    session: Option<&'a [u8]>,
}

impl Who<'_> {
    /// Whether this is a login at all, and whether another daemon tells it too.
    fn tells(&self) -> Option<Tells> {
        self.source?;
        match self.session {
            None => Some(Tells::Echo),
            Some(id) if is_delivery(id) => None,
            Some(_) => Some(Tells::Attempt),
        }
    }

    fn is_same_client(&self, other: &Who<'_>) -> bool {
        self.source == other.source && self.session == other.session
    }
}

/// Reads `USER[,R][,master][,<S>]` from the right.
fn who(inner: &[u8]) -> Option<Who<'_>> {
    if inner.len() > WHO_BYTES_MAX {
        return None;
    }
    let (inner, session) = match inner.strip_suffix(b">") {
        None => (inner, None),
        Some(rest) => {
            let (rest, id) = rsplit_once(rest, b",<")?;
            (rest, Some(valid_id(id)?))
        }
    };
    user_and_address(inner).map(|(user, source)| Who { user, source, session })
}

/// Reads `USER[,R][,sasl:M][,master])[<PID>][<S>][: request [N]]` from the right; gives `M` too.
fn who_of_new(prefix: &[u8]) -> Option<(Who<'_>, Option<&[u8]>)> {
    if prefix.len() > WHO_BYTES_MAX {
        return None;
    }
    let mut prefix = strip_level(prefix);
    let worker = prefix.ends_with(b"]");
    if worker {
        prefix = rsplit_once(prefix, b": request [")?.0;
    }
    let mut session = None;
    if let Some(rest) = prefix.strip_suffix(b">")
        && let Some((rest, id)) = rsplit_once(rest, b"<")
    {
        let (rest, id) = match rest.strip_suffix(b">").filter(|_| worker) {
            Some(rest) => (rsplit_once(rest, b"<")?.0, Some(id)),
            None if worker => (rest, None), // The worker's own pid: the client has no session.
            None => (rest, Some(id)),
        };
        if let Some(id) = id {
            session = Some(valid_id(id)?);
        }
        prefix = rest;
    }
    let inner = prefix.strip_suffix(b")")?;
    let inner = inner.strip_suffix(b",master").unwrap_or(inner);
    let (inner, sasl) = match rsplit_once(inner, b",sasl:") {
        Some((rest, sasl)) if is_driver(sasl) => (rest, Some(sasl)),
        _ => (inner, None),
    };
    let (user, source) = user_and_address(inner)?;
    Some((Who { user, source, session }, sasl))
}

fn valid_id(id: &[u8]) -> Option<&[u8]> {
    let valid = !id.is_empty()
        && id.len() <= ID_BYTES_MAX
        && !id.iter().any(|byte| matches!(byte, b'<' | b'>' | b' '));
    valid.then_some(id)
}

/// Reads `USER[,R][,master]`.
fn user_and_address(inner: &[u8]) -> Option<(&[u8], Option<IpAddr>)> {
    let without_master = inner.strip_suffix(b",master").unwrap_or(inner);
    let (user, source) = match memrchr(b',', without_master) {
        Some(comma) => match address(&without_master[comma + 1..]) {
            Some(source) => (&without_master[..comma], Some(source)),
            None => (inner, None),
        },
        None => (inner, None),
    };
    (user.len() <= USER_BYTES_MAX).then_some((user, source))
}

/// What the line shows of the secret.
#[derive(Clone, Copy)]
enum Shown {
    /// Nothing: `auth_verbose` alone, or a digest of which no more is ever written.
    Nothing,
    /// A blank where the tag would stand: secrets are logged, and this mechanism has none that could be.
    Blank,
    /// The SHA-1 of it, in hexadecimal digits, perhaps cut; a byte range of the line's body.
    Sha1(usize, usize),
    /// The secret itself; a byte range of the line's body.
    Plain(usize, usize),
}

/// A checked secret.
#[derive(Clone, Copy)]
struct Tried<'a> {
    who: Who<'a>,
    /// By driver or `sasl:`.
    mechanism: Mechanism,
    outcome: Outcome,
    shown: Shown,
}

enum Found<'a> {
    None,
    One(Tried<'a>),
    Ambiguous,
}

/// The results of a check, as they end a message.
const RESULTS: [(&[u8], Outcome); 10] = [
    (b"unknown user", Outcome::UnknownAccount),
    (b"Password mismatch", Outcome::BadSecret),
    (b"Password mismatch (for LDAP bind)", Outcome::BadSecret),
    (b"pam_authenticate() failed: Authentication failure (Password mismatch?)", Outcome::BadSecret),
    (b"pam_authenticate() failed: Authentication failure (password mismatch?)", Outcome::BadSecret),
    (b"invalid credentials", Outcome::BadSecret),
    (b"User unknown", Outcome::UnknownAccount),
    (b"User found from deny passdb", Outcome::Denied),
    (b"Authentication failure due to policy server refusal", Outcome::Denied),
    (b"Not connected to database", Outcome::ServerFault),
];

/// What introduces a tag, behind `(` or `(SHA1 of `.
const GIVEN_PASSWORD: &[u8] = b"given password: ";

/// The checked secret that the line tells of: every border that name or password could have made is tried.
fn tried<'a>(heads: &Heads<'a>) -> Found<'a> {
    let body = heads.body;
    let mut found = None::<Tried<'a>>;
    let mut add = |message_end: usize, shown: Shown| {
        let Some(tried) = check(heads, message_end, shown) else {
            return true;
        };
        if contains(tried.who.user, GIVEN_PASSWORD) {
            return false; // This border stands in a password, or in a name that pretends so.
        }
        if let Shown::Plain(secret, _) = shown
            && heads.is_followed_by_another(&tried.who, secret)
        {
            return false; // What looks like a password may be the end of a name, and another message follows it.
        }
        found.get_or_insert(tried).who.is_same_client(&tried.who)
    };
    let mut clear = match body.strip_suffix(b" ") {
        Some(rest) => add(rest.len(), Shown::Blank),
        None => add(body.len(), Shown::Nothing),
    };
    if body.ends_with(b")") {
        let secret_end = body.len() - 1;
        for at in fields::find_iter(body, GIVEN_PASSWORD) {
            let secret = at + GIVEN_PASSWORD.len();
            if secret > secret_end {
                continue;
            }
            if let Some(front) = body[..at].strip_suffix(b" (") {
                clear &= add(front.len(), Shown::Plain(secret, secret_end));
            } else if let Some(front) = body[..at].strip_suffix(b" (SHA1 of ")
                && is_sha1(&body[secret..secret_end])
            {
                clear &= add(front.len(), Shown::Sha1(secret, secret_end));
            }
        }
    }
    match found {
        _ if !clear => Found::Ambiguous,
        Some(tried) => Found::One(tried),
        None => Found::None,
    }
}

fn is_sha1(hex: &[u8]) -> bool {
    !hex.is_empty() && hex.len() <= 40 && hex.iter().all(u8::is_ascii_hexdigit)
}

/// Whether a message that ends here is a result with a client in front of it.
fn check<'a>(heads: &Heads<'a>, message_end: usize, shown: Shown) -> Option<Tried<'a>> {
    let text = &heads.body[..message_end];
    if !matches!(text.last(), Some(b'r' | b'h' | b')' | b's' | b'n' | b'b' | b'l' | b'e')) {
        return None;
    }
    for (result, outcome) in RESULTS {
        let Some(prefix) = text.strip_suffix(result) else {
            continue;
        };
        let (who, mechanism) = match prefix.strip_suffix(b"): ") {
            Some(prefix) => old_client(heads, prefix)?,
            None => new_client(heads, prefix.strip_suffix(b": ")?)?,
        };
        return Some(Tried { who, mechanism, outcome, shown });
    }
    None
}

/// The client in `…DRIVER(USER,R,<S>` and what the driver says about the mechanism.
fn old_client<'a>(heads: &Heads<'a>, prefix: &'a [u8]) -> Option<(Who<'a>, Mechanism)> {
    let text = heads.old?;
    let open = driver_end(text)?;
    let inner_at = heads.body.len() - text.len() + open + 1;
    let who = who(prefix.get(inner_at..)?)?;
    Some((who, mechanism(&text[..open])))
}

/// The client in `auth(USER,R,sasl:M)<S>: NAME`.
fn new_client<'a>(heads: &Heads<'a>, prefix: &'a [u8]) -> Option<(Who<'a>, Mechanism)> {
    let text = heads.new?;
    let inner_at = heads.body.len() - text.len();
    let (prefix, name) = rsplit_once(prefix, b": ")?;
    if !is_driver(name) {
        return None;
    }
    let (mut who, sasl) = who_of_new(prefix.get(inner_at..)?)?;
    if sasl.is_none() && heads.body.starts_with(b"auth(") {
        who.source = None; // Only a worker does not name the mechanism of a login.
    }
    Some((who, sasl.map_or(Mechanism::Unknown, mechanism)))
}

impl Tried<'_> {
    fn reading(&self, line: &Line<'_>) -> Reading {
        let tells = match self.who.tells() {
            Some(_) if self.outcome == Outcome::ServerFault => Tells::Fault,
            Some(tells) => tells,
            None => return Reading::Quiet, // A look-up of a mailbox, not a login.
        };
        let mut event = event(tells, self.who.source, self.who.session);
        event.account = account(self.who.user, USER_BYTES_MAX, 1);
        event.outcome = self.outcome;
        event.mechanism = self.mechanism();
        match self.shown {
            Shown::Nothing | Shown::Blank => {}
            Shown::Sha1(from, to) => {
                event.secret = Some(line.secrets.tag(&line.body[from..to]));
                event.secret_at = Some(in_line(line, from, to));
            }
            Shown::Plain(from, to) => {
                let secret = &line.body[from..to];
                if secret.len() < SECRET_BYTES_MAX {
                    event.secret = Some(line.secrets.tag(secret));
                    event.common_secret = line.secrets.is_common(secret);
                }
                event.secret_at = Some(in_line(line, from, to));
            }
        }
        Reading::Event(event)
    }

    /// A password database is asked for digests and passwords alike; what it was given tells which.
    fn mechanism(&self) -> Mechanism {
        if self.mechanism != Mechanism::Unknown {
            return self.mechanism;
        }
        match self.shown {
            Shown::Sha1(..) | Shown::Plain(..) => Mechanism::Plain,
            Shown::Blank => Mechanism::Digest,
            // The database itself compares nothing but passwords: a digest's mismatch names its mechanism.
            Shown::Nothing if self.outcome == Outcome::BadSecret => Mechanism::Plain,
            Shown::Nothing => Mechanism::Unknown,
        }
    }
}

fn in_line(line: &Line<'_>, from: usize, to: usize) -> (u32, u32) {
    let place = |at: usize| u32::try_from(line.body_at + at).unwrap_or(u32::MAX);
    (place(from), place(to))
}

/// A request whose client is named `?` because the name given was no name.
struct Request<'a> {
    who: Who<'a>,
    mechanism: Mechanism,
    message: &'a [u8],
}

impl Request<'_> {
    /// The try of a name that was refused before any look-up: whatever the server says, no account has it.
    fn refused(&self) -> Option<AuthEvent> {
        const DISALLOWED: &[u8] = b"Username character disallowed by auth_username_chars: 0x";
        const NAME: &[u8] = b" (username: ";
        const NAMELESS: [&[u8]; 3] = [b"Empty username", b"missing digest", b"Invalid username"];

        let account = if let Some(rest) = self.message.strip_prefix(DISALLOWED) {
            let name = rest.get(2..)?.strip_prefix(NAME)?.strip_suffix(b")")?;
            account(name, REFUSED_USER_BYTES_MAX, 1)
        } else if NAMELESS.contains(&self.message) {
            Account::Hidden
        } else {
            return None;
        };
        let mut event = event(self.who.tells()?, self.who.source, self.who.session);
        event.account = account;
        event.outcome = Outcome::UnknownAccount;
        event.mechanism = self.mechanism;
        Some(event)
    }
}
