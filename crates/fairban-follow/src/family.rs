//! Rotated sets: `maillog`, `maillog.1`, `maillog.2.gz`, `maillog-20260118.xz`, multilog's `@4000….s`: one log in pieces,
//! and in which order they were written.

use std::cmp::{Ordering, Reverse};
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::position::FileId;

/// Most rotated files of one log that are considered, the newest. Whoever keeps more reads the older ones by replay.
const MEMBERS_MAX: usize = 4_096;

/// How often a folder is listed until two listings agree. A rotation renames all files of a set, and a listing taken
/// meanwhile shows one file twice or not at all.
const LISTINGS_MAX: usize = 8;

/// The name that multilog writes to.
pub(crate) const CURRENT: &str = "current";

impl FileId {
    pub(crate) fn of(metadata: &Metadata) -> FileId {
        FileId { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// When a file was last written, in nanoseconds since 1970; out of range only in the far future.
pub(crate) fn modified_ns(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}

/// What a name says about when its file was the live one.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Age {
    /// `.1`: the greater the older.
    Index(u64),
    /// `-20260118`, `.2026-01-18_03`: the numbers in order.
    Date(Vec<u64>),
    /// multilog's `@` and 24 hexadecimal digits: the time at which the file was finished.
    Tai(Vec<u8>),
    /// `.old`, and multilog's `previous`, which lasts while a processor reads it.
    Last,
}

impl Age {
    /// Which is older by name; `None` if the names do not tell.
    fn compare(&self, other: &Age) -> Option<Ordering> {
        match (self, other) {
            (Age::Index(a), Age::Index(b)) => Some(Reverse(a).cmp(&Reverse(b))),
            (Age::Date(a), Age::Date(b)) => Some(a.cmp(b)),
            (Age::Tai(a), Age::Tai(b)) => Some(a.cmp(b)),
            (Age::Last, Age::Last) => Some(Ordering::Equal),
            (Age::Tai(_), Age::Last) => Some(Ordering::Less),
            (Age::Last, Age::Tai(_)) => Some(Ordering::Greater),
            _ => None,
        }
    }
}

/// A rotated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) path: PathBuf,
    pub(crate) id: FileId,
    pub(crate) modified_ns: i64,
    age: Age,
    packed: bool,
}

/// The set that a live file belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Family {
    folder: PathBuf,
    /// The live file's name; `None` for multilog.
    base: Option<OsString>,
}

impl Family {
    /// Of the log that is written to `live`.
    pub(crate) fn of_file(live: &Path) -> Family {
        let folder = live.parent().unwrap_or(Path::new("/")).to_owned();
        Family { folder, base: Some(live.file_name().unwrap_or_default().to_owned()) }
    }

    pub(crate) fn of_multilog(folder: &Path) -> Family {
        Family { folder: folder.to_owned(), base: None }
    }

    fn age(&self, name: &[u8]) -> Option<(Age, bool)> {
        match &self.base {
            Some(base) => age_of_rotated(base.as_bytes(), name),
            None => age_of_multilog(name).map(|age| (age, false)),
        }
    }

    /// The rotated files, oldest first, without the live one.
    pub(crate) fn members(&self) -> io::Result<Vec<Member>> {
        let mut before = self.list()?;
        for _ in 1..LISTINGS_MAX {
            let now = self.list()?;
            let same = now.len() == before.len()
                && now.iter().zip(&before).all(|(a, b)| (a.id, &a.path) == (b.id, &b.path));
            before = now;
            if same {
                break;
            }
        }
        Ok(before)
    }

    fn list(&self) -> io::Result<Vec<Member>> {
        let mut members = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let Some((age, packed)) = self.age(entry.file_name().as_bytes()) else { continue };
            let path = entry.path();
            // Gone or not to be seen: the next listing tells.
            let Ok(metadata) = fs::metadata(&path) else { continue };
            if metadata.is_file() {
                let id = FileId::of(&metadata);
                members.push(Member { path, id, modified_ns: modified_ns(&metadata), age, packed });
            }
        }
        sort(&mut members);
        let surplus = members.len().saturating_sub(MEMBERS_MAX);
        members.drain(..surplus);
        Ok(members)
    }
}

