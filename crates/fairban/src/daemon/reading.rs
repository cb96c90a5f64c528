//! The thread that reads: whatever the follower hands out goes through the intake to the thread that decides.
//!
//! The channel to it holds a few batches. When it is full this thread waits, so a slow disk or firewall makes us read
//! later; nothing is dropped, and memory stays as it is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender};
use fairban_core::escape::escaped;
use fairban_follow::{
    Chunk, Follower, Happening, InputId, InputKey, InputKind, InputStatus, Position, Source, Wake, What,
};
use jiff::Timestamp;

use super::intake::{Intake, LINES_AT_ONCE, Positions, Reading};
use super::office::Feed;

/// Batches that may wait for the thread that decides.
pub(crate) const FEEDS_MAX: usize = 8;

/// Pieces that are still read of each stream at the end.
const LAST_MAX: usize = 64;

/// What the thread is told.
pub(crate) enum Order {
    /// Follow these from now on, each read so.
    Follow(Vec<Source>, Readings),
    /// The end.
    Stop,
}

/// How the inputs are read: by the path as configured, the first that fits, or the last resort.
#[derive(Clone, Debug)]
pub(crate) struct Readings {
    pub(crate) configured: Vec<(Matcher, Reading)>,
    pub(crate) others: Reading,
}

/// Which inputs an `[[input]]` means.
#[derive(Clone, Debug)]
pub(crate) enum Matcher {
    Path(std::path::PathBuf),
    Pattern(String),
}

impl Readings {
    fn of(&self, key: &InputKey) -> Reading {
        let fits = |matcher: &Matcher| match matcher {
            Matcher::Path(path) => path == key.path(),
            Matcher::Pattern(pattern) => {
                glob::Pattern::new(pattern).is_ok_and(|pattern| pattern.matches_path(key.path()))
            }
        };
        let found = self.configured.iter().find(|(matcher, _)| fits(matcher));
        found.map_or_else(|| self.others.clone(), |(_, reading)| reading.clone())
    }
}

/// What the desk calls an input.
pub(crate) fn input_name(key: &InputKey) -> Arc<str> {
    use std::os::unix::ffi::OsStrExt as _;
    escaped(key.path().as_os_str().as_bytes()).to_string().into()
}

/// A stored position: of which input, and where.
pub(crate) fn position(bytes: &[u8]) -> Option<(InputKey, Position)> {
    postcard::from_bytes(bytes).ok()
}

/// See the module's head.
pub(crate) struct Reader {
    pub(crate) follower: Follower,
    pub(crate) intake: Intake,
    pub(crate) readings: Readings,
    pub(crate) feed: Sender<Feed>,
    pub(crate) orders: Receiver<Order>,
    pub(crate) status: Arc<Mutex<Vec<InputStatus>>>,
    pub(crate) inputs: BTreeMap<InputId, (Arc<str>, InputKey)>,
    /// Where inputs were left that are not followed now: whoever names one again reads on from there.
    pub(crate) left: BTreeMap<InputKey, Position>,
    /// Not sent yet.
    pub(crate) batch: Feed,
}

/// Inputs whose place is remembered although nobody follows them.
const LEFT_MAX: usize = 4_096;

impl Reader {
    /// Reads until it is told to stop, or nobody takes what is read.
    pub(crate) fn run(mut self) {
        self.meet_inputs();
        loop {
            while self.intake.is_behind() {
                if !self.catch_up() {
                    return self.end();
                }
            }
            while let Some(happening) = self.follower.try_next() {
                self.take(happening);
                if self.intake.is_behind() {
                    break;
                }
                // A log that never rests is no reason not to obey.
                if self.batch.brought.len() >= LINES_AT_ONCE && !(self.hand_over() && self.obey()) {
                    return self.end();
                }
            }
            if self.intake.is_behind() {
                continue;
            }
            if !self.hand_over() {
                return;
            }
            self.show();
            match self.follower.wait(None) {
                Ok(Wake::Ready | Wake::TimedOut) => {}
                Ok(Wake::Woken) => {
                    if !self.obey() {
                        return self.end();
                    }
                }
                Err(error) => {
                    let text = format!("cannot wait for logs to change: {error}");
                    self.batch.troubles.push(("follower".to_owned(), Some(text)));
                    // The kernel is out of memory: anything is better than a loop without a pause.
                    std::thread::sleep(std::time::Duration::from_secs(1));
                }
            }
        }
    }

    /// The end: what streams have brought is handed over, for nobody can read it again. Files keep what they have.
    fn end(mut self) {
        let streams: Vec<InputId> = self
            .inputs
            .iter()
            .filter(|(_, (_, key))| !matches!(key.kind(), InputKind::File | InputKind::Multilog))
            .map(|(id, _)| *id)
            .collect();
        for id in streams {
            // Whoever writes without end is not waited for.
            for _ in 0..LAST_MAX {
                let Some(happening) = self.follower.try_next_of(id) else { break };
                self.take(happening);
            }
        }
        // What is behind waits for others, and they for nothing more.
        while self.intake.is_behind() {
            self.inputs.values().for_each(|(key, _)| self.intake.caught_up(key));
            self.intake.hand_out(&mut self.batch.brought);
            if !self.hand_over() {
                return;
            }
        }
        self.hand_over();
    }

    /// One step of reading old lines, in the order of time; `false` at the end.
    fn catch_up(&mut self) -> bool {
        if let Ok(order) = self.orders.try_recv()
            && !self.carry_out(order)
        {
            return false;
        }
        while let Some(wanted) = self.intake.wanted().cloned() {
            let id = self.inputs.iter().find(|(_, (key, _))| *key == wanted).map(|(id, _)| *id);
            match id.and_then(|id| self.follower.try_next_of(id)) {
                Some(happening) => self.take(happening),
                // Nothing more at the moment, whatever it is: the others are not kept waiting.
                None => self.intake.caught_up(&wanted),
            }
        }
        self.intake.hand_out(&mut self.batch.brought);
        let sent = self.hand_over();
        self.show();
        sent
    }

