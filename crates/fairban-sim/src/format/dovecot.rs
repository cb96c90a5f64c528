//! Dovecot 2.3: a line for each login, one at the end of a session in which nobody logged in, and with `auth_verbose` one
//! for each try.

use core::hash::Hasher as _;
use std::net::IpAddr;

use fairban_core::account::Account;
use fairban_core::event::{AuthEvent, Mechanism, Outcome, Service, Session, Tells, Witness};
use fairban_core::time::{Span, Time};
use fairban_parse::secret::Secrets;
use siphasher::sip::SipHasher13;

use super::page::{event, protocol_name};
use super::{Answer, Link, Page, Tried};
use crate::world::account::Name;

/// What a try writes beside the end of its session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// Nothing.
    Sessions,
    /// `auth_verbose`.
    Tries,
    /// And `auth_verbose_passwords = sha1:6`.
    Hashes,
}

/// Longest name that an auth line shows whole, and longest in a session's line.
const AUTH_NAME_MAX: usize = 60;
const LOGIN_NAME_MAX: usize = 76;

pub(super) fn tried(
    page: &mut Page,
    secrets: &Secrets,
    now: Time,
    link: &Link,
    tried: &Tried<'_>,
    detail: Detail,
) {
    match tried.answer {
        Answer::In => logged_in(page, now, link, tried),
        Answer::Down => trouble(page, now, link, tried),
        _ if detail == Detail::Sessions || tried.name.text().len() > AUTH_NAME_MAX => {}
        _ => refused(page, secrets, now, link, tried, detail),
    }
}

fn refused(page: &mut Page, secrets: &Secrets, now: Time, link: &Link, tried: &Tried<'_>, detail: Detail) {
    let mut told = with_session(event(Service::Dovecot, Tells::Attempt, link), link);
    told.protocol = fairban_core::event::Protocol::Unknown;
    told.account = Account::Known(tried.name.key().clone());
    let is_wrong = tried.answer == Answer::Wrong;
    told.outcome = if is_wrong { Outcome::BadSecret } else { Outcome::UnknownAccount };
    let hashed = detail == Detail::Hashes && !tried.digest;
    told.mechanism = match (is_wrong, tried.digest) {
        (true, true) => Mechanism::Digest,
        (true, false) => Mechanism::Plain,
        (false, _) if hashed => Mechanism::Plain,
        (false, _) => Mechanism::Unknown,
    };
    let driver = if is_wrong && tried.digest { "cram-md5" } else { "passwd-file" };
    let said = if is_wrong { "Password mismatch" } else { "unknown user" };
    let begun = page.begin(now, "dovecot", None);
    let id = session_id(link);
    page.push(format_args!("auth: {driver}({},{},<{id}>): {said}", tried.name.text(), link.source));
    if hashed {
        let hash = format!("{:06x}", hash(tried.secret.to_string().as_bytes()) & 0xff_ffff);
        told.secret = Some(secrets.tag(hash.as_bytes()));
        page.push(format_args!(" (SHA1 of given password: "));
        let from = page.at(&begun);
        page.push(format_args!("{hash}"));
        told.secret_at = Some((from, page.at(&begun)));
        page.push(format_args!(")"));
    }
    page.end(&begun, told);
}

fn logged_in(page: &mut Page, now: Time, link: &Link, tried: &Tried<'_>) {
    let mut told = with_session(event(Service::Dovecot, Tells::Attempt, link), link);
    (told.account, told.outcome) = (Account::Known(tried.name.key().clone()), Outcome::Success);
    told.mechanism = Mechanism::Plain;
    let begun = page.begin(now, "dovecot", None);
    page.push(format_args!(
        "{}-login: Login: user=<{}>, method=PLAIN, rip={}, lip=72.3.142.43, mpid={}, TLS, session=<{}>",
        protocol_name(link.protocol),
        tried.name.text(),
        link.source,
        link.pid + 1,
        session_id(link)
    ));
    page.end(&begun, told);
}

