//! Whatever is wrong with an input is told with its name, what was done all the same, and the remedy; the others are read.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Folder, fairban, gzip, replay, scan};

/// Beside `wrong`, a good log with a robot in it must still be read and the robot found.
fn beside_a_good_log(folder: &Folder, wrong: &str) -> crate::support::Ran {
    let good = folder.file("good.log", scan(36_000, 20, "203.0.113.7"));
    let ran = replay(&[wrong, &good]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(robots(&ran).contains(&"203.0.113.7/32".to_owned()));
    ran
}

/// Whom a run banned.
fn robots(ran: &crate::support::Ran) -> Vec<String> {
    let bans = ran.objects().into_iter().filter(|object| object["action"] == "ban");
    bans.map(|ban| ban["source"].as_str().expect("text").to_owned()).collect()
}

#[test]
fn a_missing_file() {
    let folder = Folder::new();
    let missing = folder.path("missing.log");
    beside_a_good_log(&folder, &missing).tells(&[
        "warning: ",
        "missing.log: does not exist; it was not read",
        "hint: ",
    ]);
    let ran = replay(&[&missing]);
    assert_eq!(ran.code, 69);
    ran.tells(&["error: none of the logs could be read", "hint: "]);
}

#[test]
fn an_unreadable_file() {
    let folder = Folder::new();
    let closed = folder.file("closed.log", "Jan 21 10:00:00 mx x: y\n");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).expect("ours");
    if fs::read(&closed).is_ok() {
        // Root reads everything: nothing to see here.
        return;
    }
    beside_a_good_log(&folder, &closed).tells(&[
        "closed.log: may not be read by this user",
        "hint: ",
        "setfacl",
    ]);
    assert_eq!(replay(&[&closed]).code, 69);
}

#[test]
fn a_broken_gzip_in_the_middle() {
    let folder = Folder::new();
    let text = scan(36_000, 400, "198.51.100.9");
    let whole = gzip(&text);
    let cut = folder.file("cut.gz", &whole[..whole.len() / 2]);
    let ran = beside_a_good_log(&folder, &cut);
    ran.tells(&[
        "cut.gz: the gzip data is damaged or cut short after line ",
        "whole lines before that were read",
        "gzip -t",
    ]);
    let banned = robots(&ran);
    assert!(banned.contains(&"198.51.100.9/32".to_owned()), "what was read counts: {banned:?}");
    let mut garbled = whole.clone();
    let middle = garbled.len() / 2;
    garbled[middle..middle + 40].fill(0xff);
    let garbled = folder.file("garbled.gz", garbled);
    beside_a_good_log(&folder, &garbled).tells(&["garbled.gz: the gzip data is damaged"]);
}

#[test]
fn every_compression_broken_in_the_middle() {
    let folder = Folder::new();
    let text = scan(36_000, 20_000, "198.51.100.9");
    for (name, bytes) in crate::inputs::compressed(text.as_bytes()) {
        let broken = folder.file(&name, &bytes[..bytes.len() * 3 / 4]);
        let ran = beside_a_good_log(&folder, &broken);
        ran.tells(&[&format!("{name}: the "), "data is damaged or cut short after line "]);
    }
}

#[test]
fn nothing_but_a_broken_file() {
    let folder = Folder::new();
    let cut = folder.file("cut.gz", &gzip("x\n")[..12]);
    let ran = replay(&[&cut]);
    assert_eq!((ran.code, ran.out.as_str()), (69, ""));
    ran.tells(&["cut.gz: the gzip data is damaged", "error: none of the logs could be read"]);
}

#[test]
fn a_binary_file() {
    let folder = Folder::new();
    let bytes: Vec<u8> =
        (0..20_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8 & 0x9f).collect();
    let binary = folder.file("wtmp", bytes);
    beside_a_good_log(&folder, &binary).tells(&["wtmp: is not text; it was not read", "hint: "]);
    let journal = folder.file("system.journal", b"LPKSHHRH\0\0\0\0");
    beside_a_good_log(&folder, &journal).tells(&["system.journal: is a journal of systemd", "journalctl"]);
}

#[test]
fn a_log_with_holes_of_nul_bytes_is_a_log() {
    let folder = Folder::new();
    let mut text = scan(36_000, 50, "198.51.100.9").into_bytes();
    text.splice(1_000..1_000, vec![0; 3_000]);
    let log = folder.file("holes.log", text);
    let ran = replay(&[&log]);
    assert_eq!(robots(&ran), ["198.51.100.9/32"]);
}

#[test]
fn an_empty_file() {
    let folder = Folder::new();
    let empty = folder.file("empty.log", "");
    beside_a_good_log(&folder, &empty).tells(&["empty.log: is empty"]);
    let ran = replay(&[&empty]);
    assert_eq!(ran.code, 0, "an empty log can be read: there is nothing in it");
    assert_eq!(ran.summary()["lines"], 0);
    let nothing = folder.file("nothing.gz", gzip(""));
    beside_a_good_log(&folder, &nothing).tells(&["nothing.gz: holds no line"]);
}

#[test]
fn a_directory() {
    let folder = Folder::new();
    folder.file("logs/mail.log", "x\n");
    let logs = folder.path("logs");
    beside_a_good_log(&folder, &logs)
        .tells(&["logs: is a folder, and none that multilog writes", "logs/*.log"]);
    assert_eq!(replay(&[&logs]).code, 69);
}

