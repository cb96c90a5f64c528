use fairban_core::event::{Outcome, Service, Tells};

use super::*;

const KEY: [u8; 16] = [3; 16];

fn rule() -> Rule {
    "5/10m/10m".parse().expect("a rule")
}

fn desk() -> Desk {
    Desk::new(Config::new(KEY), rule())
}

fn unknown(secs: i64, source: &str, account: &str) -> Entry {
    let event = AuthEvent {
        time: Time::from_secs(secs),
        source: Some(source.parse().expect("an address")),
        account: fairban_core::account::Account::Known(fairban_core::account::AccountKey::new(
            account.as_bytes(),
        )),
        outcome: Outcome::UnknownAccount,
        ..AuthEvent::new(Service::Vpopmail, Tells::Attempt)
    };
    let text = format!("{secs} {source} {account}");
    let hash = crate::pipeline::line_hash(&event, text.as_bytes());
    Entry::Line { input: 0, line: 1, event, text: text.into_bytes(), hash }
}

fn by() -> By {
    By { uid: 0, pid: 1 }
}

fn action(secs: i64, action: Action) -> Entry {
    Entry::Action { time: Time::from_secs(secs), by: by(), action, reason: String::new() }
}

fn net(prefix: &str) -> IpNet {
    prefix.parse().expect("a prefix")
}

/// A scan, a ban by order, an allowed prefix, a change of mode, and time going on.
fn story() -> Vec<Entry> {
    let mut story = vec![
        Entry::Configured { time: Time::from_secs(1_000), config: Config::new(KEY), mode: Mode::Shadow },
        Entry::Input { number: 0, key: "/var/log/maillog".to_owned() },
        Entry::Learnt { time: Time::from_secs(1_000) },
    ];
    for n in 0..30 {
        story.push(unknown(2_000 + n * 3, "198.51.100.7", &format!("nobody{n}@site.example")));
        story.push(Entry::Read { input: 0, position: vec![n as u8] });
    }
    story.push(action(2_100, Action::Order(Order::Ban { prefix: net("203.0.113.0/24"), until: None })));
    story.push(action(2_101, Action::Allow { prefix: net("192.0.2.0/24"), note: "office".to_owned() }));
    story.push(action(2_102, Action::Mode(Mode::Live { confirm_until: Some(Time::from_secs(2_700)) })));
    for n in 0..30 {
        story.push(unknown(2_200 + n * 3, "192.0.2.9", &format!("someone{n}@site.example")));
        story.push(unknown(2_200 + n * 3, "198.51.100.99", &format!("guess{n}@site.example")));
    }
    story.push(Entry::Resolved { time: Time::from_secs(2_300), prefixes: vec![net("198.51.100.99/32")] });
    story.push(Entry::Tick { time: Time::from_secs(2_800) });
    story
}

fn told(desk: &mut Desk, entries: &[Entry]) -> Vec<Effect> {
    let mut effects = Vec::new();
    for entry in entries {
        let seq = desk.seq() + 1;
        desk.take(seq, entry, &mut effects);
    }
    effects
}

#[test]
fn entries_survive_the_journal() {
    for entry in story() {
        let bytes = postcard::to_allocvec(&entry).expect("can be written");
        assert_eq!(postcard::from_bytes::<Entry>(&bytes).expect("was just written"), entry);
    }
}

#[test]
fn a_desk_put_aside_anywhere_goes_on_as_if_nothing_had_been() {
    let story = story();
    let mut whole = desk();
    let expected = told(&mut whole, &story);
    assert!(expected.iter().filter(|effect| matches!(effect, Effect::Ban(_))).count() >= 3);
    for cut in 0..=story.len() {
        let mut first = desk();
        let mut effects = told(&mut first, &story[..cut]);
        let bytes = first.snapshot().expect("can be written");
        let mut second = Desk::restore(&bytes).expect("was just written");
        assert!(second.engine().snapshot() == first.engine().snapshot(), "put aside after {cut} entries");
        effects.extend(told(&mut second, &story[cut..]));
        assert_eq!(effects, expected, "put aside after {cut} entries");
        assert!(second.engine().snapshot() == whole.engine().snapshot(), "put aside after {cut} entries");
        assert!(second.tally() == whole.tally(), "put aside after {cut} entries");
    }
}

#[test]
fn bans_in_force_are_those_told_and_not_taken_back() {
    let mut desk = desk();
    told(&mut desk, &story());
    let bans: Vec<String> = desk.bans().iter().map(|(prefix, _)| prefix.to_string()).collect();
    assert_eq!(bans, ["198.51.100.7/32", "203.0.113.0/24"], "the allowed and the resolved are free");
    told(
        &mut desk,
        &[action(
            2_900,
            Action::Order(Order::Unban { whom: fairban_core::engine::Whom::All, forgive: false }),
        )],
    );
    assert_eq!(desk.bans().len(), 0);
}

