//! Opening the database: a new one, one to bring up to date, one that must not be touched, one that is damaged.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fairban_core::effect::Effect;
use fairban_core::time::Time;
use rusqlite::{Connection, OpenFlags};

use super::retention::Retention;
use super::{APPLICATION_ID, Entry, Error, Options, SCHEMA_VERSION, write};

/// What brings a database from one version to the next; the first makes it.
const MIGRATIONS: [&str; SCHEMA_VERSION as usize] = [include_str!("schema.sql")];

/// How long a statement waits for another program that writes. The only writer is the daemon.
pub(crate) const BUSY_WAIT: Duration = Duration::from_millis(250);

/// Damaged databases kept beside the new one.
const ASIDE_KEPT: usize = 2;

pub(super) const PAGE_BYTES: u64 = 4096;

/// What may be used beyond the bound, for what ends bans.
const PAGES_RESERVED: u64 = 64;

/// Memory for pages.
const CACHE_KIB: i64 = 1024;

/// The database, open for writing.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    path: PathBuf,
    options: Options,
    retention: Retention,
    /// Device and inode, to notice that the file was removed.
    identity: (u64, u64),
}

/// A damaged database that was moved out of the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedAside {
    /// Where it is now.
    pub to: PathBuf,
    /// What was wrong with it.
    pub why: String,
}

impl Database {
    /// Opens or makes the database. One that is damaged is moved aside, under a name that says so, and a new one begun:
    /// then give it [`Entry::InForce`]. `now` is for the name and the note about it.
    pub fn open(path: &Path, options: Options, now: Time) -> Result<(Database, Option<MovedAside>), Error> {
        match Database::try_open(path, options) {
            Err(error) if error.is_corrupt() => {
                let (database, aside) = Database::begin_anew(path, options, &error, now)?;
                Ok((database, Some(aside)))
            }
            other => other.map(|database| (database, None)),
        }
    }

    /// Moves the database aside, for `error`, and makes a new one.
    pub(super) fn begin_anew(
        path: &Path,
        options: Options,
        error: &Error,
        now: Time,
    ) -> Result<(Database, MovedAside), Error> {
        let aside = move_aside(path, error, now)?;
        let mut database = Database::try_open(path, options)?;
        let text = format!("began anew: the database before was damaged, see {}", crate::shown(&aside.to));
        database.note(now, "begun", &text)?;
        Ok((database, aside))
    }

    /// As [`Database::open`], where a damaged database is an error.
    fn try_open(path: &Path, options: Options) -> Result<Database, Error> {
        refuse_newer(path)?;
        let made =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        match made {
            Ok(_) => {}
            // It can be opened all the same: what cannot be done is said when it is tried.
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem && path.exists() => {}
            Err(source) => return Err(Error::Io { doing: "make", path: path.to_owned(), source }),
        }
        let failed = |source| Error::Sqlite { doing: "open", path: path.to_owned(), source };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(BUSY_WAIT).map_err(failed)?;
        // Nothing is written before it is known whose it is, and that it is whole.
        let is_new = match version(&connection).map_err(failed)? {
            (0, 0) if is_empty(&connection).map_err(failed)? => true,
            (APPLICATION_ID, found) if found <= SCHEMA_VERSION => false,
            (APPLICATION_ID, found) => {
                return Err(Error::Newer { path: path.to_owned(), found, expected: SCHEMA_VERSION });
            }
            _ => return Err(Error::Foreign { path: path.to_owned() }),
        };
        check(&connection).map_err(failed)?;
        prepare(&connection, &options, is_new).map_err(failed)?;
        migrate(&mut connection, &MIGRATIONS).map_err(failed)?;
        let identity = identity(path).unwrap_or_default();
        Ok(Database { connection, path: path.to_owned(), options, retention: Retention::default(), identity })
    }

    /// Records entries in one transaction: all of them, or, with an error, none.
    pub fn record(&mut self, entries: &[Entry]) -> Result<(), Error> {
        if identity(&self.path).is_some_and(|found| found != self.identity) || !self.path.exists() {
            return Err(Error::Replaced { path: self.path.clone() });
        }
        self.bound_wal()?;
        let written = write::record(&mut self.connection, entries);
        written.map_err(|source| self.failed("write", source))
    }

