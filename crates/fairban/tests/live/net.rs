//! Hosts in network namespaces: one that serves, and others with a wire to it each. Traffic never leaves the machine.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::wait_for;

/// A host: a namespace of its own, gone when this is dropped.
pub(crate) struct Host {
    name: String,
    /// Ends of wires so far.
    wires: u32,
}

impl Host {
    pub(crate) fn new() -> Host {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("fairban-live-{}-{count}", std::process::id());
        run("ip", &["netns", "add", &name]);
        let host = Host { name, wires: 0 };
        run("ip", &["-n", &host.name, "link", "set", "lo", "up"]);
        host
    }

    /// Another host, at the other end of a wire: `ours` at this end, `theirs` at its own, all of one /16.
    pub(crate) fn neighbour(&mut self, ours: Ipv4Addr, theirs: &[Ipv4Addr]) -> Host {
        let other = Host::new();
        let end = format!("wire{}", self.wires);
        self.wires += 1;
        let wire = ["link", "add", &end, "netns", &self.name, "type", "veth"];
        run("ip", &[&wire[..], &["peer", "wire", "netns", &other.name]].concat());
        for (host, end, addresses) in [(&*self, &*end, &[ours][..]), (&other, "wire", theirs)] {
            run("ip", &["-n", &host.name, "link", "set", end, "up"]);
            for address in addresses {
                run("ip", &["-n", &host.name, "address", "add", &format!("{address}/16"), "dev", end]);
            }
        }
        other
    }

    /// Does something there, in a thread of its own: threads and programs that it starts are there, too.
    pub(crate) fn on<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let enter = || {
            let namespace = File::open(format!("/run/netns/{}", self.name)).expect("a namespace");
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).expect("root");
            work()
        };
        match thread::scope(|scope| scope.spawn(enter).join()) {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// A port that nobody has there: nobody else is there who could take it before it is used.
    pub(crate) fn free_port(&self) -> u16 {
        self.on(|| {
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port");
            listener.local_addr().expect("it is bound").port()
        })
    }

    /// Waits until somebody listens there.
    pub(crate) fn wait_for_port(&self, port: u16) {
        self.on(|| {
            wait_for(&format!("somebody at port {port}"), || {
                TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
            });
        });
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", &self.name]).status();
    }
}

/// Connects from an address.
pub(crate) fn dial(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket =
        socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).expect("a socket");
    bind(&socket, &SocketAddr::from((from, 0))).expect("an address of this host");
    connect(&socket, &to).expect("somebody listens");
    TcpStream::from(socket)
}

/// Runs a program that must succeed.
pub(crate) fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {told}");
}
