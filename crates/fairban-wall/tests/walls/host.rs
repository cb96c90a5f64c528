//! Users, capabilities, and kernels that lack a layer.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;

use fairban_wall::{Calls, Capability, Error, Identity, LandlockState, Layer, Raised, Wall};
use rustix::io::Errno;
use seccompiler::{SeccompAction, SeccompFilter, TargetArch};

use crate::{Dir, is_root, refused};

/// Nobody, on every system.
const NOBODY: u32 = 65_534;

fn wall() -> Wall {
    Wall { calls: Calls::Reader, read: vec![PathBuf::from("/proc/self")], ..Wall::default() }
}

/// The value of a field of `/proc/self/status`.
fn status(field: &str) -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_start_matches(':').split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(crate) fn the_kernel_confirms_what_stands(_: &Dir) {
    let raised = wall().close().unwrap();
    for field in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
        assert_eq!(status(field), "0000000000000000", "{field}");
    }
    if is_root() {
        assert_eq!(status("CapBnd"), "0000000000000000");
        assert_eq!(raised.missing(), Vec::<String>::new());
    }
    assert_eq!((status("NoNewPrivs"), status("Seccomp")), ("1".to_owned(), "2".to_owned()));
    assert_eq!((raised.no_new_privs.clone(), raised.not_dumpable.clone()), (Layer::Up, Layer::Up));
    let told = raised.to_string();
    assert!(told.contains("no capabilities, Landlock 6, seccomp, no new privileges"), "{told}");
}

pub(crate) fn root_becomes_a_user_without_rights(dir: &Dir) {
    if !is_root() {
        return a_user_stays_who_he_is();
    }
    let private = dir.file("private");
    fs::set_permissions(&private, fs::Permissions::from_mode(0o600)).unwrap();
    let of_the_group = dir.file("of-the-group");
    fs::set_permissions(&of_the_group, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::chown(&of_the_group, None, Some(4)).unwrap();
    let identity = Identity { uid: NOBODY, gid: NOBODY, groups: vec![4] };
    let mut wall = Wall { identity: Some(identity), ..wall() };
    wall.read.push(dir.0.clone());
    let raised = wall.close().unwrap().require().unwrap();
    assert_eq!((raised.uid, raised.gid), (NOBODY, NOBODY));
    assert_eq!(
        status("Uid"),
        [NOBODY.to_string(), NOBODY.to_string(), NOBODY.to_string(), NOBODY.to_string()].join(" ")
    );
    assert_eq!((status("Groups"), status("CapEff")), ("4".to_owned(), "0000000000000000".to_owned()));
    refused(Errno::ACCESS, fs::read(private));
    fs::read(of_the_group).unwrap();
}

/// What systemd's `User=` needs: to become who we are is no change.
fn a_user_stays_who_he_is() {
    let groups = rustix::process::getgroups().unwrap().iter().map(|group| group.as_raw()).collect();
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let raised = Wall { identity: Some(Identity { uid, gid, groups }), ..wall() }.close().unwrap();
    assert_eq!((raised.uid, raised.gid), (uid, gid));
}

pub(crate) fn a_capability_is_kept(_: &Dir) {
    let keep = vec![Capability::NetAdmin, Capability::ReadAnyFile];
    let identity = is_root().then_some(Identity { uid: NOBODY, gid: NOBODY, groups: Vec::new() });
    let had = u64::from_str_radix(&status("CapPrm"), 16).unwrap() & (1 << 12 | 1 << 2);
    let raised = Wall { identity, keep: keep.clone(), ..wall() }.close().unwrap();
    assert_eq!(status("CapEff"), format!("{had:016x}"));
    assert_eq!(raised.capabilities.kept.len(), had.count_ones() as usize);
    assert_eq!(raised.capabilities.lacking.len(), 2 - had.count_ones() as usize);
    assert_eq!(raised.require().is_ok(), had.count_ones() == 2);
}

/// Without a wall, as a supervisor does it.
fn become_nobody() {
    if is_root() {
        rustix::thread::set_thread_groups(&[]).unwrap();
        let nobody = rustix::fs::Gid::from_raw(NOBODY);
        rustix::thread::set_thread_res_gid(nobody, nobody, nobody).unwrap();
        let nobody = rustix::fs::Uid::from_raw(NOBODY);
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
    }
}

pub(crate) fn without_rights_nothing_is_asked_for(_: &Dir) {
    become_nobody();
    let raised = close_where_these_fail(&[libc::SYS_capset], libc::EPERM);
    assert_eq!(raised.capabilities.kept, []);
    assert_eq!(status("CapPrm"), "0000000000000000");
}

pub(crate) fn a_user_cannot_become_another(_: &Dir) {
    become_nobody();
    let identity = Some(Identity { uid: 0, gid: 0, groups: Vec::new() });
    let error = Wall { identity, ..wall() }.close().unwrap_err();
    assert!(matches!(error, Error::Identity { uid: 0, gid: 0, .. }), "{error}");
    assert!(error.to_string().contains("start as root or as that user"));
}

pub(crate) fn a_process_with_threads_is_refused(_: &Dir) {
    let (go, wait) = mpsc::channel::<()>();
    let second = thread::spawn(move || wait.recv());
    let error = wall().close().unwrap_err();
    assert!(matches!(error, Error::Threads(2)), "{error}");
    drop(go);
    assert!(second.join().unwrap().is_err(), "nothing was sent");
}

/// Makes calls fail as on a kernel that lacks them, then closes.
fn close_where_these_fail(calls: &[i64], errno: i32) -> Raised {
    let rules = calls.iter().map(|call| (*call, Vec::new())).collect();
    let arch = TargetArch::try_from(std::env::consts::ARCH).unwrap();
    let lacks = SeccompAction::Errno(errno as u32);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, lacks, arch).unwrap();
    let program: seccompiler::BpfProgram = filter.try_into().unwrap();
    seccompiler::apply_filter(&program).unwrap();
    wall().close().unwrap()
}

pub(crate) fn a_kernel_without_landlock_is_told(dir: &Dir) {
    let file = dir.file("file");
    let raised = close_where_these_fail(&[libc::SYS_landlock_create_ruleset], libc::ENOSYS);
    assert!(
        matches!(&raised.landlock.state, LandlockState::Missing(why) if why.contains("5.13")),
        "{raised:?}"
    );
    assert_eq!(raised.seccomp, Layer::Up);
    assert!(raised.may_read(&file), "nothing holds it back");
    assert!(raised.clone().require().unwrap_err().to_string().contains("Landlock"));
    assert!(raised.to_string().contains("no Landlock"));
    fs::read(file).unwrap();
}

pub(crate) fn a_kernel_without_seccomp_is_told(dir: &Dir) {
    let file = dir.file("file");
    let raised = close_where_these_fail(&[libc::SYS_seccomp], libc::EINVAL);
    assert!(matches!(raised.seccomp, Layer::Missing(_)), "{raised:?}");
    assert!(raised.to_string().contains("no seccomp"));
    refused(Errno::ACCESS, fs::read(file));
}
