//! Looking at every input as the user that the service runs as: in a child process that gives up being root before it
//! opens anything. The child also reads the ends of the logs, so no byte that an attacker wrote is parsed by root.

use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fairban_core::escape::escaped;
use rustix::process::{Gid, Uid};
use serde::{Deserialize, Serialize};

use super::content::{self, Content};
use super::look::{self, Looked};
use crate::accounts::User;
use crate::config::{InputSource, Listen};
use crate::error::{Failure, Kind};
use crate::input::live::Planned;

/// Most files that a pattern's matches are looked at.
pub(super) const MATCHES_MAX: usize = 64;

/// Longest answer of a child that is read.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// What a child is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    /// Whom to become; `None` to stay.
    pub(super) user: Option<Ids>,
    pub(super) inputs: Vec<Wanted>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ids {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) groups: Vec<u32>,
}

/// One input to be looked at.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Wanted {
    pub(super) place: Place,
    /// One bit each.
    pub(super) services: u32,
    /// Name of the zone, none for the system's.
    pub(super) zone: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Place {
    File(PathBuf),
    Multilog(PathBuf),
    Journal(Vec<String>),
    Unix(PathBuf),
    Udp(std::net::SocketAddr),
    Tcp(std::net::SocketAddr),
    Pipe(PathBuf),
}

impl Wanted {
    pub(super) fn of(planned: &Planned) -> Wanted {
        let place = match planned.source.clone() {
            InputSource::File(path) => Place::File(path),
            InputSource::Multilog(path) => Place::Multilog(path),
            InputSource::Journal(matches) => Place::Journal(matches),
            InputSource::Pipe(path) => Place::Pipe(path),
            InputSource::Syslog(Listen::Unix(path)) => Place::Unix(path),
            InputSource::Syslog(Listen::Udp(address)) => Place::Udp(address),
            InputSource::Syslog(Listen::Tcp(address)) => Place::Tcp(address),
        };
        Wanted { place, services: planned.services, zone: planned.zone.name.clone() }
    }
}

impl Place {
    /// As people may read it.
    pub(super) fn name(&self) -> String {
        match self {
            Place::File(path) => path_name(path),
            Place::Multilog(path) => format!("multilog {}", path_name(path)),
            Place::Journal(matches) if matches.is_empty() => "journal".to_owned(),
            Place::Journal(matches) => format!("journal ({})", of_matches(matches.len())),
            Place::Unix(path) => format!("syslog unix:{}", path_name(path)),
            Place::Udp(address) => format!("syslog udp:{address}"),
            Place::Tcp(address) => format!("syslog tcp:{address}"),
            Place::Pipe(path) => format!("pipe {}", path_name(path)),
        }
    }
}

fn of_matches(count: usize) -> String {
    if count == 1 { "1 match".to_owned() } else { format!("{count} matches") }
}

pub(super) fn path_name(path: &Path) -> String {
    escaped(path.as_os_str().as_bytes()).to_string()
}

/// What was seen of each input, in their order.
pub(super) type Answer = Vec<Vec<Looked>>;

/// Asks a child that becomes `user`; `None` to ask it as whoever we are.
///
/// # Errors
/// If no child can be started, or it cannot become that user: the environment's fault.
pub(super) fn ask(user: Option<(&User, u32)>, planned: &[Planned]) -> Result<Answer, Failure> {
    let user = user.map(|(user, gid)| Ids { uid: user.uid, gid, groups: user.gids() });
    let request = Request { user, inputs: planned.iter().map(Wanted::of).collect() };
    let failed = |cause: &dyn std::error::Error| {
        Failure::new(Kind::Environment, "the inputs could not be tried in a process of their own")
            .caused_by(cause)
    };
    let program = std::env::current_exe().map_err(|error| failed(&error))?;
    let mut command = Command::new(program);
    command.arg("try-inputs").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| failed(&error))?;
    let body = serde_json::to_vec(&request).map_err(|error| failed(&error))?;
    // The child reads all of it before it answers; both pipes close when they are dropped.
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(&body));
    let mut answer = Vec::new();
    let read = child.stdout.take().map_or(Ok(0), |out| out.take(ANSWER_BYTES_MAX).read_to_end(&mut answer));
    let status = child.wait().map_err(|error| failed(&error))?;
    if !status.success() {
        let message = "the process that tries the inputs failed; what it said stands above";
        return Err(Failure::new(Kind::Environment, message));
    }
    written.and(read).map_err(|error| failed(&error))?;
    let answer: Answer = serde_json::from_slice(&answer).map_err(|error| failed(&error))?;
    if answer.len() == planned.len() {
        Ok(answer)
    } else {
        Err(Failure::new(Kind::Internal, "the process that tries the inputs left some out"))
    }
}

/// The child: reads a [`Request`] from standard input and writes an [`Answer`] to standard output.
pub(crate) fn answer() -> crate::Done {
    let wrong = |what: &str, cause: &dyn std::error::Error| {
        Failure::new(Kind::Environment, what.to_owned()).caused_by(cause)
    };
    let mut body = Vec::new();
    io::stdin().read_to_end(&mut body).map_err(|error| wrong("cannot read the request", &error))?;
    let request: Request =
        serde_json::from_slice(&body).map_err(|error| wrong("this is no request", &error))?;
    if let Some(ids) = &request.user {
        become_user(ids).map_err(|error| wrong("cannot become the user that the service runs as", &error))?;
    }
    let answer: Answer = request.inputs.iter().map(look::at).collect();
    let body = serde_json::to_vec(&answer).map_err(|error| wrong("cannot write the answer", &error))?;
    let mut out = io::stdout().lock();
    out.write_all(&body).and_then(|()| out.flush()).map_err(|error| Failure::output(&error))
}

/// For good: the kernel takes all capabilities with the user id. There is one thread yet, so it is the whole process.
fn become_user(ids: &Ids) -> io::Result<()> {
    let groups: Vec<Gid> = ids.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    rustix::thread::set_thread_groups(&groups)?;
    rustix::thread::set_thread_gid(Gid::from_raw(ids.gid))?;
    rustix::thread::set_thread_uid(Uid::from_raw(ids.uid))?;
    if ids.uid != 0 && rustix::thread::set_thread_uid(Uid::ROOT).is_ok() {
        return Err(io::Error::other("root could be had back"));
    }
    Ok(())
}

/// What was found in an input of this name.
pub(super) fn read(name: String, path: Option<PathBuf>, content: Content) -> Looked {
    Looked { name, path, seen: look::Seen::Read(Box::new(content)) }
}

/// The content of lines from a program.
pub(super) fn content_of(bytes: &[u8], wanted: &Wanted, modified: jiff::Timestamp) -> Content {
    content::read(bytes, wanted.services, wanted.zone.as_deref(), modified)
}
