//! The program `fairban`: reads login logs, tells robots from people, and says what it would do about them.
//!
//! Verbs are in [`cli`]; the main job, `replay`, is put together in [`replay`].

mod accounts;
mod check;
mod cli;
mod config;
mod daemon;
mod documents;
mod error;
mod explain;
mod input;
mod json;
mod limits;
mod panic;
mod pipeline;
mod progress;
mod replay;
mod report;
mod state;
mod tally;
mod verbs;
mod when;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Verb};
use crate::error::{Failure, Kind};

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let failure = Failure::new(Kind::Internal, format!("fairban made a mistake: {panic}"));
        error::tell(&failure.hint("please report it, with the lines of the log that lead to it if you can"));
        std::process::exit(i32::from(Kind::Internal.code()));
    }));
    let cli = Cli::parse();
    let done = match cli.verb {
        Verb::Replay(args) => replay::replay(&args),
        Verb::Run(args) => daemon::run(&args),
        Verb::Check(args) => match check::check(&args) {
            Ok(code) => return code,
            Err(failure) => Err(failure),
        },
        Verb::Audit(args) => match daemon::audit(&args) {
            Ok(code) => return code,
            Err(failure) => Err(failure),
        },
        Verb::TryInputs => check::answer(),
        Verb::Panic(args) => panic::panic(&args),
        Verb::Limits(verb) => limits::run(&verb),
        Verb::Control(verb) => {
            let mut record = offline(verb.talk().config.as_deref());
            verbs::run(&verb, record.as_mut().map(|record| record as &mut dyn verbs::Offline))
        }
        Verb::Completions { shell } => documents::completions(shell),
        Verb::Man { page } => documents::man(page),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough (`| head`): nothing is wrong.
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            error::tell(&failure);
            ExitCode::from(failure.kind().code())
        }
    }
}

/// What the service left that would run; none where its configuration is wrong.
fn offline(config: Option<&Path>) -> Option<daemon::Record> {
    let loaded = config::Config::load(&config::Paths::new(config)).ok()?;
    let now = fairban_core::time::Time::from_micros(jiff::Timestamp::now().as_microsecond());
    Some(daemon::Record::new(&loaded.config.state_dir.value, now))
}

/// What verbs return.
type Done = Result<(), Failure>;
