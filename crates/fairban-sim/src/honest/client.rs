//! A mail program that knows its password, and the person it belongs to.

use std::net::IpAddr;

use fairban_core::event::Protocol;
use fairban_core::time::{Span, Time};

use crate::actor::{Act, Actor, hour, next_hour};
use crate::world::account::{Name, Secret, slip};
use crate::world::address::within;
use crate::world::{Reply, Try};

/// Where somebody is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) address: IpAddr,
    /// What the device calls itself within an IPv6 /64; another one every day, as privacy addresses are (RFC 8981: a
    /// day is the preferred lifetime).
    interface: u64,
    day: i64,
}

impl Place {
    pub(crate) fn at(address: IpAddr) -> Place {
        Place { address, interface: 1, day: -1 }
    }

    pub(crate) fn now(&mut self, act: &mut Act<'_>) -> IpAddr {
        let day = act.now().secs() / 86_400;
        if self.address.is_ipv6() && day != self.day {
            (self.interface, self.day) = (act.rng.bits() | 1 << 63, day);
        }
        within(self.address, self.interface)
    }
}

/// What people do who cannot get in. Assumptions, all of them: nobody publishes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patience {
    shut: Option<Plan>,
}

#[derive(Clone, Copy, Debug)]
enum Plan {
    Wait,
    Call(Time),
    Move(Time),
}

/// Calls the help desk, which lets him in.
const CALLS: f64 = 0.3;
/// Goes to another place: a telephone, a neighbour.
const MOVES: f64 = 0.2;
/// It takes this long before somebody does something about it.
const NOTICES: (Span, Span) = (Span::minutes(10), Span::minutes(60));
/// The help desk works from, until (hours of the day).
const HELP_DESK: (f64, f64) = (8.0, 18.0);

impl Patience {
    /// Nothing keeps him out any more.
    pub(crate) fn relieved(&mut self) {
        self.shut = None;
    }

    /// A ban keeps him out. He may move to a new place.
    pub(crate) fn suffers(&mut self, act: &mut Act<'_>, place: &mut Place) {
        let now = act.now();
        let plan = *self.shut.get_or_insert_with(|| {
            let later = now.plus(act.rng.span(NOTICES.0, NOTICES.1));
            let luck = act.rng.unit();
            if luck < CALLS {
                Plan::Call(later)
            } else if luck < CALLS + MOVES {
                Plan::Move(later)
            } else {
                Plan::Wait
            }
        });
        match plan {
            Plan::Call(at) if at <= now && (HELP_DESK.0..HELP_DESK.1).contains(&hour(now)) => {
                let source = place.now(act);
                act.world.call_help_desk(source);
                self.shut = Some(Plan::Wait);
            }
            Plan::Move(at) if at <= now => {
                place.address = act.world.addresses.home(act.rng);
                self.shut = None;
            }
            _ => {}
        }
    }
}

/// When somebody is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hours(pub(crate) f64, pub(crate) f64);

impl Hours {
    pub(crate) const ALWAYS: Hours = Hours(0.0, 24.0);
    pub(crate) const OFFICE: Hours = Hours(8.0, 17.5);
    pub(crate) const AWAKE: Hours = Hours(7.0, 23.0);

    /// `then`, or the next morning.
    pub(crate) fn next(self, then: Time, act: &mut Act<'_>) -> Time {
        if (self.0..self.1).contains(&hour(then)) {
            then
        } else {
            next_hour(then, self.0).plus(act.rng.span(Span::ZERO, Span::minutes(40)))
        }
    }
}

/// What a mail program tries before it logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Nothing.
    Plain,
    /// A digest, which this server cannot check; with this name, if the two settings differ.
    DigestFirst(Option<String>),
}

/// A program that looks for mail.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) name: Name,
    pub(crate) secret: Secret,
    pub(crate) place: Place,
    pub(crate) protocol: Protocol,
    pub(crate) every: Span,
    pub(crate) hours: Hours,
    pub(crate) habit: Habit,
    /// From then on it knows the right password.
    pub(crate) corrected: Option<Time>,
    pub(super) patience: Patience,
}

/// How regularly programs look for mail: timers slip a little.
const TIMER_SLIP: f64 = 0.05;

impl Client {
    pub(crate) fn new(name: &Name, secret: Secret, address: IpAddr, protocol: Protocol) -> Client {
        Client {
            name: name.clone(),
            secret,
            place: Place::at(address),
            protocol,
            every: Span::minutes(15),
            hours: Hours::ALWAYS,
            habit: Habit::Plain,
            corrected: None,
            patience: Patience::default(),
        }
    }
}

