//! Lists that other programs read, written by a service that runs as a user who may do nothing else.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

use fairban_control::Mode;

use crate::host::Host;
use crate::net::{IMAP, wait_for};

/// A user of every machine who may do nothing.
const NOBODY: u32 = 65_534;

/// Gives the service's folders to a user without rights, and the service to run as him.
fn run_as_nobody(host: &Host) {
    let config = host.home.path("fairban.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("user = \"root\"", "user = \"nobody\"")).unwrap();
    for name in ["", "run", "log", "lists"] {
        let folder = host.home.path(name);
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for name in ["run", "lists"] {
        chown(host.home.path(name), Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

#[test]
fn a_list_holds_who_is_banned_while_the_service_is_live() {
    let list = "enforcer = \"file\"\nfile = \"$DIR/lists/banned\"";
    let mut host = Host::new(list);
    run_as_nobody(&host);
    let service = host.start();
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    let path = host.home.path("lists/banned");
    host.scan("10.77.1.2");
    wait_for("the robot is on the list", || read(&path) == "10.77.1.2/32\n");
    host.ban("2001:db8:1::/48", 600);
    assert_eq!(read(&path), "10.77.1.2/32\n2001:db8:1::/48\n");
    host.mode(Mode::Shadow);
    assert_eq!(read(&path), "");
    host.mode(Mode::Live);
    assert_eq!(read(&path), "10.77.1.2/32\n2001:db8:1::/48\n");
    host.ban("10.77.2.2/32", 1);
    wait_for("its end is written down", || !read(&path).contains("10.77.2.2"));
    service.stop();
}

#[test]
fn a_service_without_rights_keeps_its_firewall_process() {
    let mut host = Host::new("");
    run_as_nobody(&host);
    let mut service = host.start();
    let status = fs::read_to_string(format!("/proc/{}/status", service.pid())).unwrap();
    for right in ["CapPrm:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(status.contains(right), "{status}");
    }
    assert!(status.contains("Uid:\t65534\t65534\t65534\t65534"), "{status}");
    host.scan("10.77.1.2");
    wait_for("the robot is shut out", || !host.net.is_open("10.77.1.2", IMAP));
    let first = crate::life::fw_of(service.pid()).unwrap();
    crate::life::kill(first);
    wait_for("another one is there", || crate::life::fw_of(service.pid()).is_some_and(|now| now != first));
    service.wait_until(|status| {
        status.enforcer.as_ref().is_some_and(|enforcer| enforcer.ready && enforcer.shut == 1)
    });
    host.mode(Mode::Shadow);
    assert!(host.net.is_open("10.77.1.2", IMAP));
    service.stop();
}
