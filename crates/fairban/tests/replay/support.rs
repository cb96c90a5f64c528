//! Running the program, and the files it is run on.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder of its own for each test, gone when the test ends.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("fairban-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder for temporary files");
        Folder(path)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("plain names").to_owned()
    }

    /// Writes a file and returns its name.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("a folder within");
        fs::write(&path, bytes).expect("a temporary file");
        self.path(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind is in a folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a run of the program gave.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    fn from(output: Output) -> Ran {
        Ran {
            code: output.status.code().expect("it ends by itself"),
            out: String::from_utf8(output.stdout).expect("printable"),
            err: String::from_utf8(output.stderr).expect("printable"),
        }
    }

    /// The objects, without the summary.
    pub(crate) fn objects(&self) -> Vec<serde_json::Value> {
        self.all_objects().into_iter().filter(|object| object["action"] != "summary").collect()
    }

    pub(crate) fn summary(&self) -> serde_json::Value {
        let last = self.all_objects().pop().expect("a summary");
        assert_eq!(last["action"], "summary", "{}", self.err);
        last
    }

    fn all_objects(&self) -> Vec<serde_json::Value> {
        self.out.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// Fails unless standard error holds each of these.
    pub(crate) fn tells(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.err.contains(part), "'{part}' is missing in:\n{}", self.err);
        }
    }
}

/// Runs `fairban`.
pub(crate) fn fairban(args: &[&str]) -> Ran {
    fairban_with_input(args, b"")
}

/// Runs `fairban` with bytes on its standard input.
pub(crate) fn fairban_with_input(args: &[&str], input: &[u8]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fairban"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.env_remove("LANG").env("LC_ALL", "C").env("TZ", "UTC").spawn().expect("it runs");
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_vec();
    // It may end before it has read all: that is not this thread's business.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("the writer ends");
    Ran::from(output)
}

/// `fairban replay --json` in UTC and 2026.
pub(crate) fn replay(args: &[&str]) -> Ran {
    fairban(&[&["replay", "--json", "--quiet", "--timezone", "UTC", "--year", "2026"], args].concat())
}

/// A file of the repository's samples.
pub(crate) fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples").join(name)
}

/// A real log of vpopmail with robots and people.
pub(crate) fn real_log() -> Vec<u8> {
    fs::read(sample("founding/real-qmail.maillog")).expect("a sample")
}

/// A line of vpopmail: `second` of 2026-01-21.
pub(crate) fn vchkpw(second: u32, outcome: &str, account: &str, source: &str) -> String {
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!(
        "Jan 21 {hour:02}:{minute:02}:{second:02} mx vpopmail[9]: vchkpw-pop3: {outcome} {account}:{source}\n"
    )
}

/// A robot that tries `names` names nobody has, one every two seconds from `second` on.
pub(crate) fn scan(second: u32, names: u32, source: &str) -> String {
    let line = |n| vchkpw(second + 2 * n, "vpopmail user not found", &format!("name{n}@d.example"), source);
    (0..names).map(line).collect()
}

/// The whole of a text, compressed with gzip.
pub(crate) fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes.as_ref()).expect("to memory");
    encoder.finish().expect("to memory")
}
