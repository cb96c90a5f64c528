//! What a log line says about the account that somebody tried, and when two spellings are one account.

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest account name kept, in bytes. RFC 5321 4.5.3.1 allows 64 + 1 + 255; what is longer was never an account.
pub const ACCOUNT_BYTES_MAX: usize = 320;

/// Names up to this length are kept in place: nearly all of them.
const SHORT_BYTES: usize = 38;

/// The identity of an account: ASCII lower case, blanks trimmed, the service's own separators folded to `@`.
///
/// Bytes, not text: logs are not UTF-8. What a client typed is in here, so print it only through the escape
/// function of the sink ([`crate::escape`]). At most [`ACCOUNT_BYTES_MAX`] bytes. Cloning asks for no memory: a key
/// goes from a line into the attempt, the tables and the effects that tell of it.
#[derive(Clone)]
pub struct AccountKey(Name);

#[derive(Clone)]
enum Name {
    Short { len: u8, bytes: [u8; SHORT_BYTES] },
    Long(Arc<[u8]>),
}

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
        let fold = |lower: &mut [u8]| {
            lower.make_ascii_lowercase();
            if !separators.is_empty()
                && !lower.contains(&b'@')
                && let Some(at) = lower.iter().rposition(|b| separators.contains(b))
            {
                lower[at] = b'@';
            }
        };
        let mut key = AccountKey::of_bytes(name);
        match &mut key.0 {
            // The zeros behind the name stay what they are.
            Name::Short { len, bytes } => fold(&mut bytes[..usize::from(*len)]),
            Name::Long(bytes) => Arc::get_mut(bytes).into_iter().for_each(fold),
        }
        key
    }

    /// The key of these very bytes.
    fn of_bytes(name: &[u8]) -> AccountKey {
        if name.len() > SHORT_BYTES {
            return AccountKey(Name::Long(Arc::from(name)));
        }
        let mut bytes = [0; SHORT_BYTES];
        bytes[..name.len()].copy_from_slice(name);
        AccountKey(Name::Short { len: name.len() as u8, bytes })
    }

    /// The bytes of the key.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Name::Short { len, bytes } => &bytes[..usize::from(*len)],
            Name::Long(bytes) => bytes,
        }
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
        let key = self.as_bytes();
        match key.iter().rposition(|&b| b == b'@') {
            Some(at) => (&key[..at], Some(&key[at + 1..])),
            None => (key, None),
        }
    }
}

impl PartialEq for AccountKey {
    fn eq(&self, other: &AccountKey) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for AccountKey {}

impl PartialOrd for AccountKey {
    fn partial_cmp(&self, other: &AccountKey) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for AccountKey {
    fn cmp(&self, other: &AccountKey) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for AccountKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl Serialize for AccountKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_bytes().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AccountKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AccountKey, D::Error> {
        let bytes: Box<[u8]> = Deserialize::deserialize(deserializer)?;
        Ok(AccountKey::of_bytes(&bytes))
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountKey({})", crate::escape::escaped(self.as_bytes()))
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
    let (a, b) = (one.as_bytes(), other.as_bytes());
    a.len().abs_diff(b.len()) <= 1
        && a != b
        && is_one_edit(a, b)
        && one.domain() == other.domain()
        && distance_at_most(one.local_part(), other.local_part(), 1)
}

/// Whether one key is the bare local part of the other, as a mail program that sets itself up tries them.
pub fn is_other_form(one: &AccountKey, other: &AccountKey) -> bool {
    let (a, b) = (one.as_bytes(), other.as_bytes());
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    // The longer one goes on with its `@` where the shorter one ends.
    long.get(short.len()) == Some(&b'@')
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
