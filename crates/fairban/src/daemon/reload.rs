//! The configuration as the running service takes it, again and again.

use std::path::{Path, PathBuf};

use crossbeam_channel::Sender;
use fairban_control::Readers;
use fairban_core::engine::Config as EngineConfig;
use fairban_follow::{Source, Waker};
use fairban_wall::Raised;

use super::assistant::{self, Alarm};
use super::desk::Mode;
use super::floor::Floor;
use super::helped;
use super::intake::Reading;
use super::reading::{Matcher, Order, Readings};
use crate::config::{self, Applies, Config, InputSource, Listen, Paths};
use crate::error::shown;
use crate::input::live::{self, Plan};
use crate::limits::LimitSpec;

/// What a reload changes at the desk.
pub(crate) struct Settings {
    pub(crate) config: EngineConfig,
    /// Of a state that begins.
    pub(crate) mode: Mode,
    /// Sentences for the operator: what needs a restart.
    pub(crate) remarks: Vec<String>,
    /// Bans close everything.
    pub(crate) all_ports: bool,
    /// What the machine says of itself.
    pub(crate) floor: Floor,
    /// Of connections.
    pub(crate) limits: Vec<LimitSpec>,
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
    /// As it was read last.
    pub(crate) floor: Floor,
    pub(crate) reader: Sender<Order>,
    pub(crate) waker: Waker,
    /// How the helper is told, if there is one.
    pub(crate) helper: Option<(Sender<assistant::Order>, Alarm)>,
    pub(crate) readers: Readers,
    /// The walls, which never open again.
    pub(crate) raised: Raised,
}

impl Reload for FromFiles {
    fn reload(&mut self) -> Result<Settings, String> {
        let loaded = Config::load(&self.paths).map_err(|report| {
            let told: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
            told.join("; ")
        })?;
        let changes = config::diff(&self.current, &loaded.config);
        let mut remarks: Vec<String> = changes
            .iter()
            .filter(|change| change.applies == Applies::Restart)
            .map(|change| format!("{} takes effect when the service is started again", change.key))
            .collect();
        let plan = live::plan(&loaded.config, &self.root);
        remarks.extend(self.walled_off(&plan));
        self.readers.allow(loaded.config.control.status_for_all.value);
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
        self.current = loaded.config;
        self.floor = Floor::read(&self.root, Some(&self.floor));
        Ok(Settings {
            config: self.floor.added_to(engine_config(&self.current), &self.current),
            floor: self.floor.clone(),
            mode: first_mode(&self.current),
            remarks,
            all_ports: self.current.bans.all_ports.value,
            limits: self.current.limit_specs(),
        })
    }
}

impl FromFiles {
    /// What the service shut itself off from when it started. It is followed all the same: `status` shows that it cannot
    /// be read, and the next start begins where reading stopped.
    fn walled_off(&self, plan: &Plan) -> Vec<String> {
        let paths = plan.inputs.iter().filter_map(|input| match &input.source {
            InputSource::File(path) | InputSource::Pipe(path) | InputSource::Multilog(path) => Some(path),
            InputSource::Syslog(_) | InputSource::Journal(_) => None,
        });
        let closed = paths.filter(|path| !self.raised.may_read(path));
        closed
            .map(|path| {
                format!(
                    "{} lies outside of what the service may read since it was started; it is read once the service is \
                     started again",
                    shown(path)
                )
            })
            .collect()
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
