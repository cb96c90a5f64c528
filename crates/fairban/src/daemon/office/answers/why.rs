//! `fairban why`: from what the engine holds now, and from what is on record.

use std::path::Path;
use std::time::Duration;

use fairban_control::{
    About, AccountRow, BanRow, DeviceRow, FailedRow, LoginRow, Moment, PARTS_MAX, Problem, Refusal, Reply,
    Response, Shown, SignalRow, WhyAccount, WhyReport, WhySource, nats,
};
use fairban_core::account::AccountKey;
use fairban_core::effect::SignalSum;
use fairban_core::engine::{AccountTold, Explanation, Subject};
use fairban_core::time::Time;
use fairban_store::database::Reader;
use ipnet::IpNet;

use super::{Office, row};
use crate::daemon::history;
use crate::explain::{outcome_words, signal_words};
use crate::tally::{Unit, show_account};

/// What was just decided is waited for so long: a disk that is slower is asked for what it has.
const WRITTEN_WITHIN: Duration = Duration::from_secs(1);

impl Office {
    /// Answers from what the engine holds; what is on record is read in a thread of its own, so that no verdict waits for
    /// a disk. There are no more such threads than clients.
    pub(super) fn why(&mut self, about: About, at: Option<Moment>, reply: Reply) {
        let told = match (&about, at) {
            (_, Some(_)) => None,
            (About::Prefix(prefix), None) => {
                self.why_source(*prefix).map(|why| WhyReport::Source(Box::new(why)))
            }
            (About::Account(account), None) => {
                self.why_account(&AccountKey::new(&account.bytes())).map(WhyReport::Account)
            }
        };
        let path = self.recorder.path().to_owned();
        let written = self.recorder.on_their_way();
        let answer = move || {
            // An operator who asks about his own order finds it.
            written.wait(WRITTEN_WITHIN);
            reply.send(recorded(&path, &about, at, told));
        };
        // Without a thread the client is told that there was no answer.
        let _ = std::thread::Builder::new().name("history".to_owned()).spawn(answer);
    }

    fn why_source(&mut self, asked: IpNet) -> Option<WhySource> {
        let now = self.now();
        let told = self.desk.engine().explain(&Subject::Source(asked.addr()));
        let ban = self.ban_around(asked);
        let allowed = self.desk.allowlist().into_iter().find(|prefix| prefix.contains(&asked));
        if told.is_none() && ban.is_none() && allowed.is_none() {
            return None;
        }
        let banned = ban.is_some();
        let because =
            ban.as_ref().and_then(|ban| ban.note.as_ref()).map(|note| format!("Protected because {note}."));
        let own =
            self.floor.reason(&asked).map(|reason| format!("Protected because it is or holds {reason}."));
        let told = told.unwrap_or(Explanation {
            prefix: None,
            evidence: fairban_core::nats::Nats::ZERO,
            limit: fairban_core::nats::Nats::ZERO,
            signals: Vec::new(),
            attempts: 0,
            accounts: Vec::new(),
            samples: Vec::new(),
            ban: None,
            remarks: Vec::new(),
        });
        // The engine forgets what weighs nothing: whoever only logs in would seem to have done next to nothing.
        let (people, unit) = (&self.desk.tally().people, Unit::of(asked.addr()));
        let (counted, last_counted) = people.attempts(unit).unzip();
        let last_seen = told.accounts.iter().map(|account| account.time).chain(last_counted).max();
        let (changed_by, remarks): (Vec<_>, Vec<_>) =
            told.remarks.into_iter().partition(|remark| remark.contains("would "));
        Some(WhySource {
            source: told.prefix.unwrap_or(asked),
            at: Moment::from(now),
            allowed,
            first_seen: people.first_seen(unit).map(Moment::from),
            last_seen: last_seen.map(Moment::from),
            attempts: u64::from(told.attempts).max(counted.unwrap_or(0)),
            evidence: nats(told.evidence),
            limit: nats(told.limit),
            signals: told.signals.iter().take(PARTS_MAX).map(signal_row).collect(),
            accounts: account_rows(&told.accounts),
            samples: told.samples.iter().take(PARTS_MAX).map(Shown::of).collect(),
            ban,
            banned,
            remarks: own
                .into_iter()
                .chain(because)
                .chain(remarks)
                .take(PARTS_MAX)
                .map(Shown::spelt)
                .collect(),
            changed_by: changed_by.into_iter().take(PARTS_MAX).map(Shown::spelt).collect(),
            history: Vec::new(),
        })
    }

    /// The ban in force that holds the prefix.
    fn ban_around(&mut self, asked: IpNet) -> Option<BanRow> {
        let now = self.now();
        let live = self.desk.mode().is_live() && !self.behind;
        let lengths = (0..=asked.prefix_len()).rev();
        let around =
            lengths.filter_map(|length| IpNet::new(asked.addr(), length).ok().map(|net| net.trunc()));
        let mut bans = around.filter_map(|net| Some((net, self.desk.bans().get(&net)?)));
        bans.find(|(_, ban)| ban.until.is_none_or(|until| until > now)).map(|(net, ban)| row(net, ban, live))
    }

