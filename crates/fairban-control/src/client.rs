//! The client: connects, asks, tails, and says what to do when that does not work.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fairban_core::escape::escaped;
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::RESPONSE_BYTES_MAX;
use crate::group::named;
use crate::request::Request;
use crate::response::{BadResponse, Refusal, Response, TailEvent, TailKind};
use crate::server::read_door;

/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// A connection to the service.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    stream: BufReader<UnixStream>,
}

/// Why there is no answer. [`ClientError::hint`] says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no fairban listens at {}", shown(.path))]
    NotRunning {
        /// The socket.
        path: PathBuf,
    },
    /// The socket may not be opened.
    #[error("{}: you may not talk to fairban there", shown(.path))]
    Denied {
        /// The socket.
        path: PathBuf,
        /// The group that may.
        group: Option<String>,
    },
    /// It listens, and does not answer.
    #[error("{}: fairban did not answer within {} s", shown(.path), ANSWER_LIMIT.as_secs())]
    Silent {
        /// The socket.
        path: PathBuf,
    },
    /// The connection ended before the answer.
    #[error("{}: fairban closed the connection without an answer", shown(.path))]
    Closed {
        /// The socket.
        path: PathBuf,
    },
    /// It answered in words that are not ours.
    #[error("{}: {bad}", shown(.path))]
    Bad {
        /// The socket.
        path: PathBuf,
        /// What is wrong.
        bad: BadResponse,
    },
    /// It answered that it was not done.
    #[error("{}", .0.message)]
    Refused(Refusal),
    /// Anything else.
    #[error("{}: cannot talk to fairban there", shown(.path))]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

fn shown(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    escaped(path.as_os_str().as_bytes()).to_string()
}

impl ClientError {
    /// What to do, where anything can be done.
    pub fn hint(&self) -> Option<String> {
        match self {
            ClientError::NotRunning { .. } => {
                Some("is `fairban run` running? Start it, or name its socket with --socket".to_owned())
            }
            ClientError::Denied { group: Some(group), .. } => {
                Some(format!("use sudo, or become a member of the group {group}, who may"))
            }
            ClientError::Denied { group: None, .. } => {
                Some("use sudo, or let root set control.group to a group of yours".to_owned())
            }
            ClientError::Silent { .. } => Some(
                "it is overloaded or stuck: look into its own log, and restart it if it stays so".to_owned(),
            ),
            ClientError::Closed { .. } => Some("did it stop? Try again".to_owned()),
            ClientError::Bad { bad: BadResponse::Version { .. }, .. } => {
                Some("use the `fairban` of the same version; after an upgrade restart the service".to_owned())
            }
            ClientError::Bad { .. } => Some("does something else listen at that path?".to_owned()),
            ClientError::Refused(refusal) => refusal.hint.as_ref().map(ToString::to_string),
            ClientError::Io { .. } => None,
        }
    }

    /// Whether no service runs, so that its database may be read instead.
    pub const fn is_not_running(&self) -> bool {
        matches!(self, ClientError::NotRunning { .. })
    }
}

impl Client {
    /// Connects. Who may not open the socket itself comes through the door beside it, where the status can be asked for.
    pub fn connect(path: &Path) -> Result<Client, ClientError> {
        let stream = match open(path) {
            Err(Errno::ACCESS | Errno::PERM) => open(&read_door(path)).map_err(|error| match error {
                Errno::NOENT | Errno::CONNREFUSED | Errno::ACCESS | Errno::PERM => denied(path),
                error => failed(path, error.into()),
            })?,
            Err(error) => return Err(failed(path, error.into())),
            Ok(stream) => stream,
        };
        Ok(Client { path: path.to_owned(), stream: BufReader::new(stream) })
    }

