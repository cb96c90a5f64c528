//! Reading, beside the daemon or without it.

use std::path::{Path, PathBuf};

use fairban_core::account::AccountKey;
use fairban_core::escape::escaped;
use fairban_core::time::Time;
use ipnet::IpNet;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Params, Row};

use super::open::{BUSY_WAIT, beside, version};
use super::rows::{
    ActionRow, AllowedRow, BanRow, CounterRow, Event, ForgivenRow, ModeRow, NoteRow, SignalRow, StatusRow,
    TriedRow, VerdictRow,
};
use super::write::address_of;
use super::{APPLICATION_ID, Error, Mode, SCHEMA_VERSION};

const BAN: &str =
    "id, effect, seq, prefix, since_us, until_us, ended_us, end_reason, enforced, reason, evidence, verdict";

const VERDICT: &str = "v.id, v.seq, v.effect, v.time_us, v.action, v.enforced, v.prefix, v.account, v.account_form, \
    v.service, v.reason, v.until_us, v.evidence, v.needed, v.attempts, v.accounts, v.count, v.weak, v.since_us";

const ACTION: &str = "seq, time_us, uid, pid, name, verb, prefix, account, until_us, forgive, mode, reason";

/// The database, open for reading only. The daemon may write meanwhile.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    path: PathBuf,
    stale: bool,
}

impl Reader {
    /// Opens the database. Where nothing may be written, not even beside it (a read-only disk), what the daemon had not yet
    /// brought into the file is not seen: see [`Reader::is_stale`].
    pub fn open(path: &Path) -> Result<Reader, Error> {
        if !path.exists() {
            return Err(Error::Absent { path: path.to_owned() });
        }
        let failed = |source| Error::Sqlite { doing: "open", path: path.to_owned(), source };
        let (connection, found, stale) = match connect(path, false) {
            Ok((connection, found)) => (connection, found, false),
            Err(error) if is_read_only(&error) => {
                let (connection, found) = connect(path, true).map_err(failed)?;
                let log = std::fs::metadata(beside(path, "-wal"));
                (connection, found, log.is_ok_and(|log| log.len() > 0))
            }
            Err(error) => return Err(failed(error)),
        };
        let expected = SCHEMA_VERSION;
        match found {
            (APPLICATION_ID, found) if found == expected => {
                Ok(Reader { connection, path: path.to_owned(), stale })
            }
            (APPLICATION_ID, found) if found > expected => {
                Err(Error::Newer { path: path.to_owned(), found, expected })
            }
            (APPLICATION_ID, found) => Err(Error::Older { path: path.to_owned(), found, expected }),
            (0, 0) => Err(Error::Absent { path: path.to_owned() }),
            _ => Err(Error::Foreign { path: path.to_owned() }),
        }
    }

    /// What the daemon recorded last could not be read: say so beside every answer.
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// Bans in force at `time`, newest first, as far as history goes back; all modes.
    pub fn bans_at(&self, time: Time) -> Result<Vec<BanRow>, Error> {
        let sql = format!(
            "SELECT {BAN} FROM bans WHERE since_us <= ?1 AND (until_us IS NULL OR until_us > ?1) \
             AND (ended_us IS NULL OR ended_us > ?1) ORDER BY id DESC"
        );
        self.rows(&sql, [time.micros()], ban_row)
    }

    /// Bans, in force or over, whose prefix contains `prefix` or lies in it, newest first, at most `limit`.
    pub fn bans_of(&self, prefix: IpNet, limit: usize) -> Result<Vec<BanRow>, Error> {
        let mut bans = Vec::new();
        let one =
            format!("SELECT {BAN} FROM bans WHERE address = ?1 AND prefix = ?2 ORDER BY id DESC LIMIT ?3");
        for wider in containing(prefix) {
            let key = (address_of(wider), wider.to_string(), limit as i64);
            bans.extend(self.rows(&one, key, ban_row)?);
        }
        let within = format!("SELECT {BAN} FROM bans WHERE {WITHIN} ORDER BY id DESC LIMIT ?5");
        bans.extend(self.rows(&within, range(prefix, limit), ban_row)?);
        bans.sort_by_key(|ban| std::cmp::Reverse((ban.since, ban.seq, ban.id)));
        bans.truncate(limit);
        Ok(bans)
    }

