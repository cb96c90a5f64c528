//! What was wrong with the logs themselves, told as warnings.

use std::time::Duration;

use fairban_core::event::Service;
use fairban_parse::health::Health;
use fairban_parse::parser::LINE_BYTES_MAX;

use super::grouped;
use crate::error::{plural, warn};
use crate::input::{Format, Input};
use crate::pipeline::ReadSoFar;

/// Warns of what the operator should know about a log that has been read. One that was `found` and not named
/// may hold nothing about logins.
pub(crate) fn warn_of_log(input: &Input, format: Format, read: &ReadSoFar, found: bool) {
    let name = &input.name;
    if let Some(error) = &read.error {
        warn_of_error(name, format, read, error);
    } else if read.lines == 0 {
        return warn(&format!("{name}: holds no line"), None);
    }
    if read.health.too_long > 0 {
        let (lines, kib) = (plural(read.health.too_long, "line"), LINE_BYTES_MAX / 1024);
        warn(&format!("{name}: {lines} longer than {kib} KiB skipped; no daemon writes such"), None);
    }
    if !found && read.lines > 0 && read.health.services.iter().all(|service| service.lines == 0) {
        warn_of_no_service(name, &read.health);
    }
}

fn warn_of_error(name: &str, format: Format, read: &ReadSoFar, error: &std::io::Error) {
    let lines = format!("{} before that were read", plural(read.lines, "whole line"));
    match format.compression() {
        Some((kind, test)) => {
            let message =
                format!("{name}: the {kind} data is damaged or cut short after line {}; {lines}", read.lines);
            let hint =
                format!("{test} {name} tells more; get a whole copy, or go on with what was read ({error})");
            warn(&message, Some(&hint));
        }
        None => warn(&format!("{name}: cannot be read after line {}: {error}; {lines}", read.lines), None),
    }
}

fn warn_of_no_service(name: &str, health: &Health) {
    let lines = plural(health.lines, "line");
    let services = Service::ALL.map(Service::name).join(", ");
    if health.no_format == health.lines {
        let message = format!("{name}: no line has the form of a log ({lines} read)");
        let forms = "syslog (old and new), ISO 8601 stamps, multilog (@4000...), tai64nlocal and dovecot's own are known";
        return warn(&message, Some(forms));
    }
    let message = format!("{name}: holds no line of a service that fairban knows ({lines} read)");
    warn(&message, Some(&format!("known are {services}; is this the log that logins are written to?")));
}

/// What was read and how fast.
pub(crate) fn speed(read: &Health, took: Duration) -> String {
    let secs = took.as_secs_f64().max(0.000_001);
    let (lines, megabytes) = (read.lines as f64, read.bytes as f64 / 1e6);
    let per_s = grouped((lines / secs) as u64);
    let count = grouped(read.lines);
    format!(
        "read {count} lines ({megabytes:.1} MB) in {secs:.2} s: {per_s} lines/s, {:.0} MB/s",
        megabytes / secs
    )
}
