//! seccomp: which system calls.
//!
//! Sets are allowed by name, everything else is refused. Three answers matter:
//!
//! - **Refused calls fail with `EPERM`** ([`Denied::Fails`]), and the process lives. A libc that one day makes another
//!   call is likelier than an intruder, and a login defender that dies of an update, or that a robot can make die,
//!   defends nobody; the intruder gains nothing by trying again. [`Denied::Kills`] is there for processes that are
//!   small enough to know every call of theirs.
//! - **Calls newer than this list fail with `ENOSYS`**, as on an older kernel, so that libc takes the older way it has.
//! - **`clone3` fails with `ENOSYS`** too: its flags lie in memory that a filter cannot read, and libc then uses
//!   `clone`, whose flags it can. So a thread is allowed and a new process or namespace is not.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter_all_threads,
};

use crate::raised::Layer;

mod lists;

use lists::{Condition, When};

/// A named set of system calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Calls {
    /// Every call: no filter.
    #[default]
    Any,
    /// For a process that reads logs and keeps state: files, inotify, Unix sockets, threads, time. No program, no other
    /// socket, no executable memory.
    Reader,
    /// For a process that talks to the network: reads files, Internet sockets, threads. No program.
    NetworkHelper,
    /// The same, and it may start programs, which inherit this wall: so what these need too, writing files among it.
    NetworkHelperWithPrograms,
    /// For a process that talks netlink over sockets: no files beyond those it has open, no program.
    Firewall,
}

/// What a call outside the set does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Denied {
    /// It fails with `EPERM`.
    #[default]
    Fails,
    /// It kills the process.
    Kills,
}

/// Puts the filter over all threads.
pub(crate) fn enforce(calls: Calls, denied: Denied) -> Layer {
    let Some(conditions) = lists::of(calls) else { return Layer::NotAsked };
    let Ok(arch) = TargetArch::try_from(std::env::consts::ARCH) else {
        return Layer::Missing(format!("we have no list of calls for {}", std::env::consts::ARCH));
    };
    let put = |program: Result<BpfProgram, seccompiler::Error>| {
        program.and_then(|program| apply_filter_all_threads(&program))
    };
    // The main filter forbids to add another one. Both are asked, and the stricter answer counts.
    let done = put(unknown_filter(arch)).and_then(|()| put(main_filter(&conditions, denied, arch)));
    match done {
        Ok(()) => Layer::Up,
        Err(error) => Layer::Missing(error.to_string()),
    }
}

/// Lets everything pass but what libc must believe to be missing.
fn unknown_filter(arch: TargetArch) -> Result<BpfProgram, seccompiler::Error> {
    let rules = lists::unknown().map(|call| (call, Vec::new())).collect();
    let missing = SeccompAction::Errno(libc::ENOSYS as u32);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, missing, arch)?;
    Ok(filter.try_into()?)
}

/// Lets only `conditions` pass, and what the other filter answers.
fn main_filter(
    conditions: &[(i64, When)],
    denied: Denied,
    arch: TargetArch,
) -> Result<BpfProgram, seccompiler::Error> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for (call, when) in conditions {
        match when {
            When::Always => {
                rules.insert(*call, Vec::new());
            }
            When::Any(alternatives) => {
                // An empty list means always, which another part of the set has said.
                if rules.get(call).is_some_and(Vec::is_empty) {
                    continue;
                }
                let alternatives: Result<Vec<_>, _> = alternatives.iter().map(rule).collect();
                rules.entry(*call).or_default().extend(alternatives?);
            }
        }
    }
    rules.extend(lists::unknown().map(|call| (call, Vec::new())));
    let denied = match denied {
        Denied::Fails => SeccompAction::Errno(libc::EPERM as u32),
        Denied::Kills => SeccompAction::KillProcess,
    };
    let filter = SeccompFilter::new(rules, denied, SeccompAction::Allow, arch)?;
    Ok(filter.try_into()?)
}

fn rule(condition: &Condition) -> Result<SeccompRule, seccompiler::Error> {
    let Condition { argument, mask, value } = *condition;
    // Kernels read these arguments as 32 bits, whatever stands above.
    let compare = SeccompCmpOp::MaskedEq(u64::from(mask));
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, compare, u64::from(value))?;
    Ok(SeccompRule::new(vec![condition])?)
}

#[cfg(test)]
mod tests;
