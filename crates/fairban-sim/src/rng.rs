//! Chance: one stream for each actor, so that what one does never changes what another will draw.
//!
//! The generator is PCG-64-MCG, whose stream its crate promises to keep; the distributions are here, and their
//! logarithms come from `libm`, so that a seed gives the same bytes on every machine and with every release.

use core::hash::Hasher as _;

use fairban_core::time::Span;
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng as _;
use siphasher::sip::SipHasher13;

/// A stream of chance.
#[derive(Clone, Debug)]
pub(crate) struct Rng(Pcg64Mcg);

impl Rng {
    /// The stream of the `number`-th `what` in the world of `seed`.
    pub(crate) fn of(seed: u64, what: &str, number: u64) -> Rng {
        let half = |salt: u64| {
            let mut hasher = SipHasher13::new_with_keys(seed, salt);
            hasher.write(what.as_bytes());
            hasher.write_u64(number);
            u128::from(hasher.finish())
        };
        Rng(Pcg64Mcg::new(half(1) << 64 | half(2)))
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// From 0 to below 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From 0 to `bound - 1`; 0 for a bound of 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.bits()) * bound as u128) >> 64) as usize
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A whole number from `low` to `high`, both included.
    pub(crate) fn whole(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    pub(crate) fn span(&mut self, low: Span, high: Span) -> Span {
        Span::micros(self.between(low.as_micros() as f64, high.as_micros() as f64) as i64)
    }

    /// A length around `mean`, up to `share` of it shorter or longer.
    pub(crate) fn about(&mut self, mean: Span, share: f64) -> Span {
        let mean = mean.as_micros() as f64;
        Span::micros(self.between(mean * (1.0 - share), mean * (1.0 + share)) as i64)
    }

    /// The wait until the next of events that come on average every `mean` (exponential).
    pub(crate) fn wait(&mut self, mean: Span) -> Span {
        let long = -libm::log(1.0 - self.unit()) * mean.as_micros() as f64;
        Span::micros(long as i64)
    }

    /// One of a list that is not empty.
    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    /// So many different ones of a list, or all of it, in any order.
    pub(crate) fn some<T: Clone>(&mut self, list: &[T], count: usize) -> Vec<T> {
        let mut list = list.to_vec();
        let count = count.min(list.len());
        for at in 0..count {
            let other = at + self.below(list.len() - at);
            list.swap(at, other);
        }
        list.truncate(count);
        list
    }

    /// A probability of its own for each source: beta-distributed with this mean and intraclass correlation. Honest sources
    /// differ from one another, and that, not the mean, is what breaks naive tests.
    pub(crate) fn beta(&mut self, mean: f64, rho: f64) -> f64 {
        let both = 1.0 / rho - 1.0;
        let (one, other) = (self.gamma(mean * both), self.gamma((1.0 - mean) * both));
        if one + other > 0.0 { one / (one + other) } else { mean }
    }

    fn normal(&mut self) -> f64 {
        let (radius, angle) = (1.0 - self.unit(), self.unit());
        libm::sqrt(-2.0 * libm::log(radius)) * libm::cos(2.0 * core::f64::consts::PI * angle)
    }

    /// Marsaglia and Tsang, "A simple method for generating gamma variables", 2000.
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let boost = libm::pow(1.0 - self.unit(), 1.0 / shape);
            return self.gamma(shape + 1.0) * boost;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / libm::sqrt(9.0 * d);
        loop {
            let x = self.normal();
            let v = 1.0 + c * x;
            let v = v * v * v;
            if v > 0.0 && libm::log(1.0 - self.unit()) < 0.5 * x * x + d - d * v + d * libm::log(v) {
                return d * v;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_their_own_and_stay_the_same() {
        let draw = |seed, what, number| Rng::of(seed, what, number).bits();
        assert_eq!(draw(1, "office", 0), 13_266_155_780_575_335_045, "a released stream never changes");
        assert_ne!(draw(1, "office", 0), draw(2, "office", 0));
        assert_ne!(draw(1, "office", 0), draw(1, "office", 1));
        assert_ne!(draw(1, "office", 0), draw(1, "plain", 0));
    }

    #[test]
    fn distributions_have_their_means_and_spreads() {
        let mut rng = Rng::of(1, "test", 0);
        let n = 20_000;
        let draws: Vec<f64> = (0..n).map(|_| rng.beta(0.05, 0.1)).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(n);
        let variance = draws.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / f64::from(n);
        assert!((mean - 0.05).abs() < 0.003, "{mean}");
        // The intraclass correlation is variance / (m (1 - m)).
        assert!((variance / (0.05 * 0.95) - 0.1).abs() < 0.01, "{variance}");
        let waits: f64 = (0..n).map(|_| rng.wait(Span::secs(10)).as_micros() as f64).sum();
        assert!((waits / f64::from(n) / 1e7 - 1.0).abs() < 0.03);
        assert_eq!(rng.some(&[1, 2, 3], 9).len(), 3);
    }
}
