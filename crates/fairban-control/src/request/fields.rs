//! The fields of a request: taken one by one, and none left over.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::BadRequest;
use crate::shown::Shown;

/// Every question, for the answer to one that is not known.
const QUESTIONS: [&str; 19] = [
    "status",
    "bans",
    "ban",
    "unban",
    "allow",
    "allow-list",
    "allow-remove",
    "why",
    "tail",
    "mode",
    "confirm",
    "limits",
    "limit-set",
    "limit-off",
    "limit-reset",
    "resume",
    "reload",
    "ping",
    "report",
];

/// Bytes of a name from outside that an error repeats.
const ECHO_BYTES_MAX: usize = 40;

/// What stands in a request and was not taken yet, and which names it takes.
pub(super) struct Fields {
    left: BTreeMap<String, Value>,
    question: String,
    taken: Vec<&'static str>,
}

impl Fields {
    /// Reads an object.
    pub(super) fn read(line: &[u8]) -> Result<Fields, BadRequest> {
        match serde_json::from_slice::<Object>(line) {
            Ok(Object(left)) => Ok(Fields { left, question: String::new(), taken: Vec::new() }),
            Err(error) => Err(BadRequest::new(format!("not a JSON object on one line: {error}"))),
        }
    }

    /// The question: the field `ask`.
    pub(super) fn name(&mut self) -> Result<String, BadRequest> {
        self.question = self.needed("ask", "the name of a question")?;
        self.taken.clear();
        Ok(self.question.clone())
    }

    pub(super) fn unknown_question(name: &str) -> BadRequest {
        let near = QUESTIONS.join(", ");
        Fields::wrong("ask", &format!("nobody can ask `{}`; there is {near}", cut(name)))
    }

    /// A field that must be there.
    pub(super) fn needed<T: DeserializeOwned>(
        &mut self,
        name: &'static str,
        expected: &str,
    ) -> Result<T, BadRequest> {
        self.optional(name, expected)?.ok_or_else(|| Fields::missing(name, expected))
    }

    /// A field that may be there; `null` is as if it were not.
    pub(super) fn optional<T: DeserializeOwned>(
        &mut self,
        name: &'static str,
        expected: &str,
    ) -> Result<Option<T>, BadRequest> {
        self.taken.push(name);
        let value = self.left.remove(name).unwrap_or_default();
        serde_json::from_value(value)
            .map_err(|error| Fields::wrong(name, &format!("expected {expected} ({error})")))
    }

    /// A number from 1 to `most`.
    pub(super) fn number(&mut self, name: &'static str, most: u32) -> Result<Option<u32>, BadRequest> {
        let expected = format!("a whole number from 1 to {most}");
        match self.optional::<u32>(name, &expected)? {
            Some(number) if number == 0 || number > most => {
                Err(Fields::wrong(name, &format!("expected {expected}")))
            }
            number => Ok(number),
        }
    }

    /// Fails if anything is left.
    pub(super) fn finish(self) -> Result<(), BadRequest> {
        let Some(name) = self.left.into_keys().next() else { return Ok(()) };
        let takes = match self.taken.as_slice() {
            [] => "nothing else".to_owned(),
            taken => taken.join(", "),
        };
        let message =
            format!("`{}` does not take the field `{}`; it takes {takes}", self.question, cut(&name));
        Err(BadRequest { field: Some(Shown::of(cut(&name))), ..BadRequest::new(message) })
    }

    pub(super) fn missing(name: &'static str, expected: &str) -> BadRequest {
        Fields::wrong(name, &format!("is missing: {expected}"))
    }

    pub(super) fn wrong(name: &'static str, what: &str) -> BadRequest {
        let message = format!("field `{name}`: {what}");
        BadRequest { field: Some(Shown::of(name)), ..BadRequest::new(message) }
    }
}

fn cut(name: &str) -> String {
    match name.char_indices().nth(ECHO_BYTES_MAX) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.to_owned(),
    }
}

/// An object in which no name stands twice.
struct Object(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object, D::Error> {
        struct OnceEach;
        impl<'de> Visitor<'de> for OnceEach {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    let twice = format!("the field `{}` stands twice", cut(&name));
                    if fields.insert(name, value).is_some() {
                        return Err(A::Error::custom(twice));
                    }
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(OnceEach)
    }
}
