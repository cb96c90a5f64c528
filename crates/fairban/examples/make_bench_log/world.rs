//! Who logs in: users with their accounts, addresses and programs, and robots that come and go.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::random::Random;

const USERS: usize = 20_000;
const OFFICES: usize = 300;
const ROBOTS: usize = 60;

const DOMAINS: [&str; 8] = [
    "dansdesk.example",
    "powerpolitics.example",
    "maleasmith.example",
    "bigcorp.example",
    "clinic.example",
    "co-op.example",
    "school.example",
    "strangemail.example",
];
const FIRST: [&str; 24] = [
    "dan", "jordan", "malea", "anna", "peter", "susan", "omar", "li", "jack", "emma", "noah", "mia", "paul",
    "ruth", "ivan", "olga", "jose", "carla", "ken", "yuki", "tom", "eva", "max", "lena",
];
const LAST: [&str; 24] = [
    "smith", "jones", "brown", "miller", "davis", "wilson", "moore", "clark", "lewis", "hall", "young",
    "king", "wright", "hill", "green", "baker", "adams", "nelson", "carter", "evans", "turner", "parker",
    "cook", "bell",
];

/// Names that scanners try, most of which nobody here has.
pub(crate) const SCANNED: [&str; 40] = [
    "admin",
    "root",
    "test",
    "info",
    "sales",
    "support",
    "webmaster",
    "postmaster",
    "office",
    "contact",
    "mail",
    "user",
    "guest",
    "backup",
    "oracle",
    "postgres",
    "mysql",
    "nagios",
    "ftp",
    "www",
    "service",
    "scanner",
    "print",
    "copier",
    "marketing",
    "billing",
    "account",
    "hr",
    "jobs",
    "news",
    "abuse",
    "spam",
    "noreply",
    "student",
    "staff",
    "temp",
    "demo",
    "data",
    "git",
    "deploy",
];

/// How a user's program logs in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// POP3, digest first, plain when that fails.
    PopDigestFirst,
    /// POP3.
    Pop,
    /// IMAP.
    Imap,
    /// Submission of mail.
    Submission,
}

/// Somebody with an account.
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) domain: &'static str,
    pub(crate) address: IpAddr,
    pub(crate) program: Program,
    /// Goes on with an old password.
    pub(crate) stale: bool,
}

/// What a robot does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RobotKind {
    /// Names from a list, one after the other.
    Scan,
    /// One account.
    Guess(usize),
    /// One to three tries at anybody's.
    Botnet,
}

/// A robot.
pub(crate) struct Robot {
    pub(crate) address: IpAddr,
    pub(crate) kind: RobotKind,
    tries_left: u64,
}

/// Who tries to log in, as whom, with what.
pub(crate) struct Try {
    pub(crate) address: IpAddr,
    pub(crate) name: String,
    pub(crate) domain: &'static str,
    pub(crate) secret: String,
    /// The server knows the account.
    pub(crate) known: bool,
}

/// Everybody.
pub(crate) struct World {
    users: Vec<User>,
    robots: Vec<Robot>,
}

impl World {
    /// A world from a generator.
    pub(crate) fn new(random: &mut Random) -> World {
        let offices: Vec<IpAddr> = (0..OFFICES).map(|_| address_v4(random)).collect();
        let users = (0..USERS).map(|number| user(number, &offices, random)).collect();
        let robots = (0..ROBOTS).map(|slot| robot(slot, random)).collect();
        World { users, robots }
    }

    /// Somebody: some log in all day, many once in a while.
    pub(crate) fn user(&self, random: &mut Random) -> &User {
        let low = random.below(USERS as u64).min(random.below(USERS as u64));
        &self.users[low as usize]
    }

    /// The next try of some robot; one that is through goes, and another comes.
    pub(crate) fn guess(&mut self, random: &mut Random) -> Try {
        let index = random.below(ROBOTS as u64);
        let robot = &mut self.robots[index as usize];
        robot.tries_left -= 1;
        let (address, kind) = (robot.address, robot.kind);
        if robot.tries_left == 0 {
            *robot = self::robot(index as usize, random);
        }
        let secret = format!("{}{}", random.pick(&SCANNED), random.below(10_000));
        let victim = match kind {
            RobotKind::Guess(victim) => Some(victim),
            RobotKind::Botnet if random.percent(50) => Some(random.below(USERS as u64) as usize),
            RobotKind::Botnet | RobotKind::Scan => None,
        };
        if let Some(user) = victim.map(|victim| &self.users[victim]) {
            Try { address, name: user.name.clone(), domain: user.domain, secret, known: true }
        } else {
            let name = format!("{}{}", random.pick(&SCANNED), random.below(20));
            Try { address, name, domain: random.pick::<&'static str>(&DOMAINS), secret, known: false }
        }
    }
}

fn user(number: usize, offices: &[IpAddr], random: &mut Random) -> User {
    let address = match random.below(10) {
        0..2 => *random.pick(offices),
        2 => address_v6(random),
        _ => address_v4(random),
    };
    let program = match random.below(100) {
        0..45 => Program::PopDigestFirst,
        45..75 => Program::Pop,
        75..90 => Program::Imap,
        _ => Program::Submission,
    };
    let name = format!("{}.{}{number}", random.pick(&FIRST), random.pick(&LAST));
    User {
        name,
        domain: random.pick::<&'static str>(&DOMAINS),
        address,
        program,
        stale: random.below(300) == 0,
    }
}

/// Every second one belongs to the botnet, so that half of all tries come from addresses that are hardly met again.
fn robot(slot: usize, random: &mut Random) -> Robot {
    let address = if random.percent(5) { address_v6(random) } else { address_v4(random) };
    let (kind, tries_left) = match slot % 6 {
        0 => (RobotKind::Guess(random.below(USERS as u64) as usize), random.between(20, 2_000)),
        2 | 4 => (RobotKind::Scan, random.between(20, 3_000)),
        _ => (RobotKind::Botnet, random.between(1, 4)),
    };
    Robot { address, kind, tries_left }
}

fn address_v4(random: &mut Random) -> IpAddr {
    let bits = random.bits();
    let [a, b, c, d, ..] = bits.to_le_bytes();
    // Unicast, and none of the networks that stay inside.
    IpAddr::V4(Ipv4Addr::new(11 + a % 89, b, c, 1 + d % 254))
}

fn address_v6(random: &mut Random) -> IpAddr {
    let high = 0x2a02_0000_0000_0000 | (random.bits() >> 16);
    IpAddr::V6(Ipv6Addr::from((u128::from(high) << 64) | u128::from(random.bits())))
}
