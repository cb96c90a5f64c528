//! Questions: what the service answers about an order just given, and what is told without it.

use crate::kit::Home;
use crate::support::{append, line, said};
use crate::verb;

const LOG: &str = "[[input]]\nfile = \"$DIR/log/auth.log\"\n";

#[test]
fn why_knows_of_an_order_that_was_just_given() {
    let home = Home::new();
    home.configure("", LOG);
    let mut service = home.start(&[]);
    service.wait_ready();
    for n in 1..30 {
        let source = format!("203.0.113.{n}");
        assert!(verb(&home, &["ban", &source, "--reason", "seen at the gate"]).status.success());
        let told = said(&verb(&home, &["why", &source]));
        assert!(told.contains("operator-ban") && told.contains("seen at the gate"), "{source}: {told}");
        assert!(verb(&home, &["unban", &source]).status.success());
        let told = said(&verb(&home, &["why", &source]));
        assert!(told.contains("operator-unban"), "{source}: {told}");
    }
}

#[test]
fn a_report_needs_no_service() {
    let home = Home::new();
    let log = home.path("log/auth.log");
    append(&log, &line("192.0.2.9", "dan", true));
    for n in 0..12 {
        append(&log, &line("198.51.100.7", &format!("nobody{n}"), false));
    }
    home.configure("", LOG);
    let mut service = home.start(&[]);
    service.wait_until(|status| status.inputs.iter().any(|input| input.lines == 13 && input.last.is_some()));
    let live = said(&verb(&home, &["report", "--since", "1h"]));
    service.stop();
    let left = verb(&home, &["report", "--since", "1h"]);
    assert!(left.status.success(), "{}", said(&left));
    let left = said(&left);
    for told in [&live, &left] {
        assert!(told.contains("13 attempts: 1 logins, 12 failures"), "{told}");
        assert!(told.contains("A counting rule of") && told.contains("Do not go live yet"), "{told}");
    }
    assert!(left.contains("this is what it left") && left.contains("the service does not run"), "{left}");
    let told = said(&verb(&home, &["status"]));
    assert!(told.contains("fairban does not run") && told.contains("auth.log"), "{told}");
}

#[test]
fn a_restart_keeps_when_each_service_was_last_heard_of() {
    let home = Home::new();
    append(&home.path("log/auth.log"), &line("192.0.2.9", "dan", true));
    home.configure("", LOG);
    let mut service = home.start(&[]);
    let before = service.wait_until(|status| status.inputs.iter().any(|input| input.last.is_some()));
    service.kill();
    let mut service = home.start(&[]);
    let after = service.wait_until(|status| status.inputs.iter().any(|input| input.last.is_some()));
    assert_eq!(before.inputs[0].last, after.inputs[0].last);
    let told = said(&verb(&home, &["status"]));
    assert!(told.contains("last login"), "{told}");
}
