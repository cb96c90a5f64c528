//! Which way of shutting out the configuration means, on this machine.

use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use fairban_firewall::enforcer::{Enforcer, Unreachable};
use fairban_firewall::lists::{Format, ListEnforcer};
use fairban_firewall::model::Model;
use fairban_firewall::{NftEnforcer, Reach};

use super::assistant::program;
use crate::config::{Config, EnforcerKind};

/// Where TCP wrappers look.
const HOSTS_DENY: &str = "/etc/hosts.deny";

/// What was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// Nobody is shut out.
    Nothing,
    /// The kernel, through the `fairban-fw` that listens there.
    Connect(PathBuf),
    /// The kernel, through a `fairban-fw` that is started.
    Start {
        /// Its file.
        program: PathBuf,
        arguments: Vec<String>,
    },
    /// A file that others read.
    List(PathBuf, Format),
}

/// What there is on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Around {
    /// We are root, and may start what needs rights.
    pub(crate) is_root: bool,
    /// `fairban-fw`, if it is installed.
    pub(crate) program: Option<PathBuf>,
    /// Something listens at the socket of the configuration, or did.
    pub(crate) listens: bool,
}

impl Around {
    pub(crate) fn look(config: &Config) -> Around {
        let is_socket = |path: &Path| path.metadata().is_ok_and(|found| found.file_type().is_socket());
        Around {
            is_root: rustix::process::geteuid().is_root(),
            program: Some(program("fairban-fw")).filter(|program| program.exists()),
            listens: is_socket(&config.bans.socket.value),
        }
    }
}

impl Chosen {
    /// By configuration; where that leaves it open, by what there is.
    pub(crate) fn of(config: &Config, around: &Around) -> Chosen {
        let bans = &config.bans;
        let file = || bans.file.value.clone().unwrap_or_else(|| PathBuf::from(HOSTS_DENY));
        match bans.enforcer.value {
            Some(EnforcerKind::None) => Chosen::Nothing,
            Some(EnforcerKind::File) => {
                let format = bans.nft_table.value.clone().map_or(Format::Plain, Format::NftInclude);
                Chosen::List(file(), format)
            }
            Some(EnforcerKind::HostsDeny) => {
                Chosen::List(file(), Format::HostsDeny(bans.daemons.value.clone()))
            }
            Some(EnforcerKind::Tcprules) => {
                let rules = bans.rules.value.clone().unwrap_or_default();
                Chosen::List(file(), Format::Tcprules(rules))
            }
            Some(EnforcerKind::Nftables) => {
                Chosen::kernel(config, around).unwrap_or_else(|| Chosen::Connect(bans.socket.value.clone()))
            }
            None => Chosen::kernel(config, around).unwrap_or(Chosen::Nothing),
        }
    }

    /// A service manager's comes first: two would take the table from each other.
    fn kernel(config: &Config, around: &Around) -> Option<Chosen> {
        if around.listens {
            return Some(Chosen::Connect(config.bans.socket.value.clone()));
        }
        let program = around.program.clone().filter(|_| around.is_root)?;
        let ports = config.bans.ports.value.as_ref();
        let list = |ports: &Vec<u16>| ports.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
        let arguments = ports.map_or_else(Vec::new, |ports| vec!["--logins".to_owned(), list(ports)]);
        Some(Chosen::Start { program, arguments })
    }

