//! Mail users whose programs try the digest first, people who log in by ssh, and hydra, all at once at real servers: the
//! robots are named within their first guesses, the people never, and `why` says it well for both. In live mode the robots'
//! packets stop with that, and everybody else's do not.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::ops::RangeInclusive;
use std::thread;
use std::time::Duration;

use fairban_control::{BanRow, By, Client, Mode, Request, Response, TailAnswer, TailKind};
use ipnet::IpNet;
use serde_json::Value;

use crate::dovecot::Dovecot;
use crate::fw::fairban_fw;
use crate::kit::Service;
use crate::machine::{Daemon, Machine, SSH_PASSWORD};
use crate::net::Host;
use crate::people::{Poll, Servers, SshLogin};
use crate::robots::{STRANGE_NAMES, hydra};
use crate::sshd::Sshd;
use crate::{begin, wait_for};

const OFFICE: Ipv4Addr = Ipv4Addr::new(10, 20, 20, 2);

/// Who polls for mail, how, and from where: networks of their own, but for the office, one address for three people.
const POLLS: [(&str, Poll, Ipv4Addr); 9] = [
    ("anna", Poll::CramThenPass, Ipv4Addr::new(10, 20, 11, 2)),
    ("bert", Poll::CramThenPass, Ipv4Addr::new(10, 20, 12, 2)),
    ("carl", Poll::ApopThenPass, Ipv4Addr::new(10, 20, 13, 2)),
    ("dora", Poll::CramThenAgain, Ipv4Addr::new(10, 20, 14, 2)),
    ("emil", Poll::ImapCramThenLogin, Ipv4Addr::new(10, 20, 15, 2)),
    ("frida", Poll::ImapTypo, Ipv4Addr::new(10, 20, 16, 2)),
    ("gustav", Poll::CramThenPass, OFFICE),
    ("helga", Poll::ImapCramThenLogin, OFFICE),
    ("ivan", Poll::Pass, OFFICE),
];

/// Of these the server has an old digest; of the others none, so that it calls them unknown.
const OLD_DIGESTS: [&str; 4] = ["anna", "carl", "emil", "gustav"];

/// Who logs in by ssh, with which key, what he types, and from where.
const SSH: [(&str, Option<&str>, &[&str], Ipv4Addr); 4] = [
    ("karl", None, &[SSH_PASSWORD], Ipv4Addr::new(10, 20, 31, 2)),
    ("lisa", None, &["Corn-Flower-80", SSH_PASSWORD], Ipv4Addr::new(10, 20, 32, 2)),
    ("maja", Some("key"), &[], Ipv4Addr::new(10, 20, 33, 2)),
    ("nils", Some("other_key"), &["corn-flower-81", SSH_PASSWORD], Ipv4Addr::new(10, 20, 34, 2)),
];

/// How often each comes.
const ROUNDS: usize = 3;

/// A robot, and what is expected of its ban.
///
/// Four guesses at names that nobody has are enough, six at such as exist. The verdict is on a line and tells how many
/// attempts had come up to it, so the guesses that are on the way beside it over a robot's other connections do not
/// count. More are allowed where a slow machine makes a robot look slow, which costs it the evidence of speed (4 nats at
/// most), and where hydra tries a name again because a server hung up on it. One less, for names that another robot has
/// tried by then weigh more.
struct Robot {
    name: &'static str,
    address: Ipv4Addr,
    host: Host,
    guesses: RangeInclusive<u64>,
    reason: &'static str,
    signal: &'static str,
    /// A piece of the lines that tell of it.
    line: &'static str,
}

impl Robot {
    fn prefix(&self) -> IpNet {
        IpNet::from(IpAddr::from(self.address))
    }

    /// Lets it guess until this is dropped, or it has tried all names.
    fn start(&self, machine: &Machine, dovecot: &Dovecot, sshd: &Sshd) -> Daemon {
        let users = POLLS.map(|(user, ..)| user);
        let (names, port) = match self.name {
            "pop3" => (&STRANGE_NAMES[..], dovecot.pop3),
            "imap" => (&users[..], dovecot.imap),
            _ => (&STRANGE_NAMES[..], sshd.port),
        };
        let target = format!("{}://{}", self.name, server(self.address, port));
        hydra(machine, &self.host, names, "123456", &target)
    }

    /// No packet of its comes through any more, whatever it knocks at.
    fn finds_all_doors_shut(&self, dovecot: &Dovecot, sshd: &Sshd) {
        self.host.on(|| {
            for port in [dovecot.pop3, dovecot.imap, sshd.port] {
                let door = server(self.address, port);
                let opened = TcpStream::connect_timeout(&door, Duration::from_secs(1));
                assert!(opened.is_err(), "{}: {door} is open", self.name);
            }
        });
    }
}

