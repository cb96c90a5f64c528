//! Every object keeps to `docs/replay.schema.json`.

use crate::schema::complaint;
use crate::support::{Folder, real_log, replay, sample};

fn keeps_the_contract(args: &[&str]) {
    let ran = replay(args);
    let complaints: Vec<String> = ran.out.lines().filter_map(complaint).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    let ids: Vec<u64> = ran.objects().iter().map(|object| object["id"].as_u64().expect("a number")).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "ids rise: {ids:?}");
    assert_eq!(ran.summary()["id"], 0);
}

#[test]
fn objects_of_real_logs_keep_the_contract() {
    let folder = Folder::new();
    keeps_the_contract(&[&folder.file("a.log", real_log())]);
    for name in [
        "dovecot/verbose.iso.log.gz",
        "postfix/smtp.iso.log.gz",
        "hydra/auth.rfc3164.log",
        "founding/reconstruction.tcpserver.log.gz",
    ] {
        keeps_the_contract(&[sample(name).to_str().expect("plain")]);
    }
}

#[test]
fn the_checker_refuses_what_breaks_the_contract() {
    let good = r#"{"v":1,"id":3,"action":"gap","time":"2026-01-21T10:00:00Z","file":"a","line":7,"service":"sshd","lost":5}"#;
    assert_eq!(complaint(good), None);
    for (from, to) in [
        ("\"v\":1", "\"v\":2"),
        ("\"gap\"", "\"gasp\""),
        ("\"line\":7", "\"line\":0"),
        ("\"sshd\"", "\"ftpd\""),
        ("\"lost\":5", "\"lost\":5,\"more\":1"),
        (",\"lost\":5", ""),
        ("\"lost\":5", "\"lost\":\"5\""),
        ("}", ""),
    ] {
        assert!(complaint(&good.replace(from, to)).is_some(), "{to} for {from}");
    }
}

#[test]
fn bytes_from_outside_are_escaped_and_then_quoted() {
    let folder = Folder::new();
    let name = b"\"\\x\x1b[31m\xff@d.example".as_slice();
    let mut text = Vec::new();
    for n in 0..40 {
        text.extend(
            format!(
                "Jan 21 10:{:02}:{:02} mx vpopmail[9]: vchkpw-pop3: password fail (pass: 'p{n}') ",
                n / 2,
                n % 2 * 30
            )
            .into_bytes(),
        );
        text.extend(name);
        text.extend(b":203.0.113.7\n");
    }
    let log = folder.file("a\"b\u{1b}.log", text);
    let ran = replay(&[&log]);
    assert!(ran.out.is_ascii() && !ran.out.contains('\u{1b}'), "{}", ran.out);
    assert!(ran.out.contains("a\\\"b\\\\x1b.log"), "{}", ran.out);
    let complaints: Vec<String> = ran.out.lines().filter_map(complaint).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}
