//! Lines that stand in two logs: syslog daemons write one record to several files (Debian's mail lines are in `mail.log`
//! and in `syslog`), and such a record is one attempt, not two.
//!
//! A line counts as often as it stands in the log that has it most often. Only lines equal to the byte are one record,
//! so their stamps are equal, and in the merge they come close together.

use std::hash::Hasher as _;

use fairban_core::time::{Span, Time};
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

/// How far apart the merge may take equal lines: logs fall back in time a little now and then.
const APART_MAX: Span = Span::secs(30);

/// Lines remembered of a stretch of [`APART_MAX`]; more make it shorter.
const LINES_MAX: usize = 1 << 16;

/// Lines of late, by their hash: how often each log had them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Doubles {
    #[serde(with = "in_order")]
    recent: Seen,
    #[serde(with = "in_order")]
    before: Seen,
    since: Option<Time>,
    /// Lines that were not taken.
    pub(crate) dropped: u64,
}

/// By hash, for each log that had the line, how often. The order of the table never shows.
type Seen = HashMap<u64, Vec<(usize, u32)>, std::hash::BuildHasherDefault<SipHasher13>>;

impl Doubles {
    /// Whether the line, of this log (all pieces of a rotated set are one), has been taken from another log already.
    pub(crate) fn is_double(&mut self, now: Time, log: usize, hash: u64) -> bool {
        self.forget(now);
        let counts = match self.before.remove(&hash) {
            Some(counts) => self.recent.entry(hash).or_insert(counts),
            None => self.recent.entry(hash).or_default(),
        };
        let others = counts.iter().filter(|(other, _)| *other != log).map(|(_, count)| *count).max();
        let at = counts.iter().position(|(other, _)| *other == log).unwrap_or_else(|| {
            counts.push((log, 0));
            counts.len() - 1
        });
        counts[at].1 += 1;
        let ours = counts[at].1;
        let double = others.is_some_and(|others| others >= ours);
        self.dropped += u64::from(double);
        double
    }

    fn forget(&mut self, now: Time) {
        let since = *self.since.get_or_insert(now);
        if now.since(since) > APART_MAX || self.recent.len() >= LINES_MAX {
            let recent = std::mem::take(&mut self.recent);
            let long_ago = now.since(since) > Span::micros(2 * APART_MAX.as_micros());
            self.before = if long_ago { Seen::default() } else { recent };
            self.since = Some(now);
        }
    }
}

/// By which equal lines are known.
pub(crate) fn line_hash(line: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(line);
    hasher.finish()
}

/// The same lines give the same bytes, whatever the tables went through.
mod in_order {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::Seen;

    pub(super) fn serialize<S: Serializer>(seen: &Seen, serializer: S) -> Result<S::Ok, S::Error> {
        let mut lines: Vec<_> = seen.iter().collect();
        lines.sort_unstable();
        lines.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Seen, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_counts_as_often_as_the_log_that_has_it_most_often() {
        let mut doubles = Doubles::default();
        let mut taken = |second, log| !doubles.is_double(Time::from_secs(second), log, line_hash(b"a line"));
        assert_eq!(
            [taken(0, 0), taken(0, 1), taken(0, 1), taken(0, 0), taken(0, 0)],
            [true, false, true, false, true]
        );
        assert!(!taken(29, 1), "the third time");
        assert!(taken(29, 1), "the fourth time");
        assert!(taken(200, 0), "as good as another line");
    }

    #[test]
    fn memory_is_bounded() {
        let mut doubles = Doubles::default();
        for n in 0..4 * LINES_MAX {
            doubles.is_double(Time::from_secs(0), 0, line_hash(&n.to_le_bytes()));
        }
        assert!(doubles.recent.len() <= LINES_MAX && doubles.before.len() <= LINES_MAX);
    }
}