/// Oldest first, one file of each age: while gzip works there are two, and the packed one is not whole yet.
fn sort(members: &mut Vec<Member>) {
    let by_name = members.iter().all(|m| m.age.compare(&members[0].age).is_some());
    members.sort_by(|a, b| {
        let by_time = || a.modified_ns.cmp(&b.modified_ns).then_with(|| a.path.cmp(&b.path));
        let order = if by_name { a.age.compare(&b.age) } else { None };
        // Of two finished files of multilog, that whose name ends in .u is the one not yet processed.
        let twins = || a.packed.cmp(&b.packed).then_with(|| b.path.cmp(&a.path));
        order.map_or_else(by_time, |order| order.then_with(twins))
    });
    members.dedup_by(|b, a| a.age == b.age || a.id == b.id);
}

/// Whether `name` is that of a rotated file, and of which live one; for files found by a pattern.
pub(crate) fn live_names(name: &OsStr) -> Vec<OsString> {
    let name = name.as_bytes();
    let mut found = Vec::new();
    let mut offer = |live: Vec<u8>| {
        if !live.is_empty() && age_of_rotated(&live, name).is_some() {
            found.push(OsStr::from_bytes(&live).to_owned());
        }
    };
    let plain = unpacked_name(name);
    for end in (1..plain.len()).rev() {
        if !is_suffix_byte(plain[end]) {
            break;
        }
        offer(plain[..end].to_vec());
    }
    if let Some(live) = plain.strip_suffix(b".old") {
        offer(live.to_vec());
    }
    // `mail-20260118.log` of `mail.log`
    if let Some(dot) = plain.iter().rposition(|&b| b == b'.') {
        for end in (1..dot).rev().take_while(|&end| is_suffix_byte(plain[end])) {
            offer([&plain[..end], &plain[dot..]].concat());
        }
    }
    found
}

/// Whether nothing but an archive has such a name.
pub(crate) fn is_packed_name(name: &OsStr) -> bool {
    unpacked_name(name.as_bytes()).len() < name.len()
}

fn is_suffix_byte(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_')
}

fn unpacked_name(name: &[u8]) -> &[u8] {
    const PACKED: [&[u8]; 7] = [b".gz", b".xz", b".bz2", b".zst", b".zstd", b".lz4", b".lzma"];
    PACKED.iter().find_map(|end| name.strip_suffix(*end)).unwrap_or(name)
}

fn age_of_rotated(base: &[u8], name: &[u8]) -> Option<(Age, bool)> {
    let plain = unpacked_name(name);
    let packed = plain.len() < name.len();
    let rest = match plain.strip_prefix(base) {
        Some(rest) => rest,
        None => between(base, plain)?,
    };
    suffix_age(rest).map(|age| (age, packed))
}

/// What stands between stem and extension, as logrotate's `extension` puts it.
fn between<'a>(base: &[u8], name: &'a [u8]) -> Option<&'a [u8]> {
    let dot = base.iter().rposition(|&b| b == b'.').filter(|&dot| dot > 0)?;
    name.strip_prefix(&base[..dot])?.strip_suffix(&base[dot..])
}

fn suffix_age(suffix: &[u8]) -> Option<Age> {
    if suffix == b".old" {
        return Some(Age::Last);
    }
    let mut numbers = Vec::new();
    let mut rest = suffix;
    while let [b'.' | b'-' | b'_', digits @ ..] = rest {
        let count = digits.iter().take_while(|b| b.is_ascii_digit()).count();
        if !(1..=18).contains(&count) || numbers.len() == 8 {
            return None;
        }
        // At most 18 digits: fits.
        let number = digits[..count].iter().fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        numbers.push((number, count));
        rest = &digits[count..];
    }
    match (rest.is_empty(), numbers.as_slice()) {
        (false, _) | (_, []) => None,
        (true, &[(index, digits)]) if digits <= 5 && !(1970..=2200).contains(&index) => {
            Some(Age::Index(index))
        }
        (true, numbers) => Some(Age::Date(numbers.iter().map(|&(number, _)| number).collect())),
    }
}

