//! Lines that come once and cannot be read again: pipes, standard input, sockets.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;

use memchr::memchr;
use rustix::io::Errno;
use rustix::net::RecvFlags;

use crate::happening::{Chunk, Happening, InputError, InputStatus, Loss, State, What, WhyPolling};
use crate::log::Context;
use crate::piece::{Step, measure, open_file};
use crate::position::{FileId, Mark, Position};
use crate::source::{InputId, InputKey, InputKind};
use crate::watch::watch_path;

/// Most descriptors of one stream that wait for the one before them to end.
const WAITING_MAX: usize = 4;

/// What a line feed within a datagram becomes, as syslog daemons write it: one datagram is one line.
const ESCAPED_LINE_FEED: &[u8] = b"#012";

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Stream {
    pub(crate) id: InputId,
    pub(crate) key: InputKey,
    name: Arc<Path>,
    /// The first is read; the others took its place.
    fds: VecDeque<OwnedFd>,
    /// Of the pipe or socket at the path.
    at_path: Option<FileId>,
    /// The path must be looked at.
    pub(crate) look: bool,
    /// A read would bring something.
    pub(crate) ready: bool,
    /// A line that has no end yet.
    carry: Vec<u8>,
    /// How much came already of a line that is too long.
    long_bytes: u64,
    mark: Mark,
    news: VecDeque<What>,
    unreadable: Option<String>,
    is_missing: bool,
    pub(crate) polling: Option<WhyPolling>,
    caught_up: bool,
    too_long: u64,
    lost_bytes: u64,
    losses: u64,
}

impl Stream {
    /// `fd`: what is read, for standard input and streams; the others are opened by their path.
    pub(crate) fn new(id: InputId, key: InputKey, fd: Option<OwnedFd>) -> Stream {
        Stream {
            id,
            name: Arc::from(key.path()),
            look: has_path(key.kind()),
            key,
            fds: fd.into_iter().collect(),
            at_path: None,
            ready: false,
            carry: Vec::new(),
            long_bytes: 0,
            mark: Mark::default(),
            news: VecDeque::new(),
            unreadable: None,
            is_missing: false,
            polling: None,
            caught_up: false,
            too_long: 0,
            lost_bytes: 0,
            losses: 0,
        }
    }

    /// Another descriptor for the same stream: read when those before it have ended.
    pub(crate) fn add(&mut self, fd: OwnedFd) {
        let same = |other: &OwnedFd| {
            let ids = (rustix::fs::fstat(other), rustix::fs::fstat(&fd));
            matches!(ids, (Ok(a), Ok(b)) if (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
        };
        if self.fds.len() < WAITING_MAX && !self.fds.iter().any(same) {
            self.fds.push_back(fd);
        }
    }

    pub(crate) fn has_path(&self) -> bool {
        has_path(self.key.kind())
    }

    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fds.front().map(|fd| fd.as_fd())
    }

    fn say(&mut self, what: What) {
        if let What::Lost { bytes, .. } = &what {
            self.losses += 1;
            self.lost_bytes += bytes.unwrap_or(0);
        }
        self.news.push_back(what);
    }

    pub(crate) fn turn(&mut self, context: &mut Context<'_>) -> Option<Happening> {
        loop {
            if let Some(what) = self.news.pop_front() {
                return Some(Happening { input: self.id, name: Arc::clone(&self.name), what });
            }
            if self.look {
                self.look = false;
                self.look_at_path(context);
            } else if self.ready {
                self.ready = false;
                self.read(context);
            } else if self.caught_up {
                return None;
            } else {
                self.caught_up = true;
                self.say(What::CaughtUp);
            }
        }
    }

    fn look_at_path(&mut self, context: &mut Context<'_>) {
        let (_, polling) = watch_path(&self.name, self.id, context);
        if polling != self.polling {
            self.polling = polling;
            if let Some(why) = self.polling.clone() {
                self.say(What::Polling(why));
            }
        }
        let opened = match self.key.kind() {
            InputKind::Datagram => self.bind(),
            _ => self.open_pipe(),
        };
        match opened {
            Ok(missing) => {
                self.unreadable = None;
                if missing && !self.is_missing {
                    self.say(What::Missing);
                } else if !missing && self.is_missing {
                    self.say(What::Appeared);
                }
                self.is_missing = missing;
            }
            Err(error) => {
                let text = error.to_string();
                if self.unreadable.as_ref() != Some(&text) {
                    self.unreadable = Some(text);
                    self.say(What::Unreadable(error));
                }
            }
        }
    }

    /// Returns whether there is none.
    fn open_pipe(&mut self) -> Result<bool, InputError> {
        let io = |error| InputError::of(&self.name, error);
        let metadata = match fs::metadata(&self.name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.at_path = None;
                return Ok(true);
            }
            other => other.map_err(io)?,
        };
        if !metadata.file_type().is_fifo() {
            let (found, remedy) = ("not a named pipe", "make one (mkfifo), or give it as a file");
            return Err(InputError::Kind { path: self.name.to_path_buf(), found, remedy });
        }
        if self.at_path != Some(FileId::of(&metadata)) {
            let file = open_file(&self.name).map_err(io)?;
            self.at_path = Some(FileId::of(&metadata));
            self.fds.push_back(OwnedFd::from(file));
            // Were the one before it idle, nothing would tell us that it is over.
            self.ready = true;
        }
        Ok(false)
    }

