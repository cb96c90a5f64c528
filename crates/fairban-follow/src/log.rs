//! A log: the file at a path, and those that were there before it, read one after the other.
//!
//! What is open is a row of *pieces*, oldest first. The last is the file at the path, unless that is missing; the others
//! were rotated away and linger, for their writer may not have noticed yet. When another file is at the path, the row
//! grows by whatever comes after its last piece: see `chain`.

use std::collections::VecDeque;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::family::{CURRENT, Family};
use crate::happening::{Chunk, Happening, InputError, InputStatus, Loss, State, What, WhyPolling};
use crate::piece::{Linger, Piece, Step, open_file};
use crate::position::{FileId, Mark, Position};
use crate::source::{InputId, InputKey, Options, Start};
use crate::watch::{Change, Owner, Watches, watch_path, why_unwatched};

/// The file is gone on its server.
const STALE: i32 = rustix::io::Errno::STALE.raw_os_error();

/// Most files of one log that are open at once. Of those that come after, the names are enough.
pub(crate) const PIECES_MAX: usize = 8;

/// Most files of one log, rotated away and read to their ends, that are kept open for late writers.
const LINGERING_MAX: usize = 4;

/// What an input needs of its follower.
pub(crate) struct Context<'a> {
    pub(crate) watches: Option<&'a mut Watches>,
    pub(crate) scratch: &'a mut [u8],
    pub(crate) options: &'a Options,
    pub(crate) now: Duration,
}

/// Where reading begins.
#[derive(Clone, Debug)]
pub(crate) enum Begin {
    Fresh(Start),
    Stored(Position),
}

/// What is at the path.
pub(crate) enum Live {
    Missing,
    File(File, Metadata),
    /// Something that cannot be read; it has been said.
    Failed,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about one file")]
pub(crate) struct Log {
    pub(crate) id: InputId,
    pub(crate) key: InputKey,
    pub(crate) name: Arc<Path>,
    /// The file that is written to.
    pub(crate) path: PathBuf,
    /// The same without links, as far as known.
    pub(crate) real: PathBuf,
    /// `None` once it was used.
    pub(crate) begin: Option<Begin>,
    pub(crate) pieces: VecDeque<Piece>,
    /// The file before the first piece, read to its end; `None` if there was none.
    pub(crate) past: Option<Mark>,
    /// The last piece is the file at the path.
    pub(crate) front: bool,
    /// More files are known to follow than are open.
    pub(crate) behind: bool,
    /// Rotated files that cannot be read, or held nothing, with the time of their last change.
    pub(crate) passed: Vec<(FileId, i64)>,
    /// A file was at the path since following began.
    had_front: bool,
    pub(crate) news: VecDeque<What>,
    /// The path must be looked at.
    pub(crate) look: bool,
    arrivals: u32,
    is_missing: bool,
    told_missing: bool,
    unreadable: Option<String>,
    retry_at: Option<Duration>,
    pub(crate) polling: Option<WhyPolling>,
    caught_up: bool,
    serial: u64,
    lines: u64,
    bytes: u64,
    too_long: u64,
    lost_bytes: u64,
    losses: u64,
}

impl Log {
    /// `multilog`: `key` names a folder.
    pub(crate) fn new(id: InputId, key: InputKey, begin: Begin, multilog: bool) -> Log {
        let name: Arc<Path> = Arc::from(key.path());
        let path = if multilog { name.join(CURRENT) } else { name.to_path_buf() };
        Log {
            id,
            key,
            name,
            real: path.clone(),
            path,
            begin: Some(begin),
            pieces: VecDeque::new(),
            past: None,
            front: false,
            behind: false,
            passed: Vec::new(),
            had_front: false,
            news: VecDeque::new(),
            look: true,
            arrivals: 0,
            is_missing: false,
            told_missing: false,
            unreadable: None,
            retry_at: None,
            polling: None,
            caught_up: false,
            serial: 0,
            lines: 0,
            bytes: 0,
            too_long: 0,
            lost_bytes: 0,
            losses: 0,
        }
    }