    fn why_account(&mut self, key: &AccountKey) -> Option<WhyAccount> {
        let now = self.now();
        let told = self.desk.engine().explain(&Subject::Account(key.clone()));
        told.as_ref()?;
        let accounts = told.as_ref().map(|told| told.accounts.clone()).unwrap_or_default();
        let (logins, failed): (Vec<_>, Vec<_>) = accounts.into_iter().partition(|told| told.successes > 0);
        let devices =
            self.desk.tally().stale_devices.iter().filter(|((account, _), _)| account.as_ref() == Some(key));
        let devices = devices.take(PARTS_MAX).map(|((_, source), device)| DeviceRow {
            source: IpNet::from(*source),
            failures: u64::from(device.failures),
            since: Moment::from(device.since),
            last: Some(Moment::from(device.last)),
        });
        let mut failed: Vec<FailedRow> = failed
            .into_iter()
            .map(|told| FailedRow {
                source: IpNet::from(told.source),
                failures: u64::from(told.failures),
                last: Moment::from(told.time),
                banned: self.desk.bans().get(&IpNet::from(told.source)).is_some(),
            })
            .collect();
        failed.sort_by_key(|row| std::cmp::Reverse(row.last));
        failed.truncate(PARTS_MAX);
        let mut logins: Vec<LoginRow> = logins
            .into_iter()
            .map(|told| LoginRow {
                source: IpNet::from(told.source),
                last: Moment::from(told.time),
                failures: u64::from(told.failures),
            })
            .collect();
        logins.sort_by_key(|row| std::cmp::Reverse(row.last));
        logins.truncate(PARTS_MAX);
        Some(WhyAccount {
            account: Shown::of(key.as_bytes()),
            at: Moment::from(now),
            logins,
            devices: devices.collect(),
            strangers: failed.len() as u64,
            failed,
            remarks: told
                .map(|told| told.remarks)
                .unwrap_or_default()
                .into_iter()
                .take(PARTS_MAX)
                .map(Shown::spelt)
                .collect(),
            history: Vec::new(),
        })
    }
}

/// What is told now, with what is on record; of an earlier time, or where nothing is known now, the record alone.
fn recorded(path: &Path, about: &About, at: Option<Moment>, told: Option<WhyReport>) -> Response {
    let nothing = || {
        let about = match about {
            About::Prefix(prefix) => Shown::of(prefix.to_string()),
            About::Account(account) => account.clone(),
        };
        Response::NothingKnown { about }
    };
    let read = Reader::open(path).and_then(|reader| match (told.clone(), about) {
        (Some(WhyReport::Source(mut why)), About::Prefix(prefix)) => {
            why.history = history::of_prefix(&reader, *prefix)?;
            Ok(Some(WhyReport::Source(why)))
        }
        (Some(WhyReport::Account(mut why)), About::Account(account)) => {
            why.history = history::of_account(&reader, &AccountKey::new(&account.bytes()))?;
            Ok(Some(WhyReport::Account(why)))
        }
        _ => {
            let at = at.map_or(Time::from_micros(i64::MAX), Moment::time);
            history::why_at(&reader, about, at)
        }
    });
    match (read, told) {
        (Ok(why), _) => why.map_or_else(nothing, Response::Why),
        (Err(_), Some(told)) => Response::Why(told),
        (Err(error), None) if at.is_some() => {
            Refusal::new(Problem::Failed, format!("the record cannot be read: {error}")).into()
        }
        (Err(_), None) => nothing(),
    }
}

/// A row an account: the engine tells of its failures and of its logins apart.
fn account_rows(told: &[AccountTold]) -> Vec<AccountRow> {
    let mut rows: Vec<AccountRow> = Vec::new();
    for account in told {
        let name = Shown::spelt(show_account(&account.account));
        let (failures, last) = (u64::from(account.failures), Moment::from(account.time));
        let (successes, outcome) = (u64::from(account.successes), Shown::of(outcome_words(account.last)));
        if let Some(row) = rows.iter_mut().find(|row| row.account == name) {
            row.failures += failures;
            row.successes += successes;
            if last >= row.last {
                (row.last, row.outcome) = (last, outcome);
            }
        } else {
            rows.push(AccountRow { account: name, outcome, failures, successes, last });
        }
    }
    rows.truncate(PARTS_MAX);
    rows
}

fn signal_row(sum: &SignalSum) -> SignalRow {
    SignalRow {
        name: Shown::of(sum.signal.name()),
        count: u64::from(sum.count),
        nats: nats(sum.nats),
        meaning: Some(Shown::of(signal_words(sum.signal))),
    }
}
