//! Processes that die, and others that meddle.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use crate::host::{Host, Managed};
use crate::net::{IMAP, wait_for};

/// The `fairban-fw` that orders go to: the child of the parent that the service started.
pub(crate) fn fw_of(service: u32) -> Option<u32> {
    let only_child = |pid: u32| -> Option<u32> {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    };
    only_child(only_child(service)?)
}

pub(crate) fn kill(pid: u32) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn whoever_dies_bans_stay_end_in_time_and_are_taken_up_again() {
    let mut host = Host::new("");
    let mut service = host.start();
    host.scan("10.77.1.2");
    wait_for("the robot is shut out", || !host.net.is_open("10.77.1.2", IMAP));
    host.ban("10.77.2.2/32", 3);
    // The one that has the right.
    let first = fw_of(service.pid()).unwrap();
    kill(first);
    assert!(!host.net.is_open("10.77.1.2", IMAP));
    wait_for("another one is there", || fw_of(service.pid()).is_some_and(|now| now != first));
    service.wait_until(|status| {
        status.enforcer.as_ref().is_some_and(|enforcer| enforcer.ready && enforcer.shut > 0)
    });
    host.scan("2001:db8:1:1::2");
    wait_for("it does its work", || !host.net.is_open("2001:db8:1:1::2", IMAP));
    // The one that decides; both then are gone.
    let second = fw_of(service.pid()).unwrap();
    service.kill();
    wait_for("nothing of ours is left", || !fs::exists(format!("/proc/{second}")).unwrap());
    assert!(!host.net.is_open("10.77.1.2", IMAP));
    wait_for("the short one ends all the same", || host.net.is_open("10.77.2.2", IMAP));
    let mut service = host.start();
    service.wait_until(|status| {
        status.bans.in_force == 2 && status.enforcer.as_ref().is_some_and(|one| one.shut == 2)
    });
    assert!(!host.net.is_open("10.77.1.2", IMAP) && !host.net.is_open("2001:db8:1:1::2", IMAP));
    assert!(host.net.is_open("10.77.2.2", IMAP));
    service.stop();
}

#[test]
fn a_service_managers_fairban_fw_is_connected_to_and_found_again() {
    let mut host = Host::new("enforcer = \"nftables\"\nsocket = \"$DIR/run/fw.socket\"");
    let path = host.home.path("run/fw.socket");
    let mut managed = Managed::start(&host, &path);
    let mut service = host.start();
    assert_eq!(fw_of(service.pid()), None, "it starts none of its own");
    host.scan("10.77.1.2");
    wait_for("the robot is shut out", || !host.net.is_open("10.77.1.2", IMAP));
    managed.kill_and_start_again(&host);
    // What is lost meanwhile is put back: they are asked for again.
    host.net.nft(&["flush", "ruleset"]);
    wait_for("it is shut out again", || !host.net.is_open("10.77.1.2", IMAP));
    host.scan("10.77.1.3");
    wait_for("it does its work", || !host.net.is_open("10.77.1.3", IMAP));
    service.wait_until(|status| {
        !status.alarms.iter().any(|alarm| alarm.name.as_str() == "enforcer") && status.bans.in_force == 2
    });
    service.stop();
}

#[test]
fn what_others_take_away_is_put_back_and_told() {
    let mut host = Host::new("");
    let mut service = host.start();
    host.scan("10.77.1.2");
    wait_for("the robot is shut out", || !host.net.is_open("10.77.1.2", IMAP));
    host.net.nft(&["flush", "ruleset"]);
    wait_for("it is shut out again", || !host.net.is_open("10.77.1.2", IMAP));
    let status = service
        .wait_until(|status| status.alarms.iter().any(|alarm| alarm.name.as_str() == "firewall-changed"));
    let alarm = status.alarms.iter().find(|alarm| alarm.name.as_str() == "firewall-changed").unwrap();
    assert!(alarm.text.as_str().contains("(nft)"), "{alarm:?}");
    // The whole state, for a person and for a program.
    let text = String::from_utf8(host.verb(&["status"]).stdout)
        .unwrap()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    for told in [
        "Mode live: enforces",
        "firewall-changed",
        "(nft) changed the table in the kernel; repaired",
        "Firewall nftables: ready, 1 prefix shut out",
        &format!("Linux {release}"),
        "paths: ",
        "closes ports 22, 110, 143, 465, 587, 993, 995, 4190; 25 to who",
        "never banned: ",
        "repaired 1 times",
        "bans reached the kernel in ",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let json = String::from_utf8(host.verb(&["status", "--json"]).stdout).unwrap();
    for told in [
        "\"enforcer\":{\"name\":\"nftables\",\"ready\":true,\"shut\":1,\"remarks\":[\"Linux ",
        "\"name\":\"firewall-changed\"",
    ] {
        assert!(json.contains(told), "{told}: {json}");
    }
    service.stop();
}
