//! `fairban reload`: parse, check, swap; or keep the old one.

use std::fs;

use fairban_control::{Client, Request, Response};

use crate::kit::{Home, status};
use crate::{append, line, said, verb};

const LOG: &str = "[[input]]\nfile = \"$DIR/log/auth.log\"\n";

#[test]
fn a_log_outside_the_walls_needs_a_restart_and_nothing_is_lost_meanwhile() {
    let (home, outside) = (Home::new(), tempfile::tempdir().expect("a folder"));
    append(&home.path("log/auth.log"), &line("192.0.2.9", "dan", true));
    home.configure("", LOG);
    let mut service = home.start(&[]);
    let before = service.wait_until(|status| status.inputs.iter().any(|input| input.lines == 1));
    if before.walls.landlock.state == fairban_control::WallState::Down {
        eprintln!("NOT TESTED: this kernel has no Landlock, so nothing is outside");
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "CI has Landlock");
        return;
    }
    let other = outside.path().join("mail.log");
    append(&other, &line("192.0.2.10", "eve", true));
    let both = format!("{LOG}[[input]]\nfile = \"{}\"\n", other.display());
    home.configure("", &both);
    let refused = verb(&home, &["reload"]);
    assert_eq!(refused.status.code(), Some(78), "{}", said(&refused));
    let text = said(&refused);
    assert!(text.contains("restart needed") && text.contains("mail.log"), "{text}");
    // The old configuration goes on, to the line.
    append(&home.path("log/auth.log"), &line("192.0.2.9", "dan", true));
    let after = service.wait_until(|status| status.inputs.iter().any(|input| input.lines == 2));
    assert_eq!(after.inputs.len(), 1, "{:?}", after.inputs);
    service.stop();
    let mut service = home.start(&[]);
    service.wait_until(|status| {
        status.inputs.len() == 2 && status.inputs.iter().all(|input| input.last.is_some())
    });
    let told = said(&verb(&home, &["report"]));
    assert!(told.contains("3 attempts: 3 logins"), "each line counts once: {told}");
}

#[test]
fn a_log_beside_the_old_one_is_read_after_a_reload() {
    let home = Home::new();
    append(&home.path("log/auth.log"), &line("192.0.2.9", "dan", true));
    home.configure("", LOG);
    let mut service = home.start(&[]);
    service.wait_ready();
    append(&home.path("log/secure"), &line("192.0.2.10", "eve", true));
    home.configure("", &format!("{LOG}[[input]]\nfile = \"$DIR/log/secure\"\n"));
    let done = verb(&home, &["reload"]);
    assert!(done.status.success() && !said(&done).contains("started again"), "{}", said(&done));
    service.wait_until(|status| {
        status.inputs.len() == 2 && status.inputs.iter().all(|input| input.last.is_some())
    });
}

#[test]
fn services_of_an_input_count_after_a_reload() {
    let home = Home::new();
    let log = home.path("log/auth.log");
    append(&log, &line("192.0.2.9", "dan", true));
    home.configure("", &format!("{LOG}services = [\"dovecot\"]\n"));
    let mut service = home.start(&[]);
    service.wait_until(|status| status.inputs.iter().any(|input| input.lines == 1));
    home.configure("", LOG);
    assert!(verb(&home, &["reload"]).status.success());
    append(&log, &line("192.0.2.9", "dan", true));
    service.wait_until(|status| status.inputs.iter().any(|input| input.lines == 2 && input.last.is_some()));
    let told = said(&verb(&home, &["report"]));
    assert!(told.contains("1 attempt"), "what was not believed stays so: {told}");
}

/// Root alone can be somebody else.
#[test]
fn who_may_read_the_status_changes_with_a_reload() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("NOT TESTED: only root can ask as somebody else");
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "CI runs as root");
        return;
    }
    let home = Home::new();
    open_to_all(&home);
    home.configure("", LOG);
    let mut service = home.start(&[]);
    status(&mut service.wait_ready());
    assert!(!may_ask(&home), "nobody but root by default");
    home.configure("", &format!("status_for_all = true\n{LOG}"));
    let done = verb(&home, &["reload"]);
    assert!(done.status.success(), "{}", said(&done));
    assert!(may_ask(&home), "{}", home.said());
    home.configure("", LOG);
    assert!(verb(&home, &["reload"]).status.success());
    assert!(!may_ask(&home));
    service.stop();
}

/// The way to the socket is open to everybody.
fn open_to_all(home: &Home) {
    use std::os::unix::fs::PermissionsExt as _;
    for folder in [home.path(""), home.path("run")] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("ours");
    }
}

/// Whether user 65534 is told the status. A thread has a user of its own.
fn may_ask(home: &Home) -> bool {
    let socket = home.socket();
    let ask = move || {
        let nobody = rustix::fs::Uid::from_raw(65_534);
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody).expect("we are root");
        let answer = Client::connect(&socket).and_then(|mut client| client.ask(&Request::Status));
        matches!(answer, Ok(Response::Status(_)))
    };
    std::thread::spawn(ask).join().expect("it does not panic")
}