#[test]
fn a_log_of_no_known_service() {
    let folder = Folder::new();
    let other = folder.file("cron.log", "Jan 21 10:00:00 mx CRON[1]: (root) CMD (true)\n".repeat(30));
    let ran = beside_a_good_log(&folder, &other);
    ran.tells(&[
        "cron.log: holds no line of a service that fairban knows (30 lines read)",
        "vpopmail",
        "hint: ",
    ]);
    let text = folder.file("novel.txt", "It was a dark and stormy night.\n".repeat(3));
    beside_a_good_log(&folder, &text)
        .tells(&["novel.txt: no line has the form of a log (3 lines read)", "hint: "]);
}

#[test]
fn a_wrong_time_zone_name() {
    let ran = fairban(&["replay", "--timezone", "Europe/Berln", "x"]);
    assert_eq!(ran.code, 2);
    ran.tells(&["error: ", "--timezone", "Europe/Berln", "did you mean Europe/Berlin?"]);
}

#[test]
fn wrong_options_name_themselves() {
    for (args, part) in [
        (&["--year", "26"][..], "--year"),
        (&["--compare", "5/10"], "5/10m/10m"),
        (&["--service", "ftp"], "vpopmail"),
        (&["--threads", "0"], "--threads"),
        (&["--explain", "300.1.1.1"], "--explain"),
        (&["--jsn"], "--json"),
    ] {
        let ran = fairban(&[&["replay"], args].concat());
        assert_eq!(ran.code, 2, "{args:?}");
        ran.tells(&["error: ", part]);
    }
}

#[test]
fn a_state_file_of_another_version() {
    let folder = Folder::new();
    let log = folder.file("a.log", scan(36_000, 20, "203.0.113.7"));
    let state = folder.path("replay.state");
    assert_eq!(replay(&["--state", &state, &log]).code, 0);
    let mut bytes = fs::read(&state).expect("written");
    bytes[14] = 99;
    fs::write(&state, &bytes).expect("ours");
    let ran = replay(&["--state", &state, &log]);
    assert_eq!((ran.code, ran.out.as_str()), (78, ""));
    ran.tells(&["replay.state has format version 99; this fairban reads version", "hint: ", "remove it"]);
    assert_eq!(fs::read(&state).expect("still there"), bytes, "the old file is not touched");
}

#[test]
fn a_state_file_cut_short() {
    let folder = Folder::new();
    let log = folder.file("a.log", scan(36_000, 20, "203.0.113.7"));
    let state = folder.path("replay.state");
    assert_eq!(replay(&["--state", &state, &log]).code, 0);
    let whole = fs::read(&state).expect("written");
    for len in [0, 5, 14, 16, 20, 33, 34, 60, whole.len() / 2, whole.len() - 1] {
        fs::write(&state, &whole[..len]).expect("ours");
        let ran = replay(&["--state", &state, &log]);
        assert_eq!((ran.code, ran.out.as_str()), (78, ""), "{len} bytes");
        ran.tells(&["error: the state file ", "replay.state is cut short", "hint: "]);
        assert_eq!(fs::read(&state).expect("still there"), &whole[..len], "the old file is not touched");
    }
    for at in [40, whole.len() / 2, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&state, &damaged).expect("ours");
        let ran = replay(&["--state", &state, &log]);
        assert_eq!(ran.code, 78);
        ran.tells(&["replay.state is damaged"]);
    }
    let other = folder.file("other.state", "something else");
    assert_eq!(replay(&["--state", &other, &log]).code, 78);
}

#[test]
fn a_state_file_made_with_other_options() {
    let folder = Folder::new();
    let log = folder.file("a.log", scan(36_000, 20, "203.0.113.7"));
    let state = folder.path("replay.state");
    assert_eq!(replay(&["--state", &state, &log]).code, 0);
    let ran = replay(&["--state", &state, "--compare", "3/1h/1d", &log]);
    assert_eq!(ran.code, 78);
    ran.tells(&["was made with another --compare", "hint: "]);
}

#[test]
fn a_state_file_that_cannot_be_written_is_told_before_the_work() {
    let folder = Folder::new();
    let log = folder.file("a.log", scan(36_000, 20, "203.0.113.7"));
    let ran = replay(&["--state", &folder.path("no/such/folder/replay.state"), &log]);
    assert_eq!((ran.code, ran.out.as_str()), (69, ""));
    ran.tells(&["cannot write the state file", "cause: ", "hint: "]);
}

#[test]
fn a_line_without_end_costs_no_memory_and_is_counted() {
    let folder = Folder::new();
    let (before, after) = (scan(36_000, 10, "203.0.113.7"), scan(36_100, 20, "198.51.100.9"));
    let without = replay(&[&folder.file("without.log", format!("{before}{after}"))]);
    let mut text = before.into_bytes();
    text.extend(vec![b'x'; 10 << 20]);
    text.push(b'\n');
    text.extend(after.into_bytes());
    let ran = replay(&[&folder.file("long.log", text)]);
    ran.tells(&["long.log: 1 line longer than 64 KiB skipped"]);
    assert_eq!((&ran.summary()["lines"], &ran.summary()["too_long"]), (&31.into(), &1.into()));
    let line = |ran: &crate::support::Ran| ran.objects().last().expect("the second robot")["line"].as_u64();
    assert_eq!(line(&ran), line(&without).map(|line| line + 1));
}
