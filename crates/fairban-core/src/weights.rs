//! Every number of the judgement, in one place, each with its source.
//!
//! Sources cited: *TRW* = Jung, Paxson, Berger, Balakrishnan, "Fast portscan detection using sequential hypothesis
//! testing", IEEE S&P 2004. *Page* = E. S. Page, "Continuous inspection schemes", Biometrika 1954. *SG* = Tian, Herley,
//! Schechter, "`StopGuessing`", `EuroS&P` 2019. *Wild* = Singh et al., "Where the wild things are", NSDI 2024. *BB* =
//! the beta-binomial reasoning below. *sim* = measured on simulated traffic with known truth.
//!
//! **Falling weights (BB).** Failures of one honest source are not independent: some sources fail for ever. For a kind
//! of failure with honest mean m and intraclass correlation ρ, a = m(1/ρ−1), b = (1−m)(1/ρ−1), the n-th failure of that
//! kind weighs `ln q − ln((a+n−1)/(a+b+n−1))`, where q is a robot's probability of it.

use serde::{Deserialize, Serialize};

use crate::decay::ln_ratio;
use crate::effect::Signal;
use crate::nats::Nats;
use crate::time::Span;

/// A kind of failure at an account that is new at its source, and stays unresolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// The server does not know the account.
    Unknown,
    /// The secret was wrong.
    Wrong,
    /// The log does not say why.
    Failed,
    /// The log does not name the account.
    Hidden,
}

/// What honest and hostile sources do, for one kind in one context. All in 1/10000.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Model {
    /// Honest mean: how often a new account of an honest source fails so and stays unresolved.
    pub(crate) mean: u64,
    /// Intraclass correlation of the honest.
    pub(crate) rho: u64,
    /// A robot's probability of it.
    pub(crate) robot: u64,
}

impl Kind {
    /// Position in tables of counts.
    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// The signal that shows it.
    pub(crate) const fn signal(self) -> Signal {
        match self {
            Kind::Unknown => Signal::UnknownAccount,
            Kind::Wrong => Signal::WrongSecret,
            Kind::Failed => Signal::Refused,
            Kind::Hidden => Signal::HiddenAccount,
        }
    }

    /// ρ between 0.02 and 0.06 fits simulated honest sources; 0.02 banned an office once, 0.05 lets a botnet's third
    /// guess through where 0.03 does not, at no honest source's cost in all scenarios and random towns (sim).
    ///
    /// The model of this kind at a source where no account (`beside_success` false) or some account has succeeded.
    pub(crate) const fn model(self, beside_success: bool) -> Model {
        match (self, beside_success) {
            // sim: 1.25 % of honest first failures stay open so, none of them before the source's first success; SG weighs
            // unknown accounts twice as much as wrong secrets.
            (Kind::Unknown, false) => Model { mean: 100, rho: 300, robot: 9_800 },
            // A dead account beside a live one: sim, 72 of 2,679 honest sources.
            (Kind::Unknown, true) => Model { mean: 800, rho: 300, robot: 9_800 },
            // sim: 3 to 8 % of new honest pairs stay open after a minute.
            (Kind::Wrong, false) => Model { mean: 500, rho: 300, robot: 9_800 },
            (Kind::Wrong, true) => Model { mean: 1_000, rho: 300, robot: 9_800 },
            // The log does not tell the two apart: the sum of both honest means.
            (Kind::Failed, false) => Model { mean: 600, rho: 300, robot: 9_800 },
            (Kind::Failed, true) => Model { mean: 1_600, rho: 300, robot: 9_800 },
            // Neither names nor near misses can excuse it: as Failed, with a larger spread among the honest.
            (Kind::Hidden, false) => Model { mean: 800, rho: 1_000, robot: 9_800 },
            (Kind::Hidden, true) => Model { mean: 2_000, rho: 1_000, robot: 9_800 },
        }
    }
}

