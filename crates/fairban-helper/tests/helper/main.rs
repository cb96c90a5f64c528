//! The real program behind its real wall, driven as the daemon drives it.
//!
//! Nothing here sleeps: a test waits for the message that must come, with a limit.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod journal;
mod network;
mod workers;

use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fairban_helper::config::{Listener, Transport};
use fairban_helper::protocol::Ready;
use fairban_helper::{Config, Gone, Helper, Launch, Message};
use fairban_wall::Identity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Longest wait for a message; far more than any needs.
const LIMIT: Duration = Duration::from_secs(30);

struct Driver {
    helper: Helper,
    /// Lines that came, of all jobs.
    lines: Vec<String>,
    pid: u32,
}

impl Driver {
    fn start(config: Config) -> Self {
        Self::start_with(Path::new("/usr/bin/journalctl"), config)
    }

    fn start_with(journalctl: &Path, config: Config) -> Self {
        Self::launch(journalctl, None, config)
    }

    fn start_as(uid: u32, config: Config) -> Self {
        let identity = Identity { uid, gid: uid, groups: Vec::new() };
        Self::launch(Path::new("/usr/bin/journalctl"), Some(identity), config)
    }

    fn launch(journalctl: &Path, identity: Option<Identity>, config: Config) -> Self {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_fairban-helper"));
        let launch = Launch { program, journalctl: journalctl.to_owned(), identity };
        Self { helper: Helper::start(&launch, config).unwrap(), lines: Vec::new(), pid: 0 }
    }

    /// The next message.
    #[track_caller]
    fn next(&mut self) -> Result<Message, Gone> {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(message) = self.helper.recv()? {
                match &message {
                    Message::Hello { pid, .. } => self.pid = *pid,
                    Message::Batch(batch) => {
                        let text = |line: &Vec<u8>| String::from_utf8_lossy(line).into_owned();
                        self.lines.extend(batch.lines.iter().map(text));
                    }
                    _ => {}
                }
                return Ok(message);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "nothing came; so far {:?} and {:?}", self.lines, self.helper.status());
            let limit = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
            let mut readable = [PollFd::from_borrowed_fd(self.helper.as_fd(), PollFlags::IN)];
            poll(&mut readable, Some(&limit)).unwrap();
        }
    }

    /// Reads on until `done`.
    #[track_caller]
    fn until(&mut self, mut done: impl FnMut(&Self, &Message) -> bool) {
        loop {
            let message = self.next().unwrap();
            if done(self, &message) {
                return;
            }
        }
    }

    #[track_caller]
    fn until_ready(&mut self) -> Ready {
        self.until(|_, message| matches!(message, Message::Ready(_)));
        self.helper.status().ready.clone().unwrap()
    }

    #[track_caller]
    fn until_lines(&mut self, count: usize) {
        self.until(|driver, _| driver.lines.len() >= count);
    }

    #[track_caller]
    fn until_said(&mut self, part: &str) {
        self.until(|_, message| matches!(message, Message::Said { text, .. } if text.contains(part)));
    }
}

/// For this machine alone.
fn listener(transport: Transport, address: &str) -> Listener {
    Listener { transport, address: address.parse().unwrap(), from: Vec::new() }
}

/// Where `ready` listens.
fn address(ready: &Ready, transport: Transport) -> SocketAddr {
    ready.listening.iter().find(|(of, _)| *of == transport).unwrap().1
}
