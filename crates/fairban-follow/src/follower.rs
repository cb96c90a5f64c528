//! All inputs together: one descriptor to wait on for files, one for each stream, one to be woken by.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;

use crate::family::{is_packed_name, live_names};
use crate::happening::{FollowError, Happening, InputStatus, What};
use crate::log::{Begin, Context, Log};
use crate::pattern::PathPattern;
use crate::position::{FileId, Position};
use crate::source::{InputId, InputKey, InputKind, Options, Source, Start};
use crate::stream::Stream;
use crate::watch::{Change, Owner, Watches};

/// Follows sources. It has no thread of its own: what its caller does not take stays in the files.
///
/// The caller takes what there is with [`Follower::try_next`] until that returns `None`, and then [`Follower::wait`]s.
pub struct Follower {
    options: Options,
    /// `None` if the kernel has none to give, or none is wanted.
    watches: Option<Watches>,
    alarm: Arc<OwnedFd>,
    inputs: BTreeMap<InputId, Entry>,
    ids: BTreeMap<InputKey, InputId>,
    globs: Vec<Glob>,
    /// Those that may have something to tell.
    ready: BTreeSet<InputId>,
    /// The last that told something: the next in the row is asked first.
    last: InputId,
    next_id: u32,
    next_tick: Option<Duration>,
    /// Something was handed out since the kernel was asked.
    is_stale: bool,
    scratch: Vec<u8>,
    wakeups: u64,
}

struct Entry {
    input: Input,
    /// Named by patterns alone.
    by_glob: bool,
}

enum Input {
    Log(Box<Log>),
    Stream(Box<Stream>),
}

struct Glob {
    pattern: PathPattern,
    /// Something changed in one of its folders.
    look: bool,
    polling: bool,
    left_out: usize,
}

/// Why [`Follower::wait`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// There may be something to take.
    Ready,
    /// A [`Waker`] asked for it.
    Woken,
    /// The time given has passed.
    TimedOut,
}

/// Ends a [`Follower::wait`] from another thread.
#[derive(Clone, Debug)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    /// Lets the current or the next [`Follower::wait`] return [`Wake::Woken`]. Several calls may end one wait.
    pub fn wake(&self) {
        // Fails only if it has been called 2^64 times: the follower will wake all the same.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").field("inputs", &self.inputs.len()).finish_non_exhaustive()
    }
}