    /// Makes the socket, or makes it again if somebody removed it. Returns whether its folder is missing.
    fn bind(&mut self) -> Result<bool, InputError> {
        let path = &*self.name;
        let io = |error| InputError::of(path, error);
        if let Ok(metadata) = fs::symlink_metadata(path) {
            if self.at_path == Some(FileId::of(&metadata)) {
                return Ok(false);
            }
            if !metadata.file_type().is_socket() {
                let (found, remedy) = ("no socket", "remove it or name another path");
                return Err(InputError::Kind { path: path.to_owned(), found, remedy });
            }
            let probe = UnixDatagram::unbound().map_err(io)?;
            if probe.connect(path).is_ok() {
                return Err(InputError::SocketInUse { path: path.to_owned() });
            }
            // Nobody listens: its program has ended without removing it.
            fs::remove_file(path).map_err(io)?;
        }
        let socket = match UnixDatagram::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            other => other.map_err(io)?,
        };
        // Whoever may log may write, as to any syslog.
        fs::set_permissions(path, fs::Permissions::from_mode(0o666)).map_err(io)?;
        let metadata = fs::symlink_metadata(path).map_err(io)?;
        self.at_path = Some(FileId::of(&metadata));
        self.fds = VecDeque::from([OwnedFd::from(socket)]);
        Ok(false)
    }

    fn read(&mut self, context: &mut Context<'_>) {
        if self.key.kind() == InputKind::Datagram {
            return self.receive(context);
        }
        let had = self.carry.len();
        // The scratch has room for two lines.
        context.scratch[..had].copy_from_slice(&self.carry);
        let Some(fd) = self.fds.front() else { return };
        match rustix::io::read(fd, &mut context.scratch[had..]) {
            Ok(0) => self.ended(),
            Ok(read) => self.split(&context.scratch[..had + read], context.options.line_bytes_max),
            Err(Errno::AGAIN) if self.fds.len() > 1 => self.ended(),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => {
                self.say(What::Unreadable(InputError::of(&self.name.clone(), error.into())));
                self.ended();
            }
        }
    }

    /// `bytes` begin with what was carried over.
    fn split(&mut self, mut bytes: &[u8], line_bytes_max: usize) {
        loop {
            if self.long_bytes > 0 {
                let Some(end) = memchr(b'\n', bytes) else {
                    self.long_bytes += bytes.len() as u64;
                    bytes = &[];
                    break;
                };
                let length = std::mem::take(&mut self.long_bytes) + end as u64 + 1;
                self.say_too_long(length);
                bytes = &bytes[end + 1..];
                continue;
            }
            match measure(bytes, line_bytes_max) {
                Step::Lines { bytes: taken, lines } => {
                    self.say_lines(bytes[..taken].to_vec(), lines);
                    bytes = &bytes[taken..];
                }
                Step::LongWhole(taken) => {
                    self.say_too_long(taken as u64);
                    bytes = &bytes[taken..];
                }
                Step::Long(taken) => {
                    self.long_bytes = taken as u64;
                    bytes = &bytes[taken..];
                }
                // `measure` says nothing else of a stream.
                Step::End | Step::Zeros(_) | Step::LongEnd(_) => break,
            }
        }
        self.carry = bytes.to_vec();
    }

    fn say_lines(&mut self, bytes: Vec<u8>, lines: u64) {
        let first_line = self.mark.lines + 1;
        self.mark.lines += lines;
        self.mark.offset += bytes.len() as u64;
        self.say(What::Lines(Chunk { bytes, first_line, end: self.position(), mark: 0 }));
    }

    fn say_too_long(&mut self, bytes: u64) {
        self.too_long += 1;
        self.mark.lines += 1;
        self.mark.offset += bytes;
        self.say(What::TooLong { bytes, line: self.mark.lines, end: self.position() });
    }

    /// The writer went.
    fn ended(&mut self) {
        let unfinished_bytes = self.carry.len() as u64 + std::mem::take(&mut self.long_bytes);
        self.carry = Vec::new();
        if unfinished_bytes > 0 {
            self.say(What::Lost { bytes: Some(unfinished_bytes), why: Loss::Unfinished });
        }
        // Opened again before it is closed: so that a writer that comes in between finds a reader.
        let again = match self.key.kind() {
            InputKind::Pipe if self.fds.len() == 1 && self.at_path.is_some() => open_file(&self.name).ok(),
            _ => None,
        };
        if let Some(file) = again {
            self.fds.push_back(OwnedFd::from(file));
        } else if self.key.kind() == InputKind::Pipe && self.fds.len() == 1 {
            self.at_path = None;
            self.look = true;
        }
        self.fds.pop_front();
        if self.fds.is_empty() && !has_path(self.key.kind()) {
            self.say(What::Ended);
        }
    }

    fn receive(&mut self, context: &mut Context<'_>) {
        let line_bytes_max = context.options.line_bytes_max;
        let (mut lines, mut count) = (Vec::new(), 0);
        while lines.len() + line_bytes_max < context.options.chunk_bytes_max.max(line_bytes_max + 1) {
            let Some(fd) = self.fds.front() else { break };
            let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
            let length = match rustix::net::recv(fd, &mut *context.scratch, flags) {
                Ok((_, length)) => length,
                Err(Errno::INTR) => continue,
                Err(_) => break,
            };
            let room = context.scratch.len();
            let datagram = trimmed(&context.scratch[..length.min(room)]);
            if datagram.is_empty() {
                continue;
            }
            let before = lines.len();
            let feeds = memchr::memchr_iter(b'\n', datagram).count();
            let escaped = datagram.len() + feeds * (ESCAPED_LINE_FEED.len() - 1);
            if length > room || escaped > line_bytes_max {
                if before > 0 {
                    self.say_lines(std::mem::take(&mut lines), std::mem::take(&mut count));
                }
                self.say_too_long(length as u64);
                continue;
            }
            for &byte in datagram {
                match byte {
                    b'\n' => lines.extend_from_slice(ESCAPED_LINE_FEED),
                    _ => lines.push(byte),
                }
            }
            lines.push(b'\n');
            count += 1;
        }
        if count > 0 {
            self.say_lines(lines, count);
        }
    }

    fn position(&self) -> Position {
        Position::new(vec![self.mark.clone()])
    }

    pub(crate) fn status(&self) -> InputStatus {
        let state = match &self.unreadable {
            Some(error) => State::Unreadable(error.clone()),
            None if self.is_missing => State::Missing,
            None if self.fds.is_empty() && !has_path(self.key.kind()) => State::Ended,
            None if self.caught_up => State::Following,
            None => State::CatchingUp,
        };
        InputStatus {
            id: self.id,
            key: self.key.clone(),
            name: Arc::clone(&self.name),
            state,
            lag_bytes: 0,
            position: Some(self.position()),
            polling: self.polling.clone(),
            lines: self.mark.lines - self.too_long,
            bytes: self.mark.offset,
            too_long: self.too_long,
            lost_bytes: self.lost_bytes,
            losses: self.losses,
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Our socket, if it is still ours.
        let ours = self.key.kind() == InputKind::Datagram
            && fs::symlink_metadata(&self.name)
                .is_ok_and(|metadata| Some(FileId::of(&metadata)) == self.at_path);
        if ours {
            let _ = fs::remove_file(&self.name);
        }
    }
}

fn has_path(kind: InputKind) -> bool {
    matches!(kind, InputKind::Pipe | InputKind::Datagram)
}

/// Without what senders put at a record's end.
fn trimmed(record: &[u8]) -> &[u8] {
    let end = record.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r' | 0)).map_or(0, |last| last + 1);
    &record[..end]
}
