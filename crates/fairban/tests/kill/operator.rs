//! The operator, who acts all the time and is cut off now and then.

use std::thread;
use std::time::Duration;

use fairban_control::{Client, Mode, Request, Response, Shown, Whom};
use ipnet::IpNet;
use rustix::process::{Pid, Signal, kill_process};

use crate::kit::Dice;
use crate::{Stage, configure};

/// An order that was sent.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) order: &'static str,
    pub(crate) whom: String,
    /// Its number, if it was answered.
    pub(crate) seq: Option<u64>,
    /// No other order says the same.
    pub(crate) is_unique: bool,
}

pub(crate) struct Operator<'a> {
    stage: &'a Stage,
    client: Option<Client>,
    dice: Dice,
    next: u64,
    turn: u64,
    banned: Vec<IpNet>,
    allowed: Vec<IpNet>,
}

impl Operator<'_> {
    pub(crate) fn new(stage: &Stage, seed: u64) -> Operator<'_> {
        let dice = Dice::new(seed);
        Operator { stage, client: None, dice, next: 0, turn: 0, banned: Vec::new(), allowed: Vec::new() }
    }

    pub(crate) fn run(mut self) -> Vec<Done> {
        let mut done = Vec::new();
        while !self.stage.is_over() {
            if self.dice.one_in(40) {
                self.hang_up();
            }
            if self.client.is_none() {
                self.client = Client::connect(&self.stage.home.socket()).ok();
            }
            if self.client.is_some() {
                let (request, order, whom, is_unique) = self.choose();
                done.extend(self.send(&request, order, whom, is_unique));
            }
            thread::sleep(Duration::from_micros(self.dice.below(10_000)));
        }
        done
    }

    fn choose(&mut self) -> (Request, &'static str, String, bool) {
        self.next += 1;
        let (high, low) = (self.next / 250 % 250, self.next % 250);
        let prefix = |first: &str| -> IpNet { format!("{first}.{high}.{low}/32").parse().expect("a prefix") };
        match self.dice.below(10) {
            0..4 => {
                let prefix = prefix("198.18");
                self.banned.push(prefix);
                let reason = Some(Shown::of(format!("order {}", self.next)));
                let seconds = self.dice.one_in(2).then_some(86_400);
                (Request::Ban { prefix, seconds, reason }, "ban", prefix.to_string(), true)
            }
            4..6 if !self.banned.is_empty() => {
                let at = self.dice.below(self.banned.len() as u64) as usize;
                let prefix = self.banned.swap_remove(at);
                let forgive = self.dice.one_in(2);
                (Request::Unban { whom: Whom::Prefix(prefix), forgive }, "unban", prefix.to_string(), true)
            }
            6 if !self.allowed.is_empty() => {
                let prefix = self.allowed.remove(0);
                (Request::AllowRemove { prefix }, "allow-remove", prefix.to_string(), true)
            }
            6..8 => {
                let prefix = prefix("198.19");
                self.allowed.push(prefix);
                let note = Some(Shown::of(format!("order {}", self.next)));
                (Request::Allow { prefix, note }, "allow", prefix.to_string(), true)
            }
            8 => (Request::Mode { mode: Mode::Shadow }, "mode", "shadow".to_owned(), false),
            _ => {
                self.turn += 1;
                configure(&self.stage.home, self.turn);
                (Request::Reload, "reload", String::new(), false)
            }
        }
    }

    fn send(
        &mut self,
        request: &Request,
        order: &'static str,
        whom: String,
        is_unique: bool,
    ) -> Option<Done> {
        let answer = self.client.as_mut()?.ask(request);
        let seq = match answer {
            Ok(Response::Done(done)) => done.sequence,
            Ok(other) => panic!("{request:?}: {other:?}"),
            // Taken off the list by a killed service's order that was not answered.
            Err(fairban_control::ClientError::Refused(_)) => return None,
            Err(_) => {
                self.client = None;
                None
            }
        };
        Some(Done { order, whom, seq, is_unique })
    }

    /// A changed configuration, and HUP.
    fn hang_up(&mut self) {
        self.turn += 1;
        configure(&self.stage.home, self.turn);
        // Held, so that the process is not another meanwhile.
        let ready = self.stage.ready.lock().expect("no panic");
        let pid = ready.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            kill_process(pid, Signal::HUP).expect("our own child");
        }
    }
}
