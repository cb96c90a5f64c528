//! Grammar of vpopmail's `vchkpw`: every line that `vchkpw.c` of 5.4.28 to 5.6.13 can write to syslog.
//!
//! ```text
//! vchkpw-pop3: password fail (pass: 'SECRET') USER@DOMAIN:ADDRESS
//! ^ vchkpw's own, decides the form ^          ^ checked    ^ vchkpw's own, read first
//! ```
//!
//! The start of the text decides the form, never a search in the middle; the address is read from the end. What lies
//! between is the client's: a secret may be any bytes, and a name that vchkpw refused unread (`invalid
//! user/domain characters`, `null password given`) likewise. Where vchkpw had split the name, neither part can hold a
//! blank, a colon or a parenthesis, so the last `') ` ends the secret.
//!
//! What each form tells, where that is not plain:
//!
//! - `null user name given`: an attempt at no account. The name is empty, so the account is `Hidden`: an empty key
//!   would be one account that all such clients share.
//! - `null password given`: written before any account is looked up, so neither "no such account" nor "wrong secret"
//!   is known: `Failed`. Name, secret and challenge share a buffer of 155 bytes; a name that fills it has pushed the
//!   secret out and may have lost its own end: `Cut`.
//! - `invalid user/domain characters`: no account can have such a name, so `UnknownAccount`, under the name as typed.
//! - `user has no password`, `… access denied`, `system user shadow entry not found`: nobody logs in there, whatever
//!   he knows: `Denied`.
//! - `… errno …` and its like: the server's trouble, after the login was right. A [`Tells::Fault`], never an attempt:
//!   the same process may have logged its success already.
//! - A secret of exactly 32 lower-case hexadecimal digits is a digest (APOP, CRAM-MD5), which changes with each
//!   greeting: no tag. So has a secret near the end of the buffer: its end may be missing.
//! - No domain is written `alice@`; the account is the bare `alice`, as every other service has it.

use core::net::IpAddr;

use fairban_core::account::{Account, AccountKey};
use fairban_core::event::{AuthEvent, Mechanism, Outcome, Protocol, Service, Session, Tells};

use super::fields::{self, address as ip};
use crate::record::{Reading, Record};
use crate::secret::Secrets;

/// Name and secret of this many bytes together may be short of their end: vchkpw keeps 155 bytes of name, secret and
/// challenge with a NUL after each. Some bytes less, for it writes `alice` as `alice@`.
const CUT_AT_BYTES: usize = 150;

/// vchkpw writes an IPv6 address of at least this many bytes with its colons.
const IN_FULL_BYTES: usize = 31;

/// The longest text of an address: eight groups of four, or an IPv4 address in IPv6 form.
const LONGEST_ADDRESS_BYTES: usize = 45;

/// Separators of user and domain besides `@`, in names that vchkpw has not split.
const SEPARATORS: &[u8] = b"%/";

/// A form of line: how it starts and what that says.
struct Form {
    /// After `TAG: `.
    start: &'static [u8],
    tells: Tells,
    outcome: Outcome,
    /// What stands between start and name.
    between: Between,
    name: Name,
}

/// What stands between the start of a form and its name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Between {
    Nothing,
    /// `SECRET') `
    Secret,
    /// Words of the server's own, each with a blank after it.
    Words,
}

/// How a form writes the name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    /// `USER@DOMAIN`, split, lower-cased, every byte checked.
    Split,
    /// The user alone, or the whole name not split: every byte checked.
    Whole,
    /// As the client sent it.
    Raw,
    /// Empty.
    Empty,
}

const fn attempt(start: &'static [u8], outcome: Outcome, between: Between, name: Name) -> Form {
    Form { start, tells: Tells::Attempt, outcome, between, name }
}

const fn fault(start: &'static [u8], between: Between) -> Form {
    Form { start, tells: Tells::Fault, outcome: Outcome::ServerFault, between, name: Name::Split }
}

