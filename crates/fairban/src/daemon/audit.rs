//! `fairban audit`: proves that what the service remembers follows from what it was given.
//!
//! A desk of its own takes the journal's entries after the oldest snapshot, and is compared with each later one. The
//! service came to those snapshots across any number of restarts and crashes, this desk without any.

mod told;

use std::collections::BTreeMap;
use std::io::{self, BufWriter};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use fairban_core::effect::Effect;
use fairban_store::disk::RealDisk;
use fairban_store::journal::{self, Record};
use fairban_store::snapshots::{Snapshots, Unusable};
use fairban_store::state_dir::{self, StateDir};

use self::told::Told;
use super::desk::{Desk, Entry};
use super::left::blank;
use crate::cli::AuditArgs;
use crate::config::{Config, Paths};
use crate::error::{Failure, Kind, shown};

/// Looks at a state directory. Fails where there is nothing to look at; what is wrong with it is told, and makes the exit
/// code that of a finding.
pub(crate) fn audit(args: &AuditArgs) -> Result<ExitCode, Failure> {
    let dir = directory(args)?;
    let state = StateDir::look(&dir).map_err(|error| {
        let held = matches!(error, state_dir::Error::Held { .. });
        let failure = Failure::new(Kind::Environment, format!("cannot look at the state in {}", shown(&dir)))
            .caused_by(&error);
        if held {
            failure.hint("stop the service first: what it writes meanwhile would look like a fault")
        } else {
            failure
        }
    })?;
    let stdout = io::stdout().lock();
    let mut audit = Audit {
        told: Told::new(BufWriter::new(stdout), args.json, args.events),
        snapshots: Snapshots::new(&state.snapshots()),
        ahead: Vec::new(),
        desk: None,
        broken: false,
        compared: 0,
    };
    audit.look(&state)
}

fn directory(args: &AuditArgs) -> Result<PathBuf, Failure> {
    if let Some(dir) = &args.state_dir {
        return Ok(dir.clone());
    }
    super::run::load(&Paths::new(args.config.as_deref())).map(|config: Config| config.state_dir.value)
}

struct Audit<'a> {
    told: Told<BufWriter<io::StdoutLock<'a>>>,
    snapshots: Snapshots,
    /// Snapshots that were not reached yet, the next one last.
    ahead: Vec<u64>,
    /// `None` until the first entry has told the key.
    desk: Option<Desk>,
    /// Entries are missing before the next one: what comes now follows from the next snapshot.
    broken: bool,
    compared: u64,
}

impl Audit<'_> {
    fn look(&mut self, state: &StateDir) -> Result<ExitCode, Failure> {
        let failed = |error: &dyn std::error::Error| {
            Failure::new(Kind::Environment, "cannot look at the journal").caused_by(error)
        };
        let found = journal::survey(&RealDisk, &state.journal()).map_err(|error| failed(&error))?;
        self.ahead = self.snapshots.seqs().map_err(|error| failed(&error))?;
        for torn in &found.torn {
            let text = format!("{} bytes at the journal's end are not whole", torn.bytes);
            // One batch that a kill cut short is no fault: the service had not taken it.
            if torn.records > 0 { self.told.trouble(&text)? } else { self.told.note(&text)? }
        }
        let has_all = found.first == 1 && found.next > 1;
        if !has_all && !self.begin_with_oldest()? {
            let failure =
                Failure::new(Kind::Environment, format!("there is no state in {}", shown(state.path())));
            return Err(
                failure.hint("name the directory with --state-dir, or its configuration with --config")
            );
        }
        let from = self.desk.as_ref().map_or(1, |desk| desk.seq() + 1);
        let last = found.next - 1;
        let records = journal::read(Arc::new(RealDisk), &state.journal(), from, last);
        for record in records.map_err(|error| failed(&error))? {
            match record {
                Ok(record) => self.record(&record)?,
                Err(error) => {
                    self.told.trouble(&error.to_string())?;
                    self.broken = true;
                }
            }
        }
        self.reach(u64::MAX)?;
        self.end(from)
    }

    /// Begins with the oldest snapshot that can be read; `false` if there is none.
    fn begin_with_oldest(&mut self) -> Result<bool, Failure> {
        while let Some(seq) = self.ahead.pop() {
            match self.restore(seq) {
                Ok(desk) => {
                    self.desk = Some(desk);
                    return Ok(true);
                }
                Err(why) => self.told.trouble(&why)?,
            }
        }
        Ok(false)
    }

    fn restore(&self, seq: u64) -> Result<Desk, String> {
        let snapshot = self.snapshots.load(seq).map_err(|error: Unusable| error.to_string())?;
        Desk::restore(&snapshot.bytes).map_err(|error| format!("the snapshot at {seq}: {error}"))
    }

    fn record(&mut self, record: &Record) -> Result<(), Failure> {
        self.reach(record.seq)?;
        let Ok(entry) = postcard::from_bytes::<Entry>(&record.bytes) else {
            self.broken = true;
            return self.told.trouble(&format!("entry {} cannot be understood", record.seq));
        };
        let desk = match (&mut self.desk, &entry) {
            (Some(desk), _) => desk,
            (none, Entry::Configured { config, .. }) => none.insert(blank(config)?),
            (None, _) => return self.told.trouble("the journal does not begin with a configuration"),
        };
        let mut effects = Vec::new();
        desk.take(record.seq, &entry, &mut effects);
        effects.retain(|effect| !matches!(effect, Effect::Seen(_)));
        self.told.entry(record.seq, &entry, desk, &effects)
    }

    /// Compares with the snapshots before entry `next`.
    fn reach(&mut self, next: u64) -> Result<(), Failure> {
        while let Some(seq) = self.ahead.pop_if(|seq| *seq < next) {
            let kept = match self.restore(seq) {
                Ok(kept) => kept,
                Err(why) => {
                    self.told.trouble(&why)?;
                    continue;
                }
            };
            let reached = self.desk.as_ref().map_or(0, Desk::seq);
            if reached < seq && !self.broken {
                // The disk took no entries for a while, and then the whole desk instead.
                let text =
                    format!("entries {} to {seq} are in a snapshot alone: nothing to compare", reached + 1);
                self.told.note(&text)?;
            } else if !self.broken {
                let difference = self.desk.as_ref().map_or(Some("everything"), |desk| desk.difference(&kept));
                self.compared += 1;
                if let Some(what) = difference {
                    let text =
                        format!("the snapshot at {seq} does not follow from the journal: {what} differs");
                    self.told.trouble(&text)?;
                }
            }
            if reached < seq || self.broken {
                self.broken = false;
                self.desk = Some(kept);
            }
        }
        Ok(())
    }

    fn end(&mut self, from: u64) -> Result<ExitCode, Failure> {
        let mut counts: BTreeMap<&'static str, u64> = self.told.counts().clone();
        counts.insert("snapshots", self.compared);
        let desk = self.desk.as_ref();
        counts.insert("bans", desk.map_or(0, |desk| desk.bans().len() as u64));
        self.told.summary(from, desk.map_or(0, Desk::seq), &counts)?;
        Ok(if self.told.is_trouble() { ExitCode::from(Kind::Finding.code()) } else { ExitCode::SUCCESS })
    }
}
