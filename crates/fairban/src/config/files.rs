//! Which files there are, in which order they count, and the files that `allow` names.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipnet::IpNet;

use super::read::{AllowFile, Reader};
use super::report::{Problem, Report, Source};
use super::values::{self, Allow};
use super::{Allowed, Loaded};
use crate::error::shown;

/// Longest file that is read. Nobody writes so much configuration.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Most drop-ins.
const DROP_INS_MAX: usize = 1_000;

/// Most prefixes of all of `allow`, after those within others are left out: each attempt is compared with them.
const ALLOWED_PREFIXES_MAX: usize = 4_096;

/// Most DNS names of all of `allow`: each is looked up again and again.
const ALLOWED_NAMES_MAX: usize = fairban_helper::config::Resolve::NAMES_MAX;

/// Where the configuration stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paths {
    pub(crate) main: PathBuf,
    /// It was named by the operator: that it is missing is an error.
    pub(crate) named: bool,
    pub(crate) drop_ins: PathBuf,
}

impl Paths {
    /// The usual place, or a main file that the operator named, with the folder of its drop-ins beside it: those of
    /// `/etc/fairban/fairban.toml` are `/etc/fairban/fairban.d/*.toml`.
    pub(crate) fn new(named: Option<&Path>) -> Paths {
        let main = named.unwrap_or(Path::new("/etc/fairban/fairban.toml"));
        Paths { main: main.to_owned(), named: named.is_some(), drop_ins: main.with_extension("d") }
    }
}

/// See [`super::Config::load`].
pub(super) fn load(paths: &Paths) -> Result<Loaded, Report> {
    let mut reader = Reader::default();
    let mut files = Vec::new();
    match read_text(&paths.main) {
        Ok(text) => {
            files.push(paths.main.clone());
            reader.file(&Arc::new(Source::new(&paths.main, text, false)));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && !paths.named => {}
        Err(error) => reader.problems.push(unreadable(&paths.main, &error)),
    }
    match drop_ins(&paths.drop_ins) {
        Ok(found) => {
            for path in found {
                match read_text(&path) {
                    Ok(text) => {
                        reader.file(&Arc::new(Source::new(&path, text, true)));
                        files.push(path);
                    }
                    Err(error) => reader.problems.push(unreadable(&path, &error)),
                }
            }
        }
        Err(error) => reader.problems.push(unreadable(&paths.drop_ins, &error)),
    }
    reader.conclude();
    let allow_files = std::mem::take(&mut reader.allow_files);
    read_allow_files(&mut reader, &allow_files, &mut files);
    if reader.problems.is_empty() {
        Ok(Loaded { config: reader.config, files })
    } else {
        Err(Report { problems: reader.problems })
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let problem = Problem::whole(format!("cannot read {}: {error}", shown(path)));
    match error.kind() {
        io::ErrorKind::PermissionDenied => problem.help(Some("run as root".to_owned())),
        _ => problem,
    }
}

/// The text of a file, of [`FILE_BYTES_MAX`] bytes at most.
fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("it is longer than {} MB", FILE_BYTES_MAX >> 20)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        io::Error::other(format!("line {line} is not UTF-8"))
    })
}

/// `*.toml` in the order of their names; none if the folder does not exist.
fn drop_ins(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|extension| extension == "toml") {
            found.push(path);
        }
    }
    if found.len() > DROP_INS_MAX {
        return Err(io::Error::other(format!("there are more than {DROP_INS_MAX} drop-ins")));
    }
    found.sort();
    Ok(found)
}

/// Adds what stands in the files of `allow` to what stands in `allow` itself.
fn read_allow_files(reader: &mut Reader, allow_files: &[AllowFile], files: &mut Vec<PathBuf>) {
    let mut allowed = Allowed::default();
    for element in &reader.config.allow {
        allowed.add(&element.value);
    }
    for AllowFile { source, span, path } in allow_files {
        match read_text(path) {
            Err(error) => {
                let message = format!("{} cannot be read: {error}", shown(path));
                let label = "named here".to_owned();
                reader.problems.push(Problem::at(source, span.clone(), message, label));
            }
            Ok(text) => {
                files.push(path.clone());
                let source = Arc::new(Source::new(path, text, false));
                for (span, element) in elements(&source.text) {
                    match element {
                        Ok(element) => allowed.add(&element),
                        Err(wrong) => {
                            let message = "not an element of allow".to_owned();
                            let problem = Problem::at(&source, span, message, wrong.why);
                            reader.problems.push(problem.help(wrong.help));
                        }
                    }
                }
            }
        }
    }
    allowed.prefixes = IpNet::aggregate(&allowed.prefixes);
    allowed.names.sort_unstable();
    allowed.names.dedup();
    if allowed.prefixes.len() > ALLOWED_PREFIXES_MAX || allowed.names.len() > ALLOWED_NAMES_MAX {
        let message = format!(
            "allow holds {} prefixes and {} names; at most {ALLOWED_PREFIXES_MAX} and {ALLOWED_NAMES_MAX} are taken",
            allowed.prefixes.len(),
            allowed.names.len()
        );
        reader.problems.push(Problem::whole(message).help(Some("allow wider prefixes".to_owned())));
    }
    reader.config.allowed = allowed;
}

impl Allowed {
    fn add(&mut self, element: &Allow) {
        match element {
            Allow::Prefix(net) => self.prefixes.push(*net),
            Allow::Name(name) => self.names.push(name.clone()),
            Allow::File(_) => {}
        }
    }
}

/// The elements of a file of `allow`, one a line, with their places.
fn elements(text: &str) -> impl Iterator<Item = (Range<usize>, Result<Allow, values::Wrong>)> {
    text.split_inclusive('\n')
        .scan(0, |at, line| {
            let from = *at;
            *at += line.len();
            Some((from, line))
        })
        .filter_map(|(from, line)| {
            let element = line.split('#').next().unwrap_or_default();
            let from = from + (element.len() - element.trim_start().len());
            let element = element.trim();
            (!element.is_empty()).then(|| {
                let nested =
                    values::Wrong { why: "a file of a file is not read".to_owned(), ..Default::default() };
                let read = if element.starts_with('/') { Err(nested) } else { values::allow(element) };
                (from..from + element.len(), read)
            })
        })
}
