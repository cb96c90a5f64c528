//! fairban as a service: the files that make it one are right, as systemd's own tools see them, and the process behaves as
//! these files say. No systemd runs here: tests play it.
//!
//! Where systemd is not installed the files cannot be looked at, and a process that is not started by root has no rights to
//! give up; where tests decide something (CI=true), that fails.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "prints what it measured, and says what was not run"
)]

#[path = "../kit/mod.rs"]
mod kit;
mod manager;
mod rights;
mod stopping;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// The units, with the exposure that is allowed in tenths: 0 is none, 100 all of it.
const EXPOSURE_MAX: [(&str, u32); 2] = [("fairban.service", 9), ("fairban-fw.service", 15)];

/// Calls with which a process of ours builds its own walls: a unit that forbids them ends it at its start.
const WALL_BUILDING: [&str; 7] = [
    "capset",
    "landlock_add_rule",
    "landlock_create_ruleset",
    "landlock_restrict_self",
    "prctl",
    "seccomp",
    "sendmsg",
];

fn contrib(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib").join(name)
}

fn has(command: &str) -> bool {
    let found = Command::new(command).arg("--version").output().is_ok();
    assert!(found || std::env::var("CI").as_deref() != Ok("true"), "{command} is missing (package systemd)");
    found
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A unit with additions, as installed beside the others, but for the place of the programs: what systemd looks at is
/// whether there is one.
fn installed(name: &str, additions: &[&str]) -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (unit, program) in [
        ("fairban.service", "\nExecStart=/usr/bin/fairban run\n"),
        ("fairban-fw.service", "\nExecStart=/usr/libexec/fairban/fairban-fw $FAIRBAN_FW_OPTIONS\n"),
        ("fairban-fw.socket", "\n[Socket]\n"),
    ] {
        let text = fs::read_to_string(contrib("systemd").join(unit)).expect("it is in the tree");
        assert!(text.contains(program), "{unit}");
        let here = env!("CARGO_BIN_EXE_fairban");
        let text = text.replace("/usr/libexec/fairban/fairban-fw", here).replace("/usr/bin/fairban", here);
        fs::write(folder.path().join(unit), text).expect("a file");
    }
    let path = folder.path().join(name);
    let drop_ins = folder.path().join("fairban.service.d");
    fs::create_dir(&drop_ins).expect("a folder");
    for name in additions {
        fs::copy(contrib("systemd").join(name), drop_ins.join(name)).expect("it is in the tree");
    }
    let path = path.to_str().expect("plain names").to_owned();
    (folder, path)
}

fn analyze(args: &[&str]) -> Output {
    Command::new("systemd-analyze").args(args).env("SYSTEMD_LOG_TARGET", "console").output().expect("it runs")
}

fn verify(unit: &str) -> Output {
    analyze(&["verify", "--man=no", "--recursive-errors=no", unit])
}

#[test]
fn the_units_and_their_additions_are_right() {
    if !has("systemd-analyze") {
        return;
    }
    let additions: [&[&str]; 4] =
        [&[], &["read-all-logs.conf"], &["network.conf"], &["network.conf", "read-all-logs.conf"]];
    let others = ["fairban-fw.service", "fairban-fw.socket"].map(|name| (name, &[][..]));
    for (name, additions) in
        additions.map(|additions| ("fairban.service", additions)).into_iter().chain(others)
    {
        let (_folder, unit) = installed(name, additions);
        let verified = verify(&unit);
        assert!(
            verified.status.success() && said(&verified).is_empty(),
            "{name} {additions:?}: {}",
            said(&verified)
        );
    }
    for (name, right, wrong) in [
        ("fairban.service", "NoNewPrivileges=yes", "NoNewPrivilege=yes"),
        ("fairban-fw.service", "AmbientCapabilities=", "AmbientCapability="),
        ("fairban-fw.socket", "SocketUser=", "SocketsUser="),
    ] {
        let (_folder, unit) = installed(name, &[]);
        let text = fs::read_to_string(&unit).expect("it was just written");
        assert!(text.contains(right), "{name}");
        fs::write(&unit, text.replace(right, wrong)).expect("ours");
        let verified = verify(&unit);
        let key = wrong.split_once('=').map_or(wrong, |(key, _)| key);
        assert!(said(&verified).contains(key), "a mistake is seen: {}", said(&verified));
    }
}

#[test]
fn the_units_expose_next_to_nothing() {
    if !has("systemd-analyze") {
        return;
    }
    for (name, exposure_max) in EXPOSURE_MAX {
        let (_folder, unit) = installed(name, &[]);
        let judged = |threshold: u32| {
            let threshold = format!("--threshold={threshold}");
            analyze(&["security", "--offline=true", "--no-pager", &threshold, &unit])
        };
        let within = judged(exposure_max);
        assert!(within.status.success(), "{}", said(&within));
        assert!(said(&within).contains("SAFE") || said(&within).contains("OK"), "{}", said(&within));
        assert!(!judged(0).status.success(), "the threshold counts");
    }
}

