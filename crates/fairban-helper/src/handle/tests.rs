use super::*;
use crate::config::Resolve;

fn config() -> Config {
    let resolve = Resolve { names: vec!["mail.example.org".to_owned()], every_seconds: 0 };
    Config { resolve: Some(resolve), ..Config::default() }
}

fn resolved(name: &str, addresses: Result<Vec<IpAddr>, String>) -> Message {
    Message::Resolved { name: name.to_owned(), addresses }
}

#[test]
fn a_name_that_fails_keeps_its_addresses() {
    let mut status = Status::default();
    let address = IpAddr::from([192, 0, 2, 1]);
    status.note(&resolved("mail.example.org", Ok(vec![address])), &config());
    status.note(&resolved("mail.example.org", Err("no answer".to_owned())), &config());
    let name = &status.names["mail.example.org"];
    assert_eq!(
        (name.addresses.as_slice(), name.failed.as_deref()),
        ([address].as_slice(), Some("no answer"))
    );
    status.note(&resolved("mail.example.org", Ok(Vec::new())), &config());
    assert_eq!(status.names["mail.example.org"], Name::default());
}

#[test]
fn a_name_that_nobody_asked_for_is_not_taken() {
    let mut status = Status::default();
    status.note(&resolved("evil.example", Ok(vec![IpAddr::from([8, 8, 8, 8])])), &config());
    assert!(status.names.is_empty());
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut status = Status::default();
    for number in 0..1000_u32 {
        status.note(&Message::Said { job: Job::Syslog, text: number.to_string() }, &config());
        let mut batch = Batch::new(Job::Syslog);
        batch.peers = vec![(IpAddr::from(number.to_be_bytes()), 1), (IpAddr::from([192, 0, 2, 1]), 5)];
        batch.counts.lines = u64::MAX;
        status.note(&Message::Batch(batch), &config());
    }
    assert_eq!((status.said.len(), status.said[15].1.as_str()), (Status::SAID_MAX, "999"));
    assert_eq!(status.peers.len(), Status::PEERS_MAX);
    assert_eq!(status.peers[&IpAddr::from([192, 0, 2, 1])], 5000, "the busiest stay");
    assert_eq!(status.syslog.lines, u64::MAX);
}

#[test]
fn a_new_worker_is_not_ready() {
    let mut status = Status::default();
    status.note(&Message::Ready(Ready::default()), &config());
    assert!(status.ready.is_some());
    let after = Some("it was killed by signal 9".to_owned());
    status.note(&Message::Hello { worker: 2, pid: 1, after }, &config());
    assert_eq!((status.ready.is_some(), status.workers, status.said.len()), (false, 1, 1));
}

#[test]
fn a_program_that_is_not_there_and_a_bad_configuration_are_told() {
    let launch = Launch {
        program: PathBuf::from("/nonexistent/fairban-helper"),
        journalctl: PathBuf::from("/usr/bin/journalctl"),
        identity: None,
    };
    let error = Helper::start(&launch, Config::default()).unwrap_err();
    assert!(error.to_string().contains("is fairban-helper installed?"), "{error}");
    let mut bad = config();
    bad.resolve.as_mut().unwrap().names.push("a b".to_owned());
    assert!(matches!(Helper::start(&launch, bad), Err(StartError::Config(ConfigError::Name(_)))));
}