impl Actor for Client {
    fn wake(&mut self, act: &mut Act<'_>) -> Option<Time> {
        if self.corrected.is_some_and(|at| at <= act.now())
            && let Some(account) = self.name.account()
        {
            self.secret = act.world.accounts.secret(account).clone();
        }
        let source = self.place.now(act);
        if let Habit::DigestFirst(other) = &self.habit
            && act.world.format().has_digests()
        {
            let name = match other {
                Some(other) => act.world.accounts.name(other),
                None => self.name.clone(),
            };
            act.login(source, self.protocol, &Try::digest(&name));
        }
        match act.login(source, self.protocol, &Try::plain(&self.name, &self.secret)) {
            Reply::Shut => self.patience.suffers(act, &mut self.place),
            _ => self.patience.relieved(),
        }
        let next = act.now().plus(act.rng.about(self.every, TIMER_SLIP));
        Some(self.hours.next(next, act))
    }
}

/// Somebody who types his password.
#[derive(Clone, Debug)]
pub(crate) struct Typist {
    pub(crate) name: Name,
    pub(crate) place: Place,
    pub(crate) protocol: Protocol,
    /// The mean wait between his visits.
    pub(crate) every: Span,
    pub(crate) hours: Hours,
    /// How often he mistypes the password, and the name.
    pub(crate) slips: f64,
    pub(crate) misnames: f64,
    /// How often he has forgotten which password it was.
    pub(crate) forgets: f64,
    /// He comes once.
    pub(crate) once: bool,
    /// Failures in the present visit.
    pub(crate) failed: u32,
    /// Wrong passwords that he believes in, tried before the right one.
    pub(crate) believes: Vec<Secret>,
    pub(super) patience: Patience,
}

/// Two thirds of mistyped passwords are typed so again (`StopGuessing`, `EuroS&P` 2019, the simulator's parameters).
const TYPED_SO_AGAIN: f64 = 2.0 / 3.0;
/// It takes this long to type a password once more.
const TYPING: (Span, Span) = (Span::secs(4), Span::secs(20));
/// After so many failures he leaves it for now.
const GIVES_UP_AFTER: u32 = 6;
/// Then he tries again after this, or asks for a new password.
const LATER: (Span, Span) = (Span::minutes(5), Span::hours(2));
/// Other passwords that he has. Assumption, after the few that people use (Florêncio and Herley, 2007: 6.5 each).
const OTHERS: usize = 6;

impl Typist {
    pub(crate) fn new(name: &Name, address: IpAddr, protocol: Protocol) -> Typist {
        Typist {
            name: name.clone(),
            place: Place::at(address),
            protocol,
            every: Span::hours(3),
            hours: Hours::AWAKE,
            slips: 0.0,
            misnames: 0.0,
            forgets: 0.0,
            once: false,
            failed: 0,
            believes: Vec::new(),
            patience: Patience::default(),
        }
    }

    fn typed(&mut self, act: &mut Act<'_>) -> Try {
        if self.failed == 0 && self.believes.is_empty() && act.rng.chance(self.forgets) {
            let others = act.rng.whole(1, OTHERS);
            self.believes = (0..others).map(|_| Secret::fresh(act.rng)).collect();
        }
        if let Some(believed) = self.believes.pop() {
            return Try::plain(&self.name, &believed);
        }
        let secret = self.name.account().map_or(Secret::Own(0), |id| act.world.accounts.secret(id).clone());
        if act.rng.chance(self.misnames) {
            let name = slip(act.rng, self.name.text());
            let name = act.world.accounts.name(&name);
            return Try::plain(&name, &secret);
        }
        if act.rng.chance(self.slips) {
            let typo = Secret::fresh(act.rng);
            if act.rng.chance(TYPED_SO_AGAIN) {
                self.believes.push(typo.clone());
            }
            return Try::plain(&self.name, &typo);
        }
        Try::plain(&self.name, &secret)
    }

    fn next_visit(&mut self, act: &mut Act<'_>) -> Option<Time> {
        self.failed = 0;
        if self.once {
            return None;
        }
        let next = act.now().plus(act.rng.wait(self.every));
        Some(self.hours.next(next, act))
    }
}

impl Actor for Typist {
    fn wake(&mut self, act: &mut Act<'_>) -> Option<Time> {
        let source = self.place.now(act);
        let made = self.typed(act);
        match act.login(source, self.protocol, &made) {
            Reply::In => {
                self.patience.relieved();
                self.next_visit(act)
            }
            Reply::Shut => {
                self.patience.suffers(act, &mut self.place);
                Some(act.now().plus(act.rng.span(LATER.0, LATER.1)))
            }
            Reply::Wrong | Reply::Unknown | Reply::Down => {
                self.failed += 1;
                if self.failed.is_multiple_of(GIVES_UP_AFTER) {
                    return Some(act.now().plus(act.rng.span(LATER.0, LATER.1)));
                }
                Some(act.now().plus(act.rng.span(TYPING.0, TYPING.1)))
            }
        }
    }
}
