use super::*;

fn journal(matches: &[&str]) -> Config {
    let matches = vec![matches.iter().map(|text| (*text).to_owned()).collect()];
    Config { journal: Some(Journal { matches, ..Journal::default() }), ..Config::default() }
}

fn listener(address: &str, from: &[&str]) -> Listener {
    let from = from.iter().map(|prefix| prefix.parse().unwrap()).collect();
    Listener { transport: Transport::Udp, address: address.parse().unwrap(), from }
}

#[test]
fn what_fairban_asks_for_itself_is_taken() {
    let config = Config {
        journal: Some(Journal::of_services()),
        syslog: Some(Syslog {
            listeners: vec![
                listener("127.0.0.1:5514", &[]),
                listener("[::1]:0", &[]),
                Listener { transport: Transport::Tcp, ..listener("[::ffff:127.0.0.1]:5514", &[]) },
            ],
        }),
        resolve: Some(Resolve { names: vec!["mail.example.org".to_owned()], every_seconds: 0 }),
    };
    assert_eq!(config.check(), Ok(()));
    assert!(!config.is_idle());
    assert!(Config::default().is_idle());
}

#[test]
fn no_option_and_no_file_of_journalctl_passes_as_a_match() {
    for bad in [
        "--file=/etc/shadow",
        "-D/var",
        "/usr/bin/sshd",
        "+",
        "sshd",
        "",
        "=x",
        "_uid=0",
        "_UID=0\n",
        &format!("A={}", "x".repeat(Journal::MATCH_BYTES_MAX)),
    ] {
        assert_eq!(journal(&[bad]).check(), Err(ConfigError::Match(bad.to_owned())), "{bad:?}");
    }
    assert_eq!(journal(&["_SYSTEMD_UNIT=ssh@1-192.0.2.1:22.service", "X="]).check(), Ok(()));
    assert_eq!(journal(&["A=b"; Journal::MATCHES_MAX + 1]).check(), Err(ConfigError::Matches));
    let groups = Journal { matches: vec![Vec::new(); Journal::MATCHES_MAX + 1], ..Journal::default() };
    let config = Config { journal: Some(groups), ..Config::default() };
    assert_eq!(config.check(), Err(ConfigError::Matches));
}

#[test]
fn cursors_have_systemds_form() {
    let good = "s=253cc742a0ea462ca67b484536e969ec;i=158;b=c8cc4da1a2ba47e9a96934370cda7e2d;m=302662211;\
                t=660f9dffc941e;x=c068fa112a5bc25b";
    assert!(is_cursor(good));
    for bad in ["", "garbage", "s=1;", "s=1;--file=x", "s=g", "s=1 i=2", &"s=1;".repeat(100), "st=1"] {
        assert!(!is_cursor(bad), "{bad:?}");
    }
}

#[test]
fn strangers_reach_syslog_only_if_they_are_named() {
    for open in ["0.0.0.0:514", "[::]:514", "192.0.2.1:514", "[::ffff:192.0.2.1]:514"] {
        let config =
            |listener| Config { syslog: Some(Syslog { listeners: vec![listener] }), ..Config::default() };
        assert_eq!(config(listener(open, &[])).check(), Err(ConfigError::Open(open.parse().unwrap())));
        assert_eq!(config(listener(open, &["192.0.2.0/24"])).check(), Ok(()));
        let many = Listener { from: vec!["192.0.2.0/24".parse().unwrap(); 65], ..listener(open, &[]) };
        assert_eq!(config(many).check(), Err(ConfigError::Senders));
    }
}

#[test]
fn lines_are_taken_from_whom_the_listener_names_and_nobody_else() {
    let takes = |listener: &Listener, sender: &str| listener.takes(sender.parse().unwrap());
    let own = listener("127.0.0.1:514", &[]);
    assert!(takes(&own, "127.0.0.1") && takes(&own, "::1") && takes(&own, "::ffff:127.0.0.1"));
    assert!(!takes(&own, "192.0.2.1"));
    let named = listener("[::]:514", &["192.0.2.0/28", "2001:db8:7::/48"]);
    assert!(
        takes(&named, "192.0.2.15") && takes(&named, "::ffff:192.0.2.15") && takes(&named, "2001:db8:7::1")
    );
    assert!(!takes(&named, "192.0.2.16") && !takes(&named, "2001:db8:8::1") && !takes(&named, "127.0.0.1"));
}

#[test]
fn names_are_host_names() {
    for good in [
        "localhost",
        "mail.example.org",
        "mail.example.org.",
        "_dmarc.x",
        "192.0.2.1",
        "xn--bcher-kva.example",
    ] {
        assert!(is_host_name(good), "{good}");
    }
    for bad in ["", ".", "a..b", "-x", "a b", "a/b", "a:25", "ü", &"a".repeat(64), &"a.".repeat(127)] {
        assert!(!is_host_name(bad), "{bad:?}");
    }
}

#[test]
fn look_ups_are_neither_too_often_nor_too_rare() {
    let every = |every_seconds| Resolve { every_seconds, ..Resolve::default() }.every();
    assert_eq!([every(0), every(1), every(600), every(u32::MAX)], [300, 30, 600, 86_400]);
}
