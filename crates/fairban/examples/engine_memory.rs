//! How many bytes the engine allocates for a million sources: part of `scripts/bench`.
//!
//! A hundred thousand familiar pairs log in first, each account from an address of its own; then, over a day, a million
//! addresses that nobody has seen fail one to three times each, half of them at accounts that exist. The allocator
//! counts; what the engine told before it was built counts for nothing.

use std::alloc::System;
use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;

use cap::Cap;
use fairban_core::account::{Account, AccountKey};
use fairban_core::engine::{Config, Engine};
use fairban_core::event::{AuthEvent, Mechanism, Outcome, Protocol, SecretTag, Service, Tells};
use fairban_core::time::{Span, Time};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const FAMILIAR: u32 = 100_000;
const SOURCES: u32 = 1_000_000;

/// Networks of their own, so that no robot sits beside a user: users from 20.0.0.0 on, strangers from 64.0.0.0 on.
const FAMILIAR_FROM: u32 = 20 << 24;
const STRANGERS_FROM: u32 = 64 << 24;

/// An odd number spreads neighbours over 2^29 addresses: each is met once, and few share a /24.
const SPREAD: u32 = 40_503_813;

#[expect(clippy::print_stdout, reason = "prints what it measured")]
fn main() -> ExitCode {
    let before = ALLOCATOR.allocated();
    let mut engine = Engine::new(Config::new([7; 16]));
    let mut time = Time::from_secs(1_767_225_600);
    let mut events = 0_u64;
    let mut effects = 0_u64;
    for number in 0..FAMILIAR {
        time = time.plus(Span::millis(500));
        let source = Ipv4Addr::from_bits(FAMILIAR_FROM + number * 331);
        effects += tell(&mut engine, &attempt(time, source, &user(number), Outcome::Success, None));
        events += 1;
    }
    for number in 0..SOURCES {
        let source = Ipv4Addr::from_bits(STRANGERS_FROM + (number.wrapping_mul(SPREAD) & 0x1fff_ffff));
        for guess in 0..=number % 3 {
            time = time.plus(Span::millis(43));
            let mix = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(guess);
            let event = if number % 2 == 0 {
                let tag = Some(SecretTag::from_hash(mix >> 40));
                attempt(time, source, &user(mix as u32 % FAMILIAR), Outcome::BadSecret, tag)
            } else {
                let name = format!("name{}@bigcorp.example", mix % 5_000);
                attempt(time, source, &name, Outcome::UnknownAccount, None)
            };
            effects += tell(&mut engine, &event);
            events += 1;
        }
    }
    let (end, peak) = (ALLOCATOR.allocated() - before, ALLOCATOR.max_allocated() - before);
    println!(
        "sources={SOURCES} familiar={FAMILIAR} events={events} effects={effects} end_bytes={end} peak_bytes={peak}"
    );
    drop(engine);
    ExitCode::SUCCESS
}

fn user(number: u32) -> String {
    format!("user{number}@bigcorp.example")
}

fn attempt(
    time: Time,
    source: Ipv4Addr,
    name: &str,
    outcome: Outcome,
    secret: Option<SecretTag>,
) -> AuthEvent {
    let mut event = AuthEvent::new(Service::Vpopmail, Tells::Attempt);
    event.time = time;
    event.protocol = Protocol::Pop3;
    event.source = Some(IpAddr::V4(source));
    event.account = Account::Known(AccountKey::new(name.as_bytes()));
    event.outcome = outcome;
    event.mechanism = Mechanism::Plain;
    event.secret = secret;
    event
}

/// Hands the event over and counts what the engine wants done.
fn tell(engine: &mut Engine, event: &AuthEvent) -> u64 {
    engine.handle(
        event,
        b"Jan 21 08:31:02 mx vpopmail[11387]: vchkpw-pop3: password fail u@bigcorp.example:64.0.0.1",
    );
    engine.advance(event.time);
    std::iter::from_fn(|| engine.poll()).count() as u64
}
