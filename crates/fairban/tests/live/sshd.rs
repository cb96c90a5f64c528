//! A real sshd, with PAM, that logs by syslog(3).

use std::fs;
use std::path::Path;

use crate::machine::{Daemon, Machine};
use crate::net::run;

pub(crate) struct Sshd {
    _daemon: Daemon,
    pub(crate) port: u16,
}

impl Sshd {
    /// Starts it; whoever is named may also come in with the key in `ssh/key`.
    pub(crate) fn start(machine: &Machine, with_key: &[&str]) -> Sshd {
        let home = &machine.home;
        fs::create_dir_all(home.path("ssh/keys")).expect("a folder");
        for key in ["host_key", "key", "other_key"] {
            let path = home.path("ssh").join(key);
            run(
                "ssh-keygen",
                &["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path.to_str().expect("plain names")],
            );
        }
        for user in with_key {
            fs::copy(home.path("ssh/key.pub"), home.path("ssh/keys").join(user)).expect("a file");
        }
        // What the machine has of sessions, mail and messages of the day is none of this test's business.
        fs::write(machine.over().join("etc/pam.d/sshd"), PAM).expect("a file");
        let port = machine.host.free_port();
        let text = CONFIG
            .replace("$DIR", home.path("").to_str().expect("plain names").trim_end_matches('/'))
            .replace("$PORT", &port.to_string());
        let config = home.path("ssh/sshd_config");
        fs::write(&config, text).expect("a file");
        let arguments = ["-D", "-f", config.to_str().expect("plain names")];
        let mut daemon = machine.start_daemon(Path::new("/usr/sbin/sshd"), &arguments);
        machine.host.wait_for_port(port);
        daemon.expect_running();
        Sshd { _daemon: daemon, port }
    }
}

const PAM: &str = "\
auth required pam_unix.so
account required pam_unix.so
session required pam_permit.so
";

/// As Debian has it, but for what a test must set.
const CONFIG: &str = "\
Port $PORT
ListenAddress 0.0.0.0
HostKey $DIR/ssh/host_key
PidFile none
AuthorizedKeysFile $DIR/ssh/keys/%u
StrictModes no
UsePAM yes
PasswordAuthentication yes
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups 100
UseDNS no
";
