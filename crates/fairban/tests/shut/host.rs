//! A mail host with the service on it, and what happens to it.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use fairban_control::{ActionDone, Client, Mode, Request, Response, StatusReport};
use ipnet::IpNet;

use crate::fairban_fw;
use crate::kit::{Home, Service};
use crate::net::Net;

const INPUT: &str = "[[input]]\nfile = \"$DIR/log/auth.log\"\n";

/// Names that robots try, none of them anybody's here.
const NAMES: [&str; 12] = [
    "oracle",
    "postgres",
    "ubuntu",
    "test",
    "git",
    "jenkins",
    "pi",
    "minecraft",
    "hadoop",
    "ftpuser",
    "nagios",
    "ansible",
];

/// The other host is `net`'s client.
pub(crate) struct Host {
    pub(crate) net: Net,
    pub(crate) home: Home,
    log: File,
    pid: u32,
}

impl Host {
    /// With servers that answer, and the configuration's `[bans]`.
    pub(crate) fn new(bans: &str) -> Host {
        fairban_fw();
        let net = Net::new();
        net.serve();
        let home = Home::new();
        fs::remove_file(home.path("fairban.d/enforcer.toml")).unwrap();
        home.configure("mode = \"live\"", &format!("{INPUT}[bans]\n{bans}"));
        let log = OpenOptions::new().append(true).create(true).open(home.path("log/auth.log")).unwrap();
        Host { net, home, log, pid: 1_000 }
    }

    /// The service, which starts `fairban-fw` itself; ready when it follows the log.
    pub(crate) fn start(&self) -> Service {
        let mut service = self.net.on_server(|| self.home.start(&[]));
        service.wait_until(|status| self.is_following(status));
        service
    }

    pub(crate) fn is_following(&self, status: &StatusReport) -> bool {
        let ready = status.enforcer.as_ref().is_some_and(|enforcer| enforcer.ready);
        ready && self.home.said().contains("all old lines are read")
    }

    /// A try at port 25.
    pub(crate) fn try_smtp(&mut self, name: &str, from: &str) {
        let failed =
            format!("warning: unknown[{from}]: SASL LOGIN authentication failed: (reason unavailable)");
        self.write_as("postfix/smtpd", &[format!("{failed}, sasl_username={name}")]);
    }

    /// A try at the ports of submission.
    pub(crate) fn try_submission(&mut self, name: &str, from: &str) {
        let failed =
            format!("warning: unknown[{from}]: SASL LOGIN authentication failed: (reason unavailable)");
        self.write_as("postfix/submission/smtpd", &[format!("{failed}, sasl_username={name}")]);
    }

    /// A mail that is taken from there, at port 25.
    pub(crate) fn take_mail(&mut self, from: &str) {
        self.write_as("postfix/smtpd", &[format!("4XyZ12abCdE: client=mail.example[{from}]")]);
    }

    /// Lines of one session of sshd, at once.
    fn write(&mut self, texts: &[String]) {
        self.write_as("sshd", texts);
    }

    fn write_as(&mut self, program: &str, texts: &[String]) {
        self.pid += 1;
        let stamp = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string();
        let pid = self.pid;
        let lines: String =
            texts.iter().map(|text| format!("{stamp} mx {program}[{pid}]: {text}\n")).collect();
        self.log.write_all(lines.as_bytes()).unwrap();
    }

    /// Somebody who logs in.
    pub(crate) fn log_in(&mut self, user: &str, from: &str) {
        self.write(&[format!("Accepted password for {user} from {from} port 50000 ssh2")]);
    }

    /// An administrator's session begins or ends at this port of his.
    pub(crate) fn admin(&mut self, begins: bool, from: &str, port: u16) {
        let text = if begins {
            format!("Accepted publickey for root from {from} port {port} ssh2: ED25519 SHA256:x")
        } else {
            format!("Disconnected from user root {from} port {port}")
        };
        self.write(&[text]);
    }

    /// A robot that tries one name after the other: enough to be banned for.
    pub(crate) fn scan(&mut self, from: &str) {
        for name in NAMES {
            self.try_once(name, from);
        }
    }

    /// The same as one write: when it returns the log holds all that leads to the ban.
    pub(crate) fn scan_at_once(&mut self, from: &str) {
        let stamp = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string();
        let mut lines = String::new();
        for name in NAMES {
            self.pid += 1;
            let pid = self.pid;
            let failed = format!("Failed password for invalid user {name} from {from} port 40000 ssh2");
            lines += &format!("{stamp} mx sshd[{pid}]: {failed}\n");
        }
        self.log.write_all(lines.as_bytes()).unwrap();
    }

    /// A try at a name that nobody has.
    pub(crate) fn try_once(&mut self, name: &str, from: &str) {
        self.write(&[
            format!("Invalid user {name} from {from} port 40000"),
            format!("Failed password for invalid user {name} from {from} port 40000 ssh2"),
        ]);
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.home.socket()).unwrap()
    }

    /// Does what an operator orders.
    pub(crate) fn order(&self, request: &Request) -> ActionDone {
        match self.client().ask(request) {
            Ok(Response::Done(done)) => done,
            other => panic!("{request:?}: {other:?}"),
        }
    }

    /// What the service says to an order that it refuses.
    pub(crate) fn refused(&self, request: &Request) -> String {
        self.client().ask(request).expect_err("it is refused").to_string()
    }

    pub(crate) fn ban(&self, prefix: &str, seconds: u32) {
        let prefix: IpNet = prefix.parse().unwrap();
        self.order(&Request::Ban { prefix, seconds: Some(seconds), reason: None });
    }

    pub(crate) fn mode(&self, mode: Mode) {
        self.order(&Request::Mode { mode });
    }

    /// Runs a verb on this host.
    pub(crate) fn verb(&self, args: &[&str]) -> Output {
        let socket = format!("--socket={}", self.home.socket().display());
        self.net.on_server(|| self.home.verb(&[args, &[&socket]].concat()))
    }

    /// Prefixes that the kernel shuts out.
    pub(crate) fn in_kernel(&self) -> Vec<String> {
        let table = self.net.nft(&["list", "table", "inet", "fairban"]);
        let elements = table.split("elements = {").skip(1).filter_map(|rest| rest.split('}').next());
        let mut all: Vec<String> = elements
            .flat_map(|list| list.split(','))
            .filter_map(|element| element.split_whitespace().next())
            .filter(|word| word.parse::<std::net::IpAddr>().is_ok() || word.parse::<IpNet>().is_ok())
            .map(str::to_owned)
            .collect();
        all.sort();
        all
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("the service said:\n{}", self.home.said());
        }
    }
}

/// A service manager's `fairban-fw`: it holds the socket and starts the program anew when it ends.
pub(crate) struct Managed {
    socket: std::os::fd::OwnedFd,
    child: Child,
}

impl Managed {
    pub(crate) fn start(host: &Host, path: &PathBuf) -> Managed {
        use rustix::net::{
            AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
        };
        let kind = SocketType::SEQPACKET;
        let socket = socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
        bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
        listen(&socket, 8).unwrap();
        let child = Managed::spawn(host, &socket);
        Managed { socket, child }
    }

    fn spawn(host: &Host, socket: &std::os::fd::OwnedFd) -> Child {
        let socket = socket.try_clone().unwrap();
        let mut command = Command::new(fairban_fw());
        host.net.on_server(|| command.stdin(Stdio::from(socket)).spawn().unwrap())
    }

    /// `kill -9`, and what a service manager does then.
    pub(crate) fn kill_and_start_again(&mut self, host: &Host) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = Managed::spawn(host, &self.socket);
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
