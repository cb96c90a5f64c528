//! Who may speak for a service.
//!
//! Any local user can write `sshd: Failed password for root from 8.8.8.8` into the journal, and have somebody else
//! banned, or `Accepted …` and pass for honest. What he cannot do is be another user, or another program: journald
//! writes these down itself. So an entry that a service's grammar would claim must be from that service's user, and
//! from its program or unit. Root is believed as a user, as root needs no forged log, but not as any program: scripts of
//! root's repeat what others wrote.

use super::entry::Entry;

/// What becomes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// It is the service's.
    Counts,
    /// It says nothing of ours: another program, or the right one run by a user for himself.
    SetAside,
    /// It pretends.
    Forged,
}

/// Users of this host by name, from `/etc/passwd`.
#[derive(Clone, Debug, Default)]
pub(super) struct Users(Vec<(String, u32)>);

impl Users {
    /// Most users looked at; service users stand at the top.
    const USERS_MAX: usize = 100_000;

    pub(super) fn parse(passwd: &str) -> Self {
        let user = |line: &str| {
            let mut fields = line.split(':');
            let (name, _, uid) = (fields.next()?, fields.next()?, fields.next()?);
            SERVICES.iter().any(|service| service.users.contains(&name)).then_some(())?;
            Some((name.to_owned(), uid.parse().ok()?))
        };
        Self(passwd.lines().take(Self::USERS_MAX).filter_map(user).collect())
    }

    fn has(&self, names: &[&str], uid: u32) -> bool {
        self.0.iter().any(|(name, known)| *known == uid && names.contains(&name.as_str()))
    }
}

/// How a service is known.
struct Service {
    /// Names in its lines; a `/` or `-` at the end takes all that begin so.
    identifiers: &'static [&'static str],
    /// Beginnings of messages that its grammar claims under any name.
    messages: &'static [&'static [u8]],
    /// Users it runs as, besides root.
    users: &'static [&'static str],
    /// Its programs' file names.
    programs: &'static [&'static str],
    /// Programs that carry its standard error to syslog, and anybody's else.
    carriers: &'static [&'static str],
    /// Directories that hold nothing but its programs.
    directories: &'static [&'static str],
    /// Its units; a `@` at the end takes all instances.
    units: &'static [&'static str],
}

const SERVICES: [Service; 5] = [
    Service {
        identifiers: &["sshd", "sshd-session", "sshd-auth"],
        messages: &[],
        users: &[],
        programs: &["sshd", "sshd-session", "sshd-auth"],
        carriers: &[],
        directories: &[],
        // Whoever logs in stands in its unit at first, so the unit alone proves nothing.
        units: &[],
    },
    Service {
        identifiers: &["dovecot"],
        messages: &[],
        users: &["dovecot", "dovenull"],
        programs: &["dovecot"],
        carriers: &[],
        directories: &["dovecot"],
        units: &["dovecot.service"],
    },
    Service {
        identifiers: &["postfix", "postfix/", "postfix-"],
        messages: &[],
        users: &["postfix"],
        programs: &[],
        carriers: &[],
        directories: &["postfix"],
        units: &["postfix.service", "postfix@"],
    },
    Service {
        identifiers: &["vpopmail", "vchangepw", "vchkpw", "vchkpw-"],
        messages: &[b"vchkpw-"],
        users: &["vpopmail", "vchkpw", "qmaild"],
        programs: &["vchkpw", "vchangepw", "vpopmaild", "qmail-smtpd", "qmail-popup"],
        carriers: &[],
        directories: &[],
        units: &[],
    },
    Service {
        identifiers: &["tcpserver", "sslserver", "sslhandle"],
        messages: &[b"tcpserver: ", b"sslserver: ", b"sslhandle: "],
        users: &["vpopmail", "vchkpw", "qmaild", "qmaill"],
        programs: &["tcpserver", "sslserver", "sslhandle", "vchkpw", "qmail-smtpd", "qmail-popup"],
        carriers: &["splogger", "logger"],
        directories: &[],
        units: &[],
    },
];

/// Messages of programs that check a password through PAM, under the program's own name.
const PAM: &[u8] = b"pam_";

/// Judges an entry.
pub(super) fn judge(entry: &Entry, users: &Users, trusted_uids: &[u32]) -> Trust {
    let uid: Option<u32> = entry.uid.number();
    let Some(service) = SERVICES.iter().find(|service| service.claims(entry)) else {
        let message = entry.message.bytes().unwrap_or_default();
        let by_root = uid.is_some_and(|uid| uid == 0 || trusted_uids.contains(&uid));
        let counts = if message.starts_with(PAM) { by_root } else { by_root || is_of_system_service(entry) };
        return if counts { Trust::Counts } else { Trust::SetAside };
    };
    let right_user =
        uid.is_some_and(|uid| uid == 0 || users.has(service.users, uid) || trusted_uids.contains(&uid));
    match (right_user, service.is_from(entry)) {
        (true, true) => Trust::Counts,
        (false, _) if entry.exe.bytes().is_some_and(|exe| service.is_program(exe)) => Trust::SetAside,
        _ => Trust::Forged,
    }
}

impl Service {
    fn claims(&self, entry: &Entry) -> bool {
        let identifier = entry.identifier.bytes().unwrap_or_default();
        let message = entry.message.bytes().unwrap_or_default();
        named(self.identifiers, identifier, b"/-")
            || self.messages.iter().any(|beginning| message.starts_with(beginning))
    }

    /// Whether program or unit are the service's. Short programs are gone before journald looks: where it has written
    /// down neither path nor name, there is only the user to go by.
    fn is_from(&self, entry: &Entry) -> bool {
        let of_unit = entry.unit.bytes().is_some_and(|unit| named(self.units, unit, b"@"));
        match (entry.exe.bytes(), entry.comm.bytes()) {
            _ if of_unit => true,
            (Some(exe), _) => self.is_program(exe) || is(self.carriers, file_name(exe)),
            (None, Some(comm)) => is(self.programs, comm) || is(self.carriers, comm),
            (None, None) => true,
        }
    }

    fn is_program(&self, exe: &[u8]) -> bool {
        let in_directory =
            || exe.split(|byte| *byte == b'/').rev().skip(1).any(|part| is(self.directories, part));
        is(self.programs, file_name(exe)) || is_of_system(exe) && in_directory()
    }
}

fn is(known: &[&str], name: &[u8]) -> bool {
    known.iter().any(|known| known.as_bytes() == name)
}

fn file_name(exe: &[u8]) -> &[u8] {
    // A program that was replaced while it ran.
    let exe = exe.strip_suffix(b" (deleted)").unwrap_or(exe);
    exe.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// Whether a path is where packages and administrators put programs.
fn is_of_system(exe: &[u8]) -> bool {
    [b"/usr/".as_slice(), b"/opt/", b"/lib", b"/sbin/", b"/nix/store/", b"/gnu/store/"]
        .iter()
        .any(|top| exe.starts_with(top))
}

/// Whether journald saw the writer in a unit that root started, not in a user's session.
fn is_of_system_service(entry: &Entry) -> bool {
    entry.unit.bytes().is_some_and(|unit| unit.ends_with(b".service") && !unit.starts_with(b"user@"))
}

/// Whether `name` is one of `known`, or begins with one of these that ends in one of `open`.
fn named(known: &[&str], name: &[u8], open: &[u8]) -> bool {
    known.iter().map(|known| known.as_bytes()).any(|known| {
        let is_open = known.last().is_some_and(|last| open.contains(last));
        name == known || is_open && name.starts_with(known)
    })
}

#[cfg(test)]
mod tests;
