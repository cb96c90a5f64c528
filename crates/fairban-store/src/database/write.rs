//! Entries into rows.

use core::net::IpAddr;

use fairban_core::account::Account;
use fairban_core::effect::{Alarm, Ban, Effect, RobotKind};
use fairban_core::engine::Explanation;
use fairban_core::escape::escaped;
use fairban_core::event::{Outcome, Service};
use fairban_core::nats::Nats;
use fairban_core::time::Time;
use ipnet::IpNet;
use rusqlite::{Connection, Transaction, TransactionBehavior, named_params};

use super::entry::{
    Action, Counters, Entry, InForce, Mode, NAME_BYTES_MAX, REASON_BYTES_MAX, STATUS_BYTES_MAX, Standing,
    Status, TRIED_MAX, Verb, Verdict, Whom,
};

/// Most samples and remarks kept of one verdict.
const TEXTS_MAX: usize = 8;

/// Longest remark kept, in characters.
const REMARK_CHARS_MAX: usize = 400;

pub(super) fn record(connection: &mut Connection, entries: &[Entry]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for entry in entries {
        match entry {
            Entry::Verdict(verdict) => record_verdict(&transaction, verdict)?,
            Entry::Action(action) => record_action(&transaction, action)?,
            Entry::Counters(counters) => record_counters(&transaction, counters)?,
            Entry::Status(status) => record_status(&transaction, status)?,
            Entry::InForce(in_force) => record_in_force(&transaction, in_force)?,
        }
    }
    transaction.commit()
}

/// A row of `verdicts`, as far as the effect fills it.
#[derive(Default)]
struct Row<'a> {
    effect: u64,
    time: Time,
    action: &'static str,
    prefix: Option<IpNet>,
    account: Option<&'a Account>,
    service: Option<Service>,
    reason: Option<&'static str>,
    until: Option<Time>,
    evidence: Option<Nats>,
    needed: Option<Nats>,
    attempts: Option<u32>,
    accounts: Option<u32>,
    count: Option<u32>,
    weak: Option<bool>,
    since: Option<Time>,
}

