//! Evidence across sources: what no single source shows, and what catches robots that try once per address.
//!
//! Three bounded tables. An attacker who feeds them gains nothing against honest users: no name that ever succeeded
//! or is near an existing account enters the dictionary, familiar sources are never held to any of this, and the
//! account itself never suffers.

use serde::{Deserialize, Serialize};

use super::source::{Unit, secs_u32};
use crate::decay::{decayed, ln_ratio};
use crate::limits::Limits;
use crate::nats::Nats;
use crate::table::Table;
use crate::time::{Span, Time};
use crate::weights;

/// Strangers that failed at one account within about a day.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Attack {
    /// In 1/64, decaying.
    strangers: u32,
    last: u32,
    told_day: u16,
}

/// A secret that failed, by the accounts it failed at.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Tag {
    accounts: [u32; 3],
    /// From where. One place alone (a family's accounts on one phone, with one old password) makes no secret popular.
    neighbourhoods: [u64; 3],
    last: u32,
    /// It fails at familiar accounts too: people use it.
    barred: bool,
}

/// A name that robots try.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Word {
    neighbourhoods: [u64; 3],
    last: u32,
    state: WordState,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum WordState {
    #[default]
    Candidate,
    In,
    /// Near an existing account: never a word.
    Barred,
}

/// See the module's head.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Across {
    attacks: Table<Attack>,
    tags: Table<Tag>,
    words: Table<Word>,
}

/// Half of the strangers of an account are forgotten after this.
const ATTACK_HALF_LIFE: Span = Span::hours(16);
/// Honest strangers that fail at one account in a day, from above (measured: 0.025 to 0.05).
const HONEST_STRANGERS_64: u64 = 64 / 5;
/// A generalised likelihood ratio `k ln(k/λ) − (k − λ)` of this much says that an account is attacked.
const ATTACK_KNOWN: Nats = Nats::milli(9_000);
/// A popular secret that nobody tried for this long is forgotten.
const TAG_LIFE: Span = Span::days(7);

impl Across {
    pub(crate) fn new(key: [u8; 16]) -> Across {
        Across { attacks: Table::new(key), tags: Table::new(key), words: Table::new(key) }
    }

    /// A stranger failed at an account for the first time. Returns how many strangers if that is news worth an alarm.
    pub(crate) fn stranger_failed(&mut self, account: u64, now: Time, limits: &Limits) -> Option<u32> {
        if self.attacks.get(account).is_none() && self.attacks.len() >= limits.attacked as usize {
            let victim = self.attacks.victim(16, |attack| Some((attack.strangers, attack.last)));
            victim.and_then(|victim| self.attacks.remove(victim));
        }
        let attack = self.attacks.entry(account, Attack::default);
        let age = now.since(Time::from_secs(i64::from(attack.last)));
        attack.strangers = decayed(i64::from(attack.strangers), age, ATTACK_HALF_LIFE) as u32 + 64;
        attack.last = secs_u32(now);
        let day = (attack.last / 86_400) as u16;
        let strangers = attack.strangers;
        if attack.told_day != day && is_attacked(strangers) {
            attack.told_day = day;
            return Some(strangers.div_ceil(64));
        }
        None
    }

    /// What a stranger's first failure at this account weighs on top, given the strangers *before* him.
    pub(crate) fn attack_weight(&self, account: u64, now: Time) -> Nats {
        let Some(attack) = self.attacks.get(account) else { return Nats::ZERO };
        let age = now.since(Time::from_secs(i64::from(attack.last)));
        let strangers = decayed(i64::from(attack.strangers), age, ATTACK_HALF_LIFE) as u32;
        if !is_attacked(strangers) {
            return Nats::ZERO;
        }
        ln_ratio(u64::from(strangers), HONEST_STRANGERS_64).min(weights::ATTACK_MAX)
    }

    /// Strangers at an account, for explanations.
    pub(crate) fn strangers(&self, account: u64) -> u32 {
        self.attacks.get(account).map_or(0, |attack| attack.strangers.div_ceil(64))
    }

