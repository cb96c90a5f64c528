//! Robots that want to harm others: new people, the log, somebody's address, somebody's account.

use std::net::IpAddr;

use fairban_core::event::Protocol;
use fairban_core::time::{Span, Time};

use super::guesser::{Aim, Guesser, Names, Pace, Pool, collected_list, guess, public_list};
use crate::actor::{Act, Actor};
use crate::cast::Stage;
use crate::world::Try;
use crate::world::account::{Name, Secret};

/// From so many neighbourhoods.
const FEEDERS: usize = 12;

/// Names of people who will be hired at noon, from many sources, so that they become robots' names.
pub(crate) fn cast_name_feeder(stage: &mut Stage<'_>) {
    let mut names = stage.world.hires.clone();
    names.extend(public_list(stage.world, &mut stage.rng, 6));
    let pool = (0..FEEDERS).map(|_| stage.world.addresses.bot(&mut stage.rng)).collect();
    let each = names.len() as u64;
    let most = each * FEEDERS as u64;
    let protocol = stage.protocol();
    let pace = Pace::Even(Span::secs(50));
    let guesser = Guesser::new(Names::new(names), pace, Pool::Turns(pool, each), protocol, stage.world);
    let start = stage.war();
    stage.add(start, Guesser { most, ..guesser });
}

/// So much noise that syslog drops lines, and one robot that guesses behind it.
pub(crate) fn cast_log_flooder(stage: &mut Stage<'_>) {
    let protocol = stage.protocol();
    let noise = Noise {
        sources: (0..30).map(|_| stage.world.addresses.bot(&mut stage.rng)).collect(),
        name: stage.world.accounts.nobody(&mut stage.rng),
        protocol,
        made: 0,
    };
    let start = stage.some_time(0.5);
    stage.add(start, noise);
    let names = collected_list(stage.world, &mut stage.rng, 500, 0.5);
    let pool = Pool::one(stage.world.addresses.hosted(&mut stage.rng));
    let guesser = Guesser::new(Names::new(names), Pace::Even(Span::secs(30)), pool, protocol, stage.world);
    stage.add(start.plus(Span::secs(10)), guesser);
}

/// A minute of it in every ten, for an hour.
struct Noise {
    sources: Vec<IpAddr>,
    name: Name,
    protocol: Protocol,
    made: u32,
}

const NOISE_A_MINUTE: u32 = 3_000;

impl Actor for Noise {
    fn wake(&mut self, act: &mut Act<'_>) -> Option<Time> {
        self.made += 1;
        let source = *act.rng.pick(&self.sources);
        let secret = Secret::fresh(act.rng);
        act.login(source, self.protocol, &Try::plain(&self.name, &secret));
        if self.made >= 6 * NOISE_A_MINUTE {
            return None;
        }
        let pause = self.made.is_multiple_of(NOISE_A_MINUTE);
        Some(act.now().plus(if pause { Span::minutes(9) } else { Span::millis(20) }))
    }
}

/// Writes other people's addresses into names and passwords, in the forms of every log; and fails at their accounts.
pub(crate) fn cast_framer(stage: &mut Stage<'_>) {
    let victims = stage.world.framed.clone();
    let mut forms = Vec::new();
    for (address, name) in &victims {
        let local = name.local();
        forms.extend([
            format!("x@y:{address}"),
            format!("{local} from {address} port 22 ssh2"),
            format!("x>, method=plain, rip={address}, lip=72.3.142.43, session=<aaaa>"),
            format!("x,{address},<aaaaaaaaaaaaaaaa>): unknown user"),
            format!("x]: sasl login authentication failed: unknown[{address}], sasl_username=root"),
        ]);
    }
    let aim = Frame { victims, forms, at: 0 };
    let addresses: Vec<IpAddr> = (0..10).map(|_| stage.world.addresses.bot(&mut stage.rng)).collect();
    for protocol in [Protocol::Pop3, Protocol::Imap, Protocol::Submission] {
        let protocol = stage.world.format().spoken(protocol);
        let pool = Pool::Some(addresses.clone(), 0);
        let aim = Frame { victims: aim.victims.clone(), forms: aim.forms.clone(), at: 0 };
        let guesser = Guesser::new(aim, Pace::Even(Span::secs(45)), pool, protocol, stage.world);
        let start = stage.some_time(0.3);
        stage.add(start, Guesser { most: 600, ..guesser });
    }
}

struct Frame {
    victims: Vec<(IpAddr, Name)>,
    forms: Vec<String>,
    at: usize,
}

impl Aim for Frame {
    fn next(&mut self, act: &mut Act<'_>) -> Option<(Name, Secret)> {
        if self.victims.is_empty() {
            return None;
        }
        self.at += 1;
        let (address, name) = self.victims[self.at % self.victims.len()].clone();
        match self.at % 3 {
            0 => Some((name, guess(act.rng, true))),
            1 => {
                let form = &self.forms[self.at % self.forms.len()];
                Some((act.world.accounts.name(form), guess(act.rng, true)))
            }
            _ => {
                let secret = format!("x') {}:{address}", name.text());
                Some((name, Secret::Text(secret.into())))
            }
        }
    }
}
