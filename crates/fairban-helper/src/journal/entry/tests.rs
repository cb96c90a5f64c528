use fairban_core::event::Service;
use fairban_parse::health::Health;
use fairban_parse::parser::{Parsed, Parser};
use fairban_parse::stamp::Stamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn json_entry(identifier: &str, message: &str) -> Value {
    json!({
        "__CURSOR": "s=1;i=2", "__REALTIME_TIMESTAMP": "1795476181259294", "MESSAGE": message,
        "SYSLOG_IDENTIFIER": identifier, "SYSLOG_PID": "7", "_PID": "812", "_UID": "0", "_HOSTNAME": "mx1",
        "__MONOTONIC_TIMESTAMP": "1", "_BOOT_ID": "x", "FURTHER": [["deeper"], {"than": "needed"}],
    })
}

fn parse(json: &Value) -> Entry {
    Entry::parse(json.to_string().as_bytes()).unwrap()
}

fn line(json: &Value, is_standard_error: bool) -> String {
    String::from_utf8(parse(json).line(is_standard_error).unwrap().0).unwrap()
}

fn parsed(line: &str) -> Parsed {
    Parser::new([7; 16]).line(line.as_bytes(), &mut Health::default())
}

#[test]
fn an_entry_is_the_line_that_a_log_would_have() {
    let message = "Failed password for root from 192.0.2.1 port 22 ssh2";
    let line = line(&json_entry("sshd", message), false);
    assert_eq!(line, format!("2026-11-23T23:23:01.259294Z mx1 sshd[812]: {message}"));
    let Parsed::Event(stamp, event) = parsed(&line) else { panic!("{line}") };
    assert_eq!(stamp.micros(), 1_795_476_181_259_294);
    assert_eq!(event.service, Service::Sshd);
}

#[test]
fn a_superservers_standard_error_is_a_multilog_line() {
    let line = line(&json_entry("tcpserver", "tcpserver: pid 812 from 192.0.2.1"), true);
    assert_eq!(
        line,
        "@400000006b04ce5f0f74e4b0 tcpserver: pid 812 from 192.0.2.1"
            .replace("6b04ce5f0f74e4b0", &line[9..25])
    );
    let Parsed::Event(stamp, event) = parsed(&line) else { panic!("{line}") };
    assert_eq!((stamp.micros(), event.service), (1_795_476_181_259_294, Service::Tcpserver));
    // A client who got a line feed into vchkpw's standard error is no other daemon there.
    let forged =
        self::line(&json_entry("run", "sshd[1]: Failed password for root from 8.8.8.8 port 22 ssh2"), true);
    assert_eq!(parsed(&forged), Parsed::Foreign);
}

#[test]
fn a_message_of_many_lines_stays_one() {
    let forged = "x\nJan 21 10:00:00 mx sshd[1]: Failed password for root from 8.8.8.8 port 22 ssh2";
    let line = line(&json_entry("sshd", forged), false);
    assert!(!line.contains('\n') && line.contains("]: x#012Jan 21"), "{line}");
}

#[test]
fn a_name_that_would_end_the_head_makes_no_line() {
    for name in ["x[1]: sshd", "sshd ", "a:b", "a\nb", "", &"x".repeat(65)] {
        let entry = parse(&json_entry(name, "m"));
        assert_eq!(entry.line(false), Err(NoLine::Unreadable), "{name:?}");
    }
    let mut json = json_entry("sshd", "m");
    json["_HOSTNAME"] = json!("mx sshd[1]: x");
    assert!(line(&json, false).contains(" localhost sshd[812]: m"));
}

#[test]
fn fields_come_in_five_shapes() {
    let field = |value: Value| {
        let mut json = json_entry("sshd", "");
        json["MESSAGE"] = value;
        Entry::parse(json.to_string().as_bytes()).map(|entry| entry.message)
    };
    assert_eq!(field(json!("text")), Some(Field::One(b"text".to_vec())));
    assert_eq!(field(json!([97, 255, 0])), Some(Field::One(vec![97, 255, 0])));
    assert_eq!(field(json!(null)), Some(Field::TooLong));
    assert_eq!(field(json!(["a", "b"])), Some(Field::Several));
    assert_eq!(field(json!([[97], null])), Some(Field::Several));
    for none in [json!(5), json!({}), json!([256]), json!([97, "a"]), json!([[["a"]]]), json!([true])] {
        assert_eq!(field(none.clone()), None, "{none}");
    }
    let mut twice = json_entry("sshd", "x").to_string();
    twice.insert_str(1, "\"_UID\":\"0\",");
    assert!(Entry::parse(twice.as_bytes()).is_none(), "which of them would be true?");
    let mut without = json_entry("sshd", "x");
    without.as_object_mut().unwrap().remove("MESSAGE");
    assert_eq!(parse(&without).line(false), Err(NoLine::Unreadable));
}

#[test]
fn the_process_is_journalds_word_before_the_writers() {
    let mut json = json_entry("sshd", "m");
    assert!(line(&json, false).contains("sshd[812]: "));
    json["_PID"] = json!("x");
    assert!(line(&json, false).contains("sshd[7]: "));
    json["SYSLOG_PID"] = json!("1]: x");
    assert!(line(&json, false).contains("sshd: "));
}

#[test]
fn times_that_no_calendar_has_make_no_line() {
    for micros in ["", "x", "-1", "9223372036854775807"] {
        let mut json = json_entry("sshd", "m");
        json["__REALTIME_TIMESTAMP"] = json!(micros);
        assert_eq!(parse(&json).line(true), Err(NoLine::Unreadable), "{micros}");
        assert!(micros == "-1" || parse(&json).line(false).is_err(), "{micros}");
    }
}

proptest! {
    #[test]
    fn nothing_that_journalctl_could_write_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Entry::parse(&bytes);
    }

    #[test]
    fn every_entry_is_one_line_or_none(
        identifier in any::<String>(), message in proptest::collection::vec(any::<u8>(), 0..300), host in any::<String>(),
        standard_error in any::<bool>(),
    ) {
        let mut json = json_entry(&identifier, "");
        json["MESSAGE"] = json!(message);
        json["_HOSTNAME"] = json!(host);
        if let Ok((line, _)) = parse(&json).line(standard_error) {
            prop_assert!(!line.iter().any(u8::is_ascii_control));
        }
    }
}

trait Micros {
    fn micros(&self) -> i64;
}

impl Micros for Stamp {
    fn micros(&self) -> i64 {
        match self {
            Stamp::Utc(time) => time.micros(),
            Stamp::Local { .. } => panic!("names no zone"),
        }
    }
}