    /// A stranger's secret failed at an account and stayed unresolved.
    pub(crate) fn tag_failed(&mut self, tag: u64, account: u32, unit: Unit, now: Time, limits: &Limits) {
        let entry = self.tag(tag, now, limits);
        entry.last = secs_u32(now);
        note(&mut entry.accounts, account);
        note(&mut entry.neighbourhoods, unit.neighbourhood());
    }

    /// The secret failed at a familiar account: an old password that people share, not a robot's.
    pub(crate) fn bar_tag(&mut self, tag: u64, now: Time, limits: &Limits) {
        let entry = self.tag(tag, now, limits);
        entry.last = secs_u32(now);
        entry.barred = true;
    }

    fn tag(&mut self, tag: u64, now: Time, limits: &Limits) -> &mut Tag {
        if self.tags.get(tag).is_none() && self.tags.len() >= limits.tags as usize {
            let rank = |tag: &Tag| {
                let places = tag.neighbourhoods.iter().filter(|&&n| n != 0).count();
                Some((places, tag.accounts.iter().filter(|&&a| a != 0).count(), tag.last))
            };
            let victim = self.tags.victim(16, rank);
            victim.and_then(|victim| self.tags.remove(victim));
        }
        let entry = self.tags.entry(tag, Tag::default);
        if secs_u32(now).saturating_sub(entry.last) > TAG_LIFE.as_secs() as u32 {
            *entry = Tag::default();
        }
        entry
    }

    /// Whether strangers of three neighbourhoods tried the secret at three accounts or more, others than this one.
    pub(crate) fn is_popular(&self, tag: u64, account: u32, now: Time) -> bool {
        self.tags.get(tag).is_some_and(|tag| {
            !tag.barred
                && secs_u32(now).saturating_sub(tag.last) <= TAG_LIFE.as_secs() as u32
                && tag.accounts.iter().filter(|&&a| a != 0 && a != account).count() >= 2
                && tag.accounts.iter().all(|&a| a != 0)
                && tag.neighbourhoods.iter().all(|&n| n != 0)
        })
    }

    /// A source with at least two names that the server does not know tried this one.
    /// `is_near` says whether the name is near an existing account; asked once, when the third neighbourhood comes.
    pub(crate) fn word_tried(
        &mut self,
        word: u64,
        unit: Unit,
        now: Time,
        limits: &Limits,
        is_near: impl FnOnce() -> bool,
    ) {
        if self.words.get(word).is_none() && self.words.len() >= limits.dictionary as usize {
            let victim = self.words.victim(16, |word| {
                Some((word.neighbourhoods.iter().filter(|&&n| n != 0).count(), word.last))
            });
            victim.and_then(|victim| self.words.remove(victim));
        }
        let entry = self.words.entry(word, Word::default);
        entry.last = secs_u32(now);
        note(&mut entry.neighbourhoods, unit.neighbourhood());
        if entry.state == WordState::Candidate && entry.neighbourhoods.iter().all(|&n| n != 0) {
            entry.state = if is_near() { WordState::Barred } else { WordState::In };
        }
    }

    /// Whether the name is in the dictionary, learnt from others than this source.
    pub(crate) fn is_word(&self, word: u64) -> bool {
        self.words.get(word).is_some_and(|word| word.state == WordState::In)
    }

    /// The name belongs to an account now.
    pub(crate) fn bar_word(&mut self, word: u64) {
        if let Some(word) = self.words.get_mut(word) {
            word.state = WordState::Barred;
        }
    }
}

fn is_attacked(strangers_64: u32) -> bool {
    let k = u64::from(strangers_64);
    if k < 4 * HONEST_STRANGERS_64 {
        return false;
    }
    let ratio = i64::from(ln_ratio(k, HONEST_STRANGERS_64).to_raw());
    let statistic = k as i64 * ratio / 64 - (k as i64 - HONEST_STRANGERS_64 as i64) * 1024 / 64;
    statistic >= i64::from(ATTACK_KNOWN.to_raw())
}