impl<'a> Row<'a> {
    fn new(effect: u64, time: Time, action: &'static str) -> Row<'a> {
        Row { effect, time, action, ..Row::default() }
    }

    fn of_ban(action: &'static str, ban: &Ban) -> Row<'a> {
        Row {
            prefix: Some(ban.prefix),
            reason: Some(ban.reason.name()),
            until: ban.until,
            evidence: Some(ban.evidence),
            needed: Some(ban.limit),
            attempts: Some(ban.attempts),
            accounts: Some(ban.accounts),
            weak: Some(ban.weak),
            ..Row::new(ban.id, ban.time, action)
        }
    }

    fn of_alarm(id: u64, time: Time, alarm: &'a Alarm) -> Row<'a> {
        let row = Row { reason: Some(alarm.name()), ..Row::new(id, time, "alarm") };
        match alarm {
            Alarm::Outage { service, failing } => {
                Row { service: Some(*service), count: Some(*failing), ..row }
            }
            Alarm::OutageEnded { service }
            | Alarm::OutageLong { service }
            | Alarm::Blind { service }
            | Alarm::Torn { service } => Row { service: Some(*service), ..row },
            Alarm::AccountUnderAttack { account, strangers } => {
                Row { account: Some(account), count: Some(*strangers), ..row }
            }
            Alarm::Looping { account, source, failures } => {
                Row { account: Some(account), prefix: Some((*source).into()), count: Some(*failures), ..row }
            }
            Alarm::PenaltyOnFamiliar { source } | Alarm::Proxy { source } | Alarm::Spared { source, .. } => {
                Row { prefix: Some((*source).into()), ..row }
            }
            _ => row,
        }
    }

    /// `None` for what is only seen.
    fn of(effect: &'a Effect) -> Option<Row<'a>> {
        Some(match effect {
            Effect::Seen(_) => return None,
            Effect::Ban(ban) => Row::of_ban("ban", ban),
            Effect::Extend { ban, .. } => Row::of_ban("extend", ban),
            Effect::Unban { id, prefix, time, reason, .. } => {
                Row { prefix: Some(*prefix), reason: Some(reason.name()), ..Row::new(*id, *time, "unban") }
            }
            Effect::Hit { id, time, source, account, guesses, evidence } => Row {
                prefix: Some((*source).into()),
                account: Some(account),
                count: Some(*guesses),
                evidence: Some(*evidence),
                ..Row::new(*id, *time, "hit")
            },
            Effect::StaleDevice { id, time, source, account, failures, since } => Row {
                prefix: Some((*source).into()),
                account: Some(account),
                count: Some(*failures),
                since: Some(*since),
                ..Row::new(*id, *time, "stale-device")
            },
            Effect::Hub { id, time, source, accounts } => Row {
                prefix: Some((*source).into()),
                accounts: Some(*accounts),
                ..Row::new(*id, *time, "hub")
            },
            Effect::Alarm { id, time, alarm } => Row::of_alarm(*id, *time, alarm),
            Effect::Gap { id, time, service, lost } => {
                Row { service: Some(*service), count: Some(*lost), ..Row::new(*id, *time, "gap") }
            }
        })
    }

    /// The new row's number; `None` if it is there already.
    fn insert(&self, to: &Transaction<'_>, seq: u64, mode: Mode) -> rusqlite::Result<Option<i64>> {
        let mut statement = to.prepare_cached(
            "INSERT INTO verdicts (seq, effect, time_us, action, enforced, prefix, address, account, account_form, \
             service, reason, until_us, evidence, needed, attempts, accounts, count, weak, since_us) \
             VALUES (:seq, :effect, :time, :action, :enforced, :prefix, :address, :account, :form, :service, :reason, \
             :until, :evidence, :needed, :attempts, :accounts, :count, :weak, :since) ON CONFLICT DO NOTHING",
        )?;
        let (account, form) = self.account.map_or((None, None), account_text);
        let changed = statement.execute(named_params! {
            ":seq": seq as i64,
            ":effect": self.effect as i64,
            ":time": self.time.micros(),
            ":action": self.action,
            ":enforced": mode == Mode::Live,
            ":prefix": self.prefix.map(|prefix| prefix.to_string()),
            ":address": self.prefix.map(address_of),
            ":account": account,
            ":form": form,
            ":service": self.service.map(Service::name),
            ":reason": self.reason,
            ":until": self.until.map(Time::micros),
            ":evidence": self.evidence.map(Nats::to_f64),
            ":needed": self.needed.map(Nats::to_f64),
            ":attempts": self.attempts,
            ":accounts": self.accounts,
            ":count": self.count,
            ":weak": self.weak,
            ":since": self.since.map(Time::micros),
        })?;
        Ok((changed > 0).then(|| to.last_insert_rowid()))
    }
}

fn record_verdict(to: &Transaction<'_>, verdict: &Verdict) -> rusqlite::Result<()> {
    let Some(row) = Row::of(&verdict.effect) else { return Ok(()) };
    let Some(id) = row.insert(to, verdict.seq, verdict.mode)? else { return Ok(()) };
    let ban = match &verdict.effect {
        Effect::Ban(ban) => {
            let begun = Begun { seq: verdict.seq, mode: verdict.mode, verdict: Some(id), ..Begun::of(ban) };
            Some(begun.insert(to)?)
        }
        Effect::Extend { of, ban } => Some(prolong(to, verdict, *of, ban, id)?),
        Effect::Unban { of, time, reason, .. } => end_by_effect(to, *of, *time, reason.name())?,
        _ => None,
    };
    if ban.is_some() {
        to.prepare_cached("UPDATE verdicts SET ban = ? WHERE id = ?")?.execute((ban, id))?;
    }
    record_evidence(to, id, verdict)
}

/// A row of `bans`.
struct Begun {
    seq: u64,
    effect: u64,
    prefix: IpNet,
    since: Time,
    until: Option<Time>,
    mode: Mode,
    reason: &'static str,
    evidence: Option<Nats>,
    verdict: Option<i64>,
}

impl Begun {
    fn of(ban: &Ban) -> Begun {
        Begun {
            seq: 0,
            effect: ban.id,
            prefix: ban.prefix,
            since: ban.time,
            until: ban.until,
            mode: Mode::Shadow,
            reason: ban.reason.name(),
            evidence: Some(ban.evidence),
            verdict: None,
        }
    }

    fn insert(&self, to: &Transaction<'_>) -> rusqlite::Result<i64> {
        let mut statement = to.prepare_cached(
            "INSERT INTO bans (seq, effect, prefix, address, since_us, until_us, enforced, reason, evidence, verdict) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?;
        statement.insert((
            self.seq as i64,
            self.effect as i64,
            self.prefix.to_string(),
            address_of(self.prefix),
            self.since.micros(),
            self.until.map(Time::micros),
            self.mode == Mode::Live,
            self.reason,
            self.evidence.map(Nats::to_f64),
            self.verdict,
        ))
    }
}

/// The newest ban with the engine's number `effect`.
fn ban_by_effect(to: &Transaction<'_>, effect: u64) -> rusqlite::Result<Option<i64>> {
    let mut statement =
        to.prepare_cached("SELECT id FROM bans WHERE effect = ? AND effect > 0 ORDER BY seq DESC LIMIT 1")?;
    let mut rows = statement.query([effect as i64])?;
    rows.next()?.map(|row| row.get(0)).transpose()
}

fn prolong(to: &Transaction<'_>, verdict: &Verdict, of: u64, ban: &Ban, id: i64) -> rusqlite::Result<i64> {
    let Some(found) = ban_by_effect(to, of)? else {
        // Its beginning was lost or dropped: it begins here, under the number that its end will name.
        let begun = Begun { seq: verdict.seq, mode: verdict.mode, verdict: Some(id), ..Begun::of(ban) };
        return Begun { effect: of, ..begun }.insert(to);
    };
    let mut statement = to.prepare_cached(
        "UPDATE bans SET until_us = ?, enforced = ?, reason = ?, evidence = ?, verdict = ? WHERE id = ?",
    )?;
    let enforced = verdict.mode == Mode::Live;
    let until = ban.until.map(Time::micros);
    statement.execute((until, enforced, ban.reason.name(), ban.evidence.to_f64(), id, found))?;
    Ok(found)
}

fn end_by_effect(to: &Transaction<'_>, of: u64, time: Time, reason: &str) -> rusqlite::Result<Option<i64>> {
    let found = ban_by_effect(to, of)?;
    let sql = "UPDATE bans SET ended_us = ?, end_reason = ? WHERE id = ? AND ended_us IS NULL";
    to.prepare_cached(sql)?.execute((time.micros(), reason, found))?;
    Ok(found)
}

fn record_evidence(to: &Transaction<'_>, id: i64, verdict: &Verdict) -> rusqlite::Result<()> {
    let signals = match (&verdict.effect, &verdict.explanation) {
        (Effect::Ban(ban) | Effect::Extend { ban, .. }, _) => &ban.signals[..],
        (_, Some(explanation)) => &explanation.signals,
        (_, None) => &[],
    };
    let mut statement = to.prepare_cached(
        "INSERT INTO signals (verdict, name, count, nats) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET \
         count = count + ?3, nats = nats + ?4",
    )?;
    for sum in signals {
        statement.execute((id, sum.signal.name(), sum.count, sum.nats.to_f64()))?;
    }
    verdict.explanation.as_ref().map_or(Ok(()), |explanation| record_explanation(to, id, explanation))
}

fn record_explanation(to: &Transaction<'_>, id: i64, explanation: &Explanation) -> rusqlite::Result<()> {
    let mut statement = to.prepare_cached("INSERT INTO samples (verdict, place, line) VALUES (?, ?, ?)")?;
    for (place, line) in explanation.samples.iter().take(TEXTS_MAX).enumerate() {
        statement.execute((id, place as i64, escaped(line).to_string()))?;
    }
    let mut statement = to.prepare_cached("INSERT INTO remarks (verdict, place, text) VALUES (?, ?, ?)")?;
    for (place, text) in explanation.remarks.iter().take(TEXTS_MAX).enumerate() {
        statement.execute((id, place as i64, printable(text)))?;
    }
    let mut statement = to.prepare_cached(
        "INSERT INTO tried (verdict, place, account, account_form, source, last, failures, successes, time_us) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    for (place, told) in explanation.accounts.iter().take(TRIED_MAX).enumerate() {
        let (account, form) = account_text(&told.account);
        let (source, last) = (told.source.to_string(), outcome_name(told.last));
        let (account, time) = (account.unwrap_or_default(), told.time.micros());
        let counts = (told.failures, told.successes);
        statement.execute((id, place as i64, account, form, source, last, counts.0, counts.1, time))?;
    }
    Ok(())
}

fn record_action(to: &Transaction<'_>, action: &Action) -> rusqlite::Result<()> {
    let parts = ActionParts::of(&action.verb);
    let mut statement = to.prepare_cached(
        "INSERT INTO actions (seq, time_us, uid, pid, name, verb, prefix, address, account, until_us, forgive, mode, \
         reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )?;
    let changed = statement.execute((
        action.seq as i64,
        action.time.micros(),
        action.who.uid,
        action.who.pid,
        cut(&action.who.name, NAME_BYTES_MAX),
        parts.verb,
        parts.prefix.map(|prefix| prefix.to_string()),
        parts.prefix.map(address_of),
        parts.account,
        parts.until.map(Time::micros),
        parts.forgive,
        parts.mode.map(Mode::name),
        cut(&action.reason, REASON_BYTES_MAX),
    ))?;
    if changed > 0 { carry_out(to, action, to.last_insert_rowid()) } else { Ok(()) }
}

/// An action's columns.
#[derive(Default)]
struct ActionParts {
    verb: &'static str,
    prefix: Option<IpNet>,
    account: Option<String>,
    until: Option<Time>,
    forgive: Option<bool>,
    mode: Option<Mode>,
}

impl ActionParts {
    fn of(verb: &Verb) -> ActionParts {
        let none = ActionParts::default();
        match verb {
            Verb::Ban { prefix, until, mode } => {
                ActionParts { verb: "ban", prefix: Some(*prefix), until: *until, mode: Some(*mode), ..none }
            }
            Verb::Unban { whom, forgive } => {
                let none = ActionParts { verb: "unban", forgive: Some(*forgive), ..none };
                match whom {
                    Whom::Prefix(prefix) => ActionParts { prefix: Some(*prefix), ..none },
                    Whom::Account(key) => {
                        ActionParts { account: Some(escaped(key.as_bytes()).to_string()), ..none }
                    }
                    Whom::All => none,
                }
            }
            Verb::Allow { prefix, until } => {
                ActionParts { verb: "allow", prefix: Some(*prefix), until: *until, ..none }
            }
            Verb::Disallow { prefix } => ActionParts { verb: "disallow", prefix: Some(*prefix), ..none },
            Verb::Mode { mode, confirm } => {
                ActionParts { verb: "mode", mode: Some(*mode), until: *confirm, ..none }
            }
            Verb::Reload => ActionParts { verb: "reload", ..none },
            Verb::Resume => ActionParts { verb: "resume", ..none },
            Verb::Limit => ActionParts { verb: "limit", ..none },
            Verb::Protect { prefix } => ActionParts { verb: "protect", prefix: Some(*prefix), ..none },
            Verb::Release { prefix } => ActionParts { verb: "release", prefix: Some(*prefix), ..none },
        }
    }
}

/// What an action changes besides being recorded.
fn carry_out(to: &Transaction<'_>, action: &Action, id: i64) -> rusqlite::Result<()> {
    let (seq, time, uid) = (action.seq as i64, action.time.micros(), action.who.uid);
    let name = cut(&action.who.name, NAME_BYTES_MAX);
    match &action.verb {
        Verb::Ban { prefix, until, mode } => begin_operators(to, action, id, *prefix, *until, *mode),
        Verb::Unban { whom, forgive } => {
            end_by_operator(to, time, whom)?;
            if !forgive {
                return Ok(());
            }
            let parts = ActionParts::of(&action.verb);
            let sql = "INSERT OR REPLACE INTO forgiven (seq, time_us, prefix, address, account, uid, name) \
                       VALUES (?, ?, ?, ?, ?, ?, ?)";
            let prefix = parts.prefix.map(|prefix| prefix.to_string());
            let address = parts.prefix.map(address_of);
            to.execute(sql, (seq, time, prefix, address, parts.account, uid, name)).map(drop)
        }
        Verb::Allow { prefix, until } => {
            let sql = "INSERT OR REPLACE INTO allowlist (prefix, address, seq, time_us, until_us, uid, name, reason) \
                       VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
            let reason = cut(&action.reason, REASON_BYTES_MAX);
            let (until, address) = (until.map(Time::micros), address_of(*prefix));
            to.execute(sql, (prefix.to_string(), address, seq, time, until, uid, name, reason)).map(drop)
        }
        Verb::Disallow { prefix } => {
            to.execute("DELETE FROM allowlist WHERE prefix = ?", [prefix.to_string()]).map(drop)
        }
        Verb::Mode { mode, confirm } => {
            let sql = "INSERT OR REPLACE INTO modes (seq, time_us, mode, confirm_us, uid, name) VALUES (?, ?, ?, ?, ?, ?)";
            to.execute(sql, (seq, time, mode.name(), confirm.map(Time::micros), uid, name))?;
            let sql = "UPDATE bans SET enforced = ?1 WHERE ended_us IS NULL AND (until_us IS NULL OR until_us > ?2)";
            to.execute(sql, (*mode == Mode::Live, time)).map(drop)
        }
        Verb::Protect { prefix } | Verb::Release { prefix } => {
            let sql = "UPDATE bans SET enforced = ?1 WHERE prefix = ?2 AND ended_us IS NULL";
            let is_enforced = matches!(action.verb, Verb::Release { .. });
            to.execute(sql, (is_enforced, prefix.to_string())).map(drop)
        }
        Verb::Reload | Verb::Resume | Verb::Limit => Ok(()),
    }
}

fn begin_operators(
    to: &Transaction<'_>,
    action: &Action,
    id: i64,
    prefix: IpNet,
    until: Option<Time>,
    mode: Mode,
) -> rusqlite::Result<()> {
    let reason = Some("operator");
    let row = Row { prefix: Some(prefix), reason, until, ..Row::new(0, action.time, "ban") };
    let verdict = row.insert(to, action.seq, mode)?;
    let (seq, since) = (action.seq, action.time);
    let begun =
        Begun { seq, effect: 0, prefix, since, until, mode, reason: "operator", evidence: None, verdict };
    let ban = begun.insert(to)?;
    to.execute("UPDATE actions SET ban = ? WHERE id = ?", (ban, id))?;
    to.execute("UPDATE verdicts SET ban = ? WHERE id = ?", (ban, verdict)).map(drop)
}

fn end_by_operator(to: &Transaction<'_>, time: i64, whom: &Whom) -> rusqlite::Result<()> {
    let sql = "UPDATE bans SET ended_us = ?1, end_reason = 'operator' \
               WHERE ended_us IS NULL AND (until_us IS NULL OR until_us > ?1)";
    match whom {
        Whom::Prefix(prefix) => {
            let sql = format!("{sql} AND address = ?2 AND prefix = ?3");
            to.execute(&sql, (time, address_of(*prefix), prefix.to_string())).map(drop)
        }
        Whom::All => to.execute(sql, [time]).map(drop),
        Whom::Account(_) => Ok(()),
    }
}

fn record_counters(to: &Transaction<'_>, counters: &Counters) -> rusqlite::Result<()> {
    let mut statement = to.prepare_cached(
        "INSERT INTO counters (day, service, name, value, seq) \
         VALUES (strftime('%Y-%m-%d', ?1, 'unixepoch'), ?2, ?3, ?4, ?5) \
         ON CONFLICT DO UPDATE SET value = ?4, seq = ?5 WHERE seq <= ?5",
    )?;
    for (name, value) in &counters.values {
        let value = i64::try_from(*value).unwrap_or(i64::MAX);
        statement.execute((counters.day.secs(), counters.service, name, value, counters.seq as i64))?;
    }
    Ok(())
}

fn record_status(to: &Transaction<'_>, status: &Status) -> rusqlite::Result<()> {
    if status.json.len() > STATUS_BYTES_MAX {
        return Ok(());
    }
    let sql = "INSERT OR REPLACE INTO status (id, time_us, json) VALUES (1, ?, ?)";
    to.execute(sql, (status.time.micros(), &status.json)).map(drop)
}

fn record_in_force(to: &Transaction<'_>, in_force: &InForce) -> rusqlite::Result<()> {
    to.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS standing (ban INTEGER PRIMARY KEY); DELETE FROM standing",
    )?;
    let mut find = to.prepare_cached(
        "SELECT id FROM bans WHERE address = ?1 AND prefix = ?2 AND effect = ?3 AND ended_us IS NULL \
         ORDER BY seq DESC LIMIT 1",
    )?;
    let mut correct = to.prepare_cached("UPDATE bans SET until_us = ?, enforced = ? WHERE id = ?")?;
    let mut keep = to.prepare_cached("INSERT OR IGNORE INTO standing (ban) VALUES (?)")?;
    for ban in &in_force.bans {
        let mut rows = find.query((address_of(ban.prefix), ban.prefix.to_string(), ban.id as i64))?;
        let found: Option<i64> = rows.next()?.map(|row| row.get(0)).transpose()?;
        drop(rows);
        let id = match found {
            Some(id) => {
                correct.execute((ban.until.map(Time::micros), ban.mode == Mode::Live, id))?;
                id
            }
            None => standing(in_force.seq, ban).insert(to)?,
        };
        keep.execute([id])?;
    }
    let sql = "UPDATE bans SET ended_us = ?1, end_reason = 'unknown' WHERE ended_us IS NULL \
               AND (until_us IS NULL OR until_us > ?1) AND id NOT IN (SELECT ban FROM standing)";
    to.execute(sql, [in_force.time.micros()])?;
    to.execute("DELETE FROM standing", []).map(drop)
}

fn standing(seq: u64, ban: &Standing) -> Begun {
    Begun {
        seq,
        effect: ban.id,
        prefix: ban.prefix,
        since: ban.since,
        until: ban.until,
        mode: ban.mode,
        reason: ban.reason.map_or("operator", RobotKind::name),
        evidence: ban.reason.is_some().then_some(ban.evidence),
        verdict: None,
    }
}

/// The first address of a prefix as the tables hold it: 4 or 16 bytes, so that equal lengths sort by address.
pub(super) fn address_of(prefix: IpNet) -> Vec<u8> {
    match prefix.network() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// An account as the tables hold it, and what the log shows of it.
fn account_text(account: &Account) -> (Option<String>, Option<&'static str>) {
    let form = match account {
        Account::Known(_) => None,
        Account::Cut(_) => Some("cut"),
        Account::Last { .. } => Some("last"),
        Account::Hidden => Some("hidden"),
    };
    (account.key().map(|key| escaped(key.as_bytes()).to_string()), form)
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::BadSecret => "bad-secret",
        Outcome::UnknownAccount => "unknown-account",
        Outcome::Failed => "failed",
        Outcome::Denied => "denied",
        Outcome::Aborted => "aborted",
        Outcome::ServerFault => "server-fault",
    }
}

/// Bytes from outside, cut and escaped.
fn cut(bytes: &[u8], bytes_max: usize) -> String {
    escaped(&bytes[..bytes.len().min(bytes_max)]).to_string()
}

/// A sentence of ours, in which names are escaped already: what must not be printed is escaped, a backslash stays one.
fn printable(text: &str) -> String {
    let mut out = String::new();
    for char in text.chars().take(REMARK_CHARS_MAX) {
        if (' '..='~').contains(&char) {
            out.push(char);
        } else {
            let mut bytes = [0; 4];
            out.push_str(&escaped(char.encode_utf8(&mut bytes).as_bytes()).to_string());
        }
    }
    out
}
