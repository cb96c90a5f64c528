//! Grammar of the lines that PAM modules write under another program's name.
//!
//! ```text
//! pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=dan rhost=192.0.2.1  user=dan
//! ```
//!
//! Beside a service without a grammar of its own this is the only line of a try. It is told as an echo all the same:
//! it counts by itself where no other line comes, and that is what an echo does.
//!
//! What the client controls differs by module and program. `pam_unix` prints `user=` only for accounts that exist, but
//! `ruser=` may be what an FTP client typed; `pam_sss` prints whatever was typed as `user=`; `pam_krb5` prints it as
//! `logname=`, on the left. So no side is the trusted one for all, and a line in which ` rhost=` occurs twice names no
//! client. (Beside sshd it does: there `ruser=` is always empty. See `Trust`.)

use core::net::IpAddr;

use fairban_core::account::{Account, AccountKey};
use fairban_core::event::{AuthEvent, Mechanism, Outcome, Protocol, Service, Session, Tells};

use super::fields;
use super::sshd::address;
use crate::record::{Reading, Record};
use crate::secret::Secrets;

/// Some syslog daemons cut a record at 1,024 bytes, its head included. In a body of more bytes than this the server's own
/// ` rhost=` may be missing, and one that the client typed be the only one left.
const WHOLE_BYTES_MAX: usize = 900;

/// Reads one record.
pub fn read(record: &Record<'_>, secrets: &Secrets) -> Reading {
    let _ = secrets;
    let body = record.body.trim_ascii_start();
    if is_summary(body) {
        return Reading::Quiet;
    }
    let Some(remark) = Remark::of(body) else {
        return Reading::Odd { login_like: looks_like_login(body) };
    };
    if remark.kind != b"auth" {
        return Reading::Quiet;
    }
    let (blame, outcome) = match (remark.failure(Trust::OneHost), remark.success()) {
        (Some(blame), _) => (blame, blame.outcome),
        (None, Some(blame)) => (blame, Outcome::Success),
        (None, None) => return unnamed(&remark),
    };
    let source = match blame.host {
        _ if body.len() > WHOLE_BYTES_MAX => return Reading::Odd { login_like: true },
        Host::At(source) => source,
        // A login at the machine itself, or a host name, which no ban can hold.
        Host::Local | Host::Named => return Reading::Quiet,
        Host::Unclear => return Reading::Odd { login_like: true },
    };
    let account = blame.user.map_or(Account::Hidden, |user| Account::Known(AccountKey::new(user)));
    Reading::Event(AuthEvent {
        protocol: protocol(remark.service),
        source: Some(source),
        account,
        outcome,
        mechanism: Mechanism::Plain,
        session: record.pid.map_or(Session::None, Session::Pid),
        ..AuthEvent::new(Service::Pam, Tells::Echo)
    })
}

/// A remark of an `auth` module that is neither failure nor success.
fn unnamed(remark: &Remark<'_>) -> Reading {
    // The line after it has the address.
    if remark.text.starts_with(b"check pass; user ") {
        return Reading::Quiet;
    }
    if looks_like_login(remark.text) { Reading::Odd { login_like: true } } else { Reading::Quiet }
}

fn looks_like_login(text: &[u8]) -> bool {
    [&b"authentication fail"[..], b"authentication success"]
        .iter()
        .any(|words| fields::find(text, words).is_some())
}

/// Tries that were all told before are told again at the end of a conversation.
pub(super) fn is_summary(body: &[u8]) -> bool {
    body.strip_prefix(b"PAM ")
        .is_some_and(|rest| rest.starts_with(b"service(") || rest.first().is_some_and(u8::is_ascii_digit))
}

/// What the client spoke, by the PAM service's name. Only names that mean one protocol everywhere.
fn protocol(service: &[u8]) -> Protocol {
    match service {
        b"pop" | b"pop3" => Protocol::Pop3,
        b"imap" | b"imap4" => Protocol::Imap,
        b"smtp" => Protocol::Smtp,
        b"sieve" => Protocol::Sieve,
        b"sshd" | b"ssh" => Protocol::Ssh,
        _ => Protocol::Unknown,
    }
}

/// `MODULE(SERVICE:KIND): TEXT`, all but the text made by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Remark<'a> {
    pub(super) module: &'a [u8],
    pub(super) service: &'a [u8],
    pub(super) kind: &'a [u8],
    pub(super) text: &'a [u8],
}

