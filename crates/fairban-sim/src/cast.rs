//! Who is in a world: sites differ, and so do the people and robots that come to them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use fairban_core::event::Protocol;
use fairban_core::time::{Span, Time};

use crate::actor::{Act, Actor, Profile, Side};
use crate::format::Format;
use crate::judge::Kind;
use crate::rng::Rng;
use crate::world::tape::Tape;
use crate::world::{ActorId, MIDNIGHT, Who, World};
use crate::{honest, robot, stopguessing};

/// Which honest people live in a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum People {
    /// Ours: many kinds, one file each.
    #[default]
    Ours,
    /// After the published parameters of the simulator of `StopGuessing`.
    Stopguessing,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) length: Span,
    pub(crate) people: People,
    /// Only these profiles (and plain users, so that the site is one).
    pub(crate) actors: Vec<String>,
    pub(crate) format: Option<Format>,
}

/// What kind of site a seed has.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) format: Format,
    pub(crate) domains: usize,
    pub(crate) length: Span,
    /// How many people, as a multiple of the usual.
    pub(crate) size: f64,
    /// Robots come only after this: a site that was quiet while we learnt who is familiar.
    pub(crate) peace: Span,
    pub(crate) outage: Option<(Time, Time)>,
    /// Lines that syslog takes of one service in five seconds.
    pub(crate) log_quota: Option<u32>,
}

/// How often sites log how. Assumption: what our users ask for first is mail.
const FORMATS: [(Format, f64); 7] = [
    (Format::Mixed, 0.40),
    (Format::Vchkpw, 0.12),
    (Format::Tcpserver, 0.08),
    (Format::Dovecot, 0.10),
    (Format::DovecotHash, 0.08),
    (Format::Postfix, 0.08),
    (Format::Sshd, 0.14),
];
/// A backend is down for some minutes on one day in ten. Assumption.
const OUTAGE: f64 = 0.1;
/// A third of the sites is cold: robots are there from the first line that is read.
const COLD: f64 = 1.0 / 3.0;
/// The old limit of rsyslog's `imuxsock`.
const LOG_QUOTA: u32 = 200;

impl Site {
    fn of(seed: u64, ask: &Ask) -> Site {
        let mut rng = Rng::of(seed, "site", 0);
        let mut luck = rng.unit();
        let drawn = FORMATS.iter().find(|(_, share)| {
            luck -= share;
            luck < 0.0
        });
        let format = drawn.map_or(Format::Mixed, |(format, _)| *format);
        let peace = if rng.chance(COLD) { Span::ZERO } else { rng.span(Span::hours(1), Span::hours(7)) };
        let down = MIDNIGHT.plus(rng.span(Span::hours(8), Span::hours(20)));
        let lasts = rng.span(Span::minutes(3), Span::minutes(25));
        let outage = rng.chance(OUTAGE).then(|| (down, down.plus(lasts)));
        let format = ask.format.unwrap_or(format);
        let domains = rng.whole(1, 5);
        Site {
            format,
            // sshd knows local names only: two domains would make two people one.
            domains: if format == Format::Sshd { 1 } else { domains },
            length: ask.length,
            size: libm::exp(rng.between(libm::log(0.5), libm::log(2.0))),
            peace,
            outage,
            log_quota: rng.chance(0.3).then_some(LOG_QUOTA),
        }
    }
}

/// Where a profile brings its actors from.
pub(crate) struct Stage<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) site: &'a Site,
    pub(crate) rng: Rng,
    seed: u64,
    profile: &'a Profile,
    place: usize,
    made: u64,
    troupe: &'a mut Troupe,
}

