//! [`remove_everything`]: for the moment in which nothing else helps.

use rustix::thread::{name, set_name};

use crate::nft::{LimitsTable, SOURCES_MAX, Settings, Table};

/// What this thread calls itself meanwhile. The kernel tells a living `fairban-fw` who took its table away, and from
/// this name it learns not to put it back. Who may take it away may do anything to it, so nothing is given away.
pub(crate) const PANIC: &str = "fairban-panic";

/// Why something of ours may still be in the kernel.
#[derive(Debug, thiserror::Error)]
#[error("{0}; run as root, and stop fairban-fw if it owns the table")]
pub struct RemoveError(String);

/// Takes everything of ours out of the kernel, at once, whether `fairban-fw` lives or not. One that lives forgets its
/// bans; new orders to it are carried out again. Harmless where nothing is.
///
/// # Errors
/// We are not root, or the table is owned by a living `fairban-fw` (its option `--own-table`).
pub fn remove_everything() -> Result<(), RemoveError> {
    let failed = |error: &dyn std::fmt::Display| RemoveError(error.to_string());
    let mut table = Table::open(Settings::default()).map_err(|error| failed(&error))?;
    let mut limits = LimitsTable::open(table.features, SOURCES_MAX).map_err(|error| failed(&error))?;
    let before = name().map_err(|errno| failed(&errno))?;
    set_name(c"fairban-panic").map_err(|errno| failed(&errno))?;
    let removed = table.remove().and(limits.remove()).map_err(|error| failed(&error));
    // A wrong name harms nobody.
    let _ = set_name(&before);
    removed
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_name_fits_into_what_the_kernel_keeps_of_it() {
        assert!(super::PANIC.len() < 16 && super::PANIC.as_bytes() == c"fairban-panic".to_bytes());
    }
}
