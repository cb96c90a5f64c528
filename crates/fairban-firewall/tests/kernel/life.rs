//! How `fairban-fw` lives and dies.

use std::os::fd::AsFd as _;
use std::process::{Command, Stdio};

use fairban_firewall::enforcer::{Answer, Doors, Enforcer as _, Order};
use fairban_firewall::protocol::{Reply, Request};
use fairban_firewall::{NftEnforcer, Reach};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, bind, listen, recv, send,
    socket_with, socketpair,
};
use rustix::process::{Pid, Signal, kill_process};

use crate::net::{IMAP, Net, ban, listed, shut, unban, wait_for};

fn kill(enforcer: &NftEnforcer) {
    let pid = Pid::from_raw(enforcer.child_id().unwrap() as i32).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn bans_outlive_a_kill_end_in_time_and_are_taken_over() {
    let net = Net::new();
    net.serve();
    let mut enforcer = net.enforcer(&[]);
    ban(&mut enforcer, "10.77.1.2/32", Doors::LoginsAndSmtp);
    ban(&mut enforcer, "10.77.8.0/21", Doors::All);
    let short = shut("10.77.1.3/32", 2, Doors::Logins);
    let forever =
        fairban_firewall::enforcer::Shut { seconds: None, ..shut("10.77.2.0/24", 1, Doors::Logins) };
    enforcer.carry_out(&[Order::Ban(short), Order::Ban(forever)]).unwrap();
    let before = enforcer.list().unwrap();
    kill(&enforcer);
    wait_for("it is gone", || !enforcer.status().ready);
    for hit in ["10.77.1.2", "10.77.9.9", "10.77.2.2"] {
        assert!(!net.is_open(hit, IMAP), "{hit}");
    }
    wait_for("the kernel lets go by itself", || net.is_open("10.77.1.3", IMAP));
    let mut again = net.enforcer(&[]);
    let after = again.list().unwrap();
    assert_eq!(after.len(), 3);
    for shut in &after {
        let same = before.iter().find(|before| before.prefix == shut.prefix).unwrap();
        assert_eq!(same.doors, shut.doors);
        assert!(
            same.seconds.is_none() == shut.seconds.is_none() && shut.seconds <= same.seconds,
            "{same:?} {shut:?}"
        );
    }
    assert!(!net.is_open("10.77.1.2", IMAP));
}

#[test]
fn one_that_died_is_started_again_and_told_who_is_protected() {
    let net = Net::new();
    let mut enforcer = net.enforcer(&[]);
    let allowed = crate::net::prefix("10.77.1.2/32");
    enforcer.allow(&[allowed]).unwrap();
    kill(&enforcer);
    wait_for("it is gone", || enforcer.carry_out(&[]).is_err());
    wait_for("another one is there", || net.on_server(|| enforcer.carry_out(&[])).is_ok());
    let answers = enforcer.carry_out(&[Order::Ban(shut("10.77.1.2/32", 1, Doors::Logins))]);
    assert_eq!(answers, Ok(vec![Answer::Protected]));
}

#[test]
fn it_holds_one_right_and_sits_behind_its_walls() {
    let net = Net::new();
    for (user, expected) in [("nobody", "65534"), ("nobody-of-that-name", "0")] {
        let mut enforcer = net.enforcer(&["--user", user]);
        ban(&mut enforcer, "10.77.1.2/32", Doors::Logins);
        let pid = enforcer.child_id().unwrap();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(field("Uid:"), [expected; 4]);
        for set in ["CapPrm:", "CapEff:", "CapBnd:"] {
            assert_eq!(field(set), ["0000000000001000"], "{set}");
        }
        assert_eq!(
            (field("CapInh:"), field("CapAmb:")),
            (vec!["0000000000000000".into()], vec!["0000000000000000".into()])
        );
        assert_eq!((field("NoNewPrivs:"), field("Seccomp:")), (vec!["1".to_owned()], vec!["2".to_owned()]));
        // Every thread is behind them.
        for task in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
            let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
            assert!(
                status.contains("Seccomp:\t2") && status.contains("CapEff:\t0000000000001000"),
                "{status}"
            );
        }
        assert_eq!(std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default(), b"");
    }
}

/// The one process that another one started.
fn only_child(pid: u32) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

fn end(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid as i32).unwrap(), signal).unwrap();
}