    /// Everything about a prefix: about prefixes that contain it, itself, and those within it; newest first, at most
    /// `limit`.
    pub fn history_of_prefix(&self, prefix: IpNet, limit: usize) -> Result<Vec<Event>, Error> {
        let mut events = Vec::new();
        let verdicts = format!(
            "SELECT {VERDICT} FROM verdicts v WHERE address = ?1 AND prefix = ?2 ORDER BY id DESC LIMIT ?3"
        );
        let actions = format!(
            "SELECT {ACTION} FROM actions WHERE address = ?1 AND prefix = ?2 ORDER BY id DESC LIMIT ?3"
        );
        for wider in containing(prefix) {
            let key = (address_of(wider), wider.to_string(), limit as i64);
            events.extend(self.rows(&verdicts, key.clone(), verdict_row)?.into_iter().map(verdict_event));
            events.extend(self.rows(&actions, key, action_row)?.into_iter().map(Event::Action));
        }
        let verdicts = format!("SELECT {VERDICT} FROM verdicts v WHERE {WITHIN} ORDER BY id DESC LIMIT ?5");
        let actions = format!("SELECT {ACTION} FROM actions WHERE {WITHIN} ORDER BY id DESC LIMIT ?5");
        events
            .extend(self.rows(&verdicts, range(prefix, limit), verdict_row)?.into_iter().map(verdict_event));
        events.extend(self.rows(&actions, range(prefix, limit), action_row)?.into_iter().map(Event::Action));
        self.newest(events, limit)
    }

    /// Everything about an account: verdicts that name it, verdicts about sources that tried it, and what operators did;
    /// newest first, at most `limit`.
    pub fn history_of_account(&self, key: &AccountKey, limit: usize) -> Result<Vec<Event>, Error> {
        let account = escaped(key.as_bytes()).to_string();
        let key = (account, limit as i64);
        let named = format!("SELECT {VERDICT} FROM verdicts v WHERE account = ?1 ORDER BY id DESC LIMIT ?2");
        let tried = format!(
            "SELECT {VERDICT} FROM verdicts v WHERE id IN (SELECT verdict FROM tried WHERE account = ?1) \
             AND (account IS NULL OR account != ?1) ORDER BY id DESC LIMIT ?2"
        );
        let actions = format!("SELECT {ACTION} FROM actions WHERE account = ?1 ORDER BY id DESC LIMIT ?2");
        let mut events: Vec<Event> =
            self.rows(&named, key.clone(), verdict_row)?.into_iter().map(verdict_event).collect();
        events.extend(self.rows(&tried, key.clone(), verdict_row)?.into_iter().map(verdict_event));
        events.extend(self.rows(&actions, key, action_row)?.into_iter().map(Event::Action));
        self.newest(events, limit)
    }

    /// What happened last, newest first, at most `limit`.
    pub fn last_events(&self, limit: usize) -> Result<Vec<Event>, Error> {
        self.events("1", i64::MIN, limit)
    }

    /// What happened since `time` (by the stamps of the logs), newest first, at most `limit`.
    pub fn events_since(&self, time: Time, limit: usize) -> Result<Vec<Event>, Error> {
        self.events("time_us >= ?1", time.micros(), limit)
    }

    /// A verdict with its evidence.
    pub fn verdict(&self, row: i64) -> Result<Option<VerdictRow>, Error> {
        let sql = format!("SELECT {VERDICT} FROM verdicts v WHERE id = ?");
        let Some(verdict) = self.rows(&sql, [row], verdict_row)?.pop() else { return Ok(None) };
        self.with_evidence(verdict).map(Some)
    }

    /// Sums of the daily counters since the day (UTC) of `time`.
    pub fn counters_since(&self, time: Time) -> Result<Vec<CounterRow>, Error> {
        let sql = "SELECT service, name, sum(value) FROM counters \
                   WHERE day >= strftime('%Y-%m-%d', ?, 'unixepoch') GROUP BY service, name ORDER BY service, name";
        self.rows(sql, [time.secs()], |row| {
            Ok(CounterRow { service: row.get(0)?, name: row.get(1)?, value: row.get::<_, i64>(2)? as u64 })
        })
    }

    /// The newest status.
    pub fn status(&self) -> Result<Option<StatusRow>, Error> {
        let sql = "SELECT time_us, json FROM status";
        let mut rows = self.rows(sql, [], |row| Ok(StatusRow { time: time(row, 0)?, json: row.get(1)? }))?;
        Ok(rows.pop())
    }

    /// The allowlist of run time, at `time`.
    pub fn allowed_at(&self, at: Time) -> Result<Vec<AllowedRow>, Error> {
        let sql = "SELECT prefix, time_us, until_us, uid, name, reason FROM allowlist \
                   WHERE until_us IS NULL OR until_us > ? ORDER BY address, prefix";
        self.rows(sql, [at.micros()], |row| {
            Ok(AllowedRow {
                prefix: prefix(row, 0)?,
                time: time(row, 1)?,
                until: time_or_none(row, 2)?,
                uid: row.get(3)?,
                name: row.get(4)?,
                reason: row.get(5)?,
            })
        })
    }

