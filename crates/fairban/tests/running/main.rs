//! The service as an operator meets it: reloads, orders and questions, from outside.

#![expect(clippy::expect_used, reason = "what fails here fails the test")]

#[path = "../kit/mod.rs"]
mod kit;

mod inputs;
mod questions;
mod reloads;

use std::fs;
use std::process::Output;

use kit::Home;

/// What the program said, both ways.
fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A verb with the configuration of this home.
fn verb(home: &Home, args: &[&str]) -> Output {
    let config = home.path("fairban.toml");
    home.verb(&[args, &["--config", config.to_str().expect("plain names")]].concat())
}

/// A line of sshd now: a login, or a try at a name that does not exist.
fn line(source: &str, name: &str, is_login: bool) -> String {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00");
    let what = if is_login { "Accepted password for" } else { "Failed password for invalid user" };
    format!("{now} mx sshd[77]: {what} {name} from {source} port 40000 ssh2\n")
}

fn append(path: &std::path::Path, text: &str) {
    use std::io::Write as _;
    let mut file = fs::File::options().append(true).create(true).open(path).expect("a log");
    file.write_all(text.as_bytes()).expect("a line");
}
