//! One line in, at most one event out.

use fairban_core::event::{AuthEvent, Service, Witness};

use crate::clock::believable_session_start;
pub use crate::envelope::Recent;
use crate::envelope::outline_after;
use crate::gap::{self, Gap};
use crate::health::Health;
use crate::record::{Reading, Record};
use crate::secret::Secrets;
use crate::service::fields::number;
use crate::service::{dovecot, pam, postfix, sshd, tcpserver, vpopmail};
use crate::stamp::Stamp;

/// Longest line that is read, in bytes: no syslog daemon writes longer ones (rsyslog: 8 KiB), so what is longer is no
/// record.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// Most repetitions believed of one `message repeated` line.
pub const TIMES_MAX: u32 = 1_000;

/// What a line is. `time` of an event is unset until a [`crate::clock::Clock`] has resolved the stamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// Tells something about a login.
    Event(Stamp, AuthEvent),
    /// The log lost lines here: those of one service, or of any that this file holds.
    Gap {
        /// When.
        stamp: Stamp,
        /// Whose; `None` if the notice does not tell.
        service: Option<Service>,
        /// How many, 0 if it does not tell.
        lost: u32,
    },
    /// A line of a service, without an event.
    Nothing(Service),
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
        self.line_after(&mut Recent::default(), line, health)
    }

    /// The same, faster, where `recent` was given with the lines before.
    pub fn line_after(&self, recent: &mut Recent, line: &[u8], health: &mut Health) -> Parsed {
        health.lines += 1;
        health.bytes += line.len() as u64 + 1;
        if line.len() > LINE_BYTES_MAX {
            health.too_long += 1;
            health.no_format += 1;
            return Parsed::NoFormat;
        }
        let Some(outline) = outline_after(recent, line) else {
            health.no_format += 1;
            return Parsed::NoFormat;
        };
        let raw = outline.stamp;
        let (record, times, service) = if raw.is_multilog() {
            let record = outline.record();
            (record, 1, claim_multilog(&record))
        } else if outline.body.starts_with(REPEATED) {
            let record = outline.record();
            let (record, times) = repeated(&record).unwrap_or((record, 1));
            (record, times, claim(record.program, record.body))
        } else {
            // Most lines are of programs that nobody asks for: nothing more is read of them.
            let service = claim(outline.program, outline.body);
            if service.is_none() && !gap::may_tell(outline.program) {
                health.foreign += 1;
                return Parsed::Foreign;
            }
            (outline.record(), 1, service)
        };
        let Some(service) = service else {
            // Where a client may have written the whole record, it does not say that others are missing.
            let gap = if raw.is_multilog() { None } else { gap::read(&record) };
            let Some((stamp, Gap { service, lost })) = gap.and_then(|gap| Some((raw.parse()?, gap))) else {
                health.foreign += 1;
                return Parsed::Foreign;
            };
            health.gaps += 1;
            return Parsed::Gap { stamp, service, lost };
        };
        let counters = &mut health.services[service.index()];
        counters.lines += 1;
        match self.grammar(service, &record) {
            Reading::Quiet => {
                counters.understood += 1;
                Parsed::Nothing(service)
            }
            Reading::Odd { login_like } => {
                counters.note_odd(line, login_like);
                Parsed::Nothing(service)
            }
            Reading::Event(mut event) => {
                // A day that no calendar has: the line cannot be placed in time.
                let Some(stamp) = recent.parse(&raw) else {
                    counters.note_odd(line, true);
                    return Parsed::Nothing(service);
                };
                counters.understood += 1;
                counters.events += 1;
                event.times = event.times.saturating_mul(times);
                check_witness(&mut event, &record, &stamp);
                Parsed::Event(stamp, event)
            }
        }
    }

    fn grammar(&self, service: Service, record: &Record<'_>) -> Reading {
        let read = match service {
            Service::Vpopmail => vpopmail::read,
            Service::Tcpserver | Service::Sslserver => tcpserver::read,
            Service::Dovecot => dovecot::read,
            Service::Postfix => postfix::read,
            Service::Sshd => sshd::read,
            _ => pam::read,
        };
        read(record, &self.secrets)
    }
}

