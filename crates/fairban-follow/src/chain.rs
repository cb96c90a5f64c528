//! Which file comes next: after a rotation, or several; after a restart; after a file was emptied and a copy kept.
//!
//! The rule is one: look at the rotated files in the order in which they were written, find the newest that is known to
//! have been read, and go on with the one after it; after the last comes the file at the path. A file is known by its
//! inode while we hold it open, and by what was read of it otherwise.

use std::fs::{self, File, Metadata};
use std::path::{Path, PathBuf};

use crate::family::Member;
use crate::happening::{Loss, What};
use crate::log::{Begin, Context, Live, Log, PIECES_MAX};
use crate::piece::{Known, Match, Piece, begins_with, open_file};
use crate::position::{Cursor, FileId, Mark, Position};
use crate::source::Start;

/// Most rotated files of one log that were found unreadable or empty and are not tried again.
const PASSED_MAX: usize = 64;

/// How often the row is extended in one go; a rotation a round, were somebody to rotate as fast as we look.
const ROUNDS_MAX: usize = 64;

impl Log {
    /// Adds what comes after the last piece, up to the file at the path. Returns how many were added, and whether the file
    /// at the path was in the row already.
    pub(crate) fn extend(&mut self, context: &mut Context<'_>) -> (u32, bool) {
        let mut added = 0;
        self.behind = false;
        for _ in 0..ROUNDS_MAX {
            let live = self.open_live(context);
            let live_id = match &live {
                Live::File(_, metadata) => Some(FileId::of(metadata)),
                Live::Missing | Live::Failed => None,
            };
            if live_id.is_some() && self.pieces.back().map(|piece| piece.id) == live_id {
                if !self.front {
                    self.front_arrived(added > 0);
                }
                return (added, true);
            }
            self.front = false;
            if self.must_wait() || !self.fill_up_to_last(context) {
                self.behind = true;
                return (added, false);
            }
            // Listed after the file at the path was opened: whatever was there before it is in the list.
            let mut newer = self.newer(None, live_id, context);
            if let Live::File(file, metadata) = &live {
                newer.retain(|member| {
                    member.id == FileId::of(metadata) || !is_copy_of_live(member, file, context)
                });
            }
            if let Some(member) = newer.into_iter().next() {
                added += u32::from(self.attach_member(&member, self.pieces.len(), context));
                continue;
            }
            let Live::File(file, metadata) = live else { return (added, matches!(live, Live::Failed)) };
            let piece = self.continued(Piece::plain(file, &metadata, Cursor::default()), &metadata);
            self.attach(piece, &self.path.clone(), self.pieces.len(), context);
            self.front_arrived(true);
            return (added + 1, false);
        }
        self.look = true;
        (added, true)
    }

    /// Before something is put after the last piece: puts before it what belongs there, for afterwards nobody could tell.
    /// Returns `false` if the row is full.
    fn fill_up_to_last(&mut self, context: &mut Context<'_>) -> bool {
        let Some(last) = self.pieces.back_mut() else { return true };
        let lost_bytes = last.unread_bytes();
        let is_cut = last.look().is_ok_and(|bytes| bytes > 0 && last.is_untouched())
            || last.is_same().is_ok_and(|is_same| !is_same);
        if is_cut {
            self.cut(self.pieces.len() - 1, lost_bytes, context);
        }
        while self.pieces.back().is_some_and(Piece::is_untouched) {
            if self.pieces.len() >= PIECES_MAX {
                return false;
            }
            if self.insert_unread(self.pieces.len() - 1, context).is_none() {
                break;
            }
        }
        true
    }

    /// Whether no more files should be opened until those that are open have been read.
    fn must_wait(&self) -> bool {
        self.pieces.len() >= PIECES_MAX || self.pieces.iter().any(|piece| piece.is_packed() && piece.dirty)
    }

