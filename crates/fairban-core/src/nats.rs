//! Evidence in fixed point: whole 1/1024 nats in an `i32`, so that sums are equal to the bit on every machine.

use core::fmt;
use core::iter::Sum;
use core::ops::{Add, AddAssign, Neg, Sub, SubAssign};

use serde::{Deserialize, Serialize};

/// A log-likelihood ratio (robot over honest) or a sum of such, in 1/1024 nats. Arithmetic saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Nats(i32);

impl Nats {
    /// No evidence either way.
    pub const ZERO: Nats = Nats(0);

    /// From 1/1024 nats.
    pub const fn raw(raw: i32) -> Nats {
        Nats(raw)
    }

    /// From thousandths of a nat, rounded to the nearest 1/1024: for constants that people read.
    pub const fn milli(milli: i32) -> Nats {
        let scaled = milli as i64 * 1024;
        let half = if milli < 0 { -500 } else { 500 };
        Nats(((scaled + half) / 1000) as i32)
    }

    /// In 1/1024 nats.
    pub const fn to_raw(self) -> i32 {
        self.0
    }

    /// For showing only; no decision is made in floating point.
    pub fn to_f64(self) -> f64 {
        f64::from(self.0) / 1024.0
    }

    /// This times `num / den`, rounded toward zero.
    ///
    /// # Panics
    /// If `den` is 0: a fault of the caller, who gives constants.
    #[must_use]
    pub const fn scaled(self, num: i32, den: i32) -> Nats {
        Nats((self.0 as i64 * num as i64 / den as i64) as i32)
    }
}

impl Add for Nats {
    type Output = Nats;
    fn add(self, other: Nats) -> Nats {
        Nats(self.0.saturating_add(other.0))
    }
}

impl Sub for Nats {
    type Output = Nats;
    fn sub(self, other: Nats) -> Nats {
        Nats(self.0.saturating_sub(other.0))
    }
}

impl Neg for Nats {
    type Output = Nats;
    fn neg(self) -> Nats {
        Nats(self.0.saturating_neg())
    }
}

impl AddAssign for Nats {
    fn add_assign(&mut self, other: Nats) {
        *self = *self + other;
    }
}

impl SubAssign for Nats {
    fn sub_assign(&mut self, other: Nats) {
        *self = *self - other;
    }
}

impl Sum for Nats {
    fn sum<I: Iterator<Item = Nats>>(iter: I) -> Nats {
        iter.fold(Nats::ZERO, Add::add)
    }
}

impl fmt::Display for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}", self.to_f64())
    }
}