#[test]
fn a_line_that_two_logs_hold_is_one_attempt_also_across_a_restart() {
    let mut desk = desk();
    let lines: Vec<Entry> =
        (0..3).map(|n| unknown(2_000 + n, "198.51.100.7", &format!("nobody{n}"))).collect();
    told(&mut desk, &lines);
    let mut desk = Desk::restore(&desk.snapshot().expect("can be written")).expect("was just written");
    let copies: Vec<Entry> = lines
        .iter()
        .map(|line| match line {
            Entry::Line { line, event, text, hash, .. } => {
                Entry::Line { input: 1, line: *line, event: event.clone(), text: text.clone(), hash: *hash }
            }
            other => other.clone(),
        })
        .collect();
    let seen = |effects: &[Effect]| effects.iter().filter(|effect| matches!(effect, Effect::Seen(_))).count();
    assert_eq!(seen(&told(&mut desk, &copies)), 0);
    assert_eq!(seen(&told(&mut desk, &copies)), 3, "the second time it is another attempt");
}

#[test]
fn live_without_confirmation_is_shadow_again_after_ten_minutes() {
    let mut desk = desk();
    let until = Time::from_secs(2_700);
    told(&mut desk, &[action(2_100, Action::Mode(Mode::Live { confirm_until: Some(until) }))]);
    assert_eq!(desk.next_deadline(), Some(until));
    told(&mut desk, &[Entry::Tick { time: Time::from_secs(2_699) }]);
    assert!(desk.mode().is_live());
    told(&mut desk, &[Entry::Tick { time: until }]);
    assert_eq!(desk.mode(), Mode::Shadow);
}

#[test]
fn a_new_configuration_changes_the_allowlist_and_the_lengths_but_not_the_mode() {
    let mut desk = desk();
    told(&mut desk, &story());
    let mut config = Config::new(KEY);
    config.allow = vec![net("203.0.113.0/24")];
    config.bans.first = Span::minutes(7);
    let time = Time::from_secs(3_000);
    told(
        &mut desk,
        &[
            action(2_900, Action::Mode(Mode::Live { confirm_until: None })),
            Entry::Configured { time, config, mode: Mode::Shadow },
        ],
    );
    assert!(desk.mode().is_live());
    assert_eq!(desk.bans().get(&net("203.0.113.0/24")), None, "allowed now");
    let scan: Vec<Entry> =
        (0..20).map(|n| unknown(3_100 + n, "198.51.100.200", &format!("other{n}"))).collect();
    let effects = told(&mut desk, &scan);
    let length = effects.iter().find_map(|effect| match effect {
        Effect::Ban(ban) => ban.until.map(|until| until.since(ban.time)),
        _ => None,
    });
    assert!(length.is_some_and(|length| length >= Span::minutes(7) && length < Span::hours(1)), "{length:?}");
}

#[test]
fn snapshots_of_other_versions_and_damaged_ones_are_refused() {
    let bytes = desk().snapshot().expect("can be written");
    assert!(matches!(Desk::restore(&[]), Err(RestoreError::Version { found: 0 })));
    let mut other = bytes.clone();
    other[0] = 99;
    assert!(matches!(Desk::restore(&other), Err(RestoreError::Version { found: 99 })));
    assert!(Desk::restore(&bytes[..bytes.len() - 1]).is_err());
}

#[test]
fn inputs_keep_their_numbers() {
    let mut desk = desk();
    assert_eq!(desk.number_of("/a", &[]), (0, true));
    assert_eq!(desk.number_of("/b", &[0]), (1, true), "the other was named in the same batch");
    told(&mut desk, &[Entry::Input { number: 0, key: "/a".to_owned() }]);
    assert_eq!(desk.number_of("/a", &[]), (0, false));
    assert_eq!(desk.number_of("/b", &[]), (1, true));
    let named = |n: usize| Entry::Input { number: n as InputNumber, key: format!("/{n}") };
    told(&mut desk, &(1..INPUTS_MAX).map(named).collect::<Vec<_>>());
    let (first, new) = desk.number_of("/new", &[]);
    assert!(new && usize::from(first) < INPUTS_MAX);
    let (second, new) = desk.number_of("/newer", &[first]);
    assert!(new && second != first, "two that come at once displace two");
    let displaced = desk.inputs()[usize::from(first)].key.clone();
    assert!(desk.number_of(&displaced, &[first]).1, "whose number went in this batch gets another");
}
