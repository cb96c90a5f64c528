//! The process that reads logs and keeps state.

use std::collections::HashSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use fairban_wall::{Calls, Denied, LandlockState, Raised, Wall};
use rustix::fs::inotify;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, socket};

use crate::{Dir, refused};

/// Reads `logs`, writes `state`; all of the wall must stand.
fn close(dir: &Dir) -> Raised {
    let wall = Wall {
        read: vec![dir.sub("logs")],
        write: vec![dir.sub("state")],
        calls: Calls::Reader,
        ..Wall::default()
    };
    let raised = wall.close().unwrap().require().unwrap();
    assert!(matches!(raised.landlock.state, LandlockState::Enforced { .. }), "{raised:?}");
    assert_eq!((raised.landlock.widened.len(), raised.landlock.left_out.len()), (0, 0));
    raised
}

pub(crate) fn cannot_reach_other_files(dir: &Dir) {
    let secret = dir.file("secret");
    let log = dir.sub("logs").join("mail.log");
    fs::write(&log, "a line\n").unwrap();
    let leads_out = dir.sub("logs").join("leads-out");
    std::os::unix::fs::symlink(&secret, &leads_out).unwrap();
    let raised = close(dir);
    let own = dir.0.join("state/own");
    fs::write(&own, "x").unwrap();

    assert_eq!(fs::read_to_string(&log).unwrap(), "a line\n");
    for outside in [secret.as_path(), &leads_out, Path::new("/etc/passwd"), Path::new("/etc/shadow")] {
        refused(Errno::ACCESS, fs::read(outside));
        assert!(!raised.may_read(outside), "{}", outside.display());
    }
    refused(Errno::ACCESS, fs::read_dir(&dir.0));
    refused(Errno::ACCESS, fs::write(&log, "forged"));
    refused(Errno::ACCESS, fs::OpenOptions::new().append(true).open(&log));
    refused(Errno::ACCESS, fs::write(dir.0.join("new"), "x"));
    refused(Errno::ACCESS, fs::create_dir(dir.0.join("new")));
    refused(Errno::ACCESS, fs::remove_file(&secret));
    refused(Errno::ACCESS, fs::remove_file(&log));
    refused(Errno::ACCESS, fs::rename(&own, dir.0.join("out")));
    refused(Errno::XDEV, fs::hard_link(&log, dir.0.join("state/in")));
    refused(Errno::PERM, std::os::unix::fs::symlink(&secret, dir.0.join("state/link")));
    assert!(raised.may_read(&log) && raised.may_read(&own));
}

pub(crate) fn cannot_reach_the_network(dir: &Dir) {
    close(dir);
    refused(Errno::PERM, TcpStream::connect("127.0.0.1:9"));
    refused(Errno::PERM, TcpListener::bind("127.0.0.1:0"));
    refused(Errno::PERM, UdpSocket::bind("[::1]:0"));
    for family in [AddressFamily::INET, AddressFamily::INET6, AddressFamily::NETLINK, AddressFamily::PACKET] {
        refused(Errno::PERM, socket(family, SocketType::DGRAM, None).map_err(Into::into));
    }
}

pub(crate) fn cannot_start_programs(dir: &Dir) {
    close(dir);
    refused(Errno::PERM, Command::new("/bin/true").spawn());
    refused::<()>(Errno::PERM, Err(Command::new("/bin/true").exec()));
}

pub(crate) fn cannot_touch_other_processes(dir: &Dir) {
    let parent = rustix::process::getppid().unwrap();
    let memory = format!("/proc/{}/mem", parent.as_raw_nonzero());
    close(dir);
    refused(Errno::PERM, rustix::process::test_kill_process(parent).map_err(Into::into));
    refused(Errno::ACCESS, fs::read(memory));
}

pub(crate) fn cannot_become_anybody(dir: &Dir) {
    let own = rustix::process::getuid();
    close(dir);
    refused(Errno::PERM, rustix::thread::set_thread_uid(own).map_err(Into::into));
    refused(Errno::PERM, rustix::thread::set_thread_groups(&[]).map_err(Into::into));
}

pub(crate) fn follows_logs_that_appear_later(dir: &Dir) {
    let mut outside = Command::new("/bin/sh")
        .args([
            "-c",
            "read go; echo one > logs/mail.log; mv logs/mail.log logs/mail.log.1; echo two > logs/mail.log",
        ])
        .current_dir(&dir.0)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    close(dir);
    let logs = dir.0.join("logs");
    let changes = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&changes, &logs, inotify::WatchFlags::CLOSE_WRITE).unwrap();
    outside.stdin.take().unwrap().write_all(b"go\n").unwrap();
    assert!(outside.wait().unwrap().success(), "a child may be waited for");

    let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(changes, &mut buffer);
    let event = events.next().unwrap();
    assert_eq!(event.file_name().unwrap().to_bytes(), b"mail.log");
    assert_eq!(fs::read_to_string(logs.join("mail.log.1")).unwrap(), "one\n");
    assert_eq!(fs::read_to_string(logs.join("mail.log")).unwrap(), "two\n");
    assert_eq!(fs::read_dir(&logs).unwrap().count(), 2);
    assert_eq!(fs::metadata(logs.join("mail.log")).unwrap().len(), 4);
    rustix::fs::statfs(&logs).unwrap();
}