    /// Editors and rsync put a new file, which holds what was in the old one, into its place: reading goes on within it.
    fn continued(&self, piece: Piece, metadata: &Metadata) -> Piece {
        let again = piece.file().and_then(|file| file.try_clone().ok());
        let last = self.pieces.back().filter(|last| !last.is_untouched());
        let mark = last.map(Piece::mark).or_else(|| self.past.clone());
        let (Some(again), Some(mark)) = (again, mark) else { return piece };
        let known = last.map_or(Known { mark: &mark, head: &[] }, |last| last.known(&mark));
        match Piece::resume(again, metadata, known, None) {
            Ok(Match::Whole(same)) if mark.tail.len > 0 => same,
            _ => piece,
        }
    }

    /// Opens a rotated file and puts it into the row. Returns `false`, and says why, if it cannot be read.
    fn attach_member(&mut self, member: &Member, place: usize, context: &mut Context<'_>) -> bool {
        let opened = open_file(&member.path).and_then(|file| {
            let metadata = file.metadata()?;
            Ok((Piece::whole(file, &metadata, context.options.unpack.as_deref())?, metadata))
        });
        match opened {
            Ok((_, metadata)) if FileId::of(&metadata) != member.id => {
                // Renamed since it was listed: list again.
                self.look = true;
                false
            }
            Ok((piece, _)) => {
                self.attach(piece, &member.path, place, context);
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.look = true;
                false
            }
            Err(error) => {
                self.refuse(member, &error);
                false
            }
        }
    }

    /// The file is dealt with unless it changes again.
    pub(crate) fn pass(&mut self, id: FileId, modified_ns: i64) {
        if self.passed.len() == PASSED_MAX {
            self.passed.remove(0);
        }
        self.passed.push((id, modified_ns));
    }

    fn refuse(&mut self, member: &Member, error: &std::io::Error) {
        self.pass(member.id, member.modified_ns);
        let why = Loss::Unreadable { path: member.path.clone(), error: error.to_string() };
        self.say(What::Lost { bytes: None, why });
    }

    /// The rotated files that were not read, oldest first: those after the last piece, or, with `before`, between the
    /// pieces before that index and the piece itself.
    fn newer(&self, before: Option<usize>, live: Option<FileId>, context: &Context<'_>) -> Vec<Member> {
        let lists: Vec<Vec<Member>> = self
            .families()
            .iter()
            .filter_map(|family| family.members().ok())
            .filter(|l| !l.is_empty())
            .collect();
        let known = before.unwrap_or(self.pieces.len());
        let mut found = match self.anchor(&lists, known, context) {
            Some((list, rank)) => lists[list][rank + 1..].to_vec(),
            None => self.without_anchor(lists, known),
        };
        if let Some(piece) = before.map(|index| &self.pieces[index]) {
            match found.iter().position(|member| member.id == piece.id) {
                Some(at) => found.truncate(at),
                None if live == Some(piece.id) => {}
                // It has no name there any more, so only the times tell.
                None => found.retain(|member| member.modified_ns <= piece.modified_ns()),
            }
        }
        found.retain(|member| {
            !self.holds(member.id)
                && !self.passed.contains(&(member.id, member.modified_ns))
                && !self.is_copy(member, known, context)
        });
        found
    }

    /// Where in the lists the newest file is that was read, or is held.
    fn anchor(&self, lists: &[Vec<Member>], known: usize, context: &Context<'_>) -> Option<(usize, usize)> {
        for piece in self.pieces.iter().take(known).rev() {
            let found = find(lists, |member| member.id == piece.id)
                .or_else(|| find(lists, |member| is_copy_of(member, piece, context)));
            if found.is_some() {
                return found;
            }
        }
        let past = Known { mark: self.past.as_ref()?, head: &[] };
        let is_past = |member: &Member| matches!(compare(member, past, context), Match::Whole(_));
        find(lists, |member| member.id == past.mark.id && is_past(member)).or_else(|| find(lists, is_past))
    }

    /// None of the files that were read is left. If there were any, what was written later than they were is new.
    fn without_anchor(&self, lists: Vec<Vec<Member>>, known: usize) -> Vec<Member> {
        let pieces = self.pieces.iter().take(known).map(Piece::modified_ns);
        let newest = pieces.chain(self.past.as_ref().map(|past| past.modified_ns)).max();
        let mut all: Vec<Member> = lists.into_iter().flatten().collect();
        all.retain(|member| newest.is_none_or(|newest| member.modified_ns >= newest));
        all
    }

