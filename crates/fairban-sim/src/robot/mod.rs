//! Robots: families of them a file, each kind with its numbers named and with where they come from.

mod aware;
mod botnet;
mod brute;
mod elsewhere;
mod faker;
mod flood;
mod guesser;
mod launder;
mod rotate;
mod scan;
mod spoiler;
mod spray;

use crate::actor::Profile;
use crate::actor::Situation::{NewAccounts, NewSecrets, Nothing};

/// All kinds; each world has some.
pub(crate) fn profiles() -> Vec<Profile> {
    vec![
        Profile::robot("fast-scan", 0.6, NewAccounts { unknown: 1.0 - scan::EXISTS }, scan::cast_fast),
        Profile::robot("slow-scan", 0.6, NewAccounts { unknown: 1.0 - scan::EXISTS }, scan::cast_slow),
        Profile::robot(
            "under-the-rule",
            0.5,
            NewAccounts { unknown: 1.0 - scan::EXISTS },
            scan::cast_under_the_rule,
        ),
        Profile::robot("burst-sleep", 0.5, NewAccounts { unknown: 1.0 - scan::EXISTS }, scan::cast_burst),
        Profile::robot("near-miss-walker", 0.4, NewAccounts { unknown: 0.5 }, scan::cast_near_miss),
        Profile::robot("brute-one", 0.5, NewSecrets, brute::cast),
        Profile::robot("one-account-30", 0.3, Nothing, brute::cast_30),
        Profile::robot("one-account-11", 0.3, Nothing, brute::cast_11),
        Profile::robot("one-account-2", 0.3, Nothing, brute::cast_2),
        Profile::robot("one-account-half", 0.3, Nothing, brute::cast_half),
        Profile::robot("spray", 0.4, NewAccounts { unknown: 0.0 }, spray::cast_spray),
        Profile::robot("stuffing", 0.4, NewAccounts { unknown: 0.0 }, spray::cast_stuffing),
        Profile::robot("stuffing-hits", 0.4, NewAccounts { unknown: 0.0 }, spray::cast_stuffing_hits),
        Profile::robot("launder", 0.4, NewAccounts { unknown: 1.0 - scan::EXISTS }, launder::cast_rhythms),
        Profile::robot("rotate-24", 0.3, NewAccounts { unknown: 1.0 - scan::EXISTS }, rotate::cast_24),
        Profile::robot("rotate-v6-64", 0.3, NewAccounts { unknown: 1.0 - scan::EXISTS }, rotate::cast_64),
        Profile::robot("rotate-v6-56", 0.3, NewAccounts { unknown: 1.0 - scan::EXISTS }, rotate::cast_56),
        Profile::robot("rotate-v6-48", 0.3, NewAccounts { unknown: 1.0 - scan::EXISTS }, rotate::cast_48),
        Profile::robot("botnet-wide", 0.4, Nothing, botnet::cast_wide),
        Profile::robot("botnet-targeted", 0.4, Nothing, botnet::cast_targeted),
        Profile::robot("botnet-monthly", 0.4, Nothing, botnet::cast_monthly),
        Profile::robot("botnet-dictionary", 0.4, Nothing, botnet::cast_dictionary),
        Profile::robot("botnet-popular", 0.4, Nothing, botnet::cast_popular),
        Profile::robot("botnet-storm", 0.02, Nothing, botnet::cast_storm),
        Profile::robot("flood", 0.3, Nothing, flood::cast),
        Profile::robot("vpn-robot", 1.0, NewAccounts { unknown: 1.0 - scan::EXISTS }, elsewhere::cast_vpn),
        Profile::robot(
            "webmail-robot",
            0.3,
            NewAccounts { unknown: 1.0 - scan::EXISTS },
            elsewhere::cast_webmail,
        ),
        Profile::robot("tenant", 1.0, NewAccounts { unknown: 1.0 - scan::EXISTS }, elsewhere::cast_tenant),
        Profile::robot("stop-short", 0.25, Nothing, aware::cast_stop_short),
        Profile::robot(
            "credit-first",
            0.25,
            NewAccounts { unknown: 1.0 - scan::EXISTS },
            launder::cast_credit,
        ),
        Profile::robot("hub-buyer", 0.25, NewAccounts { unknown: 1.0 - scan::EXISTS }, launder::cast_hub),
        Profile::robot("stale-mimic", 0.25, Nothing, aware::cast_stale),
        Profile::robot("outage-faker", 0.2, NewAccounts { unknown: 0.5 }, faker::cast_outage),
        Profile::robot("quiet-prior", 0.2, NewAccounts { unknown: 0.5 }, faker::cast_quiet),
        Profile::robot("name-feeder", 0.25, Nothing, spoiler::cast_name_feeder),
        Profile::robot("log-flooder", 0.15, Nothing, spoiler::cast_log_flooder),
        Profile::robot("table-filler", 0.15, Nothing, aware::cast_table_filler),
        Profile::robot("framer", 0.3, Nothing, spoiler::cast_framer),
    ]
}