    /// Asks, and waits for the answer. An answer that it was not done is [`ClientError::Refused`].
    pub fn ask(&mut self, request: &Request) -> Result<Response, ClientError> {
        match self.stream.get_ref().write_all(&request.to_line()) {
            // It may have closed the connection and said why.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(failed(&self.path, error)),
            _ => {}
        }
        self.read()
    }

    /// Asks to be told decisions as they are made, for ever.
    pub fn tail(mut self, only: Vec<TailKind>) -> Result<Tailed, ClientError> {
        match self.ask(&Request::Tail { only })? {
            Response::Tailing => {}
            other => return Err(self.unexpected(&other)),
        }
        let endless = self.stream.get_ref().set_read_timeout(None);
        endless.map_err(|error| failed(&self.path, error))?;
        Ok(Tailed { client: self, is_over: false })
    }

    /// The error for an answer to another question.
    pub fn unexpected(&self, response: &Response) -> ClientError {
        let line = response.to_line();
        let begin = &line[..line.len().min(60)];
        let bad = BadResponse::Unreadable(crate::Shown::of(format!(
            "an answer to another question: {}",
            String::from_utf8_lossy(begin).trim_end()
        )));
        ClientError::Bad { path: self.path.clone(), bad }
    }

    fn read(&mut self) -> Result<Response, ClientError> {
        let mut line = Vec::new();
        let most = RESPONSE_BYTES_MAX as u64;
        match self.stream.by_ref().take(most).read_until(b'\n', &mut line) {
            Ok(_) if line.ends_with(b"\n") => {}
            Ok(_) if line.len() < RESPONSE_BYTES_MAX => {
                return Err(ClientError::Closed { path: self.path.clone() });
            }
            Ok(_) => {
                let bad = BadResponse::Unreadable(crate::Shown::of("a line without an end"));
                return Err(ClientError::Bad { path: self.path.clone(), bad });
            }
            Err(error) => return Err(failed(&self.path, error)),
        }
        match Response::parse(&line) {
            Ok(Response::Error(refusal)) => Err(ClientError::Refused(refusal)),
            Ok(response) => Ok(response),
            Err(bad) => Err(ClientError::Bad { path: self.path.clone(), bad }),
        }
    }
}

/// Opens a connection; neither that nor an answer may take longer than the limit.
fn open(path: &Path) -> Result<UnixStream, Errno> {
    let address = SocketAddrUnix::new(path)?;
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // The time to send is also that to connect, where the queue of the listener is full.
    for what in [Timeout::Send, Timeout::Recv] {
        set_socket_timeout(&socket, what, Some(ANSWER_LIMIT))?;
    }
    rustix::net::connect(&socket, &address)?;
    Ok(UnixStream::from(socket))
}

fn denied(path: &Path) -> ClientError {
    let group = std::fs::metadata(path).ok().filter(|found| found.mode() & 0o020 != 0);
    ClientError::Denied { path: path.to_owned(), group: group.map(|found| named(found.gid())) }
}

fn failed(path: &Path, source: io::Error) -> ClientError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NotRunning { path },
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ClientError::Silent { path },
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => ClientError::Closed { path },
        _ => ClientError::Io { path, source },
    }
}

/// What a client who tails is told.
#[derive(Clone, Debug, PartialEq)]
pub enum TailAnswer {
    /// A decision.
    Event(TailEvent),
    /// So many decisions were not told, for they were read too slowly.
    Missed(u64),
}

/// Decisions as they are made. Waits for the next; ends with an error when the service does.
#[derive(Debug)]
pub struct Tailed {
    client: Client,
    is_over: bool,
}

impl Iterator for Tailed {
    type Item = Result<TailAnswer, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let told = match self.client.read() {
            Ok(Response::Event(event)) => Ok(TailAnswer::Event(event)),
            Ok(Response::Missed { events }) => Ok(TailAnswer::Missed(events)),
            Ok(other) => Err(self.client.unexpected(&other)),
            Err(error) => Err(error),
        };
        self.is_over = told.is_err();
        Some(told)
    }
}
