//! What is recorded is what can be read.

use fairban_core::account::{Account, AccountKey};
use fairban_core::effect::{Alarm, Effect, RobotKind};
use fairban_core::event::Service;
use fairban_core::nats::Nats;
use fairban_core::time::Time;

use super::super::*;
use super::fixture::*;

fn account(name: &[u8]) -> Account {
    Account::Known(AccountKey::new(name))
}

#[test]
fn a_ban_is_told_with_its_evidence() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(&dir);
    database.record(&[banned(17, net("203.0.113.36/32"), 0, Some(3600))]).unwrap();
    let reader = reader(&dir);
    let bans = reader.bans_at(at(10)).unwrap();
    let [ban] = &bans[..] else { panic!("{bans:?}") };
    assert_eq!((ban.id, ban.seq, ban.since, ban.until), (17, 17, at(0), Some(at(3600))));
    assert_eq!((ban.reason.as_str(), ban.mode, &ban.ended), ("username-scan", Mode::Live, &None));
    assert_eq!(ban.evidence, Some(Nats::milli(14_900).to_f64()));
    let verdict = reader.verdict(ban.verdict.unwrap()).unwrap().unwrap();
    assert_eq!((verdict.action.as_str(), verdict.attempts, verdict.accounts), ("ban", Some(5), Some(3)));
    let signals: Vec<(&str, u32)> =
        verdict.signals.iter().map(|signal| (signal.name.as_str(), signal.count)).collect();
    assert_eq!(signals, [("unknown-account", 3), ("speed", 2)]);
    assert_eq!(verdict.samples, ["Failed password for root"]);
    assert_eq!(verdict.remarks, ["one success would have halved it"]);
    let [tried] = &verdict.tried[..] else { panic!("{verdict:?}") };
    assert_eq!((tried.account.as_str(), tried.last.as_str(), tried.failures), ("root", "unknown-account", 2));
}

#[test]
fn bans_in_force_are_known_for_any_time() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(&dir);
    let entries = [
        banned(1, net("192.0.2.1/32"), 0, Some(100)),
        banned(2, net("192.0.2.2/32"), 10, None),
        banned(3, net("2001:db8::/64"), 20, Some(1000)),
        verdict(4, Effect::Extend { of: 1, ban: ban(4, net("192.0.2.1/32"), 90, Some(500)) }),
        unbanned(5, 3, net("2001:db8::/64"), 200),
    ];
    database.record(&entries).unwrap();
    let reader = reader(&dir);
    let check = |secs: i64, expected: &[&str]| {
        assert_eq!(prefixes(&reader.bans_at(at(secs)).unwrap()), expected, "{secs}");
    };
    check(-1, &[]);
    check(0, &["192.0.2.1/32"]);
    check(25, &["2001:db8::/64", "192.0.2.2/32", "192.0.2.1/32"]);
    check(199, &["2001:db8::/64", "192.0.2.2/32", "192.0.2.1/32"]);
    check(200, &["192.0.2.2/32", "192.0.2.1/32"]);
    check(590, &["192.0.2.2/32"]);
    let bans = reader.bans_of(net("2001:db8::5/128"), 10).unwrap();
    assert_eq!(bans[0].ended, Some((at(200), "familiar".to_owned())));
}

#[test]
fn recording_twice_changes_nothing() {
    let once = tempfile::tempdir().unwrap();
    let twice = tempfile::tempdir().unwrap();
    let entries = [
        banned(1, net("192.0.2.1/32"), 0, Some(100)),
        verdict(2, Effect::Extend { of: 1, ban: ban(2, net("192.0.2.1/32"), 90, Some(500)) }),
        unbanned(3, 1, net("192.0.2.1/32"), 200),
        banned(4, net("192.0.2.1/32"), 300, Some(100)),
        action(5, 310, Verb::Ban { prefix: net("198.51.100.0/24"), until: None, mode: Mode::Live }),
        action(6, 320, Verb::Unban { whom: Whom::Prefix(net("192.0.2.1/32")), forgive: true }),
        action(7, 330, Verb::Allow { prefix: net("192.0.2.9/32"), until: None }),
        action(8, 340, Verb::Disallow { prefix: net("192.0.2.9/32") }),
        Entry::Counters(Counters { seq: 8, day: START, service: "sshd", values: vec![("failures", 12)] }),
        Entry::Status(Status { time: at(350), json: "{}".to_owned() }),
    ];
    let dump = |dir: &tempfile::TempDir| {
        let reader = reader(dir);
        let events = reader.last_events(100).unwrap();
        (
            events,
            reader.bans_of(net("0.0.0.0/0"), 100).unwrap(),
            reader.counters_since(START).unwrap(),
            reader.allowed_at(START).unwrap(),
            reader.forgiven(10).unwrap(),
        )
    };
    open(&once).record(&entries).unwrap();
    let mut database = open(&twice);
    for cut in 0..entries.len() {
        // As after a crash: from the beginning again, up to a little further.
        database.record(&entries[..cut]).unwrap();
    }
    for entry in &entries {
        database.record(std::slice::from_ref(entry)).unwrap();
    }
    assert_eq!(dump(&twice), dump(&once));
    assert_eq!(database.newest_seq().unwrap(), 8);
}

