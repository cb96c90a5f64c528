//! The second honest world, built only from the published parameters of the simulator of `StopGuessing` (Tian, Herley,
//! Schechter, "`StopGuessing`: using guessed passwords to thwart online guessing", `EuroS&P` 2019, and its source). It
//! shares no habit with our own people, so that nothing is fitted to those.

use std::net::IpAddr;

use fairban_core::event::Protocol;
use fairban_core::time::{Span, Time};

use crate::actor::{Act, Actor, Profile};
use crate::cast::Stage;
use crate::world::account::{Name, Secret};
use crate::world::{MIDNIGHT, Reply, Try};

/// Users of a site of usual size. Theirs is a site of millions: ours to choose.
const USERS: f64 = 400.0;
/// Logins of a user lie so far apart. Theirs are drawn by popularity; a few a day is ours.
const EVERY: (Span, Span) = (Span::hours(1), Span::hours(8));
/// A password is mistyped.
const TYPO: f64 = 0.02;
/// Of the mistyped, so many are submitted once more as they are.
const TYPO_REPEATED: f64 = 2.0 / 3.0;
/// Of these repeats, so many have the name of another account.
const WRONG_NAME: f64 = 0.2;
/// Of those who fail, so many try the password of another account of theirs.
const OTHER_PASSWORD: f64 = 1.0 / 3.0;
/// A login begins a loop: a device with an old password …
const LOOP: f64 = 1.0 / 2_500.0;
/// … that asks every five minutes …
const LOOP_EVERY: Span = Span::minutes(5);
/// … for a day.
const LOOP_TIMES: u32 = 288;
/// One address in five stands before a proxy with this many users. Theirs have 1,000; at a site of this size all of
/// its proxied users share one.
const PROXIED: f64 = 0.2;
/// Between a failure and the next try. Theirs has no clock at this scale.
const RETRY: (Span, Span) = (Span::secs(3), Span::secs(30));

pub(crate) fn profiles() -> Vec<Profile> {
    vec![Profile::honest("sg-user", 1.0, cast_users), Profile::honest("sg-proxy", 1.0, cast_proxied)]
}

fn cast_users(stage: &mut Stage<'_>) {
    for _ in 0..stage.count(USERS * (1.0 - PROXIED)) {
        let address = stage.world.addresses.home(&mut stage.rng);
        add(stage, address, None);
    }
    // Robots need somebody to aim at.
    let all = stage.world.accounts.all();
    let victims = stage.rng.some(&all, 3);
    stage.world.victims.extend(victims);
}

fn cast_proxied(stage: &mut Stage<'_>) {
    let proxy = stage.world.addresses.home(&mut stage.rng);
    for _ in 0..stage.count(USERS * PROXIED) {
        add(stage, proxy, None);
    }
}

fn add(stage: &mut Stage<'_>, address: IpAddr, loops: Option<u32>) {
    let name = stage.world.accounts.hire(&mut stage.rng, MIDNIGHT);
    let user = User {
        name,
        address,
        protocol: stage.protocol(),
        every: stage.rng.span(EVERY.0, EVERY.1),
        next: Vec::new(),
        loops,
        comes_back: MIDNIGHT,
        old: Secret::fresh(&mut stage.rng),
    };
    let start = stage.some_time(0.2);
    stage.add(start, user);
}

/// A user, and the device of his that may loop beside him.
struct User {
    name: Name,
    address: IpAddr,
    protocol: Protocol,
    every: Span,
    /// What he will submit before the right password.
    next: Vec<Try>,
    /// Tries that the loop has left.
    loops: Option<u32>,
    comes_back: Time,
    old: Secret,
}

impl User {
    fn begins(&mut self, act: &mut Act<'_>) {
        if !act.rng.chance(TYPO) {
            return;
        }
        let typo = Secret::fresh(act.rng);
        if act.rng.chance(OTHER_PASSWORD) {
            self.next.push(Try::plain(&self.name, &Secret::fresh(act.rng)));
        }
        if act.rng.chance(TYPO_REPEATED) {
            let name = if act.rng.chance(WRONG_NAME) {
                let others = act.world.accounts.all();
                act.rng.pick(&others).clone()
            } else {
                self.name.clone()
            };
            self.next.push(Try::plain(&name, &typo));
        }
        self.next.push(Try::plain(&self.name, &typo));
    }

    fn goes_on_looping(&mut self, act: &mut Act<'_>) -> Option<Time> {
        let left = self.loops.as_mut()?;
        *left = left.saturating_sub(1);
        if *left == 0 {
            self.loops = None;
        }
        act.login(self.address, self.protocol, &Try::plain(&self.name, &self.old));
        Some(act.now().plus(LOOP_EVERY))
    }
}

impl Actor for User {
    fn wake(&mut self, act: &mut Act<'_>) -> Option<Time> {
        if act.now() < self.comes_back {
            let next = self.goes_on_looping(act).unwrap_or(self.comes_back);
            return Some(next.min(self.comes_back));
        }
        let right = self.name.account().map(|id| act.world.accounts.secret(id).clone())?;
        if self.next.is_empty() {
            self.begins(act);
        }
        let made = self.next.pop().unwrap_or_else(|| Try::plain(&self.name, &right));
        match act.login(self.address, self.protocol, &made) {
            Reply::In => {}
            Reply::Shut => return Some(act.now().plus(act.rng.span(Span::minutes(5), Span::hours(1)))),
            _ => return Some(act.now().plus(act.rng.span(RETRY.0, RETRY.1))),
        }
        if self.loops.is_none() && act.rng.chance(LOOP) {
            self.loops = Some(LOOP_TIMES);
        }
        self.comes_back = act.now().plus(act.rng.wait(self.every));
        Some(if self.loops.is_some() { act.now().plus(LOOP_EVERY) } else { self.comes_back })
    }
}
