//! One file of a log: reads whole lines from it, and knows whether it is still the file that was read before.
//!
//! Nothing of an unfinished line is kept: it is read again when there is more. So a file that was cut and written anew
//! cannot give a line made of two.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::time::Duration;

use memchr::{memchr, memchr_iter, memrchr};
use rustix::fs::{Mode, OFlags, SeekFrom};

use crate::family::modified_ns;
use crate::position::{Cursor, FileId, HEAD_BYTES, Mark, Print, TAIL_BYTES};
use crate::source::Unpack;

/// Opens for reading, without waiting: a pipe in the place of a file must not stop us.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

/// What bytes at the read position are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many bytes are so many whole lines.
    Lines { bytes: usize, lines: u64 },
    /// A hole of NUL bytes before the next line: what a writer leaves that goes on at its old place after its file
    /// was emptied.
    Zeros(u64),
    /// So many bytes are one line with its end, and too long.
    LongWhole(usize),
    /// So many bytes are of a line that is too long already, without its end.
    Long(usize),
    /// So many bytes end the line that is too long.
    LongEnd(usize),
    /// Nothing, or the beginning of a line.
    End,
}

/// Bytes unpacked at a time while looking for the read position.
const UNPACK_BYTES: usize = 64 * 1024;

enum Body {
    Plain(File),
    /// Read from the beginning to the end, once.
    Packed {
        reader: Box<dyn Read + Send>,
        /// Read and not yet taken.
        carry: Vec<u8>,
    },
}

/// Since when a file is no longer the one that is written to, and what was seen since.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linger {
    /// The last sign of life.
    pub(crate) quiet_since: Duration,
    /// A writer closed it, and nothing was written since.
    pub(crate) closed: bool,
}

/// An open file of a log.
pub(crate) struct Piece {
    /// Tells its watch from those of the log's other files.
    pub(crate) serial: u64,
    pub(crate) id: FileId,
    body: Body,
    cursor: Cursor,
    /// Within a line that is too long: where it began.
    long: Option<Mark>,
    /// The largest size seen; for packed files what was unpacked.
    seen_bytes: u64,
    modified_ns: i64,
    /// Up to here there are but NUL bytes.
    zeros_to: u64,
    /// There may be something to read.
    pub(crate) dirty: bool,
    pub(crate) linger: Option<Linger>,
}

/// What is known of a file that was read.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) mark: &'a Mark,
    /// Its first bytes, if it is still open.
    pub(crate) head: &'a [u8],
}

impl Known<'_> {
    /// Whether a file with these first bytes can only be this one, although it is too short to compare the rest.
    fn is_telling(&self, head: &[u8]) -> bool {
        let long = head.len() >= HEAD_BYTES || (self.head.starts_with(head) && memchr(b'\n', head).is_some());
        long && head.iter().any(|&byte| byte != 0)
    }
}

/// What comparing a file with what is known of another found.
pub(crate) enum Match {
    /// It holds all that was read before, and perhaps more.
    Whole(Piece),
    /// It begins as the one that was read but has less: a copy made before the last lines came. There is nothing to read.
    Shorter(Piece),
    /// Another file.
    Other,
}

impl Piece {
    /// Of a plain file, to be read from `cursor` on.
    pub(crate) fn plain(file: File, metadata: &Metadata, cursor: Cursor) -> Piece {
        Piece {
            serial: 0,
            id: FileId::of(metadata),
            body: Body::Plain(file),
            seen_bytes: cursor.offset,
            cursor,
            long: None,
            modified_ns: modified_ns(metadata),
            zeros_to: 0,
            dirty: true,
            linger: None,
        }
    }

