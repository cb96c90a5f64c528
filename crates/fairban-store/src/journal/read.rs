//! Reading records in order, around what is damaged.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::Error;
use super::frame::{Frame, Head, HeadFound, VERSION, split_record};
use super::{Segment, read_segment, segments};
use crate::disk::Disk;

/// A record of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number, from 1.
    pub seq: u64,
    /// What was appended.
    pub bytes: Vec<u8>,
}

/// The records of a journal from one number to another, in order. One segment is in memory at a time.
///
/// An error says what is lost; the next call goes on after it. When everything has been read the iterator ends.
#[derive(Debug)]
pub struct Records {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// Segments not yet opened.
    ahead: VecDeque<Segment>,
    open: Option<Open>,
    /// The next number to give out.
    next: u64,
    /// The last number to give out.
    upto: u64,
    /// Damage seen whose extent is not known yet: file and offset.
    damage: Option<(PathBuf, u64)>,
    /// A record whose turn comes after the error that was told.
    held: Option<Frame>,
}

#[derive(Debug)]
struct Open {
    path: PathBuf,
    bytes: Vec<u8>,
    /// Where the next frame begins.
    at: usize,
    /// Records from this number on stand in the next segment, if there is one.
    end: u64,
    /// The frame being read: its next record's number, and the rest of its body.
    frame: Option<(u64, std::ops::Range<usize>)>,
}

/// The records numbered `from` to `upto`, for a thread that does not own the journal: reads what has been appended up to
/// `upto` while more is being appended.
pub fn read(disk: Arc<dyn Disk>, dir: &Path, from: u64, upto: u64) -> Result<Records, Error> {
    let all = segments(&*disk, dir)?;
    // Segments that end before `from` need not be opened.
    let skipped = all.iter().skip(1).take_while(|next| next.first <= from).count();
    let ahead = all.into_iter().skip(skipped).collect();
    let next = from.max(1);
    Ok(Records { disk, dir: dir.to_owned(), ahead, open: None, next, upto, damage: None, held: None })
}

impl Records {
    /// The next record out of the frame being read.
    fn out_of_frame(&mut self) -> Option<Record> {
        let open = self.open.as_mut()?;
        loop {
            let (seq, rest) = open.frame.take()?;
            let (record, after) = split_record(&open.bytes[rest.clone()])?;
            let seq_next = seq + 1;
            if seq_next < open.end || !after.is_empty() {
                open.frame = Some((seq_next, rest.end - after.len()..rest.end));
            }
            if seq >= open.end {
                return None;
            }
            if seq >= self.next {
                self.next = seq_next;
                return Some(Record { seq, bytes: record.to_vec() });
            }
        }
    }

    /// Steps to the next frame; an error if something is lost before it. `None` at the end of the segment.
    fn step_frame(&mut self) -> Option<Result<(), Error>> {
        if let Some(frame) = self.held.take() {
            self.enter(&frame);
            return Some(Ok(()));
        }
        let open = self.open.as_mut()?;
        let frame = match Frame::read(&open.bytes, open.at) {
            Some(frame) => frame,
            None if open.at >= open.bytes.len() => return None,
            None => {
                self.damage.get_or_insert((open.path.clone(), open.at as u64));
                let Some((_, frame)) = Frame::find(&open.bytes, open.at + 1) else {
                    open.at = open.bytes.len();
                    return None;
                };
                frame
            }
        };
        open.at = frame.end();
        if frame.first >= open.end {
            return None;
        }
        if let Some(lost) = self.lost_before(frame.first) {
            self.held = Some(frame);
            return Some(Err(lost));
        }
        self.enter(&frame);
        Some(Ok(()))
    }

    fn enter(&mut self, frame: &Frame) {
        if let Some(open) = &mut self.open {
            open.frame = Some((frame.first, frame.body.clone()));
        }
    }

    /// What is lost if `first` is the next number there is; the numbers before it are passed over.
    fn lost_before(&mut self, first: u64) -> Option<Error> {
        let damage = self.damage.take();
        if first <= self.next || self.next > self.upto {
            return None;
        }
        let (from, to) = (self.next, (first - 1).min(self.upto));
        self.next = first;
        Some(match damage {
            Some((path, offset)) => Error::Damaged { path, offset, from, to },
            None => Error::Missing { dir: self.dir.clone(), from, to },
        })
    }

    /// Opens the next segment; `None` if there is no further one.
    fn step_segment(&mut self) -> Option<Result<(), Error>> {
        self.open = None;
        let segment = self.ahead.pop_front()?;
        let path = segment.path(&self.dir);
        let bytes = match read_segment(&*self.disk, &path) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.damage.get_or_insert((path, 0));
                return Some(Err(error));
            }
        };
        let end = self.ahead.front().map_or(u64::MAX, |next| next.first);
        let (after, at) = match Head::read(&bytes) {
            HeadFound::Whole(head) => (head.after, super::frame::HEAD_BYTES),
            HeadFound::OtherVersion(found) => {
                self.damage.get_or_insert((path.clone(), 0));
                return Some(Err(Error::Version { path, found, expected: VERSION }));
            }
            HeadFound::Damaged => {
                self.damage.get_or_insert((path.clone(), 0));
                (0, 0)
            }
        };
        self.open = Some(Open { path, bytes, at, end, frame: None });
        if after == 0 {
            // A head that cannot be read tells nothing: the frames will.
            return Some(Ok(()));
        }
        // Up to `after` records are missing; from there to the first, numbers were left out on purpose.
        let lost = self.lost_before(after);
        self.next = self.next.max(segment.first);
        Some(lost.map_or(Ok(()), Err))
    }
}

impl Iterator for Records {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Result<Record, Error>> {
        loop {
            if self.next > self.upto {
                return None;
            }
            if let Some(record) = self.out_of_frame() {
                return Some(Ok(record));
            }
            let step = self.step_frame().or_else(|| self.step_segment());
            match step {
                Some(Ok(())) => {}
                Some(Err(error)) => return Some(Err(error)),
                None => {
                    // The end: what was promised and is not there.
                    let after = self.upto.saturating_add(1);
                    return self.lost_before(after).map(Err);
                }
            }
        }
    }
}