    /// Records an entry although the bound is reached, if it begins no ban: what ends bans must get in, else there would
    /// never be room again. A little room beyond the bound is kept for that.
    pub(super) fn record_at_bound(&mut self, entry: &Entry) -> Result<(), Error> {
        let pages = self.options.pages_max();
        let begins = matches!(entry, Entry::Verdict(verdict) if matches!(verdict.effect, Effect::Ban(_)));
        if begins {
            return self.record(std::slice::from_ref(entry));
        }
        let allow = |connection: &Connection, pages: u64| {
            connection.pragma_update_and_check(None, "max_page_count", pages as i64, |_| Ok(()))
        };
        allow(&self.connection, pages + PAGES_RESERVED).map_err(|source| self.failed("write", source))?;
        let recorded = self.record(std::slice::from_ref(entry));
        allow(&self.connection, pages).map_err(|source| self.failed("write", source))?;
        recorded
    }

    /// The file is as large as it may be, and all of it is in use: not the disk is full.
    pub(super) fn is_at_bound(&self) -> bool {
        let pragma = |name: &str| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let used = pragma("page_count").and_then(|all| Ok(all - pragma("freelist_count")?));
        used.is_ok_and(|used| used as u64 + PAGES_RESERVED / 2 >= self.options.pages_max())
    }

    /// Lets old history go, a bounded piece of it: call it after each batch. True if there is more to do.
    pub fn prune(&mut self, now: Time) -> Result<bool, Error> {
        let pruned = self.retention.prune(&mut self.connection, &self.options, now);
        pruned.map_err(|source| self.failed("shorten", source))
    }

    /// Brings everything that was recorded into the file itself and forces it onto the disk. What is recorded otherwise
    /// survives a kill, but the last of it not a loss of power: do this before the journal is shortened.
    pub fn settle(&mut self) -> Result<(), Error> {
        let settled =
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        match settled {
            Ok(0) => Ok(()),
            Ok(_) => Err(Error::HeldByReader { path: self.path.clone(), bytes: self.wal_bytes() }),
            Err(source) => Err(self.failed("settle", source)),
        }
    }

    /// The largest number of a journal's record that anything here carries; 0 if nothing does. See
    /// [`crate::journal::Options::seq_min`].
    pub fn newest_seq(&self) -> Result<u64, Error> {
        let sql = "SELECT max((SELECT coalesce(max(seq), 0) FROM verdicts), \
                   (SELECT coalesce(max(seq), 0) FROM actions), (SELECT coalesce(max(seq), 0) FROM bans))";
        let newest = self.connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        newest.map(|seq| seq as u64).map_err(|source| self.failed("read", source))
    }

    /// Notes what befell the database, for `report` and whoever looks.
    pub fn note(&mut self, now: Time, kind: &str, text: &str) -> Result<(), Error> {
        let sql = "INSERT INTO notes (time_us, kind, text) VALUES (?, ?, ?)";
        let noted = self.connection.execute(sql, (now.micros(), kind, text));
        noted.map(drop).map_err(|source| self.failed("write", source))
    }

    /// The file's name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A reader that does not let go keeps the log growing: nothing is written beyond the bound.
    fn bound_wal(&mut self) -> Result<(), Error> {
        if self.wal_bytes() > self.options.wal_bytes_max() {
            self.settle()?;
        }
        Ok(())
    }

    fn wal_bytes(&self) -> u64 {
        fs::metadata(beside(&self.path, "-wal")).map_or(0, |metadata| metadata.len())
    }

    fn failed(&self, doing: &'static str, source: rusqlite::Error) -> Error {
        Error::Sqlite { doing, path: self.path.clone(), source }
    }

