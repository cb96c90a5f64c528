//! `--state`: a log may be cut anywhere and read in parts.

use std::fs;

use serde_json::Value;

use crate::support::{Folder, Ran, real_log, replay, scan, vchkpw};

fn without_places(objects: Vec<Value>) -> Vec<Value> {
    let strip = |mut object: Value| {
        object.as_object_mut().expect("an object").retain(|name, _| name != "file" && name != "line");
        object
    };
    objects.into_iter().map(strip).collect()
}

/// Reads `text` in parts that end at `cuts`, and compares with reading the whole.
fn compare(text: &[u8], cuts: &[usize], threads: &str) {
    let folder = Folder::new();
    let whole = replay(&["--threads", threads, &folder.file("whole", text)]);
    let state = folder.path("replay.state");
    let mut parts: Vec<Ran> = Vec::new();
    let mut from = 0;
    for to in cuts.iter().copied().chain([text.len()]) {
        let part = folder.file("part", &text[from..to]);
        parts.push(replay(&["--threads", threads, "--state", &state, &part]));
        assert_eq!(parts.last().map(|part| part.code), Some(0), "{}", parts.last().expect("just pushed").err);
        from = to;
    }
    let objects: Vec<Value> = parts.iter().flat_map(Ran::objects).collect();
    assert_eq!(without_places(objects), without_places(whole.objects()), "cut at {cuts:?}");
    let last = parts.last().expect("at least one").summary();
    assert_eq!(without_places(vec![last]), without_places(vec![whole.summary()]), "cut at {cuts:?}");
}

/// Places that depend on nothing but their number.
fn places(len: usize, count: u64) -> impl Iterator<Item = usize> {
    (1..=count).map(move |n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % len as u64) as usize)
}

#[test]
fn a_real_log_cut_anywhere_gives_the_same() {
    let text = real_log();
    for cut in places(text.len(), 20) {
        compare(&text, &[cut], "1");
    }
    compare(&text, &[0], "1");
    compare(&text, &[1], "2");
    compare(&text, &[text.len() - 1], "2");
}

#[test]
fn a_log_in_many_parts_gives_the_same() {
    let text = real_log();
    let mut cuts: Vec<usize> = places(text.len(), 8).collect();
    cuts.sort_unstable();
    compare(&text, &cuts, "2");
}

#[test]
fn a_quiet_log_with_leaps_cut_anywhere_gives_the_same() {
    // Every line is a leap of an hour, and the last ones are never confirmed by ten others.
    let text: String = (0..20)
        .map(|n| vchkpw(3_600 * n, "vpopmail user not found", &format!("n{n}@d.example"), "203.0.113.7"))
        .collect();
    for cut in (0..text.len()).step_by(97) {
        compare(text.as_bytes(), &[cut], "1");
    }
}

#[test]
fn a_log_with_a_line_out_of_time_cut_anywhere_gives_the_same() {
    let good = scan(36_000, 24, "203.0.113.7");
    let mut lines: Vec<String> = good.split_inclusive('\n').map(str::to_owned).collect();
    lines.insert(12, vchkpw(0, "login success", "dan@d.example", "192.0.2.1").replace("Jan 21", "Mar 15"));
    let text = lines.concat();
    for cut in (0..text.len()).step_by(61) {
        compare(text.as_bytes(), &[cut], "1");
    }
}

#[test]
fn a_log_over_new_year_cut_at_midnight_gives_the_same() {
    let text = format!(
        "{}{}",
        scan(80_000, 10, "203.0.113.7").replace("Jan 21", "Dec 31"),
        scan(60, 10, "203.0.113.8").replace("Jan 21", "Jan  1")
    );
    let midnight = text.find("Jan  1").expect("it is there");
    for cut in [midnight - 20, midnight, midnight + 20, midnight + 200] {
        compare(text.as_bytes(), &[cut], "1");
    }
}

#[test]
fn a_line_too_long_cut_within_gives_the_same() {
    let mut text = scan(36_000, 10, "203.0.113.7").into_bytes();
    let from = text.len();
    text.extend(vec![b'x'; 300_000]);
    text.push(b'\n');
    text.extend(scan(36_100, 10, "198.51.100.9").into_bytes());
    for cut in [from, from + 10, from + 65_536, from + 65_537, from + 262_144, from + 299_999, from + 300_000]
    {
        compare(&text, &[cut], "1");
    }
    compare(&text, &[from + 70_000, from + 200_000], "1");
}

