//! The service beside real servers: Dovecot and sshd log, real clients and robots come to them over wires between network
//! namespaces that each test makes for itself, all at once. One test at a time. It takes root and the programs below;
//! without, the tests say so and are not run, and where tests decide something (CI=true), they fail.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::format_push_string,
    reason = "prints what it measured, and says what is missing"
)]

mod dovecot;
#[path = "../kit/fw.rs"]
mod fw;
mod helper;
#[path = "../kit/mod.rs"]
mod kit;
mod latency;
mod machine;
mod net;
mod people;
mod robots;
mod scene;
mod sshd;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use self::kit::LIMIT;

/// What a test here cannot do without, and the packages that bring it.
const NEEDED: [(&str, &str); 9] = [
    ("/usr/sbin/dovecot", "dovecot-core"),
    ("/usr/lib/dovecot/pop3", "dovecot-pop3d"),
    ("/usr/lib/dovecot/imap", "dovecot-imapd"),
    ("/usr/sbin/sshd", "openssh-server"),
    ("/usr/bin/ssh", "openssh-client"),
    ("/usr/bin/hydra", "hydra"),
    ("/usr/bin/unshare", "util-linux"),
    ("/usr/bin/mount", "mount"),
    ("/usr/sbin/ip", "iproute2"),
];

/// Lets one test run at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same, where the test can be run at all.
fn begin() -> Option<MutexGuard<'static, ()>> {
    let mut lacks: Vec<String> = NEEDED
        .iter()
        .filter(|(program, _)| !Path::new(program).exists())
        .map(|(program, package)| format!("{program} (package {package})"))
        .collect();
    if !rustix::process::geteuid().is_root() {
        lacks.push("root's rights, to make namespaces".to_owned());
    }
    if lacks.is_empty() {
        return Some(alone());
    }
    let lacks = lacks.join(", ");
    assert!(std::env::var("CI").as_deref() != Ok("true"), "missing: {lacks}");
    eprintln!("\n*** NOT RUN, for it lacks {lacks} ***\n");
    None
}

/// Waits for something to be true.
fn wait_for(what: &str, mut is_true: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is_true() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// Prints how long a verdict takes. What it may take is measured on an idle machine, by `scripts/bench live`.
#[test]
fn every_line_has_its_verdict_at_once() {
    let _alone = alone();
    let home = kit::Home::new();
    home.configure("", "[[input]]\nfile = \"$DIR/log/mail.log\"\n");
    let log = home.path("log/mail.log");
    std::fs::File::create(&log).expect("a log");
    let mut service = home.start(&[]);
    service.wait_until(|status| status.inputs.iter().any(|input| input.lag_bytes == Some(0)));
    println!("{}", latency::measure(service.wait_ready(), &log, 150, LIMIT));
}
