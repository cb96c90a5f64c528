//! [`Latency`]: how long bans took, of the last ones.

use std::time::Duration;

/// As many are remembered.
const KEPT: usize = 4_096;

/// A ring of durations.
#[derive(Debug, Default)]
pub(super) struct Latency {
    nanoseconds: Vec<u32>,
    next: usize,
}

impl Latency {
    pub(super) fn note(&mut self, took: Duration) {
        let took = u32::try_from(took.as_nanos()).unwrap_or(u32::MAX);
        if self.nanoseconds.len() < KEPT {
            self.nanoseconds.push(took);
        } else {
            self.nanoseconds[self.next] = took;
            self.next = (self.next + 1) % KEPT;
        }
    }

    /// Microseconds that `hundredths` of a hundred did not exceed; 0 when there were none.
    pub(super) fn percentile_us(&self, hundredths: usize) -> u32 {
        let mut sorted = self.nanoseconds.clone();
        sorted.sort_unstable();
        let index = (sorted.len() * hundredths / 100).min(sorted.len().saturating_sub(1));
        sorted.get(index).map_or(0, |nanoseconds| nanoseconds.div_ceil(1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_ones_go() {
        let mut latency = Latency::default();
        assert_eq!(latency.percentile_us(50), 0);
        for us in 0..KEPT as u64 + 100 {
            latency.note(Duration::from_micros(if us < 100 { 1_000_000 } else { us }));
        }
        assert_eq!(latency.percentile_us(0), 100);
        assert_eq!(latency.percentile_us(100), KEPT as u32 + 99);
    }
}
