//! What is said of logs by what stands in them.

use std::fs::File;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use crate::support::{Folder, Ran, fairban};

/// Now, put off by so many seconds, as syslog daemons write it.
fn stamp(off_secs: i64) -> String {
    let at = Timestamp::from_second(Timestamp::now().as_second() + off_secs).expect("a time of these years");
    at.strftime("%b %e %H:%M:%S").to_string()
}

fn sshd(off_secs: i64, body: &str) -> String {
    format!("{} mx sshd[9]: {body}\n", stamp(off_secs))
}

fn failed(off_secs: i64) -> String {
    sshd(off_secs, "Failed password for root from 192.0.2.1 port 22 ssh2")
}

/// Checks a configuration with this log alone, run by a user who is there: `extra` stands in its `[[input]]`.
fn check(folder: &Folder, log: &str, extra: &str) -> Ran {
    let config = folder.file("x.toml", format!("user = \"root\"\n[[input]]\nfile = \"{log}\"\n{extra}"));
    fairban(&["check", "--config", &config])
}

fn findings(folder: &Folder, log: &str) -> Vec<serde_json::Value> {
    let config = folder.file("x.toml", format!("user = \"root\"\n[[input]]\nfile = \"{log}\"\n"));
    let ran = fairban(&["check", "--json", "--config", &config]);
    let objects = ran.out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect(line));
    let objects: Vec<_> = objects.collect();
    let last = objects.last().expect("a summary");
    assert_eq!(last["action"], "summary");
    let findings: Vec<_> = objects.into_iter().filter(|object| object["action"] == "finding").collect();
    let warnings = findings.iter().filter(|finding| finding["level"] == "warning").count();
    assert_eq!(i32::from(warnings > 0), ran.code, "{}", ran.out);
    findings
}

/// Texts and remedies of the findings about this log.
fn said(folder: &Folder, log: &str) -> String {
    let about_it = findings(folder, log).into_iter().filter(|finding| finding["input"] == log);
    let told: Vec<String> =
        about_it.map(|finding| format!("{} {}", finding["text"], finding["remedies"])).collect();
    told.join("\n")
}

#[test]
fn a_log_in_good_order_is_well() {
    let folder = Folder::new();
    let log = folder
        .file("auth.log", failed(-5) + &sshd(0, "Accepted password for dan from 192.0.2.2 port 9 ssh2"));
    let ran = check(&folder, &log, "");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for part in ["sshd 2 lines", "x.toml:3", "All is well", "shadow mode", "root may act"] {
        assert!(ran.out.contains(part), "'{part}' is missing in:\n{}", ran.out);
    }
}

#[test]
fn stamps_of_another_zone_are_noticed_by_whole_quarter_hours() {
    let folder = Folder::new();
    for (off_secs, zone) in [(7_200, "+02:00"), (-16_200, "-04:30"), (20_700, "+05:45")] {
        let log = folder.file("auth.log", failed(off_secs - 60) + &failed(off_secs));
        let said = said(&folder, &log);
        assert!(said.contains("another time zone") && said.contains(zone), "{off_secs}: {said}");
    }
    for off_secs in [0, -20, -400] {
        let log = folder.file("auth.log", failed(off_secs));
        assert_eq!(said(&folder, &log), "", "{off_secs}");
    }
    let log = folder.file("auth.log", failed(7_200));
    let ran = check(&folder, &log, "timezone = \"+02:00\"\n");
    assert_eq!(ran.code, 0, "with its zone all is well: {}", ran.out);
}

#[test]
fn a_log_that_is_not_written_to_is_noticed() {
    let folder = Folder::new();
    let log = folder.file("auth.log", failed(-10 * 86_400));
    let written = SystemTime::now() - Duration::from_secs(10 * 86_400);
    let file = File::options().append(true).open(&log).expect("it was just made");
    file.set_modified(written).expect("it is ours");
    assert!(said(&folder, &log).contains("nothing was written to it for 10 days"));
}

