//! Lines in which a log says that it lost others.
//!
//! ```text
//! last message repeated 3 times                                             old syslog daemons: which message is not told
//! rsyslogd: imuxsock lost 432 messages from pid 9832 due to rate-limiting
//! rsyslogd: imjournal: 102776 messages lost due to rate-limiting (…)
//! rsyslogd: imuxsock[pid 29156]: begin to drop messages due to rate-limiting
//! systemd-journald[301]: Suppressed 20 messages from sshd.service           journald names the unit
//! ```
//!
//! Among the lost lines may be successes, so whoever judges is blind for a while.

use memchr::memmem;

use fairban_core::event::Service;

use crate::record::Record;
use crate::service::fields::number;

/// Lines that the log lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// Whose lines, where that is told; else any service's.
    pub(crate) service: Option<Service>,
    /// How many; 0 where that is not told.
    pub(crate) lost: u32,
}

/// Whether a program may be one that tells of lost lines.
pub(crate) fn may_tell(program: &[u8]) -> bool {
    match program.first() {
        None => true,
        Some(b's') => matches!(program, b"syslogd" | b"syslog" | b"systemd-journald" | b"systemd-journal"),
        Some(b'j') => program == b"journal",
        Some(b'r') => program.starts_with(b"rsyslogd"),
        Some(_) => false,
    }
}

/// Reads a record that no grammar claims; `None` if it tells of no gap, or of one in lines that no grammar reads.
pub(crate) fn read(record: &Record<'_>) -> Option<Gap> {
    let any = |lost| Some(Gap { service: None, lost });
    match record.program {
        b"" | b"syslogd" | b"syslog" => any(old_repetition(record.body)?),
        b"journal" | b"systemd-journald" | b"systemd-journal" => journald(record.body),
        // Old ones name the number of their message too: `rsyslogd-2177`.
        program if program.starts_with(b"rsyslogd") => rsyslog(record.body),
        _ => None,
    }
}

/// `last message repeated 3 times`, with or without dashes around it.
fn old_repetition(body: &[u8]) -> Option<u32> {
    let body = body.strip_prefix(b"--- ").and_then(|body| body.strip_suffix(b" ---")).unwrap_or(body);
    let rest = body.strip_prefix(b"last message ")?;
    let rest = rest.strip_prefix(b"repeated ").or_else(|| rest.strip_prefix(b"buffered "))?;
    number(rest.strip_suffix(b" times").or_else(|| rest.strip_suffix(b" time"))?)
}

fn rsyslog(body: &[u8]) -> Option<Gap> {
    let clause = &body[..memmem::find(body, b" due to rate-limiting")?];
    let messages_at = memmem::rfind(clause, b" messages")?;
    let count = clause[..messages_at].rsplit(|&byte| byte == b' ').next()?;
    // `begins to drop messages`: how many, the daemon says when it is over.
    let lost = number(count).or_else(|| (count == b"drop").then_some(0))?;
    let Some(name_at) = memmem::find(clause, b"name: ") else { return Some(Gap { service: None, lost }) };
    let name = &clause[name_at + b"name: ".len()..];
    let name_end = name.iter().position(|byte| matches!(byte, b']' | b',')).unwrap_or(name.len());
    gap(whose(&name[..name_end]), lost)
}

fn journald(body: &[u8]) -> Option<Gap> {
    let rest = body.strip_prefix(b"Suppressed ")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let lost = number(&rest[..digits])?;
    let unit = rest[digits..].strip_prefix(b" messages from ")?;
    gap(whose(unit), lost)
}

/// Whose lines are lost.
#[derive(Clone, Copy)]
enum Whose {
    One(Service),
    /// A supervisor's: whatever it starts.
    Any,
    /// No service's that a grammar reads.
    Nobodys,
}

