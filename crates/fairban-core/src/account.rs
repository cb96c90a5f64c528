//! What a log line says about the account that somebody tried, and when two spellings are one account.

use core::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest account name kept, in bytes. RFC 5321 4.5.3.1 allows 64 + 1 + 255; what is longer was never an account.
pub const ACCOUNT_BYTES_MAX: usize = 320;

/// The identity of an account: ASCII lower case, blanks trimmed, the service's own separators folded to `@`.
///
/// Bytes, not text: logs are not UTF-8. What a client typed is in here, so print it only through the escape
/// function of the sink ([`crate::escape`]). At most [`ACCOUNT_BYTES_MAX`] bytes. Cloning copies no bytes: a key goes
/// from a line into the attempt, the tables and the effects that tell of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountKey(Arc<[u8]>);

impl AccountKey {
    /// The key of a name as the log prints it, for services that separate user and domain by `@` alone.
    pub fn new(name: &[u8]) -> AccountKey {
        AccountKey::folded(name, b"")
    }

    /// The key of a name in which each byte of `separators` splits user and domain as `@` does
    /// (vpopmail: `%` and `/`). Only the last separator counts, and only where the name holds no `@`.
    pub fn folded(name: &[u8], separators: &[u8]) -> AccountKey {
        let name = name.trim_ascii();
        let name = &name[..name.len().min(ACCOUNT_BYTES_MAX)];
        let mut lower = [0; ACCOUNT_BYTES_MAX];
        let lower = &mut lower[..name.len()];
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        if !separators.is_empty()
            && !lower.contains(&b'@')
            && let Some(at) = lower.iter().rposition(|b| separators.contains(b))
        {
            lower[at] = b'@';
        }
        AccountKey(Arc::from(&*lower))
    }

    /// The bytes of the key.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The part before the last `@`: the whole key if there is none.
    pub fn local_part(&self) -> &[u8] {
        self.split().0
    }

    /// The part after the last `@`, if there is one.
    pub fn domain(&self) -> Option<&[u8]> {
        self.split().1
    }

    fn split(&self) -> (&[u8], Option<&[u8]>) {
        match self.0.iter().rposition(|&b| b == b'@') {
            Some(at) => (&self.0[..at], Some(&self.0[at + 1..])),
            None => (&self.0, None),
        }
    }
}

impl Serialize for AccountKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0[..].serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AccountKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AccountKey, D::Error> {
        let bytes: Box<[u8]> = Deserialize::deserialize(deserializer)?;
        Ok(AccountKey(bytes.into()))
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountKey({})", crate::escape::escaped(&self.0))
    }
}

/// What a line says about the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Account {
    /// The line names it.
    Known(AccountKey),
    /// The line names its beginning: the server shortened it. Never a near miss, a dictionary word or a second account.
    Cut(AccountKey),
    /// `of` tries were made in the session and only the last one is named (Dovecot's default).
    Last {
        /// The account of the last try.
        key: AccountKey,
        /// How many tries the line stands for, at least 1.
        of: u16,
    },
    /// The log does not name it.
    Hidden,
}

impl Account {
    /// The key, where the line shows at least a part of one.
    pub fn key(&self) -> Option<&AccountKey> {
        match self {
            Account::Known(key) | Account::Cut(key) | Account::Last { key, .. } => Some(key),
            Account::Hidden => None,
        }
    }
}

/// Whether two keys name accounts that a slip of a finger turns into one another: same domain, different local parts
/// at Damerau-Levenshtein distance 1 (one byte put in, left out, changed, or two neighbours swapped).
pub fn is_near_miss(one: &AccountKey, other: &AccountKey) -> bool {
    // Asked of many pairs that are nothing of the kind: one edit of the local part is one edit of the whole key.
    one.0.len().abs_diff(other.0.len()) <= 1
        && one != other
        && is_one_edit(&one.0, &other.0)
        && one.domain() == other.domain()
        && distance_at_most(one.local_part(), other.local_part(), 1)
}

/// Whether one key is the bare local part of the other, as a mail program that sets itself up tries them.
pub fn is_other_form(one: &AccountKey, other: &AccountKey) -> bool {
    let (short, long) = if one.0.len() <= other.0.len() { (one, other) } else { (other, one) };
    // The longer one goes on with its `@` where the shorter one ends.
    long.0.get(short.0.len()) == Some(&b'@')
        && one.domain().is_some() != other.domain().is_some()
        && !one.local_part().is_empty()
        && one.local_part() == other.local_part()
}

