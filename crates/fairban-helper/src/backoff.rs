//! When to start something again that ended: at once if it had worked for a while, ever later if it keeps dying.
//!
//! Pure: the caller has the clock.

use std::time::Duration;

/// Waits that double, from a tenth of a second to a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    /// Ends in a row after too short a life.
    failures: u32,
}

impl Backoff {
    /// The shortest wait.
    pub const FIRST: Duration = Duration::from_millis(100);
    /// The longest wait.
    pub const LONGEST: Duration = Duration::from_secs(60);
    /// Who lived so long has worked.
    pub const WORKED: Duration = Duration::from_secs(60);

    /// It ended after having lived for `lived`: how long to wait before it is started again.
    pub fn ended(&mut self, lived: Duration) -> Duration {
        if lived >= Self::WORKED {
            self.failures = 0;
        }
        let wait = Self::FIRST.saturating_mul(1 << self.failures.min(16)).min(Self::LONGEST);
        self.failures = self.failures.saturating_add(1);
        wait
    }

    /// Ends in a row after too short a life.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute_and_begin_anew_after_work() {
        let mut backoff = Backoff::default();
        let soon = Duration::from_millis(5);
        let waits: Vec<u128> = (0..12).map(|_| backoff.ended(soon).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000]);
        assert_eq!(backoff.failures(), 12);
        assert_eq!(backoff.ended(Backoff::WORKED), Backoff::FIRST);
        assert_eq!(backoff.ended(soon), Backoff::FIRST * 2);
    }

    #[test]
    fn a_program_that_never_starts_is_tried_for_ever() {
        let mut backoff = Backoff { failures: u32::MAX };
        assert_eq!(backoff.ended(Duration::ZERO), Backoff::LONGEST);
    }
}
