//! A real Dovecot for POP3 and IMAP.

use std::fs;
use std::path::{Path, PathBuf};

use crate::machine::{Daemon, Machine};

/// Everybody's password.
pub(crate) const PASSWORD: &str = "Blue-Thistle-27";

pub(crate) struct Dovecot {
    _daemon: Daemon,
    pub(crate) pop3: u16,
    pub(crate) imap: u16,
}

impl Dovecot {
    /// Starts it for these users. The digests of some are of an old password, and of the others it has none: what the server
    /// says of them is the truth, and they are who they say.
    pub(crate) fn start(machine: &Machine, users: &[&str], old_digests: &[&str], log: &Path) -> Dovecot {
        let home = &machine.home;
        for folder in ["dovecot", "dovecot/state", "mail"] {
            fs::create_dir(home.path(folder)).expect("a folder");
        }
        machine.let_in("mail", 0o777);
        let file = |name: &str, users: &[&str], password: &str| {
            let lines = users.iter().map(|user| format!("{user}:{{PLAIN}}{password}::::::\n"));
            fs::write(home.path(name), lines.collect::<String>()).expect("a file");
        };
        file("dovecot/users", users, PASSWORD);
        file("dovecot/digests", old_digests, "what-it-was-last-year");
        let (pop3, imap) = (machine.host.free_port(), machine.host.free_port());
        let text = CONFIG
            .replace("$DIR", home.path("").to_str().expect("plain names").trim_end_matches('/'))
            .replace("$LOG", log.to_str().expect("plain names"))
            .replace("$POP3", &pop3.to_string())
            .replace("$IMAP", &imap.to_string());
        let config: PathBuf = home.path("dovecot/dovecot.conf");
        fs::write(&config, text).expect("a file");
        let arguments = ["-F", "-c", config.to_str().expect("plain names")];
        let mut daemon = machine.start_daemon(Path::new("/usr/sbin/dovecot"), &arguments);
        machine.host.wait_for_port(pop3);
        machine.host.wait_for_port(imap);
        daemon.expect_running();
        Dovecot { _daemon: daemon, pop3, imap }
    }
}

/// With the settings that `fairban check` advises. The penalty is off because all of a wave of clients would wait for it.
const CONFIG: &str = "\
base_dir = $DIR/dovecot/run
state_dir = $DIR/dovecot/state
log_path = $LOG
protocols = pop3 imap
listen = *
ssl = no
disable_plaintext_auth = no
auth_verbose = yes
auth_mechanisms = plain login cram-md5 apop
default_login_user = nobody
default_internal_user = nobody
default_internal_group = nogroup
first_valid_uid = 1
mail_location = maildir:$DIR/mail/%u
mail_max_userip_connections = 50
passdb {
  driver = passwd-file
  mechanisms = cram-md5 apop
  args = $DIR/dovecot/digests
}
passdb {
  driver = passwd-file
  mechanisms = plain login
  args = $DIR/dovecot/users
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=$DIR/mail/%u
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service pop3-login {
  inet_listener pop3 {
    port = $POP3
  }
  inet_listener pop3s {
    port = 0
  }
}
service imap-login {
  inet_listener imap {
    port = $IMAP
  }
  inet_listener imaps {
    port = 0
  }
}
";
