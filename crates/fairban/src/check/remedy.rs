//! What exactly lets a user read a log: a group, access lists, or a capability.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::probe::path_name;
use crate::accounts::{Accounts, User};

/// Where the shipped unit's addition that may read every file goes.
const READ_ALL: &str = "install -D -m 644 contrib/systemd/read-all-logs.conf \
                        /etc/systemd/system/fairban.service.d/read-all-logs.conf && systemctl daemon-reload";

/// A file or folder that keeps the user out.
struct Closed {
    path: PathBuf,
    metadata: Metadata,
    /// The bits that are needed: 1 to go through a folder, 4 to read a file, 5 to list a folder.
    needed: u32,
}

/// Commands, one a line, after which `user` may read `path`.
pub(super) fn remedy(path: &Path, user: &User, accounts: &Accounts, systemd: bool) -> Vec<String> {
    let closed = closed(path, user);
    if closed.is_empty() {
        return vec![format!(
            "the permission bits let {} read it: look for access lists (getfacl {}), AppArmor and SELinux",
            user.name,
            path_name(path)
        )];
    }
    let by_group = closed.iter().all(|one| one.metadata.mode() >> 3 & one.needed == one.needed);
    let gid = closed[0].metadata.gid();
    if by_group
        && gid != 0
        && closed.iter().all(|one| one.metadata.gid() == gid)
        && let Some(group) = accounts.group_of(gid)
    {
        return vec![format!("usermod -aG {} {}", group.name, user.name)];
    }
    let mut commands = Vec::new();
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    for one in closed.iter().filter(|one| one.path != *folder && one.metadata.is_dir()) {
        commands.push(format!("setfacl -m u:{}:x {}", user.name, path_name(&one.path)));
    }
    commands.push(format!("setfacl -m u:{}:rX {}", user.name, path_name(folder)));
    commands.push(format!("setfacl -d -m u:{}:rX {}", user.name, path_name(folder)));
    let file = closed.iter().find(|one| !one.metadata.is_dir());
    let Some(file) = file else { return commands };
    commands.push(format!("setfacl -m u:{}:r {}", user.name, path_name(&file.path)));
    if file.metadata.mode() & 0o040 == 0 {
        // The mode that a file is created with masks what it inherits.
        commands = vec![
            format!(
                "{} is written with mode {:04o}, which takes an access list back at each rotation. Either let logrotate \
                 create it readable for a group (create 0640 root adm) and: usermod -aG adm {}",
                path_name(&file.path),
                file.metadata.mode() & 0o7777,
                user.name
            ),
            if systemd {
                format!("or let the service read every file: {READ_ALL}")
            } else {
                format!("or, until the next rotation: {}", commands.join(" && "))
            },
        ];
    }
    commands
}

/// What on the way to `path` is closed to `user`, as far as the permission bits tell.
fn closed(path: &Path, user: &User) -> Vec<Closed> {
    let mut way: Vec<&Path> = path.ancestors().collect();
    way.reverse();
    let mut closed = Vec::new();
    for step in way {
        let Ok(metadata) = fs::metadata(step) else { break };
        let needed = match (step == path, metadata.is_dir()) {
            (true, true) => 5,
            (true, false) => 4,
            // The folder of a log is listed too, to follow its rotation.
            (false, _) if Some(step) == path.parent() => 5,
            (false, _) => 1,
        };
        let bits = if metadata.uid() == user.uid {
            metadata.mode() >> 6
        } else if user.gids().contains(&metadata.gid()) {
            metadata.mode() >> 3
        } else {
            metadata.mode()
        };
        if bits & needed != needed {
            closed.push(Closed { path: step.to_owned(), metadata, needed });
        }
    }
    closed
}

/// How the user comes to read the journal.
pub(super) fn journal(user: &User) -> Vec<String> {
    vec![format!("usermod -aG systemd-journal {}", user.name)]
}
