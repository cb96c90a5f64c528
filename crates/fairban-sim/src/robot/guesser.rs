//! What all guessing robots share: somewhere to guess from, something to guess, and a rhythm.

use std::net::{IpAddr, Ipv6Addr};

use fairban_core::event::Protocol;
use fairban_core::time::{Span, Time};

use crate::actor::{Act, Actor};
use crate::format::Link;
use crate::rng::Rng;
use crate::world::account::{FIRST, Name, POPULAR, ROLES, Secret};
use crate::world::{Reply, Try, World};

/// What a robot guesses next; `None` when it has been through its list.
pub(super) trait Aim {
    fn next(&mut self, act: &mut Act<'_>) -> Option<(Name, Secret)>;

    /// A guess was right: no more of that account.
    fn found(&mut self, _name: &Name) {}
}

/// Names, each with some popular passwords, as lists of robots have them.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) list: Vec<Name>,
    pub(super) at: usize,
    /// Passwords a name, before the next name.
    pub(super) each: usize,
    /// From a list of passwords, or anything.
    pub(super) popular: bool,
}

impl Names {
    pub(super) fn new(list: Vec<Name>) -> Names {
        Names { list, at: 0, each: 1, popular: true }
    }
}

impl Aim for Names {
    fn next(&mut self, act: &mut Act<'_>) -> Option<(Name, Secret)> {
        if self.list.is_empty() {
            return None;
        }
        let name = self.list[self.at / self.each % self.list.len()].clone();
        // Over the same names again with other passwords, for ever.
        self.at += 1;
        Some((name, guess(act.rng, self.popular)))
    }
}

/// A password as robots choose it: by popularity (Zipf, as in Rasmus et al. 2024), or made up of the site's own words.
pub(super) fn guess(rng: &mut Rng, popular: bool) -> Secret {
    if popular && rng.chance(0.5) {
        let rank = libm::exp(rng.unit() * libm::log(POPULAR.len() as f64)) as usize - 1;
        Secret::Popular(rank.min(POPULAR.len() - 1))
    } else {
        Secret::fresh(rng)
    }
}

/// One account, another password each time.
#[derive(Clone, Debug)]
pub(super) struct OneAccount {
    pub(super) name: Name,
    at: usize,
}

impl OneAccount {
    pub(super) fn new(name: Name) -> OneAccount {
        OneAccount { name, at: 0 }
    }
}

impl Aim for OneAccount {
    fn next(&mut self, act: &mut Act<'_>) -> Option<(Name, Secret)> {
        // The list of popular ones from its top, then without end.
        self.at += 1;
        let secret =
            if self.at <= POPULAR.len() { Secret::Popular(self.at - 1) } else { Secret::fresh(act.rng) };
        Some((self.name.clone(), secret))
    }

    fn found(&mut self, _name: &Name) {
        // Known: from here on it is a login like any other.
        self.at = usize::MAX / 2;
    }
}

/// Given pairs, once each.
#[derive(Clone, Debug)]
pub(super) struct Pairs(pub(super) Vec<(Name, Secret)>);

impl Aim for Pairs {
    fn next(&mut self, _act: &mut Act<'_>) -> Option<(Name, Secret)> {
        self.0.pop()
    }
}

/// When it guesses.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// One after the other, about so far apart.
    Even(Span),
    /// So many so far apart, then a long sleep.
    Bursts { count: u32, gap: Span, sleep: Span },
}

/// How irregular robots are. Scripts sleep for a fixed time; what varies is the network and the load.
const JITTER: f64 = 0.15;

impl Pace {
    fn gap(self, rng: &mut Rng, made: u64) -> Span {
        match self {
            Pace::Even(mean) => rng.about(mean, JITTER),
            Pace::Bursts { count, sleep, .. } if made.is_multiple_of(u64::from(count)) => {
                rng.about(sleep, JITTER)
            }
            Pace::Bursts { gap, .. } => rng.about(gap, JITTER),
        }
    }
}

/// Where it guesses from.
#[derive(Clone, Debug)]
pub(super) enum Pool {
    /// These addresses; the next one when one is shut out.
    Some(Vec<IpAddr>, usize),
    /// Another one for every so many guesses, in turn.
    Turns(Vec<IpAddr>, u64),
    /// Another one each time, out of a network of IPv6 of this length.
    Network(Ipv6Addr, u8),
}

impl Pool {
    pub(super) fn one(address: IpAddr) -> Pool {
        Pool::Some(vec![address], 0)
    }

    fn address(&self, rng: &mut Rng, made: u64) -> IpAddr {
        match self {
            Pool::Some(list, at) => list[*at],
            Pool::Turns(list, each) => list[(made / each) as usize % list.len()],
            Pool::Network(network, length) => {
                let host = (u128::from(rng.bits()) << 64 | u128::from(rng.bits())) >> length;
                Ipv6Addr::from_bits(network.to_bits() | host | 1).into()
            }
        }
    }
}

/// What a robot does when packets are dropped: it waits for the time-out and asks again this much later. Assumption.
const ASKS_AGAIN: (Span, Span) = (Span::minutes(2), Span::minutes(20));
/// Where it has another address it takes that, this much later. Assumption.
const CHANGES: (Span, Span) = (Span::secs(30), Span::minutes(3));

