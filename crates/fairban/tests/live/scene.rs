//! Mail users whose programs try the digest first, people who log in by ssh, and hydra, all at once at real servers: the
//! robots are named within their first guesses, the people never, and `why` says it well for both.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Instant;

use fairban_control::{BanRow, By, Client, Request, Response, TailAnswer, TailKind};
use ipnet::IpNet;
use serde_json::Value;

use crate::dovecot::Dovecot;
use crate::kit::Service;
use crate::machine::{Machine, SSH_PASSWORD};
use crate::net::Host;
use crate::people::{Poll, Servers, SshLogin};
use crate::robots::{STRANGE_NAMES, hydra};
use crate::sshd::Sshd;
use crate::{begin, wait_for};

const OFFICE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 20);

/// Who polls for mail, how, and from where. The office is one address for three people.
const POLLS: [(&str, Poll, Ipv4Addr); 9] = [
    ("anna", Poll::CramThenPass, Ipv4Addr::new(192, 0, 2, 11)),
    ("bert", Poll::CramThenPass, Ipv4Addr::new(192, 0, 2, 12)),
    ("carl", Poll::ApopThenPass, Ipv4Addr::new(192, 0, 2, 13)),
    ("dora", Poll::CramThenAgain, Ipv4Addr::new(192, 0, 2, 14)),
    ("emil", Poll::ImapCramThenLogin, Ipv4Addr::new(192, 0, 2, 15)),
    ("frida", Poll::ImapTypo, Ipv4Addr::new(192, 0, 2, 16)),
    ("gustav", Poll::CramThenPass, OFFICE),
    ("hanna", Poll::ImapCramThenLogin, OFFICE),
    ("ivan", Poll::Pass, OFFICE),
];

/// Of these the server has an old digest; of the others none, so that it calls them unknown.
const OLD_DIGESTS: [&str; 4] = ["anna", "carl", "emil", "gustav"];

/// Who logs in by ssh, with which key, what he types, and from where.
const SSH: [(&str, Option<&str>, &[&str], Ipv4Addr); 4] = [
    ("karl", None, &[SSH_PASSWORD], Ipv4Addr::new(192, 0, 2, 31)),
    ("lisa", None, &["Corn-Flwoer-81", SSH_PASSWORD], Ipv4Addr::new(192, 0, 2, 32)),
    ("maja", Some("key"), &[], Ipv4Addr::new(192, 0, 2, 33)),
    ("nils", Some("other_key"), &["corn-flower-81", SSH_PASSWORD], Ipv4Addr::new(192, 0, 2, 34)),
];

/// How often each comes.
const ROUNDS: usize = 3;

/// What robots may try before they are named. Four guesses at names that nobody has are enough, six at such as exist; the
/// next tries of a robot with four connections are in the log a moment later, and do not count: the verdict is on a line,
/// and tells how many attempts it took, whatever is on the way behind it. What does count twice is a try that hydra
/// makes again because a server hung up.
const GUESSES: std::ops::RangeInclusive<u64> = 3..=8;

struct Robot {
    name: &'static str,
    address: Ipv4Addr,
    host: Host,
}

