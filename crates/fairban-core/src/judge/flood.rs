//! Connections without a login: by rate against an honest baseline.
//!
//! A monitor that probes once a minute, a scanner of the whole net that looks in twice and a phone that connects in
//! vain stay far below it. Where the log holds connections alone (tcpserver without login lines), that nobody logged
//! in is a guess from the session's length; there the baseline is higher and the evidence is called weak.

use serde::{Deserialize, Serialize};

use super::source::{Unit, secs_u32};
use crate::decay::ln_ratio;
use crate::limits::Limits;
use crate::nats::Nats;
use crate::table::Table;
use crate::time::{Span, Time};

const WINDOW_SECS: u32 = 600;
/// Connections without a login in ten minutes that an honest source makes at most: three times a monitor's.
const HONEST: u64 = 30;
/// The same where it is a guess that nobody logged in.
const HONEST_GUESSED: u64 = 150;
/// A session this short held no login: `vchkpw` alone takes longer.
const TOO_SHORT: Span = Span::millis(5);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Flow {
    start: u32,
    /// Connections in the window, in 1/8 (a long guessed one counts less).
    count_8: u32,
    /// Evidence already given for this window, raw.
    given: i32,
    guessed: bool,
}

/// Sources with connections that logged in nobody.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Flows {
    flows: Table<Flow>,
    /// When the slots of a connection-only service were last nearly full, and who held at least half of them.
    saturated: Option<(Time, Unit)>,
}

/// A connection without a login, as the joiner tells it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Idle {
    pub(crate) unit: Unit,
    pub(crate) lasted: Option<Span>,
    pub(crate) guessed: bool,
    /// Accounts that logged in at this source: each may leave connections unused.
    pub(crate) accounts: u16,
}

impl Flows {
    pub(crate) fn new(key: [u8; 16]) -> Flows {
        Flows { flows: Table::new(key), saturated: None }
    }

    /// Slots in use; `largest` holds the most of them.
    pub(crate) fn slots(&mut self, in_use: u32, slots: u32, largest: Option<(Unit, u32)>, now: Time) {
        if let Some((unit, held)) = largest
            && slots >= 8
            && u64::from(in_use) * 10 >= u64::from(slots) * 9
            && u64::from(held) * 2 >= u64::from(slots)
        {
            self.saturated = Some((now, unit));
        }
    }

    /// Takes one; returns the evidence it adds, and how many the source made in this window.
    pub(crate) fn idle(&mut self, idle: Idle, now: Time, limits: &Limits) -> (Nats, u32) {
        let Idle { unit, lasted, guessed, accounts } = idle;
        let holds_slots =
            self.saturated.is_some_and(|(at, holder)| holder == unit && now.since(at) < Span::minutes(1));
        let share_8 = match (guessed, lasted) {
            (false, _) => 8,
            (true, _) if holds_slots => 8,
            (true, Some(lasted)) if lasted < TOO_SHORT => 8,
            // A session long enough for a login says nothing by itself: a hub has thousands.
            (true, _) => return (Nats::ZERO, 0),
        };
        if self.flows.get(unit.0).is_none() && self.flows.len() >= limits.pending as usize {
            let victim = self.flows.victim(16, |flow| Some((flow.count_8, flow.start)));
            victim.and_then(|victim| self.flows.remove(victim));
        }
        let flow = self.flows.entry(unit.0, Flow::default);
        let secs = secs_u32(now);
        if secs.saturating_sub(flow.start) > WINDOW_SECS {
            *flow = Flow { start: secs, ..Flow::default() };
        }
        flow.count_8 = flow.count_8.saturating_add(share_8);
        flow.guessed |= guessed;
        let honest = if flow.guessed { HONEST_GUESSED } else { HONEST } * (1 + u64::from(accounts.min(64)));
        let total = poisson_ratio(u64::from(flow.count_8) / 8, honest).to_raw();
        let news = total - flow.given;
        flow.given = flow.given.max(total);
        (Nats::raw(news.max(0)), flow.count_8 / 8)
    }
}

/// `k ln(k/λ) − (k − λ)`, the generalised likelihood ratio of a rate above λ; 0 at and below λ.
fn poisson_ratio(k: u64, honest: u64) -> Nats {
    if k <= honest {
        return Nats::ZERO;
    }
    let raw = k as i64 * i64::from(ln_ratio(k, honest).to_raw()) - (k - honest) as i64 * 1024;
    Nats::raw(raw.clamp(0, 64 * 1024) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(count: i64, gap: Span, guessed: bool, lasted: Span) -> Nats {
        let unit = Unit::of(core::net::IpAddr::from([192, 0, 2, 1]));
        let mut flows = Flows::new([0; 16]);
        let start = Time::from_secs(1_000_000);
        (0..count)
            .map(|n| {
                let idle = Idle { unit, lasted: Some(lasted), guessed, accounts: 0 };
                flows.idle(idle, start.plus(Span::micros(gap.as_micros() * n)), &Limits::default()).0
            })
            .sum()
    }

    #[test]
    fn a_flood_of_silent_connections_is_found_within_a_hundred() {
        assert!(run(100, Span::millis(50), false, Span::ZERO) > crate::weights::LIMIT);
        assert_eq!(run(30, Span::millis(50), false, Span::ZERO), Nats::ZERO);
    }

    #[test]
    fn a_monitor_that_probes_every_minute_stays_for_ever() {
        assert_eq!(run(10_000, Span::minutes(1), false, Span::ZERO), Nats::ZERO);
        assert_eq!(run(10_000, Span::minutes(1), true, Span::ZERO), Nats::ZERO);
    }

    #[test]
    fn in_a_log_of_connections_alone_short_sessions_tell_and_long_ones_do_not() {
        assert!(run(1_000, Span::millis(50), true, Span::micros(600)) > crate::weights::LIMIT);
        assert_eq!(run(100_000, Span::millis(50), true, Span::millis(120)), Nats::ZERO);
    }
}
