//! The process that has the firewall.

use std::fs;
use std::process::Command;
use std::thread;

use fairban_wall::{Calls, Wall};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, netlink, socket};

use crate::{Dir, refused};

pub(crate) fn has_netlink_and_no_file(dir: &Dir) {
    let file = dir.file("file");
    Wall { calls: Calls::Firewall, read: vec![dir.0.clone()], ..Wall::default() }.close().unwrap();
    let kernel = socket(AddressFamily::NETLINK, SocketType::RAW, None).unwrap();
    rustix::net::bind(&kernel, &netlink::SocketAddrNetlink::new(0, 0)).unwrap();
    refused(Errno::PERM, socket(AddressFamily::INET, SocketType::DGRAM, None).map_err(Into::into));
    refused(Errno::PERM, fs::read(file));
    refused(Errno::PERM, fs::read_dir(&dir.0));
    refused(Errno::PERM, Command::new("/bin/true").spawn());
    assert_eq!(thread::spawn(|| 7).join().unwrap(), 7);
}
