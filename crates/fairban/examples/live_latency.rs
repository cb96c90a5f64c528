//! How long from a line of a log to its verdict, as `scripts/bench live` prints it: starts the service that was built beside
//! this, writes a log, and waits at the control socket.
//!
//! `live_latency [VERDICTS]`

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a tool that cannot go on ends")]

#[path = "../tests/live/latency.rs"]
mod latency;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use fairban_control::{Client, Request, Response};

/// Longest wait for anything.
const LIMIT: Duration = Duration::from_secs(60);

fn main() {
    let verdicts = std::env::args().nth(1).map_or(1_000, |text| text.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("mail.log");
    let mut service = Service::start(dir.path(), &log);
    let client = service.connect(&dir.path().join("control.sock"));
    println!("  {}", latency::measure(client, &log, verdicts, LIMIT));
}

struct Service(Child);

impl Service {
    fn start(dir: &Path, log: &Path) -> Service {
        File::create(log).unwrap();
        let (shown, log) = (dir.display(), log.display());
        let config = format!(
            "user = \"root\"\nstate_dir = \"{shown}/state\"\ntimezone = \"UTC\"\n\
             [control]\nsocket = \"{shown}/control.sock\"\n[[input]]\nfile = \"{log}\"\n"
        );
        fs::write(dir.join("fairban.toml"), config).unwrap();
        // Examples are built into a folder beside the programs.
        let program = std::env::current_exe().unwrap().with_file_name("../fairban");
        let mut command = Command::new(program);
        command.args(["run", "--config"]).arg(dir.join("fairban.toml"));
        let said = File::create(dir.join("said")).unwrap();
        Service(command.stdin(Stdio::null()).stderr(said).spawn().unwrap())
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
