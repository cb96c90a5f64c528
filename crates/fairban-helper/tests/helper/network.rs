//! Syslog over the network, and names.

use std::io::Write as _;
use std::net::{Shutdown, TcpStream, UdpSocket};

use fairban_helper::config::{Resolve, Syslog};
use fairban_helper::protocol::{LINE_BYTES_MAX, Transport};
use fairban_helper::{Config, Message};

use crate::{Driver, address};

fn both() -> Config {
    let syslog = Syslog {
        udp: vec!["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()],
        tcp: vec!["127.0.0.1:0".parse().unwrap()],
        from_anywhere: false,
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
    config.syslog.as_mut().unwrap().udp.insert(0, taken.local_addr().unwrap());
    let mut driver = Driver::start(config);
    assert_eq!(driver.until_ready().listening.len(), 3);
    driver.until_said("another program listens there");
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