#[test]
fn robots_are_named_at_once_and_people_never() {
    let Some(_alone) = begin() else { return };
    play(Mode::Shadow);
}

#[test]
fn robots_are_shut_out_at_once_and_people_never() {
    let Some(_alone) = begin() else { return };
    fairban_fw();
    play(Mode::Live);
}

fn play(mode: Mode) {
    let ssh_users = SSH.map(|(user, ..)| user);
    let mut machine = Machine::new(&ssh_users);
    let (people, robots) = neighbourhood(&mut machine);
    let log = machine.log("dovecot.log");
    let before = if mode == Mode::Live {
        // The servers of this test have other ports than those of the world.
        let bans = "[bans]\nenforcer = \"nftables\"\nall_ports = true\n";
        fs::write(machine.home.path("fairban.d/enforcer.toml"), bans).expect("a file");
        "mode = \"live\""
    } else {
        ""
    };
    machine.home.configure_for(
        "fairban",
        before,
        "[[input]]\nfile = \"$DIR/log/dovecot.log\"\n[[input]]\nsyslog = \"unix:$DIR/log/socket\"\n",
    );
    let mut service = machine.start_service();
    service.wait_until(|status| {
        let shuts = status.enforcer.as_ref().is_some_and(|enforcer| enforcer.ready);
        status.inputs.len() == 2 && (shuts || mode == Mode::Shadow)
    });
    let tailed = service.wait_ready().tail(vec![TailKind::Ban, TailKind::Extend]).expect("it tells");
    let told = thread::spawn(move || tailed.map_while(Result::ok).filter_map(prefix_of).collect());
    let users = POLLS.map(|(user, ..)| user);
    let dovecot = Dovecot::start(&machine, &users, &OLD_DIGESTS, &log);
    let sshd = Sshd::start(&machine, &["maja"]);
    let _guessing: Vec<Daemon> = robots.iter().map(|robot| robot.start(&machine, &dovecot, &sshd)).collect();
    everybody_comes(&machine, &people, &dovecot, &sshd);
    let named: Vec<IpNet> = robots.iter().map(Robot::prefix).collect();
    let bans = wait_for_bans(&mut service, &named);
    for robot in &robots {
        let ban = bans.iter().find(|ban| ban.prefix == robot.prefix()).expect("was waited for");
        println!("{}: {} after {} attempts", robot.name, ban.reason, ban.attempts);
        assert!(robot.guesses.contains(&ban.attempts), "{}: {ban:#?}", robot.name);
        assert_eq!((ban.by, ban.enforced), (By::Evidence, mode == Mode::Live), "{ban:#?}");
        why_reads_well_of_a_robot(&machine, robot, mode);
    }
    if mode == Mode::Live {
        for robot in &robots {
            robot.finds_all_doors_shut(&dovecot, &sshd);
        }
        // Whoever is somebody else still comes in.
        everybody_comes(&machine, &people, &dovecot, &sshd);
    }
    for (user, _, from) in POLLS {
        why_reads_well_of_a_person(&machine, user, from);
    }
    for (user, _, _, from) in SSH {
        why_reads_well_of_a_person(&machine, user, from);
    }
    let status = service
        .wait_until(|status| status.inputs.iter().all(|input| input.lag_bytes.is_none_or(|lag| lag == 0)));
    assert_eq!(status.bans.ever, robots.len() as u64, "{status:#?}");
    assert_eq!(bans_of(&mut service.wait_ready()).len(), robots.len());
    let odd: u64 = status.services.iter().map(|service| service.login_like).sum();
    assert_eq!(odd, 0, "no login that is not understood: {:#?}", status.services);
    let took = service.stop();
    println!("TERM: {took:?}");
    let mut told: Vec<IpNet> = told.join().expect("it reads");
    told.sort_unstable();
    told.dedup();
    let mut named = named;
    named.sort_unstable();
    assert_eq!(told, named, "nobody else, not for a moment");
}

/// What `fairban why` prints.
fn why(machine: &Machine, who: &str) -> (String, Value) {
    let socket = machine.home.socket();
    let ask = |more: &[&str]| {
        let socket = socket.to_str().expect("plain names");
        let output = machine.home.verb(&[&["why", who, "--socket", socket], more].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{who}: {said}");
        String::from_utf8(output.stdout).expect("text")
    };
    (ask(&[]), serde_json::from_str(&ask(&["--json"])).expect("JSON"))
}

fn holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "'{part}' is missing in:\n{text}");
    }
}

