//! The report for a person.

use std::io::{self, Write as _};
use std::time::Duration;

use fairban_core::engine::Blindness;
use fairban_parse::health::Health;
use jiff::tz::TimeZone;

use crate::input::{Format, Input};
use crate::pipeline::ReadSoFar;
use crate::tally::Tally;

pub(crate) struct Report<'a> {
    pub(crate) tally: &'a Tally,
    pub(crate) health: &'a Health,
    pub(crate) blindness: &'a [Blindness],
    pub(crate) zone: &'a TimeZone,
    pub(crate) all: bool,
    pub(crate) findings_only: bool,
}
impl Report<'_> {
    pub(crate) fn write(&self) -> io::Result<()> {
        Ok(())
    }
}
pub(crate) fn speed(health: &Health, d: Duration) -> String {
    format!("read {} lines in {d:?}", health.lines)
}
pub(crate) fn warn_of_log(_: &Input, _: Format, read: &ReadSoFar, _: bool) {
    if let Some(e) = &read.error {
        crate::error::warn(&e.to_string(), None)
    }
}
