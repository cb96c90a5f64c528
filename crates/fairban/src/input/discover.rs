//! Finding the usual logs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Gathered, rights};
use crate::error::{self, Failure, Kind, shown};

/// In `/var/log`: a prefix of the name, and what must follow somewhere (`dovecot*.log*`).
const LOG_NAMES: [(&str, &str); 6] = [
    ("mail.log", ""),
    ("maillog", ""),
    ("syslog", ""),
    ("auth.log", ""),
    ("secure", ""),
    ("dovecot", ".log"),
];

/// Folders of services that may have `log/main` below them, as daemontools' users lay them out.
const SERVICE_FOLDERS: [&str; 4] = ["service", "var/service", "etc/service", "var/qmail/supervise"];

/// At most so many multilog folders are looked for in `/var/log`, and two levels deep.
pub(super) const FOLDERS_MAX: usize = 4_096;

/// Searches below `root` and says what was found, and what may not be read.
///
/// # Errors
/// If nothing is found or nothing found may be read.
pub(crate) fn discover(root: &Path, quiet: bool) -> Result<Gathered, Failure> {
    let mut gathered = Gathered { found: true, ..Gathered::default() };
    let places = Places::search(root);
    for (folder, error) in &places.closed {
        let (why, hint) = rights::explain(folder, error);
        gathered.refused += 1;
        error::warn(&format!("{}: {why}; it was not searched", shown(folder)), hint.as_deref());
    }
    for path in places.logs.iter().chain(&places.multilog_folders) {
        gathered.add(path);
    }
    if gathered.inputs.is_empty() && gathered.empty == 0 {
        return Err(nothing_found(root, gathered.refused));
    }
    if !quiet {
        let names: Vec<&str> = gathered.inputs.iter().map(|input| input.name.as_str()).collect();
        error::note(&format!("reading what was found: {}", names.join(", ")));
    }
    Ok(gathered)
}

fn nothing_found(root: &Path, refused: usize) -> Failure {
    let failure = if refused > 0 {
        Failure::new(Kind::Environment, "logs were found, but none may be read")
    } else {
        Failure::new(
            Kind::Environment,
            format!("no logs were found in the usual places below {}", shown(root)),
        )
    };
    failure.hint(
        "name them: fairban replay LOG...; from the journal: journalctl -o short-iso | fairban replay -",
    )
}

/// What there is in the usual places.
#[derive(Default)]
pub(super) struct Places {
    pub(super) logs: Vec<PathBuf>,
    pub(super) multilog_folders: Vec<PathBuf>,
    /// Folders that exist and may not be listed.
    pub(super) closed: Vec<(PathBuf, io::Error)>,
}

impl Places {
    pub(super) fn search(root: &Path) -> Places {
        let mut places = Places::default();
        let var_log = root.join("var/log");
        for path in places.list(&var_log) {
            if path.is_dir() {
                places.search_folder(&path);
            } else if path.file_name().is_some_and(|name| is_log_name(name.as_encoded_bytes())) {
                places.logs.push(path);
            }
        }
        for folder in SERVICE_FOLDERS {
            for service in places.list(&root.join(folder)) {
                let main = service.join("log/main");
                if main.is_dir() {
                    places.multilog_folders.push(main);
                }
            }
        }
        places
    }

    /// A folder in `/var/log`: multilog's own, or one with such folders in it (`qmail/smtpd`).
    fn search_folder(&mut self, folder: &Path) {
        if holds_multilog(folder) {
            self.multilog_folders.push(folder.to_owned());
        } else {
            let below = self.list(folder).into_iter().filter(|path| holds_multilog(path));
            let below: Vec<PathBuf> = below.take(FOLDERS_MAX).collect();
            self.multilog_folders.extend(below);
        }
    }

    /// What is in a folder, by name; nothing if it does not exist.
    fn list(&mut self, folder: &Path) -> Vec<PathBuf> {
        match fs::read_dir(folder) {
            Ok(entries) => {
                let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
                paths.sort();
                paths
            }
            Err(error) => {
                if error.kind() == io::ErrorKind::PermissionDenied && !is_private(folder) {
                    self.closed.push((folder.to_owned(), error));
                }
                Vec::new()
            }
        }
    }
}

/// Folders in `/var/log` that are closed by design and hold no login logs: nobody needs to be told of them.
fn is_private(folder: &Path) -> bool {
    const PRIVATE: [&str; 6] = ["private", "audit", "sssd", "samba", "speech-dispatcher", "gdm"];
    folder.file_name().is_some_and(|name| PRIVATE.iter().any(|private| name == *private))
}

fn is_log_name(name: &[u8]) -> bool {
    LOG_NAMES.iter().any(|(prefix, within)| {
        let rest = name.strip_prefix(prefix.as_bytes());
        rest.is_some_and(|rest| within.is_empty() || memchr::memmem::find(rest, within.as_bytes()).is_some())
    })
}

fn holds_multilog(folder: &Path) -> bool {
    folder.join("current").is_file()
}

/// The files of a multilog folder from the oldest to `current`; none if it is no such folder.
pub(crate) fn multilog_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut old = Vec::new();
    let mut current = None;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_name().as_encoded_bytes() {
            b"current" => current = Some(entry.path()),
            name if is_multilog_name(name) => old.push(entry.path()),
            _ => {}
        }
    }
    // The names are time stamps in hexadecimal: their order is that of time.
    old.sort();
    old.extend(current);
    Ok(old)
}

/// `@4000000069….s` (finished) or `.u` (not processed), possibly compressed later.
fn is_multilog_name(name: &[u8]) -> bool {
    let Some(rest) = name.strip_prefix(b"@") else { return false };
    let hex = rest.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    hex == 24 && matches!(rest.get(24..26), Some(b".s" | b".u"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_names_are_recognised() {
        for name in [
            "mail.log",
            "mail.log.2.gz",
            "maillog-20260101",
            "auth.log",
            "secure",
            "dovecot.log",
            "dovecot-info.log.1",
        ] {
            assert!(is_log_name(name.as_bytes()), "{name}");
        }
        for name in ["kern.log", "mail.err", "dovecot.stats", "wtmp"] {
            assert!(!is_log_name(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn multilog_names_are_recognised() {
        assert!(
            is_multilog_name(b"@40000000696f5a3c1f2b8d14.s")
                && is_multilog_name(b"@40000000696f5a3c1f2b8d14.u.gz")
        );
        assert!(
            !is_multilog_name(b"@40000000696f5a3c1f2b8d14.t")
                && !is_multilog_name(b"state")
                && !is_multilog_name(b"@4.s")
        );
    }
}
