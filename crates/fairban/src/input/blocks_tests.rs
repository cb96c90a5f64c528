use std::io::Cursor;

use super::*;

/// Gives a few bytes at a time, as pipes and decompressors do.
struct Dribble(Cursor<Vec<u8>>, usize);

impl Read for Dribble {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(self.1);
        self.0.read(&mut buffer[..len])
    }
}

/// All lines (without their line feeds, a skipped one as its length) and the tail.
fn read(bytes: &[u8], step: usize, tail: Tail, keep_tail: bool) -> (Vec<Vec<u8>>, Tail) {
    let mut reader = BlockReader::new(Dribble(Cursor::new(bytes.to_vec()), step), tail, keep_tail);
    let mut lines = Vec::new();
    let mut buffer = Vec::new();
    while let Some(block) = reader.next_block(buffer) {
        let bytes = block.bytes();
        let whole = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        if !bytes.is_empty() {
            lines.extend(whole.split(|&b| b == b'\n').map(<[u8]>::to_vec));
        }
        lines.extend(block.skipped_bytes.map(|n| format!("skipped {n}").into_bytes()));
        buffer = block.into_buffer();
        assert!(buffer.len() <= BLOCK_BYTES, "memory does not grow");
    }
    (lines, reader.finish().0)
}

#[test]
fn lines_come_out_as_they_went_in() {
    let text: Vec<u8> =
        (0..60_000).flat_map(|n| format!("line {n} {}\n", "x".repeat(n % 37)).into_bytes()).collect();
    let expected: Vec<Vec<u8>> = text[..text.len() - 1].split(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
    for step in [1, 4_099, BLOCK_BYTES, usize::MAX] {
        assert_eq!(read(&text, step, Tail::default(), false).0, expected, "{step} bytes at a time");
    }
}

#[test]
fn a_last_line_without_its_line_feed_is_a_line_or_is_kept() {
    let (lines, tail) = read(b"one\ntwo", 3, Tail::default(), false);
    assert_eq!((lines, tail), (vec![b"one".to_vec(), b"two".to_vec()], Tail::default()));
    let (lines, tail) = read(b"one\ntwo", 3, Tail::default(), true);
    assert_eq!((lines, tail.bytes.as_slice()), (vec![b"one".to_vec()], b"two".as_slice()));
    let (lines, tail) = read(b" and a half\nthree\n", 3, tail, true);
    assert_eq!((lines, tail), (vec![b"two and a half".to_vec(), b"three".to_vec()], Tail::default()));
}

#[test]
fn a_line_too_long_is_skipped_wherever_it_is_cut() {
    let long = "y".repeat(3 * BLOCK_BYTES);
    let text = format!("one\n{long}\ntwo\n").into_bytes();
    let expected = [b"one".to_vec(), format!("skipped {}", long.len() + 1).into_bytes(), b"two".to_vec()];
    assert_eq!(read(&text, usize::MAX, Tail::default(), false).0, expected);
    for cut in [LINE_BYTES_MAX + 10, BLOCK_BYTES, 2 * BLOCK_BYTES + 5, long.len() + 4] {
        let (mut lines, tail) = read(&text[..cut], 10_000, Tail::default(), true);
        assert!(tail.bytes.len() <= LINE_BYTES_MAX);
        lines.extend(read(&text[cut..], 10_000, tail, true).0);
        assert_eq!(lines, expected, "cut at {cut}");
    }
}

#[test]
fn an_endless_last_line_ends_the_file() {
    let text = vec![b'z'; 10 << 20];
    assert_eq!(read(&text, usize::MAX, Tail::default(), false).0, [b"skipped 10485760".to_vec()]);
}