pub(crate) fn keeps_a_database(dir: &Dir) {
    close(dir);
    let state = dir.0.join("state");
    let database = rusqlite::Connection::open(state.join("fairban.db")).unwrap();
    database.pragma_update(None, "journal_mode", "wal").unwrap();
    database
        .execute_batch("create table ban (prefix text); insert into ban values ('192.0.2.1/32');")
        .unwrap();
    let other = rusqlite::Connection::open(state.join("fairban.db")).unwrap();
    let count: i64 = other.query_row("select count(*) from ban", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 1);
    assert!(state.join("fairban.db-shm").exists(), "two connections share memory");
    database.execute_batch("vacuum; pragma wal_checkpoint(truncate);").unwrap();

    let file = fs::File::create_new(state.join("journal.new")).unwrap();
    file.write_all_at(b"0123456789", 0).unwrap();
    file.sync_data().unwrap();
    file.sync_all().unwrap();
    file.set_len(4).unwrap();
    file.lock().unwrap();
    rustix::fs::fcntl_lock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, 8192).unwrap();
    fs::rename(state.join("journal.new"), state.join("journal")).unwrap();
    fs::create_dir(state.join("snapshots")).unwrap();
    fs::rename(state.join("journal"), state.join("snapshots/journal")).unwrap();
    fs::File::open(&state).unwrap().sync_all().unwrap();
    fs::remove_dir_all(state.join("snapshots")).unwrap();
}

pub(crate) fn serves_a_unix_socket(dir: &Dir) {
    close(dir);
    let path = dir.0.join("state/control");
    let listener = UnixListener::bind(&path).unwrap();
    fs::set_permissions(&path, <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o660))
        .unwrap();
    std::os::unix::fs::chown(&path, None, Some(rustix::process::getgid().as_raw())).unwrap();
    let client = thread::spawn(move || {
        let mut client = UnixStream::connect(path).unwrap();
        client.write_all(b"status\n").unwrap();
    });
    let (mut server, _) = listener.accept().unwrap();
    let credentials = rustix::net::sockopt::socket_peercred(&server).unwrap();
    assert_eq!(credentials.pid, rustix::process::getpid());
    server.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut asked = String::new();
    server.read_to_string(&mut asked).unwrap();
    assert_eq!(asked, "status\n");
    client.join().unwrap();

    let ready = dir.0.join("state/notify");
    let supervisor = UnixDatagram::bind(&ready).unwrap();
    UnixDatagram::unbound().unwrap().send_to(b"READY=1", &ready).unwrap();
    let mut told = [0; 16];
    assert_eq!(supervisor.recv(&mut told).unwrap(), 7);
    UnixStream::pair().unwrap();
}

pub(crate) fn has_threads_time_and_chance(dir: &Dir) {
    close(dir);
    let begun = Instant::now();
    let threads: Vec<_> =
        (0..4).map(|n| thread::Builder::new().name(format!("t{n}")).spawn(move || n).unwrap()).collect();
    let sum: i32 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(sum, 6);
    assert!(thread::available_parallelism().is_ok());
    // Each set asks the kernel for its seed.
    assert!(HashSet::from([1, 2]).contains(&2));
    assert!(SystemTime::now() > SystemTime::UNIX_EPOCH);
    let (read, write) = rustix::pipe::pipe().unwrap();
    let mut wait = [rustix::event::PollFd::new(&read, rustix::event::PollFlags::IN)];
    let limit = rustix::event::Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    assert_eq!(rustix::event::poll(&mut wait, Some(&limit)).unwrap(), 0);
    rustix::io::write(&write, b"x").unwrap();
    assert_eq!(rustix::event::poll(&mut wait, None).unwrap(), 1);
    assert!(begun.elapsed() > Duration::ZERO);
    // Panics look for their place in the program, which they may not open: that must not hang or kill.
    assert!(std::panic::catch_unwind(|| panic!("of the test")).is_err());
}

pub(crate) fn may_die_of_a_forbidden_call(dir: &Dir) {
    let calls = Calls::Reader;
    Wall { calls, denied: Denied::Kills, read: vec![dir.0.clone()], ..Wall::default() }.close().unwrap();
    drop(UdpSocket::bind("127.0.0.1:0"));
    unreachable!("it is dead");
}

pub(crate) fn missing_logs_open_their_directory(dir: &Dir) {
    let logs = dir.sub("logs");
    let missing = logs.join("dovecot/later/info.log");
    let too_high = Path::new("/does-not-exist/mail.log").to_owned();
    let wall = Wall {
        read: vec![missing.clone(), too_high.clone()],
        write: vec![logs.join("state-that-is-missing")],
        calls: Calls::Reader,
        ..Wall::default()
    };
    let raised = wall.close().unwrap();
    assert_eq!(raised.landlock.widened, [(missing.clone(), logs.clone())]);
    let left_out: Vec<_> = raised.landlock.left_out.iter().map(|(path, _)| path.clone()).collect();
    assert_eq!(left_out, [too_high, logs.join("state-that-is-missing")]);
    assert!(raised.may_read(&missing));
    assert!(!raised.may_read(&dir.0.join("another/info.log")));
    fs::read_dir(&logs).unwrap();
    refused(Errno::ACCESS, fs::create_dir_all(missing.parent().unwrap()));
}
