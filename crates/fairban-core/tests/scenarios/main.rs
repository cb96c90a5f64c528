//! Situations of honest people and of robots that imitate them, each judged through the engine's public door: events
//! in, effects out. A file a situation; in each the honest case is spared for as long as it goes on, and the robot that
//! imitates it is caught, or what it gains an hour is bounded, printed and asserted.

#![allow(clippy::print_stdout, reason = "tests print what a robot gained")]

#[path = "../world/mod.rs"]
mod world;

mod admins;
mod attacked_accounts;
mod bans_and_after;
mod blind_services;
mod breaker;
mod cold_start;
mod connection_floods;
mod default_domain;
mod digest_then_plain;
mod explanations;
mod hits;
mod laundering;
mod lookalikes;
mod names_and_secrets;
mod near_misses;
mod one_account;
mod open_sessions;
mod operator;
mod outages;
mod people_who_forget;
mod prefixes;
mod server_faults;
mod shared_addresses;
mod slow_robots;
mod stale_devices;
mod undecidable;
