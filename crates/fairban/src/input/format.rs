//! Compressed or not, told by the first bytes and never by the name.

use std::io::{self, BufReader, Cursor, Read};

/// What the first bytes of a file say about the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Plain,
    Gzip,
    Zstd,
    Xz,
    Bzip2,
    /// Something that no log is, and what to do about it.
    Foreign {
        what: &'static str,
        remedy: &'static str,
    },
}

/// How many bytes [`Format::of`] wants to see.
pub(crate) const HEAD_BYTES: usize = 8 * 1024;

/// The window of zstd is the writer's choice; more than 128 MiB is refused (`zstd --long=27` writes that).
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// The dictionary of xz likewise: `xz -9` needs 64 MiB.
const XZ_MEMORY_BYTES_MAX: u64 = 256 * 1024 * 1024;

const UNPACK: &str = "unpack it and give the log files themselves";

impl Format {
    /// Tells the format from the first bytes of a file.
    pub(crate) fn of(head: &[u8]) -> Format {
        let foreign = |what, remedy| Format::Foreign { what, remedy };
        match head {
            [0x1f, 0x8b, ..] => Format::Gzip,
            // The second is a skippable frame, which zstd allows anywhere.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Format::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Format::Xz,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Format::Bzip2,
            [b'L', b'P', b'K', b'S', b'H', b'H', b'R', b'H', ..] => {
                foreign("a journal of systemd", "journalctl --file=FILE -o short-iso | fairban replay -")
            }
            [b'P', b'K', 3, 4, ..] => foreign("a zip archive", UNPACK),
            [b'7', b'z', 0xbc, 0xaf, ..] => foreign("a 7z archive", UNPACK),
            [0x1f, 0x9d, ..] => foreign("compressed with compress", "zcat FILE | fairban replay -"),
            [0x04, 0x22, 0x4d, 0x18, ..] => foreign("compressed with lz4", "lz4 -dc FILE | fairban replay -"),
            _ if head.get(257..262) == Some(b"ustar") => {
                foreign("a tar archive", "tar -xOf FILE | fairban replay -")
            }
            _ if is_binary(head) => foreign(
                "not text",
                "fairban reads text logs; login records such as wtmp and btmp are not logs in this sense",
            ),
            _ => Format::Plain,
        }
    }

    /// Decompresses `inner`. A format that cannot be read yields its bytes as they are.
    pub(crate) fn decode(self, inner: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Format::Gzip => {
                Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(64 * 1024, inner)))
            }
            Format::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::new(inner)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Box::new(decoder)
            }
            Format::Xz => {
                let flags = liblzma::stream::CONCATENATED;
                let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY_BYTES_MAX, flags)?;
                Box::new(liblzma::read::XzDecoder::new_stream(inner, stream))
            }
            Format::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(inner)),
            Format::Plain | Format::Foreign { .. } => inner,
        })
    }

    /// The name, and the program that tests such a file; `None` for what is not compressed.
    pub(crate) fn compression(self) -> Option<(&'static str, &'static str)> {
        match self {
            Format::Gzip => Some(("gzip", "gzip -t")),
            Format::Zstd => Some(("zstd", "zstd -t")),
            Format::Xz => Some(("xz", "xz -t")),
            Format::Bzip2 => Some(("bzip2", "bzip2 -t")),
            Format::Plain | Format::Foreign { .. } => None,
        }
    }
}

/// Bytes that text has not. A log may hold some: a crash leaves holes of NUL bytes, and clients send what they like.
fn is_binary(head: &[u8]) -> bool {
    let nul = memchr::memchr_iter(0, head).count();
    let control = head.iter().filter(|b| matches!(b, 1..=8 | 14..=31 | 127)).count();
    let lines = memchr::memchr_iter(b'\n', head).count();
    // Between the holes of a log there are lines.
    control * 20 > head.len() || (nul * 10 > head.len() && lines * 300 < head.len() - nul)
}

/// Reads the first bytes to tell the format, and gives the whole stream back.
pub(crate) fn recognise(mut inner: Box<dyn Read + Send>) -> io::Result<(Format, Box<dyn Read + Send>)> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    inner.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    let format = Format::of(&head);
    Ok((format, Box::new(Cursor::new(head).chain(inner))))
}
