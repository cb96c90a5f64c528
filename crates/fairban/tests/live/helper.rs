//! The service and its helper, both behind their walls: lines of the journal and of network syslog, and names of the
//! allowlist, which a small name server tells.
//!
//! The journal is played: a script stands where `journalctl` does, for no journal runs where tests do.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::SystemTime;

use fairban_control::{Request, Response};
use ipnet::IpNet;
use serde_json::json;

use crate::kit::Service;
use crate::machine::{HELPER_UID, Machine, SERVICE_UID};
use crate::scene::bans_of;
use crate::{begin, wait_for};

/// A name of the allowlist, and the address that the name server tells.
const NAME: &str = "office.live.example";
const OFFICE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 23);

/// Robots: one in the journal, one in syslog over UDP, one in syslog over TCP.
const ROBOTS: [&str; 3] = ["203.0.113.61", "203.0.114.62", "203.0.115.63"];

/// Names that nobody has, unlike each other.
const NAMES: [&str; 5] = ["oracle", "jenkins", "webmaster", "support", "minecraft"];

#[test]
fn the_helper_brings_journal_syslog_and_names_through_both_walls() {
    let Some(_alone) = begin() else { return };
    build_helper();
    let machine = Machine::new(&[]);
    fs::write(machine.over().join("etc/resolv.conf"), "nameserver 127.0.0.1\noptions timeout:1\n")
        .expect("a file");
    play_journal(&machine);
    let names =
        machine.host.on(|| UdpSocket::bind((Ipv4Addr::LOCALHOST, 53)).expect("port 53 of its own host"));
    // It ends with the test.
    thread::spawn(move || serve_names(&names));
    let (udp, tcp) = (machine.host.free_port(), machine.host.free_port());
    machine.home.configure_for(
        "fairban",
        &format!("allow = [\"{NAME}\"]"),
        &format!(
            "[[input]]\njournal = []\n[[input]]\nsyslog = \"udp:127.0.0.1:{udp}\"\n\
             [[input]]\nsyslog = \"tcp:127.0.0.1:{tcp}\"\n"
        ),
    );
    let mut service = machine.start_service();
    service.wait_ready();
    expect_allowed(&mut service);
    machine.host.wait_for_port(tcp);
    machine.host.on(|| {
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        for line in lines_of(ROBOTS[1]).into_iter().chain(lines_of(&OFFICE.to_string())) {
            sender.send_to(line.as_bytes(), (Ipv4Addr::LOCALHOST, udp)).expect("it is open");
        }
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, tcp)).expect("it is open");
        for line in lines_of(ROBOTS[2]) {
            // Octet counting.
            write!(stream, "{} {line}", line.len()).expect("it is read");
        }
    });
    let mut client = service.wait_ready();
    let wanted: BTreeSet<IpNet> =
        ROBOTS.iter().map(|robot| format!("{robot}/32").parse().expect("a prefix")).collect();
    wait_for("a ban out of each input", || {
        bans_of(&mut client).iter().map(|ban| ban.prefix).collect::<BTreeSet<_>>() == wanted
    });
    // What the office did is not judged, although all of it was read.
    let status = service.wait_until(|status| {
        let sshd = status.services.iter().find(|one| one.name.as_str() == "sshd");
        sshd.is_some_and(|sshd| sshd.events as usize == (ROBOTS.len() + 1) * NAMES.len())
    });
    assert_eq!(status.bans.in_force, ROBOTS.len() as u64, "{status:#?}");
    expect_walls(&service);
    service.stop();
}

/// The helper stands beside the service where all programs are built. Where only this crate is, it may be missing or old.
fn build_helper() {
    let beside = PathBuf::from(env!("CARGO_BIN_EXE_fairban")).with_file_name("fairban-helper");
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder of crates");
    let newest = ["fairban-helper", "fairban-wall"]
        .iter()
        .filter_map(|name| newest_in(&crates.join(name).join("src")));
    let built = fs::metadata(&beside).and_then(|found| found.modified()).ok();
    if built.is_some() && newest.max() <= built {
        return;
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--offline", "--locked", "-p", "fairban-helper", "--bins"]);
    cargo.arg("--target-dir").arg(beside.parent().and_then(Path::parent).expect("target/PROFILE"));
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo");
    assert!(status.success() && beside.exists(), "cargo build -p fairban-helper: {status}");
}

/// When the newest file in a folder was written.
fn newest_in(folder: &Path) -> Option<SystemTime> {
    let files = fs::read_dir(folder).expect("sources");
    let written = files.filter_map(|file| {
        let path = file.ok()?.path();
        if path.is_dir() { newest_in(&path) } else { fs::metadata(path).ok()?.modified().ok() }
    });
    written.max()
}

/// What sshd says of a robot.
fn lines_of(address: &str) -> Vec<String> {
    let stamp = jiff::Timestamp::now().strftime("%b %e %H:%M:%S").to_string();
    let line = |(at, name): (usize, &&str)| {
        let port = 40_000 + at;
        format!(
            "<38>{stamp} mx sshd[8{at}]: Failed password for invalid user {name} from {address} port {port} ssh2"
        )
    };
    NAMES.iter().enumerate().map(line).collect()
}

/// A `journalctl` that tells of the first robot, and then of nothing more.
fn play_journal(machine: &Machine) {
    let micros = jiff::Timestamp::now().as_microsecond();
    let entry = |(at, name): (usize, &&str)| {
        let message =
            format!("Failed password for invalid user {name} from {} port {} ssh2", ROBOTS[0], 50_000 + at);
        let entry = json!({
            "__CURSOR": format!("s=253cc742a0ea462ca67b484536e969ec;i={at:x};b=c8;m=1;t=1;x=1"),
            "__REALTIME_TIMESTAMP": (micros + at as i64).to_string(),
            "MESSAGE": message, "SYSLOG_IDENTIFIER": "sshd", "_PID": "812", "_UID": "0",
            "_EXE": "/usr/sbin/sshd", "_SYSTEMD_UNIT": "ssh.service", "_HOSTNAME": "mx",
        });
        format!("{entry}\n")
    };
    let entries: String = NAMES.iter().enumerate().map(entry).collect();
    let last = entries.lines().last().expect("there are some");
    // Who has a place to go on from is told nothing more; who asks whether the place is still there, what stands at it.
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in\n*--lines=1*) cat <<'END'\n{last}\nEND\nexit ;;\n*--after-cursor*) ;;\n\
         *) cat <<'END'\n{entries}END\nesac\nexec sleep 600\n"
    );
    let path = machine.over().join("journalctl");
    // It is stopped with its reader; the number is for the case that all else fails.
    fs::write(&path, script).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
}

