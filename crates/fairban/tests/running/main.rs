//! Situations of a running service: what a reload changes and what it cannot, which rights are kept, how the verbs find it.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "says what was not tried; a test that cannot go on fails"
)]

#[path = "../kit/mod.rs"]
mod kit;

mod inputs;
mod questions;
mod reloads;
mod starting;
mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::process::{Command, Output};

use fairban_control::{InputState, WallState};

use self::kit::{Home, is_root_or_skip};

const NOBODY: u32 = 65_534;

/// Not of 192.0.2.0/24, where machines that only run tests may live: what a machine itself has is never judged.
fn line(address: &str) -> String {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S+00:00");
    format!("{now} mx sshd[9]: Failed password for root from {address} port 22 ssh2\n")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs a verb that finds its service by the configuration.
fn verb(home: &Home, args: &[&str]) -> Output {
    let config = home.path("fairban.toml");
    home.verb(&[args, &["--config", config.to_str().unwrap()]].concat())
}

#[test]
fn verbs_find_the_socket_that_the_configuration_names() {
    let home = Home::new();
    home.configure("discover = false", "");
    let mut service = home.start(&[]);
    service.wait_ready();
    let ran = verb(&home, &["status"]);
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    assert!(text(&ran.stdout).contains(&format!("process {}", service.pid())));
    service.stop();
    // And its database, when it does not run.
    let ran = verb(&home, &["bans"]);
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    assert!(text(&ran.stderr).contains("this is what it left"), "{}", text(&ran.stderr));
    let ran = home.verb(&["status", "--config", "/nonexistent/fairban.toml"]);
    assert_eq!(ran.status.code(), Some(78));
    assert!(text(&ran.stderr).contains("--socket PATH"), "{}", text(&ran.stderr));
}

#[test]
fn who_may_read_the_status_changes_with_a_reload() {
    if !is_root_or_skip() {
        return;
    }
    let home = Home::new();
    home.open_to_all();
    let as_nobody = || {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        let socket = format!("--socket={}", home.socket().display());
        command.arg(env!("CARGO_BIN_EXE_fairban")).args(["status", &socket]).output().unwrap()
    };
    home.configure("discover = false", "status_for_all = false");
    let mut service = home.start(&[]);
    service.wait_ready();
    assert!(!as_nobody().status.success());
    home.configure("discover = false", "status_for_all = true");
    assert!(verb(&home, &["reload"]).status.success());
    let ran = as_nobody();
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    home.configure("discover = false", "status_for_all = false");
    assert!(verb(&home, &["reload"]).status.success());
    assert!(!as_nobody().status.success());
}

#[test]
fn a_log_behind_the_wall_is_told_to_need_a_restart_and_loses_nothing() {
    let home = Home::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let other = elsewhere.path().join("auth.log");
    fs::write(&other, line("203.0.113.2")).unwrap();
    fs::write(home.path("log/auth.log"), line("203.0.113.1")).unwrap();
    let inner = "[[input]]\nfile = \"$DIR/log/auth.log\"";
    home.configure("", inner);
    let mut service = home.start(&[]);
    let is_up = |status: &fairban_control::StatusReport| {
        status.walls.landlock.state == WallState::Up && status.sources.suspects == 1
    };
    let has_walls = service.wait_until(|status| status.sources.suspects == 1);
    if !is_up(&has_walls) {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "this kernel has no Landlock");
        println!("skipped: this kernel has no Landlock, so nothing lies behind a wall");
        return;
    }
    home.configure("", &format!("{inner}\n[[input]]\nfile = \"{}\"", other.display()));
    let ran = verb(&home, &["reload"]);
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    let told = text(&ran.stdout) + &text(&ran.stderr);
    assert!(told.contains("auth.log") && told.contains("once the service is started again"), "{told}");
    // What was read before still is.
    let mut log = fs::File::options().append(true).open(home.path("log/auth.log")).unwrap();
    std::io::Write::write_all(&mut log, line("203.0.113.3").as_bytes()).unwrap();
    let status = service.wait_until(|status| status.sources.suspects == 2);
    let walled = status.inputs.iter().find(|input| input.name.as_str() == other.to_str().unwrap()).unwrap();
    assert_ne!(walled.state, InputState::Following, "{walled:?}");
    service.stop();
    let mut service = home.start(&[]);
    service.wait_until(|status| status.sources.suspects == 3);
}

#[test]
fn the_right_to_read_every_log_is_kept_where_it_was_given_and_told() {
    if !is_root_or_skip() {
        return;
    }
    let home = Home::new();
    home.open_to_all();
    let log = home.path("log/dovecot.log");
    fs::write(&log, line("203.0.113.1")).unwrap();
    fs::set_permissions(&log, Permissions::from_mode(0o600)).unwrap();
    fs::create_dir(home.path("state")).unwrap();
    for folder in ["state", "run"] {
        chown(home.path(folder), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    home.configure("", "[[input]]\nfile = \"$DIR/log/dovecot.log\"");
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let mut service = home.start_by("setpriv", &nobody);
    let status = service.wait_until(|status| status.inputs.iter().any(|row| row.state == InputState::Failed));
    assert_eq!((status.sources.suspects, status.walls.capabilities.state), (0, WallState::Up));
    service.stop();
    let given = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"];
    let mut service = home.start_by("setpriv", &[&nobody[..], &given].concat());
    let status = service.wait_until(|status| status.sources.suspects == 1);
    let walls = status.walls.capabilities;
    assert_eq!(walls.state, WallState::Partly);
    assert_eq!(walls.remark.unwrap().as_str(), "CAP_DAC_READ_SEARCH");
    let process = fs::read_to_string(format!("/proc/{}/status", service.pid())).unwrap();
    for field in ["CapEff", "CapPrm"] {
        let held = process.lines().find(|line| line.starts_with(field)).unwrap();
        assert!(held.ends_with("\t0000000000000004"), "{held}");
    }
}