/// All forms but the success, whose start varies. The first that fits is meant.
const FORMS: [Form; 26] = [
    attempt(b"vpopmail user not found ", Outcome::UnknownAccount, Between::Nothing, Name::Split),
    attempt(b"password fail (pass: '", Outcome::BadSecret, Between::Secret, Name::Split),
    attempt(b"password fail ", Outcome::BadSecret, Between::Nothing, Name::Split),
    attempt(b"invalid user/domain characters ", Outcome::UnknownAccount, Between::Nothing, Name::Raw),
    attempt(b"null user name given ", Outcome::UnknownAccount, Between::Nothing, Name::Empty),
    attempt(b"null password given ", Outcome::Failed, Between::Nothing, Name::Raw),
    attempt(b"user has no password ", Outcome::Denied, Between::Nothing, Name::Split),
    attempt(b"pop access denied ", Outcome::Denied, Between::Nothing, Name::Split),
    attempt(b"smtp access denied ", Outcome::Denied, Between::Nothing, Name::Split),
    attempt(b"webmail access denied ", Outcome::Denied, Between::Nothing, Name::Split),
    attempt(b"imap access denied ", Outcome::Denied, Between::Nothing, Name::Split),
    attempt(b"system user not found ", Outcome::UnknownAccount, Between::Nothing, Name::Whole),
    attempt(b"system user shadow entry not found ", Outcome::Denied, Between::Nothing, Name::Whole),
    attempt(b"system password fail (pass: '", Outcome::BadSecret, Between::Secret, Name::Whole),
    attempt(b"system password fail ", Outcome::BadSecret, Between::Nothing, Name::Whole),
    attempt(b"system password login success ", Outcome::Success, Between::Nothing, Name::Whole),
    fault(b"setgid ", Between::Words),
    fault(b"setuid ", Between::Words),
    fault(b"autocreate dir errno ", Between::Words),
    fault(b"chdir failed errno ", Between::Words),
    fault(b"putenv(USER) failed errno ", Between::Words),
    fault(b"putenv(HOME) failed errno ", Between::Words),
    fault(b"putenv(SHELL) failed errno ", Between::Words),
    fault(b"putenv(VPOPUSER) failed errno ", Between::Words),
    fault(b"dir auto create failed ", Between::Nothing),
    fault(b"failed to vauth_getpw() after dir auto create ", Between::Nothing),
];

/// A login that was right: `(AUTH) login success USER@DOMAIN:ADDRESS`.
const SUCCESS: Form = attempt(b") login success ", Outcome::Success, Between::Nothing, Name::Split);

/// How vpopmail's own error texts start that vchkpw of the development line writes when it cannot open its database.
const DATABASE_ERRORS: [&[u8]; 5] = [
    b"no authentication database connection",
    b"parsing database configuration file",
    b"Unable to chdir to ",
    b"memory allocation error",
    b"can't read users/assign file",
];

/// How `vchangepw`'s lines start. They name an account, but no address.
const VCHANGEPW: [&[u8]; 5] = [
    b"Too long password for user <",
    b"Wrong password for user <",
    b"Domain of address <",
    b"Error changing users password! User <",
    b"User <",
];

/// Reads one record.
pub fn read(record: &Record<'_>, secrets: &Secrets) -> Reading {
    let body = record.body.trim_ascii_start();
    if record.program == b"vchangepw" {
        let known = VCHANGEPW.iter().any(|start| body.starts_with(start));
        return if known { Reading::Quiet } else { Reading::Odd { login_like: false } };
    }
    // The SQL log is a copy: that it fails says nothing about the login.
    if body == b"vchkpw: can't write SQL logs" {
        return Reading::Quiet;
    }
    let Some((protocol, text)) = tag(body) else {
        return Reading::Odd { login_like: body.starts_with(b"vchkpw") };
    };
    let mut line = Line { event: AuthEvent::new(Service::Vpopmail, Tells::Attempt), record, secrets };
    line.event.protocol = protocol;
    line.event.session = record.pid.map_or(Session::None, Session::Pid);
    line.read(text)
}

/// `vchkpw-WORD: `: what the client spoke, and the text after it.
fn tag(body: &[u8]) -> Option<(Protocol, &[u8])> {
    let body = body.strip_prefix(b"vchkpw-")?;
    let end = memchr::memchr(b':', body)?;
    let protocol = match &body[..end] {
        b"pop3" | b"pop3s" => Protocol::Pop3,
        b"imap" | b"imaps" => Protocol::Imap,
        b"smtp" => Protocol::Smtp,
        b"submission" | b"smtps" => Protocol::Submission,
        b"webmail" => Protocol::Webmail,
        port if (1..=5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit) => Protocol::Unknown,
        _ => return None,
    };
    Some((protocol, body[end + 1..].strip_prefix(b" ")?))
}

