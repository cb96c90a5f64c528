//! Logarithms and decay in fixed point.

use crate::nats::Nats;
use crate::tables::{HALVING, LN_1P};
use crate::time::Span;

/// Natural logarithm of 2 in 1/65536.
const LN_2: i64 = 45_426;

/// `ln(num / den)` in 1/1024 nats, exact to about 1/1024.
///
/// # Panics
/// Never: zero counts as one, for a probability of zero is a fault of the weights, not of a line.
pub(crate) fn ln_ratio(num: u64, den: u64) -> Nats {
    let raw = ln_65536(num.max(1)) - ln_65536(den.max(1));
    Nats::raw(((raw + 32) >> 6) as i32)
}

/// `ln(x)` in 1/65536, for x ≥ 1: the exponent times ln 2, and the mantissa from the table, interpolated.
fn ln_65536(x: u64) -> i64 {
    let exponent = 63 - i64::from(x.leading_zeros());
    let mantissa = (x << (63 - exponent)) << 1;
    let index = (mantissa >> 56) as usize;
    let rest = ((mantissa >> 40) & 0xffff) as i64;
    let (low, high) = (i64::from(LN_1P[index]), i64::from(LN_1P[index + 1]));
    exponent * LN_2 + low + (((high - low) * rest) >> 16)
}

/// What is left of `value` after `elapsed`, when half is left after `half_life`. Nothing grows when time goes back.
///
/// # Panics
/// Never; a half-life of zero counts as one microsecond.
#[inline]
pub(crate) fn decayed(value: i64, elapsed: Span, half_life: Span) -> i64 {
    if value == 0 || elapsed <= Span::ZERO {
        return value;
    }
    let (elapsed, half_life) = (elapsed.as_micros(), half_life.as_micros().max(1));
    let steps = match elapsed.checked_mul(65_536) {
        Some(parts) => parts / half_life,
        // More than four years.
        None => i64::try_from(i128::from(elapsed) * 65_536 / i128::from(half_life)).unwrap_or(i64::MAX),
    };
    let halvings = steps >> 16;
    if halvings >= 62 {
        return 0;
    }
    let index = ((steps >> 8) & 0xff) as usize;
    let rest = steps & 0xff;
    let (high, low) = (i64::from(HALVING[index]), i64::from(HALVING[index + 1]));
    let factor = high - (((high - low) * rest) >> 8);
    let left = (i128::from(value) * i128::from(factor)) >> 16;
    // Rounds toward zero, so that credit and evidence both end at zero.
    let left = left as i64;
    if left < 0 { -((-left) >> halvings) } else { left >> halvings }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_right_to_a_thousandth() {
        for (num, den) in [(1, 1), (2, 1), (1, 2), (1, 100), (7, 3), (1_000_003, 17), (u64::MAX, 1)] {
            let exact = libm::log(num as f64 / den as f64);
            assert!((ln_ratio(num, den).to_f64() - exact).abs() < 0.002, "ln({num}/{den})");
        }
    }

    #[test]
    fn decay_halves_and_never_grows() {
        let day = Span::days(1);
        assert_eq!(decayed(1024, day, day), 512);
        assert_eq!(decayed(-1024, day, day), -512);
        assert_eq!(decayed(1024, Span::days(100), day), 0);
        assert_eq!(decayed(1024, Span::micros(-5), day), 1024);
        let quarter = decayed(1 << 20, Span::hours(6), day) as f64 / f64::from(1 << 20);
        assert!((quarter - 0.840_896).abs() < 1e-4, "{quarter}");
    }
}