/// How much of a failure's fields the client may have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Any of them: ` rhost=` must be unique.
    OneHost,
    /// Nothing before `rhost=`, as `ruser=` is always empty (sshd): the first ` ruser= rhost=` counts.
    FirstHost,
}

/// Who failed, as far as the line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blame<'a> {
    pub(super) host: Host,
    pub(super) user: Option<&'a [u8]>,
    pub(super) outcome: Outcome,
}

/// What `rhost=` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// An address.
    At(IpAddr),
    /// A name.
    Named,
    /// Nothing: a login at the machine itself.
    Local,
    /// More than one could be meant, and the client may have written some of them.
    Unclear,
}

impl<'a> Remark<'a> {
    /// Reads a body that begins with a module's name.
    pub(super) fn of(body: &'a [u8]) -> Option<Remark<'a>> {
        if !body.starts_with(b"pam_") {
            return None;
        }
        let open = memchr::memchr(b'(', body)?;
        let colon = open + memchr::memchr(b':', &body[open..])?;
        let close = colon + fields::find(&body[colon..], b"): ")?;
        let (module, service, kind) = (&body[..open], &body[open + 1..colon], &body[colon + 1..close]);
        let words = [module, service, kind];
        let made_by_server =
            words.iter().all(|word| !word.is_empty() && !word.iter().any(u8::is_ascii_whitespace));
        made_by_server.then_some(Remark { module, service, kind, text: &body[close + 3..] })
    }

    /// `authentication failure; FIELDS`.
    pub(super) fn failure(&self, trust: Trust) -> Option<Blame<'a>> {
        let fields = self.text.strip_prefix(b"authentication failure; ")?;
        Some(if self.module == b"pam_krb5" { kerberos(fields) } else { self.blame(fields, trust) })
    }

    /// `authentication success; FIELDS`, which `pam_sss` alone writes: after a failure of `pam_unix`, at every login
    /// of an account that is not in the password file.
    fn success(&self) -> Option<Blame<'a>> {
        let fields = self.text.strip_prefix(b"authentication success; ")?;
        Some(self.blame(fields, Trust::OneHost))
    }

    fn blame(&self, fields: &'a [u8], trust: Trust) -> Blame<'a> {
        let unclear = Blame { host: Host::Unclear, user: None, outcome: Outcome::Failed };
        let value_at = match (fields::find_iter(fields, b" rhost=").count(), trust) {
            (1, _) => fields::find(fields, b" rhost=").map(|at| at + b" rhost=".len()),
            (_, Trust::FirstHost) => {
                fields::find(fields, b" ruser= rhost=").map(|at| at + b" ruser= rhost=".len())
            }
            (_, Trust::OneHost) => None,
        };
        let Some(value_at) = value_at else {
            return unclear;
        };
        let value = &fields[value_at..];
        let end = memchr::memchr(b' ', value).unwrap_or(value.len());
        let user = value[end..].trim_ascii_start().strip_prefix(b"user=");
        let outcome = match (self.module, user) {
            (b"pam_unix", Some(_)) => Outcome::BadSecret,
            // An account that does not exist is not named.
            (b"pam_unix", None) => Outcome::UnknownAccount,
            _ => Outcome::Failed,
        };
        Blame { host: host(&value[..end]), user, outcome }
    }
}

/// `pam_krb5` prints the name that was typed as `logname=`, and the line ends with the host.
fn kerberos(fields: &[u8]) -> Blame<'_> {
    let mut hosts = fields::find_iter(fields, b" rhost=");
    let (Some(at), None) = (hosts.next(), hosts.next()) else {
        return Blame { host: Host::Unclear, user: None, outcome: Outcome::Failed };
    };
    let named = fields[..at].strip_prefix(b"logname=");
    let user =
        named.and_then(|rest| Some(&rest[..fields::rfind(rest, b" uid=")?])).filter(|user| !user.is_empty());
    Blame { host: host(fields[at + b" rhost=".len()..].trim_ascii_end()), user, outcome: Outcome::Failed }
}

fn host(value: &[u8]) -> Host {
    match address(value) {
        Some(source) => Host::At(source),
        None if value.is_empty() => Host::Local,
        None => Host::Named,
    }
}
