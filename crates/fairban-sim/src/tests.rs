use std::collections::BTreeMap;
use std::fs;

use fairban_core::time::Span;
use serde_json::Value;

use crate::actor::Side;
use crate::cast::{Ask, People, play, roster};
use crate::format::{Format, Told};
use crate::judge::Kind;
use crate::oracle;
use crate::report::Report;
use crate::run::{Outcome, Plan, seed, seeds};
use crate::world::World;
use crate::world::score::Tally;

fn ask(hours: i64) -> Ask {
    Ask { length: Span::hours(hours), people: People::Ours, actors: Vec::new(), format: None }
}

fn plan(first: u64, count: u64) -> Plan {
    Plan { first, count, judges: Kind::COMPARED.to_vec(), oracles: true, threads: 2 }
}

fn total(tallies: &[Tally]) -> Tally {
    let mut total = Tally::default();
    for tally in tallies {
        total.add(tally);
    }
    total
}

/// A world with its log, in which nobody is banned.
fn logged(seed: u64, ask: &Ask) -> World {
    play(seed, ask, &roster(ask.people), Kind::Nobody, true)
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let told = |threads| {
        let (ask, plan) = (ask(8), Plan { threads, oracles: false, ..plan(7, 4) });
        let mut report = Report::new(roster(ask.people), &plan, &ask);
        let mut text = String::new();
        seeds(&plan, &ask, |outcome| {
            text.push_str(&report.seed_json(&outcome).to_string());
            report.take(&outcome);
        });
        text + &report.table()
    };
    assert_eq!(told(1), told(3));
    let log = || logged(7, &ask(8)).tape.map(|tape| tape.text().to_owned());
    assert_eq!(log(), log());
}

#[test]
fn a_handful_of_seeds_passes_all_oracles_and_the_counting_rule_does_worse() {
    let mut outcomes: Vec<Outcome> = Vec::new();
    seeds(&plan(101, 4), &ask(24), |outcome| outcomes.push(outcome));
    let mut sums = vec![Tally::default(); 3];
    for outcome in &outcomes {
        assert_eq!(outcome.findings, [], "seed {}", outcome.seed);
        for (sum, tallies) in sums.iter_mut().zip(&outcome.tallies) {
            sum.add(&total(tallies));
        }
    }
    let [engine, counting, increment] = &sums[..] else { panic!("three judges") };
    assert!(engine.logins > 50_000 && engine.reached > 500, "{engine:?}");
    assert!(engine.sources_hurt - engine.shared_hurt < counting.sources_hurt - counting.shared_hurt);
    assert!(engine.reached < counting.reached && engine.reached < increment.reached);
    assert!(increment.reached < counting.reached, "longer bans keep more out");
}

#[test]
fn the_second_honest_world_fails_as_often_as_it_was_published() {
    let ask = Ask { people: People::Stopguessing, ..ask(24) };
    let roster = roster(ask.people);
    let outcome = seed(3, &ask, &roster, &Plan { oracles: true, ..plan(3, 1) });
    assert_eq!(outcome.findings, []);
    let honest = roster.iter().zip(&outcome.tallies[0]).filter(|(profile, _)| profile.side == Side::Honest);
    let honest: Vec<Tally> = honest.map(|(_, tally)| tally.clone()).collect();
    assert!(total(&honest).logins > 1_000);
    let (mut tries, mut failed) = (0_u32, 0_u32);
    for seed in 1..=16 {
        let world = logged(seed, &Ask { actors: vec!["sg-proxy".to_owned()], ..ask.clone() });
        for truth in world.tape.expect("a log").truth(|profile| roster[profile].name).values() {
            let truth = serde_json::to_value(truth).expect("JSON");
            for event in truth["events"].as_array().expect("events") {
                tries += 1;
                failed += u32::from(event[2] != "ok");
            }
        }
    }
    // 2 % mistyped, two failures each; 288 failures of a loop for each 2,500 logins.
    let (share, expected) = (f64::from(failed) / f64::from(tries), (0.04 + 0.115) / 1.155);
    assert!((share / expected - 1.0).abs() < 0.4, "{failed} of {tries}");
}

