//! One input, looked at by whoever we are.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::Timestamp;
use rustix::fs::Access;
use serde::{Deserialize, Serialize};

use super::content::{Content, TAIL_BYTES_MAX};
use super::probe::{self, MATCHES_MAX, Place, Wanted, path_name};

/// Lines asked of the journal.
const JOURNAL_LINES: &str = "20000";

/// What came of one file or other source.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Looked {
    /// Escaped.
    pub(super) name: String,
    pub(super) path: Option<PathBuf>,
    pub(super) seen: Seen,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Seen {
    Read(Box<Content>),
    /// There is nothing in it yet.
    Empty,
    /// It works; there is nothing to be read from it.
    Ready(String),
    /// It exists, and these are not the rights to use it.
    Closed,
    Missing,
    /// A pattern that matches nothing, a name too many.
    Nothing(String),
    Failed(String),
}

impl Looked {
    fn new(name: String, path: &Path, seen: Seen) -> Looked {
        Looked { name, path: Some(path.to_owned()), seen }
    }
}

/// Looks at one input: one answer a file.
pub(super) fn at(wanted: &Wanted) -> Vec<Looked> {
    let name = wanted.place.name();
    match &wanted.place {
        Place::File(path) => files(path, wanted),
        Place::Multilog(folder) => vec![multilog(folder, wanted)],
        Place::Journal(matches) => vec![journal(name, matches, wanted)],
        Place::Pipe(path) => vec![Looked::new(name, path, pipe(path))],
        Place::Unix(path) => vec![Looked::new(name, path, unix_socket(path))],
        Place::Udp(address) => vec![Looked { name, path: None, seen: bound(UdpSocket::bind(address)) }],
        Place::Tcp(address) => vec![Looked { name, path: None, seen: bound(TcpListener::bind(address)) }],
    }
}

fn files(pattern: &Path, wanted: &Wanted) -> Vec<Looked> {
    let text = pattern.to_str().unwrap_or_default();
    if !text.contains(['*', '?', '[']) {
        return vec![file(path_name(pattern), pattern, wanted)];
    }
    let options = glob::MatchOptions {
        require_literal_separator: true,
        require_literal_leading_dot: true,
        ..Default::default()
    };
    let Ok(matches) = glob::glob_with(text, options) else {
        return vec![Looked::new(path_name(pattern), pattern, Seen::Failed("is no pattern".to_owned()))];
    };
    let mut looked = Vec::new();
    for found in matches.take(MATCHES_MAX) {
        match found {
            Ok(path) if path.is_dir() => {}
            Ok(path) => looked.push(file(path_name(&path), &path, wanted)),
            Err(error) => {
                let path = error.path().to_owned();
                looked.push(Looked::new(path_name(&path), &path, refused(error.error())));
            }
        }
    }
    if looked.is_empty() {
        // The pattern's folder may be closed, which matches nothing either.
        let literal =
            pattern.ancestors().find(|above| !above.to_str().unwrap_or("*").contains(['*', '?', '[']));
        let closed = literal.map(fs::read_dir).and_then(Result::err);
        let seen = closed.map_or(Seen::Nothing("matches no file yet".to_owned()), |error| refused(&error));
        looked.push(Looked::new(path_name(pattern), literal.unwrap_or(pattern), seen));
    }
    looked
}

fn multilog(folder: &Path, wanted: &Wanted) -> Looked {
    let name = wanted.place.name();
    // To follow rotation the folder itself must be open too.
    if let Err(error) = fs::read_dir(folder) {
        return Looked::new(name, folder, refused(&error));
    }
    let current = folder.join("current");
    if fs::metadata(&current).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        let seen = Seen::Nothing("has no file `current` yet: multilog has not written there".to_owned());
        return Looked::new(name, folder, seen);
    }
    file(name, &current, wanted)
}