fn age_of_multilog(name: &[u8]) -> Option<Age> {
    if name == b"previous" {
        return Some(Age::Last);
    }
    let label = name.strip_prefix(b"@")?;
    let digits = label.get(..24)?;
    let finished = matches!(&label[24..], b"" | b".s" | b".u");
    let hexadecimal = digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (hexadecimal && finished).then(|| Age::Tai(digits.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(base: Option<&str>, names: &[&str]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let family = match base {
            Some(base) => Family::of_file(&folder.path().join(base)),
            None => Family::of_multilog(folder.path()),
        };
        let name = |m: &Member| m.path.file_name().unwrap().to_str().unwrap().to_owned();
        family.members().unwrap().iter().map(name).collect()
    }

    #[test]
    fn rotated_files_are_ordered_by_their_names() {
        let log = Some("mail.log");
        let check = |names: &[&str], expected: &[&str]| assert_eq!(order(log, names), expected);
        check(
            &["mail.log", "mail.log.1", "mail.log.10.gz", "mail.log.2.gz"],
            &["mail.log.10.gz", "mail.log.2.gz", "mail.log.1"],
        );
        check(
            &["mail.log-20260118.xz", "mail.log-20251231", "mail.log-20260119-170000"],
            &["mail.log-20251231", "mail.log-20260118.xz", "mail.log-20260119-170000"],
        );
        check(&["mail-20260118.log", "mail-20260117.log"], &["mail-20260117.log", "mail-20260118.log"]);
        check(
            &["mail.log.2026-01-18_03", "mail.log.2026-01-18_12"],
            &["mail.log.2026-01-18_03", "mail.log.2026-01-18_12"],
        );
        check(&["mail.log.0", "mail.log.1"], &["mail.log.1", "mail.log.0"]);
        check(&["mail.logger", "mail.log.bak", "mail.log~", "mail.err", "mail.log.", "mail.log-x"], &[]);
    }

    #[test]
    fn multilogs_files_are_ordered_by_their_labels() {
        let names = [
            "@40000000696f5a3c1f2b8d14.s",
            "@40000000696f5a3b1f2b8d14.u",
            "@40000000696f5a3d1f2b8d14.t",
            "previous",
            "current",
            "lock",
            "state",
        ];
        let expected = ["@40000000696f5a3b1f2b8d14.u", "@40000000696f5a3c1f2b8d14.s", "previous"];
        assert_eq!(order(None, &names), expected);
    }

    #[test]
    fn the_order_does_not_hang_on_that_of_the_listing() {
        let age = |name: &str| age_of_multilog(name.as_bytes()).unwrap();
        let member = |name: &str, inode| Member {
            path: PathBuf::from(name),
            id: FileId { device: 1, inode },
            modified_ns: 0,
            age: age(name),
            packed: false,
        };
        let names = ["previous", "@40000000696f5a3c1f2b8d14.s", "@40000000696f5a3b1f2b8d14.s"];
        for first in 0..names.len() {
            let mut members: Vec<Member> =
                (0..3).map(|n| (n + first) % 3).map(|n| member(names[n], n as u64)).collect();
            sort(&mut members);
            assert_eq!(members.iter().map(|m| m.id.inode).collect::<Vec<_>>(), [2, 1, 0]);
        }
    }

    #[test]
    fn while_it_is_being_packed_the_plain_file_counts() {
        assert_eq!(order(Some("log"), &["log.1", "log.1.gz", "log.2.gz"]), ["log.2.gz", "log.1"]);
    }

    #[test]
    fn names_of_rotated_files_name_their_live_file() {
        let check = |name: &str, expected: &[&str]| {
            let found = live_names(OsStr::new(name));
            assert!(expected.iter().all(|live| found.iter().any(|f| f == live)), "{name}: {found:?}");
            assert_eq!(found.is_empty(), expected.is_empty(), "{name}: {found:?}");
        };
        check("mail.log.1", &["mail.log"]);
        check("mail.log.2.gz", &["mail.log"]);
        check("maillog-20260118-170000", &["maillog"]);
        check("mail-20260118.log", &["mail.log"]);
        check("mail.log", &[]);
        check("mail.log.old", &["mail.log"]);
    }
}
