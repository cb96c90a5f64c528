//! inotify: who wants to know of what, and what the kernel said.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use crate::happening::WhyPolling;
use crate::log::Context;
use crate::source::InputId;
use crate::trace::{Name, Want, trace};

/// Room for what one read brings: a few thousand changes.
const EVENT_BYTES: usize = 64 * 1024;

/// Changes read in one go. More wait in the kernel's queue, whose overflow it reports.
const READS_MAX: usize = 64;

/// How often a path is followed again because it changed meanwhile. After that the next change tells.
const TRACES_MAX: usize = 8;

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// The input whose path leads through the folder.
    Path(InputId),
    /// The input that holds the file, and which of its files.
    File(InputId, u64),
    /// The pattern of this number.
    Glob(usize),
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Change {
    /// A file came to the name that a path ends in: created, or moved there.
    pub(crate) arrived: bool,
    /// A writer closed the file.
    pub(crate) closed: bool,
    /// Bytes were written to the file.
    pub(crate) written: bool,
    /// The watch is no more: what it was on is gone.
    pub(crate) ended: bool,
}

struct Interest {
    owner: Owner,
    /// `None`: every change.
    name: Option<OsString>,
    /// The name is that of the file itself, not of a link or folder on the way.
    is_file: bool,
}

/// The kernel's queue of changes.
pub(crate) struct Watches {
    queue: OwnedFd,
    interests: BTreeMap<i32, Vec<Interest>>,
    buffer: Vec<MaybeUninit<u8>>,
}

impl fmt::Debug for Watches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watches").field("watches", &self.interests.len()).finish_non_exhaustive()
    }
}

impl Watches {
    pub(crate) fn new() -> io::Result<Watches> {
        let queue = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let buffer = vec![MaybeUninit::uninit(); EVENT_BYTES];
        Ok(Watches { queue, interests: BTreeMap::new(), buffer })
    }

    /// Watches exactly the folders in `wants` for `owner`, and those that it wanted before no longer. `reached`: the last
    /// of them is the folder of the file itself.
    ///
    /// # Errors
    /// The first that could not be watched; the others are.
    pub(crate) fn set_folders(
        &mut self,
        owner: Owner,
        wants: &[Want],
        reached: bool,
    ) -> Result<(), (PathBuf, io::Error)> {
        let mut refused = None;
        let mut wanted = Vec::with_capacity(wants.len());
        for (index, want) in wants.iter().enumerate() {
            let is_file = reached && index + 1 == wants.len();
            match inotify::add_watch(&self.queue, &want.folder, folder_flags(&want.name)) {
                Ok(watch) => {
                    let name = if let Name::Is(name) = &want.name { Some(name.clone()) } else { None };
                    wanted.push((watch, Interest { owner, name, is_file }));
                }
                // Gone since it was traced: the next trace tells.
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(error) => {
                    refused.get_or_insert_with(|| (want.folder.clone(), io::Error::from(error)));
                }
            }
        }
        self.replace(owner, wanted);
        refused.map_or(Ok(()), Err)
    }

    /// Watches the very file that is open, whatever its name is by now.
    pub(crate) fn add_file(&mut self, owner: Owner, file: &File, path: &Path) -> io::Result<()> {
        let flags = WatchFlags::MODIFY
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::ATTRIB
            | WatchFlags::MOVE_SELF
            | WatchFlags::DELETE_SELF
            | WatchFlags::MASK_ADD;
        let exact = format!("/proc/self/fd/{}", file.as_raw_fd());
        let watch = match inotify::add_watch(&self.queue, exact.as_str(), flags) {
            // Without /proc the name must do; the caller looks at the name again afterwards.
            Err(Errno::NOENT) => inotify::add_watch(&self.queue, path, flags)?,
            other => other?,
        };
        self.replace(owner, vec![(watch, Interest { owner, name: None, is_file: false })]);
        Ok(())
    }

    /// Forgets all that was watched for `owner`.
    pub(crate) fn drop_owner(&mut self, owner: Owner) {
        self.replace(owner, Vec::new());
    }

    fn replace(&mut self, owner: Owner, wanted: Vec<(i32, Interest)>) {
        // New ones first, so that what stays is watched without a gap.
        let kept: Vec<i32> = wanted.iter().map(|(watch, _)| *watch).collect();
        for interests in self.interests.values_mut() {
            interests.retain(|interest| interest.owner != owner);
        }
        for (watch, interest) in wanted {
            self.interests.entry(watch).or_default().push(interest);
        }
        let queue = &self.queue;
        self.interests.retain(|watch, interests| {
            let needed = !interests.is_empty() || kept.contains(watch);
            if !needed {
                // Fails if the kernel has ended it already.
                let _ = inotify::remove_watch(queue, *watch);
            }
            needed
        });
    }

