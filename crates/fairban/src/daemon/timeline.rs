//! The engine's time while it runs: never backwards, and not carried away by a clock that jumps.
//!
//! The machine's clock is believed as long as it goes on as a clock does. When it leaps forward, time goes on at its old
//! pace until the leap has lasted [`LEAP_HOLDS`]; when it falls back, time goes on at half its pace until the clock has
//! caught up. Either is told, once.

use std::time::Duration;

use fairban_core::time::{Span, Time};

/// Both clocks of a machine.
pub(crate) trait Clock: Send {
    /// The time of day, as stamps of logs have it; may jump.
    fn now(&self) -> Time;

    /// Since some moment; only ever goes on.
    fn since_start(&self) -> Duration;
}

/// The machine's own.
#[derive(Debug)]
pub(crate) struct SystemClock {
    start: std::time::Instant,
}

impl SystemClock {
    pub(crate) fn new() -> SystemClock {
        SystemClock { start: std::time::Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        Time::from_micros(jiff::Timestamp::now().as_microsecond())
    }

    fn since_start(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Steps of the machine's clock up to this are the work of a time service.
const LEAP_MIN: Span = Span::minutes(2);

/// A leap forward that lasts so long is no accident.
const LEAP_HOLDS: Span = Span::minutes(10);

/// What the machine's clock did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It leapt forward by so much.
    Forward(Span),
    /// It fell back by so much.
    Back(Span),
}

/// Time as the engine is told it.
#[derive(Debug)]
pub(crate) struct Timeline {
    /// Time, and what both clocks showed, when it was last asked.
    now: Time,
    clock: Time,
    since_start: Duration,
    /// Since when (by the clock that only goes on) the machine's clock is ahead.
    ahead_since: Option<Duration>,
    behind: bool,
}

impl Timeline {
    /// Time that goes on from `last`, the engine's own when it was put aside.
    pub(crate) fn new(clock: &dyn Clock, last: Time) -> Timeline {
        let now = clock.now();
        Timeline {
            now: now.max(last),
            clock: now,
            since_start: clock.since_start(),
            ahead_since: None,
            behind: last.since(now) > LEAP_MIN,
        }
    }

    /// The time now, and whether the machine's clock has jumped since the last call.
    pub(crate) fn now(&mut self, clock: &dyn Clock) -> (Time, Option<Step>) {
        let (shown, since_start) = (clock.now(), clock.since_start());
        let passed = since_start.saturating_sub(self.since_start);
        let passed = Span::micros(i64::try_from(passed.as_micros()).unwrap_or(i64::MAX));
        let off = shown.since(self.now.plus(passed));
        let mut step = None;
        if off > LEAP_MIN {
            let since = *self.ahead_since.get_or_insert_with(|| {
                step = Some(Step::Forward(off));
                since_start
            });
            let held = since_start.saturating_sub(since);
            let believed = held.as_micros() >= LEAP_HOLDS.as_micros() as u128;
            self.now = if believed { shown } else { self.now.plus(passed) };
            if believed {
                self.ahead_since = None;
            }
        } else if shown < self.now.plus(passed) {
            let back = self.now.plus(passed).since(shown);
            if back > LEAP_MIN && !self.behind {
                self.behind = true;
                step = Some(Step::Back(back));
            }
            // A clock that is slewed runs behind by nothing worth telling; half the pace never overtakes it by more.
            self.now = self.now.plus(Span::micros(passed.as_micros() / 2)).max(shown);
            self.ahead_since = None;
        } else {
            self.now = shown;
            (self.ahead_since, self.behind) = (None, false);
        }
        (self.clock, self.since_start) = (shown, since_start);
        (self.now, step)
    }

    /// The time when it was last asked.
    pub(crate) fn last(&self) -> Time {
        self.now
    }

    /// A stamp that the machine's clock made, in this time: what is behind or ahead of it stays so by as much.
    pub(crate) fn of_stamp(&self, stamp: Time) -> Time {
        let ahead = self.now.since(self.clock);
        let time = stamp.plus(ahead);
        // The future of a stamp is not believed: it would carry the engine's time with it.
        time.min(self.now)
    }

    /// Whether a stamp lies further ahead of its arrival than clocks differ.
    pub(crate) fn is_ahead(&self, stamp: Time) -> bool {
        stamp.since(self.clock) > LEAP_MIN
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    struct Hand {
        now: Cell<i64>,
        passed: Cell<u64>,
    }

    impl Hand {
        fn pass(&self, secs: u64) {
            self.now.set(self.now.get() + secs as i64);
            self.passed.set(self.passed.get() + secs);
        }

        fn jump(&self, secs: i64) {
            self.now.set(self.now.get() + secs);
        }
    }

    impl Clock for Hand {
        fn now(&self) -> Time {
            Time::from_secs(self.now.get())
        }

        fn since_start(&self) -> Duration {
            Duration::from_secs(self.passed.get())
        }
    }

    fn hand() -> Hand {
        Hand { now: Cell::new(1_000_000), passed: Cell::new(0) }
    }

    #[test]
    fn an_hour_forward_is_believed_after_ten_minutes_only() {
        let hand = hand();
        let mut timeline = Timeline::new(&hand, Time::MIN);
        hand.pass(10);
        hand.jump(3_600);
        assert_eq!(timeline.now(&hand), (Time::from_secs(1_000_010), Some(Step::Forward(Span::secs(3_600)))));
        hand.pass(300);
        assert_eq!(timeline.now(&hand), (Time::from_secs(1_000_310), None));
        assert_eq!(timeline.of_stamp(hand.now()), Time::from_secs(1_000_310), "stamps are of the same clock");
        hand.pass(301);
        assert_eq!(timeline.now(&hand), (hand.now(), None));
    }

    #[test]
    fn an_hour_forward_and_back_leaves_no_trace() {
        let hand = hand();
        let mut timeline = Timeline::new(&hand, Time::MIN);
        hand.jump(3_600);
        hand.pass(60);
        timeline.now(&hand);
        hand.jump(-3_600);
        hand.pass(60);
        assert_eq!(timeline.now(&hand), (Time::from_secs(1_000_120), None));
    }

    #[test]
    fn an_hour_back_never_turns_time_back_and_is_made_up_for() {
        let hand = hand();
        let mut timeline = Timeline::new(&hand, Time::MIN);
        hand.jump(-3_600);
        hand.pass(100);
        let (now, step) = timeline.now(&hand);
        assert_eq!((now, step), (Time::from_secs(1_000_050), Some(Step::Back(Span::secs(3_600)))));
        assert_eq!(timeline.of_stamp(hand.now()), now, "a stamp of this second is of this second");
        let mut last = now;
        for _ in 0..100 {
            hand.pass(100);
            let (now, step) = timeline.now(&hand);
            assert!(now >= last && step.is_none());
            last = now;
        }
        assert_eq!(last, hand.now(), "caught up");
    }

    #[test]
    fn stamps_from_the_future_do_not_carry_time_with_them() {
        let hand = hand();
        let mut timeline = Timeline::new(&hand, Time::MIN);
        timeline.now(&hand);
        let future = Time::from_secs(1_000_000 + 7_200);
        assert!(timeline.is_ahead(future));
        assert_eq!(timeline.of_stamp(future), Time::from_secs(1_000_000));
        assert!(!timeline.is_ahead(Time::from_secs(1_000_001)));
    }
}
