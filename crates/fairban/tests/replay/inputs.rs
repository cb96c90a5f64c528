//! Where logs come from: compressed files, standard input, rotated sets, multilog folders, the usual places.

use std::fs;
use std::io::Write as _;

use crate::support::{Folder, fairban, fairban_with_input, gzip, real_log, replay, scan, vchkpw};

/// A text in each format that is read, by a name that does not give it away.
pub(crate) fn compressed(text: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 6);
    xz.write_all(text).expect("to memory");
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    bzip2.write_all(text).expect("to memory");
    vec![
        ("one.log".to_owned(), gzip(text)),
        ("two.log".to_owned(), zstd::encode_all(text, 3).expect("to memory")),
        ("three.log".to_owned(), xz.finish().expect("to memory")),
        ("four.log".to_owned(), bzip2.finish().expect("to memory")),
    ]
}

/// Objects without what depends on the file's name.
fn nameless(out: &str, name: &str) -> String {
    out.replace(name, "LOG")
}

#[test]
fn all_formats_give_the_same_and_are_told_by_their_bytes() {
    let folder = Folder::new();
    let text = real_log();
    let plain = folder.file("plain", &text);
    let expected = nameless(&replay(&[&plain]).out, &plain);
    assert!(expected.lines().count() > 3, "there is something to compare");
    for (name, bytes) in compressed(&text) {
        let path = folder.file(&name, bytes);
        assert_eq!(nameless(&replay(&[&path]).out, &path), expected, "{name}");
    }
    let members = [gzip(&text[..10_000]), gzip(&text[10_000..])].concat();
    let path = folder.file("members.gz", members);
    assert_eq!(nameless(&replay(&[&path]).out, &path), expected, "gzip of two members");
    let args = ["replay", "--json", "--quiet", "--timezone", "UTC", "--year", "2026", "-"];
    assert_eq!(nameless(&fairban_with_input(&args, &text).out, "\"-\""), nameless(&expected, "\"LOG\""));
    assert_eq!(
        nameless(&fairban_with_input(&args, &gzip(&text)).out, "\"-\""),
        nameless(&expected, "\"LOG\"")
    );
}

#[test]
fn a_rotated_set_may_be_given_in_any_order() {
    let folder = Folder::new();
    let text = String::from_utf8(real_log()).expect("ASCII");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let third = lines.len() / 3;
    let oldest = folder.file("maillog.2.gz", gzip(lines[..third].concat()));
    let older = folder.file("maillog.1", lines[third..2 * third].concat());
    let newest = folder.file("maillog", lines[2 * third..].concat());
    let whole = folder.file("whole", &text);
    let strip = |objects: Vec<serde_json::Value>| -> Vec<serde_json::Value> {
        let places = |mut object: serde_json::Value| {
            object["file"].take();
            object["line"].take();
            object
        };
        objects.into_iter().map(places).collect()
    };
    let expected = strip(replay(&[&whole]).objects());
    for order in [[&newest, &older, &oldest], [&oldest, &newest, &older], [&older, &oldest, &newest]] {
        let ran = replay(&order.map(String::as_str));
        assert_eq!(strip(ran.objects()), expected);
        assert_eq!(ran.summary(), replay(&[&whole]).summary());
    }
}

#[test]
fn a_file_given_twice_is_read_once() {
    let folder = Folder::new();
    let log = folder.file("a.log", scan(36_000, 20, "203.0.113.7"));
    let link = folder.path("b.log");
    std::os::unix::fs::symlink(&log, &link).expect("ours");
    let ran = replay(&[&log, &log, &link]);
    assert_eq!(ran.summary()["lines"], 20);
    ran.tells(&["a.log: was given twice and is read once", "b.log: was given twice and is read once"]);
}

#[test]
fn a_multilog_folder_is_read_as_a_set() {
    let folder = Folder::new();
    let stamp = |n: u64| format!("@{:016x}00000000", 0x4000_0000_6970_0000_u64 + n);
    let line = |n: u64| format!("{} tcpserver: status: {}/40\n", stamp(n), n % 40);
    folder.file(&format!("main/{}.s", stamp(10)), (0..10).map(line).collect::<String>());
    folder.file(&format!("main/{}.u", stamp(20)), (10..20).map(line).collect::<String>());
    folder.file("main/current", (20..25).map(line).collect::<String>());
    folder.file("main/lock", "");
    folder.file("main/state", "x");
    let ran = replay(&[&folder.path("main")]);
    assert_eq!((ran.code, ran.summary()["lines"].as_u64(), ran.err.as_str()), (0, Some(25), ""));
    assert_eq!(ran.summary()["services"][0]["name"], "tcpserver");
}

