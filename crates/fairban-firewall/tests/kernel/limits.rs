//! What one source may do at a time, and nobody else loses by it.

use std::net::TcpStream;

use fairban_firewall::enforcer::{Answer, Doors, Enforcer as _};
use fairban_firewall::limits::{Counted, Limit, Rate};
use fairban_firewall::{NftEnforcer, remove_everything};

use crate::net::{IMAP, Net, OTHER, SMTP, answers, ban, prefix, wait_for};

const V4: &str = "10.77.1.2";
const V4_BESIDE: &str = "10.77.1.3";
const V6: &str = "2001:db8:1:1::2";
/// In the same /64.
const V6_SAME: &str = "2001:db8:1:1::3";
const V6_BESIDE: &str = "2001:db8:1:2::2";

fn open(most: u32, enforced: bool) -> Limit {
    Limit { group: 0, ports: vec![IMAP], concurrent: Some(most), rate: None, enforced }
}

fn rate(burst: u32, hold_seconds: Option<u32>, enforced: bool) -> Limit {
    let rate = Rate { count: 1, seconds: 60, burst, hold_seconds };
    Limit { group: 1, ports: vec![IMAP, SMTP], concurrent: None, rate: Some(rate), enforced }
}

fn set(enforcer: &mut NftEnforcer, limits: &[Limit], exempt: &[&str]) {
    let exempt: Vec<_> = exempt.iter().map(|text| prefix(text)).collect();
    assert_eq!(enforcer.limit(limits, &exempt), Ok(Answer::Done));
}

fn counted(enforcer: &mut NftEnforcer, group: u8) -> Counted {
    let all = enforcer.counted().unwrap();
    all.into_iter().find(|counted| counted.group == group).unwrap()
}

/// Tries so often; those that were let in, usable each.
fn dial(net: &Net, from: &str, port: u16, times: usize) -> Vec<TcpStream> {
    let mut open: Vec<TcpStream> = (0..times).filter_map(|_| net.dial(from, port)).collect();
    assert!(open.iter_mut().all(answers), "{from}");
    open
}

#[test]
fn open_connections_are_limited_to_the_very_one() {
    let net = Net::new();
    net.serve();
    let mut enforcer = net.enforcer(&[]);
    set(&mut enforcer, &[open(5, true)], &[]);
    for (from, same, beside) in [(V4, V4, V4_BESIDE), (V6, V6_SAME, V6_BESIDE)] {
        let mut held = dial(&net, from, IMAP, 3);
        held.extend(dial(&net, same, IMAP, 5));
        assert_eq!(held.len(), 5, "{from}");
        assert_eq!(dial(&net, beside, IMAP, 5).len(), 5, "{beside}");
        assert_eq!(dial(&net, from, OTHER, 7).len(), 7, "{from}: a port of no group");
        // Those that are open go on, and room that is given back is given out again.
        assert!(held.iter_mut().all(answers));
        held.truncate(3);
        wait_for("there is room again", || {
            held.extend(net.dial(from, IMAP));
            held.len() == 5
        });
        assert!(net.dial(same, IMAP).is_none(), "{from}");
    }
    let counted = counted(&mut enforcer, 0);
    let told: Vec<String> = counted.sources.iter().map(|(prefix, _)| prefix.to_string()).collect();
    assert!(told.contains(&"10.77.1.2/32".to_owned()) && told.contains(&"2001:db8:1:1::/64".to_owned()));
    assert_eq!((told.len(), counted.sources_more, counted.over_rate), (2, 0, 0));
    let sum: u64 = counted.sources.iter().map(|(_, times)| times).sum();
    assert!(counted.over_concurrent >= 8 && counted.over_concurrent == sum, "{counted:?}");
}

