//! Which logs a live service follows: those that are configured, or those that are found.
//!
//! Found by name where names are well known. Where a syslog daemon writes one line into several files (mail.log and
//! syslog on Debian), only the special one is believed: what is read twice would count twice. Other files in
//! `/var/log` are looked into, and followed if they show logins of services that the well-known ones do not hold.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use fairban_core::event::Service;
use fairban_parse::health::Health;
use fairban_parse::parser::{Parsed, Parser};
use ipnet::IpNet;

use super::discover::{FOLDERS_MAX, Places};
use super::family::Family;
use crate::config::{Config, InputSource, Origin, Zone};

/// Names in `/var/log` of which one is enough, and the services whose lines they hold.
const SPECIAL: [(&str, u32); 4] =
    [("mail.log", MAIL), ("maillog", MAIL), ("auth.log", LOGIN), ("secure", LOGIN)];

/// Files that hold what all the others hold too.
const CATCH_ALL: [&str; 2] = ["syslog", "messages"];

const LOGIN: u32 = bit(Service::Sshd) | bit(Service::Pam);
const MAIL: u32 = ALL & !LOGIN;
const ALL: u32 = (1 << Service::ALL.len()) - 1;

/// So much of the end of an unknown file is looked at.
const LOOK_BYTES_MAX: u64 = 64 * 1024;

/// Most files of unknown names that are looked into.
const LOOKS_MAX: usize = 1_000;

/// Programs whose lines are asked of the journal where there are no files.
const JOURNAL_IDENTIFIERS: [&str; 9] = [
    "sshd",
    "sshd-session",
    "dovecot",
    "vpopmail",
    "postfix/smtpd",
    "postfix/submission/smtpd",
    "postfix/smtps/smtpd",
    "postfix/submissions/smtpd",
    "tcpserver",
];

const fn bit(service: Service) -> u32 {
    1 << service.index()
}

/// An input that a live service would follow.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) source: InputSource,
    /// Of whom a syslog listener takes lines; empty for this machine alone.
    pub(crate) senders: Vec<IpNet>,
    /// Services believed in it, one bit each at [`Service::index`].
    pub(crate) services: u32,
    pub(crate) zone: Zone,
    /// Where it was configured; `None` if it was found.
    pub(crate) origin: Option<Origin>,
}

/// All inputs, and folders that could not be searched.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) inputs: Vec<Planned>,
    pub(crate) closed: Vec<(PathBuf, io::Error)>,
}

/// What a service with this configuration follows; found inputs lie below `root`.
pub(crate) fn plan(config: &Config, root: &Path) -> Plan {
    let mut plan = Plan::default();
    for input in &config.inputs {
        plan.inputs.push(Planned {
            source: input.from.value.clone(),
            senders: input.senders.value.clone(),
            services: config.services_of(input),
            zone: config.zone_of(input).clone(),
            origin: Some(input.from.origin.clone()),
        });
    }
    if config.discover.value {
        let found = Found::search(root);
        plan.closed = found.closed;
        for (source, services) in found.sources {
            let services = services & config.services.value;
            let known = plan.inputs.iter().any(|input| covers(&input.source, &source));
            if services != 0 && !known {
                let zone = config.timezone.value.clone();
                plan.inputs.push(Planned { source, senders: Vec::new(), services, zone, origin: None });
            }
        }
    }
    plan
}

/// Whether a configured input reads a found one already.
fn covers(configured: &InputSource, found: &InputSource) -> bool {
    match (configured, found) {
        (InputSource::File(pattern), InputSource::File(path)) => {
            let matches = |pattern: &str| glob::Pattern::new(pattern).is_ok_and(|p| p.matches_path(path));
            pattern == path || pattern.to_str().is_some_and(matches)
        }
        (InputSource::Journal(_), InputSource::Journal(_)) => true,
        (one, other) => one == other,
    }
}

/// Sources, each with the services believed in it.
struct Found {
    sources: Vec<(InputSource, u32)>,
    closed: Vec<(PathBuf, io::Error)>,
}

impl Found {
    fn search(root: &Path) -> Found {
        let places = Places::search(root);
        let var_log = root.join("var/log");
        let mut found = Found { sources: Vec::new(), closed: places.closed };
        let mut covered = 0;
        for (name, services) in SPECIAL {
            let path = var_log.join(name);
            if path.is_file() && covered & services == 0 {
                covered |= services;
                found.sources.push((InputSource::File(path), services));
            }
        }
        for path in places.logs.iter().filter(|path| is_current(path) && is_dovecots(path)) {
            found.sources.push((InputSource::File(path.clone()), bit(Service::Dovecot)));
        }
        for name in CATCH_ALL {
            let path = var_log.join(name);
            if path.is_file() && covered != ALL {
                found.sources.push((InputSource::File(path), ALL & !covered));
                covered = ALL;
            }
        }
        found.look_into_others(&var_log, covered);
        let of_files = !found.sources.is_empty();
        for folder in places.multilog_folders {
            found.sources.push((InputSource::Multilog(folder), ALL));
        }
        if !of_files && ["var/log/journal", "run/log/journal"].iter().any(|path| root.join(path).is_dir()) {
            let matches = JOURNAL_IDENTIFIERS.map(|name| format!("SYSLOG_IDENTIFIER={name}"));
            found.sources.push((InputSource::Journal(matches.to_vec()), ALL));
        }
        found
    }

