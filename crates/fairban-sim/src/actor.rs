//! What an actor is, and the roster of all kinds of them.

use std::net::IpAddr;

use fairban_core::event::Protocol;
use fairban_core::time::{Span, Time};

use crate::cast::Stage;
use crate::format::Link;
use crate::rng::Rng;
use crate::world::{MIDNIGHT, Reply, Try, Who, World};

/// Somebody who does something now and then. Woken at the time it asked for, it acts and says when to wake it again.
pub(crate) trait Actor {
    /// `None`: it has done what it came for.
    fn wake(&mut self, act: &mut Act<'_>) -> Option<Time>;
}

/// What an actor can do.
pub(crate) struct Act<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) rng: &'a mut Rng,
    pub(crate) who: Who,
}

impl Act<'_> {
    pub(crate) fn now(&self) -> Time {
        self.world.now
    }

    pub(crate) fn login(&mut self, source: IpAddr, protocol: Protocol, made: &Try) -> Reply {
        self.world.login(self.who, source, protocol, made)
    }

    pub(crate) fn open(&mut self, source: IpAddr, protocol: Protocol) -> Option<Link> {
        self.world.open(self.who, source, protocol)
    }

    pub(crate) fn attempt(&mut self, link: &mut Link, made: &Try) -> Reply {
        self.world.attempt(self.who, link, made)
    }

    pub(crate) fn close(&mut self, link: &Link) {
        self.world.close(self.who, link);
    }

    /// A try that a ban kept out before it could be made.
    pub(crate) fn shut_out(&mut self, source: IpAddr, made: &Try) {
        self.world.shut_out(self.who, source, made);
    }
}

/// The hour of the day, with its fraction.
pub(crate) fn hour(now: Time) -> f64 {
    now.since(MIDNIGHT).as_secs().rem_euclid(86_400) as f64 / 3_600.0
}

/// The next time that a clock shows this hour.
pub(crate) fn next_hour(now: Time, at: f64) -> Time {
    let today = (at - hour(now)) * 3_600.0;
    let seconds = if today > 0.0 { today } else { today + 86_400.0 };
    now.plus(Span::micros((seconds * 1e6) as i64))
}

/// On which side of the ban an actor belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Honest,
    Robot,
}

/// What an unknown honest source would look like beside this robot: the situation that Wald's bound is computed for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Situation {
    /// A try each at accounts that are new at the source: this share of them unknown to the server.
    NewAccounts { unknown: f64 },
    /// Another secret each time at one account, which the log shows.
    NewSecrets,
    /// The log shows nothing by which this could be told from a device that loops.
    Nothing,
}

/// One kind of actor.
pub(crate) struct Profile {
    pub(crate) name: &'static str,
    pub(crate) side: Side,
    /// How often a world has it. People are everywhere; each world has some of the robots.
    pub(crate) presence: f64,
    pub(crate) situation: Situation,
    /// Brings its actors onto the stage.
    pub(crate) cast: fn(&mut Stage<'_>),
}

impl Profile {
    pub(crate) const fn honest(name: &'static str, presence: f64, cast: fn(&mut Stage<'_>)) -> Profile {
        Profile { name, side: Side::Honest, presence, situation: Situation::Nothing, cast }
    }

    pub(crate) const fn robot(
        name: &'static str,
        presence: f64,
        situation: Situation,
        cast: fn(&mut Stage<'_>),
    ) -> Profile {
        Profile { name, side: Side::Robot, presence, situation, cast }
    }
}
