//! The command line of `fairban-fw`: root writes it, in a unit or through `fairban run`.

use std::path::PathBuf;

use super::never_ban;
use crate::nft::{PORTS_MAX, Settings};

/// What it takes.
pub const USAGE: &str = "\
usage: fairban-fw [--parent] [--logins PORTS] [--smtp PORTS] [--own-table] [--user NAME] [--never-ban FILE]
                  [--without PATHS]
Descriptor 0 is a Unix socket of sequential packets, connected or listening. Ports and paths are lists with commas.
With --parent it starts itself again and again, and hands the sockets of those over descriptor 0.";

/// See [`Arguments::is_parent`].
pub(crate) const PARENT: &str = "--parent";

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// The table.
    pub settings: Settings,
    /// Whom to become when started as root.
    pub user: String,
    /// The file of prefixes that are never banned.
    pub never_ban: PathBuf,
    /// To be the parent of those that do the work; see the module `parent`.
    pub is_parent: bool,
}

impl Default for Arguments {
    fn default() -> Arguments {
        Arguments {
            settings: Settings::default(),
            user: "fairban-fw".to_owned(),
            never_ban: PathBuf::from(never_ban::PATH),
            is_parent: false,
        }
    }
}

impl Arguments {
    /// Reads them; an error is one sentence, and its caller's fault.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
        let mut arguments = Arguments::default();
        while let Some(word) = words.next() {
            if word == "--own-table" {
                arguments.settings.own_table = true;
                continue;
            }
            if word == PARENT {
                arguments.is_parent = true;
                continue;
            }
            let value = words.next().ok_or_else(|| format!("{word:?} takes a value, or is not known"))?;
            match word.as_str() {
                "--logins" => arguments.settings.logins = ports(&value)?,
                "--smtp" => arguments.settings.smtp = ports(&value)?,
                "--user" => arguments.user = value,
                "--never-ban" => arguments.never_ban = PathBuf::from(value),
                "--without" => without(&value, &mut arguments.settings)?,
                _ => return Err(format!("{word:?} is not known")),
            }
        }
        Ok(arguments)
    }
}

/// From here on are ports that our own connections go out from: those must stay open for the answers.
const EPHEMERAL_MIN: u16 = 32_768;

fn ports(value: &str) -> Result<Vec<u16>, String> {
    let ports: Result<Vec<u16>, _> = value.split(',').map(str::parse).collect();
    let ports = ports.map_err(|_| format!("{value:?} is no list of ports such as 143,993"))?;
    if ports.len() > PORTS_MAX || ports.iter().any(|port| *port == 0 || *port >= EPHEMERAL_MIN) {
        return Err(format!("{value:?}: at most {PORTS_MAX} ports, from 1 to {}", EPHEMERAL_MIN - 1));
    }
    Ok(ports)
}

/// Ways through the kernel that are not taken though it has them: for tests of the others.
fn without(value: &str, settings: &mut Settings) -> Result<(), String> {
    for path in value.split(',') {
        match path {
            "destroy" => settings.may_use.destroys = false,
            "renew" => settings.may_use.renews = false,
            "persist" => settings.may_use.persists = false,
            _ => return Err(format!("{path:?} is none of destroy, renew, persist")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Arguments, String> {
        Arguments::parse(words.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_was_asked_for_is_understood() {
        assert_eq!(parse(""), Ok(Arguments::default()));
        assert_eq!(parse("--parent"), Ok(Arguments { is_parent: true, ..Arguments::default() }));
        let asked =
            parse("--logins 143,993 --smtp 25 --own-table --without renew,destroy --user x").expect("good");
        assert_eq!((asked.settings.logins, asked.settings.own_table), (vec![143, 993], true));
        assert!(asked.settings.may_use.persists && !asked.settings.may_use.renews);
        assert_eq!(asked.user, "x");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for bad in
            ["--logins", "--logins 0", "--logins 143,40000", "--logins ssh", "--what 1", "--without all", "x"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
