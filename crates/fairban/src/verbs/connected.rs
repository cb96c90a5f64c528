//! How long ago the connection to this machine was made over which `fairban confirm` is typed.
//!
//! A session that was open before going live goes on after its address was shut out, or looks as if: only a new one
//! proves that the door is open. What is looked for is the process that serves the connection, among those that
//! started us: sshd's child, mosh's server; a terminal multiplexer too, for its windows outlive the connection. Without any
//! (at the console) it is the session's first process, or the first in sight where that one is outside a PID namespace. All of it can be forged by him who types: he is the one it protects.

use std::fs;
use std::path::Path;

/// Programs that hold a person's connection: names as the kernel cuts them.
const HOLDERS: [&str; 9] = [
    "sshd",
    "sshd-session",
    "dropbear",
    "mosh-server",
    "in.telnetd",
    "telnetd",
    "tmux: server",
    "screen",
    "dtach",
];

/// Processes between us and the first one; more is a loop that changes while we look.
const ANCESTORS_MAX: usize = 64;

/// Milliseconds since then; `None` where `/proc` does not tell.
pub(super) fn ms_ago() -> Option<u64> {
    let ticks_a_second = rustix::param::clock_ticks_per_second();
    since(Path::new("/proc"), std::process::id(), ticks_a_second)
}

fn since(proc: &Path, own: u32, ticks_a_second: u64) -> Option<u64> {
    let uptime = fs::read_to_string(proc.join("uptime")).ok()?;
    let now_ms = (uptime.split_whitespace().next()?.parse::<f64>().ok()? * 1_000.0) as u64;
    let us = Process::read(proc, own)?;
    let mut next = us.parent;
    let mut holder = None;
    let mut top = None;
    for _ in 0..ANCESTORS_MAX {
        // The first process holds nobody's connection.
        let Some(process) = (next > 1).then(|| Process::read(proc, next)).flatten() else { break };
        if HOLDERS.contains(&process.name.as_str()) {
            holder = Some(process);
            break;
        }
        next = process.parent;
        top = Some(process);
    }
    // The session's first process is out of sight where it runs outside this PID namespace; then it is who came in.
    let holder = holder.or_else(|| Process::read(proc, us.session)).or(top).unwrap_or(us);
    let started_ms = holder.started_ticks.checked_mul(1_000)? / ticks_a_second.max(1);
    Some(now_ms.saturating_sub(started_ms))
}

#[derive(Debug)]
struct Process {
    name: String,
    parent: u32,
    session: u32,
    /// Since the machine was started.
    started_ticks: u64,
}

impl Process {
    fn read(proc: &Path, pid: u32) -> Option<Process> {
        let stat = fs::read(proc.join(pid.to_string()).join("stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        // The name may hold anything, also what stands around it.
        let (head, fields) = stat.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = fields.split_whitespace().collect();
        Some(Process {
            name,
            parent: fields.get(1)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            started_ticks: fields.get(19)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine up for 1,000 seconds with these processes: number, name, parent, session, started at (seconds).
    fn machine(processes: &[(u32, &str, u32, u32, u64)]) -> tempfile::TempDir {
        let proc = tempfile::tempdir().expect("a folder");
        fs::write(proc.path().join("uptime"), "1000.00 1.00\n").expect("it is ours");
        for (pid, name, parent, session, secs) in processes {
            let folder = proc.path().join(pid.to_string());
            fs::create_dir(&folder).expect("it is ours");
            let zeros = "0 ".repeat(15);
            let stat = format!("{pid} ({name}) S {parent} {pid} {session} {zeros}{} 0 0\n", secs * 100);
            fs::write(folder.join("stat"), stat).expect("it is ours");
        }
        proc
    }

    #[test]
    fn it_is_the_process_that_serves_the_connection() {
        let proc = machine(&[
            (1, "systemd", 0, 1, 0),
            (500, "sshd", 1, 500, 10),
            (600, "sshd-session", 500, 600, 700),
            (601, "sshd-session", 600, 600, 701),
            (602, "bash) R 1 (", 601, 602, 702),
            (700, "sudo", 602, 602, 950),
            (701, "fairban", 700, 602, 951),
            // An old session's multiplexer.
            (800, "tmux: server", 1, 800, 300),
            (801, "bash", 800, 801, 900),
            (802, "fairban", 801, 801, 990),
            // The console.
            (900, "login", 1, 900, 5),
            (901, "bash", 900, 901, 990),
            (902, "fairban", 901, 901, 999),
            // Begun outside this PID namespace: the session is one that cannot be seen.
            (950, "sh", 0, 0, 400),
            (951, "sudo", 950, 0, 996),
            (952, "fairban", 951, 0, 997),
        ]);
        let since = |pid| since(proc.path(), pid, 100);
        assert_eq!(since(701), Some(299_000), "sshd's child, however young the shell is");
        assert_eq!(since(802), Some(700_000), "a new window of an old session is an old session");
        assert_eq!(since(902), Some(10_000), "at the console, since the login");
        assert_eq!(since(952), Some(600_000), "in a namespace, since it was entered");
        assert_eq!(since(4), None);
    }

    #[test]
    fn it_is_known_here() {
        assert!(ms_ago().is_some());
    }
}