#[test]
fn operators_actions_are_told_with_who_and_why() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(&dir);
    let entries = [
        banned(1, net("192.0.2.1/32"), 0, None),
        banned(2, net("192.0.2.2/32"), 0, None),
        action(3, 5, Verb::Ban { prefix: net("198.51.100.0/24"), until: Some(at(3600)), mode: Mode::Shadow }),
        action(4, 6, Verb::Unban { whom: Whom::Prefix(net("192.0.2.1/32")), forgive: true }),
        action(5, 7, Verb::Allow { prefix: net("203.0.113.0/24"), until: Some(at(60)) }),
        action(6, 8, Verb::Mode { mode: Mode::Live, confirm: Some(at(600)) }),
    ];
    database.record(&entries).unwrap();
    let reader = reader(&dir);
    assert_eq!(prefixes(&reader.bans_at(at(10)).unwrap()), ["198.51.100.0/24", "192.0.2.2/32"]);
    assert!(
        reader.bans_at(at(10)).unwrap().iter().all(|ban| ban.mode == Mode::Live),
        "live for all from then on"
    );
    let events = reader.history_of_prefix(net("198.51.100.7/32"), 10).unwrap();
    let [Event::Verdict(began), Event::Action(did)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((did.uid, did.pid, did.name.as_str(), did.verb.as_str()), (1000, 77, "anna", "ban"));
    assert_eq!((did.reason.as_str(), did.time), ("phone of the boss", at(5)));
    assert_eq!((began.action.as_str(), began.reason.as_deref(), began.id), ("ban", Some("operator"), 0));
    assert_eq!(reader.allowed_at(at(10)).unwrap()[0].prefix, net("203.0.113.0/24"));
    assert_eq!(reader.allowed_at(at(60)).unwrap(), []);
    assert_eq!(reader.forgiven(10).unwrap()[0].prefix, Some(net("192.0.2.1/32")));
    assert_eq!(reader.modes(10).unwrap()[0].confirm, Some(at(600)));
    database.record(&[action(9, 11, Verb::Unban { whom: Whom::All, forgive: false })]).unwrap();
    assert_eq!(reader.bans_at(at(12)).unwrap(), []);
}

#[test]
fn a_prefix_knows_what_covers_it_and_what_it_covers() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(&dir);
    let all = [
        "10.0.0.0/8",
        "10.1.2.3/32",
        "10.1.2.0/24",
        "10.1.3.1/32",
        "11.0.0.1/32",
        "a01:200::/24",
        "a01:203::/32",
    ];
    let entries: Vec<Entry> =
        all.iter().zip(1..).map(|(prefix, id)| banned(id, net(prefix), id as i64, None)).collect();
    database.record(&entries).unwrap();
    let reader = reader(&dir);
    let check = |prefix: &str, expected: &[&str]| {
        assert_eq!(prefixes(&reader.bans_of(net(prefix), 10).unwrap()), expected, "{prefix}");
        let events = reader.history_of_prefix(net(prefix), 10).unwrap();
        assert_eq!(events.len(), expected.len(), "{prefix}");
    };
    check("10.1.2.3/32", &["10.1.2.0/24", "10.1.2.3/32", "10.0.0.0/8"]);
    check("10.1.0.0/16", &["10.1.3.1/32", "10.1.2.0/24", "10.1.2.3/32", "10.0.0.0/8"]);
    check("10.1.2.0/25", &["10.1.2.0/24", "10.1.2.3/32", "10.0.0.0/8"]);
    check("12.0.0.0/8", &[]);
    // The same bytes in the other family are other addresses.
    check("a01:203::1/128", &["a01:203::/32", "a01:200::/24"]);
    assert_eq!(reader.bans_of(net("0.0.0.0/0"), 2).unwrap().len(), 2);
}

