//! What is wrong now, for `fairban status`: alarms of the engine for as long as they concern anybody, and troubles of the
//! service itself for as long as they last.

use std::collections::BTreeMap;

use fairban_control::{AlarmRow, Moment, Shown};
use fairban_core::effect::Alarm;
use fairban_core::time::{Span, Time};

use super::told::alarm_sentence;
use crate::tally::show_account;

/// An alarm that nothing ended concerns nobody any more after so long.
const STALE_AFTER: Span = Span::hours(24);

/// Alarms kept; the oldest goes first.
const ALARMS_MAX: usize = 256;

/// An alarm: its stable name and what it concerns, escaped.
type Key = (&'static str, String);

#[derive(Clone, Debug)]
struct Raised {
    since: Time,
    last: Time,
    text: String,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alarms {
    raised: BTreeMap<Key, Raised>,
}

impl Alarms {
    /// Something is wrong; again only moves its end. Returns whether it is new.
    pub(crate) fn raise(&mut self, name: &'static str, about: &str, text: String, now: Time) -> bool {
        if self.raised.len() >= ALARMS_MAX && !self.raised.contains_key(&(name, about.to_owned())) {
            let oldest = self.raised.iter().min_by_key(|(_, raised)| raised.last);
            let oldest = oldest.map(|(key, _)| key.clone());
            oldest.and_then(|key| self.raised.remove(&key));
        }
        let key = (name, about.to_owned());
        let is_new = !self.raised.contains_key(&key);
        let raised = self.raised.entry(key).or_insert(Raised { since: now, last: now, text: String::new() });
        (raised.last, raised.text) = (now, text);
        is_new
    }

    /// Something has been wrong since then, and still is.
    pub(crate) fn since(&mut self, name: &'static str, since: Time, text: String, now: Time) {
        self.raise(name, "", text, now);
        if let Some(raised) = self.raised.get_mut(&(name, String::new())) {
            raised.since = since;
        }
    }

    /// It is right again. Returns whether it was wrong.
    pub(crate) fn end(&mut self, name: &'static str, about: &str) -> bool {
        self.raised.remove(&(name, about.to_owned())).is_some()
    }

    /// An alarm of the engine.
    pub(crate) fn engine(&mut self, alarm: &Alarm, now: Time) {
        let about = match alarm {
            Alarm::Outage { service, .. }
            | Alarm::OutageLong { service }
            | Alarm::Blind { service }
            | Alarm::Torn { service } => service.name().to_owned(),
            Alarm::OutageEnded { service } => {
                self.end("outage", service.name());
                self.end("outage-long", service.name());
                return;
            }
            Alarm::AccountUnderAttack { account, .. } => show_account(account),
            Alarm::Looping { account, source, .. } => format!("{} from {source}", show_account(account)),
            Alarm::PenaltyOnFamiliar { source } | Alarm::Proxy { source } | Alarm::Spared { source, .. } => {
                source.to_string()
            }
            _ => String::new(),
        };
        self.raise(alarm.name(), &about, alarm_sentence(alarm), now);
    }

    /// As `status` shows them, the newest first.
    pub(crate) fn rows(&mut self, now: Time, most: usize) -> Vec<AlarmRow> {
        self.raised.retain(|_, raised| now.since(raised.last) <= STALE_AFTER);
        let mut all: Vec<_> = self.raised.iter().collect();
        all.sort_by_key(|(_, raised)| std::cmp::Reverse(raised.last));
        let row = |((name, about), raised): (&Key, &Raised)| AlarmRow {
            name: Shown::of(name),
            since: Moment::from(raised.since),
            about: (!about.is_empty()).then(|| Shown::spelt(about.clone())),
            text: Shown::spelt(raised.text.clone()),
        };
        all.into_iter().take(most).map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use fairban_core::event::Service;

    use super::*;

    #[test]
    fn an_outage_is_told_until_it_ends_and_others_for_a_day() {
        let mut alarms = Alarms::default();
        let now = Time::from_secs(1_000_000);
        alarms.engine(&Alarm::Outage { service: Service::Dovecot, failing: 9 }, now);
        alarms.engine(&Alarm::Breaker, now.plus(Span::secs(1)));
        let names = |alarms: &mut Alarms, now| -> Vec<String> {
            alarms.rows(now, 64).iter().map(|row| row.name.as_str().to_owned()).collect()
        };
        assert_eq!(names(&mut alarms, now.plus(Span::secs(1))), ["breaker", "outage"]);
        alarms.engine(&Alarm::OutageEnded { service: Service::Dovecot }, now.plus(Span::secs(2)));
        assert_eq!(names(&mut alarms, now.plus(Span::secs(2))), ["breaker"]);
        assert!(names(&mut alarms, now.plus(Span::days(2))).is_empty());
    }

    #[test]
    fn alarms_are_bounded() {
        let mut alarms = Alarms::default();
        for n in 0..2_000 {
            alarms.raise("input", &n.to_string(), String::new(), Time::from_secs(n));
        }
        assert_eq!(alarms.raised.len(), ALARMS_MAX);
    }
}
