//! `fairban check` as an administrator runs it.

#[path = "../replay/support.rs"]
#[expect(dead_code, reason = "shared with the tests of replay, which use all of it")]
mod support;

mod configuration;
mod inputs;
mod rights;
