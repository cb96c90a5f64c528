//! Honest people and their mail programs, at addresses of their own.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use crate::dovecot::PASSWORD;
use crate::kit::{Home, LIMIT};
use crate::net::dial;

/// A digest of any other password than the server's: which one it is makes no difference to the server.
const WRONG_DIGEST: &str = "257a2117dc3b42e16ef3263877ad6aaf";

/// A connection to a mail server.
struct Talk(BufReader<TcpStream>);

impl Talk {
    /// Connects, and reads the greeting.
    fn begin(from: Ipv4Addr, to: SocketAddr) -> Talk {
        let stream = dial(from, to);
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        let mut talk = Talk(BufReader::new(stream));
        talk.line();
        talk
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("an answer within the limit");
        assert!(line.ends_with('\n'), "the server hung up: {line:?}");
        line
    }

    /// Says something; whether the answer begins so.
    fn say(&mut self, text: &str, expected: &str) {
        self.0.get_mut().write_all(format!("{text}\r\n").as_bytes()).expect("a server");
        let mut line = self.line();
        // What IMAP tells without being asked.
        while line.starts_with("* ") {
            line = self.line();
        }
        assert!(line.starts_with(expected), "{text}: {line:?}");
    }
}

/// A poll for mail as a program makes it that tries the digest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Poll {
    /// POP3, AUTH CRAM-MD5, then USER and PASS on the same connection.
    CramThenPass,
    /// POP3, APOP, then USER and PASS on the same connection.
    ApopThenPass,
    /// POP3, AUTH CRAM-MD5 and gone; USER and PASS on a second connection.
    CramThenAgain,
    /// IMAP, AUTHENTICATE CRAM-MD5, then LOGIN.
    ImapCramThenLogin,
    /// IMAP, LOGIN with the password of last year, then with the right one.
    ImapTypo,
    /// POP3, the password at once.
    Pass,
}

/// Where the mail servers are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Servers {
    pub(crate) pop3: SocketAddr,
    pub(crate) imap: SocketAddr,
}

impl Poll {
    pub(crate) fn run(self, from: Ipv4Addr, servers: Servers, user: &str) {
        let pop3 = || Talk::begin(from, servers.pop3);
        match self {
            Poll::CramThenPass => {
                let mut talk = pop3();
                cram(&mut talk, "AUTH CRAM-MD5", "-ERR", user);
                pass(&mut talk, user);
            }
            Poll::ApopThenPass => {
                let mut talk = pop3();
                talk.say(&format!("APOP {user} {WRONG_DIGEST}"), "-ERR");
                pass(&mut talk, user);
            }
            Poll::CramThenAgain => {
                let mut talk = pop3();
                cram(&mut talk, "AUTH CRAM-MD5", "-ERR", user);
                talk.say("QUIT", "+OK");
                pass(&mut pop3(), user);
            }
            Poll::ImapCramThenLogin => {
                let mut talk = Talk::begin(from, servers.imap);
                cram(&mut talk, "a AUTHENTICATE CRAM-MD5", "a NO", user);
                talk.say(&format!("b LOGIN {user} {PASSWORD}"), "b OK");
                talk.say("c LOGOUT", "c OK");
            }
            Poll::ImapTypo => {
                let mut talk = Talk::begin(from, servers.imap);
                talk.say(&format!("a LOGIN {user} what-it-was-last-year"), "a NO");
                talk.say(&format!("b LOGIN {user} {PASSWORD}"), "b OK");
                talk.say("c LOGOUT", "c OK");
            }
            Poll::Pass => pass(&mut pop3(), user),
        }
    }
}

fn cram(talk: &mut Talk, command: &str, refused: &str, user: &str) {
    talk.say(command, "+ ");
    talk.say(&base64(&format!("{user} {WRONG_DIGEST}")), refused);
}

fn pass(talk: &mut Talk, user: &str) {
    talk.say(&format!("USER {user}"), "+OK");
    talk.say(&format!("PASS {PASSWORD}"), "+OK");
    talk.say("QUIT", "+OK");
}

fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let four = |three: &[u8]| {
        let bits = (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(three.get(at).copied().unwrap_or(0)));
        let letter = |at: usize| {
            if at > three.len() { '=' } else { char::from(LETTERS[(bits >> (18 - 6 * at)) as usize & 63]) }
        };
        [letter(0), letter(1), letter(2), letter(3)]
    };
    text.as_bytes().chunks(3).flat_map(four).collect()
}

/// What somebody does who logs in by ssh.
pub(crate) struct SshLogin<'a> {
    pub(crate) from: Ipv4Addr,
    pub(crate) to: SocketAddr,
    pub(crate) user: &'a str,
    /// A key that is offered first.
    pub(crate) key: Option<&'a str>,
    /// What is typed, one after the other.
    pub(crate) typed: &'a [&'a str],
}

impl SshLogin<'_> {
    /// Logs in, which must work in the end. To be called on the host from which it is done.
    pub(crate) fn run(&self, home: &Home) {
        let typed = home.path(&format!("ssh/typed-{}", self.user));
        fs::write(&typed, self.typed.join("\n") + "\n").expect("a file");
        let ask = home.path(&format!("ssh/ask-{}", self.user));
        let script = format!("#!/bin/sh\nhead -n 1 {0}\nsed -i 1d {0}\n", typed.display());
        fs::write(&ask, script).expect("a file");
        fs::set_permissions(&ask, fs::Permissions::from_mode(0o755)).expect("ours");
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]);
        ssh.args(["-o", "LogLevel=ERROR", "-o", "IdentityAgent=none", "-o", "IdentitiesOnly=yes"]);
        match self.key {
            Some(key) => ssh.arg("-i").arg(home.path("ssh").join(key)),
            None => ssh.args(["-o", "PubkeyAuthentication=no"]),
        };
        ssh.args(["-b", &self.from.to_string(), "-p", &self.to.port().to_string()]);
        ssh.arg(format!("{}@{}", self.user, self.to.ip())).arg("true");
        ssh.env("SSH_ASKPASS", ask).env("SSH_ASKPASS_REQUIRE", "force").stdin(Stdio::null());
        let output = ssh.output().expect("package openssh-client");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} logs in: {said}", self.user);
    }
}
