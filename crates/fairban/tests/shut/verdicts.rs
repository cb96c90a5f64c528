//! What a verdict, an order and a mode do to packets.

use fairban_control::{AlarmRow, Mode, Request, Whom};
use ipnet::IpNet;

use crate::host::Host;
use crate::kit::status;
use crate::net::{IMAP, OTHER, SMTP, answers, wait_for};

fn unban(host: &Host, prefix: &str, forgive: bool) {
    let prefix: IpNet = prefix.parse().unwrap();
    host.order(&Request::Unban { whom: Whom::Prefix(prefix), forgive });
}

#[test]
fn a_robot_is_cut_off_and_nobody_else() {
    let mut host = Host::new("");
    let service = host.start();
    for (robot, person, prefix) in [
        ("10.77.1.2", "10.77.1.3", "10.77.1.2/32"),
        ("2001:db8:1:1::2", "2001:db8:1:2::2", "2001:db8:1:1::2/128"),
    ] {
        host.log_in("dan", person);
        let mut of_robot = host.net.dial(robot, IMAP).unwrap();
        let mut of_person = host.net.dial(person, IMAP).unwrap();
        assert!(answers(&mut of_robot) && answers(&mut of_person), "{robot}");
        host.scan(robot);
        wait_for("the robot's open connection is dead", || !answers(&mut of_robot));
        assert!(!host.net.is_open(robot, IMAP), "{robot}");
        assert!(answers(&mut of_person) && host.net.is_open(person, IMAP), "{person}");
        assert!(host.net.is_open(robot, SMTP) && host.net.is_open(robot, OTHER), "{robot}");
        // Let in again by the time the command returns.
        unban(&host, prefix, false);
        assert!(host.net.is_open(robot, IMAP), "{robot}");
    }
    let status = status(&mut host.client());
    assert!(status.alarms.is_empty(), "{:?}", status.alarms);
    service.stop();
}

#[test]
fn a_ban_that_does_not_bite_is_an_alarm_with_its_cause() {
    let mut host = Host::new("ports = [22, 143]");
    let mut service = host.net.on_server(|| host.home.start(&["--grace-seconds", "1"]));
    service.wait_until(|status| host.is_following(status));
    host.ban("10.77.1.2/32", 600);
    // Somebody who is shut out, and is logged all the same.
    let complaint = |host: &Host| {
        let alarms = status(&mut host.client()).alarms;
        let of_ban = |alarm: &&AlarmRow| alarm.name.as_str() == "ban-without-effect";
        alarms.iter().find(of_ban).map(|alarm| alarm.text.as_str().to_owned())
    };
    wait_for("it is noticed", || {
        host.try_once("oracle", "10.77.1.2");
        complaint(&host).is_some()
    });
    let told = complaint(&host).unwrap();
    assert!(
        told.contains("10.77.1.2/32") && told.contains("sshd still logs it") && told.contains("proxy"),
        "{told}"
    );
    // Where the port is not closed the cause is known.
    wait_for("its cause is told", || {
        host.try_submission("oracle", "10.77.1.2");
        complaint(&host).unwrap().contains("bans.ports leaves 465 and 587 open")
    });
    service.stop();
}

#[test]
fn an_order_is_done_when_it_is_answered_and_ends_by_itself() {
    let host = Host::new("");
    let service = host.start();
    for (prefix, hit, beside) in [
        ("10.77.1.2/32", "10.77.1.2", "10.77.1.3"),
        ("10.77.1.0/24", "10.77.1.3", "10.77.2.2"),
        ("2001:db8:1:1::/64", "2001:db8:1:1::3", "2001:db8:1:2::2"),
    ] {
        host.ban(prefix, 600);
        assert!(!host.net.is_open(hit, IMAP) && host.net.is_open(beside, IMAP), "{prefix}");
        unban(&host, prefix, true);
        assert!(host.net.is_open(hit, IMAP), "{prefix}");
        // Whether it is shut meanwhile is not asked: a busy machine is still asking when the ban is over.
        host.ban(prefix, 2);
        wait_for("the ban is over", || host.net.is_open(hit, IMAP));
    }
    // Who is allowed is let in by the time the command returns, and not shut out afterwards.
    host.ban("10.77.2.0/24", 600);
    let prefix: IpNet = "10.77.2.2/32".parse().unwrap();
    host.order(&Request::Allow { prefix, note: None });
    assert!(host.net.is_open("10.77.2.2", IMAP));
    let why = host.refused(&Request::Ban { prefix, seconds: Some(60), reason: None });
    assert!(why.contains("allowlist"), "{why}");
    service.stop();
}

#[test]
fn modes_shut_and_open() {
    let mut host = Host::new("");
    let mut service = host.start();
    host.scan("10.77.1.2");
    wait_for("the robot is shut out", || !host.net.is_open("10.77.1.2", IMAP));
    host.mode(Mode::Shadow);
    assert!(host.net.is_open("10.77.1.2", IMAP), "watching only");
    assert_eq!(host.in_kernel(), [""; 0]);
    host.scan("10.77.1.3");
    service.wait_until(|status| status.bans.in_force == 2);
    assert!(host.net.is_open("10.77.1.3", IMAP), "watching only");
    host.mode(Mode::Live);
    let open = ["10.77.1.2", "10.77.1.3", "10.77.2.2"].map(|from| host.net.is_open(from, IMAP));
    assert_eq!(open, [false, false, true], "what is in force is caught up with");
    host.mode(Mode::Shadow);
    assert_eq!(host.in_kernel(), [""; 0]);
    service.stop();
}

#[test]
fn all_ports_are_closed_by_choice() {
    let mut host = Host::new("all_ports = true");
    let service = host.start();
    host.scan("10.77.1.2");
    wait_for("the robot is shut out", || !host.net.is_open("10.77.1.2", IMAP));
    assert!(!host.net.is_open("10.77.1.2", SMTP) && !host.net.is_open("10.77.1.2", OTHER));
    service.stop();
}

#[test]
fn port_25_is_closed_to_who_tried_passwords_there_and_sent_no_mail() {
    let mut host = Host::new("");
    let service = host.start();
    let [robot, both, other] = ["10.77.1.2", "10.77.1.3", "10.77.2.2"];
    host.take_mail(both);
    for from in [robot, both] {
        host.try_smtp("oracle", from);
    }
    for from in [robot, both, other] {
        host.scan(from);
        wait_for("it is shut out", || !host.net.is_open(from, IMAP));
    }
    let open = [robot, both, other].map(|from| host.net.is_open(from, SMTP));
    assert_eq!(open, [false, true, true]);
    // Who comes to port 25 only now is shut out there now.
    host.try_smtp("oracle", other);
    wait_for("it is shut out there too", || !host.net.is_open(other, SMTP));
    assert!(host.net.is_open(other, OTHER));
    service.stop();
}
