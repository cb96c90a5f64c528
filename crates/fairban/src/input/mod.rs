//! From the command line to streams of bytes: which files there are, in which order they are merged, and what is wrong
//! with those that cannot be read.

pub(crate) mod blocks;
mod discover;
mod family;
mod format;
pub(crate) mod live;
mod rights;

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

pub(crate) use self::discover::discover;
pub(crate) use self::family::{Family, by_age};
pub(crate) use self::format::Format;
use crate::error::{self, Failure, Kind, shown};

/// A log to be read.
#[derive(Debug)]
pub(crate) struct Input {
    /// `None` for standard input.
    path: Option<PathBuf>,
    /// As given, escaped: the `file` of JSON.
    pub(crate) name: String,
    /// A regular file: may be looked into before it is its turn, and opened again.
    pub(crate) rereadable: bool,
    /// On disk; 0 where nobody knows.
    pub(crate) size_bytes: u64,
    /// When it was last written: the year of stamps that have none is guessed from it.
    pub(crate) modified: Timestamp,
    /// The rotated set it belongs to.
    pub(crate) family: Family,
}

/// What became of the files named (or found).
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// In the order given.
    pub(crate) inputs: Vec<Input>,
    /// Files and folders that could not be read; each has been warned of.
    pub(crate) refused: usize,
    /// Files with nothing in them; each has been warned of.
    pub(crate) empty: usize,
    seen: BTreeSet<(u64, u64)>,
    stdin_taken: bool,
    /// Nobody named these files: a double or a log without logins among them is nobody's mistake.
    pub(crate) found: bool,
}

impl Gathered {
    /// Looks at each path and warns of what cannot be read.
    ///
    /// # Errors
    /// If nothing can be: the environment's fault.
    pub(crate) fn from_paths(paths: &[PathBuf]) -> Result<Gathered, Failure> {
        let mut gathered = Gathered::default();
        for path in paths {
            gathered.add(path);
        }
        gathered.or_nothing_to_read()
    }

    fn or_nothing_to_read(self) -> Result<Gathered, Failure> {
        if self.inputs.is_empty() && self.empty == 0 {
            let failure = Failure::new(Kind::Environment, "none of the logs could be read");
            return Err(failure.hint("fairban replay --help shows how logs are given"));
        }
        Ok(self)
    }

    fn add(&mut self, path: &Path) {
        if path.as_os_str() == "-" {
            return self.add_stdin();
        }
        match fs::metadata(path) {
            Err(error) => self.refuse(path, &error),
            Ok(metadata) if metadata.is_dir() => self.add_folder(path),
            Ok(metadata) => self.add_file(path, &metadata),
        }
    }

    fn add_stdin(&mut self) {
        if self.stdin_taken {
            return error::warn("standard input was given twice and is read once", None);
        }
        self.stdin_taken = true;
        self.inputs.push(Input {
            path: None,
            name: "-".to_owned(),
            rereadable: false,
            size_bytes: 0,
            modified: Timestamp::now(),
            family: Family::of(Path::new("-")),
        });
    }

    fn add_folder(&mut self, folder: &Path) {
        match discover::multilog_files(folder) {
            Err(error) => self.refuse(folder, &error),
            Ok(files) if files.is_empty() => {
                self.refused += 1;
                let message =
                    format!("{}: is a folder, and none that multilog writes; it was not read", shown(folder));
                let hint = format!("name the logs in it, for example {}/*.log", shown(folder));
                error::warn(&message, Some(&hint));
            }
            Ok(files) => files.iter().for_each(|file| self.add(file)),
        }
    }

    fn add_file(&mut self, path: &Path, metadata: &Metadata) {
        let name = shown(path);
        if metadata.is_file() && !self.seen.insert((metadata.dev(), metadata.ino())) {
            if !self.found {
                error::warn(&format!("{name}: was given twice and is read once"), None);
            }
            return;
        }
        if metadata.is_file() {
            match first_look(path) {
                Err(error) => return self.refuse(path, &error),
                Ok(None) => {
                    self.empty += 1;
                    return error::warn(&format!("{name}: is empty"), None);
                }
                Ok(Some(Format::Foreign { what, remedy })) => {
                    self.refused += 1;
                    let hint = remedy.replace("FILE", &name);
                    return error::warn(&format!("{name}: is {what}; it was not read"), Some(&hint));
                }
                Ok(Some(_)) => {}
            }
        }
        self.inputs.push(Input {
            path: Some(path.to_owned()),
            name,
            rereadable: metadata.is_file(),
            size_bytes: if metadata.is_file() { metadata.len() } else { 0 },
            modified: metadata
                .modified()
                .ok()
                .and_then(|at| at.try_into().ok())
                .unwrap_or_else(Timestamp::now),
            family: Family::of(path),
        });
    }

    fn refuse(&mut self, path: &Path, error: &io::Error) {
        self.refused += 1;
        let (why, hint) = rights::explain(path, error);
        error::warn(&format!("{}: {why}; it was not read", shown(path)), hint.as_deref());
    }
}

/// The format of a file, `None` if it is empty.
fn first_look(path: &Path) -> io::Result<Option<Format>> {
    let mut head = Vec::with_capacity(format::HEAD_BYTES);
    File::open(path)?.take(format::HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok((!head.is_empty()).then(|| Format::of(&head)))
}

impl Input {
    /// Opens the log; bytes taken from the disk are counted in `read_bytes`.
    pub(crate) fn open(&self, read_bytes: &Arc<AtomicU64>) -> io::Result<(Format, Box<dyn Read + Send>)> {
        let raw: Box<dyn Read + Send> = match &self.path {
            Some(path) => Box::new(File::open(path)?),
            None => Box::new(io::stdin()),
        };
        let (format, whole) =
            format::recognise(Box::new(Counted { inner: raw, bytes: Arc::clone(read_bytes) }))?;
        if let Format::Foreign { what, .. } = format {
            return Err(io::Error::other(format!("is {what}")));
        }
        Ok((format, format.decode(whole)?))
    }
}

/// What is in a file, unpacked if it is packed.
///
/// # Errors
/// It cannot be read, or is no log.
pub(crate) fn unpack(file: File) -> io::Result<Box<dyn Read + Send>> {
    let (format, whole) = format::recognise(Box::new(file))?;
    match format {
        Format::Foreign { what, .. } => Err(io::Error::other(format!("is {what}"))),
        format => format.decode(whole),
    }
}

/// Counts the bytes that go through, for the progress bar.
struct Counted<R> {
    inner: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
