//! Who is never shut out, whatever he is made to look like.

use fairban_control::Request;

use crate::host::Host;
use crate::net::{GATEWAY, IMAP, SERVER_V4, SERVER_V6};

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
    // Evidence does not help either.
    host.scan(GATEWAY);
    service.wait_until(|status| {
        status.bans.in_force == 0
            && status
                .alarms
                .iter()
                .any(|alarm| alarm.name.as_str() == "protected" && alarm.text.as_str().contains(GATEWAY))
    });
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