    /// Hands each waiting change to `tell`. Returns whether the queue overflowed, that is, anything may have changed.
    pub(crate) fn drain(&mut self, mut tell: impl FnMut(Owner, Change)) -> io::Result<bool> {
        let mut overflow = false;
        let mut reader = inotify::Reader::new(self.queue.as_fd(), &mut self.buffer);
        let mut reads = 0;
        loop {
            if reader.is_buffer_empty() {
                reads += 1;
                if reads > READS_MAX {
                    return Ok(overflow);
                }
            }
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => return Ok(overflow),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let flags = event.events();
            overflow |= flags.contains(ReadFlags::QUEUE_OVERFLOW);
            let change = Change {
                arrived: flags.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO),
                closed: flags.contains(ReadFlags::CLOSE_WRITE),
                written: flags.contains(ReadFlags::MODIFY),
                ended: flags.intersects(ReadFlags::IGNORED | ReadFlags::UNMOUNT),
            };
            let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
            for interest in self.interests.get(&event.wd()).into_iter().flatten() {
                let meant = match (name, &interest.name) {
                    (Some(name), Some(wanted)) => name == wanted,
                    _ => true,
                };
                if meant {
                    tell(interest.owner, Change { arrived: change.arrived && interest.is_file, ..change });
                }
            }
            if flags.contains(ReadFlags::IGNORED) {
                self.interests.remove(&event.wd());
            }
        }
    }
}

impl AsFd for Watches {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }
}

fn folder_flags(name: &Name) -> WatchFlags {
    let itself = WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF | WatchFlags::ONLYDIR | WatchFlags::MASK_ADD;
    match name {
        Name::Itself => itself,
        // The mode of what is in the folder, or of the folder itself, may be what kept us from reading.
        Name::Is(_) | Name::Any => {
            itself
                | WatchFlags::CREATE
                | WatchFlags::MOVED_TO
                | WatchFlags::MOVED_FROM
                | WatchFlags::DELETE
                | WatchFlags::ATTRIB
        }
    }
}

/// Watches all that `path` leads through, for the input. Returns the path without links, and why it must be looked at all
/// the time, if so. What changes between tracing and watching is seen by tracing again.
pub(crate) fn watch_path(
    path: &Path,
    input: InputId,
    context: &mut Context<'_>,
) -> (PathBuf, Option<WhyPolling>) {
    let mut found = trace(path);
    let mut polling = Some(WhyPolling::NoWatches);
    if let Some(watches) = context.watches.as_deref_mut() {
        for _ in 0..TRACES_MAX {
            let refused = watches.set_folders(Owner::Path(input), &found.wants, found.reached).err();
            polling = refused.map(|(path, error)| why_unwatched(path, &error));
            let again = trace(path);
            let same = again.wants == found.wants;
            found = again;
            if same {
                break;
            }
        }
    }
    if !context.options.inotify {
        polling = Some(WhyPolling::TurnedOff);
    }
    let folder = found.real.ancestors().skip(1).find(|folder| folder.exists());
    let foreign = folder.and_then(foreign_file_system).map(WhyPolling::FileSystem);
    (found.real, polling.or(foreign))
}

pub(crate) fn why_unwatched(path: PathBuf, error: &io::Error) -> WhyPolling {
    match error.kind() {
        io::ErrorKind::StorageFull => WhyPolling::NoWatches,
        _ => WhyPolling::Folder { path, error: error.to_string() },
    }
}

/// The name of a file system on which others write without this kernel's knowledge.
fn foreign_file_system(path: &Path) -> Option<&'static str> {
    // From the kernel's magic.h and the file systems' own headers.
    const FOREIGN: [(u64, &str); 14] = [
        (0x6969, "NFS"),
        (0x517b, "SMB"),
        (0xff53_4d42, "CIFS"),
        (0xfe53_4d42, "SMB2"),
        (0x6573_5546, "FUSE"),
        (0x0102_1997, "9P"),
        (0x00c3_6400, "Ceph"),
        (0x5346_414f, "AFS"),
        (0x6b41_4653, "AFS"),
        (0x0bd0_0bd0, "Lustre"),
        (0x0116_1970, "GFS2"),
        (0x7461_636f, "OCFS2"),
        (0x7375_7245, "Coda"),
        (0x786f_4256, "vboxsf"),
    ];
    // The kernel keeps the number in 32 bits; wider words may hold its sign.
    let kind = u64::from(rustix::fs::statfs(path).ok()?.f_type as u32);
    FOREIGN.iter().find(|(number, _)| *number == kind).map(|(_, name)| *name)
}
