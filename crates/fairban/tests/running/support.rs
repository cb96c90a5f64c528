//! Lines of a log, and what the program says.

use std::fs;
use std::path::Path;
use std::process::Output;

/// What the program said, both ways.
pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A line of sshd now: a login, or a try at a name that does not exist.
pub(crate) fn line(source: &str, name: &str, is_login: bool) -> String {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00");
    let what = if is_login { "Accepted password for" } else { "Failed password for invalid user" };
    format!("{now} mx sshd[77]: {what} {name} from {source} port 40000 ssh2\n")
}

pub(crate) fn append(path: &Path, text: &str) {
    use std::io::Write as _;
    let mut file = fs::File::options().append(true).create(true).open(path).expect("a log");
    file.write_all(text.as_bytes()).expect("a line");
}
