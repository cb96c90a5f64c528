//! How long from a line of a log to its verdict.
//!
//! A log is written as a login server does, a line at a time. Each verdict is the ban of another address. The clock starts
//! before the line is written and stops when the decision was read from the control socket: the service was woken, has
//! read, written its journal and judged, and whoever watches was woken.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use fairban_control::{Client, TailAnswer, TailKind, Tailed};

/// Guesses that are written of each address: more than any needs.
const GUESSES: u32 = 6;

/// What was measured.
pub(crate) struct Figures {
    lines: usize,
    /// Of each verdict, the shortest first.
    took: Vec<Duration>,
}

/// Writes the guesses of so many addresses to a log that the service follows.
///
/// # Panics
/// A verdict does not come within `limit`.
pub(crate) fn measure(client: Client, log: &Path, verdicts: u32, limit: Duration) -> Figures {
    let tailed = client.tail(vec![TailKind::Ban]).expect("it tells");
    let (done, told) = channel();
    thread::spawn(move || done.send(read(tailed, verdicts)));
    let written = write(log, verdicts);
    let told = told.recv_timeout(limit).expect("a verdict on each address within the limit");
    // Lines count from 1.
    let mut took: Vec<Duration> = told.iter().map(|(line, told)| *told - written[line - 1]).collect();
    took.sort_unstable();
    Figures { lines: written.len(), took }
}

/// When each line was begun.
fn write(log: &Path, verdicts: u32) -> Vec<Instant> {
    let mut file = File::options().append(true).open(log).expect("a log");
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
            file.write_all(line.as_bytes()).expect("a log");
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
        let answer = tailed.next().expect("it tells").expect("it tells");
        let now = Instant::now();
        if let TailAnswer::Event(event) = answer {
            let place = event.input.expect("a line led to it");
            let line = place.as_str().rsplit_once(':').and_then(|(_, line)| line.parse().ok());
            told.insert(line.expect("file:line"), now);
        }
    }
    told
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |percent: usize| self.took[(self.took.len() - 1) * percent / 100];
        write!(
            f,
            "{} verdicts on {} lines; from writing the line to reading the verdict: ",
            self.took.len(),
            self.lines
        )?;
        write!(f, "p50 {:.1?}, p90 {:.1?}, p99 {:.1?}, most {:.1?}", at(50), at(90), at(99), at(100))
    }
}
