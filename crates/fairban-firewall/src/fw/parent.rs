//! The parent, where no service manager starts `fairban-fw` again: it does nothing but that.
//!
//! The daemon gives up the right to start programs, and root with it, before it reads a byte of a log. So it starts a
//! parent while it still can, over a socket pair. The parent keeps the one right that `fairban-fw` needs, makes another
//! socket pair for each `fairban-fw` that it starts, and hands the daemon's end over its own. When a `fairban-fw` ends, by
//! whatever fault, the next takes over what is in the kernel and the daemon gets its socket.
//!
//! ```text
//! daemon ── socket pair ── parent             "here is the socket of number 7"; "replace number 7"
//!    └───── socket pair ────── fairban-fw     orders
//! ```
//!
//! Nothing outlives who it works for: the parent ends when the daemon's end of its socket is closed, and so does each
//! `fairban-fw`, also where the parent itself was killed.

use std::ffi::OsString;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use fairban_wall::{Calls, Capability, Wall};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
    recv, sendmsg, socketpair, sockopt,
};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::arguments::{Arguments, PARENT};
use super::process::{Error, identity};
use crate::client::BackOff;

/// A message begins with the number of the `fairban-fw` that it is about.
const NUMBER_LEN: usize = 4;

/// Who lived for so long ended by another fault than the one before it.
const LONG_LIFE: Duration = Duration::from_secs(60);

/// Runs until the other end of descriptor 0 is closed.
///
/// # Errors
/// Descriptor 0 is no such socket, or what surrounds us does not let us be a parent.
pub fn run_parent(arguments: &Arguments) -> Result<(), Error> {
    let daemon = rustix::stdio::stdin();
    let kind = sockopt::socket_type(daemon).map_err(|errno| Error::Channel(errno.to_string()))?;
    if kind != SocketType::SEQPACKET {
        return Err(Error::Channel("it is another kind of socket".to_owned()));
    }
    let wall = Wall {
        identity: identity(&arguments.user),
        keep: vec![Capability::NetAdmin],
        passed_on: true,
        execute: vec![PathBuf::from("/")],
        write: vec![PathBuf::from("/dev/null")],
        // What it starts closes narrower walls of its own.
        calls: Calls::Any,
        ..Wall::default()
    };
    wall.close()?;
    let born = Instant::now();
    let mut back_off = BackOff::default();
    for number in 1_u32.. {
        let begun = Instant::now();
        let ended = match start() {
            Ok((child, socket)) => {
                hand_over(daemon, number, &socket)?;
                live(daemon, number, child)?
            }
            Err(error) => Some(format!("fairban-fw cannot be started: {error}")),
        };
        let Some(ended) = ended else { return Ok(()) };
        say(daemon, number, &ended)?;
        if begun.elapsed() >= LONG_LIFE {
            back_off.succeeded();
        }
        back_off.failed(born.elapsed());
        if is_gone(daemon, back_off.pause())? {
            return Ok(());
        }
    }
    Ok(())
}

/// Starts one, with one end of a socket pair as its descriptor 0; the other end.
fn start() -> io::Result<(Child, OwnedFd)> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let words: Vec<OsString> = std::env::args_os().skip(1).filter(|word| word != PARENT).collect();
    // Ourselves, also when a new release has replaced the file.
    let child = Command::new("/proc/self/exe")
        .args(words)
        .env_clear()
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .spawn()?;
    Ok((child, ours))
}

fn hand_over(daemon: BorrowedFd<'_>, number: u32, socket: &OwnedFd) -> io::Result<()> {
    let sockets = [socket.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&sockets));
    match sendmsg(daemon, &[IoSlice::new(&number.to_le_bytes())], &mut control, SendFlags::NOSIGNAL) {
        // A daemon that is gone is noticed by who waits next.
        Ok(_) | Err(Errno::PIPE | Errno::CONNRESET) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// How one ended, for a person.
fn say(daemon: BorrowedFd<'_>, number: u32, text: &str) -> io::Result<()> {
    let bytes = [&number.to_le_bytes()[..], text.as_bytes()].concat();
    // A daemon that reads nothing may miss a sentence.
    match rustix::net::send(daemon, &bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
        Ok(_) | Err(Errno::PIPE | Errno::CONNRESET | Errno::AGAIN) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Waits for its end, and brings it about when the daemon asks for another; how it ended, or `None` when the daemon is
/// gone.
fn live(daemon: BorrowedFd<'_>, number: u32, mut child: Child) -> io::Result<Option<String>> {
    let life = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    loop {
        let mut fds = [PollFd::new(&life, PollFlags::IN), PollFd::from_borrowed_fd(daemon, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let [is_over, is_asked] = [0, 1].map(|index: usize| !fds[index].revents().is_empty());
        if is_asked {
            match asked(daemon)? {
                Asked::Gone => return Ok(None),
                Asked::Replace(asked) if asked == number => child.kill()?,
                Asked::Replace(_) | Asked::Nothing => {}
            }
        }
        if is_over {
            return Ok(Some(told(child.wait()?)));
        }
    }
}

fn told(status: ExitStatus) -> String {
    match status.code() {
        // Its other end was closed: whoever did that knows why.
        Some(0) => "fairban-fw begins again".to_owned(),
        _ => format!("fairban-fw ended by itself ({status}); its own words are in our log"),
    }
}

enum Asked {
    Replace(u32),
    Nothing,
    Gone,
}

fn asked(daemon: BorrowedFd<'_>) -> io::Result<Asked> {
    let mut bytes = [0; NUMBER_LEN + 1];
    match recv(daemon, &mut bytes, RecvFlags::DONTWAIT) {
        Ok((_, 0)) | Err(Errno::CONNRESET) => Ok(Asked::Gone),
        Ok((_, len)) => Ok(number(&bytes[..len.min(bytes.len())])
            .map_or(Asked::Nothing, |(number, _)| Asked::Replace(number))),
        Err(Errno::AGAIN | Errno::INTR) => Ok(Asked::Nothing),
        Err(errno) => Err(errno.into()),
    }
}

/// The number at the beginning of a message, and the rest.
pub(crate) fn number(message: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = message.split_first_chunk::<NUMBER_LEN>()?;
    Some((u32::from_le_bytes(*number), rest))
}

/// Waits for so long; whether the daemon is gone by then.
fn is_gone(daemon: BorrowedFd<'_>, pause: Duration) -> io::Result<bool> {
    let end = Instant::now() + pause;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::from_borrowed_fd(daemon, PollFlags::IN)], Some(&left)) {
            Ok(0) => return Ok(false),
            Ok(_) => {
                if matches!(asked(daemon)?, Asked::Gone) {
                    return Ok(true);
                }
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}
