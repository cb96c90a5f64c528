//! Landlock: which files, which TCP ports, and no signals to others.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, NetPort, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus,
    Scope,
};

use crate::{Tcp, Wall};

/// The newest rules that we ask for: fixed, so that a newer kernel does not forbid what was never tried.
const ABI_WANTED: ABI = ABI::V6;

/// A directory of fewer components than this (`/var`) is never taken for one below it that is missing.
const DEPTH_MIN: usize = 2;

/// What Landlock holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landlock {
    /// How far it stands.
    pub state: LandlockState,
    /// Paths to read that were missing, and the existing directory that may be read in their stead.
    pub widened: Vec<(PathBuf, PathBuf)>,
    /// Paths that could not be opened, so that they cannot be reached; and why.
    pub left_out: Vec<(PathBuf, String)>,
    /// Where files may be read: real paths.
    readable: Vec<PathBuf>,
}

/// How far Landlock stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LandlockState {
    /// All of it.
    Enforced {
        /// Version of the rules in force.
        abi: u8,
    },
    /// What this kernel knows of it.
    Partial {
        /// Version of the rules in force.
        abi: u8,
        /// What this version cannot hold back.
        missing: String,
    },
    /// None of it; why.
    Missing(String),
}

impl LandlockState {
    pub(crate) fn missing(&self) -> Option<&str> {
        match self {
            Self::Enforced { .. } => None,
            Self::Partial { missing, .. } | Self::Missing(missing) => Some(missing),
        }
    }
}

impl fmt::Display for LandlockState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enforced { abi } => write!(f, "Landlock {abi}"),
            Self::Partial { abi, .. } => write!(f, "Landlock {abi} in part"),
            Self::Missing(_) => f.write_str("no Landlock"),
        }
    }
}

impl Landlock {
    pub(crate) fn may_read(&self, path: &Path) -> bool {
        if matches!(self.state, LandlockState::Missing(_)) {
            return true;
        }
        let Some(real) = real_path(path) else { return false };
        self.readable.iter().any(|readable| real.starts_with(readable))
    }
}

/// Where `path` leads: links resolved as far as it exists.
fn real_path(path: &Path) -> Option<PathBuf> {
    path.ancestors().find_map(|ancestor| {
        let real = fs::canonicalize(ancestor).ok()?;
        let rest = path.strip_prefix(ancestor).ok()?;
        // Joining an empty rest would add a slash.
        Some(if rest.as_os_str().is_empty() { real } else { real.join(rest) })
    })
}

/// Directories already opened, before we become somebody who may not.
pub(crate) struct Plan {
    tcp: Tcp,
    rules: Vec<(PathFd, BitFlags<AccessFs>)>,
    readable: Vec<PathBuf>,
    widened: Vec<(PathBuf, PathBuf)>,
    left_out: Vec<(PathBuf, String)>,
}

impl Plan {
    pub(crate) fn open(wall: &Wall) -> Self {
        let mut plan = Self {
            tcp: wall.tcp.clone(),
            rules: Vec::new(),
            readable: Vec::new(),
            widened: Vec::new(),
            left_out: Vec::new(),
        };
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        // No devices and no links: what we write is files, sockets and pipes.
        let not_written = AccessFs::Execute
            | AccessFs::MakeChar
            | AccessFs::MakeBlock
            | AccessFs::MakeSym
            | AccessFs::IoctlDev;
        for path in &wall.read {
            plan.allow_if_there_or_later(path, read);
        }
        for path in &wall.write {
            plan.allow(path, AccessFs::from_all(ABI_WANTED) & !not_written);
        }
        for path in &wall.execute {
            plan.allow(path, read | AccessFs::Execute);
        }
        plan
    }

    fn allow_if_there_or_later(&mut self, path: &Path, access: BitFlags<AccessFs>) {
        if fs::metadata(path).is_err_and(|error| is_missing(&error)) {
            let there = path.ancestors().skip(1).find(|ancestor| ancestor.is_dir());
            if let Some(there) = there.filter(|there| there.components().count() > DEPTH_MIN) {
                self.widened.push((path.to_owned(), there.to_owned()));
                self.allow(there, access);
                return;
            }
        }
        self.allow(path, access);
    }

    fn allow(&mut self, path: &Path, access: BitFlags<AccessFs>) {
        match open(path) {
            Ok((fd, real, is_dir)) => {
                let access = if is_dir { access } else { access & AccessFs::from_file(ABI_WANTED) };
                self.rules.push((fd, access));
                self.readable.push(real);
            }
            Err(error) => self.left_out.push((path.to_owned(), error.to_string())),
        }
    }

    pub(crate) fn enforce(mut self) -> Landlock {
        let readable = std::mem::take(&mut self.readable);
        let widened = std::mem::take(&mut self.widened);
        let left_out = std::mem::take(&mut self.left_out);
        let state = match self.restrict() {
            Ok(status) => state(&status.ruleset, status.landlock),
            Err(error) => LandlockState::Missing(error.to_string()),
        };
        Landlock { state, widened, left_out, readable }
    }

