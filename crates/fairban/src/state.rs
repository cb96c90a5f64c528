//! The file of `--state`: all that is needed to go on reading later.
//!
//! ```text
//! "fairban\0state\n" | version: u32 | length: u64 | checksum: u64 | body (postcard)
//! ```
//!
//! Numbers are little-endian. A new file is written beside the old one and takes its place in one step, so the old one
//! is never damaged. It may hold a beginning of a log line, so only its owner may read it.

use std::fs::{self, File, OpenOptions};
use std::hash::Hasher as _;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use fairban_parse::health::Health;
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use crate::error::{Failure, Kind, shown};
use crate::input::Family;
use crate::pipeline::{Doubles, StreamState};
use crate::tally::Tally;

const MAGIC: &[u8; 14] = b"fairban\0state\n";

/// Rises whenever a file of the old form could be misread.
const VERSION: u32 = 2;

const HEADER_BYTES: usize = MAGIC.len() + 4 + 8 + 8;

/// What is kept.
#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    /// Services that are judged, one bit each.
    pub(crate) services: u32,
    /// [`fairban_core::engine::Engine::snapshot`].
    pub(crate) engine: Vec<u8>,
    pub(crate) tally: Tally,
    pub(crate) health: Health,
    /// Effects up to this number have been told.
    pub(crate) told: u64,
    pub(crate) logs: Vec<(Family, StreamState)>,
    /// Lines of late that another log may still tell.
    pub(crate) doubles: Doubles,
}

/// The state in a file; `None` if there is no such file yet.
///
/// # Errors
/// Of the kind Config if the file is no state of this version, or damaged; Environment if it cannot be read.
pub(crate) fn load(path: &Path) -> Result<Option<State>, Failure> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let message = format!("cannot read the state file {}", shown(path));
            let hint = "name a file that this user may read and write, or a new one";
            return Err(Failure::new(Kind::Environment, message).caused_by(&error).hint(hint));
        }
    };
    let wrong = |why: &str| {
        let hint = "it was left as it is; remove it (or name another) and read the logs from the beginning";
        Failure::new(Kind::Config, format!("the state file {} {why}", shown(path))).hint(hint)
    };
    let (head, body) = bytes.split_at(bytes.len().min(HEADER_BYTES));
    let numbers = match head.strip_prefix(MAGIC) {
        Some(numbers) => numbers,
        None if MAGIC.starts_with(head) => return Err(wrong("is cut short")),
        None => return Err(wrong("is not one that fairban wrote")),
    };
    let Some((version, numbers)) = numbers.split_first_chunk::<4>() else {
        return Err(wrong("is cut short"));
    };
    let version = u32::from_le_bytes(*version);
    if version != VERSION {
        return Err(wrong(&format!("has format version {version}; this fairban reads version {VERSION}")));
    }
    let Some((length, checksum)) = numbers.split_first_chunk::<8>() else {
        return Err(wrong("is cut short"));
    };
    if u64::from_le_bytes(*length) != body.len() as u64 {
        return Err(wrong(if u64::from_le_bytes(*length) > body.len() as u64 {
            "is cut short"
        } else {
            "is damaged"
        }));
    }
    if checksum != sum(body).to_le_bytes() {
        return Err(wrong("is damaged (its checksum does not fit)"));
    }
    postcard::from_bytes(body).map(Some).map_err(|error| wrong("cannot be understood").caused_by(&error))
}

/// A place for a state that is known to be writable before hours of work go into it.
pub(crate) struct Place {
    path: PathBuf,
    /// Beside the file itself, on the same disk.
    temporary: PathBuf,
    file: Option<File>,
}

impl Place {
    /// # Errors
    /// Environment: the folder does not exist or may not be written.
    pub(crate) fn reserve(path: &Path) -> Result<Place, Failure> {
        // A link is followed, so that it stays a link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{}", std::process::id()));
        let temporary = path.with_file_name(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary);
        let file = file.map_err(|error| {
            let message = format!("cannot write the state file {}", shown(&path));
            let hint = "the folder must exist, and this user must be able to write in it";
            Failure::new(Kind::Environment, message).caused_by(&error).hint(hint)
        })?;
        Ok(Place { path, temporary, file: Some(file) })
    }

    /// Puts a state in the file's place.
    ///
    /// # Errors
    /// Environment: the disk is full or broken. What was in the file before is still there.
    pub(crate) fn store(mut self, state: &State) -> Result<(), Failure> {
        let message = format!("cannot write the state file {}", shown(&self.path));
        let failed = |error: &dyn std::error::Error| {
            let message = message.clone();
            Failure::new(Kind::Environment, message)
                .caused_by(error)
                .hint("what was in it before is unchanged")
        };
        let body = postcard::to_allocvec(state).map_err(|error| failed(&error))?;
        let mut head = MAGIC.to_vec();
        head.extend_from_slice(&VERSION.to_le_bytes());
        head.extend_from_slice(&(body.len() as u64).to_le_bytes());
        head.extend_from_slice(&sum(&body).to_le_bytes());
        let (temporary, path) = (&self.temporary, &self.path);
        let write = |file: &mut File| {
            file.write_all(&head)?;
            file.write_all(&body)?;
            file.sync_all()?;
            fs::rename(temporary, path)
        };
        self.file.as_mut().map_or(Ok(()), write).map_err(|error| failed(&error))?;
        self.file = None;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.file.is_some() {
            // An empty file that stays behind harms nobody.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

fn sum(body: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(body);
    hasher.finish()
}
