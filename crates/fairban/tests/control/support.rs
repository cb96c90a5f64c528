//! A service that answers with the examples of `docs/control.md`, and the program that asks it.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use fairban_control::{Access, Asked, Patience, Publisher, Request, Response, Running, Server};

const DOCUMENT: &str = include_str!("../../../../docs/control.md");

/// The examples of answers, in the order of the document.
pub(crate) fn examples() -> Vec<Response> {
    let blocks = DOCUMENT.split("```json\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().expect("a block").lines());
    let answers = lines.filter(|line| line.contains("\"answer\""));
    answers.map(|line| Response::parse(line.as_bytes()).expect(line)).collect()
}

/// The first example that fits.
pub(crate) fn example(fits: impl Fn(&Response) -> bool) -> Response {
    examples().into_iter().find(fits).expect("there is one in the document")
}

/// The service.
pub(crate) struct Service {
    _folder: tempfile::TempDir,
    pub(crate) socket: PathBuf,
    pub(crate) publisher: Publisher,
    pub(crate) asked: Receiver<Request>,
    running: Option<Running>,
}

impl Service {
    pub(crate) fn answering(answer: impl Fn(&Request) -> Response + Send + 'static) -> Service {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("control.sock");
        let server = Server::bind(&socket, &Access::default()).expect("it binds");
        let (running, asked, publisher) =
            server.with_patience(Patience::default()).start().expect("it starts");
        let (to_test, test) = channel();
        thread::spawn(move || {
            for Asked { request, reply, .. } in asked {
                let answer = answer(&request);
                // The test may not care.
                let _ = to_test.send(request);
                reply.send(answer);
            }
        });
        Service { _folder: folder, socket, publisher, asked: test, running: Some(running) }
    }

    pub(crate) fn stop(&mut self) {
        drop(self.running.take());
    }

    /// Runs the program against this service.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        let socket = format!("--socket={}", self.socket.display());
        fairban(&[args, &[&socket]].concat())
    }

    /// The last question that was asked.
    pub(crate) fn question(&self) -> Request {
        self.asked.try_iter().last().expect("a question")
    }
}

/// What a run of the program gave.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn from(output: Output) -> Ran {
        Ran {
            code: output.status.code().expect("it ends by itself"),
            out: String::from_utf8(output.stdout).expect("printable"),
            err: String::from_utf8(output.stderr).expect("printable"),
        }
    }

    /// Fails unless it ended well, said `expected`, and kept within the edge and printable characters.
    pub(crate) fn prints(&self, expected: &str) {
        assert_eq!(self.code, 0, "{}", self.err);
        self.keeps_form();
        assert!(self.out == expected, "it printed:\n{}\nand not:\n{expected}", self.out);
    }

    pub(crate) fn keeps_form(&self) {
        for line in self.out.lines() {
            assert!(line.len() <= 80, "{} columns: {line}", line.len());
            assert!(line.bytes().all(|byte| (0x20..=0x7e).contains(&byte)), "{line:?}");
            assert_eq!(line, line.trim_end(), "a blank at the end of {line:?}");
        }
    }

    /// Fails unless it ended with `code` and standard error holds each of these.
    pub(crate) fn fails(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        for part in parts {
            assert!(self.err.contains(part), "'{part}' is missing in:\n{}", self.err);
        }
    }
}

/// The program, in UTC, without a terminal.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fairban"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_remove("LANG").env("LC_ALL", "C").env("TZ", "UTC");
    command
}

/// Runs `fairban`.
pub(crate) fn fairban(args: &[&str]) -> Ran {
    Ran::from(command(args).output().expect("it runs"))
}
