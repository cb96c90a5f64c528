//! fairban as a service: the files that make it one are right, as systemd's own tools see them, and the process behaves as
//! these files say. No systemd runs here: tests play it.
//!
//! Where systemd is not installed the files cannot be looked at, and a process that is not started by root has no rights to
//! give up; where tests decide something (CI=true), that fails.

#[path = "../kit/mod.rs"]
mod kit;
mod manager;
mod rights;
mod stopping;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Exposure that is allowed, in tenths: 0 is none, 100 all of it.
const EXPOSURE_MAX: u32 = 9;

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

/// The unit with additions, as installed, but for the place of the program.
fn installed(additions: &[&str]) -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let unit = fs::read_to_string(contrib("systemd/fairban.service")).expect("it is in the tree");
    assert!(unit.contains("\nExecStart=/usr/bin/fairban run\n"));
    let path = folder.path().join("fairban.service");
    fs::write(&path, unit.replace("/usr/bin/fairban", env!("CARGO_BIN_EXE_fairban"))).expect("a file");
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

#[test]
fn the_unit_and_its_additions_are_right() {
    if !has("systemd-analyze") {
        return;
    }
    for additions in
        [&[][..], &["read-all-logs.conf"], &["network.conf"], &["network.conf", "read-all-logs.conf"]]
    {
        let (_folder, unit) = installed(additions);
        let verified = analyze(&["verify", "--man=no", "--recursive-errors=no", &unit]);
        assert!(
            verified.status.success() && said(&verified).is_empty(),
            "{additions:?}: {}",
            said(&verified)
        );
    }
    let (_folder, unit) = installed(&[]);
    let text = fs::read_to_string(&unit).expect("it was just written");
    fs::write(&unit, text.replace("NoNewPrivileges=yes", "NoNewPrivilege=yes")).expect("ours");
    let verified = analyze(&["verify", "--man=no", "--recursive-errors=no", &unit]);
    assert!(said(&verified).contains("NoNewPrivilege"), "a mistake is seen: {}", said(&verified));
}

#[test]
fn the_unit_exposes_next_to_nothing() {
    if !has("systemd-analyze") {
        return;
    }
    let (_folder, unit) = installed(&[]);
    let judged = |threshold: u32| {
        let threshold = format!("--threshold={threshold}");
        analyze(&["security", "--offline=true", "--no-pager", &threshold, &unit])
    };
    let within = judged(EXPOSURE_MAX);
    assert!(within.status.success(), "{}", said(&within));
    assert!(said(&within).contains("SAFE"), "{}", said(&within));
    assert!(!judged(0).status.success(), "the threshold counts");
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