    /// Changes of the mode, newest first, at most `limit`.
    pub fn modes(&self, limit: usize) -> Result<Vec<ModeRow>, Error> {
        let sql = "SELECT time_us, mode, confirm_us, uid, name FROM modes ORDER BY seq DESC LIMIT ?";
        self.rows(sql, [limit as i64], |row| {
            Ok(ModeRow {
                time: time(row, 0)?,
                mode: Mode::named(&row.get::<_, String>(1)?),
                confirm: time_or_none(row, 2)?,
                uid: row.get(3)?,
                name: row.get(4)?,
            })
        })
    }

    /// Whose excuses are remembered, newest first, at most `limit`.
    pub fn forgiven(&self, limit: usize) -> Result<Vec<ForgivenRow>, Error> {
        let sql = "SELECT time_us, prefix, account, uid, name FROM forgiven ORDER BY seq DESC LIMIT ?";
        self.rows(sql, [limit as i64], |row| {
            Ok(ForgivenRow {
                time: time(row, 0)?,
                prefix: prefix_or_none(row, 1)?,
                account: row.get(2)?,
                uid: row.get(3)?,
                name: row.get(4)?,
            })
        })
    }

    /// What befell the database, newest first, at most `limit`.
    pub fn notes(&self, limit: usize) -> Result<Vec<NoteRow>, Error> {
        let sql = "SELECT time_us, kind, text FROM notes ORDER BY id DESC LIMIT ?";
        self.rows(sql, [limit as i64], |row| {
            Ok(NoteRow { time: time(row, 0)?, kind: row.get(1)?, text: row.get(2)? })
        })
    }

    fn events(&self, condition: &str, key: i64, limit: usize) -> Result<Vec<Event>, Error> {
        let sql = format!(
            "SELECT {VERDICT} FROM verdicts v WHERE {condition} AND ?1 = ?1 ORDER BY id DESC LIMIT ?2"
        );
        let verdicts = self.rows(&sql, (key, limit as i64), verdict_row)?;
        let sql =
            format!("SELECT {ACTION} FROM actions WHERE {condition} AND ?1 = ?1 ORDER BY id DESC LIMIT ?2");
        let actions = self.rows(&sql, (key, limit as i64), action_row)?;
        let events = verdicts.into_iter().map(verdict_event).chain(actions.into_iter().map(Event::Action));
        self.newest(events.collect(), limit)
    }

    /// The newest `limit` of some events, with their evidence.
    fn newest(&self, mut events: Vec<Event>, limit: usize) -> Result<Vec<Event>, Error> {
        events.sort_by_key(|event| std::cmp::Reverse(event.order()));
        events.truncate(limit);
        let full = |event| match event {
            Event::Verdict(verdict) => self.with_evidence(*verdict).map(verdict_event),
            action @ Event::Action(_) => Ok(action),
        };
        events.into_iter().map(full).collect()
    }

    fn with_evidence(&self, mut verdict: VerdictRow) -> Result<VerdictRow, Error> {
        let key = [verdict.row];
        let sql = "SELECT name, count, nats FROM signals WHERE verdict = ? ORDER BY nats DESC, name";
        verdict.signals = self.rows(sql, key, |row| {
            Ok(SignalRow { name: row.get(0)?, count: row.get(1)?, nats: row.get(2)? })
        })?;
        let sql = "SELECT line FROM samples WHERE verdict = ? ORDER BY place";
        verdict.samples = self.rows(sql, key, |row| row.get(0))?;
        let sql = "SELECT text FROM remarks WHERE verdict = ? ORDER BY place";
        verdict.remarks = self.rows(sql, key, |row| row.get(0))?;
        let sql = "SELECT account, account_form, source, last, failures, successes, time_us FROM tried \
                   WHERE verdict = ? ORDER BY place";
        verdict.tried = self.rows(sql, key, |row| {
            Ok(TriedRow {
                account: row.get(0)?,
                account_form: row.get(1)?,
                source: row.get(2)?,
                last: row.get(3)?,
                failures: row.get(4)?,
                successes: row.get(5)?,
                time: time(row, 6)?,
            })
        })?;
        Ok(verdict)
    }

    fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        let read = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_map(params, read)?.collect::<rusqlite::Result<Vec<T>>>()
        };
        read().map_err(|source| Error::Sqlite { doing: "read", path: self.path.clone(), source })
    }
}

