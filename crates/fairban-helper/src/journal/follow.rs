//! From what `journalctl` writes to batches of lines: bounded, and never stopped by what it cannot read.

use std::io::{BufRead, Read as _};

use crate::config::is_cursor;
use crate::protocol::{Batch, Counts, Job, text};

use super::entry::{Entry, NoLine};
use super::trust::{Trust, Users, judge};

/// Longest entry, in bytes of JSON: a message of 4 KiB as an array of numbers, and its fields.
const ENTRY_BYTES_MAX: u64 = 128 * 1024;

/// Lines of a stream, each of at most [`ENTRY_BYTES_MAX`].
pub(super) struct Records<R> {
    stream: R,
    record: Vec<u8>,
}

impl<R: BufRead> Records<R> {
    pub(super) fn new(stream: R) -> Self {
        Self { stream, record: Vec::new() }
    }

    /// The next line without its line feed; empty if it was too long or the stream ended within it. `None` at the end.
    pub(super) fn next_record(&mut self) -> Option<&[u8]> {
        self.record.clear();
        let mut bounded = self.stream.by_ref().take(ENTRY_BYTES_MAX);
        // A pipe that cannot be read has ended.
        match bounded.read_until(b'\n', &mut self.record) {
            Ok(1..) => {}
            Ok(0) | Err(_) => return None,
        }
        if self.record.pop_if(|last| *last == b'\n').is_none() {
            self.record.clear();
            self.stream.skip_until(b'\n').ok()?;
        }
        Some(&self.record)
    }
}

impl<R: std::io::Read> Records<std::io::BufReader<R>> {
    /// Whether another whole line is there already.
    pub(super) fn has_another(&self) -> bool {
        memchr::memchr(b'\n', self.stream.buffer()).is_some()
    }
}

/// Turns entries into batches.
pub(super) struct Follower<'a> {
    users: &'a Users,
    trusted_uids: &'a [u32],
    batch: Batch,
    /// Of the last entry since it was taken.
    cursor: Option<String>,
    /// Entries up to this time, in microseconds since 1970, have been read before.
    skip_until: i64,
}

impl<'a> Follower<'a> {
    pub(super) fn new(users: &'a Users, trusted_uids: &'a [u32]) -> Self {
        let batch = Batch::new(Job::Journal);
        Self { users, trusted_uids, batch, cursor: None, skip_until: i64::MIN }
    }

    pub(super) fn skip_until(&mut self, micros: i64) {
        self.skip_until = micros;
    }

    pub(super) fn is_full(&self) -> bool {
        self.batch.is_full()
    }

    /// What has come since the batch before.
    pub(super) fn take_batch(&mut self) -> Batch {
        std::mem::replace(&mut self.batch, Batch::new(Job::Journal))
    }

    /// Where the entries since the last asking ended.
    pub(super) fn take_cursor(&mut self) -> Option<String> {
        self.cursor.take()
    }

    /// Takes one entry; false at the end of the stream.
    pub(super) fn read<R: BufRead>(&mut self, records: &mut Records<R>) -> bool {
        let Some(record) = records.next_record() else { return false };
        match Entry::parse(record) {
            Some(entry) if is_cursor(&entry.cursor) => self.take(entry),
            _ => self.batch.counts.unreadable += 1,
        }
        true
    }

    fn take(&mut self, entry: Entry) {
        let is_new = entry.micros.number::<i64>().is_none_or(|micros| micros > self.skip_until);
        if is_new {
            match judge(&entry, self.users, self.trusted_uids) {
                Trust::Counts => self.add_line(&entry),
                Trust::SetAside => self.batch.counts.set_aside += 1,
                Trust::Forged => {
                    self.batch.counts.forged += 1;
                    self.batch.forged.get_or_insert_with(|| sample(&entry));
                }
            }
        }
        self.cursor = Some(entry.cursor.clone());
        self.batch.cursor = Some(entry.cursor);
    }

    fn add_line(&mut self, entry: &Entry) {
        let Counts { lines, too_long, unreadable, .. } = &mut self.batch.counts;
        match entry.line(is_standard_error(entry)) {
            Ok((line, cut)) => {
                *lines += 1;
                *too_long += u64::from(cut);
                self.batch.lines.push(line);
            }
            Err(NoLine::TooLong) => *too_long += 1,
            Err(NoLine::Unreadable) => *unreadable += 1,
        }
    }
}

/// Whether a program wrote this to its standard error, and not through a syslog call. Daemons that log there on purpose
/// are named as they name themselves.
fn is_standard_error(entry: &Entry) -> bool {
    const LOGS_THERE: [&[u8]; 4] = [b"sshd", b"sshd-session", b"dovecot", b"postfix"];
    entry.transport.bytes() == Some(b"stdout")
        && !entry.identifier.bytes().is_some_and(|identifier| LOGS_THERE.contains(&identifier))
}

/// A forged entry, for a person: who wrote it, and what.
fn sample(entry: &Entry) -> String {
    let shown = |field: &super::entry::Field| field.bytes().map_or_else(|| "?".to_owned(), short);
    format!(
        "user {}, program {}, claims to be {}: {}",
        shown(&entry.uid),
        if entry.exe.bytes().is_some() { shown(&entry.exe) } else { shown(&entry.comm) },
        shown(&entry.identifier),
        shown(&entry.message),
    )
}

fn short(bytes: &[u8]) -> String {
    const SHOWN_BYTES_MAX: usize = 60;
    // Four of them at most make 960 bytes, the words between fit beside.
    text(&bytes[..bytes.len().min(SHOWN_BYTES_MAX)])
}

/// A part of a cursor, read as a number; what is too long for one (`s`, the journal's identity) by its first half.
pub(super) fn cursor_part(cursor: &str, name: &str) -> Option<u64> {
    let value = cursor.split(';').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))?;
    u64::from_str_radix(value.get(..value.len().min(16))?, 16).ok()
}

#[cfg(test)]
mod tests;
