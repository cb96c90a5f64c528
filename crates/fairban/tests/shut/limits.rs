//! What one source may do at a time, as the configuration and the operator say it.

use fairban_control::{LimitRow, LimitsReport, Mode, Request, Response};

use crate::host::Host;
use crate::net::{IMAP, OTHER, wait_for};

const ONE: &str = "10.77.1.2";
const OTHER_ONE: &str = "10.77.1.3";

fn limits(host: &Host) -> LimitsReport {
    match host.client().ask(&Request::Limits) {
        Ok(Response::Limits(report)) => report,
        other => panic!("{other:?}"),
    }
}

fn row(host: &Host, name: &str) -> LimitRow {
    limits(host).rows.into_iter().find(|row| row.name.as_str() == name).unwrap()
}

/// Tries so often at once; how many were let in.
fn let_in(host: &Host, from: &str, port: u16, times: usize) -> usize {
    let open: Vec<_> = (0..times).filter_map(|_| host.net.dial(from, port)).collect();
    open.len()
}

fn run(host: &Host, args: &[&str]) -> String {
    let ran = host.verb(args);
    let (out, err) = (String::from_utf8(ran.stdout).unwrap(), String::from_utf8(ran.stderr).unwrap());
    assert!(ran.status.success(), "{args:?}: {out}{err}");
    out
}

#[test]
fn who_is_over_a_limit_is_refused_and_nobody_else() {
    let limit = "[limits.imap]\nports = [143]\nconcurrent = 3\nenforce = true";
    let host = Host::new(limit);
    let service = host.start();
    wait_for("it refuses", || row(&host, "imap").does.as_str() == "refuses");
    assert_eq!((let_in(&host, ONE, IMAP, 5), let_in(&host, ONE, OTHER, 5)), (3, 5));
    assert_eq!(let_in(&host, OTHER_ONE, IMAP, 3), 3);
    // For a program and for a person.
    let told = row(&host, "imap");
    assert_eq!((told.over_concurrent, told.over_new, told.sources_more), (2, 0, 0));
    assert_eq!((told.sources.len(), told.sources[0].times), (1, 2));
    assert_eq!(told.sources[0].prefix.to_string(), "10.77.1.2/32");
    let out = run(&host, &["limits", "show"]);
    assert!(out.contains("refuses") && out.contains("10.77.1.2 (2)"), "{out}");
    assert!(
        host.client()
            .ask(&Request::Bans { within: None, after: None, most: 9 })
            .is_ok_and(|answer| matches!(answer, Response::Bans(page) if page.total == 0))
    );
    // Whoever is allowed is exempt at once.
    host.order(&Request::Allow { prefix: "10.77.1.2/32".parse().unwrap(), note: None });
    wait_for("he is exempt", || let_in(&host, ONE, IMAP, 5) == 5);
    host.order(&Request::AllowRemove { prefix: "10.77.1.2/32".parse().unwrap() });
    wait_for("he is like everybody else", || let_in(&host, ONE, IMAP, 5) == 3);
    run(&host, &["limits", "off"]);
    assert_eq!(let_in(&host, ONE, IMAP, 5), 5, "it is open when the verb returns");
    assert_eq!(row(&host, "imap").does.as_str(), "off");
    // What was said is kept over a restart, until it is taken back.
    service.stop();
    let service = host.start();
    assert_eq!(let_in(&host, ONE, IMAP, 5), 5);
    run(&host, &["limits", "reset", "imap"]);
    wait_for("it refuses", || let_in(&host, ONE, IMAP, 5) == 3);
    service.stop();
}

#[test]
fn limits_count_before_they_refuse_and_shadow_mode_refuses_nothing() {
    let host = Host::new("");
    let service = host.start();
    run(&host, &["limits", "set", "mail", "--ports", "143,25", "--new", "2/1h"]);
    assert_eq!(let_in(&host, ONE, IMAP, 5), 5);
    let told = row(&host, "mail");
    assert_eq!((told.does.as_str(), told.over_new, told.burst), ("counts", 3, Some(2)));
    run(&host, &["limits", "set", "mail", "--enforce"]);
    assert_eq!(
        (let_in(&host, ONE, IMAP, 5), row(&host, "mail").does.as_str().to_owned()),
        (0, "refuses".to_owned())
    );
    assert_eq!(let_in(&host, OTHER_ONE, IMAP, 5), 2);
    // Whoever counts in the kernel is started again, and told again.
    let first = crate::life::fw_of(service.pid()).unwrap();
    crate::life::kill(first);
    wait_for("another one is there", || crate::life::fw_of(service.pid()).is_some_and(|now| now != first));
    wait_for("it counts", || row(&host, "mail").over_new > 0);
    assert_eq!(let_in(&host, OTHER_ONE, IMAP, 5), 0);
    host.mode(Mode::Shadow);
    wait_for("nobody is refused", || let_in(&host, ONE, IMAP, 2) == 2);
    let report = limits(&host);
    assert_eq!(report.rows[0].does.as_str(), "counts");
    assert!(report.remarks[0].as_str().contains("shadow"), "{report:?}");
    // A limit that limits nothing is refused, with what would be one.
    let ran = host.verb(&["limits", "set", "x", "--ports", "22"]);
    let err = String::from_utf8(ran.stderr).unwrap();
    assert!(ran.status.code() == Some(1) && err.contains("fairban limits set pop3"), "{err}");
    service.stop();
}

#[test]
fn a_reload_takes_limits_and_refuses_wrong_ones() {
    let host = Host::new("");
    let service = host.start();
    let written = std::fs::read_to_string(host.home.path("fairban.toml")).unwrap();
    let write =
        |more: &str| std::fs::write(host.home.path("fairban.toml"), format!("{written}\n{more}")).unwrap();
    write("[limits.imap]\nports = [143]\nconcurrent = 2\nenforce = true\n");
    host.order(&Request::Reload);
    wait_for("it holds", || let_in(&host, ONE, IMAP, 4) == 2);
    write("[limits.imap]\nports = [143]\nburst = 2\n");
    let why = host.refused(&Request::Reload);
    assert!(why.contains("there is no limit of new connections"), "{why}");
    // Those that were open before are closed when the kernel has seen it.
    wait_for("the old configuration stays", || let_in(&host, ONE, IMAP, 4) == 2);
    write("");
    host.order(&Request::Reload);
    wait_for("there is none", || let_in(&host, ONE, IMAP, 4) == 4);
    assert!(limits(&host).rows.is_empty());
    service.stop();
}