fn trouble(page: &mut Page, now: Time, link: &Link, tried: &Tried<'_>) {
    let mut told = with_session(event(Service::Dovecot, Tells::Fault, link), link);
    (told.account, told.outcome) = (Account::Known(tried.name.key().clone()), Outcome::ServerFault);
    told.mechanism = Mechanism::Plain;
    let begun = page.begin(now, "dovecot", None);
    page.push(format_args!(
        "{}-login: Disconnected: Aborted login by logging out (auth service reported temporary failure): \
         user=<{}>, method=PLAIN, rip={}, lip=72.3.142.43, TLS, session=<{}>",
        protocol_name(link.protocol),
        tried.name.text(),
        link.source,
        session_id(link)
    ));
    page.end(&begun, told);
}

pub(super) fn close(page: &mut Page, now: Time, link: &Link) {
    if link.succeeded > 0 {
        return;
    }
    let secs = now.secs() - link.since.secs();
    let Some((name, digest)) = &link.last else {
        let begun = page.begin(now, "dovecot", None);
        page.push(format_args!(
            "{}-login: Disconnected: Connection closed (no auth attempts in {secs} secs): user=<>, rip={}, \
             lip=72.3.142.43, TLS, session=<{}>",
            protocol_name(link.protocol),
            link.source,
            session_id(link)
        ));
        page.end(&begun, ended(link, 0, secs));
        return;
    };
    let tries = link.failed;
    let mut told = ended(link, tries, secs);
    told.account = account(name, tries);
    told.outcome = Outcome::Failed;
    told.mechanism = if *digest { Mechanism::Digest } else { Mechanism::Plain };
    let method = if *digest { "CRAM-MD5" } else { "PLAIN" };
    let begun = page.begin(now, "dovecot", None);
    page.push(format_args!(
        "{}-login: Disconnected: Aborted login by logging out (auth failed, {tries} attempts in {secs} secs): \
         user=<{}>, method={method}, rip={}, lip=72.3.142.43, TLS, session=<{}>",
        protocol_name(link.protocol),
        shortened(name.text()),
        link.source,
        session_id(link)
    ));
    page.end(&begun, told);
}

fn ended(link: &Link, failed: u16, secs: i64) -> AuthEvent {
    let tells = Tells::End { failed: Some(failed), succeeded: None };
    let mut told = with_session(event(Service::Dovecot, tells, link), link);
    told.lasted = Some(Span::secs(secs));
    told
}

fn shortened(name: &str) -> String {
    if name.len() <= LOGIN_NAME_MAX { name.to_owned() } else { format!("{}...", &name[..77]) }
}

fn account(name: &Name, tries: u16) -> Account {
    use fairban_core::account::AccountKey;
    let text = name.text();
    if text.len() > LOGIN_NAME_MAX {
        Account::Cut(AccountKey::new(&text.as_bytes()[..77]))
    } else if tries > 1 {
        Account::Last { key: name.key().clone(), of: tries }
    } else {
        Account::Known(name.key().clone())
    }
}

fn with_session(mut event: AuthEvent, link: &Link) -> AuthEvent {
    event.session = Session::Id(hash(session_id(link).as_bytes()));
    event.witness = Witness::Agrees;
    event
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(bytes);
    hasher.finish()
}

/// Start, port and address in base64, as Dovecot makes it.
fn session_id(link: &Link) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = link.since.micros().to_le_bytes()[..6].to_vec();
    bytes.extend_from_slice(&link.port.to_le_bytes());
    match link.source {
        IpAddr::V4(v4) => bytes.extend_from_slice(&v4.octets()),
        IpAddr::V6(v6) => bytes.extend_from_slice(&v6.octets()),
    }
    let sextets = bytes.chunks_exact(3).flat_map(|three| {
        let value = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
        [18, 12, 6, 0].map(|shift| char::from(LETTERS[(value >> shift) as usize & 63]))
    });
    sextets.collect()
}
