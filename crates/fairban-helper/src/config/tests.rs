use super::*;

fn journal(matches: &[&str]) -> Config {
    let matches = vec![matches.iter().map(|text| (*text).to_owned()).collect()];
    Config { journal: Some(Journal { matches, ..Journal::default() }), ..Config::default() }
}

#[test]
fn what_fairban_asks_for_itself_is_taken() {
    let config = Config {
        journal: Some(Journal::of_services()),
        syslog: Some(Syslog {
            udp: vec!["127.0.0.1:5514".parse().unwrap(), "[::1]:0".parse().unwrap()],
            tcp: vec!["[::ffff:127.0.0.1]:5514".parse().unwrap()],
            from_anywhere: false,
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
fn strangers_reach_syslog_only_if_asked_for() {
    for open in ["0.0.0.0:514", "[::]:514", "192.0.2.1:514", "[::ffff:192.0.2.1]:514"] {
        let address: SocketAddr = open.parse().unwrap();
        let mut syslog = Syslog { udp: vec![address], ..Syslog::default() };
        let config = |syslog: &Syslog| Config { syslog: Some(syslog.clone()), ..Config::default() };
        assert_eq!(config(&syslog).check(), Err(ConfigError::Open(address)));
        syslog.from_anywhere = true;
        assert_eq!(config(&syslog).check(), Ok(()));
    }
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
