//! Honest people: one kind a file, its probabilities named, each with where it comes from.

mod bystander;
mod carrier_nat;
mod classroom;
mod client;
mod dead_account;
mod ex_employee;
mod fallback;
mod forgetful;
mod heir;
mod monitor;
mod moved;
mod near_miss;
mod new_hire;
mod office;
mod owner;
mod password_day;
mod plain;
mod stale_phone;
mod traveller;
mod typist;
mod v6_home;
mod vpn_exit;
mod webmail;

use crate::actor::Profile;

/// All kinds. The first is in every world.
pub(crate) fn profiles() -> Vec<Profile> {
    vec![
        Profile::honest("plain", 1.0, plain::cast),
        Profile::honest("fallback", 1.0, fallback::cast),
        Profile::honest("near-miss", 1.0, near_miss::cast),
        Profile::honest("typist", 1.0, typist::cast),
        Profile::honest("forgetful", 1.0, forgetful::cast),
        Profile::honest("stale-phone", 1.0, stale_phone::cast),
        Profile::honest("dead-account", 1.0, dead_account::cast),
        Profile::honest("ex-employee", 1.0, ex_employee::cast),
        Profile::honest("office", 1.0, office::cast),
        Profile::honest("carrier-nat", 1.0, carrier_nat::cast),
        Profile::honest("webmail", 1.0, webmail::cast),
        Profile::honest("classroom", 1.0, classroom::cast),
        Profile::honest("traveller", 1.0, traveller::cast),
        Profile::honest("moved", 1.0, moved::cast),
        Profile::honest("password-day", 0.2, password_day::cast),
        Profile::honest("v6-home", 1.0, v6_home::cast),
        Profile::honest("monitor", 0.7, monitor::cast_good),
        Profile::honest("bad-monitor", 0.4, monitor::cast_bad),
        Profile::honest("vpn-exit", 0.4, vpn_exit::cast),
        Profile::honest("heir", 1.0, heir::cast),
        Profile::honest("owner", 1.0, owner::cast),
        Profile::honest("new-hire", 0.5, new_hire::cast),
        Profile::honest("bystander", 1.0, bystander::cast),
    ]
}
