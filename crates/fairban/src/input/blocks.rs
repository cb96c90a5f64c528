//! A stream of bytes cut into blocks of whole lines, in bounded memory whatever the stream holds: a line longer than
//! [`LINE_BYTES_MAX`] is no record, so it is skipped and counted, and a file without line feeds costs no memory.

use std::io::{self, Read};

use fairban_parse::parser::LINE_BYTES_MAX;
use memchr::{memchr, memrchr};
use serde::{Deserialize, Serialize};

/// The size of a block: large enough that handing it over costs nothing, small enough to stay in the cache.
pub(crate) const BLOCK_BYTES: usize = 256 * 1024;

const _: () = assert!(LINE_BYTES_MAX < BLOCK_BYTES, "the beginning of a line fits a block");

/// Whole lines, each with its line feed; only the last line of a stream may lack one.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// The buffer; longer than [`Block::len`], so that it can be used again without being cleared.
    buffer: Vec<u8>,
    len: usize,
    /// After these lines a line of so many bytes was skipped.
    pub(crate) skipped_bytes: Option<u64>,
}

impl Block {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// The memory, for the next block.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }
}

/// The beginning of a line whose end has not been read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tail {
    /// What was read of it, if it may still become a line.
    bytes: Vec<u8>,
    /// Bytes thrown away of a line that is already too long.
    skipping_bytes: u64,
}

impl Tail {
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.skipping_bytes == 0
    }
}

/// Cuts a stream into blocks.
pub(crate) struct BlockReader<R> {
    inner: R,
    /// The beginning of the line that the last block did not hold.
    tail: Tail,
    /// A last line without its line feed stays in the tail instead of being a line.
    keep_tail: bool,
    ended: bool,
    error: Option<io::Error>,
}

impl<R: Read> BlockReader<R> {
    /// Reads `inner`, which goes on where `tail` ended.
    pub(crate) fn new(inner: R, tail: Tail, keep_tail: bool) -> BlockReader<R> {
        BlockReader { inner, tail, keep_tail, ended: false, error: None }
    }

    /// The next block, made in `buffer`; `None` at the end, after which [`BlockReader::finish`] tells how it ended.
    pub(crate) fn next_block(&mut self, mut buffer: Vec<u8>) -> Option<Block> {
        buffer.resize(BLOCK_BYTES.max(buffer.len()), 0);
        while !self.ended {
            if self.tail.skipping_bytes > 0 {
                if let Some(bytes) = self.skip_line(&mut buffer) {
                    return Some(Block { buffer, len: 0, skipped_bytes: Some(bytes) });
                }
                continue;
            }
            let filled = self.fill(&mut buffer);
            let len = match memrchr(b'\n', &buffer[..filled]) {
                _ if self.ended && !self.keep_tail && self.error.is_none() => filled,
                Some(at) => at + 1,
                None => 0,
            };
            self.keep(&buffer[len..filled]);
            if len > 0 {
                return Some(Block { buffer, len, skipped_bytes: None });
            }
        }
        None
    }

    /// How the stream ended: the beginning of its last line if it was to be kept, and the error that cut it short.
    pub(crate) fn finish(self) -> (Tail, Option<io::Error>) {
        let tail = if self.keep_tail && self.error.is_none() { self.tail } else { Tail::default() };
        (tail, self.error)
    }

    /// Fills the buffer as far as the stream goes, the tail first.
    fn fill(&mut self, buffer: &mut [u8]) -> usize {
        let mut filled = self.tail.bytes.len();
        buffer[..filled].copy_from_slice(&self.tail.bytes);
        self.tail.bytes.clear();
        while filled < buffer.len() && !self.ended {
            filled += self.read(&mut buffer[filled..]);
        }
        filled
    }

    fn read(&mut self, buffer: &mut [u8]) -> usize {
        loop {
            match self.inner.read(buffer) {
                Ok(0) => self.ended = true,
                Ok(read) => return read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.ended = true;
                    self.error = Some(error);
                }
            }
            return 0;
        }
    }

    /// Remembers the beginning of a line, or that it is too long already.
    fn keep(&mut self, rest: &[u8]) {
        if rest.len() > LINE_BYTES_MAX && memchr(b'\n', rest).is_none() {
            self.tail.skipping_bytes = rest.len() as u64;
        } else {
            self.tail.bytes.extend_from_slice(rest);
        }
    }

    /// Throws bytes away up to the next line feed; the length of the line when it was found.
    fn skip_line(&mut self, buffer: &mut [u8]) -> Option<u64> {
        let read = self.read(buffer);
        let end = memchr(b'\n', &buffer[..read]);
        let skipped = self.tail.skipping_bytes + end.map_or(read, |at| at + 1) as u64;
        self.tail.skipping_bytes = skipped;
        let last_line = self.ended && !self.keep_tail && self.error.is_none();
        if end.is_none() && !last_line {
            return None;
        }
        if let Some(at) = end {
            self.tail.bytes.extend_from_slice(&buffer[at + 1..read]);
        }
        self.tail.skipping_bytes = 0;
        Some(skipped)
    }
}

#[cfg(test)]
#[path = "blocks_tests.rs"]
mod tests;
