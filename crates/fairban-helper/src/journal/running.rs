//! The `journalctl` that runs now, so that it ends when the worker does.

use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};

/// Shared by the thread that reads and the one that is told to leave.
#[derive(Clone, Debug, Default)]
pub(crate) struct Running(Arc<Mutex<Slot>>);

#[derive(Debug, Default)]
struct Slot {
    child: Option<Child>,
    closed: bool,
}

impl Running {
    /// It runs.
    pub(super) fn put(&self, child: Child) {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.child = Some(child);
        if slot.closed {
            end(slot.child.take());
        }
    }

    /// It has closed its output, so it ends or is of no more use. How it ended, if it did so by itself.
    pub(super) fn end(&self) -> Option<std::io::Result<ExitStatus>> {
        let child = self.0.lock().unwrap_or_else(PoisonError::into_inner).child.take();
        end(child)
    }

    /// Ends it, and whatever comes after it.
    pub(crate) fn close(&self) {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.closed = true;
        end(slot.child.take());
    }
}

/// A process that ends already keeps the status it chose.
fn end(child: Option<Child>) -> Option<std::io::Result<ExitStatus>> {
    let mut child = child?;
    // It may be gone.
    let _ = child.kill();
    Some(child.wait())
}