impl Follower {
    /// Begins to follow `sources`: those with a position in `resume` from there, the others as `options.start` says.
    ///
    /// # Errors
    /// If a pattern or path is none, or the kernel gives no descriptor. A file that cannot be read is no error: that
    /// [happens](What::Unreadable).
    pub fn new(
        sources: Vec<Source>,
        resume: Vec<(InputKey, Position)>,
        options: Options,
    ) -> Result<Follower, FollowError> {
        let alarm = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| FollowError::Kernel { what: "make an eventfd", source: error.into() })?;
        let watches = if options.inotify { Watches::new().ok() } else { None };
        // Room for the beginning of a line and a whole one.
        let room = options.chunk_bytes_max.max(2 * (options.line_bytes_max + 1));
        let mut follower = Follower {
            scratch: vec![0; room],
            options,
            watches,
            alarm: Arc::new(alarm),
            inputs: BTreeMap::new(),
            ids: BTreeMap::new(),
            globs: Vec::new(),
            ready: BTreeSet::new(),
            last: InputId(0),
            next_id: 0,
            next_tick: None,
            is_stale: true,
            wakeups: 0,
        };
        follower.reconfigure(sources, resume)?;
        Ok(follower)
    }

    /// Follows `sources` from now on. Those that were followed already go on without a gap, those not named any more are
    /// forgotten, and new ones begin as in [`Follower::new`]. A [`Source::Stream`] whose name is followed already is read
    /// when the one before it has ended.
    ///
    /// # Errors
    /// If a pattern or path is none. Then nothing has changed.
    pub fn reconfigure(
        &mut self,
        sources: Vec<Source>,
        resume: Vec<(InputKey, Position)>,
    ) -> Result<(), FollowError> {
        let (named, patterns) = sort_sources(sources)?;
        let mut resume: BTreeMap<InputKey, Position> = resume.into_iter().collect();
        let keys: BTreeSet<InputKey> = named.iter().map(|(key, _)| key.clone()).collect();
        self.forget(|key, by_glob| !by_glob && !keys.contains(key));
        let start = self.options.start;
        for (key, fd) in named {
            let begin = begin(resume.remove(&key), start);
            self.add(key, fd, begin, false);
        }
        for glob in 0..self.globs.len() {
            self.with_watches(|watches| watches.drop_owner(Owner::Glob(glob)));
        }
        self.globs = patterns
            .into_iter()
            .map(|pattern| Glob { pattern, look: false, polling: false, left_out: 0 })
            .collect();
        let mut meant = BTreeSet::new();
        for glob in 0..self.globs.len() {
            meant.extend(self.expand(glob, &mut resume, start));
        }
        let globs = !self.globs.is_empty();
        // A file that is missing just now, in the middle of a rotation, may still be meant.
        let is_missing = |path: &Path| globs && !path.exists();
        self.forget(|key, by_glob| by_glob && !meant.contains(key) && !is_missing(key.path()));
        Ok(())
    }

    /// What ends a [`Follower::wait`] from another thread.
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.alarm))
    }

    /// The next thing that happened to any input, each in its turn; `None` if there is nothing at the moment. Never waits.
    pub fn try_next(&mut self) -> Option<Happening> {
        self.refresh();
        loop {
            let after = self.ready.range(InputId(self.last.0 + 1)..).next();
            let id = *after.or_else(|| self.ready.first())?;
            if let Some(happening) = self.turn(id) {
                self.last = id;
                return Some(happening);
            }
        }
    }

    /// The next thing that happened to this input; `None` if there is nothing at the moment. For a caller that merges
    /// inputs by what their lines say. Never waits.
    pub fn try_next_of(&mut self, id: InputId) -> Option<Happening> {
        self.refresh();
        if self.ready.contains(&id) { self.turn(id) } else { None }
    }

    /// Waits until there may be something to take, a [`Waker`] is used, or `limit` has passed. Without a limit it sleeps
    /// until something is written or renamed, unless an input has to be looked at all the time.
    ///
    /// # Errors
    /// If the kernel refuses to wait: out of memory.
    pub fn wait(&mut self, limit: Option<Duration>) -> io::Result<Wake> {
        let begun = self.options.clock.now();
        loop {
            let now = self.options.clock.now();
            let left = limit.map(|limit| limit.saturating_sub(now.saturating_sub(begun)));
            let until_due = self.deadline().map(|at| at.saturating_sub(now));
            let timeout = if self.ready.is_empty() {
                left.into_iter().chain(until_due).min()
            } else {
                Some(Duration::ZERO)
            };
            let gathered = self.gather(timeout, true)?;
            if gathered.woken {
                return Ok(Wake::Woken);
            }
            if !self.ready.is_empty() {
                return Ok(Wake::Ready);
            }
            if gathered.timed_out && left.is_some_and(|left| Some(left) == timeout) {
                return Ok(Wake::TimedOut);
            }
        }
    }

    /// All inputs, in the order in which they came.
    pub fn inputs(&self) -> Vec<InputStatus> {
        let status = |entry: &Entry| match &entry.input {
            Input::Log(log) => log.status(),
            Input::Stream(stream) => stream.status(),
        };
        self.inputs.values().map(status).collect()
    }

    /// Files that patterns name but that are not followed, being more than [`Options::glob_files_max`].
    pub fn left_out(&self) -> usize {
        self.globs.iter().map(|glob| glob.left_out).sum()
    }

    /// How often the kernel woke us. Stands still while nothing is written.
    pub fn wakeups(&self) -> u64 {
        self.wakeups
    }

    fn with_watches(&mut self, act: impl FnOnce(&mut Watches)) {
        if let Some(watches) = &mut self.watches {
            act(watches);
        }
    }

    fn add(&mut self, key: InputKey, fd: Option<OwnedFd>, begin: Begin, by_glob: bool) {
        if let Some(entry) = self.ids.get(&key).and_then(|id| self.inputs.get_mut(id)) {
            entry.by_glob &= by_glob;
            if let (Input::Stream(stream), Some(fd)) = (&mut entry.input, fd) {
                stream.add(fd);
            }
            return;
        }
        self.next_id += 1;
        let id = InputId(self.next_id);
        let input = match key.kind() {
            InputKind::File => Input::Log(Box::new(Log::new(id, key.clone(), begin, false))),
            InputKind::Multilog => Input::Log(Box::new(Log::new(id, key.clone(), begin, true))),
            InputKind::Pipe | InputKind::Stdin | InputKind::Datagram | InputKind::Stream => {
                Input::Stream(Box::new(Stream::new(id, key.clone(), fd)))
            }
        };
        let mut entry = Entry { input, by_glob };
        if let Input::Log(log) = &mut entry.input {
            // Where it begins is decided now, not when somebody first asks.
            log.look_at_path(&mut Context {
                watches: self.watches.as_mut(),
                scratch: &mut self.scratch,
                options: &self.options,
                now: self.options.clock.now(),
            });
        }
        self.inputs.insert(id, entry);
        self.ids.insert(key, id);
        self.ready.insert(id);
    }

    fn forget(&mut self, mut is_over: impl FnMut(&InputKey, bool) -> bool) {
        let over: Vec<(InputKey, InputId)> = self
            .ids
            .iter()
            .filter(|(key, id)| is_over(key, self.inputs.get(id).is_some_and(|entry| entry.by_glob)))
            .map(|(key, id)| (key.clone(), *id))
            .collect();
        for (key, id) in over {
            self.ids.remove(&key);
            self.ready.remove(&id);
            if let Some(Entry { input: Input::Log(mut log), .. }) = self.inputs.remove(&id) {
                log.close(&mut self.watches);
            }
            self.with_watches(|watches| watches.drop_owner(Owner::Path(id)));
        }
    }

    /// Finds the files that a pattern names, and follows those that are new. Returns all that it means.
    fn expand(
        &mut self,
        glob: usize,
        resume: &mut BTreeMap<InputKey, Position>,
        start: Start,
    ) -> Vec<InputKey> {
        self.globs[glob].look = false;
        let mut found = self.globs[glob].pattern.expand();
        let mut refused = self.watches.is_none();
        if let Some(watches) = &mut self.watches {
            refused = watches.set_folders(Owner::Glob(glob), &found.wants, false).is_err();
            // What came between looking and watching.
            found = self.globs[glob].pattern.expand();
            refused |= watches.set_folders(Owner::Glob(glob), &found.wants, false).is_err();
        }
        self.globs[glob].polling = refused;
        self.globs[glob].left_out = 0;
        let names: BTreeSet<&PathBuf> = found.files.iter().collect();
        let mut meant = Vec::new();
        for path in &found.files {
            let key = InputKey::new(InputKind::File, path);
            if self.ids.contains_key(&key) {
                meant.push(key);
                continue;
            }
            if self.is_rotated(path, &names) || self.is_held(path) {
                continue;
            }
            let followed = self.inputs.values().filter(|entry| entry.by_glob).count();
            if followed >= self.options.glob_files_max {
                self.globs[glob].left_out += 1;
                continue;
            }
            let begin = begin(resume.remove(&key), start);
            self.add(key.clone(), None, begin, true);
            meant.push(key);
        }
        meant
    }

    /// Whether it is a rotated file of a log that exists or is followed, and will be, or has been, read as part of that.
    fn is_rotated(&self, path: &Path, names: &BTreeSet<&PathBuf>) -> bool {
        let Some(name) = path.file_name() else { return false };
        is_packed_name(name)
            || live_names(name).into_iter().map(|live| path.with_file_name(live)).any(|live| {
                names.contains(&live)
                    || self.ids.contains_key(&InputKey::new(InputKind::File, &live))
                    || live.is_file()
            })
    }

    fn is_held(&self, path: &Path) -> bool {
        let id = fs::metadata(path).ok().map(|metadata| FileId::of(&metadata));
        id.is_some_and(|id| {
            self.inputs.values().any(|entry| matches!(&entry.input, Input::Log(log) if log.holds(id)))
        })
    }

    /// Asks the kernel whether there is news, if something was handed out since it was last asked: one busy input must not
    /// make the others late.
    fn refresh(&mut self) {
        if std::mem::replace(&mut self.is_stale, false) {
            // A kernel that refuses to wait is told of by `wait`.
            let _ = self.gather(Some(Duration::ZERO), false);
        }
    }

    fn turn(&mut self, id: InputId) -> Option<Happening> {
        let mut context = Context {
            watches: self.watches.as_mut(),
            scratch: &mut self.scratch,
            options: &self.options,
            now: self.options.clock.now(),
        };
        let entry = self.inputs.get_mut(&id)?;
        let happening = match &mut entry.input {
            Input::Log(log) => log.turn(&mut context),
            Input::Stream(stream) => stream.turn(&mut context),
        };
        if happening.is_some() {
            self.is_stale = true;
            return happening;
        }
        self.ready.remove(&id);
        let removed = match &entry.input {
            Input::Log(log) if entry.by_glob && log.is_gone() => {
                Happening { input: id, name: Arc::clone(&log.name), what: What::Removed }
            }
            _ => return None,
        };
        self.forget(|key, _| key.path() == &*removed.name && key.kind() == InputKind::File);
        Some(removed)
    }

    /// When something must be done although nothing happens.
    fn deadline(&self) -> Option<Duration> {
        let logs = self.inputs.values().filter_map(|entry| match &entry.input {
            Input::Log(log) => log.deadline(&self.options),
            Input::Stream(_) => None,
        });
        logs.chain(self.next_tick).min()
    }

    fn must_poll(&self) -> bool {
        self.globs.iter().any(|glob| glob.polling)
            || self.inputs.values().any(|entry| entry.input.must_poll())
    }
}