fn why_reads_well_of_a_robot(machine: &Machine, robot: &Robot, mode: Mode) {
    let address = robot.address.to_string();
    let (text, told) = why(machine, &address);
    println!("{text}");
    holds(&text, &[&format!("{address} is banned"), "Evidence: ", "nats of 13.8"]);
    assert_eq!(text.contains("Recorded, not enforced"), mode == Mode::Shadow, "{text}");
    holds(
        &text,
        &["Nobody has ever logged in here.", "What would have changed it", robot.line, robot.signal],
    );
    assert_eq!((&told["banned"], &told["ban"]["reason"]), (&Value::from(true), &Value::from(robot.reason)));
    let signals = told["signals"].as_array().expect("signals");
    assert!(signals.iter().any(|signal| signal["name"] == robot.signal), "{told:#}");
    let lines = told["samples"].as_array().expect("lines");
    assert!(lines.iter().any(|line| line.as_str().is_some_and(|line| line.contains(&address))), "{told:#}");
    let tries = told["attempts"].as_u64().expect("a number");
    assert!(tries >= *robot.guesses.start(), "{told:#}");
}

fn why_reads_well_of_a_person(machine: &Machine, user: &str, from: Ipv4Addr) {
    let (text, told) = why(machine, &from.to_string());
    println!("{text}");
    holds(&text, &[&format!("{from} is not banned"), "log in here; failures at these weigh nothing.", user]);
    assert_eq!((&told["banned"], &told["ban"]), (&Value::from(false), &Value::Null), "{told:#}");
    let number = |name: &str| told[name].as_f64().expect("a number");
    assert!(number("evidence") < number("limit") / 2.0, "far from a ban: {told:#}");
    assert!(told["attempts"].as_u64() >= Some(ROUNDS as u64), "{told:#}");
    let accounts = told["accounts"].as_array().expect("accounts");
    let own: Vec<&Value> = accounts.iter().filter(|row| row["account"] == user).collect();
    assert!(own.len() == 1 && own[0]["successes"] == 1, "one row: {told:#}");
    let (text, told) = why(machine, user);
    holds(&text, &[&format!("Account {user}"), "Where it logs in", &from.to_string()]);
    assert_eq!(told["logins"][0]["source"], format!("{from}/32"), "{told:#}");
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
    let mut host = |address: Ipv4Addr| machine.host.neighbour(first_of(address), &[address]);
    let scan = |name, address, host, line| Robot {
        name,
        address,
        host,
        guesses: 3..=6,
        reason: "username-scan",
        signal: "unknown-account",
        line,
    };
    let (pop3, ssh) = (Ipv4Addr::new(203, 0, 113, 66), Ipv4Addr::new(198, 18, 0, 88));
    let imap = Ipv4Addr::new(198, 51, 100, 77);
    let stuffing = Robot {
        name: "imap",
        address: imap,
        host: host(imap),
        guesses: 5..=9,
        reason: "credential-stuffing",
        signal: "wrong-secret",
        line: "Password mismatch",
    };
    let scans = [
        scan("pop3", pop3, host(pop3), "unknown user"),
        scan("ssh", ssh, host(ssh), "Failed password for invalid user"),
    ];
    (people, scans.into_iter().chain([stuffing]).collect())
}

/// The server's own address on the wire to one.
fn first_of(address: Ipv4Addr) -> Ipv4Addr {
    let [a, b, ..] = address.octets();
    Ipv4Addr::new(a, b, 0, 1)
}

/// People come at once and log in, each as often as all others; returns when all of them have their mail.
fn everybody_comes(machine: &Machine, people: &Host, dovecot: &Dovecot, sshd: &Sshd) {
    let servers = Servers { pop3: server(OFFICE, dovecot.pop3), imap: server(OFFICE, dovecot.imap) };
    thread::scope(|scope| {
        for (user, poll, from) in POLLS {
            scope.spawn(move || people.on(|| (0..ROUNDS).for_each(|_| poll.run(from, servers, user))));
        }
        for (user, key, typed, from) in SSH {
            let login = SshLogin { from, to: server(from, sshd.port), user, key, typed };
            scope.spawn(move || people.on(|| (0..ROUNDS).for_each(|_| login.run(&machine.home))));
        }
    });
}

/// The server's own address on the wire to somebody, with a port.
fn server(at: Ipv4Addr, port: u16) -> SocketAddr {
    SocketAddr::from((first_of(at), port))
}

/// Waits until all of these are banned.
fn wait_for_bans(service: &mut Service, named: &[IpNet]) -> Vec<BanRow> {
    let mut client = service.wait_ready();
    let mut bans = Vec::new();
    wait_for("bans", || {
        bans = bans_of(&mut client);
        named.iter().all(|prefix| bans.iter().any(|ban| ban.prefix == *prefix))
    });
    bans
}

/// Who is banned.
pub(crate) fn bans_of(client: &mut Client) -> Vec<BanRow> {
    match client.ask(&Request::Bans { within: None, after: None, most: 500 }) {
        Ok(Response::Bans(page)) => page.rows,
        other => panic!("no bans: {other:?}"),
    }
}
