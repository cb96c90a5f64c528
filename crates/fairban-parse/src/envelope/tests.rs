use super::*;

/// Program, pid and body; checks that the body stands where it says.
fn record(line: &str) -> Option<(String, Option<u32>, String)> {
    let line = line.as_bytes();
    let (stamp, record) = split(line)?;
    assert!(stamp.parse().is_some());
    assert_eq!(&line[record.body_at as usize..][..record.body.len()], record.body);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some((text(record.program), record.pid, text(record.body)))
}

#[track_caller]
fn check(line: &str, program: &str, pid: Option<u32>, body: &str) {
    assert_eq!(record(line), Some((program.into(), pid, body.into())), "{line}");
}

#[test]
fn every_envelope_gives_the_same_record() {
    for line in [
        "Nov 23 18:29:44 mx sshd[812]: BODY x",
        "<38>Nov 23 18:29:44 mx sshd[812]: BODY x",
        "Nov  3 18:29:44 mx auth.info sshd[812]: BODY x",
        "Nov 23 18:29:44 sshd[812]: BODY x",
        "2026-11-23T18:29:44.123456+00:00 mx sshd[812]: BODY x",
        "2026-11-23T18:29:44Z 192.0.2.1 sshd[812]: BODY x",
        "<38>1 2026-11-23T18:29:44.123456+00:00 mx sshd 812 - - BODY x",
        "<38>1 2026-11-23T18:29:44.123456+00:00 mx sshd 812 - -  BODY x",
        "<38>1 2026-11-23T18:29:44Z mx sshd 812 ID [a b=\"]\\\"\"][c] \u{feff}BODY x",
        "@400000006b0489c523db15b4 sshd[812]: BODY x",
        "2007-01-21 09:51:25.570281500 sshd[812]: BODY x",
        "Nov 23 18:29:44 mx sshd[812]: BODY x\r",
    ] {
        check(line, "sshd", Some(812), "BODY x");
    }
}

#[test]
fn rfc3164_with_and_without_priority_pid_and_host() {
    check("Nov 23 18:29:44 mx sshd[812]: a: b", "sshd", Some(812), "a: b");
    check("<38>Nov  3 18:29:44 mx sshd[812]: a", "sshd", Some(812), "a");
    check("Nov 23 18:29:44 2001:db8::1 dovecot: auth: x", "dovecot", None, "auth: x");
    check("Nov 23 18:29:44 mx postfix/submission/smtpd[7]: x", "postfix/submission/smtpd", Some(7), "x");
    check("Nov 23 18:29:44 sshd[812]: a", "sshd", Some(812), "a");
    check("Nov 23 18:29:44 dovecot: auth: x", "dovecot", None, "auth: x");
    check("Nov 23 18:29:44 mx sshd[812]:", "sshd", Some(812), "");
    check("Nov 23 18:29:44 mx sshd[812]:  a", "sshd", Some(812), " a");
    check("Nov 23 18:29:44 mx a[b]: c", "a", None, "c");
    check("Nov 23 18:29:44 mx last message repeated 2 times", "", None, "last message repeated 2 times");
    check("Nov 23 18:29:44 mx -- MARK --", "", None, "-- MARK --");
}

#[test]
fn busybox_names_facility_and_severity() {
    check(
        "Nov 23 18:29:44 mx mail.notice vpopmail[1]: vchkpw-pop3: x",
        "vpopmail",
        Some(1),
        "vchkpw-pop3: x",
    );
    check("Nov 23 18:29:44 mx syslog.info syslogd started: BusyBox", "", None, "syslogd started: BusyBox");
    check("Nov 23 18:29:44 mx mail.now vpopmail[1]: x", "", None, "mail.now vpopmail[1]: x");
}

#[test]
fn iso8601_with_offset_or_without() {
    check("2026-11-23T18:29:44.123456+00:00 mx sshd[812]: a", "sshd", Some(812), "a");
    check("<38>2026-11-23T18:29:44Z mx sshd[812]: a", "sshd", Some(812), "a");
    check("2026-11-23T18:29:44-0800 mx sshd[812]: a", "sshd", Some(812), "a");
    check("2026-11-23T18:29:44 mx sshd[812]: a", "sshd", Some(812), "a");
}

