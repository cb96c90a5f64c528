//! The systemd journal, read by `journalctl -o json --follow`.
//!
//! Nothing is lost and nothing comes twice: every batch carries the cursor of its last entry, and whoever starts again,
//! we after `journalctl` died or a new worker after us, begins behind it. Where the journal no longer holds that entry
//! (vacuumed, or removed), `journalctl` begins at the oldest one; that is found out beforehand and said.

mod entry;
mod follow;
mod running;
mod trust;

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use crate::backoff::Backoff;
use crate::channel::{Channel, ChannelError};
use crate::config::{Config, Journal};
use crate::protocol::{Job, Message, sentence, text};

use follow::{Follower, Records};
pub(crate) use running::Running;
use trust::Users;

/// Short lives without a single entry, in a row, after which a cursor is given up for the time within it.
const FRUITLESS_MAX: u32 = 3;

/// The job, ready to run behind the wall.
pub(crate) struct Reader {
    journalctl: PathBuf,
    config: Journal,
    users: Users,
    channel: Channel,
    running: Running,
}

/// Where the next `journalctl` begins.
#[derive(Clone, Debug, PartialEq, Eq)]
enum From {
    Beginning,
    /// Seconds since 1970.
    Time(i64),
    After(String),
}

impl Reader {
    /// Reads what the wall will hide.
    pub(crate) fn new(
        config: &Config,
        journalctl: &Path,
        channel: &Channel,
        running: &Running,
    ) -> Option<Self> {
        let config = config.journal.clone()?;
        let users = Users::parse(&std::fs::read_to_string("/etc/passwd").unwrap_or_default());
        Some(Self {
            journalctl: journalctl.to_owned(),
            config,
            users,
            channel: channel.clone(),
            running: running.clone(),
        })
    }

    /// Follows for ever; returns when the daemon has gone.
    pub(crate) fn run(self) -> Result<(), ChannelError> {
        let mut follower = Follower::new(&self.users, &self.config.trusted_uids);
        let mut from = match (&self.config.cursor, self.config.since) {
            (Some(cursor), _) => From::After(cursor.clone()),
            (None, Some(since)) => From::Time(since),
            (None, None) => From::Beginning,
        };
        let mut backoff = Backoff::default();
        let mut fruitless = 0;
        loop {
            if let From::After(cursor) = &from {
                self.say_what_is_gone(cursor)?;
            }
            let begun = Instant::now();
            let ended = self.follow(&from, &mut follower)?;
            match follower.take_cursor() {
                Some(cursor) => (from, fruitless) = (From::After(cursor), 0),
                None if begun.elapsed() < Backoff::WORKED => fruitless += 1,
                None => fruitless = 0,
            }
            let why = sentence(format!("journalctl ended ({ended})"));
            self.channel.send(&Message::Restarted { job: Job::Journal, why })?;
            if fruitless >= FRUITLESS_MAX
                && let From::After(cursor) = &from
            {
                (from, fruitless) = (self.give_up(cursor, &mut follower)?, 0);
            }
            thread::sleep(backoff.ended(begun.elapsed()));
        }
    }

    /// A cursor that `journalctl` dies of: its time is what is left.
    fn give_up(&self, cursor: &str, follower: &mut Follower<'_>) -> Result<From, ChannelError> {
        let micros = follow::cursor_part(cursor, "t").unwrap_or(0) as i64;
        follower.skip_until(micros);
        let said =
            "journalctl does not take the place where reading stopped: going on by its time".to_owned();
        self.channel.say(Job::Journal, said)?;
        Ok(From::Time(micros / 1_000_000))
    }

