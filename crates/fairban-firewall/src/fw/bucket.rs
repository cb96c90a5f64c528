//! [`Bucket`]: so many at once, so many a second thereafter.

/// A token bucket. Times are milliseconds.
#[derive(Debug)]
pub(super) struct Bucket {
    burst: u64,
    a_second: u64,
    /// Thousandths.
    tokens: u64,
    filled_ms: u64,
}

impl Bucket {
    /// A full one.
    pub(super) fn new(burst: u64, a_second: u64) -> Bucket {
        Bucket { burst, a_second, tokens: burst * 1_000, filled_ms: 0 }
    }

    /// Takes as many as there are, at most `wanted`.
    pub(super) fn take(&mut self, wanted: u64, now_ms: u64) -> u64 {
        let passed_ms = now_ms.saturating_sub(self.filled_ms);
        self.tokens =
            self.burst.saturating_mul(1_000).min(self.tokens + passed_ms.saturating_mul(self.a_second));
        self.filled_ms = now_ms;
        let taken = wanted.min(self.tokens / 1_000);
        self.tokens -= taken * 1_000;
        taken
    }

    /// Milliseconds until there is one.
    pub(super) fn wait_ms(&self) -> u64 {
        1_000_u64.saturating_sub(self.tokens).div_ceil(self.a_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gives_a_burst_and_then_its_rate() {
        let mut bucket = Bucket::new(10, 4);
        assert_eq!(bucket.take(7, 0), 7);
        assert_eq!(bucket.take(7, 0), 3);
        assert_eq!(bucket.take(1, 0), 0);
        assert_eq!(bucket.wait_ms(), 250);
        assert_eq!(bucket.take(9, 249), 0);
        assert_eq!(bucket.take(9, 250), 1);
        assert_eq!(bucket.take(100, 1_000_000), 10);
    }
}
