//! Many clients at once.

use super::*;

#[test]
fn root_always_gets_in() {
    let host = Host::new();
    // Far more than there are places: the longest idle make room.
    let mut clients: Vec<Raw> = Vec::new();
    for _ in 0..200 {
        let mut client = host.connect();
        client.ping();
        clients.push(client);
    }
    let mut last = clients.pop().unwrap();
    last.ping();
    assert!(clients[0].is_closed());
    // Also where none is idle: all hold half a request.
    let mut busy: Vec<Raw> = (0..64).map(|_| host.connect()).collect();
    for client in &mut busy {
        // Those that are gone already cannot be written to.
        let _ = client.stream().write_all(b"{");
    }
    host.connect().ping();
}

#[test]
fn the_judge_is_asked_a_bounded_number_of_questions_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let (_running, asked, _) = Server::bind(&path, &Access::default()).unwrap().start().unwrap();
    let mut clients: Vec<Raw> = (0..12).map(|_| Raw::connect(&path)).collect();
    for client in &mut clients {
        client.say(format!("{PING}\n"));
    }
    let mut waiting: Vec<Asked> = (0..8).map(|_| asked.recv_timeout(LIMIT).unwrap()).collect();
    // The server has taken all twelve lines once a thirteenth client gets an answer that needs no judge.
    let mut other = Raw::connect(&path);
    other.say("x\n");
    assert_eq!(other.problem(), Problem::BadRequest);
    assert!(asked.is_empty(), "further questions wait with the server");
    for answered in 0..12 {
        let Asked { reply, .. } = waiting.pop().unwrap();
        reply.send(Response::Pong { version: Shown::of("test") });
        if answered < 4 {
            waiting.push(asked.recv_timeout(LIMIT).unwrap());
        }
    }
    for client in &mut clients {
        assert!(matches!(client.hear(), Some(Response::Pong { .. })));
    }
}

#[test]
fn a_flood_of_questions_leaves_others_an_answer() {
    let host = Host::new();
    let path = host.path();
    let flooding: Vec<_> = (0..6)
        .map(|_| {
            let path = path.clone();
            thread::spawn(move || {
                let mut client = Raw::connect(&path);
                for _ in 0..50 {
                    client.say(format!("{PING}\nnonsense\n").repeat(20));
                    for _ in 0..40 {
                        client.hear().expect("an answer");
                    }
                }
            })
        })
        .collect();
    while flooding.iter().any(|thread| !thread.is_finished()) {
        host.connect().ping();
    }
    for thread in flooding {
        thread.join().unwrap();
    }
    assert!(host.stop() > 6 * 50 * 20);
}

#[test]
fn many_threads_publish_while_clients_come_and_go() {
    let host = Host::new();
    let publishing: Vec<_> = (0..2)
        .map(|_| {
            let publisher = host.publisher.clone();
            thread::spawn(move || (0..20_000).for_each(|id| publisher.publish(&event(id, "x"))))
        })
        .collect();
    while publishing.iter().any(|thread| !thread.is_finished()) {
        let mut client = host.connect();
        assert_eq!(client.ask(r#"{"v":1,"ask":"tail"}"#), Response::Tailing);
    }
    for thread in publishing {
        thread.join().unwrap();
    }
    until(|| !host.publisher.is_watched());
    host.connect().ping();
}
