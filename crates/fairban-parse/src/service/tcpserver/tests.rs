//! Tests of the grammar, by what can go wrong.

use core::net::IpAddr;

use super::*;

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn read_line(program: &str, body: &str) -> Reading {
    let record = Record { program: program.as_bytes(), pid: None, body: body.as_bytes(), body_at: 0 };
    read(&record, &Secrets::new([0; 16]))
}

#[track_caller]
fn event(body: &str) -> AuthEvent {
    match read_line("tcpserver", body) {
        Reading::Event(event) => event,
        other => panic!("{body}: {other:?}"),
    }
}

#[track_caller]
fn assert_source(body: &str, source: &str, port: u16, protocol: Protocol) {
    let event = event(body);
    assert_eq!(event.source, Some(address(source)), "{body}");
    assert_eq!((event.port, event.protocol), (Some(port), protocol), "{body}");
}

#[test]
fn the_five_forms() {
    let slots = event("status: 200/200");
    assert_eq!(slots.tells, Tells::Slots { in_use: 200, slots: 200 });
    assert_eq!((slots.source, slots.session), (None, Session::None));

    let pid = event("pid 28241 from 24.220.50.36");
    assert_eq!((pid.tells, pid.session), (Tells::Connect, Session::Pid(28241)));
    assert_eq!((pid.source, pid.port), (Some(address("24.220.50.36")), None));

    let ok =
        event("ok 28241 two.strangecode.com:72.3.142.43:110 host-36-50-220-24.midco.net:24.220.50.36::41979");
    assert_eq!((ok.tells, ok.session, ok.port), (Tells::Connect, Session::Pid(28241), Some(41979)));
    assert_eq!((ok.source, ok.protocol), (pid.source, Protocol::Pop3));

    let deny = event("deny 29545 0:10.77.0.1:110 :198.51.100.36::45209");
    assert_eq!((deny.tells, deny.session), (Tells::TurnedAway, Session::Pid(29545)));
    assert_eq!(deny.source, Some(address("198.51.100.36")));

    let end = event("end 28241 status 256");
    assert_eq!(end.tells, Tells::End { failed: None, succeeded: None });
    assert_eq!((end.source, end.session), (None, Session::Pid(28241)));
}

#[test]
fn ipv6_stands_bare_between_colons() {
    assert_source(
        "ok 30391 0:2001:db8:77::1:110 :2001:db8:77::66::43329",
        "2001:db8:77::66",
        43329,
        Protocol::Pop3,
    );
    assert_source("ok 30403 0:::1:110 :::1::36389", "::1", 36389, Protocol::Pop3);
    assert_source("ok 1 0:::1:587 a.example:::1:bob:36389", "::1", 36389, Protocol::Submission);
    assert_source(
        "ok 30405 0:::ffff:10.77.0.1:993 :::ffff:203.0.113.5::34709",
        "203.0.113.5",
        34709,
        Protocol::Imap,
    );
}

#[test]
fn reverse_name_and_ident_answer_are_the_clients() {
    assert_source(
        "ok 26337 mx.example:10.77.0.1:110 8.8.8.8:10.77.0.15:??110:52421",
        "10.77.0.15",
        52421,
        Protocol::Pop3,
    );
    assert_source(
        "ok 26331 mx.example:10.77.0.1:25 evil\\07210\\0560\\0560\\0561.example:10.77.0.12:x?9.9.9.9?1:40369",
        "10.77.0.12",
        40369,
        Protocol::Smtp,
    );
}

#[test]
fn a_form_that_does_not_fit_to_the_last_byte_is_odd() {
    for body in [
        "pid 28241 from 24.220.50.36 ",
        "pid 28241 from 24.220.50.36, 8.8.8.8",
        "pid -1 from 24.220.50.36",
        "pid 99999999999 from 24.220.50.36",
        "ok 4242 0:10.77.0.1:110 :8.8.8.8::",
        "ok 4242 0:10.77.0.1:110 :8.8.8.8::70000",
        "ok 4242 0:10.77.0.1:110 :8.8.8.8::4242@bigcorp.example",
        "ok 4242 0:10.77.0.1:110 :8.8.8.8::4242 x",
        "ok 4242 x:110 :8.8.8.8::4242",
        "deny 4242 0:10.77.0.1:110 8.8.8.8:4242",
        "end 28241 status",
        "end 28241 status 256 ",
    ] {
        assert_eq!(read_line("tcpserver", body), Reading::Odd { login_like: true }, "{body}");
    }
    for body in ["", "status: 1", "status: 1/x", "hello world", "warning: something else"] {
        assert_eq!(read_line("tcpserver", body), Reading::Odd { login_like: false }, "{body}");
    }
}

#[test]
fn what_vchkpw_writes_to_standard_error_is_the_clients_text() {
    for body in [
        "user invalid x",
        "domain invalid dom:8.8.8.8",
        "domain invalid b.example:8.8.8.8 vpopmail[1]: vchkpw-pop3: (plain) login success a@b.example:8.8.4.4",
    ] {
        let Reading::Event(event) = read_line("", body) else { panic!("{body}") };
        assert_eq!((event.tells, event.source), (Tells::Torn, None), "{body}");
    }
    let usage = "vchkpw is only for talking with qmail-popup and qmail-pop3d. It is not for runnning on the command line.";
    assert_eq!(read_line("vchkpw-pop3", usage), Reading::Quiet);
    assert_eq!(read_line("vchkpw-pop3", "password fail bob"), Reading::Odd { login_like: false });
    // The server's words under another name are nobody's.
    assert_eq!(read_line("tcpserve", "pid 1 from 8.8.8.8"), Reading::Odd { login_like: false });
}

#[test]
fn the_servers_trouble_is_told_from_the_clients() {
    for body in
        ["warning: dropping connection, unable to fork: temporary failure", "fatal: unable to bind: x"]
    {
        let event = event(body);
        assert_eq!((event.tells, event.outcome), (Tells::Fault, Outcome::ServerFault), "{body}");
    }
    let handshake = "warning: dropping SSL connection, unable to accept SSL: protocol error";
    assert_eq!(read_line("sslserver", handshake), Reading::Quiet);
    assert_eq!(read_line("sslserver", "ssl 1234 accept "), Reading::Quiet);
    let Reading::Event(event) = read_line("sslserver", "pid 1234 from 192.0.2.1") else { panic!() };
    assert_eq!(event.service, Service::Sslserver);
}