    fn restrict(self) -> Result<RestrictionStatus, RulesetError> {
        let mut ruleset = Ruleset::default()
            .handle_access(AccessFs::from_all(ABI_WANTED))?
            .scope(Scope::from_all(ABI_WANTED))?;
        if self.tcp != Tcp::Any {
            ruleset = ruleset.handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)?;
        }
        let mut created = ruleset.create()?;
        for (fd, access) in self.rules {
            created = created.add_rule(PathBeneath::new(fd, access))?;
        }
        if let Tcp::Ports { bind, connect } = self.tcp {
            created = add_ports(created, &bind, AccessNet::BindTcp)?;
            created = add_ports(created, &connect, AccessNet::ConnectTcp)?;
        }
        created.restrict_self()
    }
}

fn add_ports(
    mut created: RulesetCreated,
    ports: &[u16],
    access: AccessNet,
) -> Result<RulesetCreated, RulesetError> {
    for port in ports {
        created = created.add_rule(NetPort::new(*port, access))?;
    }
    Ok(created)
}

/// The file, its real path, and whether it is a directory.
fn open(path: &Path) -> Result<(PathFd, PathBuf, bool), io::Error> {
    let real = fs::canonicalize(path)?;
    let is_dir = fs::metadata(&real)?.is_dir();
    let fd = PathFd::new(&real).map_err(io::Error::other)?;
    Ok((fd, real, is_dir))
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn state(ruleset: &RulesetStatus, landlock: LandlockStatus) -> LandlockState {
    let abi = match landlock {
        LandlockStatus::Available { effective_abi, .. } => effective_abi.min(ABI_WANTED),
        LandlockStatus::NotEnabled => {
            return LandlockState::Missing(
                "switched off; add landlock to the kernel's lsm= parameter".to_owned(),
            );
        }
        LandlockStatus::NotImplemented => {
            return LandlockState::Missing("not in this kernel; it came with Linux 5.13".to_owned());
        }
    };
    let number = abi as u8;
    match ruleset {
        RulesetStatus::FullyEnforced => LandlockState::Enforced { abi: number },
        RulesetStatus::PartiallyEnforced => {
            LandlockState::Partial { abi: number, missing: not_held_by(abi).to_owned() }
        }
        RulesetStatus::NotEnforced => LandlockState::Missing("the kernel took none of our rules".to_owned()),
    }
}

/// What a version of Landlock cannot hold back that we ask for.
fn not_held_by(abi: ABI) -> &'static str {
    match abi {
        ABI::V1 => {
            "this kernel does not hold TCP, truncation, devices, signals, and forbids moves between directories"
        }
        ABI::V2 => "this kernel does not hold TCP, truncation, devices and signals (Linux 6.12 does)",
        ABI::V3 => "this kernel does not hold TCP, devices and signals (Linux 6.12 does)",
        ABI::V4 => "this kernel does not hold devices and signals (Linux 6.12 does)",
        ABI::V5 => "this kernel does not hold signals (Linux 6.12 does)",
        _ => "some of our rules are not known to this kernel",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_kernel_lacks_is_said() {
        let available = |abi| LandlockStatus::Available { effective_abi: abi, kernel_abi: None };
        let newer = LandlockStatus::Available { effective_abi: ABI::V10, kernel_abi: Some(12) };
        assert_eq!(
            state(&RulesetStatus::FullyEnforced, available(ABI::V6)),
            LandlockState::Enforced { abi: 6 }
        );
        assert_eq!(state(&RulesetStatus::FullyEnforced, newer), LandlockState::Enforced { abi: 6 });
        let old = state(&RulesetStatus::PartiallyEnforced, available(ABI::V3));
        assert!(old.missing().is_some_and(|missing| missing.contains("TCP")), "{old:?}");
        assert_eq!(old.to_string(), "Landlock 3 in part");
        let off = state(&RulesetStatus::NotEnforced, LandlockStatus::NotEnabled);
        assert!(off.missing().is_some_and(|missing| missing.contains("lsm=")), "{off:?}");
        let none = state(&RulesetStatus::NotEnforced, LandlockStatus::NotImplemented);
        assert_eq!(none.to_string(), "no Landlock");
    }

    #[test]
    fn what_may_be_read_is_judged_by_where_it_leads() {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path().join("logs");
        fs::create_dir(&logs).unwrap();
        fs::write(dir.path().join("outside"), "").unwrap();
        std::os::unix::fs::symlink(dir.path().join("outside"), logs.join("leads-out")).unwrap();
        let landlock = |state| Landlock {
            state,
            widened: Vec::new(),
            left_out: Vec::new(),
            readable: vec![fs::canonicalize(&logs).unwrap()],
        };
        let held = landlock(LandlockState::Enforced { abi: 6 });
        assert!(held.may_read(&logs));
        assert!(held.may_read(&logs.join("later/than/this")));
        assert!(!held.may_read(&logs.join("leads-out")));
        assert!(!held.may_read(&dir.path().join("logs-of-another")));
        assert!(!held.may_read(&dir.path().join("outside")));
        let not_held = landlock(LandlockState::Missing(String::new()));
        assert!(not_held.may_read(&dir.path().join("outside")));
    }
}