    /// Of a file, packed or not, from its beginning.
    pub(crate) fn whole(file: File, metadata: &Metadata, unpack: Option<&dyn Unpack>) -> io::Result<Piece> {
        if !is_packed(&file) {
            return Ok(Piece::plain(file, metadata, Cursor::default()));
        }
        let unpack = unpack
            .ok_or_else(|| io::Error::other("it is packed, and nothing was given to unpack it with"))?;
        let reader = unpack.unpack(file.try_clone()?)?;
        let mut piece = Piece::plain(file, metadata, Cursor::default());
        piece.body = Body::Packed { reader, carry: Vec::new() };
        Ok(piece)
    }

    /// From the end of a plain file, or the beginning of its last, unfinished line.
    pub(crate) fn at_end(file: File, metadata: &Metadata, line_bytes_max: usize) -> io::Result<Piece> {
        let size = metadata.len();
        let mut last = vec![0; (line_bytes_max as u64 + 1).min(size) as usize];
        let from = size - last.len() as u64;
        let read = read_fully_at(&file, &mut last, from)?;
        let (offset, within_long) = match memrchr(b'\n', &last[..read]) {
            Some(at) => (from + at as u64 + 1, false),
            None if from == 0 => (0, false),
            None => (size, true),
        };
        let cursor = load_cursor(&file, offset, 0)?;
        let mut piece = Piece::plain(file, metadata, cursor);
        if within_long {
            piece.long = Some(piece.cursor.mark(piece.id, piece.modified_ns));
        }
        Ok(piece)
    }

    /// The file that `known` is of, if it is, to be read on from there.
    pub(crate) fn resume(
        file: File,
        metadata: &Metadata,
        known: Known<'_>,
        unpack: Option<&dyn Unpack>,
    ) -> io::Result<Match> {
        let mark = known.mark;
        let (head, tail) = (usize::from(mark.head.len), usize::from(mark.tail.len));
        if head == 0 || head > HEAD_BYTES || tail > TAIL_BYTES {
            return Ok(Match::Other);
        }
        if is_packed(&file) {
            let Some(unpack) = unpack else { return Ok(Match::Other) };
            return resume_packed(file, metadata, mark, unpack);
        }
        let mut bytes = [0; HEAD_BYTES];
        let read = read_fully_at(&file, &mut bytes, 0)?;
        let size = metadata.len();
        let fits = if read < head {
            read > 0 && known.head.starts_with(&bytes[..read])
        } else {
            mark.head.fits(&bytes[..head])
        };
        if !fits {
            return Ok(Match::Other);
        }
        if size < mark.offset {
            if !known.is_telling(&bytes[..read]) {
                return Ok(Match::Other);
            }
            let cursor = load_cursor(&file, size, 0)?;
            return Ok(Match::Shorter(Piece::plain(file, metadata, cursor)));
        }
        let cursor = load_cursor(&file, mark.offset, mark.lines)?;
        let surplus = cursor.tail.len().saturating_sub(tail);
        if tail > 0 && !mark.tail.fits(&cursor.tail[surplus..]) {
            return Ok(Match::Other);
        }
        Ok(Match::Whole(Piece::plain(file, metadata, cursor)))
    }

    /// The mark of a file that counts as read. Of a packed one, all is not unpacked for that: its head must do.
    pub(crate) fn mark_of_all(
        file: File,
        metadata: &Metadata,
        unpack: Option<&dyn Unpack>,
    ) -> io::Result<Mark> {
        let mut piece = Piece::whole(file, metadata, unpack)?;
        let mut mark = if let Body::Packed { .. } = piece.body {
            let mut head = [0; HEAD_BYTES];
            let read = piece.fill(&mut head)?;
            piece.cursor.pass(&head[..read]);
            Mark { tail: Print::default(), ..piece.mark() }
        } else {
            piece
                .file()
                .map(|file| load_cursor(file, metadata.len(), 0))
                .transpose()?
                .map_or_else(|| piece.mark(), |cursor| cursor.mark(piece.id, piece.modified_ns))
        };
        mark.done = true;
        Ok(mark)
    }

    /// What is known of this file.
    pub(crate) fn known<'a>(&'a self, mark: &'a Mark) -> Known<'a> {
        Known { mark, head: &self.cursor.head }
    }

