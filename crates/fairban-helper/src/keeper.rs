//! The program: a keeper that starts workers, and the worker.
//!
//! The keeper reads nothing from anywhere: there is nothing that it could be talked into.

use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus};
use std::time::{Duration, Instant};

use fairban_wall::Identity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::backoff::Backoff;
use crate::channel::Channel;
use crate::sandbox;
use crate::worker;

/// How a worker ends when it ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It was told to: the next begins at once.
    Left,
    /// The other end of the socket pair is closed: the keeper ends too.
    DaemonGone,
    /// Something failed: the next begins after a while.
    Failed,
}

impl Ending {
    pub(crate) fn code(self) -> i32 {
        match self {
            Self::Left => 0,
            Self::DaemonGone => 3,
            Self::Failed => 4,
        }
    }

    /// `None` for an end that was not the worker's own choice.
    fn of(status: ExitStatus) -> Option<Self> {
        [Self::Left, Self::DaemonGone, Self::Failed]
            .into_iter()
            .find(|ending| status.code() == Some(ending.code()))
    }
}

/// The command line, which only fairban writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) journalctl: PathBuf,
    pub(crate) identity: Option<Identity>,
    /// The number of the worker to be; none for the keeper.
    pub(crate) worker: Option<u32>,
    pub(crate) after: Option<String>,
}

impl Arguments {
    /// Reads `--journalctl PATH --user UID:GID:GROUP,… --worker N --after TEXT`, each at most once.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Option<Self> {
        let mut parsed = Self { journalctl: PathBuf::from("/usr/bin/journalctl"), ..Self::default() };
        let mut arguments = arguments.into_iter();
        while let Some(name) = arguments.next() {
            let value = arguments.next()?;
            match name.as_str() {
                "--journalctl" => parsed.journalctl = PathBuf::from(value),
                "--user" => parsed.identity = Some(identity(&value)?),
                "--worker" => parsed.worker = Some(value.parse().ok()?),
                "--after" => parsed.after = Some(value),
                _ => return None,
            }
        }
        parsed.journalctl.is_absolute().then_some(parsed)
    }

    /// The arguments that [`parse`](Self::parse) reads; of a keeper.
    pub(crate) fn to_list(&self) -> Vec<String> {
        let mut list = vec!["--journalctl".to_owned(), self.journalctl.display().to_string()];
        if let Some(Identity { uid, gid, groups }) = &self.identity {
            let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
            list.extend(["--user".to_owned(), format!("{uid}:{gid}:{}", groups.join(","))]);
        }
        list
    }
}

fn identity(text: &str) -> Option<Identity> {
    let mut parts = text.splitn(3, ':');
    let (uid, gid, groups) = (parts.next()?, parts.next()?, parts.next()?);
    let groups: Result<Vec<u32>, _> =
        groups.split(',').filter(|group| !group.is_empty()).map(str::parse).collect();
    Some(Identity { uid: uid.parse().ok()?, gid: gid.parse().ok()?, groups: groups.ok()? })
}

/// Runs `fairban-helper` with the process's arguments and its descriptor 0.
#[must_use]
pub fn run() -> ExitCode {
    let Some(arguments) = Arguments::parse(std::env::args().skip(1)) else {
        tell(
            "fairban-helper is started by fairban, with a socket as its standard input; see fairban-helper(8)",
        );
        return ExitCode::from(2);
    };
    let socket = match std::io::stdin().as_fd().try_clone_to_owned() {
        Ok(socket)
            if rustix::net::sockopt::socket_type(&socket) == Ok(rustix::net::SocketType::SEQPACKET) =>
        {
            socket
        }
        _ => {
            tell("fairban-helper is started by fairban, with a socket as its standard input");
            return ExitCode::from(2);
        }
    };
    match arguments.worker {
        Some(number) => {
            let after = arguments.after.clone();
            let ending = worker::work(number, after, &arguments.journalctl, &Channel::new(socket));
            ExitCode::from(ending.code() as u8)
        }
        None => keep(arguments, &socket),
    }
}

/// To whoever started us; nobody may be there.
fn tell(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(io::stderr(), "{text}");
}

/// Starts worker after worker until the daemon has gone.
fn keep(mut arguments: Arguments, socket: &std::os::fd::OwnedFd) -> ExitCode {
    if let Err(error) = sandbox::of_keeper(arguments.identity.take()).close() {
        tell(&format!("fairban-helper: {error}"));
        return ExitCode::from(69);
    }
    let mut backoff = Backoff::default();
    let mut after = None;
    for number in 1.. {
        let begun = Instant::now();
        let ended = start(&arguments, number, after.take());
        let ending = ended.as_ref().ok().copied().and_then(Ending::of);
        if ending == Some(Ending::DaemonGone) {
            break;
        }
        let mut wait = Duration::ZERO;
        if ending != Some(Ending::Left) {
            after = Some(told(&ended));
            wait = backoff.ended(begun.elapsed());
        }
        if is_daemon_gone(socket, wait) {
            break;
        }
    }
    ExitCode::SUCCESS
}

/// One life of a worker.
fn start(arguments: &Arguments, number: u32, after: Option<String>) -> io::Result<ExitStatus> {
    // Ourselves, also when a new release has replaced the file.
    let mut command = Command::new("/proc/self/exe");
    command.args(arguments.to_list()).args(["--worker", &number.to_string()]);
    if let Some(after) = after {
        command.args(["--after", &after]);
    }
    command.status()
}

fn told(ended: &io::Result<ExitStatus>) -> String {
    match ended {
        Ok(status) => match status.signal() {
            Some(signal) => format!("it was killed by signal {signal}"),
            None => format!("it ended with {status}"),
        },
        Err(error) => format!("it could not be started: {error}"),
    }
}

/// Waits for `wait`, or until the daemon has closed its end.
fn is_daemon_gone(socket: &std::os::fd::OwnedFd, wait: Duration) -> bool {
    let deadline = Instant::now() + wait;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        // Nothing but its end is waited for: packets are the next worker's.
        let mut end = [PollFd::new(socket, PollFlags::empty())];
        match poll(&mut end, Some(&limit)) {
            Ok(0) => return false,
            Err(rustix::io::Errno::INTR) => {}
            Ok(_) | Err(_) => return true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_what_fairban_writes() {
        let arguments = Arguments {
            journalctl: PathBuf::from("/usr/bin/journalctl"),
            identity: Some(Identity { uid: 7, gid: 8, groups: vec![4, 101] }),
            ..Arguments::default()
        };
        assert_eq!(Arguments::parse(arguments.to_list()), Some(arguments.clone()));
        let alone = Arguments { identity: Some(Identity { uid: 7, gid: 8, groups: vec![] }), ..arguments };
        assert_eq!(Arguments::parse(alone.to_list()), Some(alone));
        let worker = Arguments::parse(["--worker", "3", "--after", "x y"].map(str::to_owned)).unwrap();
        assert_eq!((worker.worker, worker.after.as_deref()), (Some(3), Some("x y")));
    }

    #[test]
    fn other_command_lines_are_refused() {
        for bad in [
            &["--help"][..],
            &["--worker", "x"],
            &["--user", "0"],
            &["--user", "a:b:"],
            &["--user", "1:2:x"],
            &["--journalctl", "journalctl"],
            &["x", "y"],
        ] {
            assert_eq!(Arguments::parse(bad.iter().map(|word| (*word).to_owned())), None, "{bad:?}");
        }
    }
}
