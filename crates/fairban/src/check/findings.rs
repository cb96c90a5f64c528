//! What is to be done, and what would make the evidence better.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use fairban_core::event::Service;
use fairban_core::time::Span;

use super::content::{Content, ServiceSeen};
use super::look::{Looked, Seen};
use super::probe::{Wanted, path_name};
use super::remedy;
use crate::accounts::{Accounts, User};
use crate::input::live::Planned;
use crate::report::advice;
use crate::when;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Needs doing: fairban does not see, or not do, what it should.
    Warning,
    /// Would be better otherwise.
    Advice,
}

impl Level {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Level::Warning => "warning",
            Level::Advice => "advice",
        }
    }
}

/// One thing to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) level: Level,
    /// The input it is about; empty for the whole.
    pub(super) input: String,
    pub(super) text: String,
    /// Commands and settings, one a line.
    pub(super) remedies: Vec<String>,
}

impl Finding {
    pub(super) fn new(level: Level, input: &str, text: impl Into<String>) -> Finding {
        Finding { level, input: input.to_owned(), text: text.into(), remedies: Vec::new() }
    }

    pub(super) fn with(mut self, remedies: impl IntoIterator<Item = String>) -> Finding {
        self.remedies.extend(remedies);
        self
    }
}

/// What surrounds the inputs.
pub(super) struct Surroundings<'a> {
    pub(super) user: &'a User,
    pub(super) accounts: &'a Accounts,
    pub(super) systemd: bool,
    pub(super) now_secs: i64,
}

/// A service with so many lines of which none is understood is not seen.
const LINES_ALARMING: u64 = 10;
/// Fewer failures say nothing about settings.
const FAILURES_TELLING: u64 = 5;
/// Nobody logged in while so many failed: the log hides logins, or nobody does.
const FAILURES_WITHOUT_LOGIN: u64 = 20;
/// One address with this share of at least so many logins, at several accounts, is a proxy.
const PROXY_PERCENT: u64 = 90;
const PROXY_LOGINS: u64 = 30;
const PROXY_ACCOUNTS: u64 = 5;
const STALE: Span = Span::days(1);
const DEAD: Span = Span::days(7);

/// What is to be said of one input.
pub(super) fn about(looked: &Looked, configured: bool, around: &Surroundings<'_>) -> Vec<Finding> {
    let name = looked.name.as_str();
    let warning = |text: String| Finding::new(Level::Warning, name, text);
    match &looked.seen {
        Seen::Closed => {
            vec![warning(format!("may not be read by {}", around.user.name)).with(opening(looked, around))]
        }
        Seen::Missing if name.starts_with("journal") => {
            vec![warning("there is no journal on this machine".to_owned())]
        }
        Seen::Missing => {
            vec![
                warning("does not exist; it is followed as soon as it does".to_owned())
                    .with(["check the name".to_owned()]),
            ]
        }
        Seen::Nothing(what) => vec![warning(what.clone())],
        Seen::Failed(why) => vec![warning(why.clone())],
        Seen::Empty | Seen::Ready(_) => Vec::new(),
        Seen::Read(content) => {
            let mut findings = about_time(name, content, around.now_secs);
            findings.extend(about_lines(name, content, configured));
            findings.extend(content.services.iter().flat_map(|seen| about_service(name, seen)));
            findings.extend(looked.path.as_deref().and_then(|path| about_file(name, path)));
            findings
        }
    }
}

fn opening(looked: &Looked, around: &Surroundings<'_>) -> Vec<String> {
    let Some(path) = &looked.path else { return remedy::journal(around.user) };
    if looked.name.starts_with("journal") {
        return remedy::journal(around.user);
    }
    remedy::remedy(path, around.user, around.accounts, around.systemd)
}