/// What waiting brought.
struct Gathered {
    woken: bool,
    timed_out: bool,
}

impl Follower {
    /// Waits for at most `timeout`, and finds out which inputs may have something. The alarm is left as it is unless
    /// `heed_alarm`.
    fn gather(&mut self, timeout: Option<Duration>, heed_alarm: bool) -> io::Result<Gathered> {
        if self.must_poll() {
            let tick = self.options.clock.now() + self.options.poll_every;
            self.next_tick.get_or_insert(tick);
        } else {
            self.next_tick = None;
        }
        let woken = self.poll(timeout)?;
        self.wakeups += u64::from(timeout != Some(Duration::ZERO));
        for id in woken.streams {
            if let Some(Entry { input: Input::Stream(stream), .. }) = self.inputs.get_mut(&id) {
                stream.ready = true;
                self.ready.insert(id);
            }
        }
        if woken.files {
            self.drain();
        }
        self.look_at_due();
        self.is_stale = false;
        if woken.alarm && heed_alarm {
            let mut count = [0; 8];
            // Fails only if another thread has read it, which there is none to do.
            let _ = rustix::io::read(&*self.alarm, &mut count);
        }
        Ok(Gathered { woken: woken.alarm && heed_alarm, timed_out: woken.none })
    }

    fn poll(&self, timeout: Option<Duration>) -> io::Result<Woken> {
        let mut fds = vec![PollFd::new(&*self.alarm, PollFlags::IN)];
        fds.extend(self.watches.iter().map(|watches| PollFd::new(watches, PollFlags::IN)));
        let files = fds.len();
        let mut ids = Vec::new();
        for (id, entry) in &self.inputs {
            if let Input::Stream(stream) = &entry.input
                && let Some(fd) = stream.fd()
            {
                fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
                ids.push(*id);
            }
        }
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: timeout.as_secs().min(i64::MAX as u64) as i64,
            tv_nsec: i64::from(timeout.subsec_nanos()),
        });
        let returned = match poll(&mut fds, timeout.as_ref()) {
            Err(Errno::INTR) => return Ok(Woken::default()),
            other => other?,
        };
        let is_up = |fd: &PollFd<'_>| !fd.revents().is_empty();
        let streams = ids.iter().zip(&fds[files..]).filter(|(_, fd)| is_up(fd)).map(|(id, _)| *id).collect();
        Ok(Woken {
            none: returned == 0,
            alarm: is_up(&fds[0]),
            files: fds[1..files].iter().any(is_up),
            streams,
        })
    }

    /// Hands what the kernel tells of files to whom it concerns.
    fn drain(&mut self) {
        let Some(watches) = &mut self.watches else { return };
        let now = self.options.clock.now();
        let (inputs, ready, globs) = (&mut self.inputs, &mut self.ready, &mut self.globs);
        let told = watches.drain(|owner, change| match owner {
            Owner::Glob(glob) => {
                if let Some(glob) = globs.get_mut(glob) {
                    glob.look = true;
                }
            }
            Owner::Path(id) | Owner::File(id, _) => {
                if let Some(entry) = inputs.get_mut(&id) {
                    entry.input.on_change(owner, change, now);
                    ready.insert(id);
                }
            }
        });
        // An error is as an overflow: anything may have changed.
        if told.unwrap_or(true) {
            self.look_at_all(|_| true);
        }
    }

    /// What is due by the clock.
    fn look_at_due(&mut self) {
        let now = self.options.clock.now();
        if self.next_tick.is_some_and(|at| at <= now) {
            self.next_tick = Some(now + self.options.poll_every);
            self.look_at_all(Input::must_poll);
        }
        for (id, entry) in &self.inputs {
            if let Input::Log(log) = &entry.input
                && log.deadline(&self.options).is_some_and(|at| at <= now)
            {
                self.ready.insert(*id);
            }
        }
        for glob in 0..self.globs.len() {
            if self.globs[glob].look {
                self.expand(glob, &mut BTreeMap::new(), Start::Beginning);
            }
        }
    }

    fn look_at_all(&mut self, which: impl Fn(&Input) -> bool) {
        for (id, entry) in &mut self.inputs {
            if which(&entry.input) {
                match &mut entry.input {
                    Input::Log(log) => log.on_anything(),
                    Input::Stream(stream) => stream.look = stream.has_path(),
                }
                self.ready.insert(*id);
            }
        }
        self.globs.iter_mut().for_each(|glob| glob.look = true);
    }
}

