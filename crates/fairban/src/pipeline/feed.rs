//! Parsed blocks of one log, in its order: made here and now, or by other threads ahead of time.
//!
//! ```text
//! reader thread ─► blocks ─► any worker ─► parsed blocks, taken in the order of the file
//! ```
//!
//! A reader is at most [`AHEAD`] blocks ahead of the one that is being decided, so memory is flat.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::parse::{BlockParser, Buffer, ParsedBlock, Room};
use crate::input::blocks::{Block, BlockReader, Tail};

/// Blocks of one log that may be in flight.
const AHEAD: usize = 8;

/// Buffers kept for use again.
const SPARE_BUFFERS_MAX: usize = 64;

/// How a log ended: the beginning of its last line if that was to be kept, and the error that cut it short.
pub(crate) type End = (Tail, Option<io::Error>);

/// Whoever parses blocks.
pub(crate) enum Crew {
    /// Nobody else: one thread does everything.
    Alone,
    /// Workers that take blocks from this queue. They stop when the crew is gone.
    Workers(Sender<Job>),
}

/// A block to be parsed, and where to send it.
pub(crate) struct Job {
    block: Block,
    room: Room,
    parser: Arc<BlockParser>,
    reply: Sender<ParsedBlock>,
}

impl Crew {
    /// For `threads` in all, of which one decides.
    pub(crate) fn new(threads: usize) -> Crew {
        if threads <= 1 {
            return Crew::Alone;
        }
        // Bounded by the readers: each waits when it is AHEAD blocks ahead.
        let (jobs, queue) = unbounded::<Job>();
        for _ in 1..threads {
            let queue = queue.clone();
            thread::spawn(move || {
                for job in queue {
                    // Nobody waits for the answer any more when the program is about to end.
                    let _ = job.reply.send(job.parser.parse(job.block, job.room));
                }
            });
        }
        Crew::Workers(jobs)
    }
}

/// Buffers that have been used, so that memory is not asked for and cleared once a block.
#[derive(Default)]
pub(crate) struct Buffers(Mutex<Vec<Buffer>>);

impl Buffers {
    fn take(&self) -> Buffer {
        // A panic elsewhere cannot have left a list of buffers in pieces.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    pub(crate) fn give_back(&self, block: ParsedBlock) {
        let buffer = block.into_buffer();
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE_BUFFERS_MAX {
            spare.push(buffer);
        }
    }
}

/// The parsed blocks of one log.
pub(crate) enum Feed {
    Here { reader: BlockReader<Box<dyn Read + Send>>, parser: Arc<BlockParser>, buffers: Arc<Buffers> },
    Ahead(Receiver<Ahead>),
}

/// What a reader thread sends.
pub(crate) enum Ahead {
    /// A block that a worker will send there.
    Block(Receiver<ParsedBlock>),
    End(End),
}

/// What a feed gives.
pub(crate) enum Fed {
    Block(Box<ParsedBlock>),
    /// The log is at its end; the feed gives nothing more.
    End(End),
}

impl Feed {
    pub(crate) fn new(
        reader: BlockReader<Box<dyn Read + Send>>,
        parser: &Arc<BlockParser>,
        buffers: &Arc<Buffers>,
        crew: &Crew,
    ) -> Feed {
        let (parser, buffers) = (Arc::clone(parser), Arc::clone(buffers));
        match crew {
            Crew::Alone => Feed::Here { reader, parser, buffers },
            Crew::Workers(jobs) => {
                let (sender, receiver) = bounded(AHEAD);
                let jobs = jobs.clone();
                thread::spawn(move || read_ahead(reader, &parser, &buffers, &jobs, &sender));
                Feed::Ahead(receiver)
            }
        }
    }

    /// The next block, or how the log ended.
    ///
    /// # Panics
    /// If a reader or a worker thread has: our fault.
    pub(crate) fn next(self) -> (Option<Feed>, Fed) {
        match self {
            Feed::Here { mut reader, parser, buffers } => {
                let Buffer { bytes, room } = buffers.take();
                match reader.next_block(bytes) {
                    Some(block) => {
                        let parsed = parser.parse(block, room);
                        (Some(Feed::Here { reader, parser, buffers }), Fed::Block(Box::new(parsed)))
                    }
                    None => (None, Fed::End(reader.finish())),
                }
            }
            Feed::Ahead(receiver) => {
                match receiver.recv().expect("a reader ends with End unless it panicked") {
                    Ahead::Block(parsed) => {
                        let parsed = parsed.recv().expect("a worker answers unless it panicked");
                        (Some(Feed::Ahead(receiver)), Fed::Block(Box::new(parsed)))
                    }
                    Ahead::End(end) => (None, Fed::End(end)),
                }
            }
        }
    }
}

fn read_ahead(
    mut reader: BlockReader<Box<dyn Read + Send>>,
    parser: &Arc<BlockParser>,
    buffers: &Buffers,
    jobs: &Sender<Job>,
    sender: &Sender<Ahead>,
) {
    loop {
        let Buffer { bytes, room } = buffers.take();
        let Some(block) = reader.next_block(bytes) else { break };
        let (reply, parsed) = bounded(1);
        let sent = jobs.send(Job { block, room, parser: Arc::clone(parser), reply });
        // Either end is gone only when the program is about to end.
        if sent.is_err() || sender.send(Ahead::Block(parsed)).is_err() {
            return;
        }
    }
    let _ = sender.send(Ahead::End(reader.finish()));
}