/// A connection, and whose database it is.
fn connect(path: &Path, immutable: bool) -> rusqlite::Result<(Connection, (u32, u32))> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = if immutable {
        let uri = format!("file:{}?immutable=1", uri_path(path));
        Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?
    } else {
        Connection::open_with_flags(path, flags)?
    };
    connection.busy_timeout(BUSY_WAIT)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // The first read: a database that cannot be read says so here.
    let found = version(&connection)?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).optional()?;
    Ok((connection, found))
}

fn uri_path(path: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    let mut uri = String::new();
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte) {
            uri.push(byte as char);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(uri, "%{byte:02x}");
        }
    }
    uri
}

fn is_read_only(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode;
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::SystemIoFailure)
    )
}

/// The prefixes that contain a prefix, itself not among them.
fn containing(prefix: IpNet) -> Vec<IpNet> {
    let lengths = 0..prefix.prefix_len();
    // Every shorter length is one that the family has.
    lengths
        .filter_map(|length| IpNet::new(prefix.network(), length).ok())
        .map(|wider| wider.trunc())
        .collect()
}

/// Rows whose address lies in a prefix and is of its family, and which are not wider: parameters of [`range`].
const WITHIN: &str = "address BETWEEN ?1 AND ?2 AND length(address) = ?3 \
    AND CAST(substr(prefix, instr(prefix, '/') + 1) AS INTEGER) >= ?4";

fn range(prefix: IpNet, limit: usize) -> (Vec<u8>, Vec<u8>, i64, i64, i64) {
    let last = address_of(prefix.broadcast().into());
    let length = last.len() as i64;
    (address_of(prefix), last, length, i64::from(prefix.prefix_len()), limit as i64)
}

fn verdict_event(verdict: VerdictRow) -> Event {
    Event::Verdict(Box::new(verdict))
}

fn ban_row(row: &Row<'_>) -> rusqlite::Result<BanRow> {
    let reason: Option<String> = row.get(7)?;
    Ok(BanRow {
        id: row.get::<_, i64>(1)? as u64,
        seq: row.get::<_, i64>(2)? as u64,
        prefix: prefix(row, 3)?,
        since: time(row, 4)?,
        until: time_or_none(row, 5)?,
        ended: time_or_none(row, 6)?.map(|time| (time, reason.unwrap_or_default())),
        mode: Mode::of(row.get(8)?),
        reason: row.get(9)?,
        evidence: row.get(10)?,
        verdict: row.get(11)?,
    })
}

fn verdict_row(row: &Row<'_>) -> rusqlite::Result<VerdictRow> {
    Ok(VerdictRow {
        row: row.get(0)?,
        seq: row.get::<_, i64>(1)? as u64,
        id: row.get::<_, i64>(2)? as u64,
        time: time(row, 3)?,
        action: row.get(4)?,
        mode: Mode::of(row.get(5)?),
        prefix: prefix_or_none(row, 6)?,
        account: row.get(7)?,
        account_form: row.get(8)?,
        service: row.get(9)?,
        reason: row.get(10)?,
        until: time_or_none(row, 11)?,
        evidence: row.get(12)?,
        needed: row.get(13)?,
        attempts: row.get(14)?,
        accounts: row.get(15)?,
        count: row.get(16)?,
        weak: row.get(17)?,
        since: time_or_none(row, 18)?,
        signals: Vec::new(),
        samples: Vec::new(),
        remarks: Vec::new(),
        tried: Vec::new(),
    })
}

fn action_row(row: &Row<'_>) -> rusqlite::Result<ActionRow> {
    Ok(ActionRow {
        seq: row.get::<_, i64>(0)? as u64,
        time: time(row, 1)?,
        uid: row.get(2)?,
        pid: row.get(3)?,
        name: row.get(4)?,
        verb: row.get(5)?,
        prefix: prefix_or_none(row, 6)?,
        account: row.get(7)?,
        until: time_or_none(row, 8)?,
        forgive: row.get(9)?,
        mode: row.get::<_, Option<String>>(10)?.map(|name| Mode::named(&name)),
        reason: row.get(11)?,
    })
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Time> {
    row.get(column).map(Time::from_micros)
}

fn time_or_none(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Time>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Time::from_micros))
}

fn prefix(row: &Row<'_>, column: usize) -> rusqlite::Result<IpNet> {
    let text: String = row.get(column)?;
    text.parse().map_err(|error: ipnet::AddrParseError| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
}

fn prefix_or_none(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<IpNet>> {
    let is_null = row.get_ref(column)? == rusqlite::types::ValueRef::Null;
    if is_null { Ok(None) } else { prefix(row, column).map(Some) }
}
