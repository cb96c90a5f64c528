//! Time stamps as lines write them, before zone and year are known.

use fairban_core::time::Time;

/// A stamp as the line has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// Names its zone (or is TAI64N): a point in time.
    Utc(Time),
    /// Local time of the machine that wrote it.
    Local {
        /// RFC 3164 has none.
        year: Option<i16>,
        /// 1 to 12.
        month: u8,
        /// 1 to 31.
        day: u8,
        /// Microseconds since midnight.
        micros: i64,
    },
}
