//! Who is never shut out, whatever he is made to look like.

use fairban_control::{Mode, Request};

use crate::host::Host;
use crate::net::{GATEWAY, IMAP, SERVER_V4, SERVER_V6, answers, wait_for};

#[test]
fn own_addresses_and_gateways_are_refused_by_both_processes() {
    let mut host = Host::new("");
    let mut service = host.start();
    for protected in [SERVER_V4, SERVER_V6, GATEWAY, "10.77.0.0/24", "127.0.0.1"] {
        let prefix =
            protected.parse().unwrap_or_else(|_| protected.parse::<std::net::IpAddr>().unwrap().into());
        let why = host.refused(&Request::Ban { prefix, seconds: Some(600), reason: None });
        assert!(why.contains("this host") || why.contains("this machine"), "{protected}: {why}");
    }
    // Evidence does not help either: who the service knows is not judged, and one that came later is known to fairban-fw.
    host.scan(GATEWAY);
    let later = "10.77.9.9";
    let floor = |status: &fairban_control::StatusReport| {
        let remarks = status.enforcer.iter().flat_map(|enforcer| &enforcer.remarks);
        remarks.map(|remark| remark.as_str().to_owned()).find(|remark| remark.starts_with("never banned"))
    };
    let before = service.wait_until(|status| floor(status).is_some());
    host.net.ip(&["route", "add", "198.51.100.0/24", "via", later]);
    service.wait_until(|status| floor(status) != floor(&before));
    host.scan(later);
    let status = service.wait_until(|status| {
        status.bans.in_force == 0
            && status
                .alarms
                .iter()
                .any(|alarm| alarm.name.as_str() == "protected" && alarm.text.as_str().contains(later))
    });
    assert!(!format!("{:?}", status.alarms).contains(GATEWAY), "{:?}", status.alarms);
    assert_eq!(host.in_kernel(), [""; 0]);
    service.stop();
}

#[test]
fn who_is_allowed_by_the_configuration_is_never_judged() {
    let mut host = Host::new("");
    let text = std::fs::read_to_string(host.home.path("fairban.toml")).unwrap();
    std::fs::write(host.home.path("fairban.toml"), format!("allow = [\"10.77.1.0/24\"]\n{text}")).unwrap();
    let service = host.start();
    host.scan("10.77.1.2");
    host.scan("10.77.2.2");
    crate::net::wait_for("the other robot is shut out", || !host.net.is_open("10.77.2.2", IMAP));
    assert!(host.net.is_open("10.77.1.2", IMAP));
    let prefix = "10.77.1.0/28".parse().unwrap();
    let why = host.refused(&Request::Ban { prefix, seconds: Some(600), reason: None });
    assert!(why.contains("allowlist"), "{why}");
    service.stop();
}

#[test]
fn an_admin_whose_connection_is_there_is_not_cut_off_by_a_robot_behind_the_same_address() {
    let mut host = Host::new("");
    let mut service = host.start();
    // One who works, and one whose end the log has lost.
    let (works, lost) = ("10.77.1.2", "10.77.2.2");
    let mut terminal = host.net.dial(works, IMAP).unwrap();
    let port = terminal.local_addr().unwrap().port();
    host.admin(true, works, port);
    host.admin(true, lost, port);
    host.scan(works);
    host.scan(lost);
    wait_for("the other one is shut out", || !host.net.is_open(lost, IMAP));
    let is_told = |status: &fairban_control::StatusReport| {
        let mut told = status.alarms.iter().filter(|alarm| alarm.name.as_str() == "protected");
        told.any(|alarm| alarm.text.as_str().contains(&format!("from {works} port {port}")))
    };
    service.wait_until(is_told);
    assert!(answers(&mut terminal) && host.net.is_open(works, IMAP));
    let bans = String::from_utf8(host.verb(&["why", works]).stdout).unwrap();
    let told = bans.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("Protected because an administrator is logged in over SSH"), "{bans}");
    drop(terminal);
    host.admin(false, works, port);
    wait_for("he has left", || !host.net.is_open(works, IMAP));
    service.wait_until(|status| !is_told(status));
    service.stop();
}

/// Whoever locks himself out gets in again even if the service is dead by then: the kernel lets go by itself.
#[test]
fn until_live_mode_is_confirmed_the_kernel_is_given_no_ban_for_longer() {
    let host = Host::new("");
    let service = host.start();
    let timeout = || {
        let table = host.net.nft(&["list", "table", "inet", "fairban"]);
        let element = table.split("10.77.1.2 timeout ").nth(1).map(str::to_owned);
        element.and_then(|rest| rest.split_whitespace().next().map(str::to_owned)).unwrap_or_default()
    };
    host.mode(Mode::Shadow);
    host.ban("10.77.1.2/32", 86_400);
    host.mode(Mode::Live);
    let short = timeout();
    assert!(short.starts_with("9m") || short.starts_with("10m"), "{short}");
    host.order(&Request::Confirm { connected_ms: Some(0) });
    let long = timeout();
    assert!(long.starts_with("23h") || long.starts_with("1d"), "{long}");
    service.kill();
    assert!(!host.net.is_open("10.77.1.2", IMAP));
}
