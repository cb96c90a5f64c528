//! The statistical floor: how many observations any test needs on average that convicts at most one honest source in a
//! million and misses at most one robot in a hundred (Wald, "Sequential analysis", 1947).
//!
//! A function of what honest sources and robots do alone. Real sources differ among themselves, and whoever allows for
//! that needs more.

use crate::actor::Situation;

/// A false ban, a missed robot.
const ALPHA: f64 = 1e-6;
const BETA: f64 = 0.01;
/// A robot's guess fails.
const ROBOT: f64 = 0.98;
/// An honest source's first try at an account that is new there fails and stays so, by kind: account unknown to the server,
/// wrong secret. The means that the engine starts from.
const HONEST_UNKNOWN: f64 = 0.01;
const HONEST_WRONG: f64 = 0.05;
/// An honest source that failed with one secret fails with another one next: people search their memory, and the more
/// often they failed, the longer (0.35 rising to 0.65; the mean of a long row).
const HONEST_NEW_SECRET: f64 = 0.55;

/// Kullback-Leibler divergence of two coins: nats of evidence that one observation gives on average.
fn divergence(robot: f64, honest: f64) -> f64 {
    let part = |one: f64, other: f64| one * libm::log(one / other);
    part(robot, honest) + part(1.0 - robot, 1.0 - honest)
}

/// The mean number of guesses to a verdict; `None` where no number of them is enough.
pub(crate) fn floor(situation: Situation) -> Option<f64> {
    let gain = match situation {
        Situation::NewAccounts { unknown } => {
            unknown * divergence(ROBOT, HONEST_UNKNOWN) + (1.0 - unknown) * divergence(ROBOT, HONEST_WRONG)
        }
        Situation::NewSecrets => divergence(ROBOT, HONEST_NEW_SECRET),
        Situation::Nothing => return None,
    };
    let upper = libm::log((1.0 - BETA) / ALPHA);
    let lower = libm::log(BETA / (1.0 - ALPHA));
    Some(((1.0 - BETA) * upper + BETA * lower) / gain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_is_that_of_the_formula() {
        // Computed apart: x = 0.05 gives 4.8 guesses, x = 0.01 gives 3.1.
        let at = |unknown| floor(Situation::NewAccounts { unknown }).expect("a floor");
        assert!((at(0.0) - 4.8).abs() < 0.06, "{}", at(0.0));
        assert!((at(1.0) - 3.1).abs() < 0.06, "{}", at(1.0));
        assert!(at(0.5) > at(1.0) && at(0.5) < at(0.0));
        assert_eq!(floor(Situation::Nothing), None);
    }
}