#[test]
fn robots_are_named_at_once_and_people_never() {
    let Some(_alone) = begin() else { return };
    let ssh_users = SSH.map(|(user, ..)| user);
    let mut machine = Machine::new(&ssh_users);
    let (people, robots) = neighbourhood(&mut machine);
    let log = machine.log("dovecot.log");
    machine.home.configure_for(
        "fairban",
        "",
        "[[input]]\nfile = \"$DIR/log/dovecot.log\"\n[[input]]\nsyslog = \"unix:$DIR/log/socket\"\n",
    );
    let mut service = machine.start_service();
    let ready = service.wait_until(|status| status.inputs.len() == 2);
    println!("{ready:#?}");
    let tailed = service.wait_ready().tail(vec![TailKind::Ban, TailKind::Extend]).expect("it tells");
    let banned = thread::spawn(move || {
        tailed.map_while(Result::ok).filter_map(prefix_of).collect::<Vec<IpNet>>()
    });
    let users = POLLS.map(|(user, ..)| user);
    let dovecot = Dovecot::start(&machine, &users, &OLD_DIGESTS, &log);
    let sshd = Sshd::start(&machine, &["maja"]);
    let begun = Instant::now();
    everybody_at_once(&machine, &people, &robots, &dovecot, &sshd);
    println!("all done within {:?}", begun.elapsed());
    let text = std::fs::read_to_string(&log).expect("a log");
    println!("{text}");

    let bans = wait_for_bans(&mut service, robots.len());
    println!("{bans:#?}");
    println!("{}", machine.home.said());
    for robot in &robots {
        let ban = bans.iter().find(|ban| ban.prefix == IpNet::from(std::net::IpAddr::from(robot.address)));
        let ban = ban.unwrap_or_else(|| panic!("{} is not banned: {bans:#?}", robot.name));
        println!("{}: {} after {} attempts", robot.name, ban.reason, ban.attempts);
        assert!(GUESSES.contains(&ban.attempts), "{}: {ban:#?}", robot.name);
    }
    for who in ["203.0.113.66", "198.51.100.77", "198.18.0.88", "192.0.2.11", "192.0.2.20", "192.0.2.34", "anna", "lisa"] {
        let output = machine.home.verb(&["why", who, "--socket", machine.home.socket().to_str().unwrap()]);
        println!("{who}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    }
    drop(service);
    let _ = banned;
}

fn prefix_of(answer: TailAnswer) -> Option<IpNet> {
    match answer {
        TailAnswer::Event(event) => event.prefix,
        TailAnswer::Missed(events) => panic!("{events} decisions were missed"),
    }
}

/// Wires to the server: the people share one, each robot has its own.
fn neighbourhood(machine: &mut Machine) -> (Host, Vec<Robot>) {
    let mut all: Vec<Ipv4Addr> =
        POLLS.iter().map(|(.., from)| *from).chain(SSH.iter().map(|(.., from)| *from)).collect();
    all.sort_unstable();
    all.dedup();
    let people = machine.host.neighbour(first_of(OFFICE), &all);
    let addresses = [
        ("pop3", Ipv4Addr::new(203, 0, 113, 66)),
        ("imap", Ipv4Addr::new(198, 51, 100, 77)),
        ("ssh", Ipv4Addr::new(198, 18, 0, 88)),
    ];
    let mut robot = |(name, address): (&'static str, Ipv4Addr)| {
        Robot { name, address, host: machine.host.neighbour(first_of(address), &[address]) }
    };
    (people, addresses.map(&mut robot).into_iter().collect())
}

/// The server's own address on the wire to one.
fn first_of(address: Ipv4Addr) -> Ipv4Addr {
    let [a, b, c, _] = address.octets();
    Ipv4Addr::new(a, b, c, 1)
}

fn everybody_at_once(machine: &Machine, people: &Host, robots: &[Robot], dovecot: &Dovecot, sshd: &Sshd) {
    let at = |from: Ipv4Addr, port: u16| SocketAddr::from((first_of(from), port));
    let servers = Servers { pop3: at(OFFICE, dovecot.pop3), imap: at(OFFICE, dovecot.imap) };
    thread::scope(|scope| {
        for (user, poll, from) in POLLS {
            scope.spawn(move || people.on(|| (0..ROUNDS).for_each(|_| poll.run(from, servers, user))));
        }
        for (user, key, typed, from) in SSH {
            let login = SshLogin { from, to: at(from, sshd.port), user, key, typed };
            scope.spawn(move || people.on(|| (0..ROUNDS).for_each(|_| login.run(&machine.home))));
        }
        for robot in robots {
            let users = POLLS.map(|(user, ..)| user);
            let (names, port) = match robot.name {
                "pop3" => (&STRANGE_NAMES[..], dovecot.pop3),
                "imap" => (&users[..], dovecot.imap),
                _ => (&STRANGE_NAMES[..], sshd.port),
            };
            let target = format!("{}://{}", robot.name, at(robot.address, port));
            let mut hydra = hydra(machine, &robot.host, names, "123456", &target);
            scope.spawn(move || {
                hydra.wait();
                println!("{}", hydra.said());
            });
        }
    });
}

/// Waits until so many are banned.
fn wait_for_bans(service: &mut Service, count: usize) -> Vec<BanRow> {
    let mut client = service.wait_ready();
    let mut bans = Vec::new();
    wait_for("bans", || {
        bans = bans_of(&mut client);
        bans.len() >= count
    });
    bans
}

fn bans_of(client: &mut Client) -> Vec<BanRow> {
    match client.ask(&Request::Bans { within: None, after: None, most: 500 }) {
        Ok(Response::Bans(page)) => page.rows,
        other => panic!("no bans: {other:?}"),
    }
}
