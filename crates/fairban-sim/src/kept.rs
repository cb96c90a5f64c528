//! Seeds that showed something wrong, kept by name.
//!
//! What the engine does not hold yet is ignored, with the reason: `cargo test -p fairban-sim kept -- --ignored` plays it
//! again. Take the mark away with the change that makes it hold.

use fairban_core::time::Span;

use crate::cast::{Ask, People, roster};
use crate::judge::Kind;
use crate::run::{Outcome, Plan, seed};
use crate::world::score::Tally;

fn played(number: u64, actors: &[&str], oracles: bool) -> Outcome {
    let actors = actors.iter().map(|name| (*name).to_owned()).collect();
    let ask = Ask { length: Span::hours(24), people: People::Ours, actors, format: None };
    let plan = Plan { first: number, count: 1, judges: vec![Kind::Engine], oracles, threads: 1 };
    seed(number, &ask, &roster(ask.people), &plan)
}

fn tally(outcome: &Outcome, name: &str) -> Tally {
    let roster = roster(People::Ours);
    let place = roster.iter().position(|profile| profile.name == name).expect("an actor");
    outcome.tallies[0][place].clone()
}

#[test]
#[ignore = "three bans of robots that own accounts trip the breaker: for an hour none of them is banned again"]
fn bought_accounts_do_not_disarm_the_engine() {
    let outcome = played(1137, &["launder"], false);
    let robots = tally(&outcome, "launder");
    // Five robots, five bans each at most in a day.
    assert!(robots.reached <= 5 * 5 * 15, "{robots:?}");
}

#[test]
#[ignore = "one right guess in a /24 makes all of it a place where people log in, for good"]
fn one_hit_does_not_free_a_whole_network() {
    let robots = tally(&played(1006, &[], false), "rotate-24");
    assert!(robots.reached <= 20, "{robots:?}");
}

#[test]
#[ignore = "under a campaign's lowered limit three stale programs of one household look like three stuffed pairs"]
fn a_household_that_moved_is_not_banned() {
    for number in [1009, 1016, 1040] {
        let moved = tally(&played(number, &[], false), "moved");
        assert_eq!(moved.sources_hurt, 0, "seed {number}");
    }
}

#[test]
#[ignore = "many newcomers that mistype names and passwords within a minute outweigh all credit"]
fn a_class_of_newcomers_is_not_banned() {
    for number in [1186, 1189] {
        assert_eq!(tally(&played(number, &[], false), "classroom").sources_hurt, 0, "seed {number}");
    }
}

#[test]
#[ignore = "a client whose accounts are all forgotten becomes a suspect without making room: the table grows over its bound"]
fn suspects_stay_within_their_bound_when_accounts_are_forgotten() {
    assert_eq!(played(304, &[], true).findings, []);
}

#[test]
#[ignore = "who is banned before the breaker trips, and who goes free for an hour, hangs on the order within one stamp"]
fn the_order_within_a_stamp_moves_no_ban_by_an_hour() {
    assert_eq!(played(2160, &[], true).findings, []);
}

#[test]
#[ignore = "of two sources in one campaign the first to be read is banned four guesses after the other"]
fn the_order_within_a_stamp_moves_no_ban_by_four_guesses() {
    assert_eq!(played(2125, &[], true).findings, []);
}

#[test]
fn nobody_is_banned_for_his_neighbours_or_for_what_they_write() {
    let outcome = played(1109, &["bystander", "framer", "neighbour"], true);
    assert_eq!(outcome.findings, []);
    assert_eq!(tally(&outcome, "bystander").sources_hurt, 0);
    assert!(tally(&outcome, "neighbour").burned > 50);
}
