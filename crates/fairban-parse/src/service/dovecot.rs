//! Grammar of dovecot.

use crate::record::{Reading, Record};
use crate::secret::Secrets;

/// Reads one record.
pub fn read(record: &Record<'_>, secrets: &Secrets) -> Reading {
    let _ = (record, secrets);
    Reading::Odd { login_like: false }
}
