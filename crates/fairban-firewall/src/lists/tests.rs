use std::process::{Command, Stdio};

use super::*;
use crate::enforcer::Doors;

fn shut(text: &str, seconds: Option<u32>) -> Shut {
    Shut { prefix: text.parse().unwrap(), seconds, doors: Doors::Logins }
}

fn ban(text: &str) -> Order {
    Order::Ban(shut(text, Some(600)))
}

fn command(program: &str, arguments: &[&str], input: &[u8]) -> String {
    let mut command = Command::new(program);
    let mut child = command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {told}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_file_holds_who_is_shut_out_and_lets_go_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("banned");
    let protected = vec!["192.0.2.1/32".parse().unwrap()];
    let mut enforcer = ListEnforcer::new(path.clone(), Format::Plain, protected);
    let orders = [
        ban("198.51.100.7/32"),
        ban("192.0.2.0/24"),
        Order::Ban(shut("2001:db8::/64", Some(1))),
        Order::Ban(shut("203.0.113.0/24", None)),
    ];
    let answers = [Answer::Done, Answer::Protected, Answer::Done, Answer::Done];
    assert_eq!(enforcer.carry_out(&orders), Ok(answers.to_vec()));
    assert_eq!(fs::read_to_string(&path).unwrap(), "198.51.100.7/32\n203.0.113.0/24\n2001:db8::/64\n");
    let end = Instant::now() + Duration::from_secs(10);
    while fs::read_to_string(&path).unwrap().contains("2001") {
        assert!(Instant::now() < end, "nobody let go");
        thread::park_timeout(Duration::from_millis(20));
    }
    enforcer.carry_out(&[Order::Unban("203.0.113.0/24".parse().unwrap())]).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "198.51.100.7/32\n");
    enforcer.carry_out(&[Order::Sync(vec![shut("192.0.2.9/32", None)])]).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "192.0.2.9/32\n");
}

#[test]
fn a_file_that_cannot_be_written_is_said_and_made_good_later() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("later/banned");
    let mut enforcer = ListEnforcer::new(path.clone(), Format::Plain, Vec::new());
    let error = enforcer.carry_out(&[ban("198.51.100.7/32")]).unwrap_err();
    assert!(error.0.contains("later/banned"), "{error}");
    assert!(!enforcer.status().ready);
    fs::create_dir(dir.path().join("later")).unwrap();
    assert_eq!(enforcer.carry_out(&[]), Ok(Vec::new()));
    assert_eq!(fs::read_to_string(&path).unwrap(), "198.51.100.7/32\n");
}

#[test]
fn a_file_has_a_bound() {
    let dir = tempfile::tempdir().unwrap();
    let mut enforcer = ListEnforcer::new(dir.path().join("banned"), Format::Plain, Vec::new());
    let many = vec![shut("198.51.100.7/32", None); LISTED_MAX + 1];
    let answers = enforcer.carry_out(&[Order::Sync(many)]).unwrap();
    assert!(matches!(&answers[..], [Answer::Failed(_)]));
}

#[test]
fn nft_takes_the_include_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("banned.nft");
    let mut enforcer =
        ListEnforcer::new(path.clone(), Format::NftInclude("inet filter".to_owned()), Vec::new());
    let nested = ["10.0.0.0/8", "10.1.0.0/16", "192.0.2.7/32", "192.0.2.6/32", "2001:db8::/64"];
    enforcer.carry_out(&nested.map(ban)).unwrap();
    let table = "add table inet filter\n\
                 add set inet filter fairban4 { type ipv4_addr; flags interval; }\n\
                 add set inet filter fairban6 { type ipv6_addr; flags interval; }\n";
    // In a namespace that ends with the program; twice, as a reload would.
    let load = |text: &[&str]| command("unshare", &["--net", "nft", "-f", "-"], text.concat().as_bytes());
    let include = format!("include \"{}\"\n", path.display());
    load(&[table, &include, &include]);
    enforcer.carry_out(&[Order::Sync(Vec::new())]).unwrap();
    load(&[table, &include]);
}

