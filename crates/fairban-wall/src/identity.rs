//! User, groups and capabilities.

use std::fmt;
use std::io;

use capctl::caps::{Cap, CapState, ambient, bounding, cap_set_ids};

use crate::Error;
use crate::raised::Layer;

/// A user with all his groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub uid: u32,
    /// His first group.
    pub gid: u32,
    /// All other groups to keep, such as `adm` and `systemd-journal`; at most 64.
    pub groups: Vec<u32>,
}

/// A right of root that a process of ours may have a use for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// `CAP_NET_ADMIN`: to change the firewall.
    NetAdmin,
    /// `CAP_DAC_READ_SEARCH`: to read logs that their daemons keep to themselves.
    ReadAnyFile,
}

impl Capability {
    /// Whether who started this process gave it on purpose, to a user who has no rights of root: it is ambient.
    pub fn is_given(self) -> bool {
        ambient::is_set(self.cap()) == Some(true)
    }

    fn cap(self) -> Cap {
        match self {
            Self::NetAdmin => Cap::NET_ADMIN,
            Self::ReadAnyFile => Cap::DAC_READ_SEARCH,
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::ReadAnyFile => "CAP_DAC_READ_SEARCH",
        })
    }
}

/// Rights of root that are left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Those asked for that we have.
    pub kept: Vec<Capability>,
    /// Those asked for that we never had.
    pub lacking: Vec<Capability>,
    /// No others can be gained by starting a program. `NotAsked` where only no new privileges sees to that, as who
    /// started us left us no right to change the set.
    pub bounding: Layer,
}

#[expect(clippy::needless_pass_by_value, reason = "it is mapped over results")]
pub(crate) fn io_error(error: capctl::Error) -> io::Error {
    io::Error::from_raw_os_error(error.code())
}

/// Becomes `identity` and gives up all capabilities but `keep`, which programs that we start get only if `passed_on`.
pub(crate) fn give_up(
    identity: Option<&Identity>,
    keep: &[Capability],
    passed_on: bool,
) -> Result<Capabilities, Error> {
    let own = CapState::get_current().map_err(|error| Error::Capabilities(io_error(error)))?;
    let bounding = narrow_bounding_set(own, keep);
    if let Some(identity) = identity {
        become_user(identity, own).map_err(|reason| Error::Identity {
            uid: identity.uid,
            gid: identity.gid,
            reason,
        })?;
    }
    let (kept, lacking): (Vec<Capability>, Vec<Capability>) =
        keep.iter().copied().partition(|kept| own.permitted.has(kept.cap()));
    let mut left = CapState::empty();
    for capability in &kept {
        left.permitted.add(capability.cap());
        left.effective.add(capability.cap());
        if passed_on {
            left.inheritable.add(capability.cap());
        }
    }
    let failed = |error| Error::Capabilities(io_error(error));
    if ambient::is_supported() {
        ambient::clear().map_err(failed)?;
    }
    // Who has nothing to give up does not ask to: a supervisor's filter may end whoever makes that call.
    if CapState::get_current().map_err(failed)? != left {
        left.set_current().map_err(failed)?;
    }
    if passed_on {
        kept.iter().try_for_each(|kept| ambient::raise(kept.cap())).map_err(failed)?;
    }
    Ok(Capabilities { kept, lacking, bounding })
}

/// Drops from the bounding set what is not kept.
///
/// Only who holds `CAP_SETPCAP` can. For others the set is of no use, as what they start gains no privileges.
fn narrow_bounding_set(own: CapState, keep: &[Capability]) -> Layer {
    let is_kept = |cap: Cap| keep.iter().any(|kept| kept.cap() == cap);
    let mut surplus = Cap::iter().filter(|cap| !is_kept(*cap) && bounding::read(*cap) == Some(true));
    if !own.permitted.has(Cap::SETPCAP) {
        return if surplus.next().is_none() { Layer::Up } else { Layer::NotAsked };
    }
    let mut raised = own;
    raised.effective.add(Cap::SETPCAP);
    let dropped = raised
        .set_current()
        .and_then(|()| surplus.try_for_each(bounding::drop))
        .and_then(|()| bounding::clear_unknown());
    Layer::from_result(dropped.map_err(io_error))
}

/// Changes user and groups; capabilities stay permitted. Fails unless we may, or are that user already.
fn become_user(identity: &Identity, own: CapState) -> io::Result<()> {
    const GROUPS_MAX: usize = 64;
    if identity.groups.len() > GROUPS_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("more than {GROUPS_MAX} groups")));
    }
    if is_already(identity) && !own.permitted.has(Cap::SETGID) {
        return Ok(());
    }
    cap_set_ids(Some(identity.uid), Some(identity.gid), Some(&identity.groups)).map_err(io_error)
}

/// Whether user and group are right and no group is there that was not asked for.
fn is_already(identity: &Identity) -> bool {
    use rustix::process::{getegid, geteuid, getgid, getgroups, getuid};
    let user = [getuid().as_raw(), geteuid().as_raw()] == [identity.uid; 2];
    let group = [getgid().as_raw(), getegid().as_raw()] == [identity.gid; 2];
    let asked_for = |group: u32| group == identity.gid || identity.groups.contains(&group);
    let groups = getgroups().is_ok_and(|groups| groups.iter().all(|group| asked_for(group.as_raw())));
    user && group && groups
}
