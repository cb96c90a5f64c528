//! `--explain`: the whole evidence about one source or account, in words.

use std::io::{self, Write};
use std::net::IpAddr;

use fairban_core::account::Account;
use fairban_core::effect::{Alarm, Ban, Effect, Seen, Signal, SignalSum, Standing};
use fairban_core::engine::{Explanation, Subject};
use fairban_core::escape::escaped;
use fairban_core::event::Outcome;
use fairban_core::nats::Nats;
use fairban_core::time::Time;
use jiff::tz::TimeZone;

use crate::cli::Asked;
use crate::error::plural;
use crate::json::Place;
use crate::tally::{show_account, show_prefix};
use crate::when::{length, long};

/// Decisions shown; more are counted.
const DECISIONS_MAX: usize = 100;

/// What was decided about whom the operator asks, while the log was read.
pub(crate) struct History {
    asked: Asked,
    decisions: Vec<(Effect, String, u64)>,
    more: u64,
    attempts: u64,
    failures: u64,
    successes: u64,
    kept_out: u64,
    span: Option<(Time, Time)>,
}

impl History {
    pub(crate) fn new(asked: Asked) -> History {
        let decisions = Vec::new();
        History { asked, decisions, more: 0, attempts: 0, failures: 0, successes: 0, kept_out: 0, span: None }
    }

    pub(crate) fn subject(&self) -> &Subject {
        &self.asked.subject
    }

    /// Keeps an effect if it concerns whom was asked about.
    pub(crate) fn add(&mut self, effect: &Effect, place: Place<'_>) {
        if !concerns(effect, &self.asked.subject) {
            return;
        }
        match effect {
            Effect::Seen(seen) => self.count(seen),
            _ if self.decisions.len() < DECISIONS_MAX => {
                self.decisions.push((effect.clone(), place.file.to_owned(), place.line));
            }
            _ => self.more += 1,
        }
    }

    fn count(&mut self, seen: &Seen) {
        let (first, last) = self.span.unwrap_or((seen.time, seen.time));
        self.span = Some((first.min(seen.time), last.max(seen.time)));
        self.attempts += u64::from(seen.outcome != Outcome::Aborted);
        self.successes += u64::from(seen.outcome == Outcome::Success);
        let failed = matches!(seen.outcome, Outcome::BadSecret | Outcome::UnknownAccount | Outcome::Failed);
        self.failures += u64::from(failed);
        self.kept_out += u64::from(seen.standing == Standing::KeptOut);
    }

    /// Prints what is known: the engine's explanation at the end of the log, and what was decided on the way.
    pub(crate) fn write(&self, explanation: Option<&Explanation>, zone: &TimeZone) -> io::Result<()> {
        let mut out = anstream::stdout().lock();
        let typed = escaped(self.asked.typed.as_bytes());
        if explanation.is_none() && self.span.is_none() && self.decisions.is_empty() {
            writeln!(out, "{typed}: nothing is known; no line that was read tells of a login by it.")?;
            return out.flush();
        }
        writeln!(out, "{typed}")?;
        if let Some((first, last)) = self.span {
            let (first, last) = (long(first, zone), long(last, zone));
            writeln!(out, "  seen from {first} to {last}")?;
            let (attempts, failures) = (plural(self.attempts, "attempt"), self.failures);
            write!(out, "  {attempts}: {failures} failed, {} succeeded", self.successes)?;
            writeln!(out, "; a ban kept {} out", self.kept_out)?;
        }
        self.write_decisions(&mut out, zone)?;
        if let Some(explanation) = explanation {
            write_explanation(&mut out, explanation, zone)?;
        } else {
            writeln!(out, "\nNo evidence is held about it at the end of the log.")?;
        }
        out.flush()
    }