    /// Files of other names in `/var/log` and one folder below, which show logins that no other file shows.
    fn look_into_others(&mut self, var_log: &Path, covered: u32) {
        let below = files_of(var_log)
            .into_iter()
            .flat_map(|path| if path.is_dir() { files_of(&path) } else { vec![path] });
        let unknown = below.filter(|path| {
            let taken =
                |(source, _): &(InputSource, u32)| matches!(source, InputSource::File(own) if own == path);
            path.is_file() && is_current(path) && !is_well_known(path) && !self.sources.iter().any(taken)
        });
        let unknown: Vec<PathBuf> = unknown.take(LOOKS_MAX).collect();
        for path in unknown {
            let services = services_in(&path).unwrap_or(0) & !covered;
            if services != 0 {
                self.sources.push((InputSource::File(path), services));
            }
        }
    }
}

/// What is in a folder, by name; nothing where it may not be listed (the caller of [`Places`] tells of these).
fn files_of(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .take(FOLDERS_MAX)
        .collect();
    paths.sort();
    paths
}

/// Not one that rotation has put aside.
fn is_current(path: &Path) -> bool {
    Family::of(path).is(path)
}

fn is_dovecots(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"dovecot"))
}

/// Files of syslog daemons that repeat what the special ones hold, and multilog's, which are found by their folder.
fn is_well_known(path: &Path) -> bool {
    const REPEATED: [&str; 4] = ["mail.info", "mail.warn", "mail.err", "current"];
    let names = SPECIAL.iter().map(|(name, _)| *name).chain(CATCH_ALL).chain(REPEATED);
    path.file_name().is_some_and(|own| names.into_iter().any(|name| own == name))
}

/// Services with a login among the last lines of a file.
fn services_in(path: &Path) -> io::Result<u32> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(LOOK_BYTES_MAX)))?;
    let mut bytes = Vec::new();
    file.take(LOOK_BYTES_MAX).read_to_end(&mut bytes)?;
    // What is found is not kept: any key serves.
    let (parser, mut health) = (Parser::new([0; 16]), Health::default());
    let mut services = 0;
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Parsed::Event(_, event) = parser.line(line, &mut health) {
            services |= bit(event.service);
        }
    }
    Ok(services)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SSH: &str = "Jan 21 10:00:00 mx sshd[1]: Failed password for root from 192.0.2.1 port 22 ssh2\n";
    const MAILS: &str = "Jan 21 10:00:00 mx dovecot: imap-login: Login: user=<dan>, method=PLAIN, rip=192.0.2.9, \
                         lip=192.0.2.1, mpid=9, session=<rk+1x/VgDbrGM2RT>\n";

    /// What is found in a machine with these files, as `name services`.
    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let root = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        let plan = plan(&Config::default(), root.path());
        let told = plan.inputs.iter().map(|input| {
            let name = match &input.source {
                InputSource::File(path) | InputSource::Multilog(path) => {
                    path.strip_prefix(root.path()).expect("below").display().to_string()
                }
                other => format!("{other:?}").split('(').next().unwrap_or_default().to_owned(),
            };
            let services = match input.services {
                ALL => "all",
                MAIL => "mail",
                LOGIN => "login",
                _ => "some",
            };
            format!("{name} {services}")
        });
        told.collect()
    }

    #[test]
    fn a_line_that_is_written_twice_is_read_once() {
        let debian = [
            ("var/log/mail.log", MAILS),
            ("var/log/mail.log.1", MAILS),
            ("var/log/mail.info", MAILS),
            ("var/log/auth.log", ""),
            ("var/log/syslog", MAILS),
        ];
        assert_eq!(found(&debian), ["var/log/mail.log mail", "var/log/auth.log login"]);
        assert_eq!(
            found(&[("var/log/maillog", MAILS), ("var/log/messages", SSH)]),
            ["var/log/maillog mail", "var/log/messages login"]
        );
        assert_eq!(found(&[("var/log/messages", ""), ("var/log/imap.log", MAILS)]), ["var/log/messages all"]);
    }

    #[test]
    fn logs_of_any_name_are_found_by_what_they_hold() {
        let files =
            [("var/log/auth.log", SSH), ("var/log/site/imap.log", MAILS), ("var/log/kern.log", "Jan 21 x\n")];
        assert_eq!(found(&files), ["var/log/auth.log login", "var/log/site/imap.log some"]);
    }

    #[test]
    fn the_journal_is_read_where_there_are_no_files() {
        assert_eq!(found(&[("var/log/journal/1/system.journal", "")]), ["Journal all"]);
        let both = [("var/log/journal/1/system.journal", ""), ("var/log/auth.log", SSH)];
        assert_eq!(found(&both), ["var/log/auth.log login"]);
        assert_eq!(found(&[("var/log/qmail/pop3d/current", "")]), ["var/log/qmail/pop3d all"]);
        assert_eq!(found(&[]), Vec::<String>::new());
    }

    #[test]
    fn what_is_configured_is_not_found_a_second_time() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let log = root.path().join("var/log/mail.log");
        fs::create_dir_all(log.parent().expect("it has one")).expect("a folder");
        fs::write(&log, MAILS).expect("a file");
        let file = root.path().join("fairban.toml");
        let text =
            format!("discover = true\n[[input]]\nfile = \"{}/var/log/*.log\"\n", root.path().display());
        fs::write(&file, text).expect("a file");
        let loaded = Config::load(&crate::config::Paths::new(Some(&file))).expect("it is right");
        let plan = plan(&loaded.config, root.path());
        assert_eq!(plan.inputs.len(), 1, "{plan:?}");
        assert!(plan.inputs[0].origin.is_some());
    }
}
