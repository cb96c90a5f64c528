//! The journal, played by a script in the place of `journalctl`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use fairban_helper::config::Journal;
use fairban_helper::protocol::Batch;
use fairban_helper::{Config, Message};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::Driver;

/// A script that plays `journalctl`, in a directory with what it reads. `$here` is that directory, `$all` its arguments.
///
/// `$here/live` is a pipe; [`WAITS`] reads from it as long as the play lasts, as a follower does that has nothing to say.
struct Play {
    dir: tempfile::TempDir,
    live: fs::File,
}

impl Play {
    fn new(script: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("live");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        // Open for both, so that nobody waits for the other to open it.
        let live = fs::OpenOptions::new().read(true).write(true).open(pipe).unwrap();
        let play = Self { dir, live };
        play.file("journalctl", &format!("#!/bin/sh\nhere=$(dirname \"$0\")\nall=\"$*\"\n{script}\n"));
        fs::set_permissions(play.program(), fs::Permissions::from_mode(0o755)).unwrap();
        play
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn program(&self) -> PathBuf {
        self.path().join("journalctl")
    }

    fn file(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    /// Writes entries `numbers` to a file.
    fn entries(&self, name: &str, numbers: std::ops::RangeInclusive<u64>) {
        self.file(name, &numbers.map(entry).collect::<String>());
    }

    fn start(&self, journal: Journal) -> Driver {
        Driver::start_with(&self.program(), Config { journal: Some(journal), ..Config::default() })
    }
}

fn cursor(number: u64) -> String {
    format!("s=253cc742a0ea462ca67b484536e969ec;i={number:x};b=c8;m=1;t={:x};x=1", stamp(number))
}

/// A second apart, in microseconds.
fn stamp(number: u64) -> u64 {
    1_795_476_181_259_294 + number * 1_000_000
}

/// An entry of sshd's with its line feed.
fn entry(number: u64) -> String {
    let entry = json!({
        "__CURSOR": cursor(number),
        "__REALTIME_TIMESTAMP": stamp(number).to_string(),
        "MESSAGE": format!("Failed password for root from 192.0.2.1 port {number} ssh2"),
        "SYSLOG_IDENTIFIER": "sshd", "_PID": "812", "_UID": "0", "_EXE": "/usr/sbin/sshd", "_HOSTNAME": "mx",
    });
    format!("{entry}\n")
}

/// The ports of lines that [`entry`] stands for, which are their numbers.
fn numbers(driver: &Driver) -> Vec<u64> {
    let number = |line: &String| line.split(' ').nth_back(1).unwrap().parse().unwrap();
    driver.lines.iter().map(number).collect()
}

const WAITS: &str = "exec cat $here/live";

#[test]
fn entries_become_lines_as_they_are_written() {
    let mut play = Play::new(WAITS);
    let mut driver = play.start(Journal::of_services());
    driver.until_ready();
    for number in 1..=3 {
        play.live.write_all(entry(number).as_bytes()).unwrap();
        driver.until_lines(number as usize);
    }
    assert_eq!(
        driver.lines[0],
        "2026-11-23T23:23:02.259294Z mx sshd[812]: Failed password for root from 192.0.2.1 port 1 ssh2"
    );
    assert_eq!(numbers(&driver), [1, 2, 3]);
    assert_eq!(driver.helper.config().journal.as_ref().unwrap().cursor, Some(cursor(3)));
}

#[test]
fn journalctl_is_asked_for_what_the_configuration_says() {
    let asked = r#"printf '{"__CURSOR":"i=1","__REALTIME_TIMESTAMP":"1","_UID":"0","SYSLOG_IDENTIFIER":"x","MESSAGE":"%s"}\n' "$all""#;
    let play = Play::new(&format!("{asked}\n{WAITS}"));
    let matches = [vec!["A=b", "A=c"], vec![], vec!["_D=e f"]];
    let matches = matches.iter().map(|group| group.iter().map(|text| (*text).to_owned()).collect()).collect();
    let mut driver = play.start(Journal { matches, since: Some(1_795_476_181), ..Journal::default() });
    driver.until_lines(1);
    let line = &driver.lines[0];
    assert!(
        line.contains("--output=json --quiet --boot=all --output-fields=MESSAGE,SYSLOG_IDENTIFIER,"),
        "{line}"
    );
    assert!(line.ends_with(" --follow --no-tail --since=@1795476181 -- A=b A=c + _D=e f"), "{line}");
}

#[test]
fn when_journalctl_dies_reading_goes_on_behind_the_last_entry() {
    let play = Play::new(&format!(
        "case $all in
        *--lines=1*) cat $here/at;;
        *--after-cursor=*i=2\\;*) cat $here/second; {WAITS};;
        *--after-cursor=*) echo unexpected >&2; exit 3;;
        *) cat $here/first; echo no space left >&2; exit 1;;
        esac"
    ));
    play.entries("first", 1..=2);
    play.entries("at", 2..=2);
    play.entries("second", 3..=5);
    let mut driver = play.start(Journal::default());
    let why = "journalctl ended (exit status: 1: no space left)";
    driver.until(|_, message| matches!(message, Message::Restarted { why: told, .. } if told == why));
    driver.until_lines(5);
    assert_eq!(numbers(&driver), [1, 2, 3, 4, 5]);
    assert_eq!(driver.helper.status().said.len(), 1, "{:?}", driver.helper.status().said);
    assert_eq!(driver.helper.status().workers, 1);
}