/// A line being read.
struct Line<'a> {
    event: AuthEvent,
    record: &'a Record<'a>,
    secrets: &'a Secrets,
}

impl Line<'_> {
    /// Reads the text after the tag.
    fn read(mut self, text: &[u8]) -> Reading {
        if let Some((mechanism, rest)) = success(text) {
            self.event.mechanism = mechanism;
            return self.fill(&SUCCESS, rest);
        }
        if let Some(form) = FORMS.iter().find(|form| text.starts_with(form.start)) {
            return self.fill(form, &text[form.start.len()..]);
        }
        if DATABASE_ERRORS.iter().any(|start| text.starts_with(start)) {
            self.event.tells = Tells::Fault;
            self.event.outcome = Outcome::ServerFault;
            return Reading::Event(self.event);
        }
        Reading::Odd { login_like: true }
    }

    /// Fills in what `rest`, the text after the start of `form`, says.
    fn fill(mut self, form: &Form, rest: &[u8]) -> Reading {
        self.event.tells = form.tells;
        self.event.outcome = form.outcome;
        let (secret, tail) = match form.between {
            Between::Nothing => (None, rest),
            Between::Secret => match fields::rfind(rest, b"') ") {
                Some(at) => (Some(&rest[..at]), &rest[at + 3..]),
                None => return self.torn(form, rest),
            },
            Between::Words => match memchr::memrchr(b' ', rest) {
                Some(at) => (None, &rest[at + 1..]),
                None => return Reading::Odd { login_like: true },
            },
        };
        let Some((name, source)) = name_and_source(tail, form.name) else {
            return self.torn(form, rest);
        };
        self.event.source = source;
        self.event.account = account(name, form.name);
        if let Some(secret) = secret {
            self.event.secret_at = Some(self.range(rest, secret.len()));
            self.weigh_secret(secret, name.unwrap_or_default());
        }
        Reading::Event(self.event)
    }

    /// What the secret of a failed login tells: a digest or a password, and which one.
    fn weigh_secret(&mut self, secret: &[u8], name: &[u8]) {
        if is_digest(secret) {
            self.event.mechanism = Mechanism::Digest;
        } else if name.len() + secret.len() < CUT_AT_BYTES {
            self.event.mechanism = Mechanism::Plain;
            self.event.secret = Some(self.secrets.tag(secret));
            self.event.common_secret = self.secrets.is_common(secret);
        }
    }

    /// A record without its trusted end. Only a text that the client chose can have cut it; a form without such a text
    /// is one that vchkpw did not write.
    fn torn(mut self, form: &Form, rest: &[u8]) -> Reading {
        if form.between != Between::Secret && form.name != Name::Raw {
            return Reading::Odd { login_like: true };
        }
        if form.between == Between::Secret {
            self.event.secret_at = Some(self.range(rest, rest.len()));
        }
        self.event.tells = Tells::Torn;
        self.event.outcome = Outcome::Aborted;
        Reading::Event(self.event)
    }

    /// Where the first `len` bytes of `rest`, an end of the record's body, lie in the line.
    fn range(&self, rest: &[u8], len: usize) -> (u32, u32) {
        let from = self.record.body_at as usize + self.record.body.len() - rest.len();
        (from as u32, (from + len) as u32)
    }
}

/// `(AUTH) login success `: how the secret was proved, and what follows.
fn success(text: &[u8]) -> Option<(Mechanism, &[u8])> {
    let text = text.strip_prefix(b"(")?;
    let end = memchr::memchr(b')', text)?;
    let mechanism = match &text[..end] {
        b"PLAIN" | b"LOGIN" => Mechanism::Plain,
        b"APOP" => Mechanism::Digest,
        word if word.starts_with(b"CRAM-") => Mechanism::Digest,
        _ => Mechanism::Unknown,
    };
    Some((mechanism, text[end..].strip_prefix(SUCCESS.start)?))
}

