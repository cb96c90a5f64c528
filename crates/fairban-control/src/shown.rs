//! [`Shown`]: text from outside that is safe to show.

use std::fmt;

use fairban_core::escape::escaped;
use serde::{Deserialize, Deserializer, Serialize};

/// Text as `fairban_core::escape` spells it: printable ASCII, a backslash doubled, every other byte as `\xNN`.
///
/// There is no way to have one that holds anything else, also not by reading an answer from a socket.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Shown(String);

impl Shown {
    /// Spells bytes from outside, or a sentence of ours that holds no spelt bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> Shown {
        Shown(escaped(bytes.as_ref()).to_string())
    }

    /// Takes text that is spelt already, such as a sentence of ours around a spelt name; where it is not, it is spelt now.
    pub fn spelt(text: impl Into<String>) -> Shown {
        let text = text.into();
        if is_spelt(&text) { Shown(text) } else { Shown::of(text) }
    }

    /// The spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The bytes that were spelt.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len());
        let mut rest = self.0.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            rest = match (first, after) {
                (b'\\', [b'x', high, low, after @ ..]) => {
                    bytes.push((digit(*high) << 4) | digit(*low));
                    after
                }
                (b'\\', [_, after @ ..]) => {
                    bytes.push(b'\\');
                    after
                }
                _ => {
                    bytes.push(first);
                    after
                }
            };
        }
        bytes
    }
}

/// Whether a text is what `escaped` makes of some bytes, or could be: every backslash begins an escape.
fn is_spelt(text: &str) -> bool {
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = match (first, after) {
            (b'\\', [b'\\', after @ ..]) => after,
            (b'\\', [b'x', high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                after
            }
            (0x20..=0x5b | 0x5d..=0x7e, _) => after,
            _ => return false,
        };
    }
    true
}

fn digit(hexadecimal: u8) -> u8 {
    // Only digits come here: `is_spelt` has seen to it.
    (hexadecimal as char).to_digit(16).unwrap_or_default() as u8
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<'de> Deserialize<'de> for Shown {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Shown, D::Error> {
        String::deserialize(deserializer).map(Shown::spelt)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_come_back(bytes: Vec<u8>) {
            let shown = Shown::of(&bytes);
            prop_assert_eq!(shown.bytes(), bytes);
            prop_assert_eq!(Shown::spelt(shown.as_str()), shown);
        }

        #[test]
        fn nothing_unprintable_gets_in(text: String) {
            for shown in [Shown::of(&text), Shown::spelt(text.clone())] {
                prop_assert!(shown.as_str().bytes().all(|byte| (0x20..=0x7e).contains(&byte)));
            }
        }
    }

    #[test]
    fn a_socket_cannot_hand_over_control_codes() {
        let read: Shown = serde_json::from_str("\"\\u001b[31m\\\\\"").unwrap();
        assert_eq!(read.as_str(), "\\x1b[31m\\\\");
        let read: Shown = serde_json::from_str("\"a\\\\xffb\"").unwrap();
        assert_eq!((read.as_str(), read.bytes()), ("a\\xffb", b"a\xffb".to_vec()));
    }
}
