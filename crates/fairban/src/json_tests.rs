use std::net::IpAddr;

use fairban_core::account::AccountKey;
use fairban_core::effect::{Protection, RobotKind, Signal, UnbanReason};

use super::*;

#[path = "../tests/replay/schema.rs"]
mod schema;

const PLACE: Place<'static> = Place { file: "mail\\x1blog", line: 7 };

fn line(effect: &Effect) -> String {
    let mut out = Vec::new();
    write_effect(&mut out, effect, PLACE).unwrap();
    String::from_utf8(out).unwrap()
}

fn ban(until: Option<Time>) -> Ban {
    Ban {
        id: 17,
        prefix: "203.0.113.36/32".parse().unwrap(),
        time: Time::from_secs(1_768_989_085),
        until,
        evidence: Nats::milli(14_900),
        limit: Nats::milli(13_805),
        reason: RobotKind::UsernameScan,
        signals: vec![
            SignalSum { signal: Signal::UnknownAccount, count: 3, nats: Nats::milli(12_600) },
            SignalSum { signal: Signal::Success, count: 1, nats: Nats::milli(-4_000) },
        ],
        attempts: 3,
        accounts: 3,
        weak: false,
    }
}

#[test]
fn a_ban_reads_as_documented() {
    let until = Time::from_secs(1_768_989_085 + 3_600);
    assert_eq!(
        line(&Effect::Ban(ban(Some(until)))),
        "{\"v\":1,\"id\":17,\"action\":\"ban\",\"time\":\"2026-01-21T09:51:25Z\",\"file\":\"mail\\\\x1blog\",\"line\":7,\
         \"source\":\"203.0.113.36/32\",\"duration\":3600,\"until\":\"2026-01-21T10:51:25Z\",\"evidence\":14.900,\
         \"limit\":13.805,\"reason\":\"username-scan\",\"attempts\":3,\"accounts\":3,\"weak\":false,\
         \"signals\":[{\"name\":\"unknown-account\",\"count\":3,\"nats\":12.600},{\"name\":\"success\",\"count\":1,\"nats\":-4.000}]}\n"
    );
    assert!(line(&Effect::Ban(ban(None))).contains("\"duration\":null,\"until\":null"));
}

#[test]
fn every_effect_keeps_the_contract() {
    let source = IpAddr::from([192, 0, 2, 1]);
    let time = Time::from_micros(1_768_989_085_250_000);
    let accounts = [
        Account::Known(AccountKey::new(b"dan@d.example")),
        Account::Cut(AccountKey::new(b"dan@d.ex")),
        Account::Last { key: AccountKey::new(b"\x00\"\\\xff"), of: 3 },
        Account::Hidden,
    ];
    let mut effects = vec![
        Effect::Ban(ban(None)),
        Effect::Extend { of: 3, ban: ban(Some(time)) },
        Effect::Hub { id: 4, time, source, accounts: 20 },
        Effect::Gap { id: 5, time, service: Service::Sshd, lost: 0 },
    ];
    for reason in [UnbanReason::Narrowed, UnbanReason::Familiar, UnbanReason::Operator] {
        effects.push(Effect::Unban { id: 6, of: 3, prefix: ban(None).prefix, time, reason });
    }
    let mut alarms = vec![Alarm::Breaker, Alarm::PenaltyOnFamiliar { source }, Alarm::Proxy { source }];
    alarms.extend([Protection::Breaker, Protection::Hub].map(|because| Alarm::Spared { source, because }));
    for service in Service::ALL {
        alarms.extend([Alarm::Outage { service, failing: 9 }, Alarm::OutageEnded { service }]);
        alarms.extend([Alarm::OutageLong { service }, Alarm::Blind { service }, Alarm::Torn { service }]);
    }
    for account in accounts {
        let evidence = Nats::raw(-3);
        effects.push(Effect::Hit { id: 7, time, source, account: account.clone(), guesses: 4, evidence });
        effects.push(Effect::StaleDevice {
            id: 8,
            time,
            source,
            account: account.clone(),
            failures: 20,
            since: time,
        });
        alarms.push(Alarm::AccountUnderAttack { account: account.clone(), strangers: 5 });
        alarms.push(Alarm::Looping { account, source, failures: 60 });
    }
    effects.extend(alarms.into_iter().map(|alarm| Effect::Alarm { id: 9, time, alarm }));
    for effect in &effects {
        assert_eq!(schema::complaint(&line(effect)), None);
    }
}

#[test]
fn the_summary_of_nothing_keeps_the_contract() {
    let mut out = Vec::new();
    let tally = Tally::new("5/10m/10m".parse().unwrap());
    write_summary(&mut out, &tally, &Health::default()).unwrap();
    assert_eq!(schema::complaint(&String::from_utf8(out).unwrap()), None);
}

#[test]
fn nats_have_three_decimals_and_no_negative_zero() {
    for (raw, text) in [
        (0, "0.000"),
        (1, "0.001"),
        (-1, "-0.001"),
        (1_024, "1.000"),
        (-1_536, "-1.500"),
        (i32::MIN, "-2097152.000"),
    ] {
        assert_eq!(Object::part().nats("n", Nats::raw(raw)).end(), format!("{{\"n\":{text}}}"));
    }
}
