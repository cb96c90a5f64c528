//! Bans bite, and nobody else.

use std::io::Read as _;

use fairban_firewall::enforcer::{Doors, Enforcer as _, Order};

use crate::net::{IMAP, Net, OTHER, SMTP, answers, ban, listed, prefix, shut, unban, wait_for};

/// Every way through the kernel.
const PATHS: [&[&str]; 4] = [&[], &["--without", "destroy,renew"], &["--without", "renew"], &["--own-table"]];

/// Whom a ban hits, and who is beside.
const CASES: [(&str, &str, &str); 6] = [
    ("10.77.1.2/32", "10.77.1.2", "10.77.1.3"),
    ("10.77.1.0/24", "10.77.1.3", "10.77.2.2"),
    ("2001:db8:1:1::2/128", "2001:db8:1:1::2", "2001:db8:1:1::3"),
    ("2001:db8:1:1::/64", "2001:db8:1:1::3", "2001:db8:1:2::2"),
    ("2001:db8:1::/56", "2001:db8:1:2::2", "2001:db8:2:1::2"),
    ("2001:db8:1::/48", "2001:db8:1:1::2", "2001:db8:2:1::2"),
];

#[test]
fn a_ban_stops_new_and_open_connections_of_its_source_alone() {
    for path in PATHS {
        let net = Net::new();
        net.serve();
        let mut enforcer = net.enforcer(path);
        for (banned, hit, beside) in CASES {
            let mut open = net.dial(hit, IMAP).unwrap();
            let mut other_door = net.dial(hit, OTHER).unwrap();
            assert!(answers(&mut open) && net.is_open(beside, IMAP), "{banned} {path:?}");
            ban(&mut enforcer, banned, Doors::Logins);
            assert!(!net.is_open(hit, IMAP), "{banned} {path:?}");
            assert!(!answers(&mut open), "{banned} {path:?}");
            assert!(net.is_open(beside, IMAP), "{banned} {path:?}");
            assert!(net.is_open(hit, SMTP) && net.is_open(hit, OTHER), "{banned} {path:?}");
            assert!(answers(&mut other_door), "{banned} {path:?}");
            unban(&mut enforcer, banned);
            assert!(net.is_open(hit, IMAP), "{banned} {path:?}");
        }
    }
}

#[test]
fn open_connections_end_at_once_on_both_sides() {
    let net = Net::new();
    net.serve();
    let mut enforcer = net.enforcer(&[]);
    for from in ["10.77.1.2", "2001:db8:1:1::2"] {
        let mut open = net.dial(from, IMAP).unwrap();
        assert!(answers(&mut open));
        let cut_before = enforcer.ping().unwrap().cut;
        let prefix = if from.contains(':') { format!("{from}/128") } else { format!("{from}/32") };
        ban(&mut enforcer, &prefix, Doors::Logins);
        wait_for("the server's end is gone", || enforcer.ping().unwrap().cut > cut_before);
        open.set_read_timeout(Some(crate::net::LIMIT)).unwrap();
        let error = open.read(&mut [0; 1]).expect_err("reset");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{from}");
    }
}

#[test]
fn doors_are_closed_as_asked() {
    let net = Net::new();
    net.serve();
    let mut enforcer = net.enforcer(&[]);
    let open = |net: &Net| [IMAP, SMTP, OTHER].map(|port| net.is_open("10.77.1.2", port));
    for (doors, expected) in [
        (Doors::Logins, [false, true, true]),
        (Doors::All, [false; 3]),
        (Doors::LoginsAndSmtp, [false, false, true]),
        (Doors::Logins, [false, true, true]),
    ] {
        ban(&mut enforcer, "10.77.1.2/32", doors);
        assert_eq!(open(&net), expected, "{doors:?}");
    }
    unban(&mut enforcer, "10.77.1.2/32");
    assert_eq!(open(&net), [true; 3]);
}

