//! What holds whatever the events are.

mod world;

use fairban_core::effect::Effect;
use fairban_core::engine::{Config, Engine};
use fairban_core::event::{AuthEvent, Mechanism, Outcome, Service, Session, Tells};
use fairban_core::limits::Limits;
use fairban_core::time::{Span, Time};
use proptest::prelude::*;
use world::*;

fn config() -> Config {
    Config { narrate: true, ..Config::new([3; 16]) }
}

/// Few sources, accounts and secrets, so that they meet; every kind of line; times that mostly go on and sometimes back.
fn events() -> impl Strategy<Value = Vec<AuthEvent>> {
    let one = (0_u32..24, 0_usize..12, 0_u8..12, 0_u8..8, 0_i64..40, any::<u16>());
    prop::collection::vec(one, 0..160).prop_map(|rows| {
        let mut now = 1_000_000.0;
        rows.into_iter()
            .map(|(source, account, what, how, step, more)| {
                now += match step {
                    0..20 => 0.3 * step as f64,
                    20..36 => 40.0 * (step - 19) as f64,
                    36..38 => 9_000.0,
                    38 => 200_000.0,
                    _ => -30.0,
                };
                event(now, source, account, what, how, more)
            })
            .collect()
    })
}

fn event(now: f64, source: u32, account: usize, what: u8, how: u8, more: u16) -> AuthEvent {
    let source = match source % 3 {
        0 => format!("198.51.100.{source}"),
        1 => format!("2001:db8:1:{source:x}::1"),
        _ => format!("203.0.{source}.1"),
    };
    let name = if account < 6 {
        user(account)
    } else {
        format!("near{}@site.example", "abcdef".get(account - 6..).unwrap_or(""))
    };
    let mut event = match what {
        0 | 1 => login(now, &source, &name),
        2..=4 => wrong(now, &source, &name, &format!("s{}", more % 7)),
        5 => wrong_unseen(now, &source, &name),
        6 => digest(now, &source, &name),
        7 | 8 => unknown(now, &source, &name),
        9 => connect_only(now, &source),
        10 => smtpd_disconnect(now, &source, u32::from(more % 3), more % 2, more % 2 + more % 3),
        _ => attempt(now, &source, &name, Outcome::Failed),
    };
    match how {
        0 => event = of(Service::Dovecot, event),
        1 => event = smtpd(u32::from(more % 3), event),
        2 => event = of(Service::Sshd, event),
        3 => event.times = more % 40 + 1,
        4 => event.session = Session::Id(u64::from(more % 5)),
        5 if what == 11 => event.tells = Tells::Gap { lost: u32::from(more) },
        6 => event.mechanism = Mechanism::Unknown,
        7 if what < 9 => event.tells = Tells::Echo,
        _ => {}
    }
    event.common_secret = event.secret.is_some() && more.is_multiple_of(5);
    event
}

fn tight() -> Limits {
    Limits {
        suspects: 8,
        clients: 4,
        accounts: 5,
        sources_per_account: 2,
        pending: 3,
        names: 4,
        episodes_per_source: 3,
        prefixes: 3,
        attacked: 3,
        dictionary: 3,
        tags: 3,
        dossiers: 3,
        bans: 3,
    }
}

fn polled(engine: &mut Engine, into: &mut Vec<Effect>) {
    while let Some(effect) = engine.poll() {
        into.push(effect);
    }
}

fn run(engine: &mut Engine, events: &[AuthEvent]) -> Vec<Effect> {
    let mut effects = Vec::new();
    for event in events {
        engine.handle(event, b"line");
        polled(engine, &mut effects);
    }
    effects
}