#[test]
fn every_actor_does_something_where_it_can() {
    for people in [People::Ours, People::Stopguessing] {
        let roster = roster(people);
        for (place, profile) in roster.iter().enumerate() {
            if people == People::Stopguessing && profile.side == Side::Robot {
                continue;
            }
            let actors = vec![profile.name.to_owned()];
            let format = Some(Format::Tcpserver);
            let done = (1..30).any(|seed| {
                let ask = Ask { people, actors: actors.clone(), format, ..ask(24) };
                let world = play(seed, &ask, &roster, Kind::Engine, false);
                let tally = &world.score.tallies(roster.len(), world.end)[place];
                tally.reached > 0 || tally.sources > 0
            });
            assert!(done, "{} does nothing", profile.name);
        }
    }
}

#[test]
fn a_ban_stops_the_robot_and_what_it_would_have_done_is_not_in_the_log() {
    let ask = Ask { actors: vec!["fast-scan".to_owned()], format: Some(Format::Vchkpw), ..ask(12) };
    let roster = roster(ask.people);
    let reached = |judge| {
        let world = play(1, &ask, &roster, judge, false);
        total(&world.score.tallies(roster.len(), world.end)).reached
    };
    let (engine, nobody) = (reached(Kind::Engine), reached(Kind::Nobody));
    assert!(engine < 60 && nobody > 5_000, "{engine} and {nobody} guesses");
}

#[test]
fn a_log_comes_with_its_truth() {
    let folder = tempfile::tempdir().expect("a folder");
    for format in [Format::Vchkpw, Format::Tcpserver, Format::Dovecot, Format::Postfix, Format::Sshd] {
        let ask = Ask { format: Some(format), ..ask(6) };
        let lines = crate::log::write(5, &ask, folder.path()).expect("written");
        let read = |name| fs::read_to_string(folder.path().join(name)).expect("a file");
        let log = read("maillog");
        let log: Vec<&str> = log.lines().collect();
        assert_eq!(log.len(), lines);
        let meta: Value = serde_json::from_str(&read("meta.json")).expect("JSON");
        assert_eq!(meta["lines"], lines);
        let truth: BTreeMap<String, Value> = serde_json::from_str(&read("truth.json")).expect("JSON");
        let (mut checked, mut kinds) = (0, BTreeMap::<String, u32>::new());
        for (source, truth) in &truth {
            *kinds.entry(truth["kind"].to_string()).or_default() += 1;
            for event in truth["events"].as_array().expect("events") {
                let line = event[1].as_u64().expect("a line") as usize;
                assert!((1..=lines).contains(&line), "{format:?}: {event}");
                // tcpserver's last line of a connection has its process alone.
                if format != Format::Tcpserver {
                    assert!(
                        log[line - 1].contains(source.as_str()),
                        "{format:?}, {source}: {}",
                        log[line - 1]
                    );
                }
                checked += 1;
            }
        }
        assert!(
            checked > 1_000 && kinds["\"honest\""] > 50 && kinds["\"robot\""] > 0,
            "{format:?}: {kinds:?}"
        );
    }
}

#[test]
fn a_line_that_shows_something_else_than_was_fed_is_found() {
    let mut world = logged(2, &ask(6));
    let tape = world.tape.as_mut().expect("a log");
    let told = tape.rows.iter_mut().rev().find_map(|row| match &mut row.told {
        Told::Event(event) => Some(event),
        _ => None,
    });
    told.expect("an event").times += 1;
    let oracles: Vec<&str> = oracle::look(2, &world).iter().map(|finding| finding.oracle).collect();
    assert_eq!(oracles, ["visible"]);
}

#[test]
fn lines_change_places_only_within_a_second_and_between_sources() {
    let world = logged(2, &ask(6));
    let tape = world.tape.as_ref().expect("a log");
    let mut rng = crate::rng::Rng::of(2, "test", 0);
    let moved = oracle::permuted(&tape.rows, &mut rng);
    assert_eq!(moved.len(), tape.rows.len());
    let time = |row: &crate::world::tape::Row| match &row.told {
        Told::Event(event) => event.time,
        _ => world.now,
    };
    assert!(moved.is_sorted_by_key(|row| time(row)));
    assert!(moved.iter().zip(&tape.rows).any(|(one, other)| tape.line(one) != tape.line(other)));
    let by_source = |rows: &mut dyn Iterator<Item = &crate::world::tape::Row>| {
        let mut lines = BTreeMap::<_, Vec<String>>::new();
        for row in rows {
            lines.entry(crate::world::address::unit(row.source)).or_default().push(tape.line(row).to_owned());
        }
        lines
    };
    assert!(by_source(&mut moved.into_iter()) == by_source(&mut tape.rows.iter()), "a source's own order");
}
