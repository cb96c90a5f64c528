//! `fairban replay` as its users run it.

mod bad_input;
mod contract;
mod going_on;
mod inputs;
mod limits;
mod order;
mod schema;
mod support;
mod told;
