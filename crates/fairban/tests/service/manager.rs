//! What an init system is told over its socket, which is the test's.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::{Duration, Instant};

use fairban_control::InputState;
use rustix::process::Signal;

use crate::kit::{Home, LIMIT, Service, resident_bytes, wake_ups};

/// After so long without a ping systemd would end the service.
const WATCHDOG: Duration = Duration::from_secs(6);

/// What an idle service may take.
const IDLE_BYTES_MAX: u64 = 20_000_000;

const INPUT: &str = "[[input]]\nfile = \"$DIR/log/mail.log\"\n";

/// The init system.
struct Manager {
    home: Home,
    socket: UnixDatagram,
}

impl Manager {
    fn new() -> Manager {
        let home = Home::new();
        home.configure("", INPUT);
        fs::write(home.path("log/mail.log"), "Jan  1 00:00:00 mx kernel: nothing of note\n").expect("a log");
        let socket = UnixDatagram::bind(home.path("run/notify")).expect("a socket");
        socket.set_read_timeout(Some(LIMIT)).expect("a limit");
        Manager { home, socket }
    }

    fn start(&self, watchdog: Option<Duration>) -> Service {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fairban"));
        command.args(["run", "--config"]).arg(self.home.path("fairban.toml"));
        command.env("NOTIFY_SOCKET", self.home.path("run/notify"));
        if let Some(watchdog) = watchdog {
            command.env("WATCHDOG_USEC", watchdog.as_micros().to_string());
        }
        self.home.start_command(command)
    }

    /// The next message, a line a state.
    fn next(&self) -> Vec<String> {
        let mut bytes = [0; 4_096];
        match self.socket.recv(&mut bytes) {
            Ok(count) => String::from_utf8_lossy(&bytes[..count]).lines().map(str::to_owned).collect(),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("nothing more was told; the service said: {}", self.home.said())
            }
            // A child that ends interrupts the wait.
            Err(error) if error.kind() == ErrorKind::Interrupted => self.next(),
            Err(error) => panic!("{error}"),
        }
    }

    /// Reads on to a message that holds `state`; what came before it.
    fn wait_for(&self, state: &str) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            let message = self.next();
            if message.iter().any(|line| line == state) {
                before.extend(message.into_iter().filter(|line| line != state));
                return before;
            }
            before.extend(message);
        }
    }
}

#[test]
fn beginning_reloading_and_ending_are_told() {
    let manager = Manager::new();
    let mut service = manager.start(None);
    assert_eq!(manager.wait_for("READY=1"), ["STATUS=reading old lines"], "ready is the first word");
    // Whoever is told that it is ready can ask.
    service.wait_ready();
    manager.wait_for("STATUS=following");

    manager.home.configure("allow = [\"198.51.100.0/24\"]", INPUT);
    service.signal(Signal::HUP);
    let stamp = manager.wait_for("RELOADING=1");
    assert!(stamp.iter().any(|line| line.starts_with("MONOTONIC_USEC=")), "{stamp:?}");
    assert_eq!(manager.wait_for("READY=1"), [""; 0]);
    let status = service.wait_until(|status| status.allowed >= 1);
    let (allowed, sequence) = (status.allowed, status.journal.sequence);

    fs::write(manager.home.path("fairban.toml"), "mode = \"lvie\"\n").expect("a configuration");
    service.signal(Signal::HUP);
    manager.wait_for("RELOADING=1");
    manager.wait_for("READY=1");
    let status =
        service.wait_until(|status| status.alarms.iter().any(|alarm| alarm.name.as_str() == "config"));
    assert_eq!(
        (status.allowed, status.journal.sequence),
        (allowed, sequence),
        "the old one stays: {status:#?}"
    );
    assert!(manager.home.said().contains("the old one stays"), "{}", manager.home.said());

    let took = service.stop();
    println!("ended within {took:?}");
    assert_eq!(manager.wait_for("STOPPING=1"), [""; 0]);
}

#[test]
fn the_watchdog_is_fed_and_nothing_else_wakes() {
    let manager = Manager::new();
    let mut service = manager.start(Some(WATCHDOG));
    manager.wait_for("STATUS=following");
    service.wait_until(|status| {
        status.inputs.iter().all(|input| input.lines == 1 && input.state == InputState::Following)
    });
    manager.wait_for("WATCHDOG=1");
    let mut fed = Instant::now();
    // What it has begun it ends first, such as forcing the journal onto the disk.
    let end = Instant::now() + LIMIT;
    loop {
        let before = wake_ups(service.pid());
        assert_eq!(manager.wait_for("WATCHDOG=1"), [""; 0]);
        let passed = fed.elapsed();
        fed = Instant::now();
        // Twice in the time that systemd waits: a ping may come late by as much again.
        assert!(passed >= WATCHDOG / 4, "it is fed all the time: after {passed:?}");
        assert!(passed <= WATCHDOG, "systemd would have ended it: {passed:?}");
        let woken = wake_ups(service.pid()) - before;
        if woken <= 1 {
            println!("fed after {passed:?}, {woken} wake-ups in between");
            break;
        }
        assert!(Instant::now() < end, "{woken} wake-ups within {passed:?}");
    }
    let resident = resident_bytes(service.pid());
    assert!(resident < IDLE_BYTES_MAX, "{resident}");
}
