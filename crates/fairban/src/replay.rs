//! `fairban replay`: logs, merged, through the engine, into objects or a report.

use std::collections::VecDeque;
use std::io::{self, BufWriter, StdoutLock, Write as _};
use std::thread;
use std::time::Instant;

use fairban_core::effect::Effect;
use fairban_core::engine::{Config, Engine};
use fairban_core::time::Time;
use fairban_parse::health::Health;
use jiff::tz::TimeZone;

use crate::Done;
use crate::cli::ReplayArgs;
use crate::error::{self, Failure, Kind, shown};
use crate::explain::History;
use crate::input::{Family, Gathered, Input, discover};
use crate::json::{self, Place};
use crate::pipeline::{Certainty, Doubles, Item, Merge, Settings, StreamState};
use crate::progress::Progress;
use crate::report::{self, Report};
use crate::state::{self, State};
use crate::tally::Tally;

/// Replay keys its tags and tables with a constant: two replays of one log must be equal to the byte, and nothing of the
/// key is told to anybody who writes the log while it is read.
const KEY: [u8; 16] = *b"fairban's replay";

/// Reads, decides and tells.
pub(crate) fn replay(args: &ReplayArgs) -> Done {
    let started = Instant::now();
    let saved = args.state.as_deref().map(state::load).transpose()?.flatten();
    let place = args.state.as_deref().map(state::Place::reserve).transpose()?;
    let gathered = if args.logs.is_empty() {
        discover(&args.root, args.quiet || args.json)?
    } else {
        Gathered::from_paths(&args.logs)?
    };
    let (had_empty, found) = (gathered.empty > 0, gathered.found);
    let (mut judge, (logs, unclaimed), doubles) = set_up(args, saved, gathered)?;
    let mut merge = Merge::new(settings(args), logs, doubles);
    let mut progress = Progress::new(!args.quiet, merge.size_bytes(), &merge.read_bytes);
    let checkpoint = read_all(&mut merge, &mut judge, &mut progress, args.state.is_some());
    progress.finish();
    let checkpoint = checkpoint?;
    if !tell_of_logs(&merge, &mut judge, found) && !had_empty {
        return Err(Failure::new(Kind::Environment, "none of the logs could be read"));
    }
    judge.flush()?;
    if let Some(place) = place {
        let (engine, tally) = checkpoint.unwrap_or_else(|| judge.snapshot());
        let logs = merge.states().into_iter().chain(unclaimed).collect();
        let (services, health, told) = (args.services(), judge.health.clone(), judge.told);
        let doubles = merge.doubles_state();
        place.store(&State { services, engine, tally, health, told, logs, doubles })?;
    }
    if !args.quiet && merge.doubles() > 0 {
        let lines = error::plural(merge.doubles(), "line");
        error::note(&format!("{lines} stood in more than one log; each was taken once"));
    }
    if !args.quiet {
        error::note(&report::speed(&judge.health, started.elapsed()));
    }
    judge.conclude(args)
}

fn settings(args: &ReplayArgs) -> Settings {
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    Settings {
        key: KEY,
        services: args.services(),
        zone: zone(args),
        year: args.year,
        threads: args.threads.map_or_else(cores, usize::from),
        keep_tail: args.state.is_some(),
    }
}

fn zone(args: &ReplayArgs) -> TimeZone {
    args.timezone.clone().unwrap_or_else(TimeZone::system)
}

fn config() -> Config {
    Config { narrate: true, ..Config::new(KEY) }
}

/// What logs of earlier runs left.
type Saved = Vec<(Family, StreamState)>;

/// What there is to read, and what each log goes on from.
type Logs = Vec<(Input, StreamState)>;

/// A judge as the state file left it, the logs that go on and those that nobody goes on with, and the lines of late.
fn set_up(
    args: &ReplayArgs,
    saved: Option<State>,
    gathered: Gathered,
) -> Result<(Judge, (Logs, Saved), Doubles), Failure> {
    let Some(saved) = saved else {
        let fresh = gathered.inputs.into_iter().map(|input| (input, StreamState::default())).collect();
        let judge = Judge::new(Engine::new(config()), Tally::new(args.compare), args);
        return Ok((judge, (fresh, Vec::new()), Doubles::default()));
    };
    let path = args.state.as_deref().map(shown).unwrap_or_default();
    let other = |what: &str| {
        let hint = "give the same options, or begin with a new state file";
        Failure::new(Kind::Config, format!("the state file {path} was made with another {what}")).hint(hint)
    };
    if saved.services != args.services() {
        return Err(other("--service"));
    }
    if saved.tally.rule() != args.compare {
        return Err(other("--compare"));
    }
    let engine = Engine::restore(&saved.engine, config()).map_err(|cause| {
        let hint = "it was left as it is; remove it (or name another) and read the logs from the beginning";
        Failure::new(Kind::Config, format!("the state file {path} cannot be used"))
            .caused_by(&cause)
            .hint(hint)
    })?;
    let mut judge = Judge::new(engine, saved.tally, args);
    (judge.health, judge.told) = (saved.health, saved.told);
    judge.told_before = saved.told;
    Ok((judge, claim(gathered.inputs, saved.logs), saved.doubles))
}

