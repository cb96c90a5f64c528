//! Why a file cannot be read, and what would change that.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::error::shown;

/// The reason in words, and the remedy.
pub(crate) fn explain(path: &Path, error: &io::Error) -> (String, Option<String>) {
    match error.kind() {
        io::ErrorKind::NotFound => (
            "does not exist".to_owned(),
            Some("check the name; patterns are expanded by the shell".to_owned()),
        ),
        io::ErrorKind::PermissionDenied => ("may not be read by this user".to_owned(), Some(remedy(path))),
        _ => (format!("cannot be read: {error}"), None),
    }
}

/// How an administrator lets this user read it: by the file's group where that may read it, else by an access list.
fn remedy(path: &Path) -> String {
    let user = std::env::var("USER").ok().filter(|name| is_plain(name)).unwrap_or_else(|| "$USER".to_owned());
    let metadata = fs::metadata(path).ok();
    let group = metadata.as_ref().filter(|m| m.mode() & 0o040 != 0).and_then(|m| group_name(m.gid()));
    // Where nothing can be learnt of the file, it is a folder above it that is closed.
    let closed = path.ancestors().skip(1).find(|above| metadata.is_none() && fs::metadata(above).is_ok());
    let closed =
        closed.filter(|above| !above.as_os_str().is_empty()).map(|above| format!("{} ", shown(above)));
    let with_acl = format!("sudo setfacl -m u:{user}:rX {}{}", closed.unwrap_or_default(), shown(path));
    match group {
        Some(group) if group != "root" => {
            format!(
                "join the group that may (sudo usermod -aG {group} {user}, then log in again), or: {with_acl}"
            )
        }
        _ => format!("run as root, join the group adm where it may read the logs, or: {with_acl}"),
    }
}

fn group_name(gid: u32) -> Option<String> {
    let groups = fs::read_to_string("/etc/group").ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?);
        (id.parse() == Ok(gid) && is_plain(name)).then(|| name.to_owned())
    })
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}
