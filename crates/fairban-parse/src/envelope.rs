//! What stands around a record: RFC 3164, RFC 5424, ISO 8601, multilog's TAI64N, tai64nlocal, Dovecot's own file.

use crate::record::Record;

/// Splits a line (without its line feed) into stamp text and record; `None` for a line of no known format.
pub fn split(line: &[u8]) -> Option<(RawStamp<'_>, Record<'_>)> {
    let _ = line;
    None
}

/// The bytes of a stamp and how to read them, not yet parsed: lines of unknown daemons never are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawStamp<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
}
