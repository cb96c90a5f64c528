//! Lines that stand in two logs: syslog daemons write one record to several files (Debian's mail lines are in `mail.log`
//! and in `syslog`), and such a record is one attempt, not two.
//!
//! A line counts as often as it stands in the log that has it most often. Only lines equal to the byte are one record,
//! so their stamps are equal, and in the merge they come close together. Where logs are read in parts, one may end
//! before a line of which the other has the double already: what is remembered goes into the state.

use std::hash::Hasher as _;

use fairban_core::event::{AuthEvent, SecretTag};
use fairban_core::time::{Span, Time};
use hashbrown::HashMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use siphasher::sip::SipHasher13;

/// How far apart the merge may take equal lines: logs fall back in time a little now and then.
const APART_MAX: Span = Span::secs(30);

/// Lines remembered of a stretch of [`APART_MAX`]; more make it shorter.
const LINES_MAX: usize = 1 << 16;

/// Lines of late, by their hash: how often each log had them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Doubles {
    #[serde(serialize_with = "sorted", deserialize_with = "unsorted")]
    recent: Seen,
    #[serde(serialize_with = "sorted", deserialize_with = "unsorted")]
    before: Seen,
    since: Option<Time>,
    /// Numbers given to rotated sets so far.
    pub(super) sets: u32,
    /// Lines that were not taken in this run.
    #[serde(skip)]
    pub(super) dropped: u64,
}

/// By hash, for each log that had the line, how often. The order of the table never shows.
type Seen = HashMap<u64, Vec<(u32, u32)>, std::hash::BuildHasherDefault<SipHasher13>>;

impl Doubles {
    /// Whether the line, of this log (all pieces of a rotated set are one), has been taken from another log already.
    pub(crate) fn is_double(&mut self, now: Time, log: u32, event: &AuthEvent, line: &[u8]) -> bool {
        self.is_double_hash(now, log, line_hash(event, line))
    }

    /// The same for a line known by its [`line_hash`].
    pub(crate) fn is_double_hash(&mut self, now: Time, log: u32, hash: u64) -> bool {
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

/// The identity of a line. Of its secret only the tag counts: in a line that was kept for later it is blanked.
pub(crate) fn line_hash(event: &AuthEvent, line: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    let (from, to) = event.secret_at.map_or((0, 0), |(from, to)| (from as usize, to as usize));
    match (line.get(..from), line.get(to..)) {
        (Some(head), Some(tail)) => {
            hasher.write(head);
            hasher.write_u64(event.secret.map_or(0, SecretTag::bits));
            hasher.write(tail);
        }
        _ => hasher.write(line),
    }
    hasher.finish()
}

fn sorted<S: Serializer>(seen: &Seen, serializer: S) -> Result<S::Ok, S::Error> {
    let mut entries: Vec<(&u64, &Vec<(u32, u32)>)> = seen.iter().collect();
    entries.sort_unstable();
    entries.serialize(serializer)
}

fn unsorted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Seen, D::Error> {
    Vec::<(u64, Vec<(u32, u32)>)>::deserialize(deserializer).map(|entries| entries.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use fairban_core::event::{Service, Tells};

    use super::*;

    fn event() -> AuthEvent {
        AuthEvent::new(Service::Vpopmail, Tells::Attempt)
    }

    #[test]
    fn a_line_with_its_secret_blanked_is_the_same_line() {
        let mut event = event();
        event.secret_at = Some((3, 6));
        assert_eq!(line_hash(&event, b"(p:abc) x"), line_hash(&event, b"(p:***) x"));
        assert_ne!(line_hash(&event, b"(p:abc) x"), line_hash(&event, b"(p:***) y"));
    }

    #[test]
    fn what_is_remembered_survives_and_its_bytes_tell_no_order() {
        let (mut one, mut other) = (Doubles::default(), Doubles::default());
        let now = Time::from_secs(0);
        for n in 0..500_u64 {
            one.is_double(now, 0, &event(), &n.to_le_bytes());
            other.is_double(now, 0, &event(), &(499 - n).to_le_bytes());
        }
        let bytes = postcard::to_allocvec(&one).expect("to memory");
        assert_eq!(bytes, postcard::to_allocvec(&other).expect("to memory"));
        let mut again: Doubles = postcard::from_bytes(&bytes).expect("just written");
        assert!((0..500_u64).all(|n| again.is_double(now, 1, &event(), &n.to_le_bytes())));
    }

    #[test]
    fn a_line_counts_as_often_as_the_log_that_has_it_most_often() {
        let mut doubles = Doubles::default();
        let mut taken = |second, log| !doubles.is_double(Time::from_secs(second), log, &event(), b"a line");
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
            doubles.is_double(Time::from_secs(0), 0, &event(), &n.to_le_bytes());
        }
        assert!(doubles.recent.len() <= LINES_MAX && doubles.before.len() <= LINES_MAX);
    }
}