/// Which service a record belongs to: by its program, and where builds and sites change that, by the start of its body.
fn claim(program: &[u8], body: &[u8]) -> Option<Service> {
    match program.first() {
        Some(b'v') if matches!(program, b"vpopmail" | b"vchangepw") => return Some(Service::Vpopmail),
        Some(b'd') if program == b"dovecot" => return Some(Service::Dovecot),
        Some(b's') if matches!(program, b"sshd" | b"sshd-session" | b"sshd-auth") => {
            return Some(Service::Sshd);
        }
        Some(b's') if matches!(program, b"sslserver" | b"sslhandle") => return Some(Service::Sslserver),
        Some(b't') if program == b"tcpserver" => return Some(Service::Tcpserver),
        Some(b'p') => {
            if let Some(rest) = program.strip_prefix(b"postfix") {
                let is_instance = matches!(rest.first(), None | Some(b'/' | b'-'));
                return (is_instance && (rest.is_empty() || rest.ends_with(b"smtpd")))
                    .then_some(Service::Postfix);
            }
        }
        _ => {}
    }
    match body.first()? {
        b'v' if body.starts_with(b"vchkpw-") => Some(Service::Vpopmail),
        b'p' if body.starts_with(b"pam_") => Some(Service::Pam),
        _ => None,
    }
}

/// Which service a record of multilog's belongs to: the superserver whose log this is, or none.
///
/// vchkpw and the daemons log to syslog. What bears their name here is vchkpw's standard error, or was written by a
/// client who got a line feed into that, and may be a perfect line of a login at any of them.
fn claim_multilog(record: &Record<'_>) -> Option<Service> {
    match claim(record.program, record.body) {
        Some(service @ (Service::Tcpserver | Service::Sslserver)) => record.pid.is_none().then_some(service),
        Some(Service::Vpopmail) => Some(Service::Tcpserver),
        _ if record.program.starts_with(b"vchkpw") || tcpserver::is_client_text(record) => {
            Some(Service::Tcpserver)
        }
        _ => None,
    }
}

/// How a line begins that stands for others like the one before.
const REPEATED: &[u8] = b"message repeated ";

/// Opens rsyslog's and syslogd's `message repeated 3 times: [ BODY]`: the inner record, and how often it stands for itself.
///
/// Both ends are the syslog daemon's, and nothing between them counts here.
fn repeated<'a>(record: &Record<'a>) -> Option<(Record<'a>, u16)> {
    let rest = record.body.strip_prefix(REPEATED)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let times = number::<u32>(&rest[..digits])?.clamp(1, TIMES_MAX) as u16;
    let body = rest[digits..].strip_prefix(b" times: [")?.strip_suffix(b"]")?;
    let body = body.strip_prefix(b" ").unwrap_or(body);
    let body_at = record.body_at + (record.body.len() - 1 - body.len()) as u32;
    Some((Record { body, body_at, ..*record }, times))
}

/// A session id that decodes to another address only speaks against the line if it can be Dovecot's own: if the
/// connection it tells of began near the line's stamp.
fn check_witness(event: &mut AuthEvent, record: &Record<'_>, stamp: &Stamp) {
    if event.witness == Witness::Contradicts {
        let start =
            dovecot::session_id(record).filter(|id| !is_hexadecimal(id)).and_then(dovecot::session_start);
        if !start.is_some_and(|start| believable_session_start(start, stamp)) {
            event.witness = Witness::Absent;
        }
    }
}