    /// Starts what must be started. To be done as root, before the walls are closed.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn open(self) -> Result<Box<dyn Enforcer>, Unreachable> {
        Ok(match self {
            Chosen::Nothing => Box::new(Model::default()),
            Chosen::Connect(path) => Box::new(NftEnforcer::new(Reach::Connect(path))),
            Chosen::Start { program, arguments } => {
                let mut enforcer = NftEnforcer::under_parent(&program, &arguments)?;
                // What is wrong now is told, and tried again, by who gives the orders.
                let _ = enforcer.open();
                Box::new(enforcer)
            }
            Chosen::List(path, format) => Box::new(ListEnforcer::new(path, format, Vec::new())),
        })
    }

    /// As the configuration calls it.
    pub(crate) fn kind(&self) -> EnforcerKind {
        match self {
            Chosen::Nothing => EnforcerKind::None,
            Chosen::Connect(_) | Chosen::Start { .. } => EnforcerKind::Nftables,
            Chosen::List(_, Format::Plain | Format::NftInclude(_)) => EnforcerKind::File,
            Chosen::List(_, Format::HostsDeny(_)) => EnforcerKind::HostsDeny,
            Chosen::List(_, Format::Tcprules(_)) => EnforcerKind::Tcprules,
        }
    }

    /// The ports that bans close, where that is ours to say.
    pub(crate) fn ports(&self, config: &Config) -> Option<Vec<u16>> {
        let usual = || fairban_firewall::Settings::default().logins;
        matches!(self, Chosen::Start { .. }).then(|| config.bans.ports.value.clone().unwrap_or_else(usual))
    }

    /// The folder that is written to.
    pub(crate) fn written(&self) -> Option<&Path> {
        match self {
            Chosen::List(path, _) => path.parent(),
            _ => None,
        }
    }

    /// The file that is read besides.
    pub(crate) fn read(&self) -> Option<&Path> {
        match self {
            Chosen::List(_, Format::Tcprules(rules)) => Some(rules),
            _ => None,
        }
    }
}

/// What the configuration means here, and what there is.
pub(crate) fn chosen(config: &Config) -> (Chosen, Around) {
    let around = Around::look(config);
    (Chosen::of(config, &around), around)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(toml: &str) -> Config {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("fairban.toml");
        std::fs::write(&path, toml).expect("it is ours");
        match Config::load(&crate::config::Paths::new(Some(&path))) {
            Ok(loaded) => loaded.config,
            Err(report) => panic!("{}", report.render(false)),
        }
    }

    fn chosen(toml: &str, is_root: bool, program: bool, listens: bool) -> Chosen {
        let program = program.then(|| PathBuf::from("/x/fairban-fw"));
        Chosen::of(&config(toml), &Around { is_root, program, listens })
    }

    #[test]
    fn without_a_word_it_is_the_kernel_where_it_can_be_reached() {
        let socket = Chosen::Connect(PathBuf::from("/run/fairban-fw.socket"));
        let start = Chosen::Start { program: PathBuf::from("/x/fairban-fw"), arguments: Vec::new() };
        assert_eq!(chosen("", false, true, true), socket);
        assert_eq!(chosen("", true, true, true), socket);
        assert_eq!(chosen("", true, true, false), start);
        assert_eq!(chosen("", false, true, false), Chosen::Nothing);
        assert_eq!(chosen("", true, false, false), Chosen::Nothing);
        assert_eq!(chosen("bans.enforcer = \"nftables\"", false, true, false), socket);
        assert_eq!(chosen("bans.enforcer = \"none\"", true, true, true), Chosen::Nothing);
    }

    #[test]
    fn ports_are_handed_to_who_is_started() {
        let Chosen::Start { arguments, .. } = chosen("bans.ports = [22, 110]", true, true, false) else {
            panic!("it is started")
        };
        assert_eq!(arguments, ["--logins", "22,110"]);
        assert!(fairban_firewall::fw::Arguments::parse(arguments.into_iter()).is_ok());
    }

    #[test]
    fn files_are_what_they_are_called() {
        let deny = chosen("bans.enforcer = \"hosts.deny\"\nbans.daemons = \"sshd\"", true, true, true);
        assert_eq!(deny, Chosen::List(HOSTS_DENY.into(), Format::HostsDeny("sshd".to_owned())));
        assert_eq!(deny.written(), Some(Path::new("/etc")));
        let toml = "[bans]\nenforcer = \"tcprules\"\nfile = \"/x/bans.cdb\"\nrules = \"/etc/tcp.pop3\"";
        let rules = chosen(toml, false, false, false);
        assert_eq!(rules.read(), Some(Path::new("/etc/tcp.pop3")));
        let toml = "[bans]\nenforcer = \"file\"\nfile = \"/x/bans\"\nnft_table = \"inet filter\"";
        let list = chosen(toml, false, false, false);
        assert_eq!(list, Chosen::List("/x/bans".into(), Format::NftInclude("inet filter".to_owned())));
    }
}
