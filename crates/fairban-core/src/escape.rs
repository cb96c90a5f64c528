//! Writing bytes from outside where a person or a program reads them.
//!
//! One spelling for all sinks (terminal, JSON, reports): printable ASCII as it is, a backslash doubled, every other
//! byte as `\xNN`. So no byte of an attacker reaches a terminal as a control code, and the spelling can be undone.

use core::fmt;

/// Shows bytes escaped; see the module's head.
pub fn escaped(bytes: &[u8]) -> Escaped<'_> {
    Escaped(bytes)
}

/// The adapter that [`escaped`] returns.
#[derive(Clone, Copy)]
pub struct Escaped<'a>(&'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |byte: &u8| matches!(byte, 0x20..=0x7e) && *byte != b'\\';
        let mut rest = self.0;
        loop {
            let plain = rest.iter().position(|byte| !is_plain(byte)).unwrap_or(rest.len());
            let (shown, after) = rest.split_at(plain);
            // Printable ASCII is UTF-8.
            f.write_str(core::str::from_utf8(shown).unwrap_or_default())?;
            let Some((&byte, after)) = after.split_first() else { return Ok(()) };
            if byte == b'\\' {
                f.write_str("\\\\")?;
            } else {
                write!(f, "\\x{byte:02x}")?;
            }
            rest = after;
        }
    }
}
