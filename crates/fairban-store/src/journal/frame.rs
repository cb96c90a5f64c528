//! The bytes of a segment.
//!
//! ```text
//! segment: "fairbanJ" | version: u32 | first: u64 | after: u64 | checksum: u64, then frames
//! frame:   "batch\n\x17\x97" | length: u32 | count: u32 | first: u64 | checksum: u64 | body
//! body:    count times: length: u32 | bytes
//! ```
//!
//! Numbers are little-endian. A frame is one batch and has one checksum, so a batch is there wholly or not at all. `first`
//! of a segment is the number of its first record, `after` the number that would have followed in the segment before: where
//! they differ, numbers were left out on purpose, and where a segment ends before the `after` of the next, records are
//! missing.

use std::hash::Hasher as _;
use std::ops::Range;

use siphasher::sip::SipHasher13;

/// Rises whenever a segment of the old form could be misread.
pub(crate) const VERSION: u32 = 1;

const MAGIC: &[u8; 8] = b"fairbanJ";
const MARK: &[u8; 8] = b"batch\n\x17\x97";

/// Against accidents, not against forgers: whoever can write the journal owns the engine anyway.
const CHECKSUM_KEY: &[u8; 16] = b"fairban journal ";

/// Length of a segment's head.
pub(crate) const HEAD_BYTES: usize = 8 + 4 + 8 + 8 + 8;

const FRAME_HEAD_BYTES: usize = 8 + 4 + 4 + 8 + 8;

/// The longest body of one frame: what a caller may append at once.
pub const BATCH_BYTES_MAX: usize = 8 << 20;

/// A segment's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) first: u64,
    pub(crate) after: u64,
}

/// What stands where a head should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadFound {
    Whole(Head),
    OtherVersion(u32),
    Damaged,
}

impl Head {
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.after.to_le_bytes());
        let sum = checksum(&[&out[start..]]);
        out.extend_from_slice(&sum.to_le_bytes());
    }

    pub(crate) fn read(bytes: &[u8]) -> HeadFound {
        let mut fields = Fields(bytes);
        if fields.take(MAGIC.len()) != Some(MAGIC) {
            return HeadFound::Damaged;
        }
        match fields.u32() {
            Some(VERSION) => {}
            Some(version) => return HeadFound::OtherVersion(version),
            None => return HeadFound::Damaged,
        }
        match (fields.u64(), fields.u64(), fields.u64()) {
            (Some(first), Some(after), Some(sum))
                if sum == checksum(&[&bytes[..HEAD_BYTES - 8]]) && 1 <= first && after <= first =>
            {
                HeadFound::Whole(Head { first, after })
            }
            _ => HeadFound::Damaged,
        }
    }
}

/// Begins a frame at the end of `out`: the head is filled in by [`finish`].
pub(crate) fn begin(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.resize(start + FRAME_HEAD_BYTES, 0);
    start
}

/// Adds a record to the frame that was begun at `start`; false if the frame would become longer than a batch may be.
pub(crate) fn push(out: &mut Vec<u8>, start: usize, record: &[u8]) -> bool {
    let body_bytes = out.len() - start - FRAME_HEAD_BYTES;
    if record.len().saturating_add(body_bytes).saturating_add(4) > BATCH_BYTES_MAX {
        return false;
    }
    out.extend_from_slice(&(record.len() as u32).to_le_bytes());
    out.extend_from_slice(record);
    true
}

/// Writes the head of the frame that was begun at `start` and holds `count` records from number `first` on.
pub(crate) fn finish(out: &mut [u8], start: usize, first: u64, count: u32) {
    let (head, body) = out[start..].split_at_mut(FRAME_HEAD_BYTES);
    head[..8].copy_from_slice(MARK);
    head[8..12].copy_from_slice(&(body.len() as u32).to_le_bytes());
    head[12..16].copy_from_slice(&count.to_le_bytes());
    head[16..24].copy_from_slice(&first.to_le_bytes());
    let sum = checksum(&[&head[8..24], body]);
    head[24..32].copy_from_slice(&sum.to_le_bytes());
}

/// A whole frame within a segment's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Number of its first record.
    pub(crate) first: u64,
    /// How many records.
    pub(crate) count: u32,
    /// Where its body lies in the segment.
    pub(crate) body: Range<usize>,
}

impl Frame {
    /// The frame that begins at `at`; `None` if there is none or it is damaged or cut short.
    pub(crate) fn read(bytes: &[u8], at: usize) -> Option<Frame> {
        let mut fields = Fields(bytes.get(at..)?);
        if fields.take(MARK.len())? != MARK {
            return None;
        }
        let (length, count, first, sum) = (fields.u32()?, fields.u32()?, fields.u64()?, fields.u64()?);
        let length = length as usize;
        if length > BATCH_BYTES_MAX
            || count == 0
            || first == 0
            || first.checked_add(u64::from(count)).is_none()
        {
            return None;
        }
        let body = fields.take(length)?;
        let start = at + FRAME_HEAD_BYTES;
        let whole = sum == checksum(&[&bytes[at + 8..at + 24], body]) && count_records(body) == Some(count);
        whole.then(|| Frame { first, count, body: start..start + length })
    }

    /// The first whole frame that begins at `at` or later, and where.
    pub(crate) fn find(bytes: &[u8], at: usize) -> Option<(usize, Frame)> {
        let rest = bytes.get(at..)?;
        let marks = rest.windows(MARK.len()).enumerate().filter(|(_, window)| window == MARK);
        marks.map(|(offset, _)| at + offset).find_map(|at| Some((at, Frame::read(bytes, at)?)))
    }

    /// Where the next frame begins.
    pub(crate) fn end(&self) -> usize {
        self.body.end
    }

    /// The number after its last record.
    pub(crate) fn next(&self) -> u64 {
        self.first + u64::from(self.count)
    }
}

/// The record that begins a body's rest, and what follows it.
pub(crate) fn split_record(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut fields = Fields(rest);
    let length = fields.u32()?;
    let record = fields.take(length as usize)?;
    Some((record, fields.0))
}

fn count_records(mut body: &[u8]) -> Option<u32> {
    let mut count = 0_u32;
    while !body.is_empty() {
        body = split_record(body)?.1;
        count = count.checked_add(1)?;
    }
    Some(count)
}

fn checksum(parts: &[&[u8]]) -> u64 {
    let mut hasher = SipHasher13::new_with_key(CHECKSUM_KEY);
    for part in parts {
        hasher.write(part);
    }
    hasher.finish()
}

/// Little-endian fields off the front of bytes.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (field, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(field)
    }

    fn u32(&mut self) -> Option<u32> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*field))
    }

    fn u64(&mut self) -> Option<u64> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*field))
    }
}
