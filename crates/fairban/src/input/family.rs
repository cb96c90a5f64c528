//! Rotated sets: `maillog`, `maillog.1`, `maillog.2.gz`, `maillog-20260118.xz` are one log in pieces.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What the pieces of one log have in common: the name without what rotation and compression append.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Family(PathBuf);

impl Family {
    /// Whether `path` is the one that is written to: no rotation and no compression has renamed it.
    pub(crate) fn is(&self, path: &Path) -> bool {
        self.0 == path
    }

    pub(crate) fn of(path: &Path) -> Family {
        let Some(name) = path.file_name().map(std::ffi::OsStr::as_bytes) else {
            return Family(path.to_owned());
        };
        let is_multilog = name == b"current" || (name.first() == Some(&b'@') && name.len() > 24);
        let stem = if is_multilog { b"current" } else { stem(name) };
        Family(path.with_file_name(OsString::from_vec(stem.to_vec())))
    }
}

fn stem(name: &[u8]) -> &[u8] {
    const COMPRESSED: [&[u8]; 5] = [b".gz", b".xz", b".bz2", b".zst", b".zstd"];
    let plain = COMPRESSED.iter().find_map(|end| name.strip_suffix(*end)).unwrap_or(name);
    let digits = |text: &[u8]| text.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let mut rest = plain;
    // At most a date and a number or time: maillog-20260118-1700000000, maillog.2.
    for _ in 0..2 {
        let before = rest.len() - digits(rest);
        match before.checked_sub(1).map(|at| (at, rest[at])) {
            Some((at, b'.' | b'-')) if at > 0 && before < rest.len() => rest = &rest[..at],
            _ => break,
        }
    }
    rest
}

/// Puts the members of each family in the order of `start` without moving them past other families: the places that a
/// family has on the command line are given to its members by age. So a rotated set may be named in any order, and
/// unrelated logs keep the order of the command line.
pub(crate) fn by_age<K: Ord>(families: &[&Family], start: impl Fn(usize) -> K) -> Vec<usize> {
    let mut order: Vec<usize> = (0..families.len()).collect();
    let mut distinct: Vec<&Family> = families.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    for family in distinct {
        let places: Vec<usize> = (0..families.len()).filter(|&i| families[i] == family).collect();
        let mut members = places.clone();
        members.sort_by_key(|&member| start(member));
        for (place, member) in places.into_iter().zip(members) {
            order[place] = member;
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_rotated_set_are_one_family() {
        let family = |name: &str| Family::of(Path::new(name));
        for name in
            ["maillog.1", "maillog.2.gz", "maillog-20260118", "maillog-20260118.xz", "maillog-20260118-3.zst"]
        {
            assert_eq!(family(&format!("/var/log/{name}")), family("/var/log/maillog"), "{name}");
        }
        assert_eq!(family("d/@40000000696f5a3c1f2b8d14.s"), family("d/current"));
        assert_ne!(family("/a/maillog"), family("/b/maillog"));
        assert_ne!(family("mail.log"), family("mail.err"));
        assert_ne!(family("2026"), family("2025"));
    }

    #[test]
    fn age_orders_a_family_and_leaves_others_where_they_stand() {
        let names = ["maillog", "auth.log", "maillog.1", "auth.log.1", "maillog.2"];
        let ages = [9, 9, 5, 3, 1];
        let families: Vec<Family> = names.iter().map(|n| Family::of(Path::new(n))).collect();
        let order = by_age(&families.iter().collect::<Vec<_>>(), |i| ages[i]);
        assert_eq!(
            order.iter().map(|&i| names[i]).collect::<Vec<_>>(),
            ["maillog.2", "auth.log.1", "maillog.1", "auth.log", "maillog"]
        );
    }
}
