//! Real processes behind real walls: what is forbidden fails, and fails as it should; what is needed works.
//!
//! A wall never opens again, so every case runs in a process of its own: this program starts itself with the name of
//! the case and a directory. It has no harness, as a harness has threads. Names given as arguments choose cases.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "it is its own harness")]

mod firewall;
mod host;
mod network;
mod reader;

use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// What a child does within the directory that it is given; it panics if anything is not as it should be.
type Child = fn(&Dir);

/// Name, child, and the signal that it must end by.
type Case = (&'static str, Child, Option<i32>);

const SIGSYS: i32 = 31;

const CASES: &[Case] = &[
    ("a reader cannot reach other files", reader::cannot_reach_other_files, None),
    ("a reader cannot reach the network", reader::cannot_reach_the_network, None),
    ("a reader cannot start programs", reader::cannot_start_programs, None),
    ("a reader cannot touch other processes", reader::cannot_touch_other_processes, None),
    ("a reader cannot become anybody", reader::cannot_become_anybody, None),
    ("a reader follows logs that appear later", reader::follows_logs_that_appear_later, None),
    ("a reader keeps a database", reader::keeps_a_database, None),
    ("a reader serves a Unix socket", reader::serves_a_unix_socket, None),
    ("a reader has threads, time and chance", reader::has_threads_time_and_chance, None),
    ("a reader may die of a forbidden call", reader::may_die_of_a_forbidden_call, Some(SIGSYS)),
    ("a missing log opens the directory it will be in", reader::missing_logs_open_their_directory, None),
    ("a network helper has the ports it asked for", network::has_the_ports_it_asked_for, None),
    ("a network helper cannot start programs", network::cannot_start_programs, None),
    ("a network helper starts the programs it named", network::starts_the_programs_it_named, None),
    ("a firewall process has netlink and no file", firewall::has_netlink_and_no_file, None),
    ("the kernel confirms what stands", host::the_kernel_confirms_what_stands, None),
    ("root becomes a user without rights", host::root_becomes_a_user_without_rights, None),
    ("a capability is kept over a change of user", host::a_capability_is_kept, None),
    ("a user cannot become another", host::a_user_cannot_become_another, None),
    ("a process with threads is refused", host::a_process_with_threads_is_refused, None),
    ("who has no rights does not ask to give any up", host::without_rights_nothing_is_asked_for, None),
    ("a kernel without Landlock is told", host::a_kernel_without_landlock_is_told, None),
    ("a kernel without seccomp is told", host::a_kernel_without_seccomp_is_told, None),
];

/// A directory for one case.
struct Dir(PathBuf);

impl Dir {
    /// A directory below, made if need be.
    fn sub(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// A file below, of some text.
    fn file(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, "some text\n").unwrap();
        path
    }
}

/// Expects a refusal of that kind.
#[track_caller]
fn refused<T>(errno: rustix::io::Errno, result: io::Result<T>) {
    match result {
        Ok(_) => panic!("was allowed"),
        Err(error) => assert_eq!(error.raw_os_error(), Some(errno.raw_os_error()), "{error}"),
    }
}

/// Whether the tests run with the rights of root; without them some cases try less.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name, dir] = arguments.as_slice()
        && flag == "--child"
    {
        let (_, child, _) = CASES.iter().find(|(known, ..)| known == name).unwrap();
        child(&Dir(PathBuf::from(dir)));
        return ExitCode::SUCCESS;
    }
    let names: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        for (name, ..) in CASES {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let chosen =
        CASES.iter().filter(|(name, ..)| names.is_empty() || names.iter().any(|part| name.contains(*part)));
    let failed = chosen.filter(|case| !passes(case)).count();
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn passes((name, _, signal): &Case) -> bool {
    let dir = tempfile::tempdir().unwrap();
    // A child may become somebody else, who must get here.
    let open = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    fs::set_permissions(dir.path(), open).unwrap();
    let output = run(name, dir.path());
    let passes = if signal.is_some() { output.status.signal() == *signal } else { output.status.success() };
    println!("test {name} ... {}", if passes { "ok" } else { "FAILED" });
    if !passes {
        println!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    passes
}

fn run(name: &str, dir: &Path) -> std::process::Output {
    let program = std::env::current_exe().unwrap();
    Command::new(program).args(["--child", name]).arg(dir).output().unwrap()
}