    /// The sets that rotated files of this log are in.
    pub(crate) fn families(&self) -> Vec<Family> {
        if self.path.as_path() != &*self.name {
            return vec![Family::of_multilog(&self.name)];
        }
        let mut families = vec![Family::of_file(&self.path), Family::of_file(&self.real)];
        families.dedup();
        families
    }

    pub(crate) fn say(&mut self, what: What) {
        if let What::Lost { bytes, .. } = &what {
            self.losses += 1;
            self.lost_bytes += bytes.unwrap_or(0);
        }
        self.news.push_back(what);
    }

    /// The kernel tells of a change in a folder on the way.
    pub(crate) fn on_path(&mut self, change: Change) {
        self.look = true;
        self.arrivals += u32::from(change.arrived);
    }

    /// The kernel tells of a change of one of the files.
    pub(crate) fn on_file(&mut self, serial: u64, change: Change, now: Duration) {
        let Some(piece) = self.pieces.iter_mut().find(|piece| piece.serial == serial) else { return };
        piece.dirty |= change.written || change.closed;
        if let Some(linger) = &mut piece.linger {
            linger.quiet_since = now;
            linger.closed = (linger.closed && !change.written) || change.closed;
        }
        if !(change.written || change.closed) {
            // Renamed, removed, or its mode changed.
            self.look = true;
        }
    }

    /// Anything may have changed.
    pub(crate) fn on_anything(&mut self) {
        self.look = true;
        // Whether files came and went is not known any more.
        self.arrivals = 0;
        self.pieces.iter_mut().for_each(|piece| piece.dirty = true);
    }

    /// What happened next, if anything.
    pub(crate) fn turn(&mut self, context: &mut Context<'_>) -> Option<Happening> {
        loop {
            if let Some(what) = self.news.pop_front() {
                return Some(Happening { input: self.id, name: Arc::clone(&self.name), what });
            }
            if self.retry_at.is_some_and(|at| at <= context.now) {
                self.retry_at = None;
                self.on_anything();
            }
            if self.look {
                self.look_at_path(context);
                continue;
            }
            if self.read(context) || self.let_go(context) {
                continue;
            }
            if !self.caught_up {
                self.caught_up = true;
                self.say(What::CaughtUp);
                continue;
            }
            return None;
        }
    }

    /// When [`Log::turn`] should be called although nothing changed.
    pub(crate) fn deadline(&self, options: &Options) -> Option<Duration> {
        // The oldest goes first.
        let oldest = self.pieces.front().and_then(|piece| piece.linger);
        oldest.map(|linger| expiry(linger, options)).into_iter().chain(self.retry_at).min()
    }

    pub(crate) fn look_at_path(&mut self, context: &mut Context<'_>) {
        self.look = false;
        self.retrace(context);
        if self.begin.is_some() && !self.begin(context) {
            return;
        }
        let arrivals = std::mem::take(&mut self.arrivals);
        let (attached, returned) = self.extend(context);
        if !self.behind && arrivals > attached + u32::from(returned) {
            self.say(What::Lost { bytes: None, why: Loss::Vanished });
        }
        self.last_piece_without_a_name(context.now);
    }

    /// A file that was removed and not replaced lingers like one that was rotated: it holds disk space.
    fn last_piece_without_a_name(&mut self, now: Duration) {
        let missing = self.is_missing;
        let Some(last) = self.pieces.back_mut().filter(|_| missing) else { return };
        if last.linger.is_none() && last.is_unlinked() {
            last.linger = Some(Linger { quiet_since: now, closed: false });
        }
    }

    fn retrace(&mut self, context: &mut Context<'_>) {
        let (real, polling) = watch_path(&self.path, self.id, context);
        self.real = real;
        self.set_polling(polling);
    }

