//! Whoever logs to the service's own syslog socket.
//!
//! A datagram that the kernel took and nobody read when the service is killed is lost; no sender is told. So what is
//! promised is less than for files: each at most once, in order, and within one life of the service nothing is missing but
//! at its end.

use std::os::unix::net::UnixDatagram;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crate::Stage;
use crate::kit::Dice;
use crate::writers::{stamp, text};

/// A datagram that the kernel took.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) name: String,
    /// Of the service, when it was sent.
    pub(crate) life: u64,
    /// The service was killed meanwhile.
    pub(crate) in_doubt: bool,
}

pub(crate) struct Sender<'a> {
    stage: &'a Stage,
    socket: UnixDatagram,
    next: u64,
    dice: Dice,
}

impl Sender<'_> {
    pub(crate) fn new(stage: &Stage, seed: u64) -> Sender<'_> {
        let socket = UnixDatagram::unbound().expect("a socket");
        socket.set_nonblocking(true).expect("a socket");
        Sender { stage, socket, next: 0, dice: Dice::new(seed) }
    }

    pub(crate) fn run(mut self) -> Vec<Sent> {
        let mut sent = Vec::new();
        while !self.stage.is_over() {
            for _ in 0..=self.dice.below(12) {
                sent.extend(self.send());
            }
            thread::sleep(Duration::from_micros(self.dice.below(8_000)));
        }
        sent
    }

    /// Tries until the kernel takes it, or all is over.
    fn send(&mut self) -> Option<Sent> {
        let name = format!("s{}", self.next);
        self.next += 1;
        let datagram = format!("<38>{} {}", stamp(), text(&name, &mut self.dice));
        let path = self.stage.home.path("log/socket");
        while !self.stage.is_over() {
            let life = self.stage.life.load(Ordering::Acquire);
            if self.socket.send_to(datagram.as_bytes(), &path).is_ok() {
                let in_doubt = self.stage.life.load(Ordering::Acquire) != life;
                return Some(Sent { name, life, in_doubt });
            }
            // Nobody listens, or the queue is full.
            thread::sleep(Duration::from_micros(500));
        }
        None
    }
}