fn about_time(name: &str, content: &Content, now_secs: i64) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(off) = content.zone_off_secs {
        let (hours, minutes) = (off.abs() / 3_600, off.abs() / 60 % 60);
        let way = if off > 0 { "ahead of" } else { "behind" };
        let text = format!(
            "its newest stamp is {hours} h {minutes} min {way} the time at which the file was written: the stamps are in another \
             time zone than they are read in"
        );
        let own = content.offset_secs + off;
        let sign = if own < 0 { '-' } else { '+' };
        let offset = format!("{sign}{:02}:{:02}", own.abs() / 3_600, own.abs() / 60 % 60);
        let remedy = format!(
            "timezone = \"{offset}\" in its [[input]], or better the name of the zone: +02:00 is wrong after clocks change"
        );
        findings.push(Finding::new(Level::Warning, name, text).with([remedy]));
    }
    if let Some(ahead) = content.ahead_secs.filter(|ahead| *ahead > 120) {
        let text =
            format!("its newest stamp is {} after the file was written", when::length(Span::secs(ahead)));
        let remedy =
            "set the clock of the machine that writes it: chronyc makestep, or timedatectl set-ntp true";
        findings.push(Finding::new(Level::Warning, name, text).with([remedy.to_owned()]));
    }
    // What is touched or copied is written anew, with the stamps of old.
    let stamped = content.newest_secs.filter(|_| content.zone_off_secs.is_none());
    let newest = stamped.unwrap_or(content.modified_secs).min(content.modified_secs);
    let age = Span::secs(now_secs - newest);
    if age > STALE {
        let level = if age > DEAD { Level::Warning } else { Level::Advice };
        let text =
            format!("nothing was written to it for {}: do the services log elsewhere?", when::length(age));
        findings.push(Finding::new(level, name, text));
    }
    findings
}

fn about_lines(name: &str, content: &Content, configured: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if content.no_format * 2 > content.lines {
        let text =
            format!("{} of its last {} lines are of no known format", content.no_format, content.lines);
        findings.push(Finding::new(Level::Warning, name, text));
    } else if content.services.is_empty() && configured {
        let text =
            format!("its last {} lines hold none of the services that are judged in it", content.lines);
        let known = Service::ALL.map(Service::name).join(", ");
        findings.push(Finding::new(Level::Warning, name, text).with([format!("known are {known}")]));
    }
    if content.gaps > 0 {
        let text =
            format!("it lost lines: {} notices of it among the last {} lines", content.gaps, content.lines);
        let remedies = [
            "rsyslog: module(load=\"imuxsock\" SysSock.RateLimit.Interval=\"0\"), $RepeatedMsgReduction off"
                .to_owned(),
            "journald: RateLimitIntervalSec=0 in /etc/systemd/journald.conf".to_owned(),
        ];
        findings.push(Finding::new(Level::Advice, name, text).with(remedies));
    }
    findings
}

fn about_service(name: &str, seen: &ServiceSeen) -> Vec<Finding> {
    let mut findings = Vec::new();
    let service = seen.service();
    let called = service.name();
    if seen.lines >= LINES_ALARMING && seen.understood == 0 {
        let text = format!("{} {called} lines and none understood: nothing there is judged", seen.lines);
        findings.push(Finding::new(Level::Warning, name, text).with(seen.samples.clone()));
    } else if seen.login_like > 0 {
        let text = format!(
            "{} {called} lines look like the outcome of a login and are not understood; please report them:",
            seen.login_like
        );
        findings.push(Finding::new(Level::Warning, name, text).with(seen.samples.clone()));
    }
    let mut advise = |text: String, remedies: &[&str]| {
        let remedies = remedies.iter().map(|remedy| (*remedy).to_owned());
        findings.push(Finding::new(Level::Advice, name, text).with(remedies));
    };
    let telling = seen.failures >= FAILURES_TELLING;
    match service {
        Service::Dovecot if telling && seen.unexplained * 2 > seen.failures => advise(
            "dovecot does not say why logins fail, and of several tries only the last name".to_owned(),
            &["auth_verbose = yes", "auth_verbose_passwords = sha1:6"],
        ),
        Service::Dovecot if seen.plain >= FAILURES_TELLING && seen.tagged == 0 => advise(
            "dovecot does not show whether a wrong password is the same as before, which tells a forgotten phone from a robot"
                .to_owned(),
            &["auth_verbose_passwords = sha1:6"],
        ),
        Service::Postfix if telling && seen.unexplained * 2 > seen.failures => advise(
            "postfix never says why a login fails; where Dovecot checks the passwords, Dovecot can".to_owned(),
            &["auth_verbose = yes, auth_verbose_passwords = sha1:6 (in Dovecot)"],
        ),
        _ => {}
    }
    if service == Service::Postfix && seen.smtp >= FAILURES_TELLING {
        advise(
            "robots try passwords at port 25, where your users need none: a ban there may cost mail"
                .to_owned(),
            &[
                "smtpd_sasl_auth_enable = no in main.cf, -o smtpd_sasl_auth_enable=yes for submission in master.cf",
            ],
        );
    }
    let tells_logins = !matches!(service, Service::Tcpserver | Service::Sslserver | Service::Pam);
    if tells_logins && seen.successes == 0 && seen.failures >= FAILURES_WITHOUT_LOGIN {
        advise(format!("{} failures and no login: {}", seen.failures, advice::blind(service)), &[]);
    }
    if let Some((source, logins, accounts)) = seen.busiest {
        let named = accounts >= PROXY_ACCOUNTS || (service == Service::Postfix && accounts == 0);
        if named && logins >= PROXY_LOGINS && logins * 100 >= seen.successes * PROXY_PERCENT {
            let text = format!(
                "{source} carries {logins} of {} {called} logins: a proxy or webmail, behind which no robot can be told from \
                 a user",
                seen.successes
            );
            advise(text, &[clients_address(service)]);
        }
    }
    findings
}