/// A guessing robot.
pub(super) struct Guesser<A> {
    pub(super) aim: A,
    pub(super) pace: Pace,
    pub(super) pool: Pool,
    pub(super) protocol: Protocol,
    /// Tries in one connection.
    pub(super) each_link: u16,
    /// It logs in at an account of its own between guesses.
    pub(super) own: Option<Own>,
    /// Guesses that it comes for.
    pub(super) most: u64,
    pub(super) until: Time,
    pub(super) made: u64,
    pub(super) link: Option<Link>,
    pub(super) waiting: Option<(Name, Secret)>,
}

/// A good account in a robot's hands, and when it is used.
#[derive(Clone, Debug)]
pub(super) struct Own {
    pub(super) names: Vec<Name>,
    /// Logins before the first guess.
    pub(super) first: usize,
    /// Then one after so many guesses; 0 for never.
    pub(super) every: u64,
    /// And at random, this often.
    pub(super) chance: f64,
}

impl<A: Aim> Guesser<A> {
    pub(super) fn new(aim: A, pace: Pace, pool: Pool, protocol: Protocol, world: &World) -> Guesser<A> {
        Guesser {
            aim,
            pace,
            pool,
            protocol,
            each_link: 1,
            own: None,
            most: u64::MAX,
            until: world.end,
            made: 0,
            link: None,
            waiting: None,
        }
    }

    /// Logs in where it may. Returns whether that took this turn.
    fn used_own(&mut self, act: &mut Act<'_>, source: IpAddr) -> bool {
        let Some(own) = &mut self.own else { return false };
        let due = own.first > 0
            || own.every > 0 && self.made > 0 && self.made.is_multiple_of(own.every)
            || act.rng.chance(own.chance);
        if !due {
            return false;
        }
        let logins = if own.first > 0 { std::mem::take(&mut own.first) } else { 1 };
        for number in 0..logins {
            let name = own.names[number % own.names.len()].clone();
            if let Some(id) = name.account() {
                let secret = act.world.accounts.secret(id).clone();
                act.login(source, self.protocol, &Try::own(&name, &secret));
            }
        }
        true
    }

    fn guess(&mut self, act: &mut Act<'_>, source: IpAddr, made: &Try) -> Reply {
        if self.link.as_ref().is_some_and(|link| link.source != source) {
            self.hang_up(act);
        }
        let Some(mut link) = self.link.take().or_else(|| act.open(source, self.protocol)) else {
            act.shut_out(source, made);
            return Reply::Shut;
        };
        let reply = act.attempt(&mut link, made);
        match reply {
            Reply::Shut => {}
            Reply::Wrong | Reply::Unknown if link.tries() < self.each_link => self.link = Some(link),
            _ => act.close(&link),
        }
        reply
    }

    fn hang_up(&mut self, act: &mut Act<'_>) {
        if let Some(link) = self.link.take() {
            act.close(&link);
        }
    }

    /// When it goes on after a ban; from elsewhere, if it can.
    fn shut_out(&mut self, act: &mut Act<'_>) -> Time {
        let wait = match &mut self.pool {
            Pool::Some(list, at) if *at + 1 < list.len() => {
                *at += 1;
                act.rng.span(CHANGES.0, CHANGES.1)
            }
            Pool::Some(..) => act.rng.span(ASKS_AGAIN.0, ASKS_AGAIN.1),
            // It does not notice: it never waits for an answer.
            Pool::Turns(..) | Pool::Network(..) => {
                self.made += 1;
                self.pace.gap(act.rng, self.made)
            }
        };
        act.now().plus(wait)
    }
}

impl<A: Aim> Actor for Guesser<A> {
    fn wake(&mut self, act: &mut Act<'_>) -> Option<Time> {
        if self.made >= self.most || act.now() >= self.until {
            self.hang_up(act);
            return None;
        }
        let source = self.pool.address(act.rng, self.made);
        self.used_own(act, source);
        let Some((name, secret)) = self.waiting.take().or_else(|| self.aim.next(act)) else {
            self.hang_up(act);
            return None;
        };
        match self.guess(act, source, &Try::plain(&name, &secret)) {
            Reply::Shut => {
                self.waiting = Some((name, secret));
                return Some(self.shut_out(act));
            }
            Reply::In => self.aim.found(&name),
            _ => {}
        }
        self.made += 1;
        Some(act.now().plus(self.pace.gap(act.rng, self.made)))
    }
}

/// A list of names as robots have: roles and first names at the site's domains. `known` of a hundred exist.
pub(super) fn public_list(world: &mut World, rng: &mut Rng, length: usize) -> Vec<Name> {
    let domains = world.accounts.domains().to_vec();
    let mut list = Vec::with_capacity(length);
    for _ in 0..length {
        let local = if rng.chance(0.4) { *rng.pick(&ROLES) } else { *rng.pick(&FIRST) };
        let number = if rng.chance(0.4) { rng.whole(1, 99).to_string() } else { String::new() };
        let text = format!("{local}{number}@{}", rng.pick(&domains));
        list.push(world.accounts.name(&text));
    }
    list
}

/// A list that was collected about the site: this share of it exists.
pub(super) fn collected_list(world: &mut World, rng: &mut Rng, length: usize, exists: f64) -> Vec<Name> {
    let real = world.accounts.all();
    let mut list = rng.some(&real, (length as f64 * exists) as usize);
    let missing = length - list.len();
    let public = public_list(world, rng, missing);
    list.extend(public);
    let count = list.len();
    rng.some(&list, count)
}

/// Accounts that exist.
pub(super) fn real_accounts(world: &World, rng: &mut Rng, count: usize) -> Vec<Name> {
    let now = world.now;
    let mut real = world.accounts.all();
    real.retain(|name| name.account().is_some_and(|id| world.accounts.exists(id, now)));
    rng.some(&real, count)
}
