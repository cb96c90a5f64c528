//! An admin cannot lock himself or his users out by accident: the running service, with a file in the firewall's place.

#![allow(
    clippy::print_stdout,
    clippy::unused_self,
    clippy::unwrap_used,
    reason = "what a test cannot set up fails it, as it should"
)]

#[path = "../kit/mod.rs"]
mod kit;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use fairban_control::{
    ActionDone, Client, ClientError, Mode, Problem, Refusal, Request, Response, Shown, WhyReport,
};

use kit::{Home, LIMIT, Service};

const ROBOT: &str = "198.51.100.7";

/// A home whose log is `auth.log`, and whose bans stand in `banned`.
fn home(admins: &str) -> Home {
    let home = Home::new();
    let dir = home.path("").to_str().unwrap().trim_end_matches('/').to_owned();
    let enforcer = format!("bans.enforcer = \"file\"\nbans.file = \"{dir}/banned\"\n");
    fs::write(home.path("fairban.d/enforcer.toml"), enforcer).unwrap();
    fs::write(home.path("log/auth.log"), "").unwrap();
    home.configure(
        &format!("discover = false\nallow = [\"192.0.2.64/28\"]\nadmins = [{admins}]"),
        "[[input]]\nfile = \"$DIR/log/auth.log\"\n",
    );
    home
}

/// A process of its own for each line, as sshd has for each connection.
static PID: AtomicU32 = AtomicU32::new(4_000);

fn says(home: &Home, text: &str) {
    said_at(home, jiff::Timestamp::now(), text);
}

fn said_at(home: &Home, time: jiff::Timestamp, text: &str) {
    let mut log = OpenOptions::new().append(true).open(home.path("log/auth.log")).unwrap();
    let time = time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ");
    let pid = PID.fetch_add(1, Ordering::Relaxed);
    writeln!(log, "{time} mx sshd[{pid}]: {text}").unwrap();
}

fn done(answer: Result<Response, ClientError>) -> ActionDone {
    match answer {
        Ok(Response::Done(done)) => done,
        other => panic!("not done: {other:?}"),
    }
}

