//! Whatever the lines: no panic, no more attempts than tries were told, and the same again for the same events.

use proptest::prelude::*;

use super::*;
use crate::event::{Mechanism, Witness};

fn tells() -> impl Strategy<Value = Tells> {
    let count = || proptest::option::of(prop_oneof![0_u16..4, Just(u16::MAX)]);
    prop_oneof![
        4 => Just(Tells::Attempt),
        4 => Just(Tells::Echo),
        2 => Just(Tells::Connect),
        3 => (count(), count()).prop_map(|(failed, succeeded)| Tells::End { failed, succeeded }),
        1 => Just(Tells::Refused),
        1 => Just(Tells::Used),
        1 => Just(Tells::Fault),
        1 => (0_u32..9, 0_u32..9).prop_map(|(in_use, slots)| Tells::Slots { in_use, slots }),
        1 => Just(Tells::TurnedAway),
        1 => Just(Tells::Gap { lost: 1 }),
        1 => Just(Tells::Torn),
    ]
}

fn account() -> impl Strategy<Value = Account> {
    let key = || {
        prop_oneof![Just("a"), Just("ab"), Just("b"), Just("a@x")]
            .prop_map(|name| AccountKey::new(name.as_bytes()))
    };
    prop_oneof![
        3 => key().prop_map(Account::Known),
        1 => key().prop_map(Account::Cut),
        1 => (key(), prop_oneof![0_u16..4, Just(u16::MAX)]).prop_map(|(key, of)| Account::Last { key, of }),
        2 => Just(Account::Hidden),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    proptest::sample::select(vec![
        Outcome::Success,
        Outcome::BadSecret,
        Outcome::UnknownAccount,
        Outcome::Failed,
        Outcome::Denied,
        Outcome::Aborted,
        Outcome::ServerFault,
    ])
}

fn any_event() -> impl Strategy<Value = AuthEvent> {
    let service = proptest::sample::select(Service::ALL.to_vec());
    let protocol = proptest::sample::select(vec![
        Protocol::Pop3,
        Protocol::Smtp,
        Protocol::Submission,
        Protocol::Ssh,
        Protocol::Unknown,
    ]);
    let source = proptest::option::weighted(0.9, proptest::sample::select(vec![CLIENT, OTHER]));
    let session = prop_oneof![
        Just(Session::None),
        (0_u64..3).prop_map(Session::Id),
        (0_u32..3).prop_map(Session::Pid),
    ];
    let witness = proptest::sample::select(vec![Witness::Absent, Witness::Agrees, Witness::Contradicts]);
    let port = proptest::option::of(0_u16..2);
    let times = prop_oneof![5 => Just(1_u16), 1 => Just(0), 1 => Just(2), 1 => Just(u16::MAX)];
    let lasted = proptest::option::of(any::<i64>().prop_map(Span::micros));
    ((service, tells(), protocol, source, session), (account(), outcome(), witness, port, times, lasted))
        .prop_map(
            |(
                (service, tells, protocol, source, session),
                (account, outcome, witness, port, times, lasted),
            )| AuthEvent {
                protocol,
                source: source.map(address),
                session,
                account,
                outcome,
                witness,
                port,
                times,
                lasted,
                mechanism: Mechanism::Plain,
                ..AuthEvent::new(service, tells)
            },
        )
}

/// Events, each with milliseconds since the one before and its stamp's distance from engine time.
fn any_log() -> impl Strategy<Value = Vec<(u32, i64, AuthEvent)>> {
    let wait = prop_oneof![4 => 0_u32..100, 2 => 0_u32..4_000, 1 => 0_u32..200_000];
    let late = prop_oneof![6 => Just(0_i64), 1 => -5_000_i64..5_000, 1 => any::<i64>()];
    proptest::collection::vec((wait, late, any_event()), 0..120)
}

/// The most tries that a line can tell.
fn tries_told(event: &AuthEvent) -> usize {
    let unrolled = usize::from(event.times.clamp(1, 256))
        * match event.account {
            Account::Last { of, .. } => usize::from(of.clamp(1, 256)),
            _ => 1,
        };
    match event.tells {
        Tells::Attempt | Tells::Echo | Tells::Fault => unrolled.min(256),
        Tells::Used => 1,
        Tells::End { failed, succeeded } => {
            let counted =
                usize::from(failed.unwrap_or(0)).min(256) + usize::from(succeeded.unwrap_or(0).min(256));
            counted.max(usize::from(matches!(event.outcome, Outcome::Denied | Outcome::ServerFault)))
        }
        _ => 0,
    }
}

fn run(lines: &[(u32, i64, AuthEvent)], ticks: bool) -> (Joiner, VecDeque<Joined>, Vec<u8>) {
    let (mut joiner, mut told) = (Joiner::default(), VecDeque::new());
    let mut now = Time::from_secs(1_000_000);
    for (wait, late, event) in lines {
        let next = now.plus(Span::millis(i64::from(*wait)));
        if ticks {
            while now < next {
                now = now.plus(Span::secs(1)).min(next);
                joiner.advance(now, &mut told);
            }
        }
        now = next;
        joiner.advance(now, &mut told);
        joiner.handle(now, &AuthEvent { time: now.plus(Span::millis(*late)), ..event.clone() }, &mut told);
    }
    let bytes = postcard::to_allocvec(&joiner).expect("the state has a serial form");
    joiner.advance(now.plus(Span::hours(1)), &mut told);
    (joiner, told, bytes)
}

proptest! {
    #[test]
    fn no_events_make_more_attempts_than_tries_were_told(lines in any_log()) {
        let (joiner, told, bytes) = run(&lines, false);
        let attempts = told.iter().filter(|told| matches!(told, Joined::Attempt(_))).count();
        let most: usize = lines.iter().map(|(_, _, event)| tries_told(event)).sum();
        prop_assert!(attempts <= most, "{attempts} attempts of {most} tries");
        prop_assert_eq!(joiner.next_deadline(), None);
        for joined in &told {
            if let Joined::Attempt(attempt) = joined {
                prop_assert!(attempt.outcome != Outcome::Aborted);
                let unrolled = !matches!(attempt.account, Account::Last { .. });
                prop_assert!(unrolled);
            }
        }

        let (_, again, bytes_again) = run(&lines, false);
        prop_assert_eq!(&told, &again);
        prop_assert_eq!(&bytes, &bytes_again);
        let (_, ticked, bytes_ticked) = run(&lines, true);
        prop_assert_eq!(&told, &ticked, "how often the clock ticks changes nothing");
        prop_assert_eq!(&bytes, &bytes_ticked);
    }

    #[test]
    fn a_joiner_cut_in_the_middle_goes_on_as_if_nothing_had_been(lines in any_log(), cut in 0_usize..120) {
        let (_, _, bytes) = run(&lines[..cut.min(lines.len())], false);
        let restored: Joiner = postcard::from_bytes(&bytes).expect("just written");
        prop_assert_eq!(postcard::to_allocvec(&restored).expect("the state has a serial form"), bytes);
    }
}
