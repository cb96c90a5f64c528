//! Started by root, the process that reads the logs has no rights left.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};

use fairban_control::WallState;

use crate::kit::Home;

/// On every system.
const NOBODY: u32 = 65_534;

#[test]
fn started_by_root_no_thread_has_any_right() {
    if !rustix::process::geteuid().is_root() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "this needs root");
        eprintln!("\n*** NOT RUN, for it needs root ***\n");
        return;
    }
    let home = Home::new();
    home.configure_for("nobody", "", "[[input]]\nfile = \"$DIR/log/mail.log\"\n");
    fs::write(home.path("log/mail.log"), "").expect("a log");
    fs::set_permissions(home.path(""), fs::Permissions::from_mode(0o755)).expect("ours");
    chown(home.path("run"), Some(NOBODY), None).expect("root");
    let mut service = home.start(&[]);
    let status = service.wait_until(|status| status.inputs.iter().any(|input| input.lag_bytes == Some(0)));
    let pid = service.pid();
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let mut count = 0;
    for thread in threads {
        let path = thread.expect("it runs").path();
        let Ok(text) = fs::read_to_string(path.join("status")) else { continue };
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("Linux");
            line.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
            assert_eq!(field(set), "0000000000000000", "{set} {text}");
        }
        assert_eq!(field("Uid:"), format!("{NOBODY} {NOBODY} {NOBODY} {NOBODY}"));
        assert_eq!((field("NoNewPrivs:"), field("Seccomp:")), ("1".to_owned(), "2".to_owned()), "{text}");
        count += 1;
    }
    assert!(count >= 4, "it has threads: {count}");
    let walls = &status.walls;
    assert_eq!((walls.capabilities.state, walls.seccomp.state), (WallState::Up, WallState::Up), "{walls:#?}");
    // An old kernel has none, and the status says so.
    assert!(walls.landlock.remark.is_some(), "{walls:#?}");
    let has_landlock = fs::read_to_string("/sys/kernel/security/lsm")
        .is_ok_and(|list| list.split(',').any(|one| one == "landlock"));
    assert!(!has_landlock || walls.landlock.state != WallState::Down, "{walls:#?}");
    let socket = home.socket();
    let output = home.verb(&["status", "--socket", socket.to_str().expect("plain names")]);
    let text = String::from_utf8_lossy(&output.stdout);
    for part in ["Landlock", "seccomp", "capabilities"] {
        assert!(text.contains(part), "'{part}' is missing in:\n{text}");
    }
}
