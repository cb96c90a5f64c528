//! The world: a server, its log, whoever decides about bans, and simulated time.

pub(crate) mod account;
pub(crate) mod address;
pub(crate) mod score;
pub(crate) mod tape;

use std::net::IpAddr;

use fairban_core::event::Protocol;
use fairban_core::time::{Span, Time};

use crate::format::{Answer, Format, Link, Scribe, Tried};
use crate::judge::Judge;
use account::{Accounts, Name, Secret};
use address::Addresses;
use score::Score;
use tape::{Happened, Tape};

/// When every world begins: 2026-01-21T00:00:00Z.
pub(crate) const MIDNIGHT: Time = Time::from_secs(1_768_953_600);

/// Number of an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ActorId(pub(crate) u32);

/// Who acts: an actor and its profile's place in the roster.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who {
    pub(crate) actor: ActorId,
    pub(crate) profile: usize,
    pub(crate) is_robot: bool,
}

/// What became of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    In,
    Wrong,
    Unknown,
    Down,
    /// A ban keeps the packet out.
    Shut,
}

/// What a try is made of.
#[derive(Clone, Debug)]
pub(crate) struct Try {
    pub(crate) name: Name,
    pub(crate) secret: Secret,
    pub(crate) digest: bool,
    /// The account is the robot's own: no guess.
    pub(crate) own: bool,
}

impl Try {
    pub(crate) fn plain(name: &Name, secret: &Secret) -> Try {
        Try { name: name.clone(), secret: secret.clone(), digest: false, own: false }
    }

    pub(crate) fn digest(name: &Name) -> Try {
        Try { digest: true, ..Try::plain(name, &Secret::Own(0)) }
    }

    pub(crate) fn own(name: &Name, secret: &Secret) -> Try {
        Try { own: true, ..Try::plain(name, secret) }
    }
}

/// rsyslog's limit on what one process may write: the rest is dropped, with a notice.
#[derive(Clone, Copy, Debug)]
struct Quota {
    lines: u32,
    since: Time,
    written: u32,
    dropped: u32,
}

/// rsyslog's `SysSock.RateLimit.Interval` where it is set, and the burst that goes with it in its old defaults.
const QUOTA_TIME: Span = Span::secs(5);

/// See the module's head.
pub(crate) struct World {
    pub(crate) now: Time,
    /// When it ends.
    pub(crate) end: Time,
    pub(crate) accounts: Accounts,
    pub(crate) addresses: Addresses,
    pub(crate) score: Score,
    pub(crate) tape: Option<Tape>,
    /// Owners of accounts that robots aim at: the accounts.
    pub(crate) victims: Vec<Name>,
    /// Accounts that will be of use later: names that robots may spoil before.
    pub(crate) hires: Vec<Name>,
    /// Hosts through which many log in.
    pub(crate) exits: Vec<IpAddr>,
    /// Exits of VPNs, which a robot uses too.
    pub(crate) vpn: Vec<IpAddr>,
    /// Addresses that a robot has until then, and somebody else later.
    pub(crate) bequests: Vec<(IpAddr, Time)>,
    /// People whom robots would like to see banned.
    pub(crate) framed: Vec<(IpAddr, Name)>,
    /// The backend is down from, until.
    pub(crate) outage: Option<(Time, Time)>,
    scribe: Scribe,
    judge: Box<dyn Judge>,
    quota: Option<Quota>,
}

impl World {
    pub(crate) fn new(seed: u64, site: &crate::cast::Site, judge: Box<dyn Judge>) -> World {
        let quota = site.log_quota.map(|lines| Quota { lines, since: MIDNIGHT, written: 0, dropped: 0 });
        World {
            now: MIDNIGHT,
            end: MIDNIGHT.plus(site.length),
            accounts: Accounts::new(site.domains),
            addresses: Addresses::default(),
            score: Score::default(),
            tape: None,
            victims: Vec::new(),
            hires: Vec::new(),
            exits: Vec::new(),
            vpn: Vec::new(),
            bequests: Vec::new(),
            framed: Vec::new(),
            outage: site.outage,
            scribe: Scribe::new(site.format, seed),
            judge,
            quota,
        }
    }

    pub(crate) fn format(&self) -> Format {
        self.scribe.format
    }

    pub(crate) fn judge_complaints(&mut self) -> Vec<String> {
        self.judge.complaints()
    }

    /// What the judge did and told.
    pub(crate) fn judge_diary(&mut self) -> Vec<String> {
        self.judge.diary()
    }

    /// Time goes on to the next thing that somebody does.
    pub(crate) fn go_on(&mut self, now: Time) {
        self.now = self.now.max(now);
        self.judge.tick(self.now);
        self.heed();
    }

