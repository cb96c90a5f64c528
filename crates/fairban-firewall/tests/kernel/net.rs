//! Two hosts with a wire between them, and what tests do on them. Tests of the whole service share this.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fairban_firewall::enforcer::{Answer, Doors, Enforcer as _, Order, Shut};
use fairban_firewall::{NftEnforcer, Reach};
use ipnet::IpNet;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// What must happen happens within this.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// Who does not answer within this was dropped: on a wire between namespaces answers take microseconds.
const DROPPED: Duration = Duration::from_millis(400);

/// Ports that servers listen on: one of the login services, others' mail, and one of nobody's concern.
pub(crate) const IMAP: u16 = 143;
pub(crate) const SMTP: u16 = 25;
pub(crate) const OTHER: u16 = 8_080;

pub(crate) const SERVER_V4: &str = "10.77.0.1";
pub(crate) const SERVER_V6: &str = "2001:db8:77::1";
pub(crate) const GATEWAY: &str = "10.77.0.254";

/// Addresses of the other host.
pub(crate) const CLIENTS: [&str; 8] = [
    "10.77.1.2",
    "10.77.1.3",
    "10.77.2.2",
    "10.77.9.9",
    "2001:db8:1:1::2",
    "2001:db8:1:1::3",
    "2001:db8:1:2::2",
    "2001:db8:2:1::2",
];

/// A host that serves and one that comes to it.
pub(crate) struct Net {
    server: String,
    client: String,
}

impl Net {
    pub(crate) fn new() -> Net {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        assert!(rustix::process::getuid().is_root(), "this test needs root: it makes network namespaces");
        let unique = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let net = Net { server: format!("fairban-s-{unique}"), client: format!("fairban-c-{unique}") };
        run("ip", &["netns", "add", &net.server]);
        run("ip", &["netns", "add", &net.client]);
        let wire = [
            "link",
            "add",
            "wire",
            "netns",
            &net.server,
            "type",
            "veth",
            "peer",
            "wire",
            "netns",
            &net.client,
        ];
        run("ip", &wire);
        for (name, addresses) in [(&net.server, &[SERVER_V4, SERVER_V6][..]), (&net.client, &CLIENTS)] {
            run("ip", &["-n", name, "link", "set", "lo", "up"]);
            run("ip", &["-n", name, "link", "set", "wire", "up"]);
            for address in addresses {
                let len = if address.contains(':') { "32" } else { "16" };
                run(
                    "ip",
                    &["-n", name, "address", "add", &format!("{address}/{len}"), "dev", "wire", "nodad"],
                );
            }
        }
        run("ip", &["-n", &net.server, "route", "add", "default", "via", GATEWAY]);
        net
    }

    /// Does something on the serving host.
    pub(crate) fn on_server<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        on_host(&self.server, work)
    }

    /// Does something on the other host.
    pub(crate) fn on_client<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        on_host(&self.client, work)
    }

    /// Runs nft on the serving host.
    pub(crate) fn nft(&self, arguments: &[&str]) -> String {
        run("ip", &[&["netns", "exec", &self.server, "nft"], arguments].concat())
    }

    /// Runs ip on the serving host.
    pub(crate) fn ip(&self, arguments: &[&str]) -> String {
        run("ip", &[&["-n", &self.server], arguments].concat())
    }

    /// A `fairban-fw` on the serving host, and who speaks to it.
    pub(crate) fn enforcer(&self, arguments: &[&str]) -> NftEnforcer {
        let reach = Reach::Start {
            program: crate::fairban_fw(),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        };
        self.on_server(|| {
            let mut enforcer = NftEnforcer::new(reach);
            enforcer.open().unwrap();
            enforcer
        })
    }

    /// The same under a parent, which starts it again.
    pub(crate) fn enforcer_under_parent(&self, arguments: &[&str]) -> NftEnforcer {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        self.on_server(|| {
            let mut enforcer = NftEnforcer::under_parent(&crate::fairban_fw(), &arguments).unwrap();
            enforcer.open().unwrap();
            enforcer
        })
    }

    /// Servers that send back what they are sent, for both families, until the test ends.
    pub(crate) fn serve(&self) {
        for port in [IMAP, SMTP, OTHER] {
            let listener = self.on_server(|| TcpListener::bind(("::", port)).unwrap());
            thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    thread::spawn(move || echo(stream));
                }
            });
        }
    }

    /// Connects from an address of the other host.
    pub(crate) fn dial(&self, from: &str, port: u16) -> Option<TcpStream> {
        let source: IpAddr = from.parse().unwrap();
        let to = SocketAddr::new(if source.is_ipv4() { SERVER_V4 } else { SERVER_V6 }.parse().unwrap(), port);
        on_host(&self.client, || dial(source, to))
    }

    /// Whether a connection from there can be used.
    pub(crate) fn is_open(&self, from: &str, port: u16) -> bool {
        self.dial(from, port).is_some_and(|mut stream| answers(&mut stream))
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in [&self.server, &self.client] {
            let _ = Command::new("ip").args(["netns", "delete", name]).status();
        }
    }
}

