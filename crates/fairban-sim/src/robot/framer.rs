//! Writes other people's addresses into names and passwords, in the forms of every log; and fails at their accounts.

use std::net::IpAddr;

use fairban_core::event::Protocol;
use fairban_core::time::Span;

use super::guesser::{Aim, Guesser, Pace, Pool, guess};
use crate::actor::Act;
use crate::cast::Stage;
use crate::world::account::{Name, Secret};

pub(crate) fn cast(stage: &mut Stage<'_>) {
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
