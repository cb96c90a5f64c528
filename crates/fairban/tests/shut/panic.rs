//! `fairban panic`: whoever lives, dies or meddles.

use std::process::Output;

use fairban_control::{Mode, Request};

use crate::host::Host;
use crate::net::{IMAP, wait_for};

/// Runs it as the operator does.
fn panic(host: &Host) -> Output {
    let config = host.home.path("fairban.toml");
    host.verb(&["panic", "--config", config.to_str().unwrap()])
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn is_table_there(host: &Host) -> bool {
    host.net.nft(&["list", "tables"]).contains("fairban")
}

#[test]
fn a_service_that_lives_shuts_nobody_out_again() {
    let mut host = Host::new("");
    let mut service = host.start();
    host.scan("10.77.1.2");
    wait_for("the robot is shut out", || !host.net.is_open("10.77.1.2", IMAP));
    let output = panic(&host);
    assert!(output.status.success(), "{}", said(&output));
    assert!(host.net.is_open("10.77.1.2", IMAP) && !is_table_there(&host));
    host.scan("10.77.1.3");
    let status = service.wait_until(|status| status.bans.in_force == 2);
    assert_eq!(status.mode, Mode::Shadow);
    assert!(host.net.is_open("10.77.1.3", IMAP) && !is_table_there(&host));
    host.mode(Mode::Live);
    assert!(!host.net.is_open("10.77.1.2", IMAP) && !host.net.is_open("10.77.1.3", IMAP));
    service.stop();
}

#[test]
fn a_service_that_is_dead_begins_in_shadow_mode() {
    let mut host = Host::new("");
    let service = host.start();
    host.scan("10.77.1.2");
    wait_for("the robot is shut out", || !host.net.is_open("10.77.1.2", IMAP));
    service.kill();
    assert!(!host.net.is_open("10.77.1.2", IMAP));
    let output = panic(&host);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("shadow mode"), "{}", said(&output));
    assert!(host.net.is_open("10.77.1.2", IMAP) && !is_table_there(&host));
    for _ in 0..2 {
        let mut service = host.start();
        let status = service.wait_until(|status| status.bans.in_force == 1);
        assert_eq!(status.mode, Mode::Shadow);
        assert!(host.net.is_open("10.77.1.2", IMAP));
        service.stop();
    }
    // It is obeyed once: who goes live afterwards is live after the next start, too.
    let service = host.start();
    host.mode(Mode::Live);
    host.client().ask(&Request::Confirm { connected_ms: Some(0) }).unwrap();
    service.kill();
    let mut service = host.start();
    service.wait_until(|status| status.mode == Mode::Live);
    assert!(!host.net.is_open("10.77.1.2", IMAP));
    service.stop();
}
