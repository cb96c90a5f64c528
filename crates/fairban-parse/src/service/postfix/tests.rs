//! Situations that no log at hand holds, and properties over what a client can write.

use proptest::prelude::*;

use super::*;

const REAL: &str = "198.51.100.83";

fn record<'a>(program: &'a [u8], body: &'a [u8]) -> Record<'a> {
    Record { program, pid: Some(7), body, body_at: 0 }
}

fn reading(program: &str, body: &str) -> Reading {
    read(&record(program.as_bytes(), body.as_bytes()), &Secrets::new([1; 16]))
}

fn tells(program: &str, body: &str) -> AuthEvent {
    match reading(program, body) {
        Reading::Event(event) => event,
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn the_service_of_master_cf_tells_the_protocol() {
    for (program, expected) in [
        ("postfix/smtpd", Protocol::Smtp),
        ("postfix-mx/smtpd", Protocol::Smtp),
        ("postfix/submission/smtpd", Protocol::Submission),
        ("postfix/submissions/smtpd", Protocol::Submission),
        ("postfix/smtps/smtpd", Protocol::Submission),
        ("postfix/inbound-filter/smtpd", Protocol::Unknown),
        ("postfix", Protocol::Unknown),
    ] {
        let event = tells(program, "connect from unknown[192.0.2.1]");
        assert_eq!((event.protocol, event.session), (expected, Session::Pid(7)), "{program}");
    }
    assert_eq!(reading("postfix/qmgr", "connect from unknown[192.0.2.1]"), Reading::Quiet);
}

#[test]
fn the_client_is_named_in_front() {
    for host in ["unknown", "localhost", "a-b.isp.example", "1.2.0.192.in-addr.example"] {
        let event = tells("postfix/smtpd", &format!("connect from {host}[192.0.2.1]:40000"));
        assert_eq!((event.source, event.port), (Some(IpAddr::from([192, 0, 2, 1])), Some(40000)));
    }
    let event = tells("postfix/smtpd", "disconnect from unknown[2001:db8::1] commands=0/0");
    assert_eq!(event.source, "2001:db8::1".parse().ok());
    for broken in [
        "connect from unknown[]",
        "connect from unknown[192.0.2.1",
        "connect from [192.0.2.1]",
        "connect from ",
    ] {
        assert_eq!(reading("postfix/smtpd", broken), Reading::Quiet, "{broken}");
    }
}

#[test]
fn a_session_counts_its_logins() {
    for (statistics, tells_end, outcome) in [
        (" ehlo=1 auth=1 quit=1 commands=3", (Some(0), Some(1)), Outcome::Success),
        (" ehlo=1 auth=1/2 commands=2/3", (Some(1), Some(1)), Outcome::Success),
        (" ehlo=1 auth=0/4 commands=1/5", (Some(4), Some(0)), Outcome::Failed),
        (" ehlo=1 auth=0/70000 commands=1/5", (Some(u16::MAX), Some(0)), Outcome::Failed),
        (" ehlo=1 quit=1 commands=2", (Some(0), Some(0)), Outcome::Aborted),
        ("", (None, None), Outcome::Aborted),
    ] {
        let event = tells("postfix/smtpd", &format!("disconnect from unknown[192.0.2.1]{statistics}"));
        let (failed, succeeded) = tells_end;
        assert_eq!((event.tells, event.outcome), (Tells::End { failed, succeeded }, outcome), "{statistics}");
    }
    for broken in ["auth=2/1", "auth=x", "auth="] {
        let line = format!("disconnect from unknown[192.0.2.1] {broken} commands=1");
        assert_eq!(reading("postfix/smtpd", &line), Reading::Odd { login_like: true }, "{broken}");
    }
}

#[test]
fn unknown_lines_are_odd_and_loud_if_they_tell_of_logins() {
    assert_eq!(reading("postfix/smtpd", "Something New"), Reading::Odd { login_like: false });
    assert_eq!(reading("postfix/smtpd", "SASL authentication Refused"), Reading::Odd { login_like: true });
    let line = "warning: unknown[192.0.2.1]: SASL PLAIN authentication refused";
    assert_eq!(reading("postfix/smtpd", line), Reading::Odd { login_like: true });
}

fn written_by_a_client() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "x",
        "[8.8.8.8]",
        "unknown[8.8.8.8]",
        ": ",
        "warning: ",
        "SASL PLAIN authentication failed: ",
        ", sasl_username=",
        ", sasl_sender=",
        ", orig_client=unknown[8.8.8.8]",
        "connect from unknown[8.8.8.8]",
        " auth=1",
        "generic failure",
        ": client=",
    ]);
    prop::collection::vec(pieces, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_make_the_grammar_panic(body in prop::collection::vec(any::<u8>(), 0..200), start in 0_usize..5) {
        let starts: [&[u8]; 5] = [b"", b"warning: ", b"disconnect from a[1.2.3.4]", b"connect from ", b"1A2B: client="];
        let line = [starts[start], &body].concat();
        let _ = read(&record(b"postfix/smtpd", &line), &Secrets::new([1; 16]));
    }

    #[test]
    fn no_text_of_a_client_gives_another_source(text in written_by_a_client(), form in 0_usize..6) {
        let line = match form {
            0 => format!("warning: unknown[{REAL}]: SASL LOGIN authentication failed: (reason unavailable), sasl_username={text}"),
            1 => format!("improper command pipelining after CONNECT from unknown[{REAL}]: {text}"),
            2 => format!("warning: non-SMTP command from unknown[{REAL}]: {text}"),
            3 => format!("1A2B3C: client=unknown[{REAL}], sasl_method=PLAIN, sasl_username={text}"),
            4 => format!("NOQUEUE: reject: RCPT from unknown[{REAL}]: 554 5.7.1 no; from=<{text}> proto=ESMTP helo=<{text}>"),
            _ => format!("1A2B3C: message-id=<{text}>"),
        };
        if let Reading::Event(event) = reading("postfix", &line) {
            prop_assert_eq!(event.source, REAL.parse().ok(), "{}", line);
            prop_assert_eq!(event.outcome, if form == 3 { Outcome::Success } else { Outcome::Failed });
        }
    }
}