#[test]
fn when_a_worker_dies_the_next_goes_on_behind_the_last_batch() {
    let play = Play::new(&format!(
        "case $all in
        *--lines=1*) cat $here/at;;
        *--after-cursor=*i=2\\;*) cat $here/second; {WAITS};;
        *) cat $here/first; {WAITS};;
        esac"
    ));
    play.entries("first", 1..=2);
    play.entries("at", 2..=2);
    play.entries("second", 3..=4);
    let mut driver = play.start(Journal::default());
    driver.until_lines(2);
    kill_process(Pid::from_raw(driver.pid as i32).unwrap(), Signal::KILL).unwrap();
    driver.until_lines(4);
    assert_eq!(numbers(&driver), [1, 2, 3, 4]);
    // A changed configuration begins there too, whatever it says itself.
    play.entries("second", 5..=5);
    let journal = Journal { trusted_uids: vec![89], ..Journal::default() };
    let at_four =
        "case $all in *--lines=1*) cat $here/at;; *i=4\\;*) cat $here/second; exec cat $here/live;; esac";
    play.file("journalctl.new", &format!("#!/bin/sh\nhere=$(dirname \"$0\")\nall=\"$*\"\n{at_four}\n"));
    fs::set_permissions(play.path().join("journalctl.new"), fs::Permissions::from_mode(0o755)).unwrap();
    play.entries("at", 4..=4);
    fs::rename(play.path().join("journalctl.new"), play.program()).unwrap();
    driver.helper.reconfigure(Config { journal: Some(journal), ..Config::default() }).unwrap();
    driver.until_lines(5);
    assert_eq!(numbers(&driver), [1, 2, 3, 4, 5]);
}

#[test]
fn what_the_journal_has_forgotten_is_said() {
    let play = Play::new(&format!(
        "case $all in *--lines=1*) cat $here/oldest;; *) cat $here/oldest; {WAITS};; esac"
    ));
    play.entries("oldest", 100..=100);
    let mut driver = play.start(Journal { cursor: Some(cursor(40)), ..Journal::default() });
    driver.until_said("59 entries of all services are gone");
    driver.until_lines(1);
    let mut other = play.start(Journal { cursor: Some("s=11;i=40;t=1".to_owned()), ..Journal::default() });
    other.until_said("going on with the next entry by time");
    other.until_lines(1);
}

#[test]
fn a_cursor_that_journalctl_refuses_is_given_up_for_its_time() {
    let play = Play::new(&format!(
        "case $all in
        *--lines=1*) exit 1;;
        *--after-cursor=*) echo Failed to seek >&2; exit 1;;
        *--since=@1795476191*) cat $here/by-time; {WAITS};;
        *) exit 9;;
        esac"
    ));
    play.entries("by-time", 8..=12);
    let mut driver = play.start(Journal { cursor: Some(cursor(10)), ..Journal::default() });
    driver.until_said("going on by its time");
    driver.until_lines(2);
    assert_eq!(numbers(&driver), [11, 12], "what was read before the cursor does not come again");
}

#[test]
fn garbage_is_counted_and_passed_over() {
    let play = Play::new(&format!("cat $here/garbage; {WAITS}"));
    let mut garbage = b"{\"__CURSOR\":\"i=1\",\n\xff\xfe\x00\n\n[]\nnull\n{\"MESSAGE\":[300]}\n".to_vec();
    garbage.extend(vec![b'['; 300_000]);
    garbage.push(b'\n');
    let with = |message: serde_json::Value| {
        let mut entry: serde_json::Value = serde_json::from_str(&entry(1)).unwrap();
        entry["MESSAGE"] = message;
        format!("{entry}\n")
    };
    garbage.extend(with(json!(null)).bytes());
    garbage.extend(with(json!(["a", "b"])).bytes());
    garbage.extend(with(json!([97, 10, 98, 255])).bytes());
    garbage.extend(entry(2).bytes());
    fs::write(play.path().join("garbage"), garbage).unwrap();
    let mut driver = play.start(Journal::default());
    driver.until(|driver, _| driver.helper.status().journal.lines == 2);
    let counts = driver.helper.status().journal;
    assert_eq!((counts.unreadable, counts.too_long), (8, 1), "{counts:?}");
    assert!(driver.lines[0].ends_with("sshd[812]: a#012b\u{fffd}"), "{}", driver.lines[0]);
    assert!(driver.lines[1].ends_with("port 2 ssh2"));
}

