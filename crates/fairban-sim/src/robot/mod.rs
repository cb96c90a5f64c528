//! Robots: one kind a file, its numbers named, each with where it comes from; what a family shares has a file too.

mod botnet;
mod botnet_dictionary;
mod botnet_monthly;
mod botnet_popular;
mod botnet_storm;
mod botnet_targeted;
mod botnet_wide;
mod brute_one;
mod burst_sleep;
mod credit_first;
mod elsewhere;
mod fast_scan;
mod flood;
mod framer;
mod guesser;
mod hub_buyer;
mod launder;
mod log_flooder;
mod name_feeder;
mod near_miss_walker;
mod neighbour;
mod one_account;
mod outage_faker;
mod owning;
mod pairs;
mod quiet_prior;
mod rotate;
mod scan;
mod slow_scan;
mod spray;
mod stale_mimic;
mod stop_short;
mod stuffing;
mod table_filler;
mod tenant;
mod under_the_rule;
mod vpn_robot;
mod webmail_robot;

use crate::actor::Profile;
use crate::actor::Situation::{NewAccounts, NewSecrets, Nothing};

/// All kinds; each world has some.
pub(crate) fn profiles() -> Vec<Profile> {
    vec![
        Profile::robot("fast-scan", 0.6, NewAccounts { unknown: 1.0 - scan::EXISTS }, fast_scan::cast),
        Profile::robot("slow-scan", 0.6, NewAccounts { unknown: 1.0 - scan::EXISTS }, slow_scan::cast),
        Profile::robot(
            "under-the-rule",
            0.5,
            NewAccounts { unknown: 1.0 - scan::EXISTS },
            under_the_rule::cast,
        ),
        Profile::robot("burst-sleep", 0.5, NewAccounts { unknown: 1.0 - scan::EXISTS }, burst_sleep::cast),
        Profile::robot("near-miss-walker", 0.4, NewAccounts { unknown: 0.5 }, near_miss_walker::cast),
        Profile::robot("brute-one", 0.5, NewSecrets, brute_one::cast),
        Profile::robot("one-account-30", 0.3, Nothing, one_account::cast_30),
        Profile::robot("one-account-11", 0.3, Nothing, one_account::cast_11),
        Profile::robot("one-account-2", 0.3, Nothing, one_account::cast_2),
        Profile::robot("one-account-half", 0.3, Nothing, one_account::cast_half),
        Profile::robot("spray", 0.4, NewAccounts { unknown: 0.0 }, spray::cast),
        Profile::robot("stuffing", 0.4, NewAccounts { unknown: 0.0 }, stuffing::cast_without_hits),
        Profile::robot("stuffing-hits", 0.4, NewAccounts { unknown: 0.0 }, stuffing::cast_with_hits),
        Profile::robot("launder", 0.4, NewAccounts { unknown: 1.0 - scan::EXISTS }, launder::cast),
        Profile::robot("rotate-24", 0.3, NewAccounts { unknown: 1.0 - scan::EXISTS }, rotate::cast_24),
        Profile::robot("rotate-v6-64", 0.3, NewAccounts { unknown: 1.0 - scan::EXISTS }, rotate::cast_64),
        Profile::robot("rotate-v6-56", 0.3, NewAccounts { unknown: 1.0 - scan::EXISTS }, rotate::cast_56),
        Profile::robot("rotate-v6-48", 0.3, NewAccounts { unknown: 1.0 - scan::EXISTS }, rotate::cast_48),
        Profile::robot("botnet-wide", 0.4, Nothing, botnet_wide::cast),
        Profile::robot("botnet-targeted", 0.4, Nothing, botnet_targeted::cast),
        Profile::robot("botnet-monthly", 0.4, Nothing, botnet_monthly::cast),
        Profile::robot("botnet-dictionary", 0.4, Nothing, botnet_dictionary::cast),
        Profile::robot("botnet-popular", 0.4, Nothing, botnet_popular::cast),
        Profile::robot("botnet-storm", 0.02, Nothing, botnet_storm::cast),
        Profile::robot("flood", 0.3, Nothing, flood::cast),
        Profile::robot("vpn-robot", 1.0, NewAccounts { unknown: 1.0 - scan::EXISTS }, vpn_robot::cast),
        Profile::robot(
            "webmail-robot",
            0.3,
            NewAccounts { unknown: 1.0 - scan::EXISTS },
            webmail_robot::cast,
        ),
        Profile::robot("tenant", 1.0, NewAccounts { unknown: 1.0 - scan::EXISTS }, tenant::cast),
        Profile::robot("stop-short", 0.25, Nothing, stop_short::cast),
        Profile::robot("credit-first", 0.25, NewAccounts { unknown: 1.0 - scan::EXISTS }, credit_first::cast),
        Profile::robot("hub-buyer", 0.25, NewAccounts { unknown: 1.0 - scan::EXISTS }, hub_buyer::cast),
        Profile::robot("stale-mimic", 0.25, Nothing, stale_mimic::cast),
        Profile::robot("outage-faker", 0.2, NewAccounts { unknown: 0.5 }, outage_faker::cast),
        Profile::robot("quiet-prior", 0.2, NewAccounts { unknown: 0.5 }, quiet_prior::cast),
        Profile::robot("name-feeder", 0.25, Nothing, name_feeder::cast),
        Profile::robot("log-flooder", 0.15, Nothing, log_flooder::cast),
        Profile::robot("table-filler", 0.15, Nothing, table_filler::cast),
        Profile::robot("framer", 0.3, Nothing, framer::cast),
        Profile::robot("neighbour", 0.2, Nothing, neighbour::cast),
    ]
}
