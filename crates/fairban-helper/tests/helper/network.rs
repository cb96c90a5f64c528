//! Syslog over the network, and names.

use std::io::Write as _;
use std::net::{Shutdown, TcpStream, UdpSocket};

use fairban_helper::config::{Listener, Resolve, Syslog, Transport};
use fairban_helper::protocol::LINE_BYTES_MAX;
use fairban_helper::{Config, Message};

use crate::{Driver, address, listener};

fn both() -> Config {
    let syslog = Syslog {
        listeners: vec![
            listener(Transport::Udp, "127.0.0.1:0"),
            listener(Transport::Udp, "[::1]:0"),
            listener(Transport::Tcp, "127.0.0.1:0"),
        ],
    };
    Config { syslog: Some(syslog), ..Config::default() }
}

#[test]
fn a_datagram_is_a_line() {
    let mut driver = Driver::start(both());
    let ready = driver.until_ready();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.connect(address(&ready, Transport::Udp)).unwrap();
    sender.send(b"<38>Jan 21 10:00:00 mx sshd[1]: one\n").unwrap();
    sender.send(b"<38>Jan 21 10:00:00 mx sshd[1]: two\nJan 21 10:00:00 mx sshd[1]: forged").unwrap();
    sender.send(b"\n").unwrap();
    sender.send(&vec![b'x'; LINE_BYTES_MAX + 9]).unwrap();
    let over_ipv6 = ready.listening.iter().find(|(_, address)| address.is_ipv6()).unwrap().1;
    driver.until_lines(3);
    UdpSocket::bind("[::1]:0").unwrap().send_to(b"six", over_ipv6).unwrap();
    driver.until_lines(4);
    assert_eq!(driver.lines[0], "<38>Jan 21 10:00:00 mx sshd[1]: one");
    assert_eq!(driver.lines[1], "<38>Jan 21 10:00:00 mx sshd[1]: two#012Jan 21 10:00:00 mx sshd[1]: forged");
    assert_eq!((driver.lines[2].len(), driver.lines[3].as_str()), (LINE_BYTES_MAX, "six"));
    let status = driver.helper.status();
    assert_eq!((status.syslog.lines, status.syslog.too_long), (4, 1));
    assert_eq!(status.peers[&"127.0.0.1".parse().unwrap()], 3);
    assert_eq!(status.peers[&"::1".parse().unwrap()], 1);
}

#[test]
fn a_stream_is_taken_apart_by_length_or_line_feed() {
    let mut driver = Driver::start(both());
    let to = address(&driver.until_ready(), Transport::Tcp);
    let mut counted = TcpStream::connect(to).unwrap();
    counted.write_all(b"9 <38>one\nt10 <38>thr").unwrap();
    counted.write_all(b"ee\n4 four").unwrap();
    driver.until_lines(3);
    assert_eq!(driver.lines, ["<38>one#012t", "<38>three", "four"]);
    let mut framed = TcpStream::connect(to).unwrap();
    framed.write_all(b"<38>a\n<38>b\r\n\n2026-11-23T10:00:00Z mx sshd[1]: c").unwrap();
    drop(framed);
    driver.until_lines(6);
    assert_eq!(driver.lines[3..], ["<38>a", "<38>b", "2026-11-23T10:00:00Z mx sshd[1]: c"]);
    let mut long = TcpStream::connect(to).unwrap();
    long.write_all(&vec![b'x'; 3 * LINE_BYTES_MAX]).unwrap();
    long.write_all(b"\n<38>after\n").unwrap();
    driver.until_lines(8);
    assert_eq!((driver.lines[6].len(), driver.lines[7].as_str()), (LINE_BYTES_MAX, "<38>after"));
    assert_eq!(driver.helper.status().syslog.too_long, 1);
}