fn gap(whose: Whose, lost: u32) -> Option<Gap> {
    match whose {
        Whose::One(service) => Some(Gap { service: Some(service), lost }),
        Whose::Any => Some(Gap { service: None, lost }),
        Whose::Nobodys => None,
    }
}

/// By the name of a unit or a program, with or without its path.
fn whose(name: &[u8]) -> Whose {
    let name = &name[memchr::memrchr(b'/', name).map_or(0, |at| at + 1)..];
    let end = name.iter().position(|byte| matches!(byte, b'.' | b'@' | b'-')).unwrap_or(name.len());
    match &name[..end] {
        b"ssh" | b"sshd" => Whose::One(Service::Sshd),
        b"dovecot" => Whose::One(Service::Dovecot),
        b"postfix" | b"smtpd" => Whose::One(Service::Postfix),
        b"vpopmail" | b"vchkpw" => Whose::One(Service::Vpopmail),
        b"tcpserver" => Whose::One(Service::Tcpserver),
        b"sslserver" => Whose::One(Service::Sslserver),
        b"qmail" | b"svscan" | b"daemontools" | b"runit" | b"s6" => Whose::Any,
        _ => Whose::Nobodys,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(program: &str, body: &str) -> Option<(Option<Service>, u32)> {
        let record = Record { program: program.as_bytes(), pid: None, body: body.as_bytes(), body_at: 0 };
        read(&record).map(|gap| (gap.service, gap.lost))
    }

    #[test]
    fn each_wording_is_known() {
        assert_eq!(gap("", "last message repeated 3 times"), Some((None, 3)));
        assert_eq!(gap("", "last message repeated 1 time"), Some((None, 1)));
        assert_eq!(gap("", "--- last message repeated 2 times ---"), Some((None, 2)));
        assert_eq!(gap("", "last message buffered 2 times"), Some((None, 2)));
        assert_eq!(
            gap("rsyslogd-2177", "imuxsock lost 432 messages from pid 9832 due to rate-limiting"),
            Some((None, 432))
        );
        assert_eq!(
            gap(
                "rsyslogd",
                "imjournal: 102776 messages lost due to rate-limiting (20000 allowed within 600 seconds)"
            ),
            Some((None, 102_776))
        );
        assert_eq!(
            gap("rsyslogd", "imuxsock begins to drop messages from pid 9832 due to rate-limiting"),
            Some((None, 0))
        );
        assert_eq!(
            gap("rsyslogd", "imuxsock[pid 29156]: begin to drop messages due to rate-limiting"),
            Some((None, 0))
        );
        assert_eq!(
            gap("systemd-journald", "Suppressed 20 messages from sshd.service"),
            Some((Some(Service::Sshd), 20))
        );
        assert_eq!(
            gap("journal", "Suppressed 20 messages from /system.slice/postfix@-.service"),
            Some((Some(Service::Postfix), 20))
        );
        assert_eq!(
            gap(
                "rsyslogd",
                "imuxsock[pid: 812, name: /usr/sbin/sshd]: 250 messages lost due to rate-limiting"
            ),
            Some((Some(Service::Sshd), 250))
        );
        assert_eq!(gap("journal", "Suppressed 7 messages from qmail-pop3d.service"), Some((None, 7)));
    }

    #[test]
    fn other_lines_are_no_gap() {
        for (program, body) in [
            ("", "last message repeated times"),
            ("", "last message repeated 3 times in a row"),
            ("", "-- MARK --"),
            ("named", "last message repeated 3 times"),
            ("rsyslogd", "imuxsock[pid: 8, name: nginx]: 250 messages lost due to rate-limiting"),
            ("rsyslogd", "start"),
            ("rsyslogd", "action suspended due to rate-limiting"),
            ("journal", "Suppressed 20 messages from nginx.service"),
            ("journal", "Missed 12 kernel messages"),
            ("journal", "Suppressed many messages from sshd.service"),
        ] {
            assert_eq!(gap(program, body), None, "{program}: {body}");
        }
    }
}