#[test]
fn lines_that_look_like_logins_and_are_not_understood_are_shown_escaped() {
    let folder = Folder::new();
    let log = folder.file("auth.log", failed(0) + &sshd(0, "Accepted something new: \x1b[2Jroot"));
    let text = said(&folder, &log);
    assert!(text.contains("look like the outcome of a login") && text.contains("\\\\x1b[2J"), "{text}");
    let none = folder.file("other.log", sshd(0, "Something new about nothing").repeat(12));
    assert!(said(&folder, &none).contains("none understood"), "{}", said(&folder, &none));
}

#[test]
fn a_log_without_services_or_form_is_noticed() {
    let folder = Folder::new();
    let foreign = folder.file("kern.log", format!("{} mx kernel: up\n", stamp(0)).repeat(3));
    assert!(said(&folder, &foreign).contains("none of the services"));
    let no_log = folder.file("notes.txt", "buy milk\n".repeat(3));
    assert!(said(&folder, &no_log).contains("no known format"));
    let missing = folder.path("missing.log");
    assert!(said(&folder, &missing).contains("does not exist"));
    let nothing = folder.path("*.none");
    assert!(said(&folder, &nothing).contains("matches no file"));
    assert_eq!(said(&folder, &folder.file("fresh.log", "")), "");
}

fn dovecot(off_secs: i64, body: &str) -> String {
    format!("{} mx dovecot: imap-login: {body}\n", stamp(off_secs))
}

#[test]
fn settings_that_would_tell_more_are_advised() {
    let folder = Folder::new();
    let refused = "Disconnected: Connection closed (auth failed, 3 attempts in 9 secs): user=<dan>, method=PLAIN, \
                   rip=192.0.2.9, lip=192.0.2.1, session=<AAAA>";
    let log = folder.file("mail.log", dovecot(0, refused).repeat(9));
    let text = said(&folder, &log);
    assert!(text.contains("auth_verbose = yes") && text.contains("auth_verbose_passwords"), "{text}");

    let user = |n| {
        let body = "method=PLAIN, rip=10.0.0.7, lip=192.0.2.1, mpid=9, session=<AAAA>";
        dovecot(0, &format!("Login: user=<user{n}>, {body}"))
    };
    let log = folder.file("proxy.log", (0..40).map(|n| user(n % 8)).collect::<String>());
    let text = said(&folder, &log);
    assert!(text.contains("10.0.0.7 carries 40 of 40") && text.contains("login_trusted_networks"), "{text}");

    let failure =
        format!("{} mx vpopmail[9]: vchkpw-pop3: password fail dan@d.example:192.0.2.1\n", stamp(0));
    let log = folder.file("maillog", failure.repeat(25));
    assert!(said(&folder, &log).contains("--enable-logging=y"), "{}", said(&folder, &log));
}

#[test]
fn patterns_stand_for_all_that_match() {
    let folder = Folder::new();
    folder.file("a/one.log", failed(0));
    folder.file("a/two.log", failed(0));
    let ran = check(&folder, &folder.path("a/*.log"), "");
    assert!(ran.out.contains("one.log") && ran.out.contains("two.log"), "{}", ran.out);
}

#[test]
fn sources_that_are_no_files_are_tried_too() {
    let folder = Folder::new();
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("it has one").port();
    let inputs = format!(
        "user = \"root\"\n[[input]]\nsyslog = \"udp:127.0.0.1:{port}\"\n[[input]]\nsyslog = \"unix:{}\"\n[[input]]\npipe = \"{}\"\n\
         [[input]]\nmultilog = \"{}\"\n",
        folder.path("socket"),
        folder.file("no-pipe", ""),
        folder.path("nowhere"),
    );
    let config = folder.file("x.toml", inputs);
    let ran = fairban(&["check", "--config", &config]);
    assert_eq!(ran.code, 1);
    for part in
        ["somebody listens there", "its folder may be written to", "is no named pipe", "does not exist"]
    {
        assert!(ran.out.contains(part), "'{part}' is missing in:\n{}", ran.out);
    }
}
