//! What a service left that does not run: its desk, taken up without changing anything.

use std::path::Path;
use std::sync::Arc;

use fairban_core::engine::Config as EngineConfig;
use fairban_store::disk::RealDisk;
use fairban_store::journal;
use fairban_store::snapshots::Snapshots;
use fairban_store::state_dir::StateDir;

use super::desk::{Desk, Entry};
use super::keeper::Blank;
use super::run::RULE;
use crate::error::{Failure, Kind, shown};

/// The desk in a state's folder: the newest snapshot that can be read, and the journal's entries after it.
///
/// # Errors
/// There is none, a service holds it, or it cannot be read by who asks.
pub(crate) fn desk(dir: &Path) -> Result<Desk, Failure> {
    let failed = |error: &dyn std::error::Error| {
        Failure::new(Kind::Environment, format!("cannot look at the state in {}", shown(dir)))
            .caused_by(error)
            .hint("root and the service's user may read it")
    };
    let state = StateDir::look(dir).map_err(|error| failed(&error))?;
    let restore =
        |found: &fairban_store::snapshots::Snapshot| Desk::restore(&found.bytes).map_err(|e| e.to_string());
    let found = Snapshots::new(&state.snapshots()).load_newest_as(restore).map_err(|error| failed(&error))?;
    let mut desk = found.newest.map(|(_, desk)| desk);
    let survey = journal::survey(&RealDisk, &state.journal()).map_err(|error| failed(&error))?;
    let from = desk.as_ref().map_or(1, |desk| desk.seq() + 1);
    let records = journal::read(Arc::new(RealDisk), &state.journal(), from, survey.next.saturating_sub(1))
        .map_err(|error| failed(&error))?;
    // What is damaged is passed over, as the service does when it starts.
    for record in records.filter_map(Result::ok) {
        let Ok(entry) = postcard::from_bytes::<Entry>(&record.bytes) else { continue };
        let desk = match (&mut desk, &entry) {
            (Some(desk), _) => desk,
            (none, Entry::Configured { config, .. }) => none.insert(blank(config)?),
            (None, _) => continue,
        };
        desk.take(record.seq, &entry, &mut Vec::new());
    }
    desk.ok_or_else(|| {
        Failure::new(Kind::Environment, format!("there is no state in {}", shown(dir)))
            .hint("start the service: fairban run")
    })
}

/// The desk that began with this configuration.
pub(super) fn blank(config: &EngineConfig) -> Result<Desk, Failure> {
    let rule = RULE.parse().map_err(|why: String| Failure::new(Kind::Internal, why))?;
    Ok(Blank { key: config.key, rule }.desk())
}
