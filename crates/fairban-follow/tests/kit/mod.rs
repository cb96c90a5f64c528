//! What the tests of following share: a folder, a follower with a clock that only the test moves, and what it told.

#![allow(dead_code, reason = "each test program takes what it needs")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fairban_follow::{
    Clock, Follower, Happening, InputKey, InputStatus, Loss, Options, Position, Source, Start, Unpack, What,
};
use tempfile::TempDir;

/// Tells the time that the test says.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestClock(Arc<AtomicU64>);

impl TestClock {
    pub(crate) fn step(&self, by: Duration) {
        self.0.fetch_add(by.as_millis() as u64, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// Files that begin with gzip's two bytes hold each byte turned over.
#[derive(Debug)]
pub(crate) struct TestPacker;

const MAGIC: [u8; 2] = [0x1f, 0x8b];

impl Unpack for TestPacker {
    fn unpack(&self, mut file: File) -> io::Result<Box<dyn Read + Send>> {
        let mut magic = [0; 2];
        file.read_exact(&mut magic)?;
        if magic != MAGIC {
            return Err(io::Error::other("an unknown way of packing"));
        }
        Ok(Box::new(Turned(file)))
    }
}

struct Turned(File);

impl Read for Turned {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        buffer[..read].iter_mut().for_each(|byte| *byte = !*byte);
        Ok(read)
    }
}

/// Packs a file as gzip does: writes another, with the old one's time, and removes the old one.
pub(crate) fn pack(path: &Path) -> PathBuf {
    let packed = PathBuf::from(format!("{}.gz", path.display()));
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    let mut bytes = MAGIC.to_vec();
    bytes.extend(fs::read(path).unwrap().iter().map(|byte| !byte));
    fs::write(&packed, bytes).unwrap();
    File::options().write(true).open(&packed).unwrap().set_modified(modified).unwrap();
    fs::remove_file(path).unwrap();
    packed
}

pub(crate) fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// A folder with logs, and who follows them.
pub(crate) struct Bench {
    folder: TempDir,
    pub(crate) clock: TestClock,
    pub(crate) follower: Option<Follower>,
    /// The last position of each input.
    pub(crate) stored: Vec<(InputKey, Position)>,
    pub(crate) chunk_bytes_max: usize,
    pub(crate) line_bytes_max: usize,
    pub(crate) inotify: bool,
    pub(crate) start: Start,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench {
            folder: tempfile::tempdir().unwrap(),
            clock: TestClock::default(),
            follower: None,
            stored: Vec::new(),
            chunk_bytes_max: 256 * 1024,
            line_bytes_max: 1_000,
            inotify: true,
            start: Start::Beginning,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    pub(crate) fn append(&self, name: &str, text: &str) {
        append(&self.path(name), text);
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// As logrotate: `log.1` becomes `log.2`, `log` becomes `log.1`; the packed ones too.
    pub(crate) fn shift(&self, name: &str, most: usize) {
        for index in (1..most).rev() {
            for end in ["", ".gz"] {
                let from = self.path(&format!("{name}.{index}{end}"));
                if from.exists() {
                    fs::rename(from, self.path(&format!("{name}.{}{end}", index + 1))).unwrap();
                }
            }
        }
    }

    pub(crate) fn rotate(&self, name: &str) {
        self.shift(name, 20);
        self.rename(name, &format!("{name}.1"));
    }

    pub(crate) fn copytruncate(&self, name: &str) {
        self.shift(name, 20);
        fs::copy(self.path(name), self.path(&format!("{name}.1"))).unwrap();
        File::options().write(true).truncate(true).open(self.path(name)).unwrap();
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            start: self.start,
            line_bytes_max: self.line_bytes_max,
            chunk_bytes_max: self.chunk_bytes_max,
            inotify: self.inotify,
            unpack: Some(Box::new(TestPacker)),
            clock: Box::new(self.clock.clone()),
            ..Options::default()
        }
    }

    /// Begins to follow, from where it was stored.
    pub(crate) fn follow(&mut self, sources: Vec<Source>) {
        self.follower = Some(Follower::new(sources, self.stored.clone(), self.options()).unwrap());
    }

    pub(crate) fn follow_file(&mut self, name: &str) {
        self.follow(vec![Source::File(self.path(name))]);
    }

    /// As after `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.follower = None;
    }

    /// Takes all that there is.
    pub(crate) fn take(&mut self) -> Vec<Happening> {
        let mut all = Vec::new();
        loop {
            let follower = self.follower.as_mut().unwrap();
            follower.wait(Some(Duration::ZERO)).unwrap();
            let before = all.len();
            while let Some(happening) = follower.try_next() {
                all.push(happening);
            }
            if all.len() == before {
                break;
            }
        }
        self.store();
        all
    }

    /// Takes all that there is, and shows it.
    pub(crate) fn told(&mut self) -> Vec<String> {
        self.take().iter().flat_map(shown).collect()
    }

    /// Takes all that there is, and shows the lines.
    pub(crate) fn lines(&mut self) -> Vec<String> {
        self.take()
            .iter()
            .filter(|happening| matches!(happening.what, What::Lines(_)))
            .flat_map(shown)
            .collect()
    }

    pub(crate) fn store(&mut self) {
        let inputs = self.follower.as_ref().unwrap().inputs();
        self.stored = inputs.into_iter().filter_map(|input| Some((input.key, input.position?))).collect();
    }

    pub(crate) fn status(&self) -> InputStatus {
        self.follower.as_ref().unwrap().inputs().remove(0)
    }
}

/// A happening in words; lines as they are.
pub(crate) fn shown(happening: &Happening) -> Vec<String> {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let one = match &happening.what {
        What::Lines(chunk) => {
            assert_eq!(chunk.bytes.last(), Some(&b'\n'), "{chunk:?}");
            let lines = chunk.bytes.split_inclusive(|&byte| byte == b'\n');
            return lines.map(|line| String::from_utf8_lossy(&line[..line.len() - 1]).into_owned()).collect();
        }
        What::CaughtUp => return Vec::new(),
        What::Appeared => "<appeared>".to_owned(),
        What::Missing => "<missing>".to_owned(),
        What::Rotated => "<rotated>".to_owned(),
        What::Truncated { copy: None } => "<truncated>".to_owned(),
        What::Truncated { copy: Some(copy) } => format!("<truncated, copy {}>", name(copy)),
        What::Unreadable(error) => format!("<unreadable: {error}>"),
        What::Lost { bytes, why } => {
            let bytes = bytes.map_or("?".to_owned(), |bytes| bytes.to_string());
            match why {
                Loss::Unreadable { path, .. } => format!("<lost {bytes} unreadable {}>", name(path)),
                _ => format!("<lost {bytes} {}>", format!("{why:?}").to_lowercase()),
            }
        }
        What::TooLong { bytes, line, .. } => format!("<too long {bytes} line {line}>"),
        What::Polling(_) => "<polling>".to_owned(),
        What::Ended => "<ended>".to_owned(),
        What::Removed => "<removed>".to_owned(),
    };
    vec![one]
}

/// Takes from this thread the rights of root to read what it may not.
pub(crate) fn become_ordinary() {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    let mut sets = capabilities(None).unwrap();
    let above = CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
    sets.effective.remove(above);
    sets.permitted.remove(above);
    set_capabilities(None, sets).unwrap();
}
