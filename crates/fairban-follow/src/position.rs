//! Where reading stands, in a form that outlives the process.
//!
//! A path says nothing about a log: tomorrow another file has it. An inode number alone does not either: the file system
//! gives it to the next file. So a file is known by its inode *and* by what was read of it: a hash of its first bytes
//! and of the bytes just before the read position. The same two hashes find the file again in a copy (copytruncate), also
//! a compressed one.

use std::hash::Hasher as _;

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

/// Bytes of a file's head that tell it from others. Two logs of one second share less than this: stamp, host, pid and the
/// beginning of a text.
pub(crate) const HEAD_BYTES: usize = 256;

/// Bytes before the read position that must be the same in a copy. Heads may be equal (a banner, or a hole of NUL bytes).
pub(crate) const TAIL_BYTES: usize = 64;

/// Most marks in a position: those of files that are still open, and of the one read before them.
pub(crate) const MARKS_MAX: usize = 12;

/// Where the reading of one input stands, just after the last line that was handed out. Store it with what the lines
/// caused and give it to [`Follower::new`](crate::Follower::new) after a restart.
///
/// It usually holds two marks, of the file being read and of its predecessor, and some more for a while after a
/// rotation; about 60 bytes each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Oldest file first. Empty: nothing has been read, nor has there been a file before.
    pub(crate) marks: Vec<Mark>,
}

impl Position {
    pub(crate) fn new(mut marks: Vec<Mark>) -> Position {
        let surplus = marks.len().saturating_sub(MARKS_MAX);
        marks.drain(..surplus);
        Position { marks }
    }

    /// Bytes of the newest file, or of the stream, that have been handed out.
    pub fn offset(&self) -> u64 {
        self.marks.last().map_or(0, |mark| mark.offset)
    }

    /// Lines of the newest file, or of the stream, that have been handed out.
    pub fn lines(&self) -> u64 {
        self.marks.last().map_or(0, |mark| mark.lines)
    }

    /// Device and inode of the newest file that something was read of; `None` for streams and before the first line.
    pub fn file(&self) -> Option<(u64, u64)> {
        self.marks.last().filter(|mark| mark.id.inode != 0).map(|mark| (mark.id.device, mark.id.inode))
    }
}

/// A file for as long as it exists. The kernel gives the number away again afterwards, but not while we hold it open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct FileId {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

/// Where the reading of one file stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub(crate) id: FileId,
    /// Just after the last line handed out.
    pub(crate) offset: u64,
    /// Lines before `offset`.
    pub(crate) lines: u64,
    pub(crate) head: Print,
    /// Of the bytes that end at `offset`.
    pub(crate) tail: Print,
    /// When the file was last written, as far as was seen; since 1970.
    pub(crate) modified_ns: i64,
    /// Nobody writes there any more, and all was read: it only tells which of the other files come later.
    pub(crate) done: bool,
}

/// A hash of some bytes, and how many there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Print {
    pub(crate) len: u16,
    hash: u64,
}

impl Print {
    /// Of at most [`HEAD_BYTES`] bytes.
    pub(crate) fn of(bytes: &[u8]) -> Print {
        // The keys are arbitrary and never change: positions are compared across versions. A local user who can
        // choose a log's first bytes gains nothing by a collision: he could as well write the lines.
        let mut hasher = SipHasher13::new_with_keys(0x6661_6972_6261_6e01, 0x6c6f_6773_6f6e_6365);
        hasher.write(bytes);
        Print { len: bytes.len() as u16, hash: hasher.finish() }
    }

    pub(crate) fn fits(self, bytes: &[u8]) -> bool {
        Print::of(bytes) == self
    }
}

/// A [`Mark`] with the bytes themselves instead of their hashes: what an open file is checked against at each read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cursor {
    pub(crate) offset: u64,
    pub(crate) lines: u64,
    pub(crate) head: Vec<u8>,
    pub(crate) tail: Vec<u8>,
}

impl Cursor {
    /// Goes past bytes that stand at `offset`.
    pub(crate) fn pass(&mut self, bytes: &[u8]) {
        if self.head.len() < HEAD_BYTES && self.head.len() as u64 == self.offset {
            let wanted = (HEAD_BYTES - self.head.len()).min(bytes.len());
            self.head.extend_from_slice(&bytes[..wanted]);
        }
        let kept = bytes.len().min(TAIL_BYTES);
        let surplus = (self.tail.len() + kept).saturating_sub(TAIL_BYTES);
        self.tail.drain(..surplus);
        self.tail.extend_from_slice(&bytes[bytes.len() - kept..]);
        self.offset += bytes.len() as u64;
    }

    /// Goes past a hole.
    pub(crate) fn pass_zeros(&mut self, count: u64) {
        const ZEROS: [u8; HEAD_BYTES] = [0; HEAD_BYTES];
        // What counts are the first and the last bytes.
        let first = count.min(HEAD_BYTES as u64);
        self.pass(&ZEROS[..first as usize]);
        self.offset += count - first;
        if count > first {
            self.tail.fill(0);
        }
    }

    pub(crate) fn mark(&self, id: FileId, modified_ns: i64) -> Mark {
        let (head, tail) = (Print::of(&self.head), Print::of(&self.tail));
        Mark { id, offset: self.offset, lines: self.lines, head, tail, modified_ns, done: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_keeps_the_same_head_and_tail_however_the_bytes_came() {
        let text: Vec<u8> = (0..1_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut whole = Cursor::default();
        whole.pass(&text);
        for size in [1, 3, 63, 64, 65, 255, 256, 257, 999] {
            let mut pieces = Cursor::default();
            text.chunks(size).for_each(|piece| pieces.pass(piece));
            assert_eq!((&pieces.head, &pieces.tail), (&whole.head, &whole.tail), "in pieces of {size}");
        }
        assert_eq!(whole.head, &text[..HEAD_BYTES]);
        assert_eq!(whole.tail, &text[text.len() - TAIL_BYTES..]);
    }

    #[test]
    fn a_hole_is_passed_as_its_bytes_would_be() {
        for count in [1_usize, 63, 64, 65, 255, 256, 257, 5_000] {
            let (mut hole, mut bytes) = (Cursor::default(), Cursor::default());
            hole.pass(b"before");
            bytes.pass(b"before");
            hole.pass_zeros(count as u64);
            bytes.pass(&vec![0; count]);
            assert_eq!(hole.mark(FileId::default(), 0), bytes.mark(FileId::default(), 0), "{count} bytes");
        }
    }

    #[test]
    fn a_position_keeps_the_newest_marks() {
        let marks = (0..40).map(|lines| Mark { lines, ..Mark::default() }).collect();
        let position = Position::new(marks);
        assert_eq!((position.marks.len(), position.lines()), (MARKS_MAX, 39));
    }
}