#[test]
fn rfc5424_with_structured_data() {
    let start = "<22>1 2026-11-23T18:29:44.123456+00:00 mx";
    check(&format!("{start} dovecot - - -  auth: x"), "dovecot", None, "auth: x");
    check(&format!("{start} sshd 812 - - a"), "sshd", Some(812), "a");
    check(&format!("{start} sshd 812 ID7 [a@1 b=\"c\"][d] a"), "sshd", Some(812), "a");
    check(&format!("{start} sshd 812 - [a b=\"] \\\" \\\\\" c=\"\"] e]"), "sshd", Some(812), "e]");
    check(&format!("{start} sshd 812 - - \u{feff}a"), "sshd", Some(812), "a");
    check(&format!("{start} - - - - a"), "", None, "a");
    check(&format!("{start} sshd 812 - -"), "sshd", Some(812), "");
    for wrong in
        ["sshd 812 - [a b=\"c] a", "sshd 812 - x a", "sshd 812 -", "sshd", "", " 812 - - a", "sshd 812 - -a"]
    {
        assert_eq!(record(&format!("{start} {wrong}")), None, "{wrong}");
    }
}

#[test]
fn multilog_and_tai64nlocal_have_no_host() {
    let ok = "ok 28241 a:72.3.142.43:110 b:24.220.50.36::41979";
    check(&format!("@400000006b0489c523db15b4 tcpserver: {ok}"), "tcpserver", None, ok);
    check(&format!("2007-01-21 09:51:25.570281500 tcpserver: {ok}"), "tcpserver", None, ok);
    check("@400000006b0489c523db15b4 user invalid x: y", "", None, "user invalid x: y");
    check("2007-01-21 09:51:25.570281500 new msg 12", "", None, "new msg 12");
    // A host cannot follow: what looks like a tag after the first word is not one.
    check("2007-01-21 09:51:25 x sshd[1]: Failed", "", None, "x sshd[1]: Failed");
}

#[test]
fn dovecot_writes_its_own_file() {
    let body = "auth: Info: passwd-file(dan,192.0.2.1,<x>): unknown user ";
    check(&format!("Nov 23 18:35:03 {body}"), "dovecot", None, body);
    check(&format!("2026-11-23 18:35:03 {body}"), "dovecot", None, body);
    check(&format!("@400000006b0489c523db15b4 {body}"), "dovecot", None, body);
    let body = "imap(d an)<12><abc>: Info: Disconnected: Logged out";
    check(&format!("Nov 23 18:35:03 {body}"), "dovecot", None, body);
    check("Nov 23 18:35:03 master: Warning: x", "dovecot", None, "master: Warning: x");
    check("Nov 23 18:35:03 master: x", "master", None, "x");
    check("Nov 23 18:35:03 named: Info: x", "named", None, "Info: x");
    check("Nov 23 18:35:03 named(x): Info: x", "named(x)", None, "Info: x");
}

#[test]
fn one_carriage_return_goes_with_the_line_feed() {
    check("Nov 23 18:29:44 mx sshd[812]: a\rb\r\r", "sshd", Some(812), "a\rb\r");
    assert_eq!(record("Nov 23 18:29:44\r mx sshd[812]: a"), None);
    assert_eq!(record("Nov 23 18:29:44 mx\r sshd[812]: a"), None);
}

#[test]
fn other_lines_have_no_format() {
    for line in [
        "",
        "\r",
        "\0",
        "Nov 23 18:29:44",
        "Nov 23 18:29:44 ",
        "Nov 23 18:29:44 mx",
        "Nov 23 18:29:44  mx sshd[1]: a",
        "Nov 23 18:29:44 m\x1bx sshd[1]: a",
        "<192>Nov 23 18:29:44 mx sshd[1]: a",
        "<>Nov 23 18:29:44 mx sshd[1]: a",
        "<38Nov 23 18:29:44 mx sshd[1]: a",
        "-- Boot 6f3 --",
        "2026-11-23T18:29:44",
        "@400000006b0489c523db15b4tcpserver: a",
        "<38>2 2026-11-23T18:29:44Z mx sshd 812 - - x",
        "1 2026-11-23T18:29:44Z mx sshd 812 - - x",
        "tcpserver: ok 4242 0:10.77.0.1:587 :8.8.8.8::4242@bigcorp.example:198.51.100.14",
        "vchkpw-pop3: password fail bob@bigcorp.example:8.8.4.4:198.51.100.15",
        "two.strangecode.com:72.3.142.43:110 ",
    ] {
        assert_eq!(record(line), None, "{line}");
    }
    let long = format!("Nov 23 18:29:44 {} sshd[1]: a", "m".repeat(HOST_BYTES_MAX + 1));
    assert_eq!(record(&long), None);
}
