//! Two hosts with a wire between them, for as long as this program lives.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::error::{Failure, Kind};

/// Addresses of documentation: no packet leaves the namespaces anyway.
const SERVER_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const CLIENT_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xfb, 0, 0, 0, 0, 1);
const CLIENT_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xfb, 1, 0, 0, 0, 2);

/// See the module's head.
pub(super) struct Hosts {
    server: Host,
    client: Host,
    /// The kernel has IPv6.
    pub(super) has_v6: bool,
}

/// A network namespace, held by a process that ends when we do.
struct Host {
    holder: Child,
    namespace: File,
}

impl Hosts {
    /// # Errors
    /// The kernel or the container does not let us.
    pub(super) fn make() -> Result<Hosts, Failure> {
        let mut hosts = Hosts { server: Host::make()?, client: Host::make()?, has_v6: true };
        let peer = hosts.client.holder.id().to_string();
        hosts.server.ip(&["link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", &peer])?;
        let ends = [(&hosts.server, SERVER_V4, SERVER_V6), (&hosts.client, CLIENT_V4, CLIENT_V6)];
        let mut has_v6 = true;
        for (host, v4, v6) in ends {
            host.ip(&["link", "set", "lo", "up"])?;
            host.ip(&["link", "set", "wire", "up"])?;
            host.ip(&["address", "add", &format!("{v4}/24"), "dev", "wire"])?;
            has_v6 &= host.ip(&["address", "add", &format!("{v6}/48"), "dev", "wire", "nodad"]).is_ok();
        }
        hosts.has_v6 = has_v6;
        Ok(hosts)
    }

    /// Name, server, client, and the client's prefix that is banned.
    pub(super) fn families(&self) -> Vec<(&'static str, IpAddr, IpAddr, String)> {
        let mut all = vec![("IPv4", SERVER_V4.into(), CLIENT_V4.into(), format!("{CLIENT_V4}/32"))];
        if self.has_v6 {
            all.push(("IPv6", SERVER_V6.into(), CLIENT_V6.into(), "2001:db8:fb:1::/64".to_owned()));
        }
        all
    }

    pub(super) fn on_server<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, Failure> {
        self.server.on(work)
    }

    pub(super) fn on_client<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, Failure> {
        self.client.on(work)
    }
}

impl Host {
    fn make() -> Result<Host, Failure> {
        let cannot = |error: &dyn std::error::Error| {
            Failure::new(Kind::Environment, "cannot make a network namespace").caused_by(error)
        };
        let mut holder = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo made; exec cat >/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| cannot(&error).hint("unshare is part of util-linux"))?;
        let mut line = String::new();
        if let Some(out) = holder.stdout.take() {
            BufReader::new(out).read_line(&mut line).map_err(|error| cannot(&error))?;
        }
        if line.trim() != "made" {
            let told = holder.wait_with_output().map_err(|error| cannot(&error))?;
            let told = String::from_utf8_lossy(&told.stderr);
            let why = fairban_core::escape::escaped(told.trim().as_bytes()).to_string();
            let failure = Failure::new(Kind::Environment, format!("cannot make a network namespace: {why}"));
            return Err(failure
                .hint("in a container this needs CAP_SYS_ADMIN and CAP_NET_ADMIN; or run it on the host"));
        }
        let namespace =
            File::open(format!("/proc/{}/ns/net", holder.id())).map_err(|error| cannot(&error))?;
        Ok(Host { holder, namespace })
    }

    /// Does something there, in a thread of its own: what it starts is there, too.
    fn on<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, Failure> {
        let enter = || {
            move_into_link_name_space(self.namespace.as_fd(), Some(LinkNameSpaceType::Network))
                .map(|()| work())
        };
        let cannot = || Failure::new(Kind::Environment, "cannot enter a network namespace");
        thread::scope(|scope| scope.spawn(enter).join())
            .map_err(|_| Failure::new(Kind::Internal, "a thread of the self-test ended"))?
            .map_err(|errno| cannot().caused_by(&std::io::Error::from(errno)))
    }

    fn ip(&self, arguments: &[&str]) -> Result<(), Failure> {
        run_on(self, "ip", arguments, None).map(drop)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Runs `nft` on the server with these commands.
pub(super) fn nft(hosts: &Hosts, commands: &str) -> Result<String, Failure> {
    run_on(&hosts.server, "nft", &["-f", "-"], Some(commands))
}

fn run_on(host: &Host, program: &str, arguments: &[&str], input: Option<&str>) -> Result<String, Failure> {
    let run = || -> std::io::Result<std::process::Output> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
            std::io::Write::write_all(&mut stdin, input.as_bytes())?;
        }
        child.wait_with_output()
    };
    let output = host.on(run)?.map_err(|error| {
        let failure = Failure::new(Kind::Environment, format!("cannot run {program}")).caused_by(&error);
        failure.hint("ip is in the package iproute2, nft in nftables")
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let told =
        fairban_core::escape::escaped(String::from_utf8_lossy(&output.stderr).trim().as_bytes()).to_string();
    Err(Failure::new(Kind::Environment, format!("{program} {}: {told}", arguments.join(" "))))
}