/// Whether the Damerau-Levenshtein distance (restricted: no part is edited twice) of two byte strings is at most `max`.
///
/// Linear in time and space for the small `max` that are asked for; local parts longer than 64 bytes are only equal or not.
pub fn distance_at_most(one: &[u8], other: &[u8], max: usize) -> bool {
    if one == other {
        return true;
    }
    if one.len().abs_diff(other.len()) > max || one.len() > 64 || other.len() > 64 {
        return false;
    }
    if max == 1 {
        return is_one_edit(one, other);
    }
    let mut before = [0_usize; 65];
    let mut last: [usize; 65] = core::array::from_fn(|i| i);
    let mut row = [0_usize; 65];
    for (i, a) in one.iter().enumerate() {
        row[0] = i + 1;
        let mut row_min = row[0];
        for (j, b) in other.iter().enumerate() {
            let mut cost = (last[j] + usize::from(a != b)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                cost = cost.min(before[j - 1] + 1);
            }
            row[j + 1] = cost;
            row_min = row_min.min(cost);
        }
        if row_min > max {
            return false;
        }
        before = last;
        last = row;
    }
    last[other.len()] <= max
}

/// Distance exactly 1, for unequal strings whose lengths differ by at most 1: compares the ends around the first difference.
fn is_one_edit(one: &[u8], other: &[u8]) -> bool {
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    let same = short.iter().zip(long).take_while(|(a, b)| a == b).count();
    if short.len() < long.len() {
        return short[same..] == long[same + 1..];
    }
    let (a, b) = (&short[same..], &long[same..]);
    a[1..] == b[1..] || (a.len() > 1 && a[0] == b[1] && a[1] == b[0] && a[2..] == b[2..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(name: &str) -> AccountKey {
        AccountKey::folded(name.as_bytes(), b"%/")
    }

    #[test]
    fn spellings_of_one_account_are_one_key() {
        for (spelled, plain) in [
            ("DAN@Example.ORG", "dan@example.org"),
            (" dan@example.org\t", "dan@example.org"),
            ("dan%example.org", "dan@example.org"),
            ("dan/example.org", "dan@example.org"),
            ("d/n@example.org", "d/n@example.org"),
            ("dan", "dan"),
        ] {
            assert_eq!(key(spelled).as_bytes(), plain.as_bytes(), "{spelled}");
        }
    }

    #[test]
    fn near_misses_of_the_founding_log() {
        for (one, other) in [
            ("dann@dansdesk.co.uk", "dan@dansdesk.co.uk"),
            ("jordean@powerpolitics.com", "jordan@powerpolitics.com"),
            ("malewa@maleasmith.com", "malea@maleasmith.com"),
            ("adn@x.example", "dan@x.example"),
        ] {
            assert!(is_near_miss(&key(one), &key(other)), "{one} {other}");
            assert!(is_near_miss(&key(other), &key(one)), "{other} {one}");
        }
        for (one, other) in
            [("dan@a.example", "dan@b.example"), ("dan@a", "dan@a"), ("ab@a", "ba@b"), ("abcd@a", "badc@a")]
        {
            assert!(!is_near_miss(&key(one), &key(other)), "{one} {other}");
        }
    }

    #[test]
    fn a_bare_name_is_the_other_form_of_the_full_one() {
        assert!(is_other_form(&key("dan"), &key("dan@example.org")));
        assert!(!is_other_form(&key("dan@a"), &key("dan@b")));
        assert!(!is_other_form(&key(""), &key("@b")));
    }

    /// The textbook recurrence, to compare with.
    fn slow_distance(a: &[u8], b: &[u8]) -> usize {
        let mut d = vec![vec![0; b.len() + 1]; a.len() + 1];
        for i in 0..=a.len() {
            for j in 0..=b.len() {
                d[i][j] = if i == 0 || j == 0 {
                    i + j
                } else {
                    let change = d[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                    let mut least = change.min(d[i - 1][j] + 1).min(d[i][j - 1] + 1);
                    if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                        least = least.min(d[i - 2][j - 2] + 1);
                    }
                    least
                };
            }
        }
        d[a.len()][b.len()]
    }

    proptest! {
        #[test]
        fn bounded_distance_is_the_textbook_distance(a in "[abc]{0,9}", b in "[abc]{0,9}", max in 1_usize..3) {
            let (a, b) = (a.as_bytes(), b.as_bytes());
            prop_assert_eq!(distance_at_most(a, b, max), slow_distance(a, b) <= max);
        }
    }
}