/// Whether a failed secret is a digest: 32 lower-case hexadecimal digits. A client can type those as a password, and
/// gains no more than that this one password has no tag.
fn is_digest(secret: &[u8]) -> bool {
    // All bytes are looked at, so that it takes no step a byte.
    secret.len() == 32 && secret.iter().fold(true, |all, b| all & matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The account of a name. `None` is a name whose end is not known.
fn account(name: Option<&[u8]>, how: Name) -> Account {
    let Some(name) = name else { return Account::Hidden };
    let name = match how {
        Name::Split => name.strip_suffix(b"@").unwrap_or(name),
        Name::Whole | Name::Raw | Name::Empty => name,
    };
    let key = match how {
        Name::Split => AccountKey::new(name),
        Name::Whole | Name::Raw | Name::Empty => AccountKey::folded(name, SEPARATORS),
    };
    if key.as_bytes().is_empty() {
        Account::Hidden
    } else if how == Name::Raw && name.len() >= CUT_AT_BYTES {
        Account::Cut(key)
    } else {
        Account::Known(key)
    }
}

/// Splits `NAME:ADDRESS`. The name is `None` where its end cannot be known, the source where vchkpw wrote none or
/// its start cannot be known; all of it is `None` where there is no address.
///
/// vchkpw spoils IPv6: up to 30 characters every colon becomes `_`, longer addresses are written as they are, and
/// one that begins with a colon loses its start (`::1` is empty).
fn name_and_source(tail: &[u8], how: Name) -> Option<(Option<&[u8]>, Option<IpAddr>)> {
    let colon = memchr::memrchr(b':', tail)?;
    let (name, last) = (&tail[..colon], &tail[colon + 1..]);
    let (name, source) = if last.is_empty() && how != Name::Raw {
        (Some(name), None)
    } else if let Some(source) = one_word_address(last) {
        (Some(name), Some(source))
    } else {
        full_address(tail, how)?
    };
    match how {
        Name::Raw => {}
        Name::Empty => name.filter(|name| name.is_empty()).map(|_| ())?,
        Name::Split => {
            name.filter(|name| is_checked(name) && memchr::memchr(b'@', name).is_some()).map(|_| ())?
        }
        Name::Whole => name.filter(|name| is_checked(name)).map(|_| ())?,
    }
    Some((name, source))
}

/// An address without a colon: IPv4, or IPv6 with `_` for each colon.
fn one_word_address(word: &[u8]) -> Option<IpAddr> {
    if memchr::memchr(b'_', word).is_none() {
        return ip(word).filter(IpAddr::is_ipv4);
    }
    let mut spelt = [0; LONGEST_ADDRESS_BYTES];
    let spelt = spelt.get_mut(..word.len())?;
    for (to, &from) in spelt.iter_mut().zip(word) {
        *to = if from == b'_' { b':' } else { from };
    }
    ip(spelt)
}

/// Splits where the address is IPv6 in full.
fn full_address(tail: &[u8], how: Name) -> Option<(Option<&[u8]>, Option<IpAddr>)> {
    if how != Name::Raw {
        // No checked name holds a colon: the first one ends it.
        let colon = memchr::memchr(b':', tail)?;
        return Some((Some(&tail[..colon]), Some(ip(&tail[colon + 1..])?)));
    }
    // The client may have ended its name in anything that looks like the start of an address. Eight groups are the
    // whole of one, though; where `::` stands for some of them, nobody can tell where it begins.
    if let Some(colon) = memchr::memrchr_iter(b':', tail).nth(7)
        && tail.len() - colon > IN_FULL_BYTES
        && memchr::memmem::find(&tail[colon + 1..], b"::").is_none()
        && let Some(source) = ip(&tail[colon + 1..])
    {
        return Some((Some(&tail[..colon]), Some(source)));
    }
    let start = tail.iter().rposition(|b| !b.is_ascii_hexdigit() && *b != b':').map_or(0, |at| at + 1);
    let unknown = tail.len() - start > IN_FULL_BYTES && memchr::memmem::find(&tail[start..], b"::").is_some();
    unknown.then_some((None, None))
}

/// Whether vchkpw lets such a name through its check, as it does before it looks an account up.
fn is_checked(name: &[u8]) -> bool {
    name.iter().all(|&byte| CHECKED[usize::from(byte)])
}

/// The bytes of a name that vchkpw lets through.
static CHECKED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let others = b"!#$&'*+-./=?@^_`{|}~";
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests;