#[test]
fn without_arguments_the_usual_logs_are_found() {
    let folder = Folder::new();
    folder.file("root/var/log/mail.log", scan(36_000, 10, "203.0.113.7"));
    folder.file("root/var/log/mail.log.1", scan(30_000, 10, "198.51.100.8"));
    folder.file("root/var/log/auth.log.2.gz", gzip(scan(20_000, 10, "192.0.2.9")));
    folder.file("root/var/log/kern.log", "not read\n");
    folder.file("root/var/log/qmail/smtpd/current", scan(10_000, 10, "100.64.10.1"));
    folder.file("root/var/service/pop3d/log/main/current", scan(1_000, 10, "100.65.11.1"));
    let root = folder.path("root");
    let ran = fairban(&["replay", "--root", &root, "--timezone", "UTC", "--year", "2026"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.tells(&[
        "reading what was found: ",
        "mail.log.1",
        "auth.log.2.gz",
        "smtpd/current",
        "pop3d/log/main/current",
    ]);
    assert!(!ran.err.contains("kern.log"));
    for robot in ["203.0.113.7", "198.51.100.8", "192.0.2.9", "100.64.10.1", "100.65.11.1"] {
        assert!(ran.out.contains(robot), "{robot} in {}", ran.out);
    }
    fs::create_dir_all(folder.path("bare/var/log")).expect("ours");
    let ran = fairban(&["replay", "--root", &folder.path("bare")]);
    assert_eq!(ran.code, 69);
    ran.tells(&["no logs were found in the usual places", "hint: "]);
}

#[test]
fn years_follow_from_the_file_and_roll_over() {
    let folder = Folder::new();
    let december = scan(36_000, 10, "203.0.113.7").replace("Jan 21", "Dec 31");
    let january = scan(36_000, 10, "203.0.113.8").replace("Jan 21", "Jan  1");
    let log = folder.file("maillog", format!("{december}{january}"));
    let modified = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_767_300_000); // 2026-01-01 20:40
    fs::File::options().append(true).open(&log).expect("ours").set_modified(modified).expect("ours");
    let ran = fairban(&["replay", "--json", "--quiet", "--timezone", "UTC", &log]);
    let times: Vec<_> =
        ran.objects().iter().map(|object| object["time"].as_str().expect("text")[..10].to_owned()).collect();
    assert_eq!(
        (times.first().map(String::as_str), times.last().map(String::as_str)),
        (Some("2025-12-31"), Some("2026-01-01"))
    );
    let ran = replay(&[&log]);
    assert_eq!(ran.summary()["from"], "2026-12-31T10:00:00Z", "--year says of the first stamp");
    assert_eq!(ran.summary()["time"], "2027-01-01T10:00:18Z");
}

#[test]
fn a_time_zone_is_that_of_stamps_without_one() {
    let folder = Folder::new();
    let log = folder.file("a.log", scan(36_000, 10, "203.0.113.7"));
    let ran =
        fairban(&["replay", "--json", "--quiet", "--timezone", "Europe/Berlin", "--year", "2026", &log]);
    assert_eq!(ran.summary()["from"], "2026-01-21T09:00:00Z");
}

#[test]
fn only_the_services_asked_for_are_judged() {
    let folder = Folder::new();
    let ssh = "Jan 21 10:00:00 mx sshd[1]: Failed password for invalid user x from 192.0.2.9 port 22 ssh2\n";
    let log = folder.file("a.log", format!("{}{ssh}", scan(36_000, 20, "203.0.113.7")));
    assert!(replay(&["--service", "sshd", &log]).objects().is_empty());
    assert_eq!(
        replay(&["--service", "sshd,vpopmail", &log]).objects().len(),
        replay(&[&log]).objects().len()
    );
}

#[test]
fn a_last_line_without_its_line_feed_is_a_line() {
    let folder = Folder::new();
    let text = format!(
        "{}{}",
        scan(36_000, 2, "203.0.113.7"),
        vchkpw(36_004, "vpopmail user not found", "z@d.example", "203.0.113.7")
    );
    let whole = folder.file("whole", &text);
    let cut = folder.file("cut", text.trim_end());
    assert_eq!(replay(&[&whole]).objects().len(), replay(&[&cut]).objects().len());
    assert_eq!(replay(&[&cut]).summary()["lines"], 3);
}

#[test]
fn bytes_are_counted_as_they_stand_in_the_file() {
    let folder = Folder::new();
    let text = scan(36_000, 3, "203.0.113.7");
    for text in [text.as_str(), text.trim_end()] {
        let told = replay(&[&folder.file("log", text)]).summary();
        assert_eq!(told["bytes"], text.len());
        assert_eq!(told["lines"], 3);
    }
}
