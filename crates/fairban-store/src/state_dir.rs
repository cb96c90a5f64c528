//! The state directory, and the lock that keeps a second daemon out of it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::shown;

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process uses it: the operator started fairban twice.
    #[error(
        "{} is in use by process {}; stop that fairban first, or give this one a state directory of its own",
        shown(.dir),
        .pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string())
    )]
    Held {
        /// The directory.
        dir: PathBuf,
        /// Who holds it, as it said itself.
        pid: Option<u32>,
    },
    /// Others may write in it, and so decide what fairban remembers: the operator's setting.
    #[error("others than its owner may write in {} (mode {mode:04o}); run: chmod 0700 {}", shown(.dir), shown(.dir))]
    Open {
        /// The directory.
        dir: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It cannot be made or entered: what surrounds fairban.
    #[error(
        "cannot {doing} {}: {source}; the directory must exist or be creatable, and belong to the user fairban runs as",
        shown(.path)
    )]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// The directory, locked until this is dropped or the process ends.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: Lock,
}

impl StateDir {
    /// Makes the directory if it is missing (mode 0700) and takes its lock.
    pub fn open(path: &Path) -> Result<StateDir, Error> {
        let failed = |doing, source| Error::Io { doing, path: path.to_owned(), source };
        let outcome = DirBuilder::new().recursive(true).mode(0o700).create(path);
        outcome.map_err(|source| failed("make the state directory", source))?;
        let metadata = path.metadata().map_err(|source| failed("look at the state directory", source))?;
        let mode = metadata.mode() & 0o7777;
        if mode & 0o022 != 0 {
            return Err(Error::Open { dir: path.to_owned(), mode });
        }
        Ok(StateDir { path: path.to_owned(), _lock: Lock::take(path)? })
    }

    /// Takes the lock of a directory that is there, without writing in it. For whoever only looks: nobody writes meanwhile.
    /// Where the lock itself is missing, no daemon ever ran there.
    pub fn look(path: &Path) -> Result<StateDir, Error> {
        let lock = path.join("lock");
        let failed = |doing, source| Error::Io { doing, path: lock.clone(), source };
        let mut file = File::open(&lock).map_err(|source| failed("open the lock", source))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(StateDir { path: path.to_owned(), _lock: Lock { _file: file } }),
            Err(Errno::WOULDBLOCK) => Err(Error::Held { dir: path.to_owned(), pid: pid_in(&mut file) }),
            Err(errno) => Err(failed("lock", errno.into())),
        }
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the journal lives.
    pub fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    /// Where the snapshots live.
    pub fn snapshots(&self) -> PathBuf {
        self.path.join("snapshots")
    }

    /// The database's file.
    pub fn database(&self) -> PathBuf {
        self.path.join("fairban.db")
    }
}

/// A directory's lock: `flock` on a file named `lock` in it, which holds the process id of the owner.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock at once or says who has it. On a read-only disk the lock is taken all the same, without a name in it.
    pub(crate) fn take(dir: &Path) -> Result<Lock, Error> {
        let path = dir.join("lock");
        let failed = |doing, source| Error::Io { doing, path: path.clone(), source };
        let writable =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut file = match writable {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                // The directory can be locked where no file can be made in it.
                let file = File::open(&path).or_else(|_| File::open(dir));
                file.map_err(|source| failed("open the lock", source))?
            }
            Err(source) => return Err(failed("open the lock", source)),
        };
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(Error::Held { dir: dir.to_owned(), pid: pid_in(&mut file) });
            }
            Err(errno) => return Err(failed("lock", errno.into())),
        }
        // A full disk has no room for the number, and the lock holds without it.
        let _ = write_pid(&mut file);
        Ok(Lock { _file: file })
    }
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn pid_in(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_second_daemon_is_told_who_holds_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fairban");
        let first = StateDir::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o700);
        let error = StateDir::open(&path).unwrap_err();
        assert!(matches!(error, Error::Held { pid: Some(pid), .. } if pid == std::process::id()), "{error}");
        assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
        drop(first);
        StateDir::open(&path).unwrap();
    }

    #[test]
    fn who_only_looks_keeps_a_daemon_out_and_writes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(StateDir::look(dir.path()), Err(Error::Io { .. })), "no daemon was ever there");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let path = dir.path().join("fairban");
        let daemon = StateDir::open(&path).unwrap();
        assert!(matches!(StateDir::look(&path), Err(Error::Held { .. })));
        drop(daemon);
        fs::write(path.join("lock"), "7\n").unwrap();
        let looking = StateDir::look(&path).unwrap();
        assert!(matches!(StateDir::open(&path), Err(Error::Held { .. })));
        drop(looking);
        assert_eq!(fs::read(path.join("lock")).unwrap(), b"7\n");
    }

    #[test]
    fn a_directory_in_which_others_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
        let error = StateDir::open(dir.path()).unwrap_err();
        assert!(error.to_string().contains("chmod 0700"), "{error}");
    }
}