#[test]
fn an_account_knows_who_tried_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(&dir);
    let source = "192.0.2.7".parse().unwrap();
    let hit = Effect::Hit {
        id: 2,
        time: at(1),
        source,
        account: account(b"dan"),
        guesses: 9,
        evidence: Nats::ZERO,
    };
    let stale = Effect::StaleDevice {
        id: 3,
        time: at(2),
        source,
        account: account(b"dan"),
        failures: 40,
        since: at(-90),
    };
    let cut = Alarm::AccountUnderAttack { account: Account::Cut(AccountKey::new(b"dan")), strangers: 31 };
    let alarm = Effect::Alarm { id: 4, time: at(3), alarm: cut };
    let unban = Verb::Unban { whom: Whom::Account(AccountKey::new(b"Dan")), forgive: true };
    let entries = [
        banned(1, net("192.0.2.7/32"), 0, None),
        verdict(2, hit),
        verdict(3, stale),
        verdict(4, alarm),
        action(5, 4, unban),
    ];
    database.record(&entries).unwrap();
    let reader = reader(&dir);
    let events = reader.history_of_account(&AccountKey::new(b"DAN "), 10).unwrap();
    let told: Vec<(String, Option<u32>)> = events
        .iter()
        .map(|event| match event {
            Event::Verdict(verdict) => (verdict.action.clone(), verdict.count),
            Event::Action(action) => (format!("operator-{}", action.verb), None),
        })
        .collect();
    let expected =
        [("operator-unban", None), ("alarm", Some(31)), ("stale-device", Some(40)), ("hit", Some(9))];
    assert_eq!(told, expected.map(|(name, count)| (name.to_owned(), count)));
    let Event::Verdict(alarm) = &events[1] else { panic!() };
    assert_eq!(
        (alarm.reason.as_deref(), alarm.account_form.as_deref()),
        (Some("account-under-attack"), Some("cut"))
    );
    let tried = reader.history_of_account(&AccountKey::new(b"root"), 10).unwrap();
    assert_eq!(tried.len(), 1, "the ban, for which root was tried");
    assert_eq!(reader.history_of_account(&AccountKey::new(b"da"), 10).unwrap(), []);
}

#[test]
fn every_kind_of_effect_has_its_row() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(&dir);
    let source = "2001:db8::7".parse().unwrap();
    let alarms = [
        Alarm::Outage { service: Service::Dovecot, failing: 9 },
        Alarm::OutageEnded { service: Service::Dovecot },
        Alarm::Looping { account: Account::Hidden, source, failures: 900 },
        Alarm::Breaker,
        Alarm::Proxy { source },
    ];
    let mut effects = vec![
        Effect::Hub { id: 1, time: at(0), source, accounts: 44 },
        Effect::Gap { id: 2, time: at(0), service: Service::Sshd, lost: 12 },
    ];
    effects.extend(alarms.into_iter().zip(3..).map(|(alarm, id)| Effect::Alarm { id, time: at(0), alarm }));
    let entries: Vec<Entry> =
        effects.into_iter().zip(1..).map(|(effect, seq)| verdict(seq, effect)).collect();
    database.record(&entries).unwrap();
    let rows: Vec<VerdictRow> = reader(&dir)
        .last_events(10)
        .unwrap()
        .into_iter()
        .map(|event| match event {
            Event::Verdict(verdict) => *verdict,
            Event::Action(action) => panic!("{action:?}"),
        })
        .collect();
    let told: Vec<String> = rows
        .iter()
        .rev()
        .map(|row| {
            let service = row.service.as_deref().unwrap_or("-");
            let reason = row.reason.as_deref().unwrap_or("-");
            let prefix = row.prefix.map_or("-".to_owned(), |prefix| prefix.to_string());
            let count = row.count.or(row.accounts).unwrap_or_default();
            format!("{} {service} {reason} {prefix} {count}", row.action)
        })
        .collect();
    let expected = [
        "hub - - 2001:db8::7/128 44",
        "gap sshd - - 12",
        "alarm dovecot outage - 9",
        "alarm dovecot outage-ended - 0",
        "alarm - looping 2001:db8::7/128 900",
        "alarm - breaker - 0",
        "alarm - proxy 2001:db8::7/128 0",
    ];
    assert_eq!(told, expected);
    assert_eq!(rows[2].account_form.as_deref(), Some("hidden"));
}