/// Calls that a unit allows, its lines taken one after the other as systemd takes them.
fn allowed_calls(unit: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(contrib("systemd").join(unit)).expect("it is in the tree");
    let mut allowed = BTreeSet::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let (is_denied, names) = line.strip_prefix('~').map_or((false, line), |names| (true, names));
        for call in names.split_whitespace().flat_map(calls_of) {
            if is_denied {
                allowed.remove(&call);
            } else {
                allowed.insert(call);
            }
        }
    }
    allowed
}

/// A call, or those of a set of systemd's.
fn calls_of(name: &str) -> Vec<String> {
    if !name.starts_with('@') {
        return vec![name.to_owned()];
    }
    let listed = analyze(&["syscall-filter", "--no-pager", name]);
    assert!(listed.status.success(), "{name}: {}", said(&listed));
    let text = said(&listed);
    let names = text.lines().skip(1).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    names.flat_map(calls_of).collect()
}

#[test]
fn the_units_let_the_programs_build_their_own_walls() {
    if !has("systemd-analyze") {
        return;
    }
    for (unit, _) in EXPOSURE_MAX {
        let allowed = allowed_calls(unit);
        for call in WALL_BUILDING {
            assert!(allowed.contains(call), "{unit} forbids {call}");
        }
        for call in ["setuid", "mount", "init_module", "ptrace"] {
            assert!(!allowed.contains(call), "{unit} allows {call}");
        }
    }
}

#[test]
fn the_user_and_the_folders_are_made_as_they_are_written_down() {
    if !has("systemd-sysusers") || !has("systemd-tmpfiles") {
        return;
    }
    let root = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(root.path().join("etc")).expect("a folder");
    let run = |tool: &str, args: &[&str], file: &str| {
        // A root of their own is where the tools look for the file too.
        let copy = root.path().join("usr/lib").join(file);
        fs::create_dir_all(copy.parent().expect("it has one")).expect("a folder");
        fs::copy(contrib(file), copy).expect("it is in the tree");
        let root = format!("--root={}", root.path().display());
        let output = Command::new(tool).arg(root).args(args).arg("fairban.conf").output().expect("it runs");
        assert!(output.status.success(), "{tool}: {}", said(&output));
    };
    run("systemd-sysusers", &[], "sysusers.d/fairban.conf");
    let read = |name: &str| fs::read_to_string(root.path().join(name)).expect("it was made");
    let user = read("etc/passwd");
    assert!(user.contains("fairban:") && user.contains(":/var/lib/fairban:"), "{user}");
    assert!(user.lines().any(|line| line.starts_with("fairban-fw:") && line.ends_with("/nologin")), "{user}");
    for group in ["adm", "systemd-journal"] {
        assert!(
            read("etc/group").lines().any(|line| line.starts_with(group) && line.ends_with("fairban")),
            "{group}"
        );
    }
    // To give folders away takes root.
    if fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
        run("systemd-tmpfiles", &["--create"], "tmpfiles.d/fairban.conf");
        let mode =
            |name: &str| fs::metadata(root.path().join(name)).expect(name).permissions().mode() & 0o7777;
        assert_eq!(
            (mode("var/lib/fairban"), mode("run/fairban"), mode("etc/fairban")),
            (0o700, 0o755, 0o755)
        );
    }
}

#[test]
fn the_run_script_is_one() {
    let script = contrib("run");
    let mode = fs::metadata(&script).expect("it is in the tree").permissions().mode();
    assert_eq!(mode & 0o111, 0o111, "it can be run");
    let checked = Command::new("sh").arg("-n").arg(&script).output().expect("a shell");
    assert!(checked.status.success(), "{}", said(&checked));
    let text = fs::read_to_string(&script).expect("text");
    assert!(
        text.ends_with("exec /usr/bin/fairban run\n"),
        "no shell stays between the supervisor and the program"
    );
}

/// Settings of the unit that keep it from the network, as systemd reads them: the last word counts, and lists add up.
fn network_of(additions: &[&str]) -> (String, BTreeSet<String>, String) {
    let mut all = fs::read_to_string(contrib("systemd/fairban.service")).expect("it is in the tree");
    for name in additions {
        all += &fs::read_to_string(contrib("systemd").join(name)).expect("it is in the tree");
    }
    let values = |key: &str| {
        let lines = all.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let families = values("RestrictAddressFamilies");
    let families = families.iter().flat_map(|line| line.split_whitespace()).map(str::to_owned).collect();
    let last = |key: &str| values(key).pop().unwrap_or_default();
    (last("PrivateNetwork"), families, last("IPAddressAllow"))
}

#[test]
fn one_addition_opens_the_network_for_the_helper_and_nothing_else_does() {
    let families = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let shut = ("yes".to_owned(), families(&["AF_UNIX"]), String::new());
    assert_eq!(network_of(&[]), shut);
    assert_eq!(network_of(&["read-all-logs.conf"]), shut);
    let open = ("no".to_owned(), families(&["AF_INET", "AF_INET6", "AF_UNIX"]), "any".to_owned());
    assert_eq!(network_of(&["network.conf"]), open);
    // What the helper calls to listen and to look names up is not among what the unit forbids.
    if has("systemd-analyze") {
        let allowed = allowed_calls("fairban.service");
        for call in
            ["socket", "bind", "listen", "accept4", "connect", "sendto", "recvfrom", "execve", "wait4"]
        {
            assert!(allowed.contains(call), "{call}");
        }
    }
}
