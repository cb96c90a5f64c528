//! One line from one record, whatever is in it.

use std::io::Write as _;

use crate::protocol::LINE_BYTES_MAX;

/// Appends `record` to `line` so that it stays one line: control characters as `#012`, as rsyslog has them, which the
/// grammars know. What ends a record in its transport (line feeds, NUL) goes. Returns whether it had to be cut at
/// [`LINE_BYTES_MAX`].
pub(crate) fn append_record(line: &mut Vec<u8>, record: &[u8]) -> bool {
    let end = record.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r' | 0)).map_or(0, |last| last + 1);
    for &byte in &record[..end] {
        let before = line.len();
        if byte < 0x20 || byte == 0x7f {
            // Writing to memory never fails.
            let _ = write!(line, "#{byte:03o}");
        } else {
            line.push(byte);
        }
        if line.len() > LINE_BYTES_MAX {
            line.truncate(before);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(record: &[u8]) -> (Vec<u8>, bool) {
        let mut line = Vec::new();
        let cut = append_record(&mut line, record);
        (line, cut)
    }

    #[test]
    fn a_record_stays_one_line() {
        assert_eq!(line(b"a\nb\tc\xffd\0\r\n"), (b"a#012b#011c\xffd".to_vec(), false));
        assert_eq!(line(b"\n\0"), (Vec::new(), false));
        assert_eq!(line(b"\x1b[2J\x7f"), (b"#033[2J#177".to_vec(), false));
    }

    #[test]
    fn a_long_record_is_cut_between_characters_of_ours() {
        let whole = vec![b'x'; LINE_BYTES_MAX];
        assert_eq!(line(&whole), (whole.clone(), false));
        let (cut, was_cut) = line(&[b'\x01'; LINE_BYTES_MAX]);
        assert!(was_cut && cut.len() <= LINE_BYTES_MAX && cut.ends_with(b"#001"));
    }
}