    pub(crate) fn file(&self) -> Option<&File> {
        match &self.body {
            Body::Plain(file) => Some(file),
            Body::Packed { .. } => None,
        }
    }

    pub(crate) fn is_packed(&self) -> bool {
        matches!(self.body, Body::Packed { .. })
    }

    /// Whether nothing has been taken from it.
    pub(crate) fn is_untouched(&self) -> bool {
        self.cursor.offset == 0
    }

    /// After the last whole line.
    pub(crate) fn mark(&self) -> Mark {
        match &self.long {
            Some(mark) => Mark { modified_ns: self.modified_ns, ..mark.clone() },
            None => self.cursor.mark(self.id, self.modified_ns),
        }
    }

    pub(crate) fn modified_ns(&self) -> i64 {
        self.modified_ns
    }

    /// Bytes that were seen in the file and not handed out.
    pub(crate) fn unread_bytes(&self) -> u64 {
        let taken = self.long.as_ref().map_or(self.cursor.offset, |mark| mark.offset);
        self.seen_bytes.saturating_sub(taken)
    }

    /// Lines before the read position.
    pub(crate) fn lines(&self) -> u64 {
        self.cursor.lines
    }

    /// Looks at the file's size. Returns how many bytes that were seen there are no more; 0 for packed files, which do
    /// not change.
    pub(crate) fn look(&mut self) -> io::Result<u64> {
        let Body::Plain(file) = &self.body else { return Ok(0) };
        let metadata = file.metadata()?;
        self.modified_ns = modified_ns(&metadata);
        let cut = self.seen_bytes.saturating_sub(metadata.len());
        if cut == 0 {
            self.seen_bytes = metadata.len();
        }
        Ok(cut)
    }

    /// Forgets that there were `bytes` more.
    pub(crate) fn forget(&mut self, bytes: u64) {
        self.seen_bytes = self.seen_bytes.saturating_sub(bytes);
    }

    /// Whether the file has more than was seen.
    pub(crate) fn has_grown(&self) -> bool {
        match &self.body {
            Body::Plain(file) => file.metadata().is_ok_and(|metadata| metadata.len() > self.seen_bytes),
            Body::Packed { .. } => false,
        }
    }

    /// Whether the file has no name any more.
    pub(crate) fn is_unlinked(&self) -> bool {
        self.file().is_some_and(|file| file.metadata().is_ok_and(|metadata| metadata.nlink() == 0))
    }

    /// Whether what was read is still in the file. What has been read before this says so is of the same file.
    pub(crate) fn is_same(&self) -> io::Result<bool> {
        let Body::Plain(file) = &self.body else { return Ok(true) };
        if file.metadata()?.len() < self.cursor.offset {
            return Ok(false);
        }
        let mut bytes = [0; HEAD_BYTES];
        let head = read_fully_at(file, &mut bytes[..self.cursor.head.len()], 0)?;
        if bytes[..head] != self.cursor.head {
            return Ok(false);
        }
        if self.cursor.offset <= HEAD_BYTES as u64 {
            return Ok(true);
        }
        let tail = &mut bytes[..self.cursor.tail.len()];
        let from = self.cursor.offset - tail.len() as u64;
        let read = read_fully_at(file, tail, from)?;
        Ok(tail[..read] == self.cursor.tail)
    }

    /// The file was emptied: reads it from the beginning.
    pub(crate) fn start_again(&mut self) {
        self.cursor = Cursor::default();
        self.long = None;
        self.seen_bytes = 0;
        self.zeros_to = 0;
        self.dirty = true;
    }