fn file(name: String, path: &Path, wanted: &Wanted) -> Looked {
    match tail(path) {
        Ok((bytes, _)) if bytes.is_empty() => Looked::new(name, path, Seen::Empty),
        Ok((bytes, modified)) => {
            probe::read(name, Some(path.to_owned()), probe::content_of(&bytes, wanted, modified))
        }
        Err(error) => Looked::new(name, path, refused(&error)),
    }
}

/// The whole lines at the end of a file, and when it was last written.
fn tail(path: &Path) -> io::Result<(Vec<u8>, Timestamp)> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("is no file"));
    }
    let mut file = File::open(path)?;
    let start = metadata.len().saturating_sub(TAIL_BYTES_MAX);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES_MAX).read_to_end(&mut bytes)?;
    if start > 0 {
        let first = memchr::memchr(b'\n', &bytes).map_or(bytes.len(), |feed| feed + 1);
        bytes.drain(..first);
    }
    let modified = Timestamp::new(metadata.mtime(), metadata.mtime_nsec() as i32);
    Ok((bytes, modified.unwrap_or(Timestamp::UNIX_EPOCH)))
}

/// The journal's own files tell whether the rights are there: `journalctl` shows to each what he may see, and says nothing.
fn journal(name: String, matches: &[String], wanted: &Wanted) -> Looked {
    let seen = match system_journal() {
        Err(error) => refused(&error),
        Ok(None) => Seen::Missing,
        Ok(Some(path)) => match File::open(&path) {
            Err(error) => return Looked::new(name, &path, refused(&error)),
            Ok(_) => match journalctl(matches) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    Seen::Failed("cannot be read: journalctl is not installed".to_owned())
                }
                Err(error) => Seen::Failed(format!("cannot be read: journalctl: {error}")),
                Ok(bytes) if bytes.is_empty() => Seen::Empty,
                Ok(bytes) => {
                    return probe::read(name, None, probe::content_of(&bytes, wanted, Timestamp::now()));
                }
            },
        },
    };
    Looked { name, path: None, seen }
}

fn system_journal() -> io::Result<Option<PathBuf>> {
    for folder in ["/var/log/journal", "/run/log/journal"] {
        let machines = match fs::read_dir(folder) {
            Ok(machines) => machines,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for machine in machines.flatten() {
            let path = machine.path().join("system.journal");
            match fs::metadata(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                _ => return Ok(Some(path)),
            }
        }
    }
    Ok(None)
}

fn journalctl(matches: &[String]) -> io::Result<Vec<u8>> {
    let fixed = ["--quiet", "--no-pager", "--output=short-iso", "--lines", JOURNAL_LINES];
    let output =
        Command::new("journalctl").args(fixed).arg("--").args(matches).env("LC_ALL", "C").output()?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = fairban_core::escape::escaped(&output.stderr[..output.stderr.len().min(200)]).to_string();
    Err(io::Error::other(said))
}

fn pipe(path: &Path) -> Seen {
    match fs::metadata(path) {
        Err(error) => refused(&error),
        Ok(metadata) if !metadata.file_type().is_fifo() => {
            Seen::Failed("is no named pipe: make one with mkfifo".to_owned())
        }
        // It is not opened: a writer that waits for a reader would believe that one has come.
        Ok(_) => match rustix::fs::access(path, Access::READ_OK) {
            Ok(()) => Seen::Ready("may be read".to_owned()),
            Err(error) => refused(&error.into()),
        },
    }
}

fn unix_socket(path: &Path) -> Seen {
    let folder = path.parent().unwrap_or(Path::new("/"));
    match rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Seen::Ready("its folder may be written to".to_owned()),
        Err(error) => refused(&error.into()),
    }
}

fn bound<T>(tried: io::Result<T>) -> Seen {
    match tried {
        Ok(_) => Seen::Ready("may be listened at".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            Seen::Ready("somebody listens there already: the running service, or another program".to_owned())
        }
        Err(error) => refused(&error),
    }
}

fn refused(error: &io::Error) -> Seen {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Seen::Closed,
        io::ErrorKind::NotFound => Seen::Missing,
        _ => Seen::Failed(error.to_string()),
    }
}
