//! The configuration: one TOML file and drop-ins beside it, all optional, into a [`Config`] in which every value knows
//! where it came from.
//!
//! Whatever is wrong in any of the files is told at once, and then nothing of them is taken: a service goes on with
//! what it had. [`keys::KEYS`] is the one list of what there is.

pub(crate) mod documents;
mod files;
pub(crate) mod keys;
mod read;
mod report;
mod show;
mod values;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use fairban_core::engine::BanLengths;
use fairban_core::event::Service;
use fairban_core::time::Span;
use fairban_firewall::limits::Rate;
use ipnet::IpNet;
use jiff::tz::TimeZone;

pub(crate) use self::files::Paths;
pub(crate) use self::keys::Applies;
pub(crate) use self::report::{Problem, Report};
pub(crate) use self::show::Shown;
pub(crate) use self::show::diff;
pub(crate) use self::values::{Allow, EnforcerKind, Listen, Mode, Zone};

use crate::limits::LimitSpec;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    File {
        /// Escaped.
        name: Arc<str>,
        /// From 1.
        line: u32,
        drop_in: bool,
    },
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { name, line, drop_in } => {
                write!(f, "{name}:{line}{}", if *drop_in { " (drop-in)" } else { "" })
            }
        }
    }
}

/// A value and where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

impl<T> Setting<T> {
    fn default(value: T) -> Setting<T> {
        Setting { value, origin: Origin::Default }
    }
}

/// Everything an operator can say. What each key means stands in [`keys::KEYS`].
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) mode: Setting<Mode>,
    /// One bit each at [`Service::index`].
    pub(crate) services: Setting<u32>,
    /// The elements of `allow`, as written.
    pub(crate) allow: Vec<Setting<Allow>>,
    /// The same with what stands in the files.
    pub(crate) allowed: Allowed,
    pub(crate) allow_refresh: Setting<Span>,
    /// Besides those that the machine's groups name.
    pub(crate) admins: Setting<Vec<String>>,
    pub(crate) timezone: Setting<Zone>,
    pub(crate) discover: Setting<bool>,
    pub(crate) read_back: Setting<Span>,
    pub(crate) state_dir: Setting<PathBuf>,
    /// [`Config::key_file`] where there is none.
    key_file: Setting<Option<PathBuf>>,
    pub(crate) user: Setting<String>,
    pub(crate) group: Setting<Option<String>>,
    pub(crate) inputs: Vec<Input>,
    pub(crate) bans: Bans,
    /// By name, as they stand in the files; see [`LimitTable::spec`].
    pub(crate) limits: BTreeMap<String, LimitTable>,
    pub(crate) control: Control,
    pub(crate) history: History,
}

/// Who is never judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// Sorted, none within another.
    pub(crate) prefixes: Vec<IpNet>,
    /// DNS names, sorted: their addresses are for the helper to find.
    pub(crate) names: Vec<String>,
}

/// One `[[input]]`.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) from: Setting<InputSource>,
    /// Of whom a syslog listener takes lines; empty for this machine alone.
    pub(crate) senders: Setting<Vec<IpNet>>,
    /// `None` for those of [`Config::services`].
    pub(crate) services: Setting<Option<u32>>,
    /// `None` for that of [`Config::timezone`].
    pub(crate) timezone: Setting<Option<Zone>>,
}

/// Where lines come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum InputSource {
    /// A file or a pattern of files, without what rotation makes of them.
    File(PathBuf),
    /// A folder that multilog writes.
    Multilog(PathBuf),
    /// The journal, with matches as `journalctl` takes them.
    Journal(Vec<String>),
    Syslog(Listen),
    /// A named pipe.
    Pipe(PathBuf),
}

/// `[bans]`
#[derive(Clone, Debug)]
pub(crate) struct Bans {
    pub(crate) first: Setting<Span>,
    pub(crate) longest: Setting<Span>,
    pub(crate) longest_familiar: Setting<Span>,
    pub(crate) ladder: Setting<u8>,
    /// `None` for the kernel where it can be reached, else nothing.
    pub(crate) enforcer: Setting<Option<EnforcerKind>>,
    pub(crate) all_ports: Setting<bool>,
    /// `None` for what `fairban-fw` closes by itself.
    pub(crate) ports: Setting<Option<Vec<u16>>>,
    pub(crate) socket: Setting<PathBuf>,
    pub(crate) file: Setting<Option<PathBuf>>,
    pub(crate) nft_table: Setting<Option<String>>,
    pub(crate) daemons: Setting<String>,
    pub(crate) rules: Setting<Option<PathBuf>>,
}

/// One `[limits.NAME]`.
#[derive(Clone, Debug)]
pub(crate) struct LimitTable {
    pub(crate) ports: Setting<Vec<u16>>,
    pub(crate) concurrent: Setting<Option<u32>>,
    /// How many, in how many seconds.
    pub(crate) new: Setting<Option<(u32, u32)>>,
    pub(crate) burst: Setting<Option<u32>>,
    pub(crate) hold: Setting<Option<Span>>,
    pub(crate) enforce: Setting<bool>,
}

