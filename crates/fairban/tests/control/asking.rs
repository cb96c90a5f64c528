//! What each command line asks, and `--json`.

use std::io::{BufRead as _, BufReader};

use fairban_control::{
    About, ActionDone, BansPage, LimitChange, Mode, Request, Response, Shown, TailEvent, TailKind, Whom,
};

use crate::support::{Service, command, example, examples};

fn done(request: &Request) -> Response {
    Response::Done(ActionDone { action: Shown::of(request.name()), changed: true, ..ActionDone::default() })
}

#[test]
fn orders_are_asked_as_they_are_typed() {
    let service = Service::answering(done);
    let asks = |args: &[&str], expected: Request| {
        let ran = service.run(args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
        ran.keeps_form();
        assert_eq!(service.question(), expected, "{args:?}");
    };
    let prefix = |text: &str| text.parse().unwrap();
    let (one, many) = (prefix("203.0.113.7/32"), prefix("2001:db8:7::/48"));
    asks(&["ban", "203.0.113.7"], Request::Ban { prefix: one, seconds: Some(3_600), reason: None });
    asks(
        &["ban", "2001:db8:7::/48", "--for", "7d", "--reason", "caf\u{e9} \\"],
        Request::Ban {
            prefix: many,
            seconds: Some(604_800),
            reason: Some(Shown::spelt("caf\\xc3\\xa9 \\\\")),
        },
    );
    asks(
        &["ban", "203.0.113.7", "--for", "forever"],
        Request::Ban { prefix: one, seconds: None, reason: None },
    );
    asks(&["unban", "203.0.113.7"], Request::Unban { whom: Whom::Prefix(one), forgive: false });
    asks(&["unban", "--all"], Request::Unban { whom: Whom::All, forgive: false });
    let account = Shown::of("dan@d.example");
    asks(
        &["unban", "--account", "dan@d.example", "--forgive"],
        Request::Unban { whom: Whom::Account(account), forgive: true },
    );
    asks(&["allow", "2001:db8:7::/48"], Request::Allow { prefix: many, note: None });
    asks(
        &["allow", "203.0.113.7", "--note", "the office"],
        Request::Allow { prefix: one, note: Some(Shown::of("the office")) },
    );
    asks(&["allow", "remove", "203.0.113.7"], Request::AllowRemove { prefix: one });
    asks(&["mode", "live"], Request::Mode { mode: Mode::Live });
    asks(&["mode", "shadow"], Request::Mode { mode: Mode::Shadow });
    asks(&["resume"], Request::Resume);
    let name = Shown::of("pop3");
    let change = LimitChange {
        ports: Some(vec![110, 995]),
        concurrent: Some(40),
        new: Some(60),
        per: Some(60),
        hold: Some(300),
        enforce: Some(true),
        ..LimitChange::default()
    };
    let set = ["limits", "set", "pop3", "--ports", "110,995", "--concurrent", "40", "--new", "60/1m"];
    asks(
        &[&set[..], &["--hold", "5m", "--enforce"]].concat(),
        Request::LimitSet { name: name.clone(), change },
    );
    let change = LimitChange { new: Some(0), enforce: Some(false), ..LimitChange::default() };
    asks(
        &["limits", "set", "pop3", "--new", "0", "--count"],
        Request::LimitSet { name: name.clone(), change },
    );
    asks(&["limits", "off"], Request::LimitOff { name: None });
    asks(&["limits", "off", "pop3"], Request::LimitOff { name: Some(name.clone()) });
    asks(&["limits", "reset", "pop3"], Request::LimitReset { name: Some(name) });
    asks(&["reload"], Request::Reload);
}

#[test]
fn a_confirmation_says_how_old_the_connection_is() {
    let service = Service::answering(done);
    service.run(&["confirm"]);
    // This process was started by something that was there before it.
    let Request::Confirm { connected_ms: Some(_) } = service.question() else { panic!("it is known here") };
}

#[test]
fn questions_about_the_past_carry_their_time() {
    let service = Service::answering(|_| Response::NothingKnown { about: Shown::of("x") });
    service.run(&["why", "dan@d.example", "--at", "2026-01-21 09:50"]);
    let at = Some("2026-01-21T09:50:00Z".parse().unwrap());
    assert_eq!(service.question(), Request::Why { about: About::Account(Shown::of("dan@d.example")), at });
    service.run(&["why", "203.0.113.0/24"]);
    let about = About::Prefix("203.0.113.0/24".parse().unwrap());
    assert_eq!(service.question(), Request::Why { about, at: None });
}

#[test]
fn json_is_the_answer_as_the_protocol_has_it() {
    for answer in examples() {
        let args: &[&str] = match &answer {
            Response::Status(_) => &["status"],
            Response::Why(_) => &["why", "203.0.113.36"],
            Response::AllowList(_) => &["allow", "list"],
            Response::Done(_) => &["reload"],
            Response::Report(_) => &["report"],
            Response::Limits(_) => &["limits", "show"],
            _ => continue,
        };
        let line = String::from_utf8(answer.to_line()).unwrap();
        let service = Service::answering(move |_| answer.clone());
        let ran = service.run(&[args, &["--json"]].concat());
        assert_eq!((ran.code, ran.out), (0, line), "{}", ran.err);
    }
}

/// The example of a page, and one row behind it.
fn two_pages(request: &Request) -> Response {
    let Response::Bans(page) = example(|response| matches!(response, Response::Bans(_))) else {
        unreachable!()
    };
    match request {
        Request::Bans { after: None, .. } => Response::Bans(page),
        Request::Bans { after, .. } if *after == page.next => {
            let mut row = page.rows[0].clone();
            row.prefix = "2001:db8:8::/64".parse().unwrap();
            row.weak = true;
            row.enforced = false;
            Response::Bans(BansPage { rows: vec![row], next: None, total: 3, ..page })
        }
        _ => panic!("{request:?}"),
    }
}

#[test]
fn bans_are_told_to_the_last_page() {
    let service = Service::answering(two_pages);
    let ran = service.run(&["bans", "--plain"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "203.0.113.36\n2001:db8:7::/48\n2001:db8:8::/64\n"));
    let ran = service.run(&["bans", "--json"]);
    let rows: Vec<serde_json::Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(rows.len() == 3 && rows.iter().all(|row| row["v"] == 1), "{}", ran.out);
    assert_eq!(rows[2]["prefix"], "2001:db8:8::/64");
    let ran = service.run(&["bans"]);
    assert!(ran.out.contains("2001:db8:8::/64") && ran.out.contains("firewall does not have it"));
    ran.keeps_form();
    // A service that never ends is found out.
    let circle = Service::answering(|_| example(|response| matches!(response, Response::Bans(_))));
    circle.run(&["bans", "--plain"]).fails(70, &["again and again"]);
}

#[test]
fn decisions_are_told_as_they_are_made() {
    let mut service = Service::answering(done);
    let socket = format!("--socket={}", service.socket.display());
    let mut people = command(&["tail", &socket]).spawn().unwrap();
    let mut programs = command(&["tail", "--json", "--only", "hit,alarm", &socket]).spawn().unwrap();
    let mut told = BufReader::new(people.stdout.take().unwrap()).lines();
    let mut written = BufReader::new(programs.stdout.take().unwrap()).lines();
    let events: Vec<TailEvent> = examples()
        .into_iter()
        .filter_map(|response| match response {
            Response::Event(event) => Some(event),
            _ => None,
        })
        .collect();
    // Published again and again until both have connected and heard.
    let publisher = service.publisher.clone();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let again = events.clone();
    let publishing = std::thread::spawn(move || {
        // Not so fast that what waits for them fills up: then the farewell has no room.
        let pace = std::time::Duration::from_millis(1);
        while stopped.recv_timeout(pace) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            for event in &again {
                publisher.publish(event);
            }
        }
    });
    let hit: serde_json::Value = serde_json::from_str(&written.next().unwrap().unwrap()).unwrap();
    assert_eq!((hit["kind"].as_str(), hit["id"].as_u64()), (Some(TailKind::Hit.name()), Some(19)));
    let mut lines = (0..8).map(|_| told.next().unwrap().unwrap());
    let first = lines.find(|line| line.contains("ban 17")).unwrap();
    assert_eq!(first, "Jan 21 09:51:25  ban 17  203.0.113.36");
    let second = "    username-scan, 14.9 nats, for 1 h after 5 attempts at 5 accounts (recorded,";
    assert_eq!(lines.next().unwrap(), second);
    stop.send(()).unwrap();
    publishing.join().unwrap();
    service.stop();
    // Nobody reads these any more, so they must be read to their end.
    std::thread::spawn(move || told.for_each(drop));
    std::thread::spawn(move || written.for_each(drop));
    for child in [people, programs] {
        let ran = crate::support::Ran::from(child.wait_with_output().unwrap());
        ran.fails(69, &["fairban is stopping"]);
    }
}
