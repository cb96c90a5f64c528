//! One client at a time: good, garbled, too long, too slow.

use std::net::Shutdown;

use fairban_control::{Client, ClientError, TailAnswer};
use proptest::prelude::*;

use super::*;

#[test]
fn questions_are_answered_in_their_order() {
    let host = Host::new();
    let mut client = host.connect();
    client.ping();
    client.say(format!("{PING}\n{{\"v\":1,\"ask\":\"status\"}}\n{PING}\n"));
    assert!(matches!(client.hear(), Some(Response::Pong { .. })));
    assert!(matches!(client.hear(), Some(Response::Status(_))));
    assert!(matches!(client.hear(), Some(Response::Pong { .. })));
    // A wrong line does not end the conversation.
    client.say("not JSON\n\n");
    assert_eq!(client.problem(), Problem::BadRequest);
    assert_eq!(client.problem(), Problem::BadRequest);
    client.ping();
    drop(client);
    assert_eq!(host.stop(), 5);
}

#[test]
fn who_has_said_all_is_still_answered() {
    let host = Host::new();
    let mut client = host.connect();
    client.say(format!("{PING}\n{PING}\n"));
    client.stream().shutdown(Shutdown::Write).unwrap();
    for _ in 0..2 {
        assert!(matches!(client.hear(), Some(Response::Pong { .. })));
    }
    assert!(client.is_closed());
}

#[test]
fn a_line_that_is_too_long_is_refused() {
    let host = Host::new();
    let mut client = host.connect();
    let mut longest = PING.to_owned();
    longest.push_str(&" ".repeat(fairban_control::REQUEST_BYTES_MAX - 1 - PING.len()));
    assert!(matches!(client.ask(&longest), Response::Pong { .. }));
    // The server may hang up while we still write.
    let _ = client.stream().write_all(&vec![b'x'; fairban_control::REQUEST_BYTES_MAX + 1]);
    assert_eq!(client.problem(), Problem::TooLong);
    assert!(client.is_closed());
    host.connect().ping();
}

#[test]
fn half_a_request_is_cut_and_nobody_else_waits() {
    let patience = Patience { half_request: Duration::from_millis(30), ..Patience::default() };
    let host = Host::with(&Access::default(), patience);
    let mut quiet = host.connect();
    let mut slow = host.connect();
    slow.say(&PING[..5]);
    host.connect().ping();
    assert_eq!(slow.problem(), Problem::TimedOut);
    assert!(slow.is_closed());
    // Who has begun nothing is not cut.
    quiet.ping();
}

#[test]
fn who_does_not_read_is_cut_and_nobody_else_waits() {
    let patience = Patience { unread_answer: Duration::from_millis(30), ..Patience::default() };
    let host = Host::with(&Access::default(), patience);
    let client = host.connect();
    client.stream().set_nonblocking(true).unwrap();
    let lines = format!("{PING}\n").repeat(500);
    let mut others = host.connect();
    // Asks without reading until the server hangs up.
    until(|| {
        others.ping();
        // A part of a line would be no harm: the server must hang up whatever it reads.
        let wrote = client.stream().write_all(lines.as_bytes());
        wrote.is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock)
    });
}

#[test]
fn an_answer_that_never_comes_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let (_running, asked, _) = Server::bind(&path, &Access::default()).unwrap().start().unwrap();
    let mut client = Raw::connect(&path);
    client.say(format!("{PING}\n"));
    drop(asked.recv_timeout(LIMIT).unwrap());
    assert_eq!(client.problem(), Problem::Internal);
    drop(asked);
    client.say(format!("{PING}\n"));
    assert_eq!(client.problem(), Problem::Stopping);
}

#[test]
fn who_waits_is_told_when_the_server_stops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let (running, asked, _) = Server::bind(&path, &Access::default()).unwrap().start().unwrap();
    let mut waits = Raw::connect(&path);
    waits.say(format!("{PING}\n"));
    let held = asked.recv_timeout(LIMIT).unwrap();
    running.stop();
    assert_eq!(waits.problem(), Problem::Stopping);
    assert!(waits.is_closed());
    assert!(!path.exists() && !fairban_control::read_door(&path).exists());
    held.reply.send(Response::Pong { version: Shown::of("late") });
}

#[test]
fn an_answer_that_is_too_long_is_our_fault() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let (_running, asked, _) = Server::bind(&path, &Access::default()).unwrap().start().unwrap();
    let mut client = Raw::connect(&path);
    client.say(format!("{PING}\n"));
    let version = Shown::of("x".repeat(fairban_control::RESPONSE_BYTES_MAX));
    asked.recv_timeout(LIMIT).unwrap().reply.send(Response::Pong { version });
    assert_eq!(client.problem(), Problem::Internal);
}