    /// Reads into `scratch`, and says how much is there and what it is. Nothing is taken.
    pub(crate) fn peek(&mut self, scratch: &mut [u8], line_bytes_max: usize) -> io::Result<Step> {
        let read = self.fill(scratch)?;
        let bytes = &scratch[..read];
        self.seen_bytes = self.seen_bytes.max(self.cursor.offset + read as u64);
        if bytes.is_empty() {
            return Ok(Step::End);
        }
        if self.long.is_some() {
            return Ok(memchr(b'\n', bytes).map_or(Step::Long(read), |at| Step::LongEnd(at + 1)));
        }
        if bytes[0] == 0 {
            return match bytes.iter().position(|&byte| byte != 0) {
                Some(count) => Ok(Step::Zeros(count as u64)),
                None => self.zeros(scratch.len(), read),
            };
        }
        Ok(measure(bytes, line_bytes_max))
    }

    /// All that was read was NUL bytes. They are a hole only if something comes after them: else they may be room that
    /// the writer has reserved and will fill.
    fn zeros(&mut self, room: usize, read: usize) -> io::Result<Step> {
        let file = match &self.body {
            Body::Plain(file) => file,
            Body::Packed { .. } if read == room => return Ok(Step::Zeros(read as u64)),
            Body::Packed { .. } => return Ok(Step::End),
        };
        let mut at = self.zeros_to.max(self.cursor.offset + read as u64);
        let mut bytes = [0; 4_096];
        loop {
            at = match rustix::fs::seek(file.as_fd(), SeekFrom::Data(at)) {
                Ok(next) => next,
                Err(rustix::io::Errno::NXIO) => return Ok(Step::End),
                // Not every file system knows its holes.
                Err(rustix::io::Errno::INVAL) => at,
                Err(error) => return Err(error.into()),
            };
            let read = read_fully_at(file, &mut bytes, at)?;
            if let Some(first) = bytes[..read].iter().position(|&byte| byte != 0) {
                return Ok(Step::Zeros(at + first as u64 - self.cursor.offset));
            }
            if read == 0 {
                return Ok(Step::End);
            }
            at += read as u64;
            self.zeros_to = at;
        }
    }

    /// Takes what [`Piece::peek`] found. Returns the length of a line that was too long, when its end was reached.
    pub(crate) fn take(&mut self, step: Step, scratch: &[u8]) -> Option<u64> {
        let too_long = match step {
            Step::End => return None,
            Step::Zeros(count) => {
                self.cursor.pass_zeros(count);
                if let Body::Packed { carry, .. } = &mut self.body {
                    carry.drain(..(count as usize).min(carry.len()));
                }
                return None;
            }
            Step::Lines { bytes, lines } => {
                self.pass(&scratch[..bytes]);
                self.cursor.lines += lines;
                return None;
            }
            Step::Long(bytes) => {
                self.long.get_or_insert(self.cursor.mark(self.id, self.modified_ns));
                self.pass(&scratch[..bytes]);
                return None;
            }
            Step::LongWhole(bytes) => {
                self.pass(&scratch[..bytes]);
                bytes as u64
            }
            Step::LongEnd(bytes) => {
                self.pass(&scratch[..bytes]);
                let begin = self.long.take().map_or(self.cursor.offset, |mark| mark.offset);
                self.cursor.offset - begin
            }
        };
        self.cursor.lines += 1;
        Some(too_long)
    }

    fn pass(&mut self, bytes: &[u8]) {
        self.cursor.pass(bytes);
        if let Body::Packed { carry, .. } = &mut self.body {
            carry.drain(..bytes.len().min(carry.len()));
        }
    }

    fn fill(&mut self, scratch: &mut [u8]) -> io::Result<usize> {
        match &mut self.body {
            Body::Plain(file) => read_fully_at(file, scratch, self.cursor.offset),
            Body::Packed { reader, carry } => {
                let had = carry.len();
                carry.resize(scratch.len().max(had), 0);
                let read = read_fully(reader, &mut carry[had..]);
                carry.truncate(had + *read.as_ref().unwrap_or(&0));
                read?;
                let there = carry.len().min(scratch.len());
                scratch[..there].copy_from_slice(&carry[..there]);
                Ok(there)
            }
        }
    }
}