    fn set_polling(&mut self, polling: Option<WhyPolling>) {
        if self.polling != polling {
            self.polling = polling;
            if let Some(why) = self.polling.clone() {
                self.say(What::Polling(why));
            }
        }
    }

    /// Opens what is at the path, and says so if that cannot be.
    pub(crate) fn open_live(&mut self, context: &Context<'_>) -> Live {
        let opened = open_regular(&self.path);
        self.is_missing = matches!(opened, Ok(None));
        let unlinked = self.pieces.back().is_none_or(Piece::is_unlinked);
        if self.is_missing && unlinked && !self.told_missing {
            self.told_missing = true;
            self.say(What::Missing);
        }
        match opened {
            Err(error) => {
                if !matches!(error, InputError::Denied { .. }) {
                    self.retry_at = Some(context.now + context.options.poll_every);
                }
                self.say_unreadable(error);
                Live::Failed
            }
            Ok(found) => {
                self.unreadable = None;
                found.map_or(Live::Missing, |(file, metadata)| Live::File(file, metadata))
            }
        }
    }

    fn say_unreadable(&mut self, error: InputError) {
        let text = error.to_string();
        if self.unreadable.as_ref() != Some(&text) {
            self.say(What::Unreadable(error));
            self.unreadable = Some(text);
        }
    }

    /// Puts a file into the row. `place` is its index.
    pub(crate) fn attach(&mut self, mut piece: Piece, path: &Path, place: usize, context: &mut Context<'_>) {
        self.serial += 1;
        piece.serial = self.serial;
        piece.dirty = true;
        let owner = Owner::File(self.id, piece.serial);
        let watched = match (context.watches.as_deref_mut(), piece.file()) {
            (Some(watches), Some(file)) => watches.add_file(owner, file, path),
            _ => Ok(()),
        };
        if let Err(error) = watched {
            self.set_polling(Some(why_unwatched(path.to_owned(), &error)));
        }
        self.pieces.insert(place, piece);
        let last = self.pieces.len() - 1;
        for older in self.pieces.iter_mut().take(last) {
            older.linger.get_or_insert(Linger { quiet_since: context.now, closed: false });
        }
    }

    /// The last piece is now the file at the path; `is_new`: it was not in the row before.
    pub(crate) fn front_arrived(&mut self, is_new: bool) {
        self.front = true;
        if let Some(last) = self.pieces.back_mut() {
            last.linger = None;
        }
        let had_front = std::mem::replace(&mut self.had_front, true);
        if std::mem::take(&mut self.told_missing) {
            self.say(What::Appeared);
        } else if had_front && is_new {
            self.say(What::Rotated);
        }
    }

    /// Reads from the oldest piece that may have something. Returns whether anything came of it.
    fn read(&mut self, context: &mut Context<'_>) -> bool {
        for index in 0..self.pieces.len() {
            if !self.pieces[index].dirty {
                continue;
            }
            match self.read_piece(index, context) {
                Ok(true) => return true,
                Ok(false) => {}
                Err(error) => {
                    self.pieces[index].dirty = false;
                    self.failed(index, error, context);
                    return true;
                }
            }
        }
        false
    }