    fn write_decisions(&self, out: &mut impl Write, zone: &TimeZone) -> io::Result<()> {
        if self.decisions.is_empty() {
            return writeln!(out, "\nNothing was decided about it: it was not banned.");
        }
        writeln!(out, "\nDecisions:")?;
        for (effect, file, line) in &self.decisions {
            let (time, said) = in_words(effect, zone);
            writeln!(out, "  {}  {said}\n      on reading {file}:{line}", long(time, zone))?;
            if let Effect::Ban(ban) | Effect::Extend { ban, .. } = effect {
                write_signals(out, "      ", &ban.signals)?;
            }
        }
        if self.more > 0 {
            writeln!(out, "  and {} more", self.more)?;
        }
        Ok(())
    }
}

fn concerns(effect: &Effect, subject: &Subject) -> bool {
    let of_source = |source: &IpAddr| matches!(subject, Subject::Source(asked) if same_unit(*asked, *source));
    let of_prefix =
        |prefix: &ipnet::IpNet| matches!(subject, Subject::Source(asked) if prefix.contains(asked));
    let of_account = |account: &Account| matches!((subject, account.key()), (Subject::Account(asked), Some(key)) if asked == key);
    match effect {
        Effect::Seen(seen) => of_source(&seen.source) || of_account(&seen.account),
        Effect::Ban(ban) | Effect::Extend { ban, .. } => of_prefix(&ban.prefix),
        Effect::Unban { prefix, .. } => of_prefix(prefix),
        Effect::Hit { source, account, .. } | Effect::StaleDevice { source, account, .. } => {
            of_source(source) || of_account(account)
        }
        Effect::Hub { source, .. } => of_source(source),
        Effect::Alarm { alarm, .. } => match alarm {
            Alarm::AccountUnderAttack { account, .. } => of_account(account),
            Alarm::Looping { account, source, .. } => of_source(source) || of_account(account),
            Alarm::PenaltyOnFamiliar { source } | Alarm::Proxy { source } | Alarm::Spared { source, .. } => {
                of_source(source)
            }
            _ => false,
        },
        Effect::Gap { .. } => false,
    }
}

fn same_unit(a: IpAddr, b: IpAddr) -> bool {
    use crate::tally::Unit;
    Unit::of(a) == Unit::of(b)
}

fn in_words(effect: &Effect, zone: &TimeZone) -> (Time, String) {
    match effect {
        Effect::Ban(ban) => (ban.time, format!("ban #{}: {}", ban.id, ban_in_words(ban))),
        Effect::Extend { of, ban } => {
            (ban.time, format!("ban #{of} goes on as #{}: {}", ban.id, ban_in_words(ban)))
        }
        Effect::Unban { of, time, reason, prefix, .. } => {
            (*time, format!("ban #{of} of {} ended: {}", show_prefix(prefix), reason.name()))
        }
        Effect::Hit { time, account, guesses, evidence, source, .. } => {
            let account = show_account(account);
            (
                *time,
                format!(
                    "hit: {source} logged in as {account} after {guesses} failed tries, at {evidence} nats"
                ),
            )
        }
        Effect::StaleDevice { time, account, failures, since, .. } => {
            let (account, since) = (show_account(account), long(*since, zone));
            (*time, format!("a device with an old password of {account}: {failures} failures since {since}"))
        }
        Effect::Hub { time, accounts, .. } => {
            (*time, format!("a hub from now on: {accounts} accounts log in there"))
        }
        Effect::Alarm { time, alarm, .. } => (*time, format!("alarm: {}", alarm.name())),
        Effect::Gap { time, .. } => (*time, "the log lost lines".to_owned()),
        Effect::Seen(seen) => (seen.time, "seen".to_owned()),
    }
}

fn ban_in_words(ban: &Ban) -> String {
    let how_long =
        ban.until.map_or("for ever".to_owned(), |until| format!("for {}", length(until.since(ban.time))));
    let weak = if ban.weak { "; weak evidence (connections alone)" } else { "" };
    let (prefix, reason) = (show_prefix(&ban.prefix), ban.reason.name());
    let (evidence, limit) = (ban.evidence, ban.limit);
    let tries = plural(u64::from(ban.attempts), "attempt");
    let accounts = plural(u64::from(ban.accounts), "account");
    format!(
        "{prefix} {how_long}, {reason}\n      {evidence} nats of {limit} needed, after {tries} at {accounts}{weak}"
    )
}