/// Answers questions about the one name with its address, and all others with nothing.
fn serve_names(socket: &UdpSocket) {
    let mut question = [0; 512];
    while let Ok((len, from)) = socket.recv_from(&mut question) {
        let Some(end) = question.get(12..len).and_then(|rest| rest.iter().position(|byte| *byte == 0)) else {
            continue;
        };
        // The name, its end, its type and its class.
        let (name, asked) = (&question[12..12 + end], &question[12..(12 + end + 5).min(len)]);
        let wanted: Vec<u8> =
            NAME.split('.').flat_map(|part| [&[part.len() as u8], part.as_bytes()].concat()).collect();
        let is_address = asked.ends_with(&[0, 1, 0, 1]) && name == wanted;
        let mut answer = question[..2].to_vec();
        // An answer by whoever knows, to one question, with one address or none.
        answer.extend([0x85, 0x80, 0, 1, 0, u8::from(is_address), 0, 0, 0, 0]);
        answer.extend(asked);
        if is_address {
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            answer.extend(OFFICE.octets());
        }
        let _ = socket.send_to(&answer, from);
    }
}

/// Waits until the name stands for its address.
fn expect_allowed(service: &mut Service) {
    let mut client = service.wait_ready();
    let office = IpNet::from(std::net::IpAddr::from(OFFICE));
    wait_for("the address of a name", || match client.ask(&Request::AllowList) {
        Ok(Response::AllowList(list)) => list.rows.iter().any(|row| row.prefix == office),
        other => panic!("no list: {other:?}"),
    });
}

/// The service has no socket of the network, its helper no right of root's; both are behind seccomp.
fn expect_walls(service: &Service) {
    let family = family_of(service.pid());
    let helpers: Vec<u32> = family.iter().copied().filter(|pid| *pid != service.pid()).collect();
    assert!(helpers.len() >= 3, "keeper, worker and what plays the journal: {family:?}");
    for pid in &family {
        let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("Linux");
            line.split_whitespace().next().unwrap_or_default().to_owned()
        };
        let uid = if *pid == service.pid() { SERVICE_UID } else { HELPER_UID };
        assert_eq!(field("Uid:"), uid.to_string(), "{text}");
        for set in ["CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
            assert_eq!(field(set), "0000000000000000", "{set} {text}");
        }
        assert_eq!(field("NoNewPrivs:"), "1", "{text}");
    }
    let filtered = |pid: u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        text.lines().any(|line| line.strip_prefix("Seccomp:").is_some_and(|mode| mode.trim() == "2"))
    };
    assert!(filtered(service.pid()), "the service");
    assert!(helpers.iter().any(|pid| filtered(*pid)), "the helper's worker");
    // What listens is the helper's.
    let (ours, theirs) = (sockets_of(&[service.pid()]), sockets_of(&helpers));
    let mut listening = 0;
    for table in ["udp", "tcp"] {
        let text = fs::read_to_string(format!("/proc/{}/net/{table}", service.pid())).expect("Linux");
        for row in text.lines().skip(1) {
            let inode = row.split_whitespace().nth(9).expect("a table of sockets");
            assert!(!ours.contains(inode), "the service has a socket of the network: {row}");
            listening += usize::from(theirs.contains(inode));
        }
    }
    assert!(listening >= 2, "UDP and TCP");
}

/// A process and all that it started, directly or not.
fn family_of(pid: u32) -> Vec<u32> {
    let mut family = vec![pid];
    let mut at = 0;
    while let Some(parent) = family.get(at).copied() {
        let children = fs::read_dir(format!("/proc/{parent}/task"))
            .expect("it runs")
            .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok());
        for list in children.collect::<Vec<_>>() {
            family.extend(list.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
        at += 1;
    }
    family
}

/// Inodes of the sockets that processes have.
fn sockets_of(pids: &[u32]) -> BTreeSet<String> {
    let open = pids.iter().filter_map(|pid| fs::read_dir(format!("/proc/{pid}/fd")).ok()).flatten();
    let links = open.filter_map(|one| fs::read_link(one.ok()?.path()).ok());
    let inode = |link: PathBuf| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned());
    links.filter_map(inode).collect()
}