    #[cfg(test)]
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// Looks into the file's own head, so that a newer database is not even opened.
fn refuse_newer(path: &Path) -> Result<(), Error> {
    let mut head = [0; 100];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    if read.is_err() || !head.starts_with(b"SQLite format 3\0") {
        return Ok(());
    }
    let number = |at: usize| head[at..at + 4].iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
    let (found, application) = (number(60), number(68));
    if application == APPLICATION_ID && found > SCHEMA_VERSION {
        return Err(Error::Newer { path: path.to_owned(), found, expected: SCHEMA_VERSION });
    }
    Ok(())
}

fn prepare(connection: &Connection, options: &Options, is_new: bool) -> rusqlite::Result<()> {
    if is_new {
        connection.pragma_update(None, "page_size", PAGE_BYTES as i64)?;
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    let set = |name: &str, value: &dyn rusqlite::ToSql| {
        connection.pragma_update_and_check(None, name, value, |_| Ok(()))
    };
    set("journal_mode", &"WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    set("journal_size_limit", &((options.wal_bytes_max() / 2) as i64))?;
    // A checkpoint is tried whenever the log has an eighth of the bound.
    set("wal_autocheckpoint", &((options.wal_bytes_max() / 2 / PAGE_BYTES).max(16) as i64))?;
    // A second wall behind the pruning: SQLite itself refuses to grow beyond.
    set("max_page_count", &(options.pages_max() as i64))
}

/// `application_id` and `user_version`.
pub(crate) fn version(connection: &Connection) -> rusqlite::Result<(u32, u32)> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    Ok((pragma("application_id")? as u32, pragma("user_version")? as u32))
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
}

/// An answer other than "ok" is told as the damage it is.
fn check(connection: &Connection) -> rusqlite::Result<()> {
    let answer: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if answer == "ok" {
        return Ok(());
    }
    let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    Err(rusqlite::Error::SqliteFailure(corrupt, Some(answer)))
}

/// Brings a database up to date: each step is one transaction, with the new version in it.
pub(crate) fn migrate(connection: &mut Connection, migrations: &[&str]) -> rusqlite::Result<()> {
    let (_, found) = version(connection)?;
    for (index, sql) in migrations.iter().enumerate().skip(found as usize) {
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "application_id", i64::from(APPLICATION_ID))?;
        transaction.pragma_update(None, "user_version", index as i64 + 1)?;
        transaction.commit()?;
    }
    if (found as usize) < migrations.len() {
        // The new version stands in the file's own head, where an older program looks for it.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    Ok(())
}

/// Moves the database and what belongs to it out of the way.
fn move_aside(path: &Path, error: &Error, now: Time) -> Result<MovedAside, Error> {
    let failed = |source| Error::Io { doing: "move aside", path: path.to_owned(), source };
    let mut to = beside(path, &format!(".corrupt-{:010}", now.secs().max(0)));
    let mut tries = 0;
    while to.exists() {
        tries += 1;
        to = beside(path, &format!(".corrupt-{:010}-{tries}", now.secs().max(0)));
    }
    for ending in ["-wal", "-shm"] {
        match fs::rename(beside(path, ending), beside(&to, ending)) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(failed(source)),
            _ => {}
        }
    }
    fs::rename(path, &to).map_err(failed)?;
    remove_old_ones(path, &to);
    Ok(MovedAside { to, why: error.to_string() })
}

/// Keeps the newest few of the databases that were moved aside: a failing disk must not fill itself with them.
fn remove_old_ones(path: &Path, newest: &Path) {
    let prefix = beside(path, ".corrupt-");
    let (Some(dir), Some(prefix)) = (path.parent(), prefix.file_name().and_then(|name| name.to_str())) else {
        return;
    };
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_aside = |found: &PathBuf| {
        let name = found.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(prefix) && !name.ends_with("-wal") && !name.ends_with("-shm") && found != newest
    };
    let mut found: Vec<PathBuf> = entries.filter(is_aside).collect();
    found.sort();
    for old in found.iter().rev().skip(ASIDE_KEPT - 1) {
        for ending in ["", "-wal", "-shm"] {
            // One too many harms nobody.
            let _ = fs::remove_file(beside(old, ending));
        }
    }
}

pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}
