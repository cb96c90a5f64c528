//! What a worker is to do. The daemon sends it, and the worker trusts it no further than [`Config::check`]: a daemon
//! that was taken over must not get programs started or files read through us.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// All jobs of a worker; those that are `None` are not done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The systemd journal.
    pub journal: Option<Journal>,
    /// Syslog over the network.
    pub syslog: Option<Syslog>,
    /// Names of the allowlist.
    pub resolve: Option<Resolve>,
}

/// Entries of the systemd journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// Groups of `FIELD=value`. An entry is taken if one group fits: of each field in it, one of the values. None takes
    /// the whole journal. See [`Journal::of_services`].
    pub matches: Vec<Vec<String>>,
    /// Where reading stopped: entries after this one. Before `since`, if both are given.
    pub cursor: Option<String>,
    /// Without a cursor, entries since then, in seconds since 1970; `None` takes all there are.
    pub since: Option<i64>,
    /// Users besides root and each service's own whose entries are believed; for services that run as other users here.
    pub trusted_uids: Vec<u32>,
}

/// Syslog over UDP (a datagram is a line) and TCP (framed by length or by line feeds, RFC 6587).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Syslog {
    /// Where it is listened. Batches name a listener by its place here.
    pub listeners: Vec<Listener>,
}

/// A socket for syslog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// How lines come.
    pub transport: Transport,
    /// Where it listens; port 0 is one that the kernel picks.
    pub address: SocketAddr,
    /// From whom lines are taken; empty: this machine alone, and the address must be a loopback one. The sender of a
    /// datagram can be made up by anybody who reaches the socket.
    pub from: Vec<IpNet>,
}

/// How lines come over the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// Connections.
    Tcp,
}

/// Names whose addresses are on the allowlist.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolve {
    /// The names.
    pub names: Vec<String>,
    /// Seconds between two look-ups: kept between [`Resolve::EVERY_MIN`] and [`Resolve::EVERY_MAX`]; 0 is
    /// [`Resolve::EVERY_DEFAULT`].
    pub every_seconds: u32,
}

/// A configuration that no worker takes; the daemon's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A match is not `FIELD=value`.
    #[error(
        "journal match {0:?} is not of the form FIELD=value, with a field of capital letters, digits and _"
    )]
    Match(String),
    /// Too many matches.
    #[error("more than {} journal matches", Journal::MATCHES_MAX)]
    Matches,
    /// A cursor that no journal wrote.
    #[error("journal cursor {0:?} is none of systemd's")]
    Cursor(String),
    /// Too many users.
    #[error("more than {} trusted users", Journal::UIDS_MAX)]
    Uids,
    /// A listener that strangers reach.
    #[error(
        "syslog address {0} is not a loopback address, which needs a list of the senders whose lines are taken"
    )]
    Open(SocketAddr),
    /// Too many listeners.
    #[error("more than {} syslog addresses", Syslog::LISTENERS_MAX)]
    Addresses,
    /// Too many senders.
    #[error("more than {} prefixes of senders for one syslog address", Listener::FROM_MAX)]
    Senders,
    /// Not a name of a host.
    #[error("{0:?} is not a host name")]
    Name(String),
    /// Too many names.
    #[error("more than {} names on the allowlist", Resolve::NAMES_MAX)]
    Names,
}

impl Journal {
    /// Most matches in all groups.
    pub const MATCHES_MAX: usize = 64;
    /// Longest match, in bytes.
    pub const MATCH_BYTES_MAX: usize = 200;
    /// Longest cursor, in bytes.
    pub const CURSOR_BYTES_MAX: usize = 256;
    /// Most trusted users.
    pub const UIDS_MAX: usize = 32;

    /// The journal's entries of all services that fairban knows, and the journal's own notices of what it dropped.
    pub fn of_services() -> Self {
        const IDENTIFIERS: [&str; 14] = [
            "dovecot",
            "postfix/smtpd",
            "postfix/smtps/smtpd",
            "postfix/submission/smtpd",
            "postfix/submissions/smtpd",
            "sshd",
            "sshd-auth",
            "sshd-session",
            "sslhandle",
            "sslserver",
            "systemd-journald",
            "tcpserver",
            "vchkpw",
            "vpopmail",
        ];
        const UNITS: [&str; 3] = ["dovecot.service", "postfix.service", "postfix@-.service"];
        let named =
            |field: &str, values: &[&str]| values.iter().map(|value| format!("{field}={value}")).collect();
        Self {
            matches: vec![named("SYSLOG_IDENTIFIER", &IDENTIFIERS), named("_SYSTEMD_UNIT", &UNITS)],
            ..Self::default()
        }
    }
}

impl Syslog {
    /// Most listeners.
    pub const LISTENERS_MAX: usize = 16;
}