#[test]
fn counters_are_summed_over_days_and_services() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(&dir);
    let counters = |seq, days: i64, service, value| {
        let day = at(days * 86_400);
        Entry::Counters(Counters {
            seq,
            day,
            service,
            values: vec![("failures", value), ("lines", value * 2)],
        })
    };
    let entries = [
        counters(1, 0, "sshd", 5),
        counters(2, 0, "sshd", 9),
        counters(3, 1, "sshd", 4),
        counters(4, 1, "dovecot", 1),
        // What was read earlier does not undo what was read later.
        counters(1, 0, "sshd", 5),
    ];
    database.record(&entries).unwrap();
    let reader = reader(&dir);
    let sums = |since: Time| {
        let rows = reader.counters_since(since).unwrap();
        rows.into_iter().map(|row| format!("{} {} {}", row.service, row.name, row.value)).collect::<Vec<_>>()
    };
    assert_eq!(sums(START), ["dovecot failures 1", "dovecot lines 2", "sshd failures 13", "sshd lines 26"]);
    assert_eq!(
        sums(at(86_400)),
        ["dovecot failures 1", "dovecot lines 2", "sshd failures 4", "sshd lines 8"]
    );
}

#[test]
fn the_newest_status_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(&dir);
    let status = |secs, json: &str| Entry::Status(Status { time: at(secs), json: json.to_owned() });
    assert_eq!(reader(&dir).status().unwrap(), None);
    let long = "x".repeat(STATUS_BYTES_MAX + 1);
    database.record(&[status(1, "{\"v\":1}"), status(2, "{\"v\":2}"), status(3, &long)]).unwrap();
    assert_eq!(reader(&dir).status().unwrap(), Some(StatusRow { time: at(2), json: "{\"v\":2}".to_owned() }));
}

#[test]
fn bans_in_force_are_told_again_after_a_loss() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(&dir);
    let entries = [
        banned(1, net("192.0.2.1/32"), 0, None),
        banned(2, net("192.0.2.2/32"), 0, Some(50)),
        banned(3, net("192.0.2.3/32"), 0, None),
    ];
    database.record(&entries).unwrap();
    let standing = |id, prefix: &str, reason| Standing {
        id,
        prefix: net(prefix),
        since: at(0),
        until: None,
        reason,
        evidence: Nats::milli(15_000),
        mode: Mode::Live,
    };
    let robot = Some(RobotKind::Spraying);
    let bans = vec![
        standing(2, "192.0.2.2/32", robot),
        standing(3, "192.0.2.3/32", robot),
        standing(9, "192.0.2.9/32", robot),
        standing(0, "198.51.100.0/24", None),
        standing(0, "198.51.101.0/24", None),
    ];
    let entry = Entry::InForce(Box::new(InForce { seq: 10, time: at(100), bans }));
    for _ in 0..2 {
        database.record(std::slice::from_ref(&entry)).unwrap();
        let reader = reader(&dir);
        let bans = reader.bans_at(at(101)).unwrap();
        let expected = ["198.51.101.0/24", "198.51.100.0/24", "192.0.2.9/32", "192.0.2.3/32", "192.0.2.2/32"];
        assert_eq!(prefixes(&bans), expected);
        assert_eq!((bans[0].reason.as_str(), bans[2].reason.as_str()), ("operator", "spraying"));
        assert_eq!((bans[3].seq, bans[3].reason.as_str()), (3, "username-scan"), "known already");
    }
    // What goes on later finds them.
    database.record(&[unbanned(11, 9, net("192.0.2.9/32"), 110)]).unwrap();
    assert_eq!(reader(&dir).bans_at(at(111)).unwrap().len(), 4);
}

#[test]
fn a_prolonged_ban_whose_beginning_was_lost_is_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(&dir);
    let extend = Effect::Extend { of: 40, ban: ban(50, net("192.0.2.1/32"), 0, Some(500)) };
    database.record(&[verdict(7, extend)]).unwrap();
    assert_eq!(reader(&dir).bans_at(at(1)).unwrap().len(), 1);
    database.record(&[unbanned(51, 40, net("192.0.2.1/32"), 10)]).unwrap();
    assert_eq!(reader(&dir).bans_at(at(11)).unwrap(), []);
}

#[test]
fn the_views_read_well() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = open(&dir);
    database.record(&[banned(1, net("192.0.2.1/32"), 0, None), action(2, 5, Verb::Reload)]).unwrap();
    let text = |sql: &str| database.connection().query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(
        text("SELECT prefix || ' ' || since || ' ' || mode FROM bans_now"),
        "192.0.2.1/32 2026-01-21T09:51:25Z live"
    );
    let sql = "SELECT group_concat(time || ' ' || action || ' ' || coalesce(who, '-'), '; ') FROM history";
    let expected = "2026-01-21T09:51:25Z ban -; 2026-01-21T09:51:30Z operator-reload anna (1000)";
    assert_eq!(text(sql), expected);
    let sql = "SELECT group_concat(signal || ' ' || count || ' ' || nats, '; ') FROM evidence";
    assert_eq!(text(sql), "speed 2 2.3; unknown-account 3 12.6");
}
