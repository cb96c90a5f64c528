//! What is on record, as answers tell it: beside the running service, and without one.

use std::path::{Path, PathBuf};

use fairban_control::{
    About, AccountRow, BanRow, BansPage, By, HistoryRow, Mode, Moment, PARTS_MAX, Shown, SignalRow,
    SinceReport, StatusReport, WhyAccount, WhyReport, WhySource,
};
use fairban_core::account::AccountKey;
use fairban_core::time::Time;
use fairban_store::database::{self, Event, Reader, VerdictRow};
use ipnet::IpNet;

use crate::error::{Failure, Kind};
use crate::verbs::Offline;

/// Decisions about a prefix, newest first.
pub(crate) fn of_prefix(reader: &Reader, prefix: IpNet) -> Result<Vec<HistoryRow>, database::Error> {
    let events = reader.history_of_prefix(prefix, PARTS_MAX)?;
    Ok(events.iter().map(|event| row(event, Some(prefix))).collect())
}

/// Decisions about an account, newest first.
pub(crate) fn of_account(reader: &Reader, key: &AccountKey) -> Result<Vec<HistoryRow>, database::Error> {
    Ok(reader.history_of_account(key, PARTS_MAX)?.iter().map(|event| row(event, None)).collect())
}

/// What was on record about somebody at a time; `None` if nothing.
pub(crate) fn why_at(reader: &Reader, about: &About, at: Time) -> Result<Option<WhyReport>, database::Error> {
    match about {
        About::Prefix(prefix) => {
            Ok(source_at(reader, *prefix, at)?.map(|why| WhyReport::Source(Box::new(why))))
        }
        About::Account(account) => {
            let key = AccountKey::new(&account.bytes());
            let events = reader.history_of_account(&key, PARTS_MAX)?;
            let history: Vec<_> =
                events.iter().filter(|event| event.time() <= at).map(|event| row(event, None)).collect();
            Ok((!history.is_empty()).then(|| {
                WhyReport::Account(WhyAccount {
                    account: account.clone(),
                    at: Moment::from(at),
                    logins: Vec::new(),
                    devices: Vec::new(),
                    failed: Vec::new(),
                    strangers: 0,
                    remarks: vec![Shown::of(
                        "From the record; logins are known to the running service only.",
                    )],
                    history,
                })
            }))
        }
    }
}

fn source_at(reader: &Reader, prefix: IpNet, at: Time) -> Result<Option<WhySource>, database::Error> {
    let mut events = reader.history_of_prefix(prefix, PARTS_MAX)?;
    events.retain(|event| event.time() <= at);
    let ban = reader.bans_of(prefix, PARTS_MAX)?.into_iter().find(|ban| ban.since <= at);
    if events.is_empty() && ban.is_none() {
        return Ok(None);
    }
    let verdict = match ban.as_ref().and_then(|ban| ban.verdict) {
        Some(number) => reader.verdict(number)?,
        None => None,
    };
    let on = |ban: &database::BanRow| {
        let ended = ban.ended.as_ref().map(|(time, _)| *time);
        ban.until.is_none_or(|until| until > at) && ended.is_none_or(|ended| ended > at)
    };
    let verdict = verdict.as_ref();
    Ok(Some(WhySource {
        source: prefix,
        at: Moment::from(at),
        allowed: None,
        first_seen: None,
        last_seen: verdict.map(|verdict| Moment::from(verdict.time)),
        attempts: verdict.and_then(|verdict| verdict.attempts).map_or(0, u64::from),
        evidence: verdict.and_then(|verdict| verdict.evidence).unwrap_or(0.0),
        limit: verdict.and_then(|verdict| verdict.needed).unwrap_or(0.0),
        signals: verdict.map(signals).unwrap_or_default(),
        accounts: verdict.map(tried).unwrap_or_default(),
        samples: verdict.map(|verdict| spelt(&verdict.samples)).unwrap_or_default(),
        banned: ban.as_ref().is_some_and(on),
        ban: ban.map(|ban| told_ban(&ban)),
        remarks: verdict.map(|verdict| spelt(&verdict.remarks)).unwrap_or_default(),
        changed_by: Vec::new(),
        history: events.iter().map(|event| row(event, Some(prefix))).collect(),
    }))
}

fn spelt(texts: &[String]) -> Vec<Shown> {
    texts.iter().take(PARTS_MAX).map(Shown::spelt).collect()
}

fn signals(verdict: &VerdictRow) -> Vec<SignalRow> {
    let row = |signal: &database::SignalRow| SignalRow {
        name: Shown::spelt(&signal.name),
        count: u64::from(signal.count),
        nats: signal.nats,
        meaning: None,
    };
    verdict.signals.iter().map(row).collect()
}

fn tried(verdict: &VerdictRow) -> Vec<AccountRow> {
    let row = |tried: &database::TriedRow| AccountRow {
        account: Shown::spelt(if tried.account.is_empty() { "(not named)" } else { &tried.account }),
        outcome: Shown::spelt(&tried.last),
        failures: u64::from(tried.failures),
        successes: u64::from(tried.successes),
        last: Moment::from(tried.time),
    };
    verdict.tried.iter().map(row).collect()
}