/// How many whole lines there are, as far as none is too long and none begins with a hole.
pub(crate) fn measure(bytes: &[u8], line_bytes_max: usize) -> Step {
    let (mut start, mut lines) = (0, 0);
    for end in memchr_iter(b'\n', bytes) {
        if end - start > line_bytes_max {
            if start == 0 {
                return Step::LongWhole(end + 1);
            }
            break;
        }
        if start > 0 && bytes[start] == 0 {
            break;
        }
        start = end + 1;
        lines += 1;
    }
    match start {
        0 if bytes.len() > line_bytes_max => Step::Long(bytes.len()),
        0 => Step::End,
        bytes => Step::Lines { bytes, lines },
    }
}

fn resume_packed(file: File, metadata: &Metadata, mark: &Mark, unpack: &dyn Unpack) -> io::Result<Match> {
    let mut reader = unpack.unpack(file.try_clone()?)?;
    let (head, tail) = (usize::from(mark.head.len), usize::from(mark.tail.len));
    let mut carry = vec![0; UNPACK_BYTES];
    let read = read_fully(&mut reader, &mut carry)?;
    carry.truncate(read);
    if read < head || !mark.head.fits(&carry[..head]) {
        return Ok(Match::Other);
    }
    let mut cursor = Cursor::default();
    loop {
        let wanted = (mark.offset - cursor.offset).min(carry.len() as u64) as usize;
        cursor.pass(&carry[..wanted]);
        carry.drain(..wanted);
        if cursor.offset == mark.offset {
            break;
        }
        carry.resize(UNPACK_BYTES, 0);
        let read = read_fully(&mut reader, &mut carry)?;
        carry.truncate(read);
        if read == 0 {
            break;
        }
    }
    let is_shorter = cursor.offset < mark.offset;
    let surplus = cursor.tail.len().saturating_sub(tail);
    if !is_shorter && tail > 0 && !mark.tail.fits(&cursor.tail[surplus..]) {
        return Ok(Match::Other);
    }
    cursor.lines = mark.lines;
    let mut piece = Piece::plain(file, metadata, cursor);
    piece.body = Body::Packed { reader, carry };
    Ok(if is_shorter { Match::Shorter(piece) } else { Match::Whole(piece) })
}

/// Whether `mine` begins with all that is in the file at `path`, as far as the first [`UNPACK_BYTES`] tell, and that is at
/// least a line: less may be so by chance.
pub(crate) fn begins_with(mine: &File, path: &Path, unpack: Option<&dyn Unpack>) -> bool {
    let (mut here, mut there) = (vec![0; UNPACK_BYTES], vec![0; UNPACK_BYTES]);
    let read = open_file(path).and_then(|file| {
        let metadata = file.metadata()?;
        Piece::whole(file, &metadata, unpack)?.fill(&mut there)
    });
    let Ok(read) = read else { return false };
    let (here, there) = (&mut here[..read], &there[..read]);
    memchr(b'\n', there).is_some() && read_fully_at(mine, here, 0).is_ok_and(|_| here == there)
}

fn load_cursor(file: &File, offset: u64, lines: u64) -> io::Result<Cursor> {
    let mut head = vec![0; offset.min(HEAD_BYTES as u64) as usize];
    let read = read_fully_at(file, &mut head, 0)?;
    head.truncate(read);
    let mut tail = vec![0; offset.min(TAIL_BYTES as u64) as usize];
    let read = read_fully_at(file, &mut tail, offset - offset.min(TAIL_BYTES as u64))?;
    tail.truncate(read);
    Ok(Cursor { offset, lines, head, tail })
}

/// Told by content: names lie.
fn is_packed(file: &File) -> bool {
    const MAGICS: [&[u8]; 5] =
        [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\x00", b"BZh", b"\x04\x22\x4d\x18"];
    let mut head = [0; 6];
    let read = read_fully_at(file, &mut head, 0).unwrap_or(0);
    MAGICS.iter().any(|magic| head[..read].starts_with(magic))
}

fn read_fully_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn read_fully(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