    fn read_piece(&mut self, index: usize, context: &mut Context<'_>) -> io::Result<bool> {
        let line_bytes_max = context.options.line_bytes_max;
        let piece = &mut self.pieces[index];
        // What is seen from here on may be of other content already.
        let unread_bytes = piece.unread_bytes();
        let cut_bytes = piece.look()?;
        let step = piece.peek(context.scratch, line_bytes_max)?;
        // Only now: what was read before the file was seen to be the same is of the same file.
        if !piece.is_same()? || (cut_bytes > 0 && piece.is_untouched()) {
            self.cut(index, unread_bytes, context);
            return Ok(true);
        }
        if cut_bytes > 0 {
            piece.forget(cut_bytes);
            self.say(What::Lost { bytes: Some(cut_bytes), why: Loss::Truncated });
            return Ok(true);
        }
        if self.pieces[index].is_untouched() {
            if index > 0 && self.pieces.len() >= PIECES_MAX {
                // Room for one before it. The oldest has been read to its end.
                self.remove(0, context);
                return Ok(true);
            }
            if self.insert_unread(index, context).is_some() {
                return Ok(true);
            }
        }
        if step == Step::End {
            self.pieces[index].dirty = false;
            return Ok(false);
        }
        // A writer that wrote to the older file and then to this one: what it wrote first comes first.
        let mut older_grew = false;
        for older in self.pieces.iter_mut().take(index).filter(|older| older.has_grown()) {
            older.dirty = true;
            older_grew = true;
        }
        if older_grew {
            return Ok(true);
        }
        self.take(index, step, context.scratch);
        Ok(true)
    }

    fn take(&mut self, index: usize, step: Step, scratch: &[u8]) {
        let piece = &mut self.pieces[index];
        let first_line = piece.lines() + 1;
        let too_long = piece.take(step, scratch);
        let mark = usize::from(self.past.is_some())
            + self.pieces.iter().take(index).filter(|piece| !piece.is_untouched()).count();
        if let Step::Lines { bytes, lines } = step {
            self.lines += lines;
            self.bytes += bytes as u64;
            let bytes = scratch[..bytes].to_vec();
            self.say(What::Lines(Chunk { bytes, first_line, end: self.position(), mark }));
        }
        if let Some(bytes) = too_long {
            self.too_long += 1;
            self.say(What::TooLong { bytes, line: first_line, end: self.position() });
        }
    }

    /// A file could not be read: it is tried again, and what is packed is given up.
    fn failed(&mut self, index: usize, error: io::Error, context: &mut Context<'_>) {
        let piece = &self.pieces[index];
        if piece.is_packed() {
            let why = Loss::Unreadable { path: self.path.clone(), error: error.to_string() };
            self.say(What::Lost { bytes: None, why });
            self.remove(index, context);
            return;
        }
        if error.raw_os_error() == Some(STALE) {
            // The server of the file system has forgotten our descriptor. The file may still be there.
            self.begin = Some(Begin::Stored(self.position()));
            while !self.pieces.is_empty() {
                self.drop_piece(0, context);
            }
            self.front = false;
        }
        self.retry_at = Some(context.now + context.options.poll_every);
        self.say_unreadable(InputError::of(&self.path.clone(), error));
    }

    /// Lets go a file that needs no more reading. Returns whether there was one. Oldest first: what is let go last tells
    /// where to go on.
    fn let_go(&mut self, context: &mut Context<'_>) -> bool {
        let count = self.pieces.len();
        let packed = self.pieces.iter().any(Piece::is_packed);
        let Some(oldest) = self.pieces.front_mut() else { return false };
        let is_front = self.front && count == 1;
        let expired = oldest.linger.is_some_and(|linger| expiry(linger, context.options) <= context.now);
        if is_front || !(expired || packed || count > 1 + LINGERING_MAX) {
            return false;
        }
        if oldest.has_grown() {
            oldest.dirty = true;
        } else {
            self.remove(0, context);
        }
        true
    }

    /// A piece was read to its end, and nothing more will come.
    pub(crate) fn remove(&mut self, index: usize, context: &mut Context<'_>) {
        let piece = &self.pieces[index];
        let unfinished_bytes = piece.unread_bytes();
        let mut mark = piece.mark();
        mark.done = true;
        if mark.offset > 0 {
            self.past = Some(mark);
        } else {
            // Nothing was read of it that would tell it from others: its predecessor says more.
            self.pass(mark.id, mark.modified_ns);
        }
        self.drop_piece(index, context);
        if unfinished_bytes > 0 {
            self.say(What::Lost { bytes: Some(unfinished_bytes), why: Loss::Unfinished });
        }
        self.look |= std::mem::take(&mut self.behind);
    }