#[test]
fn new_connections_are_limited_to_the_very_one() {
    let net = Net::new();
    net.serve();
    let mut enforcer = net.enforcer(&[]);
    set(&mut enforcer, &[rate(4, None, true)], &[]);
    for (from, same, beside) in [(V4, V4, V4_BESIDE), (V6, V6_SAME, V6_BESIDE)] {
        // Closed at once: it is not those open that count. Ports of one group count together.
        assert_eq!(dial(&net, from, IMAP, 2).len() + dial(&net, same, SMTP, 6).len(), 4, "{from}");
        assert_eq!(dial(&net, beside, SMTP, 4).len(), 4, "{beside}");
        assert!(net.is_open(from, OTHER), "{from}");
    }
    let counted = counted(&mut enforcer, 1);
    assert_eq!((counted.over_concurrent, counted.over_rate), (0, 8));
    assert_eq!(counted.sources, [(prefix("10.77.1.2/32"), 4), (prefix("2001:db8:1:1::/64"), 4)]);
}

#[test]
fn who_goes_on_while_held_off_stays_held_off() {
    let net = Net::new();
    net.serve();
    let mut enforcer = net.enforcer(&[]);
    let one_a_second = Rate { count: 1, seconds: 1, burst: 2, hold_seconds: Some(2) };
    set(&mut enforcer, &[Limit { rate: Some(one_a_second), ..rate(1, None, true) }], &[]);
    assert_eq!(dial(&net, V4, IMAP, 3).len(), 2);
    // Its bucket is full again after two seconds, but every try prolongs the time.
    let begin = std::time::Instant::now();
    wait_for("its bucket is full, and a second more", || {
        assert!(net.dial(V4, IMAP).is_none(), "{:?}", begin.elapsed());
        begin.elapsed() > std::time::Duration::from_secs(3)
    });
    // Without a try its time runs out; to look at the set is none.
    wait_for("its time is over", || {
        let table = net.nft(&["list", "table", "inet", "fairban_limits"]);
        let set = table.split("_hold2_4 {").nth(1).and_then(|rest| rest.split('}').next());
        !set.expect("the set of those held off").contains(V4)
    });
    assert!(net.is_open(V4, IMAP));
    assert!(counted(&mut enforcer, 1).over_rate > 10);
}

#[test]
fn in_shadow_nobody_is_refused_and_everybody_counted() {
    let net = Net::new();
    net.serve();
    let mut enforcer = net.enforcer(&[]);
    set(&mut enforcer, &[open(3, false), rate(4, Some(60), false)], &[]);
    for from in [V4, V6] {
        assert_eq!(dial(&net, from, IMAP, 8).len(), 8, "{from}");
    }
    assert_eq!(counted(&mut enforcer, 0).over_concurrent, 10);
    assert_eq!(counted(&mut enforcer, 1).over_rate, 8);
    assert_eq!(
        counted(&mut enforcer, 0).sources,
        [(prefix("10.77.1.2/32"), 5), (prefix("2001:db8:1:1::/64"), 5)]
    );
    // Enforced, its count begins anew, and what is open already counts.
    let _held = dial(&net, V4_BESIDE, IMAP, 3);
    set(&mut enforcer, &[open(3, true)], &[]);
    assert_eq!(counted(&mut enforcer, 0).over_concurrent, 0);
    assert!(net.dial(V4_BESIDE, IMAP).is_none());
    assert_eq!(counted(&mut enforcer, 0).over_concurrent, 1);
}

#[test]
fn who_is_exempt_or_never_banned_is_not_limited() {
    let net = Net::new();
    net.serve();
    let mut enforcer = net.enforcer(&[]);
    set(&mut enforcer, &[open(2, true)], &["10.77.1.0/24", "2001:db8:1:1::2/128", "10.77.1.3/32"]);
    let mut all = Vec::new();
    for (from, expected) in [(V4, 6), (V6, 6), (V6_SAME, 2), (V6_BESIDE, 2), ("10.77.2.2", 2)] {
        let open = dial(&net, from, IMAP, 6);
        assert_eq!(open.len(), expected, "{from}");
        all.push(open);
    }
    drop(all);
    // The floor: the machine to itself.
    let own = net.on_server(|| (0..6).filter(|_| TcpStream::connect(("10.77.0.1", IMAP)).is_ok()).count());
    assert_eq!(own, 6);
    // Whom the other process protects is exempt at once, and as long as he is.
    enforcer.allow(&[prefix("10.77.2.0/24")]).unwrap();
    wait_for("room", || net.is_open("10.77.2.2", IMAP));
    assert_eq!(dial(&net, "10.77.2.2", IMAP, 6).len(), 6);
    enforcer.allow(&[]).unwrap();
    wait_for("those that were open are gone", || dial(&net, "10.77.2.2", IMAP, 6).len() == 2);
}

