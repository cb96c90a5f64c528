//! Logs with known truth: reading them, and the truth beside them.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use fairban_core::account::{Account, AccountKey};
use fairban_core::escape::escaped;
use fairban_core::event::AuthEvent;
use fairban_parse::health::Health;
use fairban_parse::parser::{Parsed, Parser};

/// Only ever occurs in what clients sent.
pub(crate) const NEVER_CONNECTED: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(8, 8, 8, 8));

/// One row of `labels.tsv`: what the client knows.
#[derive(Clone)]
pub(crate) struct Label {
    pub(crate) source: IpAddr,
    pub(crate) account: Vec<u8>,
    pub(crate) outcome: String,
    pub(crate) mechanism: String,
    pub(crate) session: String,
    pub(crate) role: String,
    pub(crate) scenario: String,
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Label { source, account, outcome, mechanism, session, role, scenario } = self;
        let shown = escaped(&account[..account.len().min(80)]);
        let bytes = account.len();
        write!(f, "{source} {shown} ({bytes}) {outcome} {mechanism} {session} {role} {scenario}")
    }
}

/// Labels by line, of each file.
pub(crate) type Labels = BTreeMap<String, BTreeMap<usize, Label>>;

/// A file below `samples/`, plain or compressed.
#[allow(clippy::disallowed_methods, reason = "the test, unlike the crate, reads its samples")]
pub(crate) fn file(folder: &str, name: &str) -> Vec<u8> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../samples")
        .join(folder)
        .join(name.trim_end_matches(".gz"));
    if let Ok(bytes) = fs::read(&path) {
        return bytes;
    }
    let compressed = fs::read(format!("{}.gz", path.display())).expect("a sample, plain or compressed");
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&compressed[..]).read_to_end(&mut bytes).expect("a whole gzip file");
    bytes
}

/// The truth of a folder. `columns` names those behind file and line.
pub(crate) fn labels(folder: &str, columns: &[&str]) -> Labels {
    let bytes = file(folder, "labels.tsv");
    let text = String::from_utf8(bytes).expect("labels are escaped");
    let mut labels = Labels::new();
    for row in text.lines().skip(1) {
        let fields: Vec<&str> = row.split('\t').collect();
        let field = |name: &str| {
            let at = columns.iter().position(|column| *column == name);
            at.and_then(|at| fields.get(at + 2)).copied().unwrap_or_default().to_owned()
        };
        let line = fields[1].parse().expect("a line number");
        let label = Label {
            source: field("source").parse().expect("an address"),
            account: unescape(&field("account")),
            outcome: field("outcome"),
            mechanism: field("mechanism"),
            session: field("session"),
            role: field("role"),
            scenario: field("scenario"),
        };
        labels.entry(fields[0].to_owned()).or_default().insert(line, label);
    }
    labels
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'\\' {
            bytes.push(byte);
        } else if let Some(behind) = rest.strip_prefix(b"\\") {
            bytes.push(b'\\');
            rest = behind;
        } else {
            let hex = std::str::from_utf8(&rest[1..3]).expect("two digits");
            bytes.push(u8::from_str_radix(hex, 16).expect("two hexadecimal digits"));
            rest = &rest[3..];
        }
    }
    bytes
}

/// What each line tells, by line number from 1.
pub(crate) fn events(bytes: &[u8]) -> BTreeMap<usize, AuthEvent> {
    let parser = Parser::new([7; 16]);
    let mut health = Health::default();
    let mut events = BTreeMap::new();
    for (at, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        if let Parsed::Event(_, event) = parser.line(line, &mut health) {
            assert_ne!(event.source, Some(NEVER_CONNECTED), "line {}: {event:?}", at + 1);
            events.insert(at + 1, event);
        }
    }
    events
}

/// How a server prints a name: control bytes and broken UTF-8 become `?`.
pub(crate) fn printed(name: &[u8]) -> Vec<u8> {
    let mut shown = Vec::new();
    for chunk in name.utf8_chunks() {
        shown.extend(chunk.valid().bytes().map(|byte| if byte < 0x20 { b'?' } else { byte }));
        shown.extend(chunk.invalid().iter().map(|_| b'?'));
    }
    shown
}

/// Whether the account is this name, cut at `bytes_max` with a mark of three dots.
pub(crate) fn is_account(account: &Account, shown: &[u8], bytes_max: usize) -> bool {
    if shown.is_empty() {
        return *account == Account::Hidden;
    }
    match account {
        Account::Hidden => false,
        Account::Cut(key) => {
            let key = key.as_bytes();
            shown.len() > bytes_max
                && key.len() + 6 >= bytes_max
                && shown.to_ascii_lowercase().starts_with(key)
        }
        Account::Known(key) | Account::Last { key, .. } => {
            shown.len() <= bytes_max && *key == AccountKey::new(shown)
        }
    }
}

/// What became of the labelled lines of one file.
pub(crate) struct Score {
    file: String,
    labelled: usize,
    wrong: Vec<String>,
}

impl Score {
    pub(crate) fn new(file: &str) -> Score {
        Score { file: file.to_owned(), labelled: 0, wrong: Vec::new() }
    }

    pub(crate) fn count(
        &mut self,
        line: usize,
        label: &Label,
        event: Option<&AuthEvent>,
        verdict: Result<(), String>,
    ) {
        self.labelled += 1;
        if let Err(why) = verdict {
            self.wrong.push(format!("{}:{line}: {why}\n  {label:?}\n  {event:?}", self.file));
        }
    }

    /// Prints `file: right/labelled` and demands that all are right.
    #[allow(clippy::print_stdout)] // The score is what the test is run for.
    pub(crate) fn demand_all(&self, at_least: usize) {
        println!("{}: {}/{}", self.file, self.labelled - self.wrong.len(), self.labelled);
        assert!(self.labelled >= at_least, "{}: only {} labelled lines", self.file, self.labelled);
        assert!(
            self.wrong.is_empty(),
            "{}\n{}",
            self.wrong.len(),
            self.wrong[..self.wrong.len().min(12)].join("\n")
        );
    }
}