    pub(crate) fn drop_piece(&mut self, index: usize, context: &mut Context<'_>) {
        let Some(piece) = self.pieces.remove(index) else { return };
        if let Some(watches) = context.watches.as_deref_mut() {
            watches.drop_owner(Owner::File(self.id, piece.serial));
        }
        self.front &= index < self.pieces.len();
    }

    /// Forgets its watches.
    pub(crate) fn close(&mut self, watches: &mut Option<Watches>) {
        for piece in self.pieces.drain(..) {
            if let Some(watches) = watches {
                watches.drop_owner(Owner::File(self.id, piece.serial));
            }
        }
    }

    /// After the last line handed out.
    pub(crate) fn position(&self) -> Position {
        if let Some(Begin::Stored(position)) = &self.begin {
            return position.clone();
        }
        let touched = self.pieces.iter().filter(|piece| !piece.is_untouched()).map(Piece::mark);
        Position::new(self.past.clone().into_iter().chain(touched).collect())
    }

    pub(crate) fn status(&self) -> InputStatus {
        let state = match &self.unreadable {
            Some(error) => State::Unreadable(error.clone()),
            None if self.is_missing => State::Missing,
            None if self.caught_up => State::Following,
            None => State::CatchingUp,
        };
        InputStatus {
            id: self.id,
            key: self.key.clone(),
            name: Arc::clone(&self.name),
            state,
            lag_bytes: self.pieces.iter().filter(|piece| !piece.is_packed()).map(Piece::unread_bytes).sum(),
            position: (!matches!(self.begin, Some(Begin::Fresh(_)))).then(|| self.position()),
            polling: self.polling.clone(),
            lines: self.lines,
            bytes: self.bytes,
            too_long: self.too_long,
            lost_bytes: self.lost_bytes,
            losses: self.losses,
        }
    }

    /// Whether nothing is at the path, and nothing that was is left to be read.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_missing && self.pieces.is_empty() && self.news.is_empty() && !self.look
    }

    /// Whether it holds this file open.
    pub(crate) fn holds(&self, id: FileId) -> bool {
        self.pieces.iter().any(|piece| piece.id == id)
    }
}

fn expiry(linger: Linger, options: &Options) -> Duration {
    linger.quiet_since + if linger.closed { options.linger_closed } else { options.linger_quiet }
}

/// Opens a regular file, and nothing else; `None` if nothing is there.
fn open_regular(path: &Path) -> Result<Option<(File, Metadata)>, InputError> {
    let absent =
        |error: &io::Error| matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
    // Looked at first: opening is enough to wake the other end of a pipe.
    let metadata = match fs::metadata(path) {
        Err(error) if absent(&error) => return Ok(None),
        other => other.map_err(|error| InputError::of(path, error))?,
    };
    if let Some((found, remedy)) = foreign_kind(&metadata) {
        return Err(InputError::Kind { path: path.to_owned(), found, remedy });
    }
    match open_file(path).and_then(|file| file.metadata().map(|metadata| (file, metadata))) {
        // Else it changed between the two looks.
        Ok(opened) => Ok(opened.1.is_file().then_some(opened)),
        Err(error) if absent(&error) => Ok(None),
        Err(error) => Err(InputError::of(path, error)),
    }
}

fn foreign_kind(metadata: &Metadata) -> Option<(&'static str, &'static str)> {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = metadata.file_type();
    match () {
        () if kind.is_file() => None,
        () if kind.is_dir() => Some(("a folder", "name the file in it, or give it as a multilog folder")),
        () if kind.is_fifo() => Some(("a named pipe", "give it as a pipe")),
        () if kind.is_socket() => Some(("a socket", "give it as a datagram socket")),
        () => Some(("a device", "name a log file")),
    }
}
