//! The command line.

use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use fairban_core::time::Span;

use crate::cast::{Ask, People, play, roster};
use crate::format::Format;
use crate::judge::Kind;
use crate::report::Report;
use crate::run::{Plan, seeds};

/// Makes login traffic with known truth from seeds, and judges fairban by it.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Play seeds under each judge, and print what came of it by actor.
    Run(Run),
    /// Tell what the engine did in the world of a seed, and what one source did.
    Tell(Tell),
    /// List the actors.
    Actors,
}

/// What the worlds are like.
#[derive(Debug, Args)]
struct Wanted {
    /// Simulated hours.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(i64).range(1..=240))]
    hours: i64,
    /// Which honest people live there.
    #[arg(long, value_enum, default_value_t)]
    people: People,
    /// Only these actors, besides plain users and whom they need; may be given several times.
    #[arg(long = "actor", value_name = "NAME")]
    actors: Vec<String>,
    /// How the site logs, instead of what the seed draws.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

impl Wanted {
    fn ask(&self) -> Result<Ask, String> {
        let known = roster(self.people);
        if let Some(unknown) = self.actors.iter().find(|name| known.iter().all(|actor| actor.name != **name))
        {
            return Err(format!("no actor is called {unknown}: see `fairban-sim actors`"));
        }
        let Wanted { hours, people, actors, format } = self;
        Ok(Ask { length: Span::hours(*hours), people: *people, actors: actors.clone(), format: *format })
    }
}

#[derive(Debug, Args)]
struct Tell {
    /// The seed.
    #[arg(long)]
    seed: u64,
    /// Also the log's lines of this source.
    #[arg(long)]
    source: Option<IpAddr>,
    #[command(flatten)]
    wanted: Wanted,
}

#[derive(Debug, Args)]
struct Run {
    /// How many seeds.
    #[arg(long, default_value_t = 10)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Play this seed alone.
    #[arg(long, conflicts_with_all = ["seeds", "first"])]
    seed: Option<u64>,
    #[command(flatten)]
    wanted: Wanted,
    /// Write the log of the seed in this format, with its truth, into --out, and judge nothing.
    #[arg(long, value_enum, value_name = "FORMAT", requires = "out")]
    log: Option<Format>,
    /// The folder for --log.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Only these judges.
    #[arg(long = "judge", value_enum)]
    judges: Vec<Kind>,
    /// Without the oracles.
    #[arg(long)]
    no_oracles: bool,
    /// One object a seed, and one with the sums.
    #[arg(long)]
    json: bool,
    /// Threads; the result is the same.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

impl Run {
    fn plan(&self) -> Plan {
        let (first, count) = self.seed.map_or((self.first, self.seeds), |seed| (seed, 1));
        let judges = if self.judges.is_empty() { Kind::COMPARED.to_vec() } else { self.judges.clone() };
        Plan { first, count, judges, oracles: !self.no_oracles, threads: self.threads }
    }
}

pub(crate) fn main() -> ExitCode {
    let done = match Cli::parse().verb {
        Verb::Run(asked) => run(&asked),
        Verb::Tell(told) => tell(&told).map(|()| ExitCode::SUCCESS),
        Verb::Actors => actors().map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| {
        // Nowhere to tell it if this fails too.
        let _ = writeln!(io::stderr(), "fairban-sim: {error}");
        ExitCode::from(69)
    })
}

fn run(run: &Run) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let (mut ask, plan) = (run.wanted.ask()?, run.plan());
    ask.format = run.log.or(ask.format);
    let mut out = io::stdout().lock();
    if let (Some(_), Some(folder)) = (run.log, &run.out) {
        let lines = crate::log::write(plan.first, &ask, folder)?;
        writeln!(out, "{lines} lines in {}", folder.display())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut report = Report::new(roster(ask.people), &plan, &ask);
    let mut written = Ok(());
    seeds(&plan, &ask, |outcome| {
        if run.json && written.is_ok() {
            written = writeln!(out, "{}", report.seed_json(&outcome));
        }
        report.take(&outcome);
    });
    written?;
    if run.json {
        writeln!(out, "{}", report.json())?;
    } else {
        write!(out, "{}", report.table())?;
    }
    // A seed with findings is not fine, whatever its figures.
    Ok(if report.has_findings() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn tell(wanted: &Tell) -> Result<(), Box<dyn std::error::Error>> {
    let ask = wanted.wanted.ask()?;
    let mut world = play(wanted.seed, &ask, &roster(ask.people), Kind::Engine, true);
    let mut out = io::stdout().lock();
    for entry in world.judge_diary() {
        writeln!(out, "{entry}")?;
    }
    if let (Some(source), Some(tape)) = (wanted.source, &world.tape) {
        for row in tape.rows.iter().filter(|row| row.source == source) {
            writeln!(out, "{}", tape.line(row))?;
        }
    }
    Ok(())
}

fn actors() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = io::stdout().lock();
    for people in [People::Ours, People::Stopguessing] {
        for profile in roster(people) {
            writeln!(
                out,
                "{:18} {:?}, in {:.0} % of worlds",
                profile.name,
                profile.side,
                profile.presence * 100.0
            )?;
        }
    }
    Ok(())
}