#[test]
fn tcp_wrappers_deny_whom_the_block_names() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hosts.deny");
    fs::write(dir.path().join("hosts.allow"), "").unwrap();
    fs::write(&path, "# mine\nvsftpd: 203.0.113.5").unwrap();
    let mut enforcer =
        ListEnforcer::new(path.clone(), Format::HostsDeny("sshd, imapd".to_owned()), Vec::new());
    enforcer.carry_out(&["198.51.100.7/32", "192.0.2.64/26", "2001:db8:1::/48"].map(ban)).unwrap();
    let check = |daemon: &str, address: &str, expected: bool| {
        let output = Command::new("tcpdmatch").args(["-d", daemon, address]).current_dir(dir.path()).output();
        let output = output.unwrap_or_else(|error| panic!("tcpdmatch: {error}"));
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(told.contains("denied"), expected, "{daemon} {address}: {told}");
    };
    check("sshd", "198.51.100.7", true);
    check("imapd", "192.0.2.100", true);
    check("imapd", "192.0.2.7", false);
    check("sshd", "198.51.100.8", false);
    check("vsftpd", "203.0.113.5", true);
    check("vsftpd", "198.51.100.7", false);
    let before = fs::read_to_string(&path).unwrap();
    enforcer.carry_out(&["198.51.100.7/32", "192.0.2.64/26", "2001:db8:1::/48"].map(ban)).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
    enforcer.carry_out(&[Order::Sync(Vec::new())]).unwrap();
    check("sshd", "198.51.100.7", false);
    assert!(fs::read_to_string(&path).unwrap().starts_with("# mine\nvsftpd: 203.0.113.5\n"));
}

#[test]
fn half_a_block_and_daemons_that_are_none_are_refused() {
    assert!(hosts_deny::render(b"# fairban ends\n", "sshd", &[]).is_err());
    assert!(hosts_deny::render(b"", "sshd: ALL\nx", &[]).is_err());
    assert!(hosts_deny::render(b"", "", &[]).is_err());
}

/// Rules as admins write them.
const RULES: &str = "# ours\n127.:allow,RELAYCLIENT=\"\"\n192.0.2.9:allow,A=/x/,B=\"y,z\"\n10.0.0.37-53:deny\n\
                     10.1-3.:deny\nsaid nothing\n=host.example:allow\njoe@10.9.9.9:deny\n:allow\n";

#[test]
fn the_data_base_is_tcprules_own_to_the_byte() {
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("rules");
    let ours = dir.path().join("ours.cdb");
    let theirs = dir.path().join("theirs.cdb");
    fs::write(&rules, RULES).unwrap();
    let mut enforcer = ListEnforcer::new(ours.clone(), Format::Tcprules(rules), Vec::new());
    let v6 = enforcer.carry_out(&[ban("2001:db8::/64")]).unwrap();
    assert!(matches!(&v6[..], [Answer::Failed(_)]));
    let bans = [
        "198.51.100.7/32",
        "203.0.113.0/24",
        "172.16.0.0/12",
        "198.51.100.64/27",
        "11.0.0.0/8",
        "64.0.0.0/6",
    ];
    enforcer.carry_out(&bans.map(ban)).unwrap();
    let ranges =
        "11.:deny\n64-67.:deny\n172.16-31.:deny\n198.51.100.7:deny\n198.51.100.64-95:deny\n203.0.113.:deny\n";
    let new = dir.path().join("new");
    let text = format!("{RULES}{ranges}");
    command("tcprules", &[theirs.to_str().unwrap(), new.to_str().unwrap()], text.as_bytes());
    let check = |address: &str, expected: &str| {
        let output = Command::new("tcprulescheck").arg(&ours).env("TCPREMOTEIP", address).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(told.contains(expected), "{address}: {told}");
    };
    check("198.51.100.7", "deny");
    check("198.51.100.8", "allow");
    check("172.20.1.1", "deny");
    check("67.1.1.1", "deny");
    check("10.2.1.1", "deny");
    check("127.0.0.1", "RELAYCLIENT");
    assert_eq!(fs::read(&ours).unwrap(), fs::read(&theirs).unwrap());
}

#[test]
fn rules_that_are_none_leave_the_old_data_base() {
    for (bad, line) in [("1.2.3.4:perhaps\n", 1), ("#\n1.2.3.4:allow,X\n", 2), ("1.2.3.4:deny,X=\"y\n", 1)] {
        let told = tcprules::render(bad.as_bytes(), &[]).unwrap_err();
        assert!(told.contains(&format!("line {line}")), "{bad}: {told}");
    }
}