#[test]
fn a_rotated_set_read_one_by_one_gives_the_same() {
    let folder = Folder::new();
    let text = real_log();
    let cut = text.len() / 2;
    let (older, newer) = (folder.file("maillog.1", &text[..cut]), folder.file("maillog", &text[cut..]));
    let whole = replay(&[&folder.file("whole", &text)]);
    let state = folder.path("replay.state");
    let (first, second) = (replay(&["--state", &state, &older]), replay(&["--state", &state, &newer]));
    let objects = [first.objects(), second.objects()].concat();
    assert_eq!(without_places(objects), without_places(whole.objects()));
    assert_eq!(second.summary(), whole.summary());
}

#[test]
fn several_logs_at_once_go_on_each() {
    let folder = Folder::new();
    let (mail, tcp) = (scan(36_000, 20, "203.0.113.7").into_bytes(), real_log());
    let whole = replay(&[&folder.file("m", &mail), &folder.file("t", &tcp)]);
    let (cut_mail, cut_tcp) = (mail.len(), tcp.len() / 2);
    let state = folder.path("replay.state");
    let first = replay(&[
        "--state",
        &state,
        &folder.file("a.log", &mail[..cut_mail]),
        &folder.file("b.log", &tcp[..cut_tcp]),
    ]);
    let second =
        replay(&["--state", &state, &folder.file("a.rest", ""), &folder.file("b.log", &tcp[cut_tcp..])]);
    assert_eq!(first.code + second.code, 0, "{}{}", first.err, second.err);
    assert_eq!(second.summary()["lines"], whole.summary()["lines"]);
}

/// Reads two logs of one host in two parts, cut at these places, and compares with reading both whole.
fn compare_two(mail: &[u8], syslog: &[u8], (cut_mail, cut_syslog): (usize, usize)) {
    let folder = Folder::new();
    let state = folder.path("replay.state");
    let whole = replay(&[&folder.file("mail.log", mail), &folder.file("syslog", syslog)]);
    let read = |name: &str, mail: &[u8], syslog: &[u8]| {
        let paths = (format!("{name}/mail.log"), format!("{name}/syslog"));
        replay(&["--state", &state, &folder.file(&paths.0, mail), &folder.file(&paths.1, syslog)])
    };
    let first = read("first", &mail[..cut_mail], &syslog[..cut_syslog]);
    let second = read("second", &mail[cut_mail..], &syslog[cut_syslog..]);
    let cuts = format!("cut at {cut_mail} and {cut_syslog}");
    assert_eq!(first.code + second.code, 0, "{cuts}: {}{}", first.err, second.err);
    let objects = [first.objects(), second.objects()].concat();
    assert_eq!(without_places(objects), without_places(whole.objects()), "{cuts}");
    assert_eq!(second.summary(), whole.summary(), "{cuts}");
}

#[test]
fn lines_of_two_logs_are_doubles_though_a_cut_lies_between_them() {
    // Three tries at an address each: doubled they would be six, and a ban.
    let text = (0..40).map(|n| {
        let source = format!("203.0.113.{}", n % 13);
        vchkpw(36_000 + 2 * n, "password fail (pass: 'secret')", &format!("name{n}@d.example"), &source)
    });
    let text = text.collect::<String>().into_bytes();
    let line = text.len() / 40;
    for at in (0..40).step_by(3) {
        for behind in [0, 1, 5, 10] {
            let (ahead, behind) = (at * line, (at.saturating_sub(behind)) * line);
            compare_two(&text, &text, (ahead, behind));
            compare_two(&text, &text, (behind + 7, ahead + 11));
        }
    }
}

#[test]
fn what_waits_for_its_rest_is_kept_by_the_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let state = folder.path("replay.state");
    replay(&["--state", &state, &folder.file("a", scan(36_000, 20, "203.0.113.7"))]);
    assert_eq!(fs::metadata(&state).expect("written").permissions().mode() & 0o777, 0o600);
    let left: Vec<_> =
        fs::read_dir(folder.path("")).expect("ours").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left.len(), 2, "no temporary file stays behind: {left:?}");
}
