//! One line in, at most one event out.

use fairban_core::event::{AuthEvent, Service, Tells};
use memchr::memmem;

use crate::envelope::{number, split};
use crate::gap;
use crate::health::Health;
use crate::record::{Grammar, Reading, Record};
use crate::secret::Secrets;
use crate::service::{dovecot, pam, postfix, sshd, tcpserver, vpopmail};
use crate::stamp::Stamp;

/// Longest line that is read, in bytes. Syslog daemons cut at 8 KiB and less; whoever makes a line longer than this
/// hides that line, and has to control a whole record for it.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// Most events that one `message repeated N times` stands for.
pub const REPEATS_MAX: u16 = 10_000;

/// What a line is. `time` of an event is unset until a [`crate::clock::Clock`] has resolved the stamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// Tells something about a login.
    Event(Stamp, AuthEvent),
    /// A line of a service, without an event.
    Nothing(Service),
    /// The log lost lines, and does not say of which service: what every service of this file may have told is missing.
    /// Where the service is known this is an [`Parsed::Event`] with [`Tells::Gap`].
    Gap {
        /// When.
        stamp: Stamp,
        /// How many lines; 0 if the line does not say.
        lost: u32,
    },
    /// A line of another program.
    Foreign,
    /// A line of no known format.
    NoFormat,
}

/// Reads lines. Immutable, so one serves all threads.
#[derive(Clone, Debug)]
pub struct Parser {
    secrets: Secrets,
}

impl Parser {
    /// With the key of the tags.
    pub const fn new(key: [u8; 16]) -> Parser {
        Parser { secrets: Secrets::new(key) }
    }

    /// Reads one line, given without its line feed, and counts it in `health`.
    pub fn line(&self, line: &[u8], health: &mut Health) -> Parsed {
        health.lines += 1;
        health.bytes += line.len() as u64 + 1;
        if line.len() > LINE_BYTES_MAX {
            health.too_long += 1;
            health.no_format += 1;
            return Parsed::NoFormat;
        }
        let parsed = self.short_line(line, health);
        match parsed {
            Parsed::NoFormat => health.no_format += 1,
            Parsed::Foreign => health.foreign += 1,
            Parsed::Gap { .. } => health.gaps += 1,
            Parsed::Event(..) | Parsed::Nothing(_) => {}
        }
        parsed
    }

    fn short_line(&self, line: &[u8], health: &mut Health) -> Parsed {
        let Some((raw_stamp, record)) = split(line) else { return Parsed::NoFormat };
        let (record, times) = repeated(record);
        let routed = if raw_stamp.is_multilog() { route_multilog(&record) } else { route(&record) };
        let Some((service, grammar)) = routed else {
            let Some(gap) = gap::read(&record) else { return Parsed::Foreign };
            let Some(stamp) = raw_stamp.parse() else { return Parsed::NoFormat };
            let lost = gap.lost;
            return match gap.service {
                Some(service) => {
                    health.gaps += 1;
                    Parsed::Event(stamp, AuthEvent::new(service, Tells::Gap { lost }))
                }
                None => Parsed::Gap { stamp, lost },
            };
        };
        let Some(stamp) = raw_stamp.parse() else { return Parsed::NoFormat };
        match grammar(&record, &self.secrets) {
            Reading::Event(mut event) => {
                event.times = event.times.saturating_mul(times);
                health.services[service.index()].count_event();
                Parsed::Event(stamp, event)
            }
            Reading::Quiet => {
                health.services[service.index()].count_quiet();
                Parsed::Nothing(service)
            }
            Reading::Odd { login_like } => {
                health.services[service.index()].count_odd(line, login_like);
                Parsed::Nothing(service)
            }
        }
    }
}

/// Which grammar reads a record; `None` if none does.
fn route(record: &Record<'_>) -> Option<(Service, Grammar)> {
    let program = record.program;
    match program {
        b"vpopmail" | b"vchangepw" => return Some((Service::Vpopmail, vpopmail::read)),
        b"tcpserver" => return Some((Service::Tcpserver, tcpserver::read)),
        b"sslserver" | b"sslhandle" => return Some((Service::Sslserver, tcpserver::read)),
        b"dovecot" => return Some((Service::Dovecot, dovecot::read)),
        b"sshd" | b"sshd-session" | b"sshd-auth" => return Some((Service::Sshd, sshd::read)),
        _ => {}
    }
    if program.starts_with(b"postfix") {
        return is_postfix_smtpd(program).then_some((Service::Postfix, postfix::read as Grammar));
    }
    match record.body.first() {
        // vpopmail can be built with another tag.
        Some(b'v') if record.body.starts_with(b"vchkpw-") => Some((Service::Vpopmail, vpopmail::read)),
        Some(b'p') if record.body.starts_with(b"pam_") => Some((Service::Pam, pam::read)),
        _ => None,
    }
}

/// Which grammar reads a record of multilog's. vchkpw logs to syslog: what bears its name here is its standard error,
/// or was written by a client who got a line feed into that, and may be a perfect line of a login.
fn route_multilog(record: &Record<'_>) -> Option<(Service, Grammar)> {
    let is_vchkpw = record.program.starts_with(b"vchkpw")
        || record.program == b"vpopmail"
        || record.body.starts_with(b"vchkpw-");
    if is_vchkpw || tcpserver::is_client_text(record) {
        return Some((Service::Tcpserver, tcpserver::read));
    }
    route(record)
}

