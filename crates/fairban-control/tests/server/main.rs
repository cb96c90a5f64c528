//! The server under clients that behave, misbehave, are slow, are many, are somebody else.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on fails, and says what it could not test"
)]

mod behaviour;
mod crowds;
mod rights;
mod sockets;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fairban_control::{
    Access, ActionDone, AlarmRow, Asked, Moment, Patience, Problem, Publisher, Refusal, Request, Response,
    Running, Server, ServiceStatus, Shown, StatusReport, TailEvent, TailKind,
};
use fairban_core::time::Time;

/// Nothing here takes longer; what does has failed.
const LIMIT: Duration = Duration::from_secs(20);

/// A folder with a server in it whose questions a thread answers.
struct Host {
    folder: tempfile::TempDir,
    running: Option<Running>,
    publisher: Publisher,
    answering: Option<JoinHandle<usize>>,
}

impl Host {
    fn new() -> Host {
        Host::with(&Access::default(), Patience::default())
    }

    fn with(access: &Access, patience: Patience) -> Host {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Server::bind(&folder.path().join("control.sock"), access).expect("it binds");
        let (running, asked, publisher) = server.with_patience(patience).start().expect("it starts");
        let answering = thread::spawn(move || {
            let mut count = 0;
            for Asked { request, peer: _, reply } in asked {
                count += 1;
                reply.send(answer(&request));
            }
            count
        });
        Host { folder, running: Some(running), publisher, answering: Some(answering) }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("control.sock")
    }

    fn connect(&self) -> Raw {
        Raw::connect(&self.path())
    }

    /// Stops the server and tells how many questions were asked.
    fn stop(mut self) -> usize {
        drop(self.running.take());
        self.answering.take().expect("it runs").join().expect("it ends")
    }
}

fn answer(request: &Request) -> Response {
    match request {
        Request::Ping => Response::Pong { version: Shown::of("test") },
        Request::Status => {
            let service = ServiceStatus { samples: vec![Shown::of("a line")], ..ServiceStatus::default() };
            let alarm = AlarmRow {
                name: Shown::of("looping"),
                since: Moment::default(),
                about: Some(Shown::of("dan@d.example")),
                text: Shown::of("dan@d.example fails for ever"),
            };
            Response::Status(Box::new(StatusReport {
                services: vec![service],
                alarms: vec![alarm],
                ..StatusReport::default()
            }))
        }
        Request::AllowList => Refusal::new(Problem::Failed, "no").into(),
        request => Response::Done(ActionDone { action: Shown::of(request.name()), ..ActionDone::default() }),
    }
}

fn event(id: u64, text: &str) -> TailEvent {
    TailEvent {
        kind: TailKind::Ban,
        id: Some(id),
        time: Time::from_secs(0).into(),
        prefix: None,
        account: None,
        reason: None,
        evidence: None,
        until: None,
        enforced: false,
        input: None,
        text: Shown::of(text),
    }
}

/// A client that may say anything.
struct Raw(BufReader<UnixStream>);

impl Raw {
    fn connect(path: &Path) -> Raw {
        let stream = UnixStream::connect(path).expect("it listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        stream.set_write_timeout(Some(LIMIT)).expect("a limit");
        Raw(BufReader::new(stream))
    }

    fn stream(&self) -> &UnixStream {
        self.0.get_ref()
    }

    fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream().write_all(bytes.as_ref()).expect("it listens");
    }

    fn hear(&mut self) -> Option<Response> {
        let mut line = Vec::new();
        match self.0.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => Some(Response::parse(&line).expect("an answer")),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no answer within the limit: {error}"),
        }
    }

    fn ask(&mut self, line: &str) -> Response {
        self.say(format!("{line}\n"));
        self.hear().expect("an answer")
    }

    fn ping(&mut self) {
        assert!(matches!(self.ask(PING), Response::Pong { .. }));
    }

    /// The problem of the next answer.
    fn problem(&mut self) -> Problem {
        match self.hear() {
            Some(Response::Error(refusal)) => refusal.problem,
            other => panic!("no error: {other:?}"),
        }
    }

    fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => rest.is_empty(),
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

const PING: &str = r#"{"v":1,"ask":"ping"}"#;

/// Waits until something is so.
fn until(mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < LIMIT, "it never became so");
        thread::yield_now();
    }
}
