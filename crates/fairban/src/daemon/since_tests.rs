use fairban_core::account::{Account, AccountKey};
use fairban_core::effect::Effect;
use fairban_core::engine::Config;
use fairban_core::event::{AuthEvent, Outcome, Service, Tells};

use super::*;
use crate::daemon::desk::{Entry, Mode};

const HOUR: i64 = 3_600;

/// When the story begins, on the hour.
const BEGIN: i64 = 500_000 * HOUR;

fn attempt(secs: i64, source: &str, account: &str, outcome: Outcome) -> Entry {
    let event = AuthEvent {
        time: Time::from_secs(secs),
        source: Some(source.parse().expect("an address")),
        account: Account::Known(AccountKey::new(account.as_bytes())),
        outcome,
        ..AuthEvent::new(Service::Vpopmail, Tells::Attempt)
    };
    let text = format!("{secs} {source} {account}");
    let hash = crate::pipeline::line_hash(&event, text.as_bytes());
    Entry::Line { input: 0, line: 1, event, text: text.into_bytes(), hash }
}

/// Ten days: a login every hour, and on each day a scan from another source.
fn ten_days() -> Desk {
    let config = Config::new([3; 16]);
    let mut desk = Desk::new(config.clone(), "5/10m/10m".parse().expect("a rule"));
    let mut effects: Vec<Effect> = Vec::new();
    let time = Time::from_secs(BEGIN);
    let mut entries = vec![
        Entry::Configured { time, config, mode: Mode::Shadow },
        Entry::Input { number: 0, key: "/var/log/maillog".to_owned() },
        Entry::Learnt { time },
    ];
    for hour in 0..240 {
        let begin = BEGIN + hour * HOUR;
        entries.push(attempt(begin + 5, "192.0.2.9", "dan@d.example", Outcome::Success));
        if hour % 24 == 12 {
            let source = format!("198.51.100.{}", 1 + hour / 24);
            for n in 0..12 {
                let name = format!("nobody{n}@d.example");
                entries.push(attempt(begin + 60 + n * 3, &source, &name, Outcome::UnknownAccount));
            }
        }
    }
    entries.push(Entry::Tick { time: Time::from_secs(BEGIN + 240 * HOUR) });
    for entry in &entries {
        let seq = desk.seq() + 1;
        desk.take(seq, entry, &mut effects);
    }
    desk
}

fn since(desk: &Desk, hours_ago: i64) -> SinceReport {
    let now = Time::from_secs(BEGIN + 240 * HOUR);
    report(desk, now.plus(Span::hours(-hours_ago)), now, &[])
}

#[test]
fn a_report_is_of_the_time_that_was_asked_for() {
    let desk = ten_days();
    for (hours_ago, days) in [(24, 1), (7 * 24, 7), (9 * 24, 9)] {
        let told = since(&desk, hours_ago);
        assert_eq!(told.since.time().secs(), BEGIN + (240 - hours_ago) * HOUR);
        assert_eq!(told.logins, hours_ago as u64, "one an hour, since {hours_ago} h ago");
        assert_eq!((told.failures, told.bans, told.banned_sources), (12 * days, days, days), "{hours_ago}");
        assert_eq!(told.kinds.iter().map(|kind| kind.sources).sum::<u64>(), days);
        assert_eq!(told.attempts, told.logins + told.failures);
    }
}

#[test]
fn memory_that_does_not_reach_so_far_is_said() {
    let told = since(&ten_days(), 400);
    assert_eq!(told.since.time().secs(), BEGIN, "when counting began");
    assert_eq!((told.logins, told.bans), (240, 10));
}

#[test]
fn the_one_command_goes_live_once_enough_was_seen() {
    let desk = ten_days();
    let week = since(&desk, 7 * 24);
    assert!(week.safe, "{:?}", week.reasons);
    assert_eq!(week.command.as_ref().map(Shown::as_str), Some("fairban mode live"));
    let hour = since(&desk, 1);
    assert!(!hour.safe && hour.command.is_none());
    assert!(hour.reasons[0].as_str().starts_with("only 1 h"), "{:?}", hour.reasons);
    let alarm = AlarmRow {
        name: Shown::of("clock"),
        since: Moment::default(),
        about: None,
        text: Shown::of("it jumped"),
    };
    let now = Time::from_secs(BEGIN + 240 * HOUR);
    assert!(!report(&desk, now.plus(Span::days(-7)), now, &[alarm]).safe);
}
