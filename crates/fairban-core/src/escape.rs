//! Writing bytes from outside where a person or a program reads them.
//!
//! One spelling for all sinks (terminal, JSON, reports): printable ASCII as it is, a backslash doubled, every other
//! byte as `\xNN`. So no byte of an attacker reaches a terminal as a control code, and the spelling can be undone.

use core::fmt::{self, Write as _};

/// Shows bytes escaped; see the module's head.
pub fn escaped(bytes: &[u8]) -> Escaped<'_> {
    Escaped(bytes)
}

/// The adapter that [`escaped`] returns.
#[derive(Clone, Copy)]
pub struct Escaped<'a>(&'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &byte in self.0 {
            match byte {
                b'\\' => f.write_str("\\\\")?,
                0x20..=0x7e => f.write_char(byte as char)?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        Ok(())
    }
}