#[test]
fn decisions_are_told_to_those_who_tail() {
    let host = Host::new();
    assert!(!host.publisher.is_watched());
    host.publisher.publish(&event(1, "nobody hears it"));
    let mut tailed = Client::connect(&host.path()).unwrap().tail(Vec::new()).unwrap();
    let mut hits = Client::connect(&host.path()).unwrap().tail(vec![TailKind::Hit]).unwrap();
    assert!(host.publisher.is_watched());
    host.publisher.publish(&event(2, "both could"));
    host.publisher.publish(&TailEvent { kind: TailKind::Hit, ..event(3, "both do") });
    let id = |told: Option<Result<TailAnswer, ClientError>>| match told {
        Some(Ok(TailAnswer::Event(event))) => event.id,
        other => panic!("{other:?}"),
    };
    assert_eq!((id(tailed.next()), id(tailed.next())), (Some(2), Some(3)));
    assert_eq!(id(hits.next()), Some(3));
    drop(tailed);
    drop(hits);
    until(|| !host.publisher.is_watched());
    let mut tailed = Client::connect(&host.path()).unwrap().tail(Vec::new()).unwrap();
    host.stop();
    assert!(matches!(tailed.next(), Some(Err(ClientError::Refused(_)))));
    assert!(tailed.next().is_none());
}

#[test]
fn who_tails_asks_nothing_else() {
    let host = Host::new();
    let mut client = host.connect();
    assert_eq!(client.ask(r#"{"v":1,"ask":"tail"}"#), Response::Tailing);
    client.say(format!("{PING}\n"));
    assert_eq!(client.problem(), Problem::BadRequest);
    assert!(client.is_closed());
    until(|| !host.publisher.is_watched());
}

#[test]
fn a_slow_tail_loses_decisions_and_is_told_how_many() {
    const TOLD: u64 = 5_000;
    let host = Host::new();
    let mut slow = host.connect();
    assert_eq!(slow.ask(r#"{"v":1,"ask":"tail"}"#), Response::Tailing);
    for id in 1..=TOLD {
        host.publisher.publish(&event(id, &"x".repeat(900)));
    }
    // All others are served meanwhile.
    host.connect().ping();
    let (mut told, mut missed, mut last) = (0, 0, 0);
    while told + missed < TOLD {
        match slow.hear() {
            Some(Response::Event(event)) => {
                assert!(event.id > Some(last), "in their order");
                last = event.id.unwrap();
                told += 1;
            }
            Some(Response::Missed { events }) => missed += events,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(told + missed, TOLD);
    assert!(missed > 0 && told > 100, "{told} told, {missed} missed");
}

/// What a garbled client may send: random bytes, or lines that were nearly right.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let lines = [
        PING,
        r#"{"v":1,"ask":"status"}"#,
        r#"{"v":1,"ask":"ban","prefix":"203.0.113.0/24","seconds":3600,"reason":"x"}"#,
        r#"{"v":1,"ask":"tail","only":["ban"]}"#,
        r#"{"v":1,"ask":"why","account":"dan@d.example","at":"2026-01-21T09:51:25Z"}"#,
    ];
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..5);
    let nearly = (proptest::sample::select(lines.to_vec()), changes).prop_map(|(line, changes)| {
        let mut line = format!("{line}\n").into_bytes();
        for (at, byte) in changes {
            let at = at.index(line.len());
            line[at] = byte;
        }
        line
    });
    let random = proptest::collection::vec(any::<u8>(), 0..300);
    proptest::collection::vec(prop_oneof![nearly, random], 0..6).prop_map(|parts| parts.concat())
}

#[test]
fn garbage_is_answered_or_hung_up_on() {
    let host = Host::new();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(400)
    });
    let tried = runner.run(&garbage(), |bytes| {
        let mut client = host.connect();
        // It may hang up while we write.
        let _ = client.stream().write_all(&bytes);
        let _ = client.stream().shutdown(Shutdown::Write);
        let lines = bytes.split(|&byte| byte == b'\n').count() - 1;
        let mut answers = 0;
        let tails = loop {
            match client.hear() {
                Some(Response::Tailing) => break true,
                Some(_) => answers += 1,
                None => break false,
            }
        };
        // Each whole line is answered, unless a line before it began to tail.
        prop_assert!(tails || answers == lines, "{} answers to {} lines", answers, lines);
        Ok(())
    });
    tried.unwrap();
    host.connect().ping();
}