impl Model {
    /// Weight of the n-th failure (n from 0), with n in 1/1024 because counts decay like the evidence.
    pub(crate) fn weight(self, earlier_1024: u64) -> Nats {
        // With everything times 10,000 ρ: a + n − 1 = m(1 − ρ) + ρ(n − 1), a + b + n − 1 = (1 − ρ) + ρ(n − 1).
        let scale = 10_000;
        let base = scale - self.rho;
        let hits = self.mean * base * 1024 / scale + self.rho * earlier_1024;
        let tries = base * 1024 + self.rho * earlier_1024;
        let weight = ln_ratio(self.robot * tries, scale * hits);
        if weight < Nats::ZERO { Nats::ZERO } else { weight }
    }
}

/// A wrong secret at a service whose log never shows a success: in the long run every second user of an honest address
/// has mistyped once, and looks as if that had stayed (an office of a hundred must not add up to a robot). The sum over
/// any number of accounts stays below 5.
pub(crate) const BLIND: Model = Model { mean: 5_000, rho: 3_000, robot: 9_800 };
/// Only accounts that fail faster than this, one after the other, weigh more there: a busy office of a hundred fails
/// twenty times in half an hour at worst.
pub(crate) const BLIND_GAP: Span = Span::secs(30);

/// The limit `ln((1 − β)/α)` for α = 10⁻⁶, β = 0.01 (Wald). α is nominal: see the measured rates in the documentation.
pub(crate) const LIMIT: Nats = Nats::milli(13_805);
/// Credit is bounded below (Page's CUSUM: old good deeds cannot shield a change).
pub(crate) const CREDIT_FLOOR: Nats = Nats::milli(-8_000);
/// First success of an account at a source: ln((1 − 0.98)/(1 − 0.05)) (TRW), once an account.
pub(crate) const FIRST_SUCCESS: Nats = Nats::milli(-3_900);
/// All the credit that first successes give one source: a robot that owns ten accounts buys no more than two.
pub(crate) const CREDIT_SUM: Nats = Nats::milli(-8_000);
/// Half of a source's evidence is gone after this: a guess every few hours still adds up over a week.
pub(crate) const HALF_LIFE: Span = Span::days(5);

/// A second new account fails where none has succeeded: 8 % of honest open sources ever show one, every scanner does (sim).
pub(crate) const SECOND_ACCOUNT: Nats = Nats::milli(2_500);
/// A name of the robots' dictionary: ln(0.5/5e-4) (Wild).
pub(crate) const DICTIONARY: Nats = Nats::milli(6_900);
/// A secret that strangers tried at three accounts and more: ln(0.5/2e-3).
pub(crate) const POPULAR: Nats = Nats::milli(5_500);
/// A clear-text secret that robots try first.
pub(crate) const COMMON: Nats = Nats::milli(3_000);
/// Another secret at the same account, the second, third …: honest people search their memory, and the longer the more.
/// Second 0.95 against 0.35, fourth 0.95 against 0.55, then 0.65: it stays a robot's habit.
pub(crate) const ANOTHER_SECRET: [Nats; 6] = [
    Nats::milli(1_000),
    Nats::milli(800),
    Nats::milli(650),
    Nats::milli(550),
    Nats::milli(500),
    Nats::milli(450),
];
/// The same secret again at the same account: ln(0.04/0.65), robots hardly repeat themselves, old devices do nothing else.
pub(crate) const SAME_SECRET: Nats = Nats::milli(2_800);
/// Tries with one secret before it is believed: a robot that imitates a device pays twice over for each guess.
pub(crate) const SAME_SECRET_TRIES: u16 = 3;
/// What untagged tries at one account can add, per try beyond [`FAST_TRIES`] a minute. Slower ones add nothing, ever.
pub(crate) const FAST_REPEAT: Nats = Nats::milli(2_000);
/// Tries at one account within a minute that no person and no mail program makes.
pub(crate) const FAST_TRIES: u16 = 20;
/// Tries at one account within a minute when a session repeats itself: mail programs do not, and nobody types so fast.
pub(crate) const TYPED_TRIES: u16 = 10;
/// The most that the gaps between new accounts can add to one source.
pub(crate) const SPEED_SUM: Nats = Nats::milli(4_000);
/// The most that the measured prior lowers the limit, for strangers only.
pub(crate) const PRIOR_MAX: Nats = Nats::milli(4_000);
/// The most for a stranger at an account under attack: ln(k/λ) beyond this says no more about him.
pub(crate) const ATTACK_MAX: Nats = Nats::milli(3_500);
/// The most that it lowers the limit of a source that was banned before: its probation says more about it than its
/// likes do, and one typo of the address's next owner must stay below the limit (9 + 3 < 13.8 − 1.5).
pub(crate) const PRIOR_MAX_BACK: Nats = Nats::milli(1_500);
/// Who fails within this time after a ban is the robot again; addresses that change hands do so at night.
pub(crate) const BACK_WITHIN: Span = Span::hours(6);
/// Where evidence starts after a ban has ended.
pub(crate) const PROBATION: Nats = Nats::milli(9_000);

