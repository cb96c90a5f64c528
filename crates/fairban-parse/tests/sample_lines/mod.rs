//! The sample files of this crate: their names and texts, and their way of writing bytes.

use std::fs;
use std::path::Path;

/// Every `samples/*.txt`, by name.
pub(crate) fn sample_files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder of samples") {
        let path = entry.expect("a readable folder").path();
        assert!(
            path.extension().is_some_and(|extension| extension == "txt"),
            "{} is no sample",
            path.display()
        );
        let name = path.file_name().expect("a file of a folder").to_string_lossy().into_owned();
        files.push((name, fs::read_to_string(&path).expect("a sample file is ASCII")));
    }
    files.sort();
    files
}

/// Undoes `\xNN` and `\\`; `None` where something else than printable ASCII stands, or a backslash for itself.
pub(crate) fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let (value, after) = match (byte, after) {
            (b'\\', [b'\\', after @ ..]) => (b'\\', after),
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                (u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?, after)
            }
            (0x20..=0x7e, after) if byte != b'\\' => (byte, after),
            _ => return None,
        };
        bytes.push(value);
        rest = after;
    }
    Some(bytes)
}
