//! What a log shows of what happens: lines, and beside each the event that it tells.
//!
//! The events are made here by hand, not by the parser: they are what the engine is fed directly, and an oracle compares
//! them with what the parser reads in the lines. Whatever a format cannot show is in neither.

mod dovecot;
mod page;
mod postfix;
mod sshd;
mod tcpserver;
#[cfg(test)]
mod tests;
mod vchkpw;

use std::net::IpAddr;

use clap::ValueEnum;
use fairban_core::event::{Protocol, Service};
use fairban_core::time::Time;
use fairban_parse::secret::Secrets;

pub(crate) use page::{Page, Told, stamp};

use crate::rng::Rng;
use crate::world::account::{Name, Secret};

/// Key of engine and tags in all worlds.
pub(crate) const KEY: [u8; 16] = *b"fairban-sim key.";

/// How a site logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// vpopmail's vchkpw, failing passwords shown.
    Vchkpw,
    /// The same under `tcpserver -v`.
    Tcpserver,
    /// Dovecot as installed: a line for each login, and one at the end of a session in which all failed.
    Dovecot,
    /// Dovecot with `auth_verbose` and a hash of the failing password.
    DovecotHash,
    /// Postfix with SASL: no line for a login, unless a mail is sent.
    Postfix,
    /// OpenSSH.
    Sshd,
    /// POP3 by vchkpw, IMAP by Dovecot with `auth_verbose`, submission by Postfix.
    Mixed,
}

impl Format {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Format::Vchkpw => "vchkpw",
            Format::Tcpserver => "tcpserver",
            Format::Dovecot => "dovecot",
            Format::DovecotHash => "dovecot-hash",
            Format::Postfix => "postfix",
            Format::Sshd => "sshd",
            Format::Mixed => "mixed",
        }
    }

    /// Whose lines a connection of this protocol leaves.
    fn service(self, protocol: Protocol) -> Service {
        match (self, protocol) {
            (Format::Vchkpw | Format::Tcpserver, _) | (Format::Mixed, Protocol::Pop3) => Service::Vpopmail,
            (Format::Dovecot | Format::DovecotHash, _) | (Format::Mixed, Protocol::Imap) => Service::Dovecot,
            (Format::Postfix | Format::Mixed, _) => Service::Postfix,
            (Format::Sshd, _) => Service::Sshd,
        }
    }

    /// What a client speaks there that would like to speak `protocol`.
    pub(crate) fn spoken(self, protocol: Protocol) -> Protocol {
        match self {
            Format::Postfix => Protocol::Submission,
            Format::Sshd => Protocol::Ssh,
            _ => protocol,
        }
    }

    /// Whether mail programs try a digest there first.
    pub(crate) fn has_digests(self) -> bool {
        self != Format::Sshd
    }
}

/// How the server answered a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    In,
    Wrong,
    Unknown,
    /// The backend is down.
    Down,
}

/// A connection.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) source: IpAddr,
    pub(crate) protocol: Protocol,
    service: Service,
    port: u16,
    pid: u32,
    since: Time,
    failed: u16,
    succeeded: u16,
    last: Option<(Name, bool)>,
}

impl Link {
    /// Tries in it so far.
    pub(crate) fn tries(&self) -> u16 {
        self.failed + self.succeeded
    }

    /// Nobody tried to log in.
    pub(crate) fn is_idle(&self) -> bool {
        self.tries() == 0
    }
}

/// One try.
pub(crate) struct Tried<'a> {
    pub(crate) name: &'a Name,
    pub(crate) secret: &'a Secret,
    pub(crate) digest: bool,
    pub(crate) answer: Answer,
}

/// Writes the log of a site.
pub(crate) struct Scribe {
    pub(crate) format: Format,
    pub(crate) page: Page,
    secrets: Secrets,
    rng: Rng,
    next_pid: u32,
    open: u32,
}

/// Process ids begin again after so many.
const PIDS: u32 = 60_000;

impl Scribe {
    pub(crate) fn new(format: Format, seed: u64) -> Scribe {
        let rng = Rng::of(seed, "scribe", 0);
        Scribe { format, page: Page::default(), secrets: Secrets::new(KEY), rng, next_pid: 0, open: 0 }
    }

    pub(crate) fn open(&mut self, now: Time, source: IpAddr, protocol: Protocol) -> Link {
        let protocol = self.format.spoken(protocol);
        self.next_pid = (self.next_pid + 1 + self.rng.below(3) as u32) % PIDS;
        self.open += 1;
        let link = Link {
            source,
            protocol,
            service: self.format.service(protocol),
            port: self.rng.whole(1_024, 65_535) as u16,
            pid: 1_000 + self.next_pid,
            since: now,
            failed: 0,
            succeeded: 0,
            last: None,
        };
        match link.service {
            Service::Vpopmail if self.format == Format::Tcpserver => {
                tcpserver::open(&mut self.page, now, &link, self.open);
            }
            Service::Postfix => postfix::open(&mut self.page, now, &link),
            _ => {}
        }
        link
    }

    pub(crate) fn tried(&mut self, now: Time, link: &mut Link, tried: &Tried<'_>) {
        let page = &mut self.page;
        match link.service {
            Service::Vpopmail => vchkpw::tried(page, &self.secrets, now, link, tried),
            Service::Dovecot => {
                let detail = match self.format {
                    Format::Dovecot => dovecot::Detail::Sessions,
                    Format::DovecotHash => dovecot::Detail::Hashes,
                    _ => dovecot::Detail::Tries,
                };
                dovecot::tried(page, &self.secrets, now, link, tried, detail);
            }
            Service::Postfix => postfix::tried(page, now, link, tried, &mut self.rng),
            _ => sshd::tried(page, now, link, tried),
        }
        match tried.answer {
            Answer::In => link.succeeded += 1,
            _ => link.failed += 1,
        }
        link.last = Some((tried.name.clone(), tried.digest));
    }

    pub(crate) fn close(&mut self, now: Time, link: &Link) {
        self.open = self.open.saturating_sub(1);
        match link.service {
            Service::Vpopmail if self.format == Format::Tcpserver => {
                tcpserver::close(&mut self.page, now, link, self.open);
            }
            Service::Dovecot => dovecot::close(&mut self.page, now, link),
            Service::Postfix => postfix::close(&mut self.page, now, link),
            Service::Sshd => sshd::close(&mut self.page, now, link),
            _ => {}
        }
    }
}
