//! What is put on record.

use std::time::Duration;

use fairban_control::{About, HistoryRow, Response};
use fairban_core::account::AccountKey;
use fairban_core::effect::Effect;
use fairban_core::time::Time;
use ipnet::IpNet;

use super::desk::{Action, By, Desk};
use super::told::Place;

pub(crate) struct Recorder;

impl Recorder {
    pub(crate) fn effects(&mut self, _: u64, _: &[Effect], _: &Desk, _: Option<Place<'_>>) {}
    pub(crate) fn action(&mut self, _: u64, _: Time, _: &By, _: &Action, _: &str) {}
    pub(crate) fn tend(&mut self, _: Duration) -> Option<Duration> {
        None
    }
    pub(crate) fn trouble(&self) -> Option<String> {
        None
    }
    pub(crate) fn bytes(&self) -> u64 {
        0
    }
    pub(crate) fn why(&mut self, about: &About, _: Time) -> Response {
        let _ = about;
        Response::NothingKnown { about: fairban_control::Shown::of("") }
    }
    pub(crate) fn history_of_prefix(&mut self, _: IpNet, _: usize) -> Vec<HistoryRow> {
        Vec::new()
    }
    pub(crate) fn history_of_account(&mut self, _: &AccountKey, _: usize) -> Vec<HistoryRow> {
        Vec::new()
    }
    pub(crate) fn close(self) {}
}