impl Input {
    fn on_change(&mut self, owner: Owner, change: Change, now: Duration) {
        match (self, owner) {
            (Input::Log(log), Owner::File(_, serial)) => log.on_file(serial, change, now),
            (Input::Log(log), _) => log.on_path(change),
            (Input::Stream(stream), _) => stream.look = true,
        }
    }

    fn must_poll(&self) -> bool {
        match self {
            Input::Log(log) => log.polling.is_some(),
            Input::Stream(stream) => stream.polling.is_some(),
        }
    }
}

/// What [`Follower::poll`] found.
#[derive(Default)]
struct Woken {
    none: bool,
    alarm: bool,
    files: bool,
    streams: Vec<InputId>,
}

/// An input that is named itself, and its descriptor if the caller opened it.
type NamedSource = (InputKey, Option<OwnedFd>);

/// Sources by what they are: those that are one input each, and patterns.
fn sort_sources(sources: Vec<Source>) -> Result<(Vec<NamedSource>, Vec<PathPattern>), FollowError> {
    let (mut named, mut patterns) = (Vec::new(), Vec::new());
    for source in sources {
        let (kind, path, fd) = match source {
            Source::Glob(text) => {
                patterns.push(PathPattern::new(&text)?);
                continue;
            }
            Source::File(path) => (InputKind::File, path, None),
            Source::Multilog(path) => (InputKind::Multilog, path, None),
            Source::Pipe(path) => (InputKind::Pipe, path, None),
            Source::Datagram(path) => (InputKind::Datagram, path, None),
            Source::Stdin => {
                let fd = io::stdin().as_fd().try_clone_to_owned();
                let fd = fd.map_err(|source| FollowError::Kernel { what: "read standard input", source })?;
                (InputKind::Stdin, PathBuf::from("-"), Some(fd))
            }
            Source::Stream { fd, name } => (InputKind::Stream, PathBuf::from(name), Some(fd)),
        };
        if fd.is_none() && !path.is_absolute() {
            return Err(FollowError::Relative { path });
        }
        named.push((InputKey::new(kind, &path), fd));
    }
    Ok((named, patterns))
}

fn begin(stored: Option<Position>, start: Start) -> Begin {
    stored.map_or(Begin::Fresh(start), Begin::Stored)
}
