use super::*;

fn shown(line: &[u8]) -> Option<(String, Option<u32>, String)> {
    let (_, record) = split(line)?;
    let at = record.body_at as usize;
    assert_eq!(&line[at..at + record.body.len()], record.body, "the body is where it says");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some((text(record.program), record.pid, text(record.body)))
}

#[track_caller]
fn check(line: &str, program: &str, pid: Option<u32>, body: &str) {
    assert_eq!(shown(line.as_bytes()), Some((program.to_owned(), pid, body.to_owned())), "{line}");
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
fn programs_without_a_pid_and_of_postfix() {
    check("Nov 23 18:29:44 mx1 dovecot: auth: x", "dovecot", None, "auth: x");
    check("Nov 23 18:29:44 mx1 postfix/submission/smtpd[7]: x", "postfix/submission/smtpd", Some(7), "x");
    check("@400000006b0489c523db15b4 tcpserver: status: 1/20", "tcpserver", None, "status: 1/20");
    check("Nov 23 18:29:44 mx last message repeated 2 times", "", None, "last message repeated 2 times");
}

#[test]
fn dovecots_own_file_has_a_process_for_a_host() {
    check("Nov 23 18:35:03 auth: Info: passwd-file(x)", "dovecot", None, "auth: Info: passwd-file(x)");
    check("Nov 23 18:35:03 imap(dan)<1><S>: Info: x", "dovecot", None, "imap(dan)<1><S>: Info: x");
    check("Nov 23 18:35:03 master: Warning: x", "dovecot", None, "master: Warning: x");
}

#[test]
fn what_has_no_envelope_has_none() {
    for line in [
        "",
        "x",
        "<",
        "<192>Nov 23 18:29:44 mx sshd[812]: x",
        "<38>2 2026-11-23T18:29:44Z mx sshd 812 - - x",
        "<38>1 2026-11-23T18:29:44Z mx sshd 812 - [a b=\"x] x",
        "Nov 23 18:29:44",
        "Nov 23 18:29:44 ",
        "Nov 23 25:29:44 mx sshd[812]: x",
        "@400000006b0489c523db15b4",
        "tcpserver: ok 4242 0:10.77.0.1:587 :8.8.8.8::4242@bigcorp.example:198.51.100.14",
        "vchkpw-pop3: password fail bob@bigcorp.example:8.8.4.4:198.51.100.15",
    ] {
        assert_eq!(shown(line.as_bytes()), None, "{line}");
    }
}
