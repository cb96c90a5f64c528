//! The walls of keeper and worker.

use std::path::{Path, PathBuf};

use fairban_wall::{Calls, Identity, Tcp, Wall};

use crate::config::Config;
use crate::journal;

/// Port of name servers; over TCP where an answer is long.
const DOMAIN: u16 = 53;

/// What a resolver reads: all of `/etc`, as `resolv.conf` is replaced while we run, and where systemd keeps its own.
const RESOLVER: [&str; 4] = ["/etc", "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager"];

/// Where the libraries are that resolvers and programs load.
const LIBRARIES: [&str; 8] =
    ["/usr/lib", "/usr/lib64", "/usr/lib32", "/usr/libexec", "/lib", "/lib64", "/nix/store", "/gnu/store"];

/// Where programs are.
const PROGRAMS: [&str; 2] = ["/usr/bin", "/bin"];

fn existing(paths: &[&str]) -> Vec<PathBuf> {
    paths.iter().map(PathBuf::from).filter(|path| path.exists()).collect()
}

/// A keeper changes nothing on this host but through the workers it starts, whose walls lie within its own.
pub(crate) fn of_keeper(identity: Option<Identity>) -> Wall {
    Wall {
        identity,
        execute: vec![PathBuf::from("/")],
        write: existing(&["/dev/null"]),
        tcp: Tcp::Any,
        calls: Calls::Any,
        ..Wall::default()
    }
}

/// A worker has what its jobs need. Its listening sockets are open by now.
pub(crate) fn of_worker(config: &Config, journalctl: &Path) -> Wall {
    let mut wall = Wall { write: existing(&["/dev/null"]), calls: Calls::NetworkHelper, ..Wall::default() };
    if config.resolve.is_some() {
        wall.read.extend(existing(&RESOLVER));
        wall.execute.extend(existing(&LIBRARIES));
        wall.tcp = Tcp::Ports { bind: Vec::new(), connect: vec![DOMAIN] };
    }
    if config.journal.is_some() {
        wall.read.extend(existing(&[
            "/etc/ld.so.cache",
            "/etc/machine-id",
            "/etc/localtime",
            "/proc",
            "/dev/urandom",
        ]));
        wall.read.extend(journal::directories());
        wall.execute.extend(existing(&LIBRARIES));
        wall.execute.extend(existing(&PROGRAMS));
        wall.execute.extend(journalctl.parent().map(Path::to_owned));
        wall.calls = Calls::NetworkHelperWithPrograms;
    }
    wall
}
