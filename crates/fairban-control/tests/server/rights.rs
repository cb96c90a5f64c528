//! Who may what. Needs root and `setpriv`, for a test can only be somebody else by being root first; says so where it
//! cannot.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use fairban_control::{Client, ClientError, read_door};

use super::*;

/// A user and groups that no machine needs to know.
const STRANGER: u32 = 65_534;
const GROUP: u32 = 64_123;

/// What the other process does: the part of this file that runs as somebody else.
const ROLE: &str = "FAIRBAN_TEST_ROLE";

/// Says so past the test harness, which would keep it to itself.
fn not_tested(what: &str) {
    std::io::stderr().write_all(format!("NOT TESTED: {what}\n").as_bytes()).unwrap();
}

/// Runs `role` of [`as_somebody_else`] with these identities; `false` where that cannot be.
fn become_other(host: &Host, role: &str, gid: u32, groups: &str) -> bool {
    if !rustix::process::geteuid().is_root() {
        not_tested("who may what at the control socket; run the tests as root");
        return false;
    }
    let program = reachable_program(host);
    let groups = if groups.is_empty() { "--clear-groups".to_owned() } else { format!("--groups={groups}") };
    let ran = Command::new("setpriv")
        .args([&format!("--reuid={STRANGER}"), &format!("--regid={gid}"), &groups])
        .arg(&program)
        .args(["--exact", "rights::as_somebody_else", "--nocapture"])
        .env(ROLE, role)
        .env("FAIRBAN_TEST_SOCKET", host.path())
        .output();
    let Ok(ran) = ran else {
        not_tested("who may what at the control socket; setpriv (util-linux) is missing");
        return false;
    };
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{role}: {said}");
    assert!(said.contains(&format!("played {role}")), "{role}: {said}");
    true
}

/// A copy of this program where a stranger can reach it. Copied by another process: what a thread of ours has open for
/// writing, a process that another thread starts may hold for a moment, and then it cannot be run.
fn reachable_program(host: &Host) -> PathBuf {
    fs::set_permissions(host.folder.path(), Permissions::from_mode(0o755)).unwrap();
    let program = host.folder.path().join("test");
    let copied = Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program).status().unwrap();
    assert!(copied.success());
    program
}

/// Plays a role where it is given one; else there is nothing to do.
#[test]
fn as_somebody_else() {
    let (Ok(role), Ok(path)) = (std::env::var(ROLE), std::env::var("FAIRBAN_TEST_SOCKET")) else { return };
    let path = PathBuf::from(path);
    match role.as_str() {
        "member" => plays_member(&path),
        "reader" => plays_reader(&path),
        "stranger" => plays_stranger(&path),
        "crowd" => plays_crowd(&path),
        "locked-out" => {
            let denied = Client::connect(&path).unwrap_err();
            assert!(matches!(&denied, ClientError::Denied { .. }), "{denied}");
            assert!(denied.hint().unwrap().contains(&GROUP.to_string()), "{:?}", denied.hint());
        }
        _ => panic!("there is no role {role}"),
    }
    println!("played {role}");
}

fn plays_member(path: &Path) {
    let mut client = Client::connect(path).unwrap();
    assert!(matches!(client.ask(&Request::Reload), Ok(Response::Done(_))));
    assert!(matches!(client.ask(&Request::Status), Ok(Response::Status(status)) if has_samples(&status)));
}

fn has_samples(status: &StatusReport) -> bool {
    status.services.iter().any(|service| !service.samples.is_empty())
}

fn plays_reader(path: &Path) {
    let mut client = Client::connect(path).unwrap();
    let Ok(Response::Status(status)) = client.ask(&Request::Status) else { panic!("no status") };
    assert!(!status.services.is_empty() && !has_samples(&status), "no lines for everybody");
    let alarm = &status.alarms[0];
    assert!(alarm.about.is_none() && alarm.text == alarm.name, "no accounts for everybody");
    let orders = [
        r#"{"v":1,"ask":"ban","prefix":"203.0.113.7","seconds":60}"#,
        r#"{"v":1,"ask":"unban","all":true}"#,
        r#"{"v":1,"ask":"bans"}"#,
        r#"{"v":1,"ask":"allow","prefix":"203.0.113.7"}"#,
        r#"{"v":1,"ask":"allow-list"}"#,
        r#"{"v":1,"ask":"allow-remove","prefix":"203.0.113.7"}"#,
        r#"{"v":1,"ask":"why","account":"dan"}"#,
        r#"{"v":1,"ask":"tail"}"#,
        r#"{"v":1,"ask":"mode","mode":"live"}"#,
        r#"{"v":1,"ask":"confirm"}"#,
        r#"{"v":1,"ask":"resume"}"#,
        r#"{"v":1,"ask":"reload"}"#,
        r#"{"v":1,"ask":"report","since":"2026-01-21T09:51:25Z"}"#,
    ];
    for order in orders {
        match client.ask(&Request::parse(order.as_bytes()).unwrap()) {
            Err(ClientError::Refused(refusal)) => assert_eq!(refusal.problem, Problem::Denied, "{order}"),
            other => panic!("{order}: {other:?}"),
        }
    }
    // Further questions within a second get the same answer: the judge is not asked again.
    for _ in 0..500 {
        assert!(matches!(client.ask(&Request::Status), Ok(Response::Status(_))));
        assert!(matches!(client.ask(&Request::Ping), Ok(Response::Pong { .. })));
    }
}