    /// Whether the file is a copy that somebody made of what was read already.
    fn is_copy(&self, member: &Member, known: usize, context: &Context<'_>) -> bool {
        let past = |mark| matches!(compare(member, Known { mark, head: &[] }, context), Match::Whole(_));
        self.pieces.iter().take(known).any(|piece| is_copy_of(member, piece, context))
            || self.past.as_ref().is_some_and(|mark| mark.tail.len > 0 && past(mark))
    }

    /// Before anything is taken of a file: are there others that come before it? Then the first is put before it. So a
    /// file that was copied and emptied before we had read anything of it is seen.
    pub(crate) fn insert_unread(&mut self, index: usize, context: &mut Context<'_>) -> Option<PathBuf> {
        let live = fs::metadata(&self.path).ok().map(|metadata| FileId::of(&metadata));
        let mut unread = self.newer(Some(index), live, context);
        if let Some(file) = self.pieces[index].file() {
            unread.retain(|member| !is_copy_of_live(member, file, context));
        }
        unread.into_iter().find(|member| self.attach_member(member, index, context)).map(|member| member.path)
    }

    /// The file of a piece was emptied, and perhaps written anew; `lost_bytes` had been seen in it and not read.
    pub(crate) fn cut(&mut self, index: usize, lost_bytes: u64, context: &mut Context<'_>) {
        let piece = &self.pieces[index];
        let copied = if piece.is_untouched() {
            self.insert_unread(index, context)
        } else {
            let mark = piece.mark();
            self.copy_of(index, &mark, context).map(|(copy, path)| {
                self.attach(copy, &path, index, context);
                path
            })
        };
        let cut = index + usize::from(copied.is_some());
        if let Some(piece) = self.pieces.get_mut(cut) {
            piece.start_again();
        }
        let is_lost = copied.is_none() && lost_bytes > 0;
        self.say(What::Truncated { copy: copied });
        if is_lost {
            self.say(What::Lost { bytes: Some(lost_bytes), why: Loss::Truncated });
        }
    }

    /// The copy that was made before the piece's file was emptied, to be read on from where the piece was.
    fn copy_of(&self, index: usize, mark: &Mark, context: &Context<'_>) -> Option<(Piece, PathBuf)> {
        let known = self.pieces[index].known(mark);
        let mut shorter = None;
        for family in self.families() {
            for member in family.members().unwrap_or_default().into_iter().rev() {
                if self.holds(member.id) {
                    continue;
                }
                match compare(&member, known, context) {
                    Match::Whole(piece) => return Some((piece, member.path)),
                    Match::Shorter(piece) if shorter.is_none() => shorter = Some((piece, member.path)),
                    Match::Shorter(_) | Match::Other => {}
                }
            }
        }
        shorter
    }

    /// Finds where to begin. Returns `false` if that must wait until the file may be read.
    pub(crate) fn begin(&mut self, context: &mut Context<'_>) -> bool {
        let live = self.open_live(context);
        if matches!(live, Live::Failed) {
            // The file may be the one that was read; it cannot be if another inode is there.
            let Some(Begin::Stored(position)) = &self.begin else { return false };
            let inode = fs::metadata(&self.path).ok().map(|metadata| FileId::of(&metadata).inode);
            if inode
                .is_none_or(|inode| position.marks.iter().any(|mark| !mark.done && mark.id.inode == inode))
            {
                return false;
            }
        }
        match self.begin.take() {
            None => {}
            Some(Begin::Stored(position)) => self.resume(&position, context),
            Some(Begin::Fresh(start)) => self.start(start, live, context),
        }
        true
    }

