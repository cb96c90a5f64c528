//! What a person reads: the report, explanations, help, the man page.

use crate::support::{Folder, fairban, sample, scan, vchkpw};

fn founding() -> Vec<String> {
    ["founding/reconstruction.maillog.gz", "founding/reconstruction.tcpserver.log.gz"]
        .map(|name| sample(name).to_str().expect("plain").to_owned())
        .to_vec()
}

fn report(args: &[&str]) -> String {
    let ran = fairban(&[&["replay", "--timezone", "UTC", "--year", "2007"], args].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.out
}

#[test]
fn the_founding_day_reads_well() {
    let logs = founding();
    let out = report(&logs.iter().map(String::as_str).collect::<Vec<_>>());
    let row = |part: &str| {
        out.lines()
            .find(|line| line.trim_start().starts_with(part))
            .unwrap_or_else(|| panic!("{part} in {out}"))
    };
    assert!(row("24.220.50.36").contains("username-scan"));
    let honest = &out[out.find("Honest sources spared").expect("a section")..];
    for client in ["86.142.39.161", "67.161.162.12", "212.186.68.140"] {
        assert!(honest.contains(client), "{client} is told of as honest: {out}");
    }
    assert!(out.contains("Casualties: none"));
    assert!(out.contains("Time line"));
}

#[test]
fn tables_fit_eighty_columns() {
    let folder = Folder::new();
    let mut text = String::new();
    for n in 0..60 {
        let source = format!("2001:db8:{n:x}:abcd:1234:5678:9abc:def0");
        let names = (0..12).map(|i| {
            vchkpw(
                36_000 + 20 * n + i,
                "vpopmail user not found",
                &format!("{}{i}@{n}.example", "long-name-".repeat(9)),
                &source,
            )
        });
        text.extend(names);
    }
    let log = folder.file("a.log", text);
    for args in [&["--all"][..], &[]] {
        let out = report(&[args, &[&log]].concat());
        let wide: Vec<&str> =
            out.lines().filter(|line| line.chars().count() > 80 && !line.contains("--explain")).collect();
        assert!(wide.is_empty(), "{}", wide.join("\n"));
    }
    let (few, all) = (report(&[&log]), report(&["--all", &log]));
    assert!(few.contains("more; --all shows them") && !all.contains("--all shows them"));
}

#[test]
fn no_colours_but_on_a_terminal_and_hostile_text_is_escaped() {
    let folder = Folder::new();
    let mut text = scan(36_000, 20, "203.0.113.7");
    text.push_str(&vchkpw(36_100, "login success", "\u{1b}[2Jevil@d.example", "203.0.113.7"));
    let log = folder.file("\u{1b}[31m.log", text);
    for args in [&[][..], &["--explain", "203.0.113.7"], &["--all"]] {
        let ran = fairban(&[&["replay", "--timezone", "UTC", "--year", "2026"], args, &[&log]].concat());
        assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'), "{}{}", ran.out, ran.err);
    }
}

#[test]
fn explain_tells_the_whole_evidence() {
    let folder = Folder::new();
    let log = folder.file("a.log", scan(36_000, 20, "203.0.113.7"));
    let ran = fairban(&["replay", "--timezone", "UTC", "--year", "2026", "--explain", "203.0.113.7", &log]);
    for part in [
        "20 attempts",
        "ban #",
        "username-scan",
        "unknown-account",
        "nats",
        "name0@d.example",
        "a.log:",
        "vpopmail user not found",
    ] {
        assert!(ran.out.contains(part), "{part} in {}", ran.out);
    }
    let ran = fairban(&["replay", "--timezone", "UTC", "--year", "2026", "--explain", "192.0.2.99", &log]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains("192.0.2.99: nothing is known"));
}

#[test]
fn quiet_leaves_findings_and_warnings() {
    let folder = Folder::new();
    let log = folder.file("a.log", scan(36_000, 20, "203.0.113.7"));
    let ran =
        fairban(&["replay", "--quiet", "--timezone", "UTC", "--year", "2026", &log, &folder.path("missing")]);
    assert!(
        ran.out.contains("203.0.113.7")
            && !ran.out.contains("What was read")
            && !ran.out.contains("Time line")
    );
    assert!(ran.err.contains("missing: does not exist") && !ran.err.contains("note: "));
}

#[test]
fn what_was_read_and_how_fast_is_told() {
    let folder = Folder::new();
    let log = folder.file("a.log", scan(36_000, 20, "203.0.113.7"));
    let ran = fairban(&["replay", "--timezone", "UTC", "--year", "2026", &log]);
    assert!(ran.out.contains("20 lines"), "{}", ran.out);
    ran.tells(&["note: read 20 lines", "lines/s"]);
}

#[test]
fn help_has_examples_and_exit_codes() {
    let help = fairban(&["replay", "--help"]);
    assert_eq!(help.code, 0);
    for part in ["Examples:", "fairban replay --explain", "Exit codes:", "69", "78", "--compare", "5/10m/10m"]
    {
        assert!(help.out.contains(part), "{part} in {}", help.out);
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(fairban(&["completions", shell]).out.contains("timezone"), "{shell}");
    }
}

#[test]
fn the_man_page_is_the_one_in_the_tree() {
    let page = fairban(&["man"]).out;
    let in_tree = include_str!("../../../../docs/man/fairban.1");
    assert!(page == in_tree, "docs/man/fairban.1 is old; run: cargo run -q -- man > docs/man/fairban.1");
}
