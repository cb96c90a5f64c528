//! How long a robot goes on after the line that convicts it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::host::Host;
use crate::net::IMAP;

/// Robots, one after the other, each from a network of its own.
const ROBOTS: u32 = 100;

/// On a machine that does much else; what it is on an idle one is printed.
const P99_MAX: Duration = Duration::from_millis(50);

#[test]
fn from_the_line_to_the_dropped_packet() {
    let mut host = Host::new("");
    let service = host.start();
    let mut took: Vec<Duration> = Vec::new();
    for robot in 0..ROBOTS {
        let address = format!("10.77.{}.2", 100 + robot);
        host.net.on_client(|| {
            crate::net::run("ip", &["address", "add", &format!("{address}/16"), "dev", "wire", "nodad"]);
        });
        let stream = host.net.dial(&address, IMAP).unwrap();
        let (sender, last_answer) = mpsc::channel();
        thread::spawn(move || sender.send(talk_until_cut(stream)));
        host.scan_at_once(&address);
        // All that convicts it stands in the log now.
        let written = Instant::now();
        let last = last_answer.recv_timeout(crate::kit::LIMIT).expect("it is cut off");
        took.push(last.saturating_duration_since(written));
    }
    took.sort_unstable();
    let at = |hundredths: usize| took[(took.len() * hundredths / 100).min(took.len() - 1)];
    println!(
        "from the robot's lines in the log to its last answered packet: p50 {:?}, p99 {:?}, most {:?}, of {ROBOTS} robots",
        at(50),
        at(99),
        took[took.len() - 1]
    );
    assert!(at(99) < P99_MAX, "{took:?}");
    service.stop();
}

/// Says something again and again; when it was answered last.
fn talk_until_cut(mut stream: TcpStream) -> Instant {
    stream.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
    let mut last = Instant::now();
    let mut buffer = [0; 4];
    while stream.write_all(b"NOOP").is_ok() && stream.read_exact(&mut buffer).is_ok() {
        last = Instant::now();
    }
    last
}