    fn start(&mut self, start: Start, live: Live, context: &mut Context<'_>) {
        let lists = self.families().iter().filter_map(|family| family.members().ok()).collect::<Vec<_>>();
        let mut read = lists.iter().flatten().filter(|member| match start {
            Start::End | Start::Beginning => true,
            Start::Since(time) => {
                let since = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
                i128::from(member.modified_ns) < since.as_nanos() as i128
            }
        });
        let unpack = context.options.unpack.as_deref();
        self.past = read.next_back().and_then(|member| {
            let file = open_file(&member.path).ok()?;
            let metadata = file.metadata().ok()?;
            Piece::mark_of_all(file, &metadata, unpack).ok()
        });
        if let (Start::End, Live::File(file, metadata)) = (start, live)
            && let Ok(piece) = Piece::at_end(file, &metadata, context.options.line_bytes_max)
        {
            self.attach(piece, &self.path.clone(), 0, context);
            self.front_arrived(true);
        }
    }

    fn resume(&mut self, position: &Position, context: &mut Context<'_>) {
        for mark in &position.marks {
            if mark.done {
                self.past = Some(mark.clone());
                continue;
            }
            if let Some((piece, path)) = self.find(mark, context) {
                self.attach(piece, &path, self.pieces.len(), context);
            } else {
                self.say(What::Lost { bytes: None, why: Loss::Gone });
                if self.past.is_none() {
                    self.past = Some(Mark { done: true, ..mark.clone() });
                }
            }
        }
    }

    /// The file of a mark: by inode, or a copy.
    fn find(&self, mark: &Mark, context: &Context<'_>) -> Option<(Piece, PathBuf)> {
        let known = Known { mark, head: &[] };
        let mut candidates: Vec<(PathBuf, Option<FileId>)> = Vec::new();
        let live = fs::metadata(&self.path).ok().map(|metadata| FileId::of(&metadata));
        candidates.push((self.path.clone(), live));
        for family in self.families() {
            let members = family.members().unwrap_or_default().into_iter().rev();
            candidates.extend(members.map(|member| (member.path, Some(member.id))));
        }
        candidates.retain(|(_, id)| id.is_some_and(|id| !self.holds(id)));
        // The inode first: a copy may be older than what was read.
        candidates.sort_by_key(|(_, id)| id.is_none_or(|id| id.inode != mark.id.inode));
        let mut shorter = None;
        for (path, _) in candidates {
            match compare_path(&path, known, context) {
                Match::Whole(piece) => return Some((piece, path)),
                // Another file at the path is rather the next one, which begins alike.
                Match::Shorter(piece) if shorter.is_none() && (path != self.path || piece.id == mark.id) => {
                    shorter = Some((piece, path));
                }
                Match::Shorter(_) | Match::Other => {}
            }
        }
        shorter
    }
}

/// Whether it is a copy of the file that is going to be read: made in order to empty that, which has not happened yet, or
/// for another purpose.
fn is_copy_of_live(member: &Member, live: &File, context: &Context<'_>) -> bool {
    begins_with(live, &member.path, context.options.unpack.as_deref())
}

/// Whether it is a copy of a file that is held: packed meanwhile, or moved to another disk.
fn is_copy_of(member: &Member, piece: &Piece, context: &Context<'_>) -> bool {
    let begins = |file: &File| begins_with(file, &member.path, context.options.unpack.as_deref());
    let is_whole = || matches!(compare(member, piece.known(&piece.mark()), context), Match::Whole(_));
    piece.file().is_some_and(begins) || (!piece.is_untouched() && is_whole())
}

fn compare(member: &Member, known: Known<'_>, context: &Context<'_>) -> Match {
    compare_path(&member.path, known, context)
}

/// A file that cannot be read is another one.
fn compare_path(path: &Path, known: Known<'_>, context: &Context<'_>) -> Match {
    let unpack = context.options.unpack.as_deref();
    let found = open_file(path).and_then(|file| {
        let metadata = file.metadata()?;
        if metadata.is_file() { Piece::resume(file, &metadata, known, unpack) } else { Ok(Match::Other) }
    });
    found.unwrap_or(Match::Other)
}

fn find(lists: &[Vec<Member>], mut is_it: impl FnMut(&Member) -> bool) -> Option<(usize, usize)> {
    // The newest: of two copies the later has more.
    lists
        .iter()
        .enumerate()
        .find_map(|(list, members)| members.iter().rposition(&mut is_it).map(|rank| (list, rank)))
}
