//! Robots: hydra, each at an address of its own.

use std::fs;
use std::path::Path;

use crate::machine::{Daemon, Machine};
use crate::net::Host;

/// Guesses that a robot makes at a time.
const TASKS: &str = "4";

/// Names that robots try and nobody here has.
pub(crate) const STRANGE_NAMES: [&str; 12] = [
    "oracle",
    "testuser",
    "guest",
    "webmaster",
    "postgres",
    "ubuntu",
    "jenkins",
    "minecraft",
    "deploy",
    "nagios",
    "ftpuser",
    "support",
];

/// Lets hydra try one password at all names.
pub(crate) fn hydra(machine: &Machine, host: &Host, names: &[&str], password: &str, target: &str) -> Daemon {
    let (service, _) = target.split_once("://").expect("service://address:port");
    let list = machine.home.path(&format!("{service}-names"));
    fs::write(&list, names.join("\n") + "\n").expect("a file");
    let list = list.to_str().expect("plain names").to_owned();
    let (address, port) = target.rsplit_once(':').expect("service://address:port");
    let arguments = ["-I", "-t", TASKS, "-L", &list, "-p", password, "-s", port, address];
    machine.start_daemon_at(host, Path::new("/usr/bin/hydra"), service, &arguments)
}