/// `postfix/smtpd`, `postfix/submission/smtpd`, `postfix-relay/smtps/smtpd`; and `postfix` alone, which is what rsyslog
/// makes of all of them (and of `postfix/qmgr`) in RFC 5424.
fn is_postfix_smtpd(program: &[u8]) -> bool {
    match program.get(b"postfix".len()) {
        None => true,
        Some(b'/' | b'-') => program.ends_with(b"smtpd"),
        Some(_) => false,
    }
}

/// Opens `message repeated 3 times: [ INNER]`: the inner record and the number of times it stands for itself.
///
/// Both ends are the syslog daemon's; the inner record is read as a record of its own, so nothing in it counts here.
fn repeated(record: Record<'_>) -> (Record<'_>, u16) {
    const HEAD: &[u8] = b"message repeated ";
    const MIDDLE: &[u8] = b" times: [";
    let opened = || {
        let rest = record.body.strip_prefix(HEAD)?.strip_suffix(b"]")?;
        let digits_end = memmem::find(&rest[..rest.len().min(32)], MIDDLE)?;
        let times = number(&rest[..digits_end])?;
        let inner = &rest[digits_end + MIDDLE.len()..];
        let body = inner.strip_prefix(b" ").unwrap_or(inner);
        // The body ends one byte, the bracket, before the record's.
        let skipped = record.body.len() - 1 - body.len();
        let times = u16::try_from(times).unwrap_or(u16::MAX).min(REPEATS_MAX);
        let inner = Record { body, body_at: record.body_at + skipped as u32, ..record };
        (times > 0).then_some((inner, times))
    };
    opened().unwrap_or((record, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record<'a>(program: &'a str, body: &'a str) -> Record<'a> {
        Record { program: program.as_bytes(), pid: None, body: body.as_bytes(), body_at: 40 }
    }

    fn service(program: &str, body: &str) -> Option<Service> {
        route(&record(program, body)).map(|(service, _)| service)
    }

    #[test]
    fn programs_find_their_grammar() {
        assert_eq!(service("vpopmail", ""), Some(Service::Vpopmail));
        assert_eq!(service("checkpw", "vchkpw-pop3: x"), Some(Service::Vpopmail));
        assert_eq!(service("tcpserver", ""), Some(Service::Tcpserver));
        assert_eq!(service("sslserver", ""), Some(Service::Sslserver));
        assert_eq!(service("dovecot", ""), Some(Service::Dovecot));
        for program in [
            "postfix",
            "postfix/smtpd",
            "postfix/smtps/smtpd",
            "postfix-relay/smtpd",
            "postfix/submission-smtpd",
        ] {
            assert_eq!(service(program, ""), Some(Service::Postfix), "{program}");
        }
        for program in ["sshd", "sshd-session", "sshd-auth"] {
            assert_eq!(service(program, "pam_unix(sshd:auth): x"), Some(Service::Sshd));
        }
        assert_eq!(service("su", "pam_unix(su:auth): x"), Some(Service::Pam));
        for program in ["postfix/qmgr", "postfixadmin", "postfix/smtp", "sshd-keygen", "CRON", ""] {
            assert_eq!(service(program, "x"), None, "{program}");
        }
    }

    #[test]
    fn a_repeated_message_is_opened_at_both_ends() {
        let opened = |body| {
            let (inner, times) = repeated(record("sshd", body));
            (String::from_utf8_lossy(inner.body).into_owned(), inner.body_at, times)
        };
        assert_eq!(opened("message repeated 3 times: [ a [b] c]"), ("a [b] c".into(), 68, 3));
        assert_eq!(opened("message repeated 12 times: [a]"), ("a".into(), 68, 12));
        assert_eq!(opened("message repeated 4000000000 times: [ a]").2, REPEATS_MAX);
        for whole in [
            "message repeated 0 times: [ a]",
            "message repeated 3 times: [ a",
            "message repeated x times: [ a]",
            "message repeated 99999999999 times: [ a]",
            "a message repeated 3 times: [ a]",
        ] {
            assert_eq!(opened(whole), (whole.into(), 40, 1));
        }
    }

    #[test]
    fn lines_are_counted() {
        let parser = Parser::new([7; 16]);
        let mut health = Health::default();
        let mut read = |line: &str| parser.line(line.as_bytes(), &mut health);
        assert_eq!(read("no format at all"), Parsed::NoFormat);
        assert_eq!(read("Jan 21 08:31:02 mx CRON[1]: (root) CMD (x)"), Parsed::Foreign);
        assert_eq!(read("Feb 31 08:31:02 mx sshd[1]: x"), Parsed::NoFormat);
        assert_eq!(
            read(&format!("Jan 21 08:31:02 mx sshd[1]: {}", "x".repeat(LINE_BYTES_MAX))),
            Parsed::NoFormat
        );
        assert!(matches!(
            read("Jan 21 08:31:02 mx last message repeated 3 times"),
            Parsed::Gap { lost: 3, .. }
        ));
        let gap = read("Jan 21 08:31:02 mx systemd-journald[1]: Suppressed 9 messages from ssh.service");
        let Parsed::Event(_, event) = gap else { panic!("{gap:?}") };
        assert_eq!((event.service, event.tells), (Service::Sshd, Tells::Gap { lost: 9 }));
        assert_eq!((health.lines, health.no_format, health.too_long), (6, 3, 1));
        assert_eq!((health.foreign, health.gaps), (1, 2));
    }
}
