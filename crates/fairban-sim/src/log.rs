//! The log of a world and the truth beside it, for scoring any tool.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::cast::{Ask, play, roster};
use crate::judge::Kind;

/// Why a log could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {source}; name a folder that you may write to")]
pub(crate) struct CannotWrite {
    path: String,
    source: std::io::Error,
}

/// Writes `maillog`, `truth.json` and `meta.json` of a seed into a folder. Nobody is banned in it.
pub(crate) fn write(seed: u64, ask: &Ask, folder: &Path) -> Result<usize, CannotWrite> {
    let roster = roster(ask.people);
    let world = play(seed, ask, &roster, Kind::Nobody, true);
    let tape = world.tape.as_ref();
    let (text, lines) = tape.map_or(("", 0), |tape| (tape.text(), tape.rows.len()));
    let truth = tape.map(|tape| tape.truth(|profile| roster[profile].name)).unwrap_or_default();
    let meta = json!({
        "seed": seed,
        "hours": ask.length.as_secs() / 3_600,
        "format": world.format().name(),
        "year": 2026,
        "timezone": "UTC",
        "lines": lines,
    });
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |source| CannotWrite { path, source }
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    let files = [
        ("maillog", text.to_owned()),
        ("truth.json", json!(truth).to_string()),
        ("meta.json", meta.to_string()),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        fs::write(&path, text).map_err(failed(&path))?;
    }
    Ok(lines)
}