#[test]
fn limits_outlive_the_process_and_go_on_counting() {
    let net = Net::new();
    net.serve();
    let mut enforcer = net.enforcer(&[]);
    set(&mut enforcer, &[open(3, true), rate(5, None, true)], &[]);
    let held = dial(&net, V4, IMAP, 4);
    assert_eq!(held.len(), 3);
    drop(enforcer);
    assert!(net.dial(V4, IMAP).is_none(), "nobody lives, and it holds");
    let mut enforcer = net.enforcer(&[]);
    assert!(net.dial(V4, IMAP).is_none(), "one lives who was told nothing");
    set(&mut enforcer, &[open(3, true), rate(5, None, true)], &[]);
    assert_eq!(counted(&mut enforcer, 0).over_concurrent, 3);
    assert!(net.dial(V4, IMAP).is_none(), "those that were open before still count");
    // One that dies is started again by its client, and told again.
    let pid = rustix::process::Pid::from_raw(enforcer.child_id().unwrap() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    wait_for("it is missed", || enforcer.carry_out(&[]).is_err());
    wait_for("another one is there", || net.on_server(|| enforcer.carry_out(&[])).is_ok());
    assert_eq!(enforcer.counted().unwrap().len(), 2);
    assert!(net.dial(V4, IMAP).is_none());
    // Other ports are another group, which knows nothing of these; another number begins anew; none takes it all away.
    set(&mut enforcer, &[Limit { ports: vec![SMTP], ..open(3, true) }], &[]);
    assert_eq!((counted(&mut enforcer, 0).over_concurrent, dial(&net, V4, SMTP, 5).len()), (0, 3));
    set(&mut enforcer, &[open(9, true)], &[]);
    assert_eq!(dial(&net, V4, IMAP, 2).len(), 2);
    set(&mut enforcer, &[], &[]);
    assert!(!net.nft(&["list", "tables"]).contains("fairban_limits"));
    assert_eq!(dial(&net, V4, IMAP, 10).len(), 10);
}

#[test]
fn what_others_break_is_repaired() {
    let net = Net::new();
    net.serve();
    let mut enforcer = net.enforcer(&[]);
    set(&mut enforcer, &[open(2, true)], &["10.77.2.0/24"]);
    ban(&mut enforcer, "10.77.9.9/32", Doors::Logins);
    let shape = |net: &Net| {
        let listed = net.nft(&["list", "table", "inet", "fairban_limits"]);
        listed.lines().filter(|line| !line.contains("packets") && !line.contains("elements")).count()
    };
    let whole = shape(&net);
    let attacks: [&[&str]; 6] = [
        &["flush", "ruleset"],
        &["delete", "table", "inet", "fairban_limits"],
        &["flush", "table", "inet", "fairban_limits"],
        &["flush", "chain", "inet", "fairban_limits", "g0"],
        &["insert", "rule", "inet", "fairban_limits", "pre", "accept"],
        &["delete", "element", "inet", "fairban_limits", "exempt4", "{ 10.77.2.0/24 }"],
    ];
    for attack in attacks {
        net.nft(attack);
        let mut notes = Vec::new();
        wait_for("it is repaired", || {
            notes.extend(enforcer.notes());
            notes.iter().any(|note| note.contains("(nft)") && note.ends_with("repaired"))
        });
        assert_eq!(shape(&net), whole, "{attack:?}");
        wait_for("the limit holds", || dial(&net, V4, IMAP, 4).len() == 2);
        assert_eq!(dial(&net, "10.77.2.2", IMAP, 4).len(), 4, "{attack:?}");
        assert!(!net.is_open("10.77.9.9", IMAP), "{attack:?}");
    }
    net.on_server(remove_everything).unwrap();
    wait_for("the process heard of it", || enforcer.notes().iter().any(|note| note.contains("by order")));
    assert_eq!(net.nft(&["list", "ruleset"]), "");
    assert_eq!(enforcer.counted(), Ok(Vec::new()));
    assert_eq!(dial(&net, V4, IMAP, 4).len(), 4);
}

#[test]
fn a_full_set_lets_in() {
    let net = Net::new();
    net.serve();
    let mut enforcer = net.enforcer(&["--limit-sources", "2"]);
    set(&mut enforcer, &[open(1, true)], &[]);
    let _held = [dial(&net, V4, IMAP, 1), dial(&net, V4_BESIDE, IMAP, 1)];
    assert_eq!(dial(&net, "10.77.2.2", IMAP, 4).len(), 4, "it came too late to be counted");
    assert!(net.dial(V4, IMAP).is_none(), "those that are counted stay limited");
    assert_eq!(dial(&net, V6, IMAP, 4).len(), 1, "the other family has a set of its own");
}

#[test]
fn ports_that_are_forwarded_to_a_container_are_limited_as_the_client_sees_them() {
    let net = Net::new();
    net.serve();
    let mut enforcer = net.enforcer(&[]);
    let published = 1_143;
    net.nft(&["add", "table", "ip", "containers"]);
    net.nft(&["add", "chain", "ip", "containers", "pre", "{ type nat hook prerouting priority dstnat; }"]);
    net.nft(&["add", "rule", "ip", "containers", "pre", "tcp", "dport", "1143", "redirect", "to", ":143"]);
    set(&mut enforcer, &[Limit { ports: vec![published], ..open(3, true) }], &[]);
    assert_eq!(dial(&net, V4, published, 5).len(), 3);
    assert_eq!(dial(&net, V4, IMAP, 5).len(), 5);
}

#[test]
fn what_cannot_be_meant_is_refused_by_both_sides() {
    use fairban_firewall::protocol::{Part, Reply, Request};
    let net = Net::new();
    let mut enforcer = net.enforcer(&[]);
    let twice = [open(2, true), open(3, true)];
    let refused = |answer: Answer| matches!(answer, Answer::Failed(why) if why.contains("twice"));
    assert!(refused(enforcer.limit(&twice, &[]).unwrap()));
    // The process itself does not rely on the other. On another host: two on one take the table from each other.
    let net = Net::new();
    let (ours, theirs) = socket_pair();
    let mut command = std::process::Command::new(crate::fairban_fw());
    let mut child = net.on_server(|| command.stdin(std::process::Stdio::from(theirs)).spawn().unwrap());
    // It holds the child's end of the socket: with it open the end of the child would never be seen.
    drop(command);
    rustix::net::sockopt::set_socket_timeout(
        &ours,
        rustix::net::sockopt::Timeout::Recv,
        Some(crate::net::LIMIT),
    )
    .unwrap();
    let request = Request::Limits(Part::Whole, twice.to_vec(), Vec::new()).encode(1);
    rustix::net::send(&ours, &request, rustix::net::SendFlags::NOSIGNAL).unwrap();
    let mut buffer = [0; 4_096];
    let (_, len) = rustix::net::recv(&ours, &mut buffer[..], rustix::net::RecvFlags::empty()).unwrap();
    let Ok((1, Reply::Answers(answers))) = Reply::decode(&buffer[..len]) else { panic!("{buffer:?}") };
    assert!(refused(answers[0].clone()));
    drop(ours);
    child.wait().unwrap();
}

fn socket_pair() -> (std::os::fd::OwnedFd, std::os::fd::OwnedFd) {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
}