fn check_bans(effects: &[Effect]) -> Result<(), TestCaseError> {
    let mut last = 0;
    for effect in effects {
        let Effect::Ban(ban) = effect else { continue };
        prop_assert!(ban.id > last, "numbers rise");
        last = ban.id;
        prop_assert!(ban.evidence >= ban.limit, "{} of {}", ban.evidence, ban.limit);
        prop_assert!(ban.until.is_some_and(|until| until > ban.time));
        prop_assert!(!ban.signals.is_empty());
        // Signals are told before decay, and credit decays too: what speaks against the source must suffice.
        let sum: f64 = ban.signals.iter().map(|signal| signal.nats.to_f64().max(0.0)).sum();
        prop_assert!(
            sum >= ban.evidence.to_f64() - 0.5,
            "{sum} explains {}: {:?}",
            ban.evidence,
            ban.signals
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn the_same_events_have_the_same_effects_and_every_ban_is_explained(events in events()) {
        let (mut one, mut other) = (Engine::new(config()), Engine::new(config()));
        let effects = run(&mut one, &events);
        prop_assert_eq!(&effects, &run(&mut other, &events));
        prop_assert_eq!(one.snapshot(), other.snapshot());
        check_bans(&effects)?;
    }

    #[test]
    fn full_tables_never_panic(events in events()) {
        let mut engine = Engine::with_limits(config(), tight());
        let effects = run(&mut engine, &events);
        for event in &events {
            if let Some(source) = event.source {
                engine.explain(&fairban_core::engine::Subject::Source(source));
            }
        }
        prop_assert!(effects.len() <= 64 * 40 * events.len() + 1);
    }

    #[test]
    fn a_restored_engine_goes_on_alike(events in events(), at in 0_usize..160, small in any::<bool>()) {
        let limits = if small { tight() } else { Limits::default() };
        let at = at.min(events.len());
        let mut whole = Engine::with_limits(config(), limits);
        run(&mut whole, &events[..at]);
        let bytes = whole.snapshot();
        let mut restored = Engine::restore(&bytes, config()).expect("it was just written");
        prop_assert_eq!(&restored.snapshot(), &bytes);
        prop_assert_eq!(run(&mut whole, &events[at..]), run(&mut restored, &events[at..]));
        prop_assert_eq!(whole.snapshot(), restored.snapshot());
    }

    #[test]
    fn how_often_the_clock_ticks_changes_nothing(events in events(), ticks in prop::collection::vec(0_i64..2_000, 160)) {
        let (mut plain, mut ticked) = (Engine::new(config()), Engine::new(config()));
        let (mut one, mut other) = (Vec::new(), Vec::new());
        let end = events.iter().map(|event| event.time).max().unwrap_or(Time::from_secs(0)).plus(Span::days(1));
        for (event, tick) in events.iter().zip(&ticks) {
            plain.handle(event, b"line");
            polled(&mut plain, &mut one);
            // Any number of moments between the last event and this one.
            for part in 1..=tick % 4 {
                let (now, next) = (ticked.now(), event.time);
                let gap = next.since(now).as_micros().max(0);
                ticked.advance(now.plus(Span::micros(gap * part / 4)));
                polled(&mut ticked, &mut other);
            }
            ticked.handle(event, b"line");
            polled(&mut ticked, &mut other);
        }
        plain.advance(end);
        polled(&mut plain, &mut one);
        for part in 1..=50 {
            let gap = end.since(ticked.now()).as_micros();
            ticked.advance(ticked.now().plus(Span::micros(gap * part / 50)));
            polled(&mut ticked, &mut other);
        }
        prop_assert_eq!(one, other);
        prop_assert_eq!(plain.snapshot(), ticked.snapshot());
    }

    /// Lines of one second that come in another order of sources: people who only mistype and log in stay spared.
    #[test]
    fn the_order_of_sources_within_a_second_bans_no_honest_one(
        seed in any::<u64>(),
        people in 2_usize..12,
    ) {
        let mut chance = Chance::new(seed);
        let mut by_source: Vec<Vec<AuthEvent>> = Vec::new();
        for person in 0..people {
            let mut lines = Vec::new();
            for step in 0..6 {
                let now = 1_000_000.0 + f64::from(step) * 90.0;
                if chance.is(0.5) {
                    lines.push(digest(now, &home(person), &user(person)));
                }
                lines.push(login(now + 1.0, &home(person), &user(person)));
            }
            by_source.push(lines);
        }
        by_source.push((0..40).map(|n| unknown(1_000_000.0 + f64::from(n), "198.51.100.7", &no_one(n as usize))).collect());
        for _ in 0..4 {
            let mut order: Vec<(Time, u64, AuthEvent)> = Vec::new();
            for lines in &by_source {
                let place = chance.next();
                order.extend(lines.iter().map(|event| (event.time, place, event.clone())));
            }
            order.sort_by_key(|(time, place, _)| (*time, *place));
            let mut world = World::cold();
            for (_, _, event) in &order {
                world.take(event);
            }
            for person in 0..people {
                world.assert_spared(&home(person));
            }
            prop_assert!(world.is_banned("198.51.100.7"));
        }
    }
}