    /// One life of `journalctl`; returns how it ended, for a person.
    fn follow(&self, from: &From, follower: &mut Follower<'_>) -> Result<String, ChannelError> {
        let mut command = self.command();
        command.args(["--follow", "--no-tail"]);
        match from {
            From::Beginning => {}
            From::Time(seconds) => {
                command.arg(format!("--since=@{seconds}"));
            }
            From::After(cursor) => {
                command.arg(format!("--after-cursor={cursor}"));
            }
        }
        command.arg("--").args(match_arguments(&self.config.matches));
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return Ok(format!("{}: {error}", self.journalctl.display())),
        };
        // Both are pipes, as `command` asked for.
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        self.running.put(child);
        let complaints = thread::spawn(move || stderr.map_or_else(String::new, last_words));
        if let Some(stdout) = stdout {
            self.pump(&mut Records::new(BufReader::with_capacity(64 * 1024, stdout)), follower)?;
        }
        let status = match self.running.end() {
            Some(Ok(status)) => status.to_string(),
            Some(Err(error)) => error.to_string(),
            None => "we ended it".to_owned(),
        };
        let complaints = complaints.join().unwrap_or_default();
        Ok(if complaints.is_empty() { status } else { format!("{status}: {complaints}") })
    }

    /// Sends every entry on, until `journalctl` ends. A batch goes when nothing more is there without waiting.
    fn pump(
        &self,
        records: &mut Records<BufReader<impl Read>>,
        follower: &mut Follower<'_>,
    ) -> Result<(), ChannelError> {
        while follower.read(records) {
            if follower.is_full() || !records.has_another() {
                self.channel.send(&Message::Batch(follower.take_batch()))?;
            }
        }
        let rest = follower.take_batch();
        if rest.is_empty() { Ok(()) } else { self.channel.send(&Message::Batch(rest)) }
    }

    /// Compares the entry at `cursor` with the cursor.
    fn say_what_is_gone(&self, cursor: &str) -> Result<(), ChannelError> {
        let Some(there) = self.entry_at(cursor) else { return Ok(()) };
        if there == cursor {
            return Ok(());
        }
        let of = |name| (follow::cursor_part(cursor, name), follow::cursor_part(&there, name));
        let said = match (of("s"), of("i")) {
            ((ours, theirs), (Some(stopped), Some(first))) if ours == theirs && first > stopped => format!(
                "the journal no longer holds the place where reading stopped: {} entries of all services are gone",
                first - stopped - 1
            ),
            _ => "the journal no longer holds the place where reading stopped: going on with the next entry by time"
                .to_owned(),
        };
        self.channel.say(Job::Journal, said)
    }

    /// The cursor of the entry that `journalctl` finds at a cursor; `None` if it finds none, or fails.
    fn entry_at(&self, cursor: &str) -> Option<String> {
        let mut command = self.command();
        command.args(["--lines=1", &format!("--cursor={cursor}")]).stderr(Stdio::null());
        let mut child = command.spawn().ok()?;
        let stdout = child.stdout.take()?;
        self.running.put(child);
        let mut records = Records::new(BufReader::new(stdout));
        let there = records.next_record().and_then(entry::Entry::parse).map(|entry| entry.cursor);
        self.running.end();
        there
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.journalctl);
        command
            .env_clear()
            .envs([("LC_ALL", "C"), ("PATH", "/usr/bin:/bin"), ("SYSTEMD_PAGER", "")])
            .args(["--output=json", "--quiet", "--boot=all", &format!("--output-fields={}", entry::FIELDS)])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// Groups joined by `+`, which means or.
fn match_arguments(groups: &[Vec<String>]) -> Vec<&str> {
    let groups: Vec<Vec<&str>> = groups
        .iter()
        .filter(|group| !group.is_empty())
        .map(|group| group.iter().map(String::as_str).collect())
        .collect();
    groups.join(&"+")
}

/// The last of what a program complained about, escaped. Reads to the end, so that it never waits for us.
fn last_words(mut stderr: impl Read) -> String {
    const KEPT_BYTES: usize = 200;
    let (mut kept, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = stderr.read(&mut buffer) {
        kept.extend_from_slice(&buffer[..length]);
        let surplus = kept.len().saturating_sub(KEPT_BYTES);
        kept.drain(..surplus);
    }
    text(kept.trim_ascii())
}

/// Directories that hold journals, of those there are.
pub(crate) fn directories() -> Vec<PathBuf> {
    let known = ["/var/log/journal", "/run/log/journal"].map(PathBuf::from);
    known.into_iter().filter(|path| path.is_dir()).collect()
}
