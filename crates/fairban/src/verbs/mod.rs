//! The verbs that talk to the running service, and to its database where it does not run.
//!
//! Each asks over the control socket, and renders what was answered: for a person within 80 columns, or as the JSON line
//! that it is. Four of them only look (`status`, `bans`, `why`, `report`): where no service runs they ask an [`Offline`], with the same
//! questions, and the same code renders its answers.

mod args;
mod bans;
mod connected;
pub(crate) mod limits;
mod orders;
mod parse;
mod report;
mod show;
mod status;
mod tail;
mod why;

use std::io::Write as _;

use fairban_control::{
    About, BansPage, Client, ClientError, Moment, Problem, Refusal, Request, Response, SinceReport,
    StatusReport, WhyReport,
};
use ipnet::IpNet;
use jiff::tz::TimeZone;

pub(crate) use self::args::ControlVerb;
pub(crate) use self::args::{LimitSetArgs, LimitWhichArgs, Talk};
use crate::Done;
use crate::error::{self, Failure, Kind};

/// What can be told where no service runs: by its database.
pub(crate) trait Offline {
    /// The state as it was left; its process id is 0.
    fn status(&mut self) -> Result<StatusReport, Failure>;

    /// A page of the bans that are in force by the clock, as [`Request::Bans`] asks for it.
    fn bans(&mut self, within: Option<IpNet>, after: Option<IpNet>, most: u32) -> Result<BansPage, Failure>;

    /// What has happened, as [`Request::Report`] asks for it.
    fn report(&mut self, since: Moment) -> Result<SinceReport, Failure>;

    /// What is known about somebody, as [`Request::Why`] asks for it; `None` if nothing.
    fn why(&mut self, about: &About, at: Option<Moment>) -> Result<Option<WhyReport>, Failure>;
}

/// Runs a verb. `offline` is asked where no service runs; it opens what it needs when it is asked.
pub(crate) fn run(verb: &ControlVerb, offline: Option<&mut dyn Offline>) -> Done {
    match verb {
        ControlVerb::Status(talk) => status::status(talk, offline),
        ControlVerb::Bans(args) => bans::bans(args, offline),
        ControlVerb::Ban(args) => orders::ban(args),
        ControlVerb::Unban(args) => orders::unban(args),
        ControlVerb::Allow(args) => orders::allow(args),
        ControlVerb::Why(args) => why::why(args, offline),
        ControlVerb::Tail(args) => tail::tail(args),
        ControlVerb::Mode(args) => orders::mode(args),
        ControlVerb::Confirm(talk) => orders::confirm(talk),
        ControlVerb::Resume(talk) => orders::resume(talk),
        ControlVerb::Reload(talk) => orders::reload(talk),
        ControlVerb::Report(args) => report::report(args, offline),
    }
}

/// Who answers.
enum Answers<'a> {
    Service(Client),
    Database(&'a mut dyn Offline),
}

impl<'a> Answers<'a> {
    /// The service; the database where none runs, and that is said.
    fn find(talk: &Talk, offline: Option<&'a mut dyn Offline>) -> Result<Answers<'a>, Failure> {
        match (Client::connect(&talk.socket()?), offline) {
            (Ok(client), _) => Ok(Answers::Service(client)),
            (Err(error), Some(offline)) if error.is_not_running() => {
                error::warn(&format!("{error}: this is what it left"), error.hint().as_deref());
                Ok(Answers::Database(offline))
            }
            (Err(error), _) => Err(failure(&error)),
        }
    }

    /// Asks; of the database only what it can answer.
    fn ask(&mut self, request: &Request) -> Result<Response, Failure> {
        match (self, request) {
            (Answers::Service(client), _) => client.ask(request).map_err(|error| failure(&error)),
            (Answers::Database(offline), Request::Status) => {
                offline.status().map(|status| Response::Status(Box::new(status)))
            }
            (Answers::Database(offline), Request::Bans { within, after, most }) => {
                offline.bans(*within, *after, *most).map(Response::Bans)
            }
            (Answers::Database(offline), Request::Why { about, at }) => {
                Ok(match offline.why(about, *at)? {
                    Some(report) => Response::Why(report),
                    None => Response::NothingKnown { about: show::about(about) },
                })
            }
            (Answers::Database(offline), Request::Report { since }) => {
                offline.report(*since).map(|report| Response::Report(Box::new(report)))
            }
            (Answers::Database(_), request) => {
                let message = format!("a database cannot answer `{}`", request.name());
                Err(Failure::new(Kind::Internal, message))
            }
        }
    }
}

/// Asks the service; nobody else can do it.
fn order(talk: &Talk, request: &Request) -> Result<Response, Failure> {
    let mut client = Client::connect(&talk.socket()?).map_err(|error| failure(&error))?;
    let answer = client.ask(request);
    if let (true, Err(ClientError::Refused(refusal))) = (talk.json, &answer) {
        print_line(&Response::Error(refusal.clone()))?;
    }
    answer.map_err(|error| failure(&error))
}

/// An answer to another question: the service and this program do not fit.
fn unexpected(response: &Response) -> Failure {
    let line = response.to_line();
    let begin = String::from_utf8_lossy(&line[..line.len().min(60)]);
    let message = format!("the service gave an answer to another question: {}", begin.trim_end());
    Failure::new(Kind::Internal, message).hint("use the `fairban` of the same version as the service")
}

/// How it is told that something did not work, and with which exit code.
fn failure(error: &ClientError) -> Failure {
    let kind = match error {
        ClientError::Refused(Refusal { problem, .. }) => match problem {
            Problem::Refused => Kind::Finding,
            Problem::Config => Kind::Config,
            Problem::BadRequest | Problem::TooLong | Problem::Internal => Kind::Internal,
            _ => Kind::Environment,
        },
        _ => Kind::Environment,
    };
    let mut failure = Failure::new(kind, error.to_string());
    if let ClientError::Io { source, .. } = error {
        failure = failure.caused_by(source);
    }
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Prints an answer as the line that it is.
pub(crate) fn print_line(response: &Response) -> Done {
    let mut out = std::io::stdout().lock();
    out.write_all(&response.to_line()).and_then(|()| out.flush()).map_err(|error| Failure::output(&error))
}

/// Prints for a person: colours only where somebody sees them.
fn print(write: impl FnOnce(&mut Vec<u8>, &TimeZone) -> std::io::Result<()>) -> Done {
    let mut text = Vec::new();
    let mut out = anstream::stdout().lock();
    let written = write(&mut text, &TimeZone::system()).and_then(|()| {
        // A title stands apart from what is before it; here there is nothing.
        out.write_all(text.strip_prefix(b"\n").unwrap_or(&text))
    });
    written.and_then(|()| out.flush()).map_err(|error| Failure::output(&error))
}

#[cfg(test)]
mod tests;
