//! The configuration as the running service takes it, again and again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::Sender;
use fairban_control::Running;
use fairban_core::engine::Config as EngineConfig;
use fairban_follow::{Source, Waker};
use fairban_wall::Raised;

use super::assistant::{self, Alarm};
use super::desk::Mode;
use super::helped;
use super::intake::Reading;
use super::reading::{Matcher, Order, Readings};
use crate::config::{self, Applies, Config, InputSource, Listen, Paths};
use crate::error::shown;
use crate::input::live::{self, Plan};

/// What a reload changes at the desk.
pub(crate) struct Settings {
    pub(crate) config: EngineConfig,
    /// Of a state that begins.
    pub(crate) mode: Mode,
    /// Sentences for the operator: what needs a restart.
    pub(crate) remarks: Vec<String>,
    /// Bans close everything.
    pub(crate) all_ports: bool,
}

/// Reads the configuration again.
pub(crate) trait Reload: Send {
    /// # Errors
    /// What is wrong with it, all at once; nothing has changed then.
    fn reload(&mut self) -> Result<Settings, String>;
}

/// Of the configuration's files.
pub(crate) struct FromFiles {
    pub(crate) paths: Paths,
    pub(crate) root: PathBuf,
    pub(crate) current: Config,
    /// What is read by it.
    pub(crate) sources: Vec<InputSource>,
    pub(crate) reader: Sender<Order>,
    pub(crate) waker: Waker,
    /// How the helper is told, if there is one.
    pub(crate) helper: Option<(Sender<assistant::Order>, Alarm)>,
    /// They never open again: what lies outside needs a restart.
    pub(crate) walls: Raised,
    pub(crate) control: Arc<Running>,
}

impl Reload for FromFiles {
    fn reload(&mut self) -> Result<Settings, String> {
        let loaded = Config::load(&self.paths).map_err(|report| {
            let told: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
            told.join("; ")
        })?;
        let mut plan = live::plan(&loaded.config, &self.root);
        let outside = self.outside(&mut plan)?;
        let changes = config::diff(&self.current, &loaded.config);
        let mut remarks: Vec<String> = changes
            .iter()
            .filter(|change| change.applies == Applies::Restart)
            .map(|change| format!("{} takes effect when the service is started again", change.key))
            .collect();
        remarks.extend(outside);
        let (sources, readings) = sources(&plan);
        // The reader ends only when the service does.
        let _ = self.reader.send(Order::Follow(sources, readings));
        self.waker.wake();
        let asked = assistant::config(&loaded.config, &plan, None);
        match &self.helper {
            Some((orders, alarm)) => {
                let _ = orders.send(assistant::Order::Configure(asked, helped::inputs(&plan)));
                alarm.ring();
            }
            None if !asked.is_idle() => {
                remarks.push(
                    "fairban-helper is needed now, and is started with the service only: restart it"
                        .to_owned(),
                );
            }
            None => {}
        }
        self.control.allow_readers(loaded.config.control.status_for_all.value);
        self.sources = plan.inputs.into_iter().map(|input| input.source).collect();
        self.current = loaded.config;
        Ok(Settings {
            config: engine_config(&self.current),
            mode: first_mode(&self.current),
            remarks,
            all_ports: self.current.bans.all_ports.value,
        })
    }
}

impl FromFiles {
    /// Takes inputs out of the plan that were found where the walls do not let us read, and tells of them.
    ///
    /// # Errors
    /// A configured one is there: the operator wants it, so nothing of the configuration is taken without it.
    fn outside(&self, plan: &mut Plan) -> Result<Vec<String>, String> {
        let is_outside =
            |source: &InputSource| !self.sources.contains(source) && !reaches(&self.walls, source);
        let named = |found: bool| {
            let inputs = plan.inputs.iter().filter(move |input| input.origin.is_none() == found);
            inputs.map(|input| &input.source).filter(|source| is_outside(source)).filter_map(place)
        };
        let configured: Vec<String> = named(false).map(shown).collect();
        if !configured.is_empty() {
            return Err(format!(
                "restart needed: the walls that went up at the start do not let the service reach {}; restart it, and it \
                 reads on where it was",
                configured.join(", ")
            ));
        }
        let found =
            named(true).map(|path| format!("{} is read when the service is started again", shown(path)));
        let remarks = found.collect();
        plan.inputs.retain(|input| !is_outside(&input.source));
        Ok(remarks)
    }
}

/// Whether the walls let us read an input, and make its socket.
fn reaches(walls: &Raised, source: &InputSource) -> bool {
    let Some(path) = place(source) else { return true };
    match source {
        InputSource::Syslog(_) => path.parent().is_some_and(|folder| walls.may_write(folder)),
        // Rotation makes new files in its folder; of a pattern, what stands before its first sign.
        InputSource::File(_) | InputSource::Pipe(_) => {
            let folder = path.ancestors().skip(1).find(|folder| !is_pattern(folder));
            folder.is_none_or(|folder| walls.may_read(folder)) && (is_pattern(path) || walls.may_read(path))
        }
        _ => walls.may_read(path),
    }
}

/// Where an input stands in the file system; `None` for what the helper reads.
fn place(source: &InputSource) -> Option<&Path> {
    match source {
        InputSource::File(path)
        | InputSource::Multilog(path)
        | InputSource::Pipe(path)
        | InputSource::Syslog(Listen::Unix(path)) => Some(path),
        InputSource::Syslog(_) | InputSource::Journal(_) => None,
    }
}

/// As the engine takes it; the key is put in by whoever has it.
pub(crate) fn engine_config(config: &Config) -> EngineConfig {
    EngineConfig {
        allow: config.allowed.prefixes.clone(),
        bans: config.ban_lengths(),
        ..EngineConfig::new([0; 16])
    }
}

/// In which a fresh state begins.
pub(crate) fn first_mode(config: &Config) -> Mode {
    match config.mode.value {
        config::Mode::Shadow => Mode::Shadow,
        config::Mode::Live => Mode::Live { confirm_until: None },
    }
}

/// What the follower reads itself. Journal and network syslog come through the helper.
pub(crate) fn sources(plan: &Plan) -> (Vec<Source>, Readings) {
    let (mut sources, mut configured) = (Vec::new(), Vec::new());
    for input in &plan.inputs {
        let reading = Reading { zone: input.zone.zone.clone(), services: input.services };
        let (source, matcher) = match &input.source {
            InputSource::File(path) if is_pattern(path) => {
                let pattern = path.to_string_lossy().into_owned();
                (Source::Glob(pattern.clone()), Matcher::Pattern(pattern))
            }
            InputSource::File(path) => (Source::File(path.clone()), Matcher::Path(path.clone())),
            InputSource::Multilog(path) => (Source::Multilog(path.clone()), Matcher::Path(path.clone())),
            InputSource::Pipe(path) => (Source::Pipe(path.clone()), Matcher::Path(path.clone())),
            InputSource::Syslog(Listen::Unix(path)) => {
                (Source::Datagram(path.clone()), Matcher::Path(path.clone()))
            }
            InputSource::Syslog(_) | InputSource::Journal(_) => continue,
        };
        sources.push(source);
        configured.push((matcher, reading));
    }
    let others = plan.inputs.first().map_or_else(Reading::unknown, |input| Reading {
        zone: input.zone.zone.clone(),
        services: input.services,
    });
    (sources, Readings { configured, others })
}

fn is_pattern(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().iter().any(|byte| b"*?[".contains(byte))
}