impl Listener {
    /// Most prefixes of senders.
    pub const FROM_MAX: usize = 64;

    /// Whether lines of this sender are taken.
    pub fn takes(&self, sender: IpAddr) -> bool {
        let sender = sender.to_canonical();
        self.from.iter().any(|prefix| prefix.contains(&sender))
            || self.from.is_empty() && sender.is_loopback()
    }
}

impl Resolve {
    /// Most names.
    pub const NAMES_MAX: usize = 64;
    /// Most addresses that one name adds.
    pub const ADDRESSES_MAX: usize = 32;
    /// Shortest time between two look-ups, in seconds.
    pub const EVERY_MIN: u32 = 30;
    /// Longest time between two look-ups, in seconds.
    pub const EVERY_MAX: u32 = 86_400;
    /// Usual time between two look-ups, in seconds.
    pub const EVERY_DEFAULT: u32 = 300;

    /// Seconds between two look-ups, within the bounds.
    pub fn every(&self) -> u32 {
        match self.every_seconds {
            0 => Self::EVERY_DEFAULT,
            seconds => seconds.clamp(Self::EVERY_MIN, Self::EVERY_MAX),
        }
    }
}

impl Config {
    /// Whether there is anything to do.
    pub fn is_idle(&self) -> bool {
        self.journal.is_none() && self.syslog.is_none() && self.resolve.is_none()
    }

    /// Checks every bound and form.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.journal.as_ref().map_or(Ok(()), check_journal)?;
        self.syslog.as_ref().map_or(Ok(()), check_syslog)?;
        self.resolve.as_ref().map_or(Ok(()), check_resolve)
    }
}

fn check_journal(journal: &Journal) -> Result<(), ConfigError> {
    if journal.matches.len() > Journal::MATCHES_MAX
        || journal.matches.iter().map(Vec::len).sum::<usize>() > Journal::MATCHES_MAX
    {
        return Err(ConfigError::Matches);
    }
    if journal.trusted_uids.len() > Journal::UIDS_MAX {
        return Err(ConfigError::Uids);
    }
    if let Some(bad) = journal.matches.iter().flatten().find(|text| !is_match(text)) {
        return Err(ConfigError::Match(bad.clone()));
    }
    match &journal.cursor {
        Some(cursor) if !is_cursor(cursor) => Err(ConfigError::Cursor(cursor.clone())),
        _ => Ok(()),
    }
}

/// `FIELD=value`: neither an option of journalctl's nor a file.
fn is_match(text: &str) -> bool {
    let Some((field, value)) = text.split_once('=') else { return false };
    let of_field = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    !field.is_empty()
        && field.bytes().all(of_field)
        && text.len() <= Journal::MATCH_BYTES_MAX
        && !value.bytes().any(|byte| byte.is_ascii_control())
}

/// The form of systemd's cursors: `s=…;i=…;b=…;m=…;t=…;x=…`, all hexadecimal.
pub(crate) fn is_cursor(cursor: &str) -> bool {
    let is_part = |part: &str| match part.split_once('=') {
        Some((name, value)) => {
            name.len() == 1
                && name.as_bytes()[0].is_ascii_lowercase()
                && !value.is_empty()
                && value.bytes().all(|byte| byte.is_ascii_hexdigit())
        }
        None => false,
    };
    cursor.len() <= Journal::CURSOR_BYTES_MAX && cursor.split(';').all(is_part)
}

fn check_syslog(syslog: &Syslog) -> Result<(), ConfigError> {
    if syslog.listeners.len() > Syslog::LISTENERS_MAX {
        return Err(ConfigError::Addresses);
    }
    for listener in &syslog.listeners {
        if listener.from.len() > Listener::FROM_MAX {
            return Err(ConfigError::Senders);
        }
        if listener.from.is_empty() && !listener.address.ip().to_canonical().is_loopback() {
            return Err(ConfigError::Open(listener.address));
        }
    }
    Ok(())
}

fn check_resolve(resolve: &Resolve) -> Result<(), ConfigError> {
    if resolve.names.len() > Resolve::NAMES_MAX {
        return Err(ConfigError::Names);
    }
    match resolve.names.iter().find(|name| !is_host_name(name)) {
        Some(bad) => Err(ConfigError::Name(bad.clone())),
        None => Ok(()),
    }
}

pub(crate) fn is_host_name(name: &str) -> bool {
    const NAME_BYTES_MAX: usize = 253;
    const LABEL_BYTES_MAX: usize = 63;
    let is_label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && !label.starts_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name.len() <= NAME_BYTES_MAX && name.strip_suffix('.').unwrap_or(name).split('.').all(is_label)
}

#[cfg(test)]
mod tests;
