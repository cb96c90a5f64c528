//! TERM: a quick end after which nothing is missing and nothing counts twice.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use fairban_control::{Mode, Request, Response};
use serde_json::Value;

use crate::kit::{Home, status};

/// How often it is ended.
const TIMES: usize = 6;

/// It takes a few milliseconds; a second is what is promised of a machine that has time.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

#[test]
fn ended_in_the_middle_of_a_log_it_loses_nothing_and_counts_nothing_twice() {
    let home = Home::new();
    home.configure("", "[[input]]\nfile = \"$DIR/log/mail.log\"\n");
    let path = home.path("log/mail.log");
    File::create(&path).expect("a log");
    let over = AtomicBool::new(false);
    let written = thread::scope(|scope| {
        let writer = scope.spawn(|| write(&path, &over));
        // A panic must end the writer, too.
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| end_again_and_again(&home)));
        over.store(true, Ordering::Release);
        let written = writer.join().expect("it writes");
        ended.map_or_else(|panic| std::panic::resume_unwind(panic), |()| written)
    });
    let mut service = home.start(&["--keep-journal"]);
    service.wait_until(|status| status.inputs.iter().any(|input| input.lag_bytes == Some(0)));
    // What was read a moment ago goes its way: the end waits for it.
    service.stop();
    let output = home.audit(&["--events"]);
    let text = String::from_utf8(output.stdout).expect("escaped");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut times: BTreeMap<u64, u32> = BTreeMap::new();
    for line in text.lines() {
        let object: Value = serde_json::from_str(line).expect("JSON");
        if object["action"] == "line" {
            let text = object["text"].as_str().expect("text");
            let end = text.find("@end.example").expect("one of ours");
            let start = text[..end].rfind(" n").expect("one of ours") + 2;
            *times.entry(text[start..end].parse().expect("a number")).or_default() += 1;
        }
    }
    println!("{written} lines, {TIMES} ends");
    let wrong: Vec<_> =
        (0..written).filter(|n| times.get(n) != Some(&1)).map(|n| (n, times.get(&n))).collect();
    assert!(wrong.is_empty() && times.len() as u64 == written, "{} of {written}: {wrong:?}", times.len());
}

/// Writes until it is over; how many lines.
fn write(path: &std::path::Path, over: &AtomicBool) -> u64 {
    let mut log = OpenOptions::new().append(true).open(path).expect("a log");
    let mut next = 0;
    while !over.load(Ordering::Acquire) {
        let stamp = jiff::Timestamp::now().strftime("%b %e %H:%M:%S").to_string();
        for _ in 0..50 {
            let (source, kind) = (next % 3_000, next % 3);
            let address = format!("198.51.{}.{}", source / 200, source % 200 + 1);
            let text = match kind {
                0 => format!("vpopmail user not found n{next}@end.example:{address}"),
                1 => format!("password fail (pass: 'old') n{next}@end.example:{address}"),
                _ => format!("(PLAIN) login success n{next}@end.example:{address}"),
            };
            writeln!(log, "{stamp} mx vpopmail[7]: vchkpw-pop3: {text}").expect("a log");
            next += 1;
        }
        // The pace is no matter of the test.
        thread::sleep(Duration::from_millis(2));
    }
    next
}

/// Ends the service in the middle of its work; bans, orders and counters are there again at the next start.
fn end_again_and_again(home: &Home) {
    let mut before = 0;
    for turn in 0..TIMES {
        let mut service = home.start(&["--keep-journal"]);
        let mut client = service.wait_ready();
        let now = status(&mut client);
        assert!(now.journal.sequence >= before, "{} after {before}", now.journal.sequence);
        assert_eq!(now.mode, Mode::Shadow);
        assert_eq!(now.bans.by_operator, turn as u64, "bans in force outlive it: {now:#?}");
        service.wait_until(|status| status.journal.sequence > before + 20);
        let prefix = format!("203.0.113.{turn}/32").parse().expect("a prefix");
        match client.ask(&Request::Ban { prefix, seconds: None, reason: None }) {
            Ok(Response::Done(done)) => before = done.sequence.expect("it is kept"),
            other => panic!("no ban: {other:?}"),
        }
        let took = service.stop();
        println!("ended within {took:?}");
        assert!(took < ENDS_WITHIN, "{took:?}");
    }
}
