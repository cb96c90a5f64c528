use std::net::IpAddr;

use fairban_core::event::{Outcome, Protocol};
use fairban_core::time::Span;

use super::*;
use crate::oracle::Reader;
use crate::world::MIDNIGHT;
use crate::world::account::Accounts;

const FORMATS: [Format; 7] = [
    Format::Vchkpw,
    Format::Tcpserver,
    Format::Dovecot,
    Format::DovecotHash,
    Format::Postfix,
    Format::Sshd,
    Format::Mixed,
];

/// Every answer to every kind of try, over connections of one and of two tries, and one without any.
fn write_all(format: Format, source: IpAddr) -> Vec<(Told, String)> {
    let mut rng = Rng::of(1, "test", 0);
    let mut accounts = Accounts::new(1);
    let mut scribe = Scribe::new(format, 1);
    let mut now = MIDNIGHT;
    let known = accounts.hire(&mut rng, MIDNIGHT);
    let names =
        [known, accounts.nobody(&mut rng), accounts.name(&format!("{}@maple.example", "x".repeat(90)))];
    let frames = ["x@y:8.8.8.8", "dan from 8.8.8.8 port 22 ssh2", "x>, rip=8.8.8.8, session=<aaaa>"];
    let names = names.into_iter().chain(frames.map(|frame| accounts.name(frame))).collect::<Vec<_>>();
    let secrets = [Secret::Own(7), Secret::Popular(0), Secret::Text("x') dan@maple.example:8.8.8.8".into())];
    for protocol in [Protocol::Pop3, Protocol::Imap, Protocol::Submission] {
        for tries in 0..3 {
            for (name, digest) in names.iter().flat_map(|name| [(name, false), (name, true)]) {
                for answer in [Answer::In, Answer::Wrong, Answer::Unknown, Answer::Down] {
                    if answer == Answer::In && (digest || name.account().is_none()) {
                        continue;
                    }
                    now = now.plus(Span::millis(700));
                    let mut link = scribe.open(now, source, protocol);
                    for secret in &secrets[..tries] {
                        if link.succeeded == 0 {
                            scribe.tried(now, &mut link, &Tried { name, secret, digest, answer });
                        }
                    }
                    scribe.close(now.plus(Span::secs(2)), &link);
                }
            }
        }
    }
    scribe.page.lost(now.plus(Span::secs(3)), 77);
    let page = &scribe.page;
    page.lines().iter().map(|line| (line.told.clone(), page.text(line).to_owned())).collect()
}

#[test]
fn the_parser_reads_what_each_format_shows() {
    for format in FORMATS {
        for source in ["86.142.39.161", "2a02:810:1:101::7"] {
            let source: IpAddr = source.parse().expect("an address");
            let mut reader = Reader::new();
            let written = write_all(format, source);
            assert!(written.len() > 50, "{format:?} wrote {} lines", written.len());
            for (told, line) in &written {
                assert_eq!(reader.told(line), *told, "{format:?}: {line}");
                if let Told::Event(event) = told {
                    assert!(event.source.is_none_or(|shown| shown == source), "{line}");
                }
            }
        }
    }
}

#[test]
fn each_format_shows_what_it_can() {
    let source: IpAddr = [86, 142, 39, 161].into();
    let shows = |format, what: fn(&fairban_core::event::AuthEvent) -> bool| {
        write_all(format, source).iter().any(|(told, _)| matches!(told, Told::Event(event) if what(event)))
    };
    for format in FORMATS {
        assert!(shows(format, |event| event.outcome == Outcome::Success), "{format:?}");
        let secrets =
            matches!(format, Format::Vchkpw | Format::Tcpserver | Format::DovecotHash | Format::Mixed);
        assert_eq!(shows(format, |event| event.secret.is_some()), secrets, "{format:?}");
        let unknown = !matches!(format, Format::Dovecot | Format::Postfix);
        assert_eq!(shows(format, |event| event.outcome == Outcome::UnknownAccount), unknown, "{format:?}");
    }
}
