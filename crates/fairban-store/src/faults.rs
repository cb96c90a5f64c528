//! A disk that fails on command, for tests: full after so many bytes, read-only, or refusing one verb.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::disk::{Disk, DiskFile, Listed, Purpose, RealDisk};

/// Shared by the disk and the files opened on it.
#[derive(Debug)]
pub struct Faults {
    /// Bytes that may still be written; a write beyond takes what fits, and the next one fails.
    pub room: AtomicU64,
    /// Nothing may be changed.
    pub read_only: AtomicBool,
    /// Cutting a file fails.
    pub no_cut: AtomicBool,
    /// Removing a file fails.
    pub no_remove: AtomicBool,
    /// fdatasync and fsync fail.
    pub no_sync: AtomicBool,
    /// How often something was forced onto the disk.
    pub syncs: AtomicU64,
    /// How often write(2) was called.
    pub writes: AtomicU64,
}

/// The machine's disk, with the faults that were asked for.
#[derive(Clone, Debug)]
pub struct FaultyDisk(
    /// What is wrong with it.
    pub Arc<Faults>,
);

impl Default for FaultyDisk {
    fn default() -> FaultyDisk {
        FaultyDisk::new()
    }
}

impl FaultyDisk {
    /// A disk without faults.
    pub fn new() -> FaultyDisk {
        FaultyDisk(Arc::new(Faults {
            room: AtomicU64::new(u64::MAX),
            read_only: AtomicBool::new(false),
            no_cut: AtomicBool::new(false),
            no_remove: AtomicBool::new(false),
            no_sync: AtomicBool::new(false),
            syncs: AtomicU64::new(0),
            writes: AtomicU64::new(0),
        }))
    }

    /// Turns a fault on or off.
    pub fn set(flag: &AtomicBool, on: bool) {
        flag.store(on, Ordering::Relaxed);
    }

    /// So many bytes may still be written.
    pub fn set_room(&self, bytes: u64) {
        self.0.room.store(bytes, Ordering::Relaxed);
    }
}

impl Faults {
    fn writable(&self) -> io::Result<()> {
        if self.read_only.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        Ok(())
    }

    fn fail_if(flag: &AtomicBool) -> io::Result<()> {
        if flag.load(Ordering::Relaxed) { Err(io::Error::from_raw_os_error(5)) } else { Ok(()) }
    }

    fn sync(&self) -> io::Result<()> {
        Faults::fail_if(&self.no_sync)?;
        self.syncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Disk for FaultyDisk {
    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.make_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Listed>> {
        RealDisk.list(dir)
    }

    fn read(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
        RealDisk.read(path, bytes_max)
    }

    fn open(&self, path: &Path, purpose: Purpose) -> io::Result<Box<dyn DiskFile>> {
        self.0.writable()?;
        let file = RealDisk.open(path, purpose)?;
        Ok(Box::new(FaultyFile { file, faults: Arc::clone(&self.0) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.writable()?;
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.writable()?;
        Faults::fail_if(&self.0.no_remove)?;
        RealDisk.remove(path)
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        self.0.sync()
    }
}

#[derive(Debug)]
struct FaultyFile {
    file: Box<dyn DiskFile>,
    faults: Arc<Faults>,
}

impl DiskFile for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.faults.writable()?;
        self.faults.writes.fetch_add(1, Ordering::Relaxed);
        let room = self.faults.room.load(Ordering::Relaxed);
        let fits = bytes.len().min(room.min(usize::MAX as u64) as usize);
        if fits == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let written = self.file.write(&bytes[..fits])?;
        if room != u64::MAX {
            self.faults.room.store(room - written as u64, Ordering::Relaxed);
        }
        Ok(written)
    }

    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        self.faults.writable()?;
        Faults::fail_if(&self.faults.no_cut)?;
        self.file.set_len(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.faults.sync()
    }
}
