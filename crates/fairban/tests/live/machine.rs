//! What the daemons of a test take for their machine: users, logs and device files of its own, in a mount namespace. The
//! real machine's stay as they are.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::kit::{Home, Service};
use crate::net::Host;

/// As whom the service runs: no user of a real machine has this number.
pub(crate) const SERVICE_UID: u32 = 59_120;

/// As whom its helper runs.
pub(crate) const HELPER_UID: u32 = 59_220;

/// The password of everybody who may log in by ssh, and its hash (`openssl passwd -6 -salt fairban`).
pub(crate) const SSH_PASSWORD: &str = "Corn-Flower-81";
const SSH_HASH: &str =
    "$6$fairban$5CkY0tHNXj5bKISHMlnultzUAEWhxluelT6yFerZX.jMGWEQ9pBOUHzhYNGq0a5a6pvYUrw27oHM2fj.mfR/T/";

/// Makes the mounts, then becomes the program. `$1` is the folder that is put over the machine's, `$2` has our programs:
/// they are seen in the first one, for the users of the machine may not be let in where they were built.
const ENTER: &str = r#"
over=$1 programs=$2; shift 2
mount -t tmpfs -o mode=0755 tmpfs /run
for program in fairban fairban-helper fairban-fw; do
    if [ ! -e "$programs/$program" ]; then continue; fi
    mount --bind "$programs/$program" "$over/$program"
done
mkdir -m 0755 /run/sshd
for file in passwd shadow group pam.d/sshd resolv.conf; do
    [ -e "$over/etc/$file" ] || continue
    real=$(readlink -m "/etc/$file")
    if [ ! -e "$real" ]; then mkdir -p "${real%/*}"; : >"$real"; fi
    mount --bind "$over/etc/$file" "$real"
done
if [ -e "$over/journalctl" ]; then mount --bind "$over/journalctl" /usr/bin/journalctl; fi
mount -t tmpfs -o mode=0755 tmpfs /var/log
mount -t tmpfs -o mode=0755 tmpfs "$over/dev"
for device in null zero full random urandom tty; do
    : >"$over/dev/$device"
    mount --bind "/dev/$device" "$over/dev/$device"
done
mkdir "$over/dev/pts" "$over/dev/shm"
ln -s pts/ptmx "$over/dev/ptmx"
ln -s /proc/self/fd "$over/dev/fd"
ln -s "$over/log" "$over/dev/log"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$over/dev/pts"
mount --rbind "$over/dev" /dev
exec "$@"
"#;

/// See the module's head.
pub(crate) struct Machine {
    /// Here are the logs, the state, and what is put over the machine's.
    pub(crate) home: Home,
    pub(crate) host: Host,
}

impl Machine {
    /// With these users besides the real ones: name, and a password by which he may log in.
    pub(crate) fn new(logins: &[&str]) -> Machine {
        let machine = Machine { home: Home::new(), host: Host::new() };
        let over = machine.over();
        for folder in ["etc/pam.d", "dev"] {
            fs::create_dir_all(over.join(folder)).expect("a folder");
        }
        for program in ["fairban", "fairban-helper", "fairban-fw"] {
            File::create(over.join(program)).expect("a file");
        }
        // Whoever comes in has no rights of root's.
        machine.let_in("", 0o755);
        machine.add_users(logins);
        for folder in ["log", "run"] {
            chown(machine.home.path(folder), Some(SERVICE_UID), Some(SERVICE_UID)).expect("root");
        }
        // The socket that syslog(3) writes to, which is the service's.
        std::os::unix::fs::symlink(machine.home.path("log/socket"), over.join("log")).expect("a link");
        machine
    }

    pub(crate) fn over(&self) -> PathBuf {
        self.home.path("machine")
    }

    pub(crate) fn let_in(&self, folder: &str, mode: u32) {
        fs::set_permissions(self.home.path(folder), fs::Permissions::from_mode(mode)).expect("root");
    }

    fn add_users(&self, logins: &[&str]) {
        let read = |name: &str| fs::read_to_string(format!("/etc/{name}")).expect("a machine has users");
        let (mut passwd, mut shadow, mut group) = (read("passwd"), read("shadow"), read("group"));
        let names = [("fairban", SERVICE_UID, "!"), ("fairban-helper", HELPER_UID, "!")].into_iter();
        let logins = logins.iter().zip(SERVICE_UID + 1..).map(|(name, uid)| (*name, uid, SSH_HASH));
        for (name, uid, hash) in names.chain(logins) {
            passwd.push_str(&format!("{name}:x:{uid}:{uid}::/nonexistent:/bin/sh\n"));
            shadow.push_str(&format!("{name}:{hash}:20000:0:99999:7:::\n"));
            group.push_str(&format!("{name}:x:{uid}:\n"));
        }
        for (name, text, mode) in
            [("passwd", passwd, 0o644), ("shadow", shadow, 0o600), ("group", group, 0o644)]
        {
            let path = self.over().join("etc").join(name);
            fs::write(&path, text).expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("root");
        }
    }

    /// A log that exists before its daemon does, so that the service may read it.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        let path = self.home.path("log").join(name);
        File::create(&path).expect("a log");
        chown(&path, Some(SERVICE_UID), Some(SERVICE_UID)).expect("root");
        path
    }

    /// The command that starts a program there.
    fn command(&self, program: &Path, unshare: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private"]).args(unshare);
        command.args(["--", "/bin/sh", "-eu", "-c", ENTER, "sh"]);
        let programs = Path::new(env!("CARGO_BIN_EXE_fairban")).parent().expect("a folder");
        command.arg(self.over()).arg(programs).arg(program);
        command
            .env("TZ", "UTC")
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .current_dir(self.home.path(""));
        command
    }

    /// Starts a daemon, which ends with all that it started when this is dropped.
    pub(crate) fn start_daemon(&self, program: &Path, arguments: &[&str]) -> Daemon {
        let name = program.file_name().expect("a program").to_string_lossy().into_owned();
        self.start_daemon_at(&self.host, program, &name, arguments)
    }

    /// The same on another host, by another name.
    pub(crate) fn start_daemon_at(
        &self,
        host: &Host,
        program: &Path,
        name: &str,
        arguments: &[&str],
    ) -> Daemon {
        let said = self.home.path(&format!("{name}.said"));
        let file = File::create(&said).expect("a file");
        let mut command = self.command(program, &["--pid", "--fork", "--kill-child", "--mount-proc"]);
        command.args(arguments).stdout(file.try_clone().expect("a file")).stderr(file);
        Daemon { child: host.on(|| command.spawn().expect("unshare")), said }
    }

    /// Starts the service as root does: it becomes the user of its configuration by itself.
    pub(crate) fn start_service(&self) -> Service {
        let mut command = self.command(&self.over().join("fairban"), &[]);
        command.args(["run", "--keep-journal", "--config"]).arg(self.home.path("fairban.toml"));
        self.host.on(|| self.home.start_command(command))
    }
}

/// A program that runs.
pub(crate) struct Daemon {
    child: Child,
    said: PathBuf,
}

impl Daemon {
    /// Fails if it has ended.
    pub(crate) fn expect_running(&mut self) {
        let ended = self.child.try_wait().expect("our own child");
        let said = fs::read(&self.said).unwrap_or_default();
        assert!(ended.is_none(), "it ended: {}", String::from_utf8_lossy(&said));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
