//! Secrets end here: a logged password or hash becomes a [`SecretTag`], and nothing else leaves.

use core::hash::Hasher as _;

use fairban_core::event::SecretTag;
use siphasher::sip::SipHasher13;

/// The list's text: comments, then one password a line, sorted.
const COMMON: &str = include_str!("common_passwords.txt");
/// No longer password is in the list.
const COMMON_BYTES_MAX: usize = 16;

/// Makes tags; holds the key and the list of common passwords.
#[derive(Clone, Debug)]
pub struct Secrets {
    key: [u8; 16],
}

impl Secrets {
    /// With the engine's key. Equal secrets have equal tags under one key and unrelated ones under another.
    pub const fn new(key: [u8; 16]) -> Secrets {
        Secrets { key }
    }

    /// The tag of a secret (or of a hash that the server logs) as the line shows it.
    pub fn tag(&self, secret: &[u8]) -> SecretTag {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(secret);
        SecretTag::from_hash(hasher.finish())
    }

    /// Whether a clear-text secret is among the few hundred that robots try first, capitals aside.
    pub fn is_common(&self, secret: &[u8]) -> bool {
        if secret.is_empty() || secret.len() > COMMON_BYTES_MAX {
            return false;
        }
        let mut lower = [0; COMMON_BYTES_MAX];
        let lower = &mut lower[..secret.len()];
        lower.copy_from_slice(secret);
        lower.make_ascii_lowercase();
        find(list().as_bytes(), lower)
    }
}

/// The passwords, after the comments.
fn list() -> &'static str {
    let comments = COMMON.lines().take_while(|line| line.starts_with('#')).map(|line| line.len() + 1).sum();
    &COMMON[comments..]
}

/// Binary search by bytes over sorted lines: no table to build, no memory.
fn find(lines: &[u8], wanted: &[u8]) -> bool {
    let (mut low, mut high) = (0, lines.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let start = memchr::memrchr(b'\n', &lines[low..middle]).map_or(low, |at| low + at + 1);
        let end = memchr::memchr(b'\n', &lines[middle..high]).map_or(high, |at| middle + at);
        match lines[start..end].cmp(wanted) {
            core::cmp::Ordering::Equal => return true,
            core::cmp::Ordering::Less => low = end + 1,
            core::cmp::Ordering::Greater => high = start,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_unique_and_lower_case() {
        let lines: Vec<&[u8]> = list().lines().map(str::as_bytes).collect();
        assert!(lines.len() > 200);
        assert!(lines.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(lines.iter().all(|line| !line.is_empty() && line.len() <= COMMON_BYTES_MAX));
        assert!(lines.iter().all(|line| line.to_ascii_lowercase() == **line));
    }

    #[test]
    fn every_password_of_the_list_is_found_and_others_are_not() {
        let secrets = Secrets::new([0; 16]);
        for line in list().lines() {
            assert!(secrets.is_common(line.as_bytes()), "{line}");
            assert!(secrets.is_common(line.to_ascii_uppercase().as_bytes()), "{line}");
        }
        for other in ["", "correct horse", "hunter2!", "zzzzzzzzzzzzzzzzzzzzzz", "\0", "~"] {
            assert!(!secrets.is_common(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn tags_need_the_key() {
        let (one, other) = (Secrets::new([1; 16]), Secrets::new([2; 16]));
        assert_eq!(one.tag(b"x"), one.tag(b"x"));
        assert_ne!(one.tag(b"x"), one.tag(b"y"));
        assert_ne!(one.tag(b"x"), other.tag(b"x"));
    }
}