    /// Opens a connection; `None` if a ban keeps it out.
    pub(crate) fn open(&mut self, who: Who, source: IpAddr, protocol: Protocol) -> Option<Link> {
        if self.judge.shuts_out(source, self.now) {
            return None;
        }
        self.score.comes(who, source, self.now);
        let link = self.scribe.open(self.now, source, protocol);
        self.publish(source);
        Some(link)
    }

    /// One try over an open connection.
    pub(crate) fn attempt(&mut self, who: Who, link: &mut Link, made: &Try) -> Reply {
        if self.judge.shuts_out(link.source, self.now) {
            self.shut_out(who, link.source, made);
            return Reply::Shut;
        }
        let answer = self.answer(made);
        let Try { name, secret, digest, .. } = made;
        self.scribe.tried(self.now, link, &Tried { name, secret, digest: *digest, answer });
        self.score.tried(who, link.source, made, answer, self.now);
        let lines = self.lines();
        self.publish(link.source);
        if let Some(tape) = &mut self.tape {
            let what = match answer {
                Answer::In => Happened::In,
                Answer::Unknown => Happened::Unknown,
                Answer::Wrong | Answer::Down => Happened::Failed,
            };
            if made.own {
                tape.note(who, link.source);
            } else {
                let silent = tape.rows.len() == lines;
                tape.tell(who, link.source, self.now, (what, name.text()), silent);
            }
        }
        if matches!(answer, Answer::Wrong | Answer::Unknown) {
            self.judge.failed(link.source, self.now);
        }
        self.heed();
        match answer {
            Answer::In => Reply::In,
            Answer::Wrong => Reply::Wrong,
            Answer::Unknown => Reply::Unknown,
            Answer::Down => Reply::Down,
        }
    }

    pub(crate) fn close(&mut self, who: Who, link: &Link) {
        // A connection that was cut off ends on the server much later: nothing is told of it.
        if !self.judge.shuts_out(link.source, self.now) {
            self.scribe.close(self.now, link);
            let lines = self.lines();
            self.publish(link.source);
            if link.is_idle() {
                self.score.idled(who, link.source);
            }
            match &mut self.tape {
                Some(tape) if link.is_idle() => {
                    let silent = tape.rows.len() == lines;
                    tape.tell(who, link.source, self.now, (Happened::Idle, ""), silent);
                }
                Some(tape) if tape.rows.len() > lines => tape.prolong(link.source),
                _ => {}
            }
            self.heed();
        }
    }

    /// One try over a connection of its own.
    pub(crate) fn login(&mut self, who: Who, source: IpAddr, protocol: Protocol, made: &Try) -> Reply {
        let Some(mut link) = self.open(who, source, protocol) else {
            self.shut_out(who, source, made);
            return Reply::Shut;
        };
        let reply = self.attempt(who, &mut link, made);
        self.close(who, &link);
        reply
    }

    /// Somebody asks the help desk to be let in again.
    pub(crate) fn call_help_desk(&mut self, source: IpAddr) {
        self.judge.pardon(source, self.now);
        self.heed();
    }

    /// A try that a ban kept out.
    pub(crate) fn shut_out(&mut self, who: Who, source: IpAddr, made: &Try) {
        let would_be_in = self.answer(made) == Answer::In;
        self.score.shut_out(who, source, would_be_in, self.now);
    }

    fn answer(&self, made: &Try) -> Answer {
        if self.outage.is_some_and(|(from, until)| from <= self.now && self.now < until) {
            return Answer::Down;
        }
        match made.name.account().filter(|id| self.accounts.exists(*id, self.now)) {
            None => Answer::Unknown,
            // Its secrets are hashed: it cannot check a digest, and says so after the greeting.
            Some(_) if made.digest => Answer::Wrong,
            Some(id) if *self.accounts.secret(id) == made.secret => Answer::In,
            Some(_) => Answer::Wrong,
        }
    }

    /// Hands what was written to whoever reads it.
    fn publish(&mut self, source: IpAddr) {
        let World { scribe, judge, tape, quota, now, .. } = self;
        if let Some(quota) = quota
            && now.since(quota.since) >= QUOTA_TIME
        {
            let dropped = std::mem::take(&mut quota.dropped);
            (quota.since, quota.written) = (*now, 0);
            if dropped > 0 {
                scribe.page.lost(*now, dropped);
            }
        }
        for line in scribe.page.lines() {
            if let Some(quota) = quota {
                quota.written += 1;
                if quota.written > quota.lines {
                    quota.dropped += 1;
                    continue;
                }
            }
            let text = scribe.page.text(line);
            judge.read(&line.told, text);
            if let Some(tape) = tape {
                tape.take(source, &line.told, text);
            }
        }
        scribe.page.clear();
    }

    /// Lines on the tape so far.
    fn lines(&self) -> usize {
        self.tape.as_ref().map_or(0, |tape| tape.rows.len())
    }

    /// Counts new bans.
    fn heed(&mut self) {
        for verdict in self.judge.verdicts() {
            self.score.banned(&verdict, self.now);
        }
    }
}