/// The setting that restores the client's own address behind a proxy.
const fn clients_address(service: Service) -> &'static str {
    match service {
        Service::Dovecot => {
            "login_trusted_networks = ADDRESS for webmail that sends the IMAP ID, or haproxy = yes in the listener with \
             haproxy_trusted_networks = ADDRESS"
        }
        Service::Postfix => {
            "smtpd_authorized_xclient_hosts = ADDRESS for a proxy that speaks XCLIENT, or \
             smtpd_upstream_proxy_protocol = haproxy"
        }
        Service::Sshd => "sshd takes no address from a proxy: forward without rewriting the source address",
        _ => {
            "let the proxy hand over the address of the client (PROXY protocol), or read the proxy's own log"
        }
    }
}

/// Whether others than its program can write a log.
fn about_file(name: &str, path: &Path) -> Option<Finding> {
    let metadata = fs::metadata(path).ok()?;
    if metadata.mode() & 0o002 != 0 {
        let text = "every local user can write to it, failures and logins alike";
        let remedy = format!("chmod o-w {}", path_name(path));
        return Some(Finding::new(Level::Warning, name, text).with([remedy]));
    }
    None
}

/// A listener that believes other machines, over UDP.
pub(super) fn about_senders(planned: &Planned) -> Finding {
    let from: Vec<String> = planned.senders.iter().map(ToString::to_string).collect();
    let name = Wanted::of(planned).place.name();
    let text = format!(
        "takes lines from {}: the sender of a UDP packet can be made up by anybody who reaches this port",
        from.join(", ")
    );
    let remedies = ["use tcp, or let a packet filter drop what does not come from there".to_owned()];
    Finding::new(Level::Advice, &name, text).with(remedies)
}

/// Names shown of those who can forge lines.
const NAMES_MAX: usize = 5;

/// Who can write lines into logs that come through syslog, if the socket lets everybody.
pub(super) fn about_forgery(names: &[&str], accounts: &Accounts, systemd: bool) -> Option<Finding> {
    let socket = fs::metadata("/dev/log").ok()?;
    if names.is_empty() || socket.mode() & 0o002 == 0 {
        return None;
    }
    let people: Vec<&str> = accounts.people().map(|user| user.name.as_str()).collect();
    let who = match people.len() {
        0 => "every program on this machine".to_owned(),
        n if n > NAMES_MAX => {
            format!("every program and {n} people ({}, ...)", people[..NAMES_MAX].join(", "))
        }
        _ => format!("every program and {}", people.join(", ")),
    };
    let text = format!(
        "{who} can write any line into {} (logger -t sshd ...), because /dev/log is open to all",
        names.join(", ")
    );
    let mut remedies = Vec::new();
    if systemd {
        remedies.push(
            "read the journal, which vouches for who wrote a line: [[input]] journal = [\"_SYSTEMD_UNIT=ssh.service\", ...]"
                .to_owned(),
        );
    }
    remedies.push(
        "or open /dev/log only to a group of the servers: chgrp syslog /dev/log && chmod 0660 /dev/log, in \
                   the start of the syslog daemon"
            .to_owned(),
    );
    Some(Finding::new(Level::Advice, "", text).with(remedies))
}
