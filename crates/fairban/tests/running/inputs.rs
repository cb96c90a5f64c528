//! What stands in `fairban status` of inputs that the helper reads.

use std::net::UdpSocket;

use fairban_control::{InputKind, InputState};

use crate::kit::Home;
use crate::support::{line, said};
use crate::verb;

/// A port of this machine that nobody has.
fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port()
}

#[test]
fn network_syslog_is_an_input_with_its_senders() {
    let home = Home::new();
    let port = free_port();
    let listen = format!("[[input]]\nsyslog = \"udp:127.0.0.1:{port}\"\nfrom = [\"127.0.0.2\"]\n");
    home.configure("", &listen.replace("127.0.0.2\"", "127.0.0.2/32\""));
    let mut service = home.start(&[]);
    service.wait_until(|status| status.inputs.iter().any(|input| input.state == InputState::Following));
    let send = |from: &str, text: &str| {
        let socket = UdpSocket::bind((from, 0)).expect("an address of this machine");
        socket.send_to(text.as_bytes(), ("127.0.0.1", port)).expect("it is sent");
    };
    send("127.0.0.1", &line("198.51.100.7", "stranger", true));
    send("127.0.0.2", &line("192.0.2.9", "dan", true));
    let told = service.wait_until(|status| {
        status.inputs.iter().any(|input| input.lines == 1 && input.refused == 1 && input.last.is_some())
    });
    let input = &told.inputs[0];
    assert_eq!((input.kind, input.name.as_str()), (InputKind::Syslog, &*format!("udp:127.0.0.1:{port}")));
    assert!(input.remark.as_ref().is_some_and(|remark| remark.as_str().contains("127.0.0.1")), "{input:?}");
    let text = said(&verb(&home, &["status"]));
    let words: Vec<&str> = text.split_whitespace().collect();
    assert!(words.join(" ").contains("`from` does not name"), "{text}");
    let nothing = said(&verb(&home, &["why", "198.51.100.7"]));
    assert!(nothing.contains("nothing is known"), "a stranger's line reaches nobody: {nothing}");
    let checked = verb(&home, &["check"]);
    assert!(said(&checked).contains("refuses"), "{}", said(&checked));
}