/// Does something in a namespace, in a thread of its own: threads and programs that it starts are there, too.
fn on_host<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> T {
    let enter = || {
        let namespace = std::fs::File::open(format!("/run/netns/{name}")).unwrap();
        move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), Some(LinkNameSpaceType::Network))
            .unwrap();
        work()
    };
    thread::scope(|scope| scope.spawn(enter).join().unwrap())
}

/// Runs a program that must succeed; what it printed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output =
        Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {told}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Waits for something to be true.
pub(crate) fn wait_for(what: &str, mut is_true: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is_true() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

fn echo(mut stream: TcpStream) {
    let mut buffer = [0; 64];
    while let Ok(len @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..len]).is_err() {
            return;
        }
    }
}

/// Whether the other end still sends back what it is sent.
pub(crate) fn answers(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 4];
    stream.set_read_timeout(Some(DROPPED)).unwrap();
    stream.write_all(b"NOOP").is_ok() && stream.read_exact(&mut buffer).is_ok() && &buffer == b"NOOP"
}

fn dial(from: IpAddr, to: SocketAddr) -> Option<TcpStream> {
    let family = if from.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None).unwrap();
    bind(&socket, &SocketAddr::new(from, 0)).unwrap();
    // It goes on by itself, and the error is told when it ends.
    let _ = connect(&socket, &to);
    let limit = Timespec::try_from(DROPPED).unwrap();
    let ready = poll(&mut [PollFd::new(&socket, PollFlags::OUT)], Some(&limit)).unwrap();
    if ready == 0 || sockopt::socket_error(&socket).unwrap().is_err() {
        return None;
    }
    let stream = TcpStream::from(socket);
    stream.set_nonblocking(false).unwrap();
    Some(stream)
}

pub(crate) fn prefix(text: &str) -> IpNet {
    text.parse().unwrap()
}

pub(crate) fn shut(text: &str, seconds: u32, doors: Doors) -> Shut {
    Shut { prefix: prefix(text), seconds: Some(seconds), doors }
}

/// Bans, and expects that it was done.
pub(crate) fn ban(enforcer: &mut NftEnforcer, text: &str, doors: Doors) {
    let answers = enforcer.carry_out(&[Order::Ban(shut(text, 600, doors))]);
    assert_eq!(answers, Ok(vec![Answer::Done]), "{text}");
}

pub(crate) fn unban(enforcer: &mut NftEnforcer, text: &str) {
    assert_eq!(enforcer.carry_out(&[Order::Unban(prefix(text))]), Ok(vec![Answer::Done]), "{text}");
}

/// Who is shut out, as text.
pub(crate) fn listed(enforcer: &mut NftEnforcer) -> Vec<String> {
    enforcer.list().unwrap().iter().map(|shut| shut.prefix.to_string()).collect()
}