fn plays_stranger(path: &Path) {
    let Err(ClientError::Refused(refusal)) = Client::connect(path).unwrap().ask(&Request::Status) else {
        panic!("it was answered")
    };
    assert_eq!(refusal.problem, Problem::Denied);
    let hint = refusal.hint.unwrap();
    assert!(hint.as_str().contains("control.status_for_all"), "{hint}");
}

/// Takes all places that strangers may have, and some more, each with half a request.
fn plays_crowd(path: &Path) {
    let mut crowd: Vec<Raw> = (0..32).map(|_| Raw::connect(&read_door(path))).collect();
    for client in &mut crowd {
        client.ping();
        client.say("{");
    }
    // The last of them is known to be served, so the others' halves are read by the time that a further one is let in.
    let mut further = Raw::connect(&read_door(path));
    assert_eq!(further.problem(), Problem::Busy);
    assert!(further.is_closed());
    println!("crowded");
    // The one that made us waits for this line, and lets root in while we are here.
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

#[test]
fn members_act_by_any_of_their_groups() {
    let host = Host::with(&Access { group: Some(own_or(GROUP)), readers: false }, Patience::default());
    if become_other(&host, "member", GROUP, "") {
        assert!(become_other(&host, "member", STRANGER, &format!("7,{GROUP}")));
    }
}

/// Only root can give the socket to a group that he is no member of.
fn own_or(group: u32) -> u32 {
    if rustix::process::geteuid().is_root() { group } else { rustix::process::getegid().as_raw() }
}

#[test]
fn others_read_the_status_where_that_is_allowed_and_nothing_else() {
    let host = Host::with(&Access { group: None, readers: true }, Patience::default());
    if become_other(&host, "reader", STRANGER, "") {
        let asked = host.stop();
        assert!(asked < 50, "readers made the judge work {asked} times");
    }
}

#[test]
fn others_are_told_why_not_where_it_is_not_allowed() {
    let host = Host::new();
    if become_other(&host, "stranger", STRANGER, "") {
        // The reload of a configuration can allow it, and take it back.
        let running = host.running.as_ref().unwrap();
        running.readers().allow(true);
        assert!(become_other(&host, "reader", STRANGER, ""));
        running.readers().allow(false);
        assert!(become_other(&host, "stranger", STRANGER, ""));
    }
}

#[test]
fn who_reaches_no_socket_is_told_which_group_may() {
    let host = Host::with(&Access { group: Some(own_or(GROUP)), readers: false }, Patience::default());
    fs::remove_file(read_door(&host.path())).unwrap();
    become_other(&host, "locked-out", STRANGER, "");
}

#[test]
fn a_crowd_of_strangers_keeps_nobody_else_out() {
    let host = Host::with(&Access { group: None, readers: true }, Patience::default());
    if !rustix::process::geteuid().is_root() {
        not_tested("a crowd of strangers at the control socket; run the tests as root");
        return;
    }
    let program = reachable_program(&host);
    let crowd = Command::new("setpriv")
        .args([&format!("--reuid={STRANGER}"), &format!("--regid={STRANGER}"), "--clear-groups"])
        .arg(&program)
        .args(["--exact", "rights::as_somebody_else", "--nocapture"])
        .env(ROLE, "crowd")
        .env("FAIRBAN_TEST_SOCKET", host.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let Ok(mut crowd) = crowd else {
        not_tested("a crowd of strangers at the control socket; setpriv (util-linux) is missing");
        return;
    };
    let mut said = BufReader::new(crowd.stdout.take().unwrap()).lines();
    assert!(said.by_ref().map_while(Result::ok).any(|line| line.contains("crowded")), "the crowd failed");
    for _ in 0..40 {
        host.connect().ping();
    }
    drop(crowd.stdin.take());
    said.for_each(drop);
    assert!(crowd.wait().unwrap().success());
}