/// Puts a value into the first free place of a small set (0 is free).
fn note<T: Copy + PartialEq + Default, const N: usize>(set: &mut [T; N], value: T) {
    if value == T::default() || set.contains(&value) {
        return;
    }
    if let Some(free) = set.iter_mut().find(|place| **place == T::default()) {
        *free = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(text: &str) -> Unit {
        Unit::of(text.parse().expect("an address"))
    }

    #[test]
    fn an_account_is_under_attack_after_five_strangers_in_a_day() {
        let mut across = Across::new([0; 16]);
        let (now, limits) = (Time::from_secs(1_000_000), Limits::default());
        let told: Vec<_> = (0..8).filter_map(|_| across.stranger_failed(9, now, &limits)).collect();
        assert_eq!(told.len(), 1, "told once a day");
        assert!((3..=6).contains(&told[0]), "{told:?}");
        assert!(across.attack_weight(9, now) > Nats::milli(3_000));
        assert_eq!(across.attack_weight(8, now), Nats::ZERO);
        assert_eq!(across.attack_weight(9, now.plus(Span::days(5))), Nats::ZERO);
    }

    #[test]
    fn a_name_becomes_a_word_by_three_neighbourhoods_unless_it_is_near_an_account() {
        let mut across = Across::new([0; 16]);
        let (now, limits) = (Time::from_secs(1_000_000), Limits::default());
        for (word, near) in [(1, false), (2, true)] {
            for source in ["192.0.2.1", "192.0.2.2", "198.51.100.1"] {
                across.word_tried(word, unit(source), now, &limits, || near);
                assert!(!across.is_word(word), "two neighbourhoods are too few");
            }
            across.word_tried(word, unit("203.0.113.9"), now, &limits, || near);
            assert_eq!(across.is_word(word), !near);
        }
        across.bar_word(1);
        assert!(!across.is_word(1));
    }

    #[test]
    fn a_secret_is_popular_at_the_third_account_and_place() {
        let mut across = Across::new([0; 16]);
        let (now, limits) = (Time::from_secs(1_000_000), Limits::default());
        for (account, source) in [(1, "192.0.2.1"), (2, "198.51.100.1"), (3, "203.0.113.9")] {
            assert!(!across.is_popular(5, 77, now));
            across.tag_failed(5, account, unit(source), now, &limits);
            across.tag_failed(6, account, unit("192.0.2.1"), now, &limits);
        }
        assert!(across.is_popular(5, 77, now));
        assert!(!across.is_popular(5, 77, now.plus(Span::days(8))));
        assert!(!across.is_popular(6, 77, now), "one place alone");
    }

    #[test]
    fn full_tables_keep_what_many_sources_tried() {
        let mut across = Across::new([0; 16]);
        let limits = Limits { dictionary: 64, tags: 64, attacked: 64, ..Limits::default() };
        let now = Time::from_secs(1_000_000);
        for source in ["192.0.2.1", "198.51.100.1", "203.0.113.9"] {
            across.word_tried(7, unit(source), now, &limits, || false);
        }
        for (account, source) in [(1, "192.0.2.1"), (2, "198.51.100.1"), (3, "203.0.113.9")] {
            across.tag_failed(7, account, unit(source), now, &limits);
        }
        for _ in 0..6 {
            across.stranger_failed(7, now, &limits);
        }
        for junk in 1_000..11_000_u64 {
            across.word_tried(junk, unit("192.0.2.77"), now, &limits, || false);
            across.tag_failed(junk, 1, unit("192.0.2.77"), now, &limits);
            across.stranger_failed(junk, now, &limits);
        }
        assert!(across.is_word(7) && across.is_popular(7, 99, now));
        assert!(across.attack_weight(7, now) > Nats::ZERO);
        assert!(across.words.len() <= 64 && across.tags.len() <= 64 && across.attacks.len() <= 64);
    }
}