#[test]
fn many_senders_take_turns_and_hogs_are_refused() {
    let mut driver = Driver::start(both());
    let to = address(&driver.until_ready(), Transport::Tcp);
    let mut senders: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(to).unwrap()).collect();
    for (number, sender) in senders.iter_mut().enumerate() {
        // Who was refused may notice only now.
        let _ = writeln!(sender, "<38>line of {number}");
        let _ = sender.shutdown(Shutdown::Write);
    }
    driver.until(|driver, _| {
        let counts = driver.helper.status().syslog;
        counts.lines + counts.refused == 40
    });
    let counts = driver.helper.status().syslog;
    assert!(counts.lines >= 32, "{counts:?}");
    // All are gone, so there is room again.
    let mut late = TcpStream::connect(to).unwrap();
    late.write_all(b"<38>late\n").unwrap();
    driver.until(|driver, _| driver.lines.last().is_some_and(|line| line == "<38>late"));
}

const LINES: usize = 60_000;

#[test]
fn a_daemon_that_reads_slowly_loses_nothing_over_tcp() {
    let mut driver = Driver::start(both());
    let to = address(&driver.until_ready(), Transport::Tcp);
    let sender = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(to).unwrap();
        for number in 0..LINES {
            // Some 6 MB: more than all buffers on the way hold.
            writeln!(stream, "<38>line {number} {}", "x".repeat(90)).unwrap();
        }
    });
    driver.until_lines(LINES);
    sender.join().unwrap();
    let in_order = driver
        .lines
        .iter()
        .enumerate()
        .all(|(number, line)| line.starts_with(&format!("<38>line {number} ")));
    assert!(in_order && driver.lines.len() == LINES);
}

#[test]
fn what_cannot_be_listened_on_is_said_and_the_rest_works() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut config = both();
    let address = taken.local_addr().unwrap().to_string();
    config.syslog.as_mut().unwrap().listeners.insert(0, listener(Transport::Udp, &address));
    let mut driver = Driver::start(config);
    assert_eq!(driver.until_ready().listening.len(), 3);
    driver.until_said("another program listens there");
}

#[test]
fn lines_of_a_sender_who_is_not_named_never_arrive() {
    let from = |prefix: &str, transport| Listener {
        from: vec![prefix.parse().unwrap()],
        ..listener(transport, "127.0.0.1:0")
    };
    let listeners = vec![
        from("127.0.0.2/32", Transport::Udp),
        from("127.0.0.2/32", Transport::Tcp),
        listener(Transport::Udp, "[::1]:0"),
    ];
    let mut driver = Driver::start(Config { syslog: Some(Syslog { listeners }), ..Config::default() });
    let ready = driver.until_ready();
    let (udp, tcp) = (address(&ready, Transport::Udp), address(&ready, Transport::Tcp));
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"<38>forged", udp).unwrap();
    // Its connection is closed before a byte of it is read.
    let mut stranger = TcpStream::connect(tcp).unwrap();
    let _ = stranger.write_all(b"<38>forged\n");
    driver.until(|driver, _| driver.helper.status().syslog.strangers == 2);
    UdpSocket::bind("127.0.0.2:0").unwrap().send_to(b"<38>true", udp).unwrap();
    driver.until(|driver, message| {
        let listener = match message {
            Message::Batch(batch) => Some(batch.listener),
            _ => None,
        };
        assert!(driver.lines.is_empty() || listener.is_none_or(|listener| listener == 0));
        !driver.lines.is_empty()
    });
    assert_eq!(driver.lines, ["<38>true"]);
    let over_ipv6 = ready.listening.iter().find(|(_, address)| address.is_ipv6()).unwrap().1;
    UdpSocket::bind("[::1]:0").unwrap().send_to(b"<38>another", over_ipv6).unwrap();
    driver.until(|_, message| matches!(message, Message::Batch(batch) if batch.listener == 2));
    assert_eq!(driver.helper.status().syslog.lines, 2);
}

#[test]
fn names_are_looked_up_behind_the_wall() {
    let resolve = Resolve { names: vec!["localhost".to_owned()], every_seconds: 0 };
    let mut driver = Driver::start(Config { resolve: Some(resolve), ..Config::default() });
    driver.until(|_, message| matches!(message, Message::Resolved { name, .. } if name == "localhost"));
    let addresses = &driver.helper.status().names["localhost"].addresses;
    assert!(!addresses.is_empty() && addresses.iter().all(std::net::IpAddr::is_loopback), "{addresses:?}");
    assert_eq!(driver.helper.status().names["localhost"].failed, None);
}
