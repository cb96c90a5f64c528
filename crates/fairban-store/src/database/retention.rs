//! Letting history go: what is too old, and the oldest when there is too much.
//!
//! What is never let go by age or size: bans in force, the verdicts that began or last prolonged them, the actions of
//! operators about them, the allowlist. Only if these alone exceed the bound, the evidence of the oldest of them goes.

use fairban_core::time::{Span, Time};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::Options;

/// Rows that one call removes at most, so that recording never waits long.
const CHUNK: i64 = 2000;

/// Notes kept.
const NOTES_MAX: i64 = 1000;

/// Pages given back to the disk at a time.
const PAGES_FREED: u32 = 1024;

/// What is old is looked for this often.
const AGE_INTERVAL: Span = Span::hours(1);

/// How far the clock is believed beyond the newest entry: enough for a quiet day, too little to make history old.
const AHEAD_MAX: Span = Span::days(1);

/// What was done last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Retention {
    /// When what is old was removed last.
    aged: Option<Time>,
    /// The bound was reached and the way below it is not yet done.
    shrinking: bool,
}

impl Retention {
    /// Removes a piece of what may go. True if there is more.
    pub(super) fn prune(
        &mut self,
        connection: &mut Connection,
        options: &Options,
        clock: Time,
    ) -> rusqlite::Result<bool> {
        let now = believable(connection, clock)?;
        let mut more = false;
        let mut removed = 0;
        if self.aged.is_none_or(|aged| now.since(aged) >= AGE_INTERVAL || now < aged) {
            removed = remove_old(connection, now.minus(Span::days(i64::from(options.days_max))), now)?;
            more = removed >= CHUNK;
            self.aged = if more { self.aged } else { Some(now) };
        }
        // From nine tenths of the bound down to eight: not a row at a time.
        let tenths = if self.shrinking { 8 } else { 9 };
        self.shrinking = used_bytes(connection)? > options.file_bytes_max() / 10 * tenths;
        if self.shrinking {
            let oldest = remove_oldest(connection, now)?;
            removed += oldest;
            self.shrinking = oldest > 0;
        }
        if removed > 0 {
            free_pages(connection)?;
        }
        Ok(more || self.shrinking)
    }
}

/// A clock that jumped ahead must not cost the history: time is at most a day later than what was recorded last.
fn believable(connection: &Connection, clock: Time) -> rusqlite::Result<Time> {
    let sql = "SELECT max(coalesce((SELECT time_us FROM verdicts ORDER BY id DESC LIMIT 1), ?1), \
               coalesce((SELECT time_us FROM actions ORDER BY id DESC LIMIT 1), ?1))";
    let newest: i64 = connection.query_row(sql, [i64::MIN], |row| row.get(0))?;
    Ok(if newest == i64::MIN { clock } else { clock.min(Time::from_micros(newest).plus(AHEAD_MAX)) })
}

/// Bytes of the file that hold something.
fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let pages = pragma("page_count")? - pragma("freelist_count")?;
    Ok((pages * pragma("page_size")?).max(0) as u64)
}

fn free_pages(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(&format!("PRAGMA incremental_vacuum({PAGES_FREED})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

fn remove_old(connection: &mut Connection, cutoff: Time, now: Time) -> rusqlite::Result<i64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let removed = remove_verdicts(&transaction, cutoff, now)? + remove_actions(&transaction, cutoff, now)?;
    transaction.execute("DELETE FROM forgiven WHERE time_us < ?", [cutoff.micros()])?;
    let sql = "DELETE FROM counters WHERE day < strftime('%Y-%m-%d', ?, 'unixepoch')";
    transaction.execute(sql, [cutoff.secs()])?;
    let sql = "DELETE FROM modes WHERE time_us < ? AND seq < (SELECT max(seq) FROM modes)";
    transaction.execute(sql, [cutoff.micros()])?;
    let sql = "DELETE FROM notes WHERE id <= (SELECT max(id) FROM notes) - ?";
    transaction.execute(sql, [NOTES_MAX])?;
    transaction.commit()?;
    Ok(removed)
}

/// The oldest history, of whatever kind there still is.
fn remove_oldest(connection: &mut Connection, now: Time) -> rusqlite::Result<i64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let ever = Time::from_micros(i64::MAX);
    let mut removed = remove_verdicts(&transaction, ever, now)?;
    if removed == 0 {
        removed = remove_actions(&transaction, ever, now)?;
    }
    if removed == 0 {
        removed = remove_evidence(&transaction)?;
    }
    transaction.commit()?;
    Ok(removed)
}

/// Verdicts before `cutoff` that no ban in force needs, the oldest first, with their evidence; and the bans that have lost
/// their last verdict.
fn remove_verdicts(from: &Transaction<'_>, cutoff: Time, now: Time) -> rusqlite::Result<i64> {
    let sql = "DELETE FROM verdicts WHERE id IN (\
               SELECT v.id FROM verdicts v LEFT JOIN bans b ON b.id = v.ban \
               WHERE v.time_us < ?1 AND (b.id IS NULL OR b.ended_us <= ?2 OR b.until_us <= ?2 \
                   OR (b.verdict IS NOT NULL AND b.verdict != v.id AND v.action = 'extend')) \
               ORDER BY v.id LIMIT ?3)";
    let removed = from.prepare_cached(sql)?.execute((cutoff.micros(), now.micros(), CHUNK))?;
    let sql = "DELETE FROM bans WHERE (ended_us <= ?1 OR until_us <= ?1) \
               AND coalesce(ended_us, until_us) < ?2 \
               AND NOT EXISTS (SELECT 1 FROM verdicts v WHERE v.id = bans.verdict)";
    let bans = if removed > 0 || cutoff < now {
        from.prepare_cached(sql)?.execute((now.micros(), cutoff.micros()))?
    } else {
        0
    };
    Ok((removed + bans) as i64)
}

/// Actions before `cutoff` that concern no ban in force and nothing on the allowlist.
fn remove_actions(from: &Transaction<'_>, cutoff: Time, now: Time) -> rusqlite::Result<i64> {
    let sql = "DELETE FROM actions WHERE id IN (\
               SELECT a.id FROM actions a LEFT JOIN bans b ON b.id = a.ban \
               WHERE a.time_us < ?1 AND (b.id IS NULL OR b.ended_us <= ?2 OR b.until_us <= ?2) \
               AND a.seq NOT IN (SELECT seq FROM allowlist) \
               AND a.seq NOT IN (SELECT coalesce(max(seq), 0) FROM modes) ORDER BY a.id LIMIT ?3)";
    from.prepare_cached(sql)?.execute((cutoff.micros(), now.micros(), CHUNK)).map(|removed| removed as i64)
}

/// The evidence of the oldest bans in force that still have some; what makes their sum is the last to go.
fn remove_evidence(from: &Transaction<'_>) -> rusqlite::Result<i64> {
    let mut removed = 0;
    for table in ["samples", "remarks", "tried", "signals"] {
        if table == "signals" && removed > 0 {
            break;
        }
        let sql =
            format!("DELETE FROM {table} WHERE verdict IN (SELECT DISTINCT verdict FROM {table} LIMIT ?)");
        removed += from.prepare_cached(&sql)?.execute([CHUNK])?;
    }
    Ok(removed as i64)
}
