//! Who is never shut out.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;

use fairban_firewall::NftEnforcer;
use fairban_firewall::enforcer::{Answer, Doors, Enforcer as _, Order};

use crate::net::{GATEWAY, IMAP, Net, SERVER_V4, SERVER_V6, ban, listed, prefix, shut, wait_for};

fn asked(enforcer: &mut NftEnforcer, text: &str) -> Answer {
    let answers = enforcer.carry_out(&[Order::Ban(shut(text, 600, Doors::Logins))]).unwrap();
    answers.into_iter().next().unwrap()
}

#[test]
fn own_addresses_gateways_and_loopback_are_refused() {
    let net = Net::new();
    let mut enforcer = net.enforcer(&[]);
    let own = [format!("{SERVER_V4}/32"), format!("{SERVER_V6}/128"), format!("{GATEWAY}/32")];
    let around = ["10.77.0.0/24", "10.77.0.0/23", "2001:db8:77::/64", "2001:db8:77::/48", "10.0.0.0/8"];
    let others = ["127.0.0.1/32", "127.9.0.0/24", "::1/128", "::/64"];
    for protected in own.iter().map(String::as_str).chain(around).chain(others) {
        assert_eq!(asked(&mut enforcer, protected), Answer::Protected, "{protected}");
    }
    let wide = asked(&mut enforcer, "128.0.0.0/2");
    assert!(matches!(wide, Answer::Failed(why) if why.contains("too wide")));
    assert_eq!(listed(&mut enforcer), [""; 0]);
    let list = [shut("10.77.1.2/32", 600, Doors::Logins), shut("10.77.0.1/32", 600, Doors::Logins)];
    assert_eq!(enforcer.carry_out(&[Order::Sync(list.to_vec())]), Ok(vec![Answer::Protected]));
    assert_eq!(listed(&mut enforcer), ["10.77.1.2/32"]);
}

#[test]
fn a_host_that_gets_a_banned_address_lifts_the_ban() {
    let net = Net::new();
    let mut enforcer = net.enforcer(&[]);
    for banned in ["10.77.200.0/24", "10.77.201.7/32", "192.0.2.1/32", "192.0.2.2/32"] {
        ban(&mut enforcer, banned, Doors::Logins);
    }
    net.ip(&["address", "add", "10.77.200.9/32", "dev", "wire"]);
    wait_for("the address is protected", || asked(&mut enforcer, "10.77.200.9/32") == Answer::Protected);
    assert_eq!(listed(&mut enforcer), ["10.77.201.7/32", "192.0.2.1/32", "192.0.2.2/32"]);
    net.ip(&["route", "add", "198.51.100.0/24", "via", "10.77.201.7"]);
    let hops = [
        "nexthop",
        "via",
        "192.0.2.1",
        "dev",
        "wire",
        "onlink",
        "nexthop",
        "via",
        "192.0.2.2",
        "dev",
        "wire",
    ];
    net.ip(&[&["route", "add", "198.51.101.0/24"], &hops[..], &["onlink"]].concat());
    wait_for("gateways are protected", || listed(&mut enforcer).is_empty());
    net.ip(&["address", "del", "10.77.200.9/32", "dev", "wire"]);
    wait_for("it is nobody's again", || asked(&mut enforcer, "10.77.200.9/32") == Answer::Done);
}

#[test]
fn the_allowlist_adds_to_the_floor_and_lifts_bans() {
    let net = Net::new();
    net.serve();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("never-ban");
    std::fs::write(&path, "10.77.2.0/24 # office\n").unwrap();
    let arguments = ["--never-ban", path.to_str().unwrap()];
    let mut enforcer = net.enforcer(&arguments);
    assert_eq!(asked(&mut enforcer, "10.77.2.2/32"), Answer::Protected);
    for banned in ["10.77.1.2/32", "10.77.1.0/24", "2001:db8:1:1::/64"] {
        ban(&mut enforcer, banned, Doors::Logins);
    }
    let allowed = ["10.77.1.2/32", "2001:db8::/32"].map(prefix);
    assert_eq!(enforcer.allow(&allowed), Ok(Answer::Done));
    assert_eq!(listed(&mut enforcer), [""; 0]);
    assert!(net.is_open("10.77.1.2", IMAP) && net.is_open("2001:db8:1:1::2", IMAP));
    for protected in ["10.77.1.2/32", "10.77.1.0/24", "2001:db8:1:1::/64", "10.77.2.2/32"] {
        assert_eq!(asked(&mut enforcer, protected), Answer::Protected, "{protected}");
    }
    assert_eq!(enforcer.allow(&[]), Ok(Answer::Done));
    assert_eq!(asked(&mut enforcer, "10.77.1.2/32"), Answer::Done);
    assert_eq!(asked(&mut enforcer, "10.77.2.2/32"), Answer::Protected);
}

#[test]
fn a_connection_is_found_by_address_and_port_while_it_is_established() {
    let net = Net::new();
    net.serve();
    let mut enforcer = net.enforcer(&[]);
    let v4 = net.dial("10.77.1.2", IMAP).unwrap();
    let v6 = net.dial("2001:db8:1:1::2", IMAP).unwrap();
    let [peer_v4, peer_v6] = [&v4, &v6].map(|stream| stream.local_addr().unwrap());
    let other_port = SocketAddr::new(peer_v4.ip(), peer_v4.port() ^ 1);
    let other_address = SocketAddr::new("10.77.1.3".parse().unwrap(), peer_v4.port());
    let asked = [peer_v4, other_port, peer_v6, other_address];
    assert_eq!(enforcer.established(&asked), Ok(vec![true, false, true, false]));
    drop(v4);
    wait_for("the connection is over", || {
        enforcer.established(&[peer_v4, peer_v6]).unwrap() == [false, true]
    });
    assert_eq!(enforcer.established(&[]), Ok(vec![]));
}

#[test]
fn a_file_that_cannot_be_believed_ends_the_start() {
    let net = Net::new();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("never-ban");
    let refused = |told: &str| {
        let program = env!("CARGO_BIN_EXE_fairban-fw");
        let (ours, theirs) = socket_pair();
        let mut command = std::process::Command::new(program);
        command.arg("--never-ban").arg(&path).stdin(std::process::Stdio::from(theirs));
        let output = net.on_server(|| command.output().unwrap());
        drop(ours);
        assert_eq!(output.status.code(), Some(78), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(told), "{output:?}");
    };
    std::fs::write(&path, "10.77.2.0/24\nmx.example.org\n").unwrap();
    refused("line 2");
    std::fs::write(&path, "10.77.2.0/24\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    refused("nobody else can write");
}

fn socket_pair() -> (std::os::fd::OwnedFd, std::os::fd::OwnedFd) {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
}
