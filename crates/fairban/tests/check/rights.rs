//! Inputs are tried as the user that the service runs as, and the remedies that are told are remedies.
//!
//! To become another user takes root. Without it, that nothing is claimed about that user is all there is to see.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use jiff::Timestamp;

use crate::support::{Folder, Ran, fairban};

/// A user of every machine who may do nothing.
const USER: &str = "nobody";

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id is everywhere");
    id.stdout == b"0\n"
}

/// Where tests are run to decide something, what is missing fails them.
fn has(command: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {command}")]).output().expect("a shell");
    let found = found.status.success();
    assert!(found || std::env::var("CI").as_deref() != Ok("true"), "{command} is missing");
    found
}

fn line() -> String {
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S+00:00");
    format!("{now} mx sshd[9]: Failed password for root from 192.0.2.1 port 22 ssh2\n")
}

fn check(folder: &Folder, input: &str) -> Ran {
    let config = folder.file("x.toml", format!("user = \"{USER}\"\n[[input]]\n{input}\n"));
    fairban(&["check", "--config", &config])
}

fn close(path: &str, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

/// The lines below a warning that hold this command, as a shell takes them.
fn remedies(ran: &Ran, command: &str) -> Vec<String> {
    let lines = ran.out.lines().map(str::trim).filter(|line| line.starts_with(command));
    lines.map(str::to_owned).collect()
}

fn run(command: &str) {
    let ran = Command::new("sh").args(["-c", command]).output().expect("a shell");
    assert!(ran.status.success(), "{command}: {}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn who_is_not_root_tries_as_himself_and_says_so() {
    let folder = Folder::new();
    let log = folder.file("auth.log", line());
    let ran = check(&folder, &format!("file = \"{log}\""));
    if is_root() {
        assert!(ran.out.contains(&format!("inputs tried as  {USER}\n")), "{}", ran.out);
    } else {
        assert!(ran.out.contains("only root can try as nobody"), "{}", ran.out);
    }
    assert!(ran.out.contains("sshd 1 lines"), "{}", ran.out);
}

#[test]
fn a_closed_multilog_folder_is_opened_by_what_is_told() {
    if !is_root() || !has("setfacl") {
        return;
    }
    let folder = Folder::new();
    folder
        .file("log/main/current", format!("@4000000069{}00000000 tcpserver: status: 0/40\n", "0".repeat(6)));
    for closed in [folder.path("log"), folder.path("log/main")] {
        close(&closed, 0o700);
    }
    let input = format!("multilog = \"{}\"", folder.path("log/main"));
    let ran = check(&folder, &input);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("may not be read by nobody"), "{}", ran.out);
    let commands = remedies(&ran, "setfacl");
    assert_eq!(commands.len(), 3, "{}", ran.out);
    assert!(commands.iter().any(|command| command.starts_with("setfacl -d -m u:nobody:")), "{}", ran.out);
    for command in &commands {
        run(command);
    }
    assert!(!check(&folder, &input).out.contains("may not be read"));
    // multilog makes the next file so, whatever the folder's own mode.
    fs::rename(folder.path("log/main/current"), folder.path("log/main/@4000000069000000000000000.s"))
        .expect("ours");
    close(&folder.file("log/main/current", line()), 0o644);
    assert!(!check(&folder, &input).out.contains("may not be read"));
}

#[test]
fn access_lists_last_over_rotation_where_they_are_told() {
    if !is_root() || !has("setfacl") {
        return;
    }
    let folder = Folder::new();
    let log = folder.file("logs/auth.log", line());
    close(&log, 0o640);
    let input = format!("file = \"{log}\"");
    let ran = check(&folder, &input);
    assert!(ran.out.contains("may not be read by nobody"), "{}", ran.out);
    for command in remedies(&ran, "setfacl") {
        run(&command);
    }
    let ran = check(&folder, &input);
    assert_eq!(ran.code, 0, "{}", ran.out);
    // As logrotate does it: create 0640.
    fs::rename(&log, folder.path("logs/auth.log.1")).expect("ours");
    run(&format!("umask 027; echo '{}' > {log}; chmod 0640 {log}", line().trim()));
    let ran = check(&folder, &input);
    assert_eq!(ran.code, 0, "{}", ran.out);
}

#[test]
fn where_no_access_list_lasts_none_is_told_alone() {
    if !is_root() {
        return;
    }
    let folder = Folder::new();
    let log = folder.file("dovecot.log", line());
    close(&log, 0o600);
    let ran = check(&folder, &format!("file = \"{log}\""));
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("takes an access list back at each rotation"), "{}", ran.out);
    assert!(ran.out.contains("create 0640"), "{}", ran.out);
}

#[test]
fn a_group_that_may_read_is_told_before_access_lists() {
    if !is_root() {
        return;
    }
    let folder = Folder::new();
    let log = folder.file("mail.log", line());
    close(&log, 0o640);
    run(&format!("chgrp adm {log}"));
    let ran = check(&folder, &format!("file = \"{log}\""));
    assert_eq!(remedies(&ran, "usermod"), ["usermod -aG adm nobody"], "{}", ran.out);
    assert!(remedies(&ran, "setfacl").is_empty(), "{}", ran.out);
}

#[test]
fn missing_users_groups_and_open_files_are_told() {
    if !is_root() {
        return;
    }
    let folder = Folder::new();
    let log = folder.file("auth.log", line());
    let text =
        format!("user = \"no-such-user\"\ncontrol.group = \"no-such-group\"\n[[input]]\nfile = \"{log}\"\n");
    let config = folder.file("x.toml", text);
    close(&config, 0o666);
    close(&log, 0o666);
    let ran = fairban(&["check", "--config", &config]);
    for part in [
        "useradd --system",
        "groupadd --system no-such-group",
        "others than its owner can write it",
        "every local user can write to it",
    ] {
        assert!(ran.out.contains(part), "'{part}' is missing in:\n{}", ran.out);
    }
}