fn refused(answer: Result<Response, ClientError>) -> Refusal {
    match answer {
        Err(ClientError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn ban(client: &mut Client, prefix: &str) -> Result<Response, ClientError> {
    let single = prefix.parse::<std::net::IpAddr>().map(ipnet::IpNet::from);
    let prefix = single.unwrap_or_else(|_| prefix.parse().unwrap());
    client.ask(&Request::Ban { prefix, seconds: Some(3_600), reason: None })
}

fn live(client: &mut Client) -> ActionDone {
    done(client.ask(&Request::Mode { mode: Mode::Live }))
}

fn confirm(client: &mut Client, connected_ms: Option<u64>) -> Result<Response, ClientError> {
    client.ask(&Request::Confirm { connected_ms })
}

fn is_shut(home: &Home, prefix: &str) -> bool {
    fs::read_to_string(home.path("banned")).unwrap_or_default().contains(prefix)
}

fn wait_for(what: &str, mut is_true: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is_true() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

fn following(service: &mut Service, home: &Home) -> Client {
    wait_for("it follows", || home.said().contains("all old lines are read"));
    service.wait_ready()
}

#[test]
fn the_first_time_says_what_it_does_and_lasts_only_when_somebody_comes_in_anew() {
    let home = home("");
    let mut service = home.start(&[]);
    let mut client = following(&mut service, &home);
    done(ban(&mut client, ROBOT));
    assert!(!is_shut(&home, ROBOT), "shadow");
    let told = live(&mut client);
    let words = told.remarks.iter().map(Shown::as_str).collect::<Vec<_>>().join("\n");
    for part in [
        "Shut out at once: 1 prefix",
        "Closed to them: whatever asks",
        "Never shut out:",
        "fairban mode shadow",
    ] {
        assert!(words.contains(part), "{part} is missing: {words}");
    }
    assert!(told.confirm_by.is_some());
    assert!(is_shut(&home, ROBOT));
    assert_eq!(refused(confirm(&mut client, None)).problem, Problem::Refused);
    let old = refused(confirm(&mut client, Some(86_400_000)));
    assert!(old.message.as_str().contains("made before going live"), "{old:?}");
    // So does the program itself, whose first process is older than live mode.
    let socket = home.socket();
    let ran = home.verb(&["confirm", "--socket", socket.to_str().unwrap()]);
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    assert!(done(confirm(&mut client, Some(0))).changed);
    assert_eq!(kit::status(&mut client).confirm_by, None);
    // Confirmed once, it is known that it can be done.
    done(client.ask(&Request::Mode { mode: Mode::Shadow }));
    assert!(!is_shut(&home, ROBOT));
    assert_eq!(live(&mut client).confirm_by, None);
    assert!(is_shut(&home, ROBOT));
}

#[test]
fn unconfirmed_it_turns_back_also_when_the_service_was_killed_meanwhile() {
    let home = home("");
    let within = ["--confirm-within", "3"];
    let mut service = home.start(&within);
    let mut client = following(&mut service, &home);
    done(ban(&mut client, ROBOT));
    let by = live(&mut client).confirm_by;
    assert!(by.is_some() && is_shut(&home, ROBOT));
    service.kill();
    let mut service = home.start(&within);
    let mut client = service.wait_ready();
    let status = kit::status(&mut client);
    assert!(status.mode == Mode::Shadow || status.confirm_by == by, "{status:?}");
    service.wait_until(|status| status.mode == Mode::Shadow);
    wait_for("it is open", || !is_shut(&home, ROBOT));
    assert!(home.said().contains("live was not confirmed in time"), "{}", home.said());
    let refusal = refused(confirm(&mut client, Some(0)));
    assert!(refusal.message.as_str().contains("nothing to confirm"), "{refusal:?}");
}

/// What the machine itself calls its gateways, if it has any.
fn gateway() -> Option<String> {
    let routes = fs::read_to_string("/proc/self/net/route").unwrap_or_default();
    let hex = |line: &str| u32::from_str_radix(line.split_whitespace().nth(2)?, 16).ok();
    let found = routes.lines().skip(1).filter_map(hex).find(|bits| *bits != 0);
    found.map(|bits| std::net::IpAddr::from(bits.to_ne_bytes()).to_string())
}

#[test]
fn a_ban_of_an_allowed_own_gateway_or_resolver_address_is_refused() {
    let home = home("");
    let mut service = home.start(&[]);
    let mut client = following(&mut service, &home);
    let allowed = refused(ban(&mut client, "192.0.2.70"));
    assert!(allowed.message.as_str().contains("is on the allowlist"), "{allowed:?}");
    for wider in ["192.0.2.0/24", "127.0.0.1", "::1"] {
        refused(ban(&mut client, wider));
    }
    let Some(gateway) = gateway() else {
        println!("this machine has no gateway: that part is left out");
        return;
    };
    let refusal = refused(ban(&mut client, &gateway));
    assert!(refusal.message.as_str().contains("a gateway of this machine"), "{refusal:?}");
    let own = std::net::UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        // Nothing is sent: the kernel says from which address it would be.
        socket.connect((gateway.as_str(), 9))?;
        socket.local_addr()
    });
    let refusal = refused(ban(&mut client, &own.unwrap().ip().to_string()));
    assert!(refusal.message.as_str().contains("an address of this machine"), "{refusal:?}");
    assert_eq!(kit::status(&mut client).bans.in_force, 0);
}

#[test]
fn an_admin_who_is_logged_in_is_not_cut_off_until_he_leaves() {
    let home = home("\"alice\"");
    let mut service = home.start(&[]);
    let mut client = following(&mut service, &home);
    live(&mut client);
    done(confirm(&mut client, Some(0)));
    says(&home, &format!("Accepted publickey for alice from {ROBOT} port 50022 ssh2: ED25519 SHA256:x"));
    service.wait_until(|status| status.services.iter().any(|row| row.events > 0));
    let told = done(ban(&mut client, "198.51.100.0/24"));
    let words = told.remarks.iter().map(Shown::as_str).collect::<Vec<_>>().join("\n");
    assert!(words.contains("an administrator is logged in over SSH from 198.51.100.7 port 50022"), "{words}");
    assert!(!is_shut(&home, "198.51.100.0/24"));
    done(ban(&mut client, "203.0.113.9"));
    assert!(is_shut(&home, "203.0.113.9"), "nobody else is spared");
    let why = |client: &mut Client| -> String {
        let about = fairban_control::About::Prefix(format!("{ROBOT}/32").parse().unwrap());
        match client.ask(&Request::Why { about, at: None }) {
            Ok(Response::Why(WhyReport::Source(why))) => {
                let note = why.ban.as_ref().map(|ban| (ban.enforced, ban.note.clone()));
                format!("{:?} {note:?}", why.remarks)
            }
            other => panic!("{other:?}"),
        }
    };
    wait_for("it is on record", || {
        why(&mut client).contains("Protected because an administrator is logged in")
    });
    assert!(why(&mut client).contains("(false, Some"), "{}", why(&mut client));
    // Across a restart, too.
    service.kill();
    let mut service = home.start(&[]);
    let mut client = service.wait_ready();
    wait_for("it knows", || why(&mut client).contains("Protected because an administrator (alice)"));
    wait_for("the others are shut out", || is_shut(&home, "203.0.113.9"));
    assert!(!is_shut(&home, "198.51.100.0/24"));
    says(&home, &format!("Disconnected from user alice {ROBOT} port 50022"));
    wait_for("he is gone", || is_shut(&home, "198.51.100.0/24"));
    wait_for("it is enforced", || why(&mut client).contains("(true, None)"));
}

#[test]
fn bans_of_sources_at_which_people_log_in_stop_at_the_third_and_strangers_do_not() {
    let home = home("");
    let client_of = |n: u32| format!("203.0.113.{}", 10 + n);
    let before = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(3);
    for n in 0..5 {
        let accepted = format!("Accepted password for user{n} from {} port 50000 ssh2", client_of(n));
        said_at(&home, before, &accepted);
    }
    let mut service = home.start(&[]);
    let mut client = following(&mut service, &home);
    let scan = |source: &str| {
        // No near misses of one another, and none of anybody's.
        let names = "oracle postgres ubuntu jenkins minecraft hadoop nagios ftpuser ansible gitlab tomcat zabbix elastic vagrant \
                     kafka wordpress teamspeak sonarqube mysqladmin deployer webmaster helpdesk printer scanner";
        for name in names.split_whitespace() {
            says(&home, &format!("Failed password for invalid user {name} from {source} port 40000 ssh2"));
        }
    };
    for n in 0..5 {
        scan(&client_of(n));
    }
    scan(ROBOT);
    let breaker = |status: &fairban_control::StatusReport| {
        status
            .alarms
            .iter()
            .any(|alarm| alarm.name.as_str() == "breaker" && alarm.text.as_str().contains("(3 so far)"))
    };
    service.wait_until(|status| breaker(status) && status.bans.in_force == 3);
    let why = |source: &str| {
        let socket = home.socket();
        let ran = home.verb(&["why", source, "--socket", socket.to_str().unwrap()]);
        String::from_utf8(ran.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(why(&client_of(4)).contains("Protected because the breaker is open"), "{}", why(&client_of(4)));
    assert!(!why(ROBOT).contains("Protected"), "{}", why(ROBOT));
    drop(client);
    service.kill();
    let mut service = home.start(&[]);
    service.wait_until(breaker);
    client = service.wait_ready();
    let resumed = done(client.ask(&Request::Resume));
    assert_eq!((resumed.changed, resumed.affected), (true, 3));
    assert!(!done(client.ask(&Request::Resume)).changed);
    service.wait_until(|status| !status.alarms.iter().any(|alarm| alarm.name.as_str() == "breaker"));
    // Who goes on is banned now.
    says(&home, &format!("Failed password for invalid user backupper from {} port 40000 ssh2", client_of(4)));
    service.wait_until(|status| status.bans.in_force == 4);
}
