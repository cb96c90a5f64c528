//! The file of prefixes that are never banned: numeric, one a line, `#` begins a remark.
//!
//! Who may write it decides whom we can protect ourselves from. So it must be root's, and nobody else's to write, and it
//! is read once, before the walls close. A line that is not understood ends the start: who wrote it believes himself
//! protected.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use fairban_core::escape::escaped;
use ipnet::IpNet;

/// Where it is.
pub(super) const PATH: &str = "/etc/fairban/never-ban";

/// Most bytes of it.
const BYTES_MAX: u64 = 1 << 20;

/// Most prefixes in it.
const PREFIXES_MAX: usize = 10_000;

/// Why it cannot be believed. Its owner is at fault.
#[derive(Debug, thiserror::Error)]
pub enum NeverBanError {
    /// It is there and cannot be read.
    #[error("cannot read {0}: {1}")]
    Read(PathBuf, #[source] io::Error),
    /// Somebody else could protect himself.
    #[error("{0} must be a regular file of root that nobody else can write: chown root {0}; chmod 644 {0}")]
    Writable(PathBuf),
    /// A line is no prefix.
    #[error(
        "{0}, line {1}: {2:?} is no address or prefix such as 192.0.2.0/24; names are not looked up here"
    )]
    Line(PathBuf, usize, String),
    /// It is too long.
    #[error("{0} is longer than {PREFIXES_MAX} prefixes or a megabyte; merge neighbours into wider prefixes")]
    TooLong(PathBuf),
}

/// Reads it; a file that is not there protects nobody.
pub(super) fn read(path: &Path) -> Result<Vec<IpNet>, NeverBanError> {
    let failed = |error| NeverBanError::Read(path.to_owned(), error);
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file.map_err(failed)?,
    };
    let is_others = |metadata: &fs::Metadata| metadata.uid() != 0 || metadata.mode() & 0o022 != 0;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() || is_others(&metadata) {
        return Err(NeverBanError::Writable(path.to_owned()));
    }
    let mut text = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(NeverBanError::TooLong(path.to_owned()));
    }
    parse(&text).map_err(|problem| match problem {
        Problem::Line(number, line) => NeverBanError::Line(path.to_owned(), number, line),
        Problem::TooMany => NeverBanError::TooLong(path.to_owned()),
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Problem {
    Line(usize, String),
    TooMany,
}

fn parse(text: &[u8]) -> Result<Vec<IpNet>, Problem> {
    let mut prefixes = Vec::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.split(|byte| *byte == b'#').next().unwrap_or_default().trim_ascii();
        if line.is_empty() {
            continue;
        }
        let prefix = std::str::from_utf8(line)
            .ok()
            .and_then(|line| line.parse::<IpNet>().or_else(|_| line.parse::<IpAddr>().map(IpNet::from)).ok());
        let prefix = prefix.ok_or_else(|| Problem::Line(index + 1, escaped(line).to_string()))?;
        if prefixes.len() == PREFIXES_MAX {
            return Err(Problem::TooMany);
        }
        prefixes.push(prefix.trunc());
    }
    Ok(prefixes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn prefixes_and_addresses_are_read_and_names_refused() {
        let text = b"# office\n192.0.2.0/24 # ours\r\n\n 2001:db8::1\n";
        let expected = ["192.0.2.0/24", "2001:db8::1/128"].map(|text| text.parse::<IpNet>().unwrap());
        assert_eq!(parse(text), Ok(expected.to_vec()));
        assert_eq!(parse(b"192.0.2.1\noffice.example\n"), Err(Problem::Line(2, "office.example".to_owned())));
        assert_eq!(parse(b"192.0.2.0/33"), Err(Problem::Line(1, "192.0.2.0/33".to_owned())));
        assert_eq!(parse(b"\xff"), Err(Problem::Line(1, "\\xff".to_owned())));
        assert_eq!(parse("192.0.2.1\n".repeat(PREFIXES_MAX + 1).as_bytes()), Err(Problem::TooMany));
    }

    #[test]
    fn a_file_that_others_can_write_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("never-ban");
        assert_eq!(read(&path).unwrap(), []);
        fs::write(&path, "192.0.2.1\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
        assert!(matches!(read(&path), Err(NeverBanError::Writable(_))));
    }
}