/// Distinct secrets at one account within the pending time that a person may try.
pub(crate) const PENDING_SECRETS: u8 = 4;
/// A digest failure is resolved by the plain login within seconds, or not at all.
pub(crate) const DIGEST_PENDING: Span = Span::secs(6);
/// 69 % of the honest resolve within 2 s, 72 % within 60 s, 73 % within 5 min (sim): waiting longer only arms robots.
pub(crate) const PLAIN_PENDING: Span = Span::secs(60);
/// How long somebody who goes on trying at one account keeps its failures pending. A robot that goes on for so long has
/// made its four guesses there either way, and a third account ends the wait.
pub(crate) const TRYING_PENDING: Span = Span::minutes(3);
/// The longest that an open session keeps its failures pending.
pub(crate) const SESSION_PENDING: Span = Span::minutes(10);
/// Distinct accounts that fail without any success before all pending failures are weighed at once.
pub(crate) const EARLY_ACCOUNTS: u16 = 3;

/// Weight of the gap before a new failing account, where none has succeeded: a robot's gap is log-uniform from 10 ms to
/// 10 min, honest shared addresses leave a second and more (sim: a scanner's first seven names come in half a second, a
/// classroom's in half a minute).
pub(crate) fn gap_weight(gap: Span) -> Nats {
    match gap.as_micros() {
        ..300_000 => Nats::milli(2_000),
        300_000..1_000_000 => Nats::milli(1_500),
        1_000_000..2_000_000 => Nats::milli(400),
        _ => Nats::ZERO,
    }
}

/// Weight of one more secret at an account where `before` different ones have failed (at least 1).
pub(crate) fn another_secret(before: u16) -> Nats {
    ANOTHER_SECRET[usize::from(before.saturating_sub(1)).min(ANOTHER_SECRET.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_fall_as_the_beta_binomial_says() {
        // Computed apart: mean 0.01, ρ 0.03, q = 0.98.
        let model = Kind::Unknown.model(false);
        for (n, want) in [(0, 4.585), (1, 3.206), (2, 2.673)] {
            let got = model.weight(n * 1024).to_f64();
            assert!((got - want).abs() < 0.01, "unknown account no. {}: {got}, not {want}", n + 1);
        }
        let model = Kind::Wrong.model(false);
        for (n, want) in [(0, 2.976), (1, 2.525), (2, 2.230)] {
            let got = model.weight(n * 1024).to_f64();
            assert!((got - want).abs() < 0.02, "wrong secret no. {}: {got}, not {want}", n + 1);
        }
    }

    #[test]
    fn no_weight_is_negative_however_many_came_before() {
        for kind in [Kind::Unknown, Kind::Wrong, Kind::Failed, Kind::Hidden] {
            for beside in [false, true] {
                assert!(kind.model(beside).weight(1 << 40) >= Nats::ZERO);
            }
        }
    }
}