fn told_ban(ban: &database::BanRow) -> BanRow {
    BanRow {
        id: ban.id,
        prefix: ban.prefix,
        from: Moment::from(ban.since),
        until: ban.until.map(Moment::from),
        reason: Shown::spelt(&ban.reason),
        by: if ban.reason == "operator" { By::Operator } else { By::Evidence },
        evidence: ban.evidence.unwrap_or(0.0),
        limit: 0.0,
        attempts: 0,
        accounts: 0,
        weak: false,
        enforced: ban.mode == database::Mode::Live,
        attempts_since: 0,
        note: None,
    }
}

fn row(event: &Event, asked: Option<IpNet>) -> HistoryRow {
    match event {
        Event::Verdict(verdict) => {
            let mut words = Vec::new();
            words.extend(verdict.reason.clone());
            words.extend(verdict.account.as_ref().map(|account| format!("account {account}")));
            words.extend(verdict.evidence.map(|nats| match verdict.needed {
                Some(needed) => format!("{nats:.1} of {needed:.1} nats"),
                None => format!("{nats:.1} nats"),
            }));
            words.extend(verdict.until.map(|until| format!("until {}", Moment::from(until))));
            HistoryRow {
                time: Moment::from(verdict.time),
                action: Shown::spelt(&verdict.action),
                id: (verdict.id > 0).then_some(verdict.id),
                prefix: verdict.prefix.filter(|prefix| Some(*prefix) != asked),
                text: Shown::spelt(words.join(", ")),
                signals: signals(verdict),
            }
        }
        Event::Action(action) => {
            let mut words = vec![format!("by uid {}", action.uid)];
            words.extend(action.until.map(|until| format!("until {}", Moment::from(until))));
            words.extend((!action.reason.is_empty()).then(|| action.reason.clone()));
            HistoryRow {
                time: Moment::from(action.time),
                action: Shown::spelt(format!("operator-{}", action.verb)),
                id: None,
                prefix: action.prefix.filter(|prefix| Some(*prefix) != asked),
                text: Shown::spelt(words.join(", ")),
                signals: Vec::new(),
            }
        }
    }
}

/// Answers from the database where no service runs.
pub(crate) struct Record {
    state: PathBuf,
    now: Time,
    reader: Option<Reader>,
}

impl Record {
    /// Of a state's folder, in which nothing is opened before it is asked.
    pub(crate) fn new(state: &Path, now: Time) -> Record {
        Record { state: state.to_owned(), now, reader: None }
    }

    fn reader(&mut self) -> Result<&Reader, Failure> {
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => Reader::open(&self.state.join("fairban.db")).map_err(|error| failed(&error))?,
        };
        if reader.is_stale() {
            crate::error::warn(
                "the newest entries of the database could not be read: it is on a read-only disk",
                None,
            );
        }
        Ok(self.reader.insert(reader))
    }
}

fn failed(error: &database::Error) -> Failure {
    Failure::new(Kind::Environment, error.to_string()).hint("start the service: fairban run")
}

impl Offline for Record {
    fn status(&mut self) -> Result<StatusReport, Failure> {
        let status = self.reader()?.status().map_err(|error| failed(&error))?;
        let left = status.and_then(|row| serde_json::from_str::<StatusReport>(&row.json).ok());
        let left = left.ok_or_else(|| {
            Failure::new(Kind::Environment, "the service left no status in its database")
                .hint("start it: fairban run")
        })?;
        Ok(StatusReport { pid: 0, ..left })
    }

    fn bans(&mut self, within: Option<IpNet>, after: Option<IpNet>, most: u32) -> Result<BansPage, Failure> {
        let now = self.now;
        let mut bans = self.reader()?.bans_at(now).map_err(|error| failed(&error))?;
        bans.retain(|ban| {
            within.is_none_or(|other| other.contains(&ban.prefix) || ban.prefix.contains(&other))
        });
        bans.sort_by_key(|ban| ban.prefix);
        let total = bans.len() as u64;
        bans.retain(|ban| after.is_none_or(|after| ban.prefix > after));
        let next = (bans.len() > most as usize).then(|| bans[most as usize - 1].prefix);
        let rows = bans.iter().take(most as usize).map(told_ban).collect();
        Ok(BansPage { rows, next, total, mode: Mode::Shadow, at: Moment::from(now) })
    }

    fn report(&mut self, since: Moment) -> Result<SinceReport, Failure> {
        let desk = super::left::desk(&self.state)?;
        let mut report = super::since::report(&desk, since.time(), self.now, &[]);
        if report.mode == Mode::Shadow {
            (report.safe, report.command) = (false, Some(Shown::of("fairban run")));
            report.reasons.insert(0, Shown::of("the service does not run: this is what it left"));
        }
        Ok(report)
    }

    fn why(&mut self, about: &About, at: Option<Moment>) -> Result<Option<WhyReport>, Failure> {
        let at = at.map_or(self.now, Moment::time);
        why_at(self.reader()?, about, at).map_err(|error| failed(&error))
    }
}
