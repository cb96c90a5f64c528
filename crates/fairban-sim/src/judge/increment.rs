//! fail2ban with `bantime.increment = true`: the n-th ban of an address lasts `bantime * 2^(n-1)`, n up to 20.

use std::collections::BTreeMap;
use std::net::IpAddr;

use fairban_core::time::{Span, Time};

use super::counting::{BAN, Failures};
use super::{Judge, Verdict};
use crate::format::Told;

/// The default formula: `ban.Time * (1 << (ban.Count if ban.Count < 20 else 20)) * banFactor`.
const DOUBLINGS_MAX: u32 = 20;

/// fail2ban with growing bans.
#[derive(Clone, Debug, Default)]
pub(crate) struct Increment {
    failures: Failures,
    /// Bans so far, and the end of the last.
    bans: BTreeMap<IpAddr, (u32, Time)>,
    verdicts: Vec<Verdict>,
}

impl Judge for Increment {
    fn read(&mut self, _told: &Told, _line: &str) {}

    fn failed(&mut self, source: IpAddr, now: Time) {
        if self.failures.is_too_many(source, now) {
            let (count, until) = self.bans.entry(source).or_insert((0, now));
            *until = now.plus(Span::micros(BAN.as_micros() << (*count).min(DOUBLINGS_MAX)));
            *count += 1;
            self.verdicts.push(Verdict { prefix: source.into(), because: String::new() });
        }
    }

    fn shuts_out(&self, source: IpAddr, now: Time) -> bool {
        self.bans.get(&source).is_some_and(|(_, until)| now < *until)
    }

    fn pardon(&mut self, source: IpAddr, now: Time) {
        if let Some((_, until)) = self.bans.get_mut(&source) {
            *until = now;
        }
    }

    fn verdicts(&mut self) -> Vec<Verdict> {
        std::mem::take(&mut self.verdicts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ban_is_twice_as_long_as_the_last() {
        let mut judge = Increment::default();
        let source: IpAddr = [192, 0, 2, 1].into();
        let mut now = Time::from_secs(0);
        for minutes in [10, 20, 40, 80] {
            for _ in 0..5 {
                assert!(!judge.shuts_out(source, now));
                judge.failed(source, now);
            }
            let end = now.plus(Span::minutes(minutes));
            assert!(judge.shuts_out(source, end.minus(Span::secs(1))));
            assert!(!judge.shuts_out(source, end));
            now = end;
        }
    }
}
