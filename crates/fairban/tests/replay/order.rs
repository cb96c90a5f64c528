//! Logs are merged in the order of time, and the same input gives the same bytes, whoever reads it.

use crate::support::{Folder, fairban, real_log, replay, scan, vchkpw};

#[test]
fn two_runs_are_equal_to_the_byte_for_any_number_of_threads() {
    let folder = Folder::new();
    let mut text = real_log();
    // Several blocks of it, so that threads have something to mix up.
    let filler = "Jan 21 10:00:00 mx CRON[1]: (root) CMD (true)\n".repeat(2_000);
    for n in 0..20 {
        text.extend(filler.as_bytes());
        text.extend(scan(50_000 + 60 * n, 10, &format!("203.0.113.{n}")).into_bytes());
    }
    let log = folder.file("a.log", text);
    let other = folder.file("b.log", scan(51_000, 500, "198.51.100.9"));
    let expected = replay(&["--threads", "1", &log, &other]);
    assert!(expected.out.lines().count() > 20);
    for threads in ["1", "2", "4", "7"] {
        assert_eq!(replay(&["--threads", threads, &log, &other]).out, expected.out, "{threads} threads");
    }
    let report =
        |threads| fairban(&["replay", "--timezone", "UTC", "--year", "2026", "--threads", threads, &log]).out;
    assert_eq!(report("1"), report("4"));
}

#[test]
fn lines_of_several_logs_are_taken_by_time_then_by_place() {
    let folder = Folder::new();
    let fail = |second, name: &str| vchkpw(second, "vpopmail user not found", name, "203.0.113.7");
    let (mut merged, mut first, mut second) = (String::new(), String::new(), String::new());
    for n in 0..20 {
        let (one, other) = (fail(n, &format!("a{n}@d")), fail(n, &format!("b{n}@d")));
        merged.extend([one.as_str(), other.as_str()]);
        first.push_str(&one);
        second.push_str(&other);
    }
    let ban_at = |logs: &[&str]| {
        let ban =
            replay(logs).objects().into_iter().find(|object| object["action"] == "ban").expect("a robot");
        let file = ban["file"].as_str().expect("text").rsplit('/').next().expect("a name").to_owned();
        (file, ban["line"].as_u64().expect("a number"))
    };
    let (_, line) = ban_at(&[&folder.file("merged.log", merged)]);
    let (first, second) = (folder.file("first.log", first), folder.file("second.log", second));
    let of_first = line % 2 == 1;
    let expected =
        |of_first| (if of_first { "first.log" } else { "second.log" }.to_owned(), line.div_ceil(2));
    assert_eq!(ban_at(&[&first, &second]), expected(of_first));
    assert_eq!(ban_at(&[&second, &first]), expected(!of_first));
}

#[test]
fn a_leap_that_the_log_takes_back_is_that_lines_error() {
    let folder = Folder::new();
    let good = scan(36_000, 30, "203.0.113.7");
    let mut lines: Vec<String> = good.split_inclusive('\n').map(str::to_owned).collect();
    lines.insert(1, vchkpw(0, "login success", "dan@d.example", "192.0.2.1").replace("Jan 21", "Mar 15"));
    let log = folder.file("a.log", lines.concat());
    let ran = replay(&[&log]);
    assert_eq!(ran.summary()["time"], "2026-01-21T10:00:58Z", "March never was");
    let (ban, without) = (&ran.objects()[0], &replay(&[&folder.file("b.log", good)]).objects()[0]);
    assert_eq!(ban["time"], without["time"]);
    assert_eq!(ban["line"].as_u64(), without["line"].as_u64().map(|line| line + 1));
}

#[test]
fn a_night_without_lines_is_no_error() {
    let folder = Folder::new();
    let log = folder
        .file("a.log", format!("{}{}", scan(3_600, 10, "203.0.113.7"), scan(80_000, 10, "198.51.100.9")));
    let ran = replay(&[&log]);
    assert_eq!(ran.summary()["time"], "2026-01-21T22:13:38Z");
}

#[test]
fn a_line_that_stands_in_two_logs_is_taken_once() {
    let folder = Folder::new();
    let text = String::from_utf8(real_log()).expect("ASCII");
    let other = "Jan 21 10:00:00 mx CRON[1]: (root) CMD (true)\n".repeat(50);
    let (mail, syslog) = (folder.file("mail.log", &text), folder.file("syslog", format!("{other}{text}")));
    let (alone, both) = (replay(&[&mail]), replay(&[&mail, &syslog]));
    assert_eq!(both.objects(), alone.objects());
    assert_eq!(both.summary()["attempts"], alone.summary()["attempts"]);
    let ran = fairban(&["replay", "--timezone", "UTC", "--year", "2026", &mail, &syslog]);
    ran.tells(&["lines stood in more than one log; each was taken once"]);
}

#[test]
fn a_closed_output_ends_the_program_quietly() {
    use std::process::{Command, Stdio};
    let folder = Folder::new();
    let log = folder
        .file("a.log", (0..200).map(|n| scan(36_000, 10, &format!("203.0.113.{n}"))).collect::<String>());
    let mut child = Command::new(env!("CARGO_BIN_EXE_fairban"))
        .args(["replay", "--quiet", "--json", "--year", "2026", &log])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}