impl Stage<'_> {
    /// About so many, by the size of the site.
    pub(crate) fn count(&mut self, usual: f64) -> usize {
        let mean = usual * self.site.size;
        let whole = mean.floor();
        whole as usize + usize::from(self.rng.chance(mean - whole))
    }

    /// When robots may begin.
    pub(crate) fn war(&self) -> Time {
        MIDNIGHT.plus(self.site.peace)
    }

    /// Some time within the first `share` of what is left of the day.
    pub(crate) fn some_time(&mut self, share: f64) -> Time {
        let from = if self.profile.side == Side::Robot { self.war() } else { MIDNIGHT };
        let left = self.world.end.since(from).as_micros() as f64 * share;
        from.plus(Span::micros((left * self.rng.unit()) as i64))
    }

    /// What a mail program speaks. Assumption: half of them POP3, as in the founding logs.
    pub(crate) fn protocol(&mut self) -> Protocol {
        let wanted = match self.rng.below(10) {
            0..=4 => Protocol::Pop3,
            5..=8 => Protocol::Imap,
            _ => Protocol::Submission,
        };
        self.world.format().spoken(wanted)
    }

    /// One that shows no secret where there is a choice.
    pub(crate) fn blind_protocol(&self) -> Protocol {
        self.world.format().spoken(Protocol::Imap)
    }

    /// One that shows the secret where there is a choice.
    pub(crate) fn telling_protocol(&self) -> Protocol {
        self.world.format().spoken(Protocol::Pop3)
    }

    /// The stream of the next actor.
    pub(crate) fn stream(&self) -> Rng {
        Rng::of(self.seed, self.profile.name, 1 + self.made)
    }

    /// Brings an actor on, to be woken first at `start`.
    pub(crate) fn add(&mut self, start: Time, actor: impl Actor + 'static) {
        let rng = self.stream();
        self.made += 1;
        let number = self.troupe.actors.len() as u32;
        let who =
            Who { actor: ActorId(number), profile: self.place, is_robot: self.profile.side == Side::Robot };
        self.troupe.actors.push(Member { actor: Box::new(actor), rng, who });
        self.troupe.wake(start, number);
    }
}

struct Member {
    actor: Box<dyn Actor>,
    rng: Rng,
    who: Who,
}

/// All actors, and who is next.
#[derive(Default)]
struct Troupe {
    actors: Vec<Member>,
    queue: BinaryHeap<Reverse<(Time, u64, u32)>>,
    woken: u64,
}

impl Troupe {
    fn wake(&mut self, at: Time, number: u32) {
        self.woken += 1;
        self.queue.push(Reverse((at, self.woken, number)));
    }
}

/// Every kind of actor, honest ones first.
pub(crate) fn roster(people: People) -> Vec<Profile> {
    let mut all = match people {
        People::Ours => honest::profiles(),
        People::Stopguessing => stopguessing::profiles(),
    };
    all.extend(robot::profiles());
    all
}

/// Whom an actor needs to have something to do.
fn company(actor: &str) -> Option<&'static str> {
    match actor {
        "vpn-robot" => Some("vpn-exit"),
        "webmail-robot" => Some("webmail"),
        "tenant" => Some("heir"),
        "heir" => Some("tenant"),
        "framer" | "neighbour" => Some("bystander"),
        "name-feeder" => Some("new-hire"),
        "botnet-targeted" => Some("owner"),
        _ => None,
    }
}

/// Plays the world of a seed under a judge, to its end.
pub(crate) fn play(seed: u64, ask: &Ask, roster: &[Profile], judge: Kind, keep_log: bool) -> World {
    let site = Site::of(seed, ask);
    let mut world = World::new(seed, &site, judge.make());
    if keep_log {
        world.tape = Some(Tape::default());
    }
    let mut troupe = Troupe::default();
    let is_asked = |profile: &Profile| {
        ask.actors.iter().any(|name| name == profile.name || company(name) == Some(profile.name))
    };
    for (place, profile) in roster.iter().enumerate() {
        let mut rng = Rng::of(seed, profile.name, 0);
        let present = rng.chance(profile.presence);
        let chosen = if ask.actors.is_empty() { present } else { is_asked(profile) || place == 0 };
        if chosen {
            let (world, troupe, site) = (&mut world, &mut troupe, &site);
            (profile.cast)(&mut Stage { world, site, rng, seed, profile, place, made: 0, troupe });
        }
    }
    while let Some(Reverse((at, _, number))) = troupe.queue.pop() {
        if at >= world.end {
            break;
        }
        world.go_on(at);
        let Member { actor, rng, who } = &mut troupe.actors[number as usize];
        let next = actor.wake(&mut Act { world: &mut world, rng, who: *who });
        if let Some(next) = next {
            troupe.wake(next.max(at), number);
        }
    }
    let end = world.end;
    world.go_on(end);
    world
}