    fn take(&mut self, happening: Happening) {
        let Happening { input, name, what } = happening;
        let Some((key, input_key)) = self.input(input) else { return };
        let shown = || {
            use std::os::unix::ffi::OsStrExt as _;
            escaped(name.as_os_str().as_bytes()).to_string()
        };
        match what {
            What::Lines(chunk) => {
                self.batch.bytes += chunk.bytes.len() as u64;
                let first_line = chunk.first_line;
                let piece = Arc::new(Piece { key: input_key, chunk });
                let positions: Arc<dyn Positions> = Arc::clone(&piece) as _;
                self.intake.lines(&key, &piece.chunk.bytes, first_line, &positions);
                if !self.intake.is_behind() {
                    self.intake.hand_out(&mut self.batch.brought);
                }
            }
            What::TooLong { bytes, line, end } => {
                let text = format!(
                    "{}: line {line} has {bytes} bytes; no record is as long, it was passed over",
                    shown()
                );
                self.batch.notes.push(text);
                let passed: Arc<dyn Positions> = Arc::new(Passed { key: input_key, end });
                self.intake.lines(&key, &[], line, &passed);
            }
            What::CaughtUp => {
                self.intake.caught_up(&key);
                self.batch.troubles.push((key.to_string(), None));
            }
            What::Appeared => self.batch.troubles.push((key.to_string(), None)),
            What::Unreadable(error) => {
                let text = escaped(error.to_string().as_bytes()).to_string();
                self.batch.troubles.push((key.to_string(), Some(text)));
                self.intake.caught_up(&key);
            }
            What::Lost { bytes, why } => {
                let much = bytes.map_or_else(
                    || "an unknown number of bytes".to_owned(),
                    |bytes| format!("{bytes} bytes"),
                );
                let why = escaped(why.to_string().as_bytes()).to_string();
                self.batch.notes.push(format!("{}: {much} could not be read: {why}", shown()));
            }
            What::Polling(why) => {
                let why = escaped(why.to_string().as_bytes()).to_string();
                self.batch.notes.push(format!("{}: looked at once a second: {why}", shown()));
            }
            What::Missing => self.intake.caught_up(&key),
            What::Ended | What::Removed => self.intake.end(&key),
            What::Rotated | What::Truncated { .. } => {}
        }
    }

    /// The name of an input, which begins with its first happening.
    fn input(&mut self, id: InputId) -> Option<(Arc<str>, InputKey)> {
        if !self.inputs.contains_key(&id) {
            self.meet_inputs();
        }
        self.inputs.get(&id).cloned()
    }

    fn meet_inputs(&mut self) {
        for status in self.follower.inputs() {
            if self.inputs.contains_key(&status.id) {
                continue;
            }
            let key = input_name(&status.key);
            let reading = self.readings.of(&status.key);
            self.intake.begin(&key, reading, Timestamp::now());
            self.inputs.insert(status.id, (key, status.key));
        }
    }

    /// Hands over what there is; `false` if nobody takes it any more.
    fn hand_over(&mut self) -> bool {
        let behind = self.intake.is_behind();
        let feed = std::mem::take(&mut self.batch);
        let worth = !feed.brought.is_empty()
            || !feed.troubles.is_empty()
            || !feed.notes.is_empty()
            || feed.bytes > 0
            || behind != feed.behind;
        self.batch.behind = behind;
        if !worth {
            return true;
        }
        let health = self.intake.take_health();
        self.feed.send(Feed { health, behind, ..feed }).is_ok()
    }

    fn show(&self) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = self.follower.inputs();
    }

    fn obey(&mut self) -> bool {
        while let Ok(order) = self.orders.try_recv() {
            if !self.carry_out(order) {
                return false;
            }
        }
        true
    }

    fn carry_out(&mut self, order: Order) -> bool {
        match order {
            Order::Stop => false,
            Order::Follow(sources, readings) => {
                self.readings = readings;
                for status in self.follower.inputs() {
                    if let Some(position) = status.position
                        && (self.left.len() < LEFT_MAX || self.left.contains_key(&status.key))
                    {
                        self.left.insert(status.key, position);
                    }
                }
                let left = self.left.clone().into_iter().collect();
                if let Err(error) = self.follower.reconfigure(sources, left) {
                    let text = escaped(error.to_string().as_bytes()).to_string();
                    self.batch.troubles.push(("configuration".to_owned(), Some(text)));
                }
                for (key, input_key) in self.inputs.values() {
                    self.intake.begin(key, self.readings.of(input_key), Timestamp::now());
                }
                self.meet_inputs();
                true
            }
        }
    }
}

/// Lines, and whose they are.
#[derive(Debug)]
struct Piece {
    key: InputKey,
    chunk: Chunk,
}

impl Positions for Piece {
    fn after(&self, bytes: usize, lines: u64) -> Vec<u8> {
        if bytes == self.chunk.bytes.len() {
            return stored(&self.key, &self.chunk.end);
        }
        stored(&self.key, &self.chunk.position_after(bytes, lines))
    }
}

/// A line that nobody may see.
#[derive(Debug)]
struct Passed {
    key: InputKey,
    end: Position,
}

impl Positions for Passed {
    fn after(&self, _: usize, _: u64) -> Vec<u8> {
        stored(&self.key, &self.end)
    }
}

fn stored(key: &InputKey, position: &Position) -> Vec<u8> {
    postcard::to_allocvec(&(key, position)).unwrap_or_default()
}
