//! Who decides about bans: the engine, and what others do, each in a world of its own with the same actors.

mod counting;
mod engine;
mod increment;

use std::net::IpAddr;

use clap::ValueEnum;
use fairban_core::time::Time;
use ipnet::IpNet;

pub(crate) use counting::Counting;
pub(crate) use engine::{EngineJudge, Seen, over_limits, unexplained};
pub(crate) use increment::Increment;

use crate::format::Told;

/// A ban that was decided just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) prefix: IpNet,
    /// The evidence, for a person.
    pub(crate) because: String,
}

/// Sees the log and what time it is, and shuts out.
pub(crate) trait Judge {
    /// A line, and what it tells.
    fn read(&mut self, told: &Told, line: &str);

    /// A login failed, as the log shows.
    fn failed(&mut self, _source: IpAddr, _now: Time) {}

    /// Time goes on.
    fn tick(&mut self, _now: Time) {}

    /// Whether a packet from there is dropped.
    fn shuts_out(&self, source: IpAddr, now: Time) -> bool;

    /// The help desk lets somebody in again.
    fn pardon(&mut self, source: IpAddr, now: Time);

    /// The bans since the last call.
    fn verdicts(&mut self) -> Vec<Verdict>;

    /// All that it did and told, a line each, for a person.
    fn diary(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// What is wrong with what it did.
    fn complaints(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// The judges that are put side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// fairban's engine.
    Engine,
    /// 5 failures in 10 minutes, banned for 10 minutes.
    Counting,
    /// The same, each ban of an address twice as long as its last: fail2ban's `bantime.increment`.
    Increment,
    /// Nobody decides: the traffic as it would be, for logs.
    Nobody,
}

impl Kind {
    pub(crate) const COMPARED: [Kind; 3] = [Kind::Engine, Kind::Counting, Kind::Increment];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Engine => "fairban",
            Kind::Counting => "counting",
            Kind::Increment => "increment",
            Kind::Nobody => "nobody",
        }
    }

    pub(crate) fn make(self) -> Box<dyn Judge> {
        match self {
            Kind::Engine => Box::new(EngineJudge::new()),
            Kind::Counting => Box::new(Counting::default()),
            Kind::Increment => Box::new(Increment::default()),
            Kind::Nobody => Box::new(Nobody),
        }
    }
}

/// Lets everybody in.
struct Nobody;

impl Judge for Nobody {
    fn read(&mut self, _told: &Told, _line: &str) {}

    fn shuts_out(&self, _source: IpAddr, _now: Time) -> bool {
        false
    }

    fn pardon(&mut self, _source: IpAddr, _now: Time) {}

    fn verdicts(&mut self) -> Vec<Verdict> {
        Vec::new()
    }
}
