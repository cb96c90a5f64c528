//! Binding the two sockets: where, for whom, and never over somebody who listens.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use fairban_core::escape::escaped;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::{Door, Patience, Server};
use crate::group::named;

/// Connections that may wait to be accepted, at each socket.
const BACKLOG: i32 = 64;

/// Who may come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The group whose members may do what root may.
    pub group: Option<u32>,
    /// Whether all others may read the status.
    pub readers: bool,
}

/// Why the socket cannot be bound: the configuration or what surrounds us is at fault.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody listens there already.
    #[error("{}: another fairban listens there; stop it, or set control.socket to another path", shown(.path))]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something else stands there, and is left as it is.
    #[error("{}: is not a socket; move it away, or set control.socket to another path", shown(.path))]
    NotASocket {
        /// What stands there.
        path: PathBuf,
    },
    /// The kernel's addresses of sockets are short.
    #[error("{}: too long for a socket; set control.socket to a path of at most {most} bytes", shown(.path))]
    TooLong {
        /// The path.
        path: PathBuf,
        /// Most bytes.
        most: usize,
    },
    /// The socket cannot be given to the group.
    #[error(
        "{}: cannot be given to the group {}; start as root, or make the service's user a member of that group", shown(.path), named(*.group)
    )]
    Group {
        /// The socket.
        path: PathBuf,
        /// Its number.
        group: u32,
        /// Why not.
        source: io::Error,
    },
    /// Anything else.
    #[error("{}: cannot be listened on; its folder must be writable for the service's user", shown(.path))]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

fn shown(path: &Path) -> impl std::fmt::Display {
    use std::os::unix::ffi::OsStrExt as _;
    escaped(path.as_os_str().as_bytes()).to_string()
}

/// The kernel takes 107 bytes and a zero; `.read.new` is put behind the path while it is made.
const PATH_BYTES_MAX: usize = 107 - ".read.new".len();

/// The path of the socket through which everybody may come: beside `path`, with `.read` behind its name.
pub fn read_door(path: &Path) -> PathBuf {
    with_suffix(path, ".read")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

impl Server {
    /// Binds both sockets and listens. A socket's file that nobody listens on any more is replaced; the folder is made if
    /// only it is missing. Each appears at its path with mode and owner set.
    pub fn bind(path: &Path, access: &Access) -> Result<Server, BindError> {
        if path.as_os_str().len() > PATH_BYTES_MAX {
            return Err(BindError::TooLong { path: path.to_owned(), most: PATH_BYTES_MAX });
        }
        if let Some(folder) =
            path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists())
        {
            let made = DirBuilder::new().mode(0o755).create(folder);
            made.map_err(|source| BindError::Io { path: path.to_owned(), source })?;
        }
        let mode = if access.group.is_some() { 0o660 } else { 0o600 };
        let acts = open_door(path.to_owned(), mode, access.group, true)?;
        let reads = match open_door(read_door(path), 0o666, None, false) {
            Ok(mut reads) => {
                reads.group = access.group;
                reads
            }
            Err(error) => {
                acts.remove();
                return Err(error);
            }
        };
        Ok(Server { doors: [acts, reads], patience: Patience::default(), readers: access.readers })
    }
}

impl Door {
    /// Removes the socket's file, if it is still ours.
    pub(super) fn remove(&self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            // Where it cannot be removed the next start finds that nobody listens, and replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

fn open_door(path: PathBuf, mode: u32, group: Option<u32>, acts: bool) -> Result<Door, BindError> {
    make_room(&path)?;
    // Made under another name: at its own it appears with mode and owner, and never refuses anybody.
    let new = with_suffix(&path, ".new");
    let opened = listen(&new, mode, group, &path).and_then(|listener| {
        let identity = identity(&new).and_then(|identity| fs::rename(&new, &path).map(|()| identity));
        match identity {
            Ok(identity) => Ok((listener, identity)),
            Err(source) => Err(BindError::Io { path: path.clone(), source }),
        }
    });
    match opened {
        Ok((listener, identity)) => Ok(Door { listener, path, identity, group, acts }),
        Err(error) => {
            // The next attempt removes it where this cannot.
            let _ = fs::remove_file(&new);
            Err(error)
        }
    }
}

/// Sees to it that nobody listens at `path`, and nothing else stands there.
fn make_room(path: &Path) -> Result<(), BindError> {
    let io = |source| BindError::Io { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(BindError::NotASocket { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    match try_connect(path) {
        // A queue that is full is somebody's too.
        Ok(()) | Err(Errno::AGAIN) => Err(BindError::InUse { path: path.to_owned() }),
        // Left behind: the new one is put in its place.
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(()),
        Err(error) => Err(io(error.into())),
    }
}

/// Connects and hangs up at once; never waits.
fn try_connect(path: &Path) -> rustix::io::Result<()> {
    let socket = stream_socket()?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)
}

fn stream_socket() -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

fn listen(new: &Path, mode: u32, group: Option<u32>, path: &Path) -> Result<UnixListener, BindError> {
    let io = |source: io::Error| BindError::Io { path: path.to_owned(), source };
    match fs::remove_file(new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    let socket = stream_socket().map_err(|error| io(error.into()))?;
    let address = SocketAddrUnix::new(new).map_err(|error| io(error.into()))?;
    rustix::net::bind(&socket, &address).map_err(|error| io(error.into()))?;
    fs::set_permissions(new, Permissions::from_mode(mode)).map_err(io)?;
    if let Some(group) = group {
        chown(new, None, Some(group)).map_err(|source| BindError::Group {
            path: path.to_owned(),
            group,
            source,
        })?;
    }
    // Until here nobody can connect, so nobody came in under another mode.
    rustix::net::listen(&socket, BACKLOG).map_err(|error| io(error.into()))?;
    Ok(UnixListener::from(socket))
}
