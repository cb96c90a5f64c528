//! What tests of the running service share: a folder with its logs, its configuration and its state, and the service
//! itself as a process.

#![allow(dead_code, clippy::unused_self, reason = "each test program takes what it needs, of a home")]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use fairban_control::{Client, Request, Response, StatusReport};
use tempfile::TempDir;

/// Longer than anything takes that a test waits for, on a machine that does much else.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Where a service lives.
pub(crate) struct Home {
    dir: TempDir,
}

impl Home {
    pub(crate) fn new() -> Home {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let home = Home { dir };
        for folder in ["log", "run", "fairban.d"] {
            fs::create_dir(home.path(folder)).expect("a folder");
        }
        // Tests leave this machine's firewall alone: those that do not, have a machine of their own.
        fs::write(home.path("fairban.d/enforcer.toml"), "bans.enforcer = \"none\"\n").expect("a file");
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes the configuration, in one step: `rest` is TOML, in which `$DIR` is this folder.
    pub(crate) fn configure(&self, before: &str, rest: &str) {
        self.configure_for(&own_name(), before, rest);
    }

    /// The same for a service that becomes this user.
    pub(crate) fn configure_for(&self, user: &str, before: &str, rest: &str) {
        let dir = self.dir.path().to_str().expect("plain names");
        let text = format!(
            "user = \"{user}\"\nstate_dir = \"{dir}/state\"\ntimezone = \"UTC\"\n{before}\n\
             [control]\nsocket = \"{dir}/run/control.sock\"\n{}",
            rest.replace("$DIR", dir)
        );
        fs::write(self.path("fairban.new"), text).expect("a configuration");
        fs::rename(self.path("fairban.new"), self.path("fairban.toml")).expect("a configuration");
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("run/control.sock")
    }

    /// Lets users without rights come as far as the socket.
    pub(crate) fn open_to_all(&self) {
        fs::set_permissions(self.dir.path(), Permissions::from_mode(0o755)).expect("it is ours");
    }

    /// Starts the service; what it says is added to a file.
    pub(crate) fn start(&self, more: &[&str]) -> Service {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fairban"));
        command.args(["run", "--config"]).arg(self.path("fairban.toml")).args(more);
        self.start_command(command)
    }

    /// Starts the service by another program, which changes who it is.
    pub(crate) fn start_by(&self, program: &str, args: &[&str]) -> Service {
        let mut command = Command::new(program);
        command.args(args).args([env!("CARGO_BIN_EXE_fairban"), "run", "--config"]);
        command.arg(self.path("fairban.toml"));
        self.start_command(command)
    }

    /// Starts the service by a command of the test's own.
    pub(crate) fn start_command(&self, mut command: Command) -> Service {
        let said = File::options().append(true).create(true).open(self.path("said")).expect("a file");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
        let child = command.spawn().expect("the program starts");
        Service { child: Some(child), socket: self.socket(), said: self.path("said") }
    }

    /// What the service said, all its lives long.
    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.path("said")).unwrap_or_default()).into_owned()
    }

    /// Runs a verb, in this folder.
    pub(crate) fn verb(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_fairban"))
            .current_dir(&self.dir)
            .args(args)
            .output()
            .expect("the program starts")
    }

    pub(crate) fn audit(&self, more: &[&str]) -> Output {
        let state = self.path("state");
        let mut args = vec!["audit", "--json", "--state-dir", state.to_str().expect("plain names")];
        args.extend(more);
        self.verb(&args)
    }
}

/// Whether we are root; where tests are run to decide something, we must be.
pub(crate) fn is_root_or_skip() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    assert!(is_root || std::env::var("CI").as_deref() != Ok("true"), "this test needs root");
    if !is_root {
        println!("skipped: this test needs root");
    }
    is_root
}

/// As whom we run: as whom the service runs too.
fn own_name() -> String {
    let uid = rustix::process::geteuid().as_raw().to_string();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let own = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let mut own = own.filter(|fields| fields.get(2) == Some(&uid.as_str()));
    own.next().map_or_else(|| "nobody".to_owned(), |fields| fields[0].to_owned())
}

/// The running service. Killed when it is dropped.
pub(crate) struct Service {
    child: Option<Child>,
    socket: PathBuf,
    said: PathBuf,
}

impl Service {
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Waits until it answers.
    pub(crate) fn wait_ready(&mut self) -> Client {
        let end = Instant::now() + LIMIT;
        loop {
            if let Ok(mut client) = Client::connect(&self.socket)
                && client.ask(&Request::Ping).is_ok()
            {
                return client;
            }
            if let Some(status) = self.ended() {
                let said = fs::read(&self.said).unwrap_or_default();
                panic!("the service ended by itself: {status}: {}", String::from_utf8_lossy(&said));
            }
            assert!(Instant::now() < end, "the service does not answer");
            std::thread::yield_now();
        }
    }

    /// Waits until its status is as wanted.
    pub(crate) fn wait_until(&mut self, wanted: impl Fn(&StatusReport) -> bool) -> StatusReport {
        let mut client = self.wait_ready();
        let end = Instant::now() + LIMIT;
        loop {
            let status = status(&mut client);
            if wanted(&status) {
                return status;
            }
            assert!(Instant::now() < end, "it does not come: {status:#?}");
            std::thread::yield_now();
        }
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().and_then(|child| child.try_wait().expect("our own child"))
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.expect("it runs"), signal).expect("our own child");
    }

    /// `kill -9`, and waits for the end.
    pub(crate) fn kill(mut self) {
        self.end_at_once();
    }

    fn end_at_once(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Ends it as an init system does; returns how long that took.
    pub(crate) fn stop(mut self) -> Duration {
        let begun = Instant::now();
        self.signal(rustix::process::Signal::TERM);
        let mut child = self.child.take().expect("it runs");
        let status = child.wait().expect("our own child");
        assert!(status.success(), "{status}");
        begun.elapsed()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.end_at_once();
    }
}

pub(crate) fn status(client: &mut Client) -> StatusReport {
    match client.ask(&Request::Status) {
        Ok(Response::Status(status)) => *status,
        other => panic!("no status: {other:?}"),
    }
}

/// Random numbers that a seed repeats.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    /// One time in so many.
    pub(crate) fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }
}

/// A number from the environment.
pub(crate) fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number in the environment"))
}

/// Lets `path.1` become `path.2` and so on, up to `path.<kept>`, which is forgotten.
pub(crate) fn make_room(path: &Path, kept: u32) {
    let numbered = |n: u32| path.with_extension(format!("log.{n}"));
    for n in (1..kept).rev() {
        let _ = fs::rename(numbered(n), numbered(n + 1));
    }
}

/// Memory that a process has, in bytes.
pub(crate) fn resident_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux");
    kilobytes.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") * 1_024
}

/// How often any of its threads began to wait for something, since it started.
pub(crate) fn wake_ups(pid: u32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let waits = threads.filter_map(|thread| {
        let status = fs::read_to_string(thread.ok()?.path().join("status")).ok()?;
        let waits = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        waits.trim().parse::<u64>().ok()
    });
    waits.sum()
}
