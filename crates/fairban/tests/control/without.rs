//! Without a service, with one that refuses, with a wrong command line: what is said, and the exit code.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;

use fairban_control::{Problem, Refusal, Request, Response};

use crate::support::{Service, command, fairban};

const VERBS: [&[&str]; 14] = [
    &["status"],
    &["bans"],
    &["ban", "203.0.113.7"],
    &["unban", "203.0.113.7"],
    &["allow", "203.0.113.7"],
    &["allow", "list"],
    &["allow", "remove", "203.0.113.7"],
    &["why", "203.0.113.7"],
    &["tail"],
    &["mode", "live"],
    &["confirm"],
    &["resume"],
    &["reload"],
    &["report"],
];

#[test]
fn each_verb_says_that_no_service_runs_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("none.sock");
    for verb in VERBS {
        for json in [&[][..], &["--json"]] {
            let socket = format!("--socket={}", socket.display());
            let ran = fairban(&[verb, json, &[&socket]].concat());
            ran.fails(69, &["no fairban listens at", "none.sock", "hint: is `fairban run` running?"]);
            assert_eq!(ran.out, "", "{verb:?}");
        }
    }
}

#[test]
fn a_service_that_does_not_speak_our_version_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    let service = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        std::io::Write::write_all(&mut client, b"{\"v\":2,\"answer\":\"pong\"}\n").unwrap();
    });
    let ran = fairban(&["status", &format!("--socket={}", socket.display())]);
    ran.fails(69, &["speaks version 2", "this program version 1", "same version"]);
    service.join().unwrap();
}

#[test]
fn refusals_have_exit_codes_of_their_own() {
    let cases = [
        (Problem::Refused, 1),
        (Problem::Config, 78),
        (Problem::Failed, 69),
        (Problem::Denied, 69),
        (Problem::Stopping, 69),
        (Problem::Internal, 70),
    ];
    for (problem, code) in cases {
        let service =
            Service::answering(move |_| Refusal::new(problem, "it cannot be").hint("do this").into());
        for verb in VERBS.into_iter().filter(|verb| verb[0] != "tail") {
            let ran = service.run(verb);
            ran.fails(code, &["error: it cannot be", "hint: do this"]);
            assert_eq!(ran.out, "");
        }
        let ran = service.run(&["reload", "--json"]);
        ran.fails(code, &["it cannot be"]);
        assert!(ran.out.starts_with("{\"v\":1,\"answer\":\"error\",\"problem\":"), "{}", ran.out);
    }
}

#[test]
fn a_command_line_that_is_wrong_is_answered_with_what_was_meant() {
    let check = |args: &[&str], parts: &[&str]| fairban(args).fails(2, parts);
    check(&["ban", "203.0.113.7/24"], &["did you mean 203.0.113.0/24, or 203.0.113.7 alone?"]);
    check(&["ban", "203.0.113"], &["did you mean 203.0.113.0/24?"]);
    check(&["ban", "mail.example.com"], &["names are not looked up"]);
    check(&["ban", "203.0.113.7", "--for", "60"], &["60m are minutes"]);
    check(&["ban", "203.0.113.7", "--for", "5000d"], &["ten years; or say forever"]);
    check(&["ban", "203.0.113.7", "--reason", &"x".repeat(300)], &["at most 200 bytes"]);
    check(&["ban"], &["<PREFIX>"]);
    check(&["unban"], &["PREFIX|--account <ACCOUNT>|--all"]);
    check(&["unban", "203.0.113.7", "--all"], &["cannot be used with"]);
    check(&["allow"], &["<PREFIX>"]);
    check(&["allow", "remove"], &["<PREFIX>"]);
    check(&["mode", "alive"], &["live", "shadow"]);
    check(&["why", "203.0.113.256"], &["up to 255"]);
    check(&["why", "dan", "--at", "noon"], &["2h (ago)"]);
    check(&["tail", "--only", "bann"], &["stale-device"]);
    check(&["bans", "--plain", "--json"], &["cannot be used with"]);
}

#[test]
fn too_wide_a_ban_is_refused_by_the_service_itself() {
    let service = Service::answering(|_| panic!("nobody is asked"));
    service.run(&["ban", "0.0.0.0/0"]).fails(70, &["0.0.0.0/0 is too wide", "at most an IPv4 /8"]);
}

#[test]
fn nothing_known_is_a_finding() {
    let service = Service::answering(|request| match request {
        Request::Why { .. } => Response::NothingKnown { about: fairban_control::Shown::of("a\u{1b}b") },
        _ => panic!("{request:?}"),
    });
    let ran = service.run(&["why", "a\u{1b}b"]);
    ran.fails(1, &["nothing is known about a\\x1bb"]);
    assert_eq!(ran.out, "");
    let ran = service.run(&["why", "a\u{1b}b", "--json"]);
    ran.fails(1, &[]);
    assert_eq!(ran.out, "{\"v\":1,\"answer\":\"nothing-known\",\"about\":\"a\\\\x1bb\"}\n");
}

#[test]
fn who_may_not_is_told_who_may() {
    // Only root can be somebody else.
    let service = Service::answering(|_| panic!("nobody is asked"));
    let folder = service.socket.parent().unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.join("fairban");
    // Copied by another process: what a thread of ours has open for writing, a process that another thread starts may hold
    // for a moment, and then it cannot be run.
    let cp = std::process::Command::new("cp").arg(env!("CARGO_BIN_EXE_fairban")).arg(&program).status();
    assert!(cp.unwrap().success());
    let socket = format!("--socket={}", service.socket.display());
    let mut other = std::process::Command::new("setpriv");
    other.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program).args(["status", &socket]);
    match other.env("LC_ALL", "C").output() {
        Ok(ran) if String::from_utf8_lossy(&ran.stderr).contains("setpriv:") => {
            let said = "NOT TESTED: who may not talk to the service; run the tests as root\n";
            std::io::Write::write_all(&mut std::io::stderr(), said.as_bytes()).unwrap();
        }
        Ok(ran) => {
            let parts = ["only root may do this", "use sudo", "control.status_for_all"];
            crate::support::Ran::from(ran).fails(69, &parts);
        }
        Err(error) => {
            let said = format!("NOT TESTED: who may not talk to the service; setpriv: {error}\n");
            std::io::Write::write_all(&mut std::io::stderr(), said.as_bytes()).unwrap();
        }
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let service = Service::answering(|_| panic!("nobody is asked"));
    let socket = format!("--socket={}", service.socket.display());
    let mut child = command(&["tail", "--json", &socket]).spawn().unwrap();
    while !service.publisher.is_watched() {
        std::thread::yield_now();
    }
    drop(child.stdout.take());
    let event = crate::support::example(|response| matches!(response, Response::Event(_)));
    let Response::Event(event) = event else { unreachable!() };
    // Another test's process, not yet begun, may hold the pipe's end for a moment: so not once only.
    let ended = loop {
        service.publisher.publish(&event);
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::yield_now();
    };
    assert_eq!(ended.code(), Some(0));
}
