//! What stands after a wall was closed, for `fairban status` and for who insists.

use std::fmt;
use std::path::Path;

use crate::files::Landlock;
use crate::identity::Capabilities;

/// One layer that either stands or does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layer {
    /// It stands.
    Up,
    /// Nobody asked for it.
    NotAsked,
    /// It does not; why, for a person.
    Missing(String),
}

impl Layer {
    pub(crate) fn from_result(result: std::io::Result<()>) -> Self {
        match result {
            Ok(()) => Self::Up,
            Err(error) => Self::Missing(error.to_string()),
        }
    }
}

/// What stands. Its [`Display`](fmt::Display) is one line that names all of it, without line feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raised {
    /// The user we are now.
    pub uid: u32,
    /// The group we are now.
    pub gid: u32,
    /// Capabilities and their bounding set.
    pub capabilities: Capabilities,
    /// No program that is started gains rights.
    pub no_new_privs: Layer,
    /// No other process of this user reads our memory.
    pub not_dumpable: Layer,
    /// Files, TCP ports, signals.
    pub landlock: Landlock,
    /// System calls.
    pub seccomp: Layer,
}

/// Not all that was asked for stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not all walls stand: {}", .0.join("; "))]
pub struct Incomplete(
    /// What is missing, a sentence each.
    pub Vec<String>,
);

impl Raised {
    /// What was asked for and does not stand, a sentence each. Paths that were widened or left out are not among it.
    pub fn missing(&self) -> Vec<String> {
        let named = [
            ("capability bounding set", &self.capabilities.bounding),
            ("no new privileges", &self.no_new_privs),
            ("not dumpable", &self.not_dumpable),
            ("seccomp", &self.seccomp),
        ];
        let mut missing: Vec<String> =
            self.capabilities.lacking.iter().map(|lacking| format!("{lacking}: not ours to keep")).collect();
        missing.extend(named.into_iter().filter_map(|(name, layer)| match layer {
            Layer::Missing(why) => Some(format!("{name}: {why}")),
            Layer::Up | Layer::NotAsked => None,
        }));
        missing.extend(self.landlock.state.missing().map(|why| format!("Landlock: {why}")));
        missing
    }

    /// Insists on all that was asked for.
    pub fn require(self) -> Result<Self, Incomplete> {
        let missing = self.missing();
        if missing.is_empty() { Ok(self) } else { Err(Incomplete(missing)) }
    }

    /// Whether Landlock lets this process read `path`; a symbolic link is followed. What is outside needs a restart,
    /// as a wall never opens. File permissions are another matter.
    pub fn may_read(&self, path: &Path) -> bool {
        self.landlock.may_read(path)
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user {}, group {}, ", self.uid, self.gid)?;
        match self.capabilities.kept.as_slice() {
            [] => f.write_str("no capabilities")?,
            kept => {
                let names: Vec<String> = kept.iter().map(ToString::to_string).collect();
                f.write_str(&names.join(" and "))?;
            }
        }
        write!(f, ", {}", self.landlock.state)?;
        match self.seccomp {
            Layer::Up => f.write_str(", seccomp")?,
            Layer::NotAsked | Layer::Missing(_) => f.write_str(", no seccomp")?,
        }
        if self.no_new_privs == Layer::Up {
            f.write_str(", no new privileges")?;
        }
        Ok(())
    }
}