#[test]
fn our_own_connections_to_a_banned_host_are_answered() {
    let net = Net::new();
    let mut enforcer = net.enforcer(&[]);
    let listener = net.on_client(|| std::net::TcpListener::bind(("10.77.1.2", SMTP)).unwrap());
    let hello = std::thread::spawn(move || {
        use std::io::Write as _;
        listener.accept().unwrap().0.write_all(b"220 ").unwrap();
    });
    ban(&mut enforcer, "10.77.1.2/32", Doors::LoginsAndSmtp);
    let greeting = net.on_server(|| {
        let mut stream = std::net::TcpStream::connect(("10.77.1.2", SMTP)).unwrap();
        let mut greeting = [0; 4];
        stream.read_exact(&mut greeting).unwrap();
        greeting
    });
    assert_eq!(&greeting, b"220 ");
    hello.join().unwrap();
}

#[test]
fn prefixes_of_odd_lengths_may_lie_in_each_other() {
    for path in PATHS {
        let net = Net::new();
        net.serve();
        let mut enforcer = net.enforcer(path);
        for odd in ["10.77.8.0/22", "10.77.8.0/21", "10.77.9.8/30", "2001:db8:1:1::/63", "2001:db8:1::/49"] {
            ban(&mut enforcer, odd, Doors::Logins);
        }
        for hit in ["10.77.9.9", "2001:db8:1:1::2", "2001:db8:1:2::2"] {
            assert!(!net.is_open(hit, IMAP), "{hit} {path:?}");
        }
        for beside in ["10.77.1.2", "2001:db8:2:1::2"] {
            assert!(net.is_open(beside, IMAP), "{beside} {path:?}");
        }
        for odd in ["10.77.8.0/21", "10.77.8.0/22"] {
            unban(&mut enforcer, odd);
            assert!(!net.is_open("10.77.9.9", IMAP), "{odd} {path:?}");
        }
        unban(&mut enforcer, "10.77.9.8/30");
        assert!(net.is_open("10.77.9.9", IMAP), "{path:?}");
    }
}

#[test]
fn a_ban_ends_by_itself_and_a_second_one_starts_its_time_again() {
    for path in PATHS {
        let net = Net::new();
        net.serve();
        let mut enforcer = net.enforcer(path);
        let long = [shut("10.77.1.3/32", 600, Doors::Logins), shut("10.77.2.2/32", 1, Doors::Logins)];
        enforcer.carry_out(&long.map(Order::Ban)).unwrap();
        // The other way round: what was short becomes long, and what was long short.
        let turned = ["10.77.1.3/32", "10.77.2.2/32", "10.77.1.2/32", "10.77.8.0/21"]
            .map(|text| Order::Ban(shut(text, if text == "10.77.2.2/32" { 600 } else { 1 }, Doors::Logins)));
        enforcer.carry_out(&turned).unwrap();
        assert!(!net.is_open("10.77.1.2", IMAP), "{path:?}");
        for short in ["10.77.1.2", "10.77.1.3", "10.77.9.9"] {
            wait_for("the ban is over", || net.is_open(short, IMAP));
        }
        assert!(!net.is_open("10.77.2.2", IMAP), "{path:?}");
        assert_eq!(listed(&mut enforcer), ["10.77.2.2/32"], "{path:?}");
    }
}

#[test]
fn a_list_is_all_that_is_shut_out_afterwards() {
    let net = Net::new();
    net.serve();
    let mut enforcer = net.enforcer(&[]);
    ban(&mut enforcer, "10.77.1.2/32", Doors::Logins);
    ban(&mut enforcer, "10.77.8.0/21", Doors::Logins);
    let list = ["10.77.1.3/32", "2001:db8:1:1::/64"].map(|text| shut(text, 600, Doors::Logins));
    enforcer.carry_out(&[Order::Sync(list.to_vec())]).unwrap();
    assert_eq!(listed(&mut enforcer), ["10.77.1.3/32", "2001:db8:1:1::/64"]);
    let open = ["10.77.1.2", "10.77.9.9", "10.77.1.3", "2001:db8:1:1::2"].map(|from| net.is_open(from, IMAP));
    assert_eq!(open, [true, true, false, false]);
    enforcer
        .carry_out(&[Order::Sync(Vec::new()), Order::Ban(list[0]), Order::Unban(prefix("192.0.2.1/32"))])
        .unwrap();
    assert_eq!(listed(&mut enforcer), ["10.77.1.3/32"]);
}
