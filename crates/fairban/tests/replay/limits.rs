//! `fairban limits suggest` and `test`: what old logs say to limits.

use crate::support::{Folder, fairban, vchkpw};

const OFFICE: &str = "192.0.2.7";
const ROBOT: &str = "203.0.113.36";

/// An office that logs in eight times within a minute, hour by hour, and a robot that comes forty times.
fn log() -> String {
    let office = (0..3).flat_map(|hour| (0..8).map(move |n| (hour * 3_600 + 2 * n, n)));
    let mut lines: String = office
        .map(|(second, n)| vchkpw(second, "(PLAIN) login success", &format!("user{n}@d.example"), OFFICE))
        .collect();
    lines += &(0..40)
        .map(|n| vchkpw(20_000 + n, "vpopmail user not found", &format!("x{n}@d.example"), ROBOT))
        .collect::<String>();
    lines
}

fn with_log(args: &[&str]) -> crate::support::Ran {
    let folder = Folder::new();
    let log = folder.file("maillog", log());
    fairban(&[&["limits"], args, &["--timezone", "UTC", "--year", "2026", &log]].concat())
}

#[test]
fn what_is_suggested_touches_nobody_familiar() {
    let ran = with_log(&["suggest", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let found: serde_json::Value =
        serde_json::from_str(ran.out.lines().next().expect("one group")).expect("JSON");
    assert_eq!(
        (&found["name"], found["new_a_minute"]["familiar"]["max"].as_u64()),
        (&"pop3".into(), Some(8))
    );
    assert_eq!(found["new_a_minute"]["stranger"]["max"], 40);
    assert_eq!((&found["suggested"]["new"], &found["strangers_over"]), (&"10/1m".into(), &1.into()));
    let ran = with_log(&["suggest"]);
    for part in
        ["familiar", "stranger", "fairban limits set pop3 --ports 110,995 --new 10/1m", "1 strangers would"]
    {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    assert!(ran.out.lines().all(|line| line.len() <= 80), "{}", ran.out);
    let ran = with_log(&["test", "--new", "10/1m"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("1 stranger: 203.0.113.36 (24)"), "{}", ran.out);
}

#[test]
fn a_limit_that_is_too_low_is_told_by_whom_it_touches() {
    let ran = with_log(&["test", "--new", "3/1m", "--json"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    ran.tells(&["1 familiar source would have been refused"]);
    let told: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(told["over"]["familiar"][0]["prefix"], "192.0.2.7/32");
    // Its last day alone has it, too; another group of ports does not.
    assert_eq!(with_log(&["test", "--new", "3/1m", "--days", "1"]).code, 1);
    assert_eq!(with_log(&["test", "--new", "3/1m", "--ports", "22"]).code, 0);
}
