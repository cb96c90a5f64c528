//! Keeper and workers: who ends when, and what outlives them.

use std::net::UdpSocket;

use fairban_helper::config::{Resolve, Syslog, Transport};
use fairban_helper::protocol::Job;
use fairban_helper::{Config, Message};
use rustix::process::{Pid, Signal, kill_process};

use crate::{Driver, address, listener};

fn udp() -> Config {
    let syslog = Syslog { listeners: vec![listener(Transport::Udp, "127.0.0.1:0")] };
    Config { syslog: Some(syslog), ..Config::default() }
}

fn kill(pid: u32) {
    kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn a_worker_that_dies_is_replaced() {
    let mut driver = Driver::start(udp());
    let first = driver.until_ready();
    let dead = driver.pid;
    kill(dead);
    let second = driver.until_ready();
    assert_ne!(driver.pid, dead);
    assert_ne!(address(&first, Transport::Udp), address(&second, Transport::Udp));
    let status = driver.helper.status();
    assert_eq!(status.workers, 2);
    assert_eq!(
        status.said.back().unwrap(),
        &(Job::Helper, "a worker was replaced: it was killed by signal 9".to_owned())
    );
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"still here", address(&second, Transport::Udp)).unwrap();
    driver.until_lines(1);
}

#[test]
fn a_new_configuration_is_a_new_worker_at_once() {
    let mut driver = Driver::start(Config::default());
    assert!(driver.until_ready().listening.is_empty());
    let idle = driver.pid;
    driver.helper.reconfigure(udp()).unwrap();
    assert_eq!(driver.until_ready().listening.len(), 1);
    assert_ne!(driver.pid, idle);
    assert!(driver.helper.status().said.is_empty(), "nobody died");
    driver.helper.reconfigure(udp()).unwrap();
    assert_eq!(driver.helper.status().workers, 2, "the same again changes nothing");
    let names = vec!["not a name".to_owned()];
    let bad = Config { resolve: Some(Resolve { names, every_seconds: 0 }), ..udp() };
    assert!(driver.helper.reconfigure(bad).is_err());
    assert_eq!(driver.helper.config(), &udp());
}

#[test]
fn it_ends_with_the_daemon() {
    let mut driver = Driver::start(udp());
    driver.until_ready();
    let worker = driver.pid;
    assert!(driver.helper.end().unwrap().success());
    // The keeper has waited for its worker.
    assert!(rustix::process::test_kill_process(Pid::from_raw(worker as i32).unwrap()).is_err());
}

#[test]
fn the_daemon_notices_when_keeper_and_worker_are_dead() {
    let mut driver = Driver::start(udp());
    driver.until_ready();
    kill(driver.helper.keeper_pid());
    kill(driver.pid);
    let gone = loop {
        match driver.next() {
            Ok(_) => {}
            Err(gone) => break gone,
        }
    };
    assert!(gone.to_string().contains("restart fairban"), "{gone}");
}

#[test]
fn it_stands_behind_its_wall() {
    let mut driver = Driver::start(udp());
    let ready = driver.until_ready();
    assert!(ready.wall.contains("no capabilities, Landlock 6, seccomp, no new privileges"), "{}", ready.wall);
    assert_eq!(ready.wall_lacks, Vec::<String>::new());
    let status = std::fs::read_to_string(format!("/proc/{}/status", driver.pid)).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').trim().to_owned()
    };
    assert_eq!([field("CapPrm"), field("CapEff")], ["0000000000000000", "0000000000000000"]);
    assert_eq!([field("NoNewPrivs"), field("Seccomp")], ["1", "2"]);
}

#[test]
fn root_gives_it_a_user_of_its_own() {
    const NOBODY: u32 = 65_534;
    if !rustix::process::geteuid().is_root() {
        let mut driver = Driver::start_as(rustix::process::getuid().as_raw() + 1, udp());
        assert!(driver.next().is_err(), "only root can");
        return;
    }
    let mut driver = Driver::start_as(NOBODY, udp());
    driver.until_ready();
    for process in [driver.pid, driver.helper.keeper_pid()] {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        assert!(status.contains(&format!("\nUid:\t{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}\n")), "{status}");
        assert!(status.contains("\nCapBnd:\t0000000000000000\n"), "{status}");
    }
    let first = driver.pid;
    kill(first);
    driver.until_ready();
    assert_ne!(driver.pid, first);
}

#[test]
fn a_stranger_who_starts_it_is_told() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_fairban-helper"))
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("started by fairban"));
}

#[test]
fn the_hello_of_a_dead_worker_does_no_harm() {
    // The daemon is slow: it has not read the hello of a worker that is dead by now.
    let mut driver = Driver::start(udp());
    let Message::Hello { pid, .. } = driver.next().unwrap() else { panic!("a hello comes first") };
    kill(pid);
    driver.until_ready();
    assert_ne!(driver.pid, pid);
}