#[test]
fn forged_entries_are_dropped_and_shown() {
    let play = Play::new(&format!("cat $here/entries; {WAITS}"));
    let mut forged: serde_json::Value = serde_json::from_str(&entry(1)).unwrap();
    forged["_UID"] = json!("1000");
    forged["_EXE"] = json!("/usr/bin/logger");
    let mut own: serde_json::Value = serde_json::from_str(&entry(2)).unwrap();
    own["_UID"] = json!("1000");
    play.file("entries", &format!("{forged}\n{own}\n{}", entry(3)));
    let mut driver = play.start(Journal::default());
    driver.until_lines(1);
    assert_eq!(numbers(&driver), [3]);
    let status = driver.helper.status();
    assert_eq!((status.journal.forged, status.journal.set_aside, status.journal.lines), (1, 1, 1));
    let sample = status.forged.as_deref().unwrap();
    assert!(
        sample.starts_with("user 1000, program /usr/bin/logger, claims to be sshd: Failed password"),
        "{sample}"
    );
}

#[test]
fn a_burst_waits_for_a_slow_daemon() {
    let play = Play::new(&format!("cat $here/burst; {WAITS}"));
    play.entries("burst", 1..=20_000);
    let mut driver = play.start(Journal::default());
    let mut last = String::new();
    driver.until(|driver, message| {
        if let Message::Batch(Batch { cursor: Some(cursor), .. }) = message {
            last.clone_from(cursor);
        }
        driver.lines.len() >= 20_000
    });
    assert!(numbers(&driver).into_iter().eq(1..=20_000));
    assert_eq!(last, cursor(20_000));
}

#[test]
fn a_host_without_journalctl_is_told() {
    let config = Config { journal: Some(Journal::default()), ..Config::default() };
    let mut driver = Driver::start_with(Path::new("/usr/bin/there-is-no-journalctl"), config);
    let missing = "/usr/bin/there-is-no-journalctl: No such file or directory";
    driver.until(|_, message| matches!(message, Message::Restarted { why, .. } if why.contains(missing)));
}

#[test]
fn what_stands_for_journalctl_stands_behind_the_wall() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let play = Play::new(&format!(
        "read word < {outside}/secret || word=refused
        echo x > $here/written || word=\"$word refused\"
        kill -0 1 || word=\"$word refused\"
        printf '{{\"__CURSOR\":\"i=1\",\"__REALTIME_TIMESTAMP\":\"1\",\"_UID\":\"0\",\"SYSLOG_IDENTIFIER\":\"x\",\"MESSAGE\":\"%s\"}}\\n' \"$word\"
        {WAITS}",
        outside = outside.path().display()
    ));
    let mut driver = play.start(Journal::default());
    driver.until_lines(1);
    assert!(driver.lines[0].ends_with(" x: refused refused refused"), "{}", driver.lines[0]);
    assert!(!play.path().join("written").exists());
}

#[test]
fn journalctl_ends_with_its_worker() {
    let play = Play::new(&format!("echo \"{{\\\"__CURSOR\\\":\\\"i=$$\\\"}}\"; {WAITS}"));
    let mut driver = play.start(Journal::default());
    driver.until(|driver, _| driver.helper.config().journal.as_ref().unwrap().cursor.is_some());
    let cursor = driver.helper.config().journal.as_ref().unwrap().cursor.clone().unwrap();
    let pid = Pid::from_raw(cursor[2..].parse().unwrap()).unwrap();
    rustix::process::test_kill_process(pid).unwrap();
    driver.helper.end().unwrap();
    assert!(rustix::process::test_kill_process(pid).is_err());
}

/// With systemd's own programs. A `systemd-journald` must run, and the test as root.
#[test]
#[ignore = "needs a running systemd-journald, and root"]
fn the_real_journal_is_followed() {
    let name = format!("fairban-test-{}", std::process::id());
    let matches = vec![vec![format!("SYSLOG_IDENTIFIER={name}"), "SYSLOG_IDENTIFIER=sshd".to_owned()]];
    let since = fs::metadata("/proc/self").unwrap().modified().unwrap();
    let since = since.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    let config = Config {
        journal: Some(Journal { matches, since: Some(since), ..Journal::default() }),
        ..Config::default()
    };
    let mut driver = Driver::start(config);
    driver.until_ready();
    let journal = UnixDatagram::unbound().unwrap();
    journal.connect("/run/systemd/journal/socket").unwrap();
    let write = |identifier: &str, message: &str| {
        journal
            .send(format!("SYSLOG_IDENTIFIER={identifier}\n_UID=7\nMESSAGE={message}\n").as_bytes())
            .unwrap();
    };
    write(&name, "one");
    driver.until_lines(1);
    write("sshd", "Failed password for root from 192.0.2.1 port 1 ssh2");
    write(&name, "two");
    driver.until_lines(2);
    kill_process(Pid::from_raw(driver.pid as i32).unwrap(), Signal::KILL).unwrap();
    driver.until_ready();
    write(&name, "three");
    driver.until_lines(3);
    let ends: Vec<&str> = driver.lines.iter().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(ends, ["one", "two", "three"]);
    assert_eq!(driver.helper.status().journal.forged, 1);
    assert_eq!(driver.helper.status().said.len(), 1, "{:?}", driver.helper.status().said);
}
