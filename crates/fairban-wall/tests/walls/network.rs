//! The process that has the network.

use std::fs;
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::path::PathBuf;
use std::process::Command;

use fairban_wall::{Calls, Tcp, Wall};
use rustix::io::Errno;

use crate::{Dir, refused};

pub(crate) fn has_the_ports_it_asked_for(dir: &Dir) {
    let secret = dir.file("secret");
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let open_port = open.local_addr().unwrap().port();
    let wall = Wall {
        read: vec![PathBuf::from("/etc/hosts"), PathBuf::from("/usr"), PathBuf::from("/lib")],
        tcp: Tcp::Ports { bind: vec![0], connect: vec![open_port] },
        calls: Calls::NetworkHelper,
        ..Wall::default()
    };
    wall.close().unwrap().require().unwrap();

    TcpStream::connect(open.local_addr().unwrap()).unwrap();
    refused(Errno::ACCESS, TcpStream::connect(closed.local_addr().unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().port();
    refused(Errno::ACCESS, TcpListener::bind(("127.0.0.2", taken)));
    UdpSocket::bind("127.0.0.1:0").unwrap();
    assert!(("127.0.0.1", 1).to_socket_addrs().is_ok());
    refused(Errno::ACCESS, fs::read(&secret));
    refused(Errno::PERM, fs::remove_file(&secret));
    refused(Errno::ACCESS, fs::write(&secret, "x"));
}

pub(crate) fn cannot_start_programs(_: &Dir) {
    let execute = vec![PathBuf::from("/")];
    Wall { execute, calls: Calls::NetworkHelper, ..Wall::default() }.close().unwrap();
    refused(Errno::PERM, Command::new("/bin/true").spawn());
}

pub(crate) fn starts_the_programs_it_named(dir: &Dir) {
    let copy = dir.0.join("copy-of-true");
    fs::copy("/bin/true", &copy).unwrap();
    let secret = dir.file("secret");
    let named = ["/usr/bin", "/bin", "/usr/lib", "/lib", "/lib64", "/usr/lib64"].map(PathBuf::from);
    let wall = Wall {
        read: vec![PathBuf::from("/etc/ld.so.cache")],
        execute: named.to_vec(),
        // The standard library gives a child without input this file.
        write: vec![PathBuf::from("/dev/null")],
        calls: Calls::NetworkHelperWithPrograms,
        ..Wall::default()
    };
    wall.close().unwrap();
    assert!(Command::new("/bin/true").status().unwrap().success());
    refused(Errno::ACCESS, Command::new(&copy).status());
    // What it starts stands behind the same wall.
    let cat = Command::new("/bin/cat").arg(&secret).output().unwrap();
    assert!(!cat.status.success() && cat.stdout.is_empty());
    let shell = Command::new("/bin/sh").args(["-c", "(echo a; echo b) | cat | wc -l"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&shell.stdout).trim(), "2");
    let mut sleeper = Command::new("/bin/sleep").arg("1000").spawn().unwrap();
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}