fn is_there(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // After the name in brackets comes the state; who is dead and not yet waited for is gone.
    status.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[test]
fn a_parent_starts_it_again_whatever_ended_it() {
    let net = Net::new();
    net.serve();
    for user in ["nobody", "nobody-of-that-name"] {
        let mut enforcer = net.enforcer_under_parent(&["--user", user]);
        enforcer.allow(&[crate::net::prefix("10.77.2.2/32")]).unwrap();
        ban(&mut enforcer, "10.77.1.2/32", Doors::Logins);
        let parent = enforcer.child_id().unwrap();
        let status = std::fs::read_to_string(format!("/proc/{parent}/status")).unwrap();
        for set in ["CapPrm:", "CapBnd:"] {
            assert!(status.contains(&format!("{set}\t0000000000001000")), "{status}");
        }
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
        // One that dies, and one that does not answer any more.
        for signal in [Signal::KILL, Signal::STOP] {
            let child = only_child(parent).unwrap();
            end(child, signal);
            wait_for("it is missed", || enforcer.carry_out(&[]).is_err());
            assert!(!net.is_open("10.77.1.2", IMAP), "{user}: bans stay meanwhile");
            wait_for("another one is there", || enforcer.carry_out(&[]).is_ok());
            assert!(only_child(parent).is_some_and(|now| now != child), "{user}");
            assert_eq!(listed(&mut enforcer), ["10.77.1.2/32"], "{user}");
            let answers = enforcer.carry_out(&[Order::Ban(shut("10.77.2.2/32", 1, Doors::Logins))]);
            assert_eq!(answers, Ok(vec![Answer::Protected]), "{user}: who is protected was said again");
        }
        unban(&mut enforcer, "10.77.1.2/32");
        let child = only_child(parent).unwrap();
        if user == "nobody" {
            drop(enforcer);
        } else {
            // Without its parent it goes on, as long as somebody speaks to it.
            end(parent, Signal::KILL);
            wait_for("the parent is gone", || !is_there(parent));
            ban(&mut enforcer, "10.77.1.2/32", Doors::Logins);
            drop(enforcer);
        }
        wait_for("both are gone", || !is_there(child) && !is_there(parent));
    }
}

#[test]
fn it_listens_where_a_service_manager_made_the_socket() {
    let net = Net::new();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fw.socket");
    let kind = SocketType::SEQPACKET;
    let listener = socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
    bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    listen(&listener, 8).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fairban-fw"));
    let mut child = net.on_server(|| command.stdin(Stdio::from(listener)).spawn().unwrap());
    let mut first = NftEnforcer::new(Reach::Connect(path.clone()));
    ban(&mut first, "10.77.1.2/32", Doors::Logins);
    first.allow(&[crate::net::prefix("10.77.1.3/32")]).unwrap();
    assert_eq!(first.child_id(), None);
    drop(first);
    // The next one finds the bans, and protects whom it wants itself.
    let mut second = NftEnforcer::new(Reach::Connect(path));
    assert_eq!(listed(&mut second), ["10.77.1.2/32"]);
    ban(&mut second, "10.77.1.3/32", Doors::Logins);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn its_other_end_gone_it_ends_and_without_a_socket_it_does_not_begin() {
    let net = Net::new();
    let program = env!("CARGO_BIN_EXE_fairban-fw");
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    drop(ours);
    let mut command = Command::new(program);
    let status = net.on_server(|| command.stdin(Stdio::from(theirs)).status().unwrap());
    assert_eq!(status.code(), Some(0));
    let mut command = Command::new(program);
    let output = net.on_server(|| command.stdin(Stdio::null()).output().unwrap());
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("sequential packets"));
}

#[test]
fn whatever_is_said_to_it_it_lives_and_bans_nobody_else() {
    let net = Net::new();
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fairban-fw"));
    let mut child = net.on_server(|| command.stdin(Stdio::from(theirs)).spawn().unwrap());
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut buffer = vec![0; 65_536];
    let own = shut("10.77.0.1/32", 9, Doors::All);
    for round in 0..20_000 {
        let mut bytes = match random() % 4 {
            0 => Request::Ban(vec![own; (random() % 9) as usize]).encode(1),
            1 => Request::List(None).encode(2),
            _ => vec![1, (random() % 8) as u8, (random() % 4) as u8, 0, 0, 0, 0, 0],
        };
        for _ in 0..random() % 60 {
            bytes.push(random() as u8);
        }
        if round % 3 == 0 {
            let at = random() as usize % bytes.len();
            bytes[at] = random() as u8;
        }
        // Nobody sends nothing: that would be the end.
        send(&ours, &bytes, SendFlags::NOSIGNAL).unwrap();
        loop {
            let (_, len) = recv(&ours, &mut buffer[..], RecvFlags::empty()).unwrap();
            assert!(len > 0, "it died in round {round} of {bytes:?}");
            if !matches!(Reply::decode(&buffer[..len]), Ok((_, Reply::Note(_)))) {
                break;
            }
        }
    }
    let mut enforcer = NftEnforcer::over(ours);
    assert!(enforcer.descriptor().is_some_and(|fd| fd.as_fd().try_clone_to_owned().is_ok()));
    assert!(listed(&mut enforcer).iter().all(|prefix| prefix != "10.77.0.1/32"));
    assert!(enforcer.status().ready);
    assert_eq!(enforcer.carry_out(&[Order::Ban(own)]), Ok(vec![Answer::Protected]));
    drop(enforcer);
    child.wait().unwrap();
}
