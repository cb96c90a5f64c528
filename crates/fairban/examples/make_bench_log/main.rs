//! Writes the logs of `scripts/bench`: the same bytes for the same arguments, on every machine.
//!
//! ```text
//! make_bench_log mixed|logins|sshd BYTES > FILE
//! ```
//!
//! `mixed` is a mail host's log with 70 % lines of other daemons, `logins` the same logins alone, `sshd` an SSH host's
//! log with a tenth of other lines. The traffic is a month's of twenty thousand users of a qmail host (three quarters
//! with POP3 at vpopmail, more than half of those with digest first and plain a second later; the rest with IMAP at
//! Dovecot and submission; some in offices behind one address, a few with a device that has an old password) and of
//! robots: scanners of names, guessers at one account, and a botnet whose members come once to three times.
//! It is made to be read at full speed, not to be judged fairly: no truth is kept.

mod log;
mod mail;
mod other;
mod random;
mod ssh;
mod world;

use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;

use log::Log;
use random::Random;
use world::World;

/// Which log.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mixed,
    Logins,
    Sshd,
}

impl Kind {
    fn from_name(name: &str) -> Option<Kind> {
        match name {
            "mixed" => Some(Kind::Mixed),
            "logins" => Some(Kind::Logins),
            "sshd" => Some(Kind::Sshd),
            _ => None,
        }
    }

    /// Lines of other daemons for each 90 lines about logins.
    const fn others_per_90(self) -> u32 {
        match self {
            Kind::Mixed => 210,
            Kind::Logins => 0,
            Kind::Sshd => 10,
        }
    }
}

/// Milliseconds between two sessions, in the mean: a gigabyte of mixed log is about a month.
const GAP_MS_MEAN: u64 = 1_700;

#[expect(clippy::print_stderr, reason = "the usage of a development tool")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (kind, bytes) = match arguments.as_slice() {
        [kind, bytes] => (Kind::from_name(kind), bytes.parse().ok()),
        _ => (None, None),
    };
    let (Some(kind), Some(bytes)) = (kind, bytes) else {
        eprintln!("usage: make_bench_log mixed|logins|sshd BYTES > FILE");
        return ExitCode::from(2);
    };
    match write(kind, bytes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(kind: Kind, bytes: u64) -> io::Result<()> {
    let random = &mut Random::new(0x0fa1_4ba4);
    let world = &mut World::new(random);
    let out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    let mut log = Log::new(out, kind.others_per_90());
    while log.bytes() < bytes {
        let gap_ms = random.below(2 * GAP_MS_MEAN);
        log.pass(gap_ms, random)?;
        session(kind, world, random, &mut log);
    }
    log.finish().flush()
}

/// One session of somebody, its lines put into the log's future.
fn session<W: io::Write>(kind: Kind, world: &mut World, random: &mut Random, log: &mut Log<W>) {
    if kind == Kind::Sshd || random.percent(8) {
        ssh::session(world, random, log);
    } else {
        mail::session(world, random, log);
    }
}
