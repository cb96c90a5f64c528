//! One entry of the journal, as `journalctl -o json` writes it, and the log line that it stands for.
//!
//! Fields whose names begin with an underscore were set by journald and cannot be forged by who wrote the entry; those
//! with two are its address. All others are the writer's.

use std::fmt;
use std::io::Write as _;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};

use crate::line::append_record;

/// The fields asked for; `journalctl` adds cursor and times itself.
pub(super) const FIELDS: &str =
    "MESSAGE,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID,_UID,_EXE,_COMM,_SYSTEMD_UNIT,_TRANSPORT,_HOSTNAME";

/// An entry with the fields that matter.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Entry {
    #[serde(rename = "__CURSOR")]
    pub(super) cursor: String,
    #[serde(rename = "__REALTIME_TIMESTAMP")]
    pub(super) micros: Field,
    #[serde(rename = "MESSAGE")]
    pub(super) message: Field,
    #[serde(rename = "SYSLOG_IDENTIFIER")]
    pub(super) identifier: Field,
    #[serde(rename = "SYSLOG_PID")]
    pub(super) claimed_pid: Field,
    #[serde(rename = "_PID")]
    pub(super) pid: Field,
    #[serde(rename = "_UID")]
    pub(super) uid: Field,
    #[serde(rename = "_EXE")]
    pub(super) exe: Field,
    #[serde(rename = "_COMM")]
    pub(super) comm: Field,
    #[serde(rename = "_SYSTEMD_UNIT")]
    pub(super) unit: Field,
    #[serde(rename = "_TRANSPORT")]
    pub(super) transport: Field,
    #[serde(rename = "_HOSTNAME")]
    pub(super) host: Field,
}

/// A field's value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Field {
    /// The entry has no such field.
    #[default]
    Absent,
    /// One value: text, or an array of bytes where it is not printable.
    One(Vec<u8>),
    /// `null`: too long to be shown.
    TooLong,
    /// The writer set it more than once: no telling which is meant.
    Several,
}

impl Field {
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::One(bytes) => Some(bytes),
            Self::Absent | Self::TooLong | Self::Several => None,
        }
    }

    pub(super) fn number<T: std::str::FromStr>(&self) -> Option<T> {
        std::str::from_utf8(self.bytes()?).ok()?.parse().ok()
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, an array of bytes, null, or an array of these")
    }

    fn visit_str<E>(self, text: &str) -> Result<Field, E> {
        Ok(Field::One(text.as_bytes().to_vec()))
    }

    fn visit_unit<E>(self) -> Result<Field, E> {
        Ok(Field::TooLong)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Field, A::Error> {
        let mut bytes = Vec::new();
        let mut several = false;
        while let Some(element) = array.next_element::<Element>()? {
            match element {
                Element::Byte(byte) => bytes.push(byte),
                Element::Value => several = true,
            }
        }
        match (several, bytes.is_empty()) {
            (false, _) => Ok(Field::One(bytes)),
            (true, true) => Ok(Field::Several),
            (true, false) => Err(A::Error::custom("bytes and values in one array")),
        }
    }
}

/// Of an array: a byte of the only value, or one value of several.
enum Element {
    Byte(u8),
    Value,
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ElementVisitor;
        impl<'de> Visitor<'de> for ElementVisitor {
            type Value = Element;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a byte or a value")
            }

            fn visit_u64<E: serde::de::Error>(self, byte: u64) -> Result<Element, E> {
                u8::try_from(byte).map(Element::Byte).map_err(E::custom)
            }

            fn visit_str<E>(self, _: &str) -> Result<Element, E> {
                Ok(Element::Value)
            }

            fn visit_unit<E>(self) -> Result<Element, E> {
                Ok(Element::Value)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Element, A::Error> {
                while array.next_element::<u8>()?.is_some() {}
                Ok(Element::Value)
            }
        }
        deserializer.deserialize_any(ElementVisitor)
    }
}

/// Why an entry is no line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoLine {
    /// Its message is too long to be shown.
    TooLong,
    /// It lacks what a line needs, or has it twice.
    Unreadable,
}

impl Entry {
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    /// The log line, and whether it was cut.
    ///
    /// What a program wrote to its standard error stands as multilog has it, `@40…stamp MESSAGE`: there is no name in
    /// front that the program did not write, and the parser believes no service in such a log but a superserver. All
    /// else is `ISO-stamp HOST IDENTIFIER[PID]: MESSAGE`.
    pub(super) fn line(&self, is_standard_error: bool) -> Result<(Vec<u8>, bool), NoLine> {
        let message = match &self.message {
            Field::One(message) => message,
            Field::TooLong => return Err(NoLine::TooLong),
            Field::Absent | Field::Several => return Err(NoLine::Unreadable),
        };
        let micros: i64 = self.micros.number().ok_or(NoLine::Unreadable)?;
        let head = if is_standard_error { multilog_stamp(micros) } else { self.syslog_head(micros) };
        let mut line = head.ok_or(NoLine::Unreadable)?;
        let cut = append_record(&mut line, message);
        Ok((line, cut))
    }

    fn syslog_head(&self, micros: i64) -> Option<Vec<u8>> {
        let stamp = jiff::Timestamp::from_microsecond(micros).ok()?;
        let identifier = self.identifier.bytes().filter(|identifier| is_identifier(identifier))?;
        let host = self.host.bytes().filter(|host| is_identifier(host)).unwrap_or(b"localhost");
        let mut head = Vec::with_capacity(256);
        // Writing to memory never fails.
        let _ = write!(head, "{stamp:.6} ");
        head.extend_from_slice(host);
        head.push(b' ');
        head.extend_from_slice(identifier);
        if let Some(pid) = self.pid.number::<u32>().or_else(|| self.claimed_pid.number()) {
            let _ = write!(head, "[{pid}]");
        }
        head.extend_from_slice(b": ");
        Some(head)
    }
}

/// `@`, TAI in 16 and nanoseconds in 8 hexadecimal digits, and a blank.
fn multilog_stamp(micros: i64) -> Option<Vec<u8>> {
    const TAI_OF_1970: i64 = (1 << 62) + 10;
    let seconds = micros.div_euclid(1_000_000);
    let nanos = micros.rem_euclid(1_000_000) * 1000;
    // Negative ones are before 1970, when there was no journal.
    (0..1 << 40)
        .contains(&seconds)
        .then(|| format!("@{:016x}{nanos:08x} ", TAI_OF_1970 + seconds).into_bytes())
}

/// A name that ends neither itself nor the line's head.
fn is_identifier(name: &[u8]) -> bool {
    const NAME_BYTES_MAX: usize = 64;
    let is_of_name =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'/' | b'@');
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.iter().all(is_of_name)
}

#[cfg(test)]
mod tests;
