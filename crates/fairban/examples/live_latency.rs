//! How long from a line of a log to its verdict: starts the service that stands beside it, writes a log as a login server
//! does, a line at a time, and waits at the control socket.
//!
//! `live_latency [VERDICTS]`. Each verdict is the ban of another address, in shadow mode. The clock starts before the line
//! is written and ends when the decision was read from the socket: two programs woken, the journal written in between.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a tool that cannot go on ends")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use fairban_control::{Client, Request, Response, TailAnswer, TailKind, Tailed};

/// Longest wait for anything.
const LIMIT: Duration = Duration::from_secs(60);

/// Guesses that are written of each address: more than any needs.
const GUESSES: u32 = 6;

fn main() {
    let verdicts = std::env::args().nth(1).map_or(1_000, |text| text.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("mail.log");
    let mut service = Service::start(dir.path(), &log);
    let socket = dir.path().join("control.sock");
    let tailed = service.connect(&socket).tail(vec![TailKind::Ban]).unwrap();
    let (done, told) = channel();
    thread::spawn(move || done.send(read(tailed, verdicts)));
    let written = write(&log, verdicts);
    let told = told.recv_timeout(LIMIT).expect("a verdict on each address");
    print(&written, &told);
}

struct Service(Child);

impl Service {
    fn start(dir: &Path, log: &Path) -> Service {
        File::create(log).unwrap();
        let config = format!(
            "user = \"root\"\nstate_dir = \"{dir}/state\"\ntimezone = \"UTC\"\n[control]\nsocket = \
             \"{dir}/control.sock\"\n[[input]]\nfile = \"{log}\"\n",
            dir = dir.display(),
            log = log.display()
        );
        fs::write(dir.join("fairban.toml"), config).unwrap();
        // Examples are built into a folder beside the programs.
        let program = std::env::current_exe().unwrap().with_file_name("../fairban");
        let child = Command::new(program)
            .args(["run", "--config"])
            .arg(dir.join("fairban.toml"))
            .stdin(Stdio::null())
            .stderr(File::create(dir.join("said")).unwrap())
            .spawn()
            .unwrap();
        Service(child)
    }

    /// Waits until it follows the log.
    fn connect(&mut self, socket: &Path) -> Client {
        let end = Instant::now() + LIMIT;
        loop {
            if let Ok(mut client) = Client::connect(socket)
                && let Ok(Response::Status(status)) = client.ask(&Request::Status)
                && status.inputs.iter().any(|input| input.lag_bytes == Some(0))
            {
                return client;
            }
            assert!(Instant::now() < end && self.0.try_wait().unwrap().is_none(), "the service does not run");
            thread::yield_now();
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Writes the guesses of so many addresses; when each line was begun.
fn write(log: &Path, verdicts: u32) -> Vec<Instant> {
    let mut file = File::options().append(true).open(log).unwrap();
    let mut begun = Vec::new();
    for robot in 0..verdicts {
        for guess in 0..GUESSES {
            let stamp = jiff::Timestamp::now().strftime("%b %e %H:%M:%S").to_string();
            // Neighbours would become one ban of a prefix, and names alike are slips of one.
            let source = format!("{}.{}.7.9", 20 + robot / 200, robot % 200);
            let name = name(robot * GUESSES + guess);
            let line = format!(
                "{stamp} mx vpopmail[7]: vchkpw-pop3: vpopmail user not found {name}@d.example:{source}\n"
            );
            begun.push(Instant::now());
            file.write_all(line.as_bytes()).unwrap();
            // The service goes to sleep in between: that it wakes up belongs to what is measured.
            thread::sleep(Duration::from_micros(u64::from(1_500 + (robot * 7 + guess * 211) % 1_000)));
        }
    }
    begun
}

/// A name unlike all others.
fn name(number: u32) -> String {
    let mixed = u64::from(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..10).map(|letter| char::from(b'a' + (mixed >> (6 * letter)) as u8 % 26)).collect()
}

/// When the verdict on each line was there, by the number of the line.
fn read(mut tailed: Tailed, verdicts: u32) -> BTreeMap<usize, Instant> {
    let mut told = BTreeMap::new();
    while told.len() < verdicts as usize {
        let answer = tailed.next().unwrap().unwrap();
        let now = Instant::now();
        if let TailAnswer::Event(event) = answer {
            let place = event.input.unwrap();
            told.insert(place.as_str().rsplit_once(':').unwrap().1.parse().unwrap(), now);
        }
    }
    told
}

fn print(written: &[Instant], told: &BTreeMap<usize, Instant>) {
    // Lines count from 1.
    let mut took: Vec<Duration> = told.iter().map(|(line, told)| *told - written[line - 1]).collect();
    took.sort_unstable();
    let at = |percent: f64| took[((took.len() - 1) as f64 * percent / 100.0).round() as usize];
    println!(
        "{} verdicts of {} lines; from writing the line to reading the verdict: p50 {:?}, p90 {:?}, p99 {:?}, most {:?}",
        took.len(),
        written.len(),
        at(50.0),
        at(90.0),
        at(99.0),
        at(100.0)
    );
}