/// Gives each log what it goes on from: that of its rotated set where there is one, the youngest first; else that of the
/// log at the same place on the command line. What nobody claims is kept as long as a line's beginning waits in it.
fn claim(inputs: Vec<Input>, saved: Saved) -> (Logs, Saved) {
    let mut saved: Vec<Option<(Family, StreamState)>> = saved.into_iter().map(Some).collect();
    let same_family = |saved: &[Option<(Family, StreamState)>], input: &Input| {
        let members = saved.iter().enumerate().filter_map(|(at, log)| Some((at, log.as_ref()?)));
        let members = members.filter(|(_, (family, _))| *family == input.family);
        members.max_by_key(|(_, (_, state))| state.latest).map(|(at, _)| at)
    };
    let mut claimed: Vec<Option<StreamState>> = Vec::new();
    for input in &inputs {
        let at = same_family(&saved, input);
        claimed.push(at.and_then(|at| saved[at].take()).map(|(_, state)| state));
    }
    let mut rest = saved.into_iter().flatten();
    let mut logs = Vec::new();
    for (input, state) in inputs.into_iter().zip(claimed) {
        let state = state.or_else(|| rest.next().map(|(_, state)| state)).unwrap_or_default();
        logs.push((input, state));
    }
    let waits = |(_, state): &(Family, StreamState)| !state.tail.is_empty() || !state.held.is_empty();
    (logs, rest.filter(waits).collect())
}

/// An engine's snapshot and the tally of the same moment.
type Checkpoint = (Vec<u8>, Tally);

/// Decides everything. With a state to be kept, returns the checkpoint from which the last events are to be decided
/// again when the logs go on, if there are such.
fn read_all(
    merge: &mut Merge,
    judge: &mut Judge,
    progress: &mut Progress,
    goes_on: bool,
) -> Result<Option<Checkpoint>, Failure> {
    let mut checkpoint = None;
    while let Some(certainty) = merge.peek() {
        if goes_on && certainty == Certainty::Doubtful {
            merge.set_aside();
            continue;
        }
        if goes_on && !merge.has_redo() {
            checkpoint = None;
            if certainty == Certainty::Likely {
                checkpoint = Some(judge.snapshot());
                merge.begin_redo();
            }
        }
        merge.take(|item| judge.decide(item)).unwrap_or(Ok(()))?;
        progress.tick();
    }
    Ok(checkpoint.filter(|_| merge.has_redo()))
}

/// Warns of what was wrong with each log, and adds up what was read; whether anything was.
fn tell_of_logs(merge: &Merge, judge: &mut Judge, found: bool) -> bool {
    let mut any = false;
    for (input, format, read) in merge.read() {
        report::warn_of_log(input, format, read, found);
        any |= read.error.is_none() || read.lines > 0;
        judge.health.absorb(&read.health);
    }
    if found && judge.health.services.iter().all(|service| service.lines == 0) {
        let hint = "name the log that logins are written to: fairban replay LOG...";
        error::warn(
            "none of the logs that were found holds a line of a service that fairban knows",
            Some(hint),
        );
    }
    any
}

/// The engine and all who listen to it.
struct Judge {
    engine: Engine,
    tally: Tally,
    health: Health,
    /// Effects up to this number were told in earlier runs.
    told_before: u64,
    told: u64,
    effects: VecDeque<Effect>,
    json: Option<BufWriter<StdoutLock<'static>>>,
    history: Option<History>,
}

impl Judge {
    fn new(engine: Engine, tally: Tally, args: &ReplayArgs) -> Judge {
        Judge {
            engine,
            tally,
            health: Health::default(),
            told_before: 0,
            told: 0,
            effects: VecDeque::new(),
            json: args.json.then(|| BufWriter::with_capacity(64 * 1024, io::stdout().lock())),
            history: args.explain.as_ref().map(|asked| History::new(asked.clone())),
        }
    }

    fn snapshot(&self) -> Checkpoint {
        (self.engine.snapshot(), self.tally.clone())
    }

    fn decide(&mut self, item: &Item<'_>) -> Result<(), Failure> {
        self.engine.handle(item.event, item.text);
        self.engine.poll_all(&mut self.effects);
        let place = Place { file: item.file, line: item.line };
        self.tell(item.event.time, place)
    }

    fn tell(&mut self, time: Time, place: Place<'_>) -> Result<(), Failure> {
        self.tally.line(time, self.effects.make_contiguous());
        for effect in &self.effects {
            if let Some(history) = &mut self.history {
                history.add(effect, place);
            }
            let Some(id) = json::id_of(effect).filter(|&id| id > self.told_before) else { continue };
            self.told = self.told.max(id);
            if let Some(out) = &mut self.json {
                json::write_effect(out, effect, place).map_err(|error| Failure::output(&error))?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let flushed = self.json.as_mut().map_or(Ok(()), io::Write::flush);
        flushed.map_err(|error| Failure::output(&error))
    }

    /// The summary, the explanation or the report.
    fn conclude(mut self, args: &ReplayArgs) -> Done {
        let written = if let Some(out) = &mut self.json {
            json::write_summary(out, &self.tally, &self.health).and_then(|()| out.flush())
        } else if let Some(history) = &self.history {
            let explanation = self.engine.explain(history.subject());
            history.write(explanation.as_ref(), &zone(args))
        } else {
            let report = Report {
                tally: &self.tally,
                health: &self.health,
                blindness: &fairban_core::event::Service::ALL.map(|service| self.engine.blindness(service)),
                zone: &zone(args),
                all: args.all,
                findings_only: args.quiet,
            };
            report.write()
        };
        // The program ends: taking all tables apart entry by entry would be for nobody.
        std::mem::forget(self);
        written.map_err(|error| Failure::output(&error))
    }
}