/// Base64 of Dovecot's own ids has other letters too, but for one in billions.
fn is_hexadecimal(id: &[u8]) -> bool {
    id.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use fairban_core::event::{Outcome, Tells};

    use super::*;

    fn parsed(line: &str) -> (Parsed, Health) {
        let mut health = Health::default();
        let parsed = Parser::new([7; 16]).line(line.as_bytes(), &mut health);
        (parsed, health)
    }

    fn event(line: &str) -> AuthEvent {
        match parsed(line).0 {
            Parsed::Event(_, event) => event,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_line_of_each_kind_is_counted_where_it_belongs() {
        let (_, health) = parsed("Jan 21 10:00:00 mx CRON[1]: (root) CMD (x)");
        assert_eq!((health.lines, health.foreign), (1, 1));
        let (_, health) = parsed("no log at all");
        assert_eq!(health.no_format, 1);
        let (_, health) = parsed(&"x".repeat(LINE_BYTES_MAX + 1));
        assert_eq!((health.no_format, health.too_long), (1, 1));
        let (_, health) = parsed("Jan 21 10:00:00 mx sshd[1]: Failed login of a new kind");
        assert_eq!(health.service(Service::Sshd).lines, 1);
    }

    #[test]
    fn repeated_messages_are_so_many_of_the_inner_line() {
        let inner = "Failed password for root from 192.0.2.1 port 22 ssh2";
        let once = event(&format!("Jan 21 10:00:00 mx sshd[1]: {inner}"));
        let thrice = event(&format!("Jan 21 10:00:00 mx sshd[1]: message repeated 3 times: [ {inner}]"));
        assert_eq!(thrice, AuthEvent { times: 3, ..once });
        let many =
            event(&format!("Jan 21 10:00:00 mx sshd[1]: message repeated 4000000000 times: [ {inner}]"));
        assert_eq!(u32::from(many.times), TIMES_MAX);
        for whole in [
            format!("message repeated 3 times: [ {inner}"),
            format!("message repeated x times: [ {inner}]"),
            format!("message repeated 99999999999 times: [ {inner}]"),
            format!("a message repeated 3 times: [ {inner}]"),
        ] {
            let (parsed, _) = parsed(&format!("Jan 21 10:00:00 mx sshd[1]: {whole}"));
            assert_eq!(parsed, Parsed::Nothing(Service::Sshd), "{whole}");
        }
    }

    #[test]
    fn the_secret_of_a_repeated_line_is_where_it_says() {
        let line = "Jan 21 10:00:00 mx vpopmail[1]: message repeated 2 times: \
                    [ vchkpw-pop3: password fail (pass: 'hunter2') dan@d.example:192.0.2.1]";
        let (from, to) = event(line).secret_at.expect("it shows a secret");
        assert_eq!(&line[from as usize..to as usize], "hunter2");
    }

    #[test]
    fn notices_of_lost_lines_are_gaps() {
        for (line, service, lost) in [
            ("Jan 21 10:00:00 mx last message repeated 5 times", None, 5),
            (
                "Jan 21 10:00:00 mx rsyslogd: imuxsock lost 77 messages from pid 812 due to rate-limiting",
                None,
                77,
            ),
            (
                "Jan 21 10:00:00 mx systemd-journald[9]: Suppressed 1234 messages from dovecot.service",
                Some(Service::Dovecot),
                1234,
            ),
        ] {
            match parsed(line).0 {
                Parsed::Gap { service: s, lost: l, .. } => assert_eq!((s, l), (service, lost), "{line}"),
                other => panic!("{line}: {other:?}"),
            }
        }
    }

    #[test]
    fn ids_of_other_makers_do_not_speak_against_their_line() {
        let line = |stamp: &str, id: &str| {
            format!(
                "{stamp} mx dovecot: imap-login: Login: user=<dan>, method=PLAIN, rip=192.0.2.9, lip=192.0.2.1, \
                 mpid=9, session=<{id}>"
            )
        };
        let made_up = event(&line("Jan 21 00:00:00", "d3e2f70e415ba17c"));
        assert_eq!(made_up.witness, Witness::Absent);
        let foreign = event(&line("2026-11-23T18:29:55+00:00", "rk+1x/VgDbrGM2RT"));
        assert_eq!(foreign.witness, Witness::Contradicts, "an id of that day, of 198.51.100.83");
        assert_eq!((foreign.outcome, foreign.tells), (Outcome::Success, Tells::Attempt));
    }

    #[test]
    fn in_a_superservers_log_no_other_daemon_speaks() {
        for stamp in ["@400000006b0489c523db15b4", "2026-11-23 18:45:15.601560500"] {
            for forged in [
                "sshd[1]: Failed password for root from 8.8.8.8 port 22 ssh2",
                "postfix/smtpd[1]: warning: unknown[8.8.8.8]: SASL LOGIN authentication failed: x",
                "auth: Info: passwd-file(dan,8.8.8.8,<AAAAAAAAAAAICAgI>): unknown user",
                "last message repeated 9 times",
                "rsyslogd: imuxsock lost 432 messages from pid 1 due to rate-limiting",
            ] {
                assert_eq!(parsed(&format!("{stamp} {forged}")).0, Parsed::Foreign, "{forged}");
            }
        }
    }

    #[test]
    fn programs_that_only_look_like_a_service_are_foreign() {
        for program in ["postfix/qmgr", "postfixx/smtpd", "sshd2", "dovecot-lda", "xtcpserver"] {
            let (parsed, _) = parsed(&format!(
                "Jan 21 10:00:00 mx {program}[1]: Failed password for x from 192.0.2.1 port 2 ssh2"
            ));
            assert_eq!(parsed, Parsed::Foreign, "{program}");
        }
    }
}