impl Default for LimitTable {
    fn default() -> LimitTable {
        LimitTable {
            ports: Setting::default(Vec::new()),
            concurrent: Setting::default(None),
            new: Setting::default(None),
            burst: Setting::default(None),
            hold: Setting::default(None),
            enforce: Setting::default(false),
        }
    }
}

impl LimitTable {
    /// As it is meant.
    pub(crate) fn spec(&self, name: &str) -> LimitSpec {
        let rate = self.new.value.map(|(count, seconds)| Rate {
            count,
            seconds,
            burst: self.burst.value.unwrap_or(count),
            // At most a day.
            hold_seconds: self.hold.value.and_then(|hold| u32::try_from(hold.as_secs()).ok()),
        });
        LimitSpec {
            name: name.to_owned(),
            ports: self.ports.value.clone(),
            concurrent: self.concurrent.value,
            rate,
            enforce: self.enforce.value,
        }
    }
}

/// `[control]`
#[derive(Clone, Debug)]
pub(crate) struct Control {
    pub(crate) socket: Setting<PathBuf>,
    pub(crate) group: Setting<Option<String>>,
    pub(crate) status_for_all: Setting<bool>,
}

/// `[history]`
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) keep: Setting<Span>,
    pub(crate) megabytes: Setting<u32>,
}

/// A configuration that was read, and from which files.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    /// In the order in which they were read, files of `allow` last.
    pub(crate) files: Vec<PathBuf>,
}

const ALL_SERVICES: u32 = (1 << Service::ALL.len()) - 1;

impl Default for Config {
    fn default() -> Config {
        let usual = BanLengths::USUAL;
        Config {
            mode: Setting::default(Mode::Shadow),
            services: Setting::default(ALL_SERVICES),
            allow: Vec::new(),
            allowed: Allowed::default(),
            allow_refresh: Setting::default(Span::minutes(10)),
            admins: Setting::default(Vec::new()),
            timezone: Setting::default(Zone { name: None, zone: TimeZone::system() }),
            discover: Setting::default(true),
            read_back: Setting::default(Span::days(30)),
            state_dir: Setting::default(PathBuf::from("/var/lib/fairban")),
            key_file: Setting::default(None),
            user: Setting::default("fairban".to_owned()),
            group: Setting::default(None),
            inputs: Vec::new(),
            bans: Bans {
                first: Setting::default(usual.first),
                longest: Setting::default(usual.longest),
                longest_familiar: Setting::default(usual.longest_familiar),
                ladder: Setting::default(usual.ladder),
                enforcer: Setting::default(None),
                all_ports: Setting::default(false),
                ports: Setting::default(None),
                socket: Setting::default(PathBuf::from("/run/fairban-fw.socket")),
                file: Setting::default(None),
                nft_table: Setting::default(None),
                daemons: Setting::default("ALL".to_owned()),
                rules: Setting::default(None),
            },
            limits: BTreeMap::new(),
            control: Control {
                socket: Setting::default(PathBuf::from("/run/fairban/control.sock")),
                group: Setting::default(None),
                status_for_all: Setting::default(false),
            },
            history: History { keep: Setting::default(Span::days(90)), megabytes: Setting::default(64) },
        }
    }
}

impl Config {
    /// Reads the main file and its drop-ins, those that exist.
    ///
    /// # Errors
    /// All that is wrong in any of them, at once; then nothing of them is taken.
    pub(crate) fn load(paths: &Paths) -> Result<Loaded, Report> {
        files::load(paths)
    }

    /// The limits of connections, by name.
    pub(crate) fn limit_specs(&self) -> Vec<LimitSpec> {
        self.limits.iter().map(|(name, table)| table.spec(name)).collect()
    }

    /// Where the secret key is.
    pub(crate) fn key_file(&self) -> PathBuf {
        self.key_file.value.clone().unwrap_or_else(|| self.state_dir.value.join("key"))
    }

    /// As the engine takes it.
    pub(crate) fn ban_lengths(&self) -> BanLengths {
        BanLengths {
            first: self.bans.first.value,
            longest: self.bans.longest.value,
            longest_familiar: self.bans.longest_familiar.value,
            ladder: self.bans.ladder.value,
        }
    }

    /// Services judged in an input, one bit each.
    pub(crate) fn services_of(&self, input: &Input) -> u32 {
        input.services.value.map_or(self.services.value, |own| own & self.services.value)
    }

    /// The zone of an input's stamps.
    pub(crate) fn zone_of<'a>(&'a self, input: &'a Input) -> &'a Zone {
        input.timezone.value.as_ref().unwrap_or(&self.timezone.value)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