fn write_signals(out: &mut impl Write, indent: &str, signals: &[SignalSum]) -> io::Result<()> {
    for sum in signals {
        let (count, nats, what) = (sum.count, sum.nats.to_f64(), signal_words(sum.signal));
        writeln!(out, "{indent}{nats:>+6.1} nats  {count:>4} x {:<21} {what}", sum.signal.name())?;
    }
    Ok(())
}

fn write_explanation(out: &mut impl Write, told: &Explanation, zone: &TimeZone) -> io::Result<()> {
    let of = told.prefix.as_ref().map_or(String::new(), |prefix| format!(" of {}", show_prefix(prefix)));
    writeln!(
        out,
        "\nEvidence{of} at the end of the log: {} nats of {} needed for a ban",
        told.evidence, told.limit
    )?;
    write_signals(out, "  ", &told.signals)?;
    // Number 0 is no ban.
    if let Some((id, kind, from, until)) = told.ban.filter(|(id, ..)| *id > 0) {
        let end = until.map_or("for ever".to_owned(), |until| format!("until {}", long(until, zone)));
        writeln!(out, "  last ban: #{id}, {}, from {} {end}", kind.name(), long(from, zone))?;
    }
    if !told.accounts.is_empty() {
        writeln!(out, "\nAccounts:")?;
    }
    for account in &told.accounts {
        let (name, last) = (show_account(&account.account), outcome_words(account.last));
        let (failures, successes) = (account.failures, account.successes);
        let when = long(account.time, zone);
        writeln!(out, "  {name} from {}", account.source)?;
        writeln!(out, "      {failures} failed, {successes} succeeded; last {last}, {when}")?;
    }
    if !told.samples.is_empty() {
        writeln!(out, "\nLines:")?;
    }
    for sample in &told.samples {
        writeln!(out, "  {}", escaped(sample))?;
    }
    if !told.remarks.is_empty() {
        writeln!(out, "\nWhy, and what would have changed it:")?;
    }
    for remark in &told.remarks {
        writeln!(out, "  {}", escaped(remark.as_bytes()))?;
    }
    if told.remarks.is_empty() {
        let missing = told.limit - told.evidence;
        if missing > Nats::ZERO && told.ban.is_none() {
            writeln!(out, "\n{missing} nats more would have banned it.")?;
        }
    }
    Ok(())
}

pub(crate) const fn outcome_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "a login",
        Outcome::BadSecret => "a wrong secret",
        Outcome::UnknownAccount => "an unknown account",
        Outcome::Failed => "a failure",
        Outcome::Denied => "denied",
        Outcome::Aborted => "no login tried",
        Outcome::ServerFault => "the server's own fault",
    }
}

/// What a signal means, in a few words.
pub(crate) const fn signal_words(signal: Signal) -> &'static str {
    match signal {
        Signal::UnknownAccount => "the server knows no such account",
        Signal::WrongSecret => "a new account, wrong secret",
        Signal::Refused => "a new account, refused without a reason",
        Signal::HiddenAccount => "failed; the log hides the account",
        Signal::DictionaryName => "a name that other robots tried here",
        Signal::PopularSecret => "a secret that strangers tried elsewhere",
        Signal::CommonSecret => "a secret that robots try first",
        Signal::ManySecrets => "one account, another secret each time",
        Signal::SecondAccount => "a second account fails, none succeeded",
        Signal::Speed => "new accounts in a machine's rhythm",
        Signal::FastRepeat => "one account, faster than people",
        Signal::AccountUnderAttack => "a stranger at an account under attack",
        Signal::SitePrior => "most strangers that fail here are robots",
        Signal::Neighbours => "neighbours in the prefix accuse themselves",
        Signal::Connections => "connections without a login",
        Signal::TurnedAway => "turned away by the service itself",
        Signal::Probation => "banned before and back",
        Signal::Success => "logins: credit",
        _ => "",
    }
}
