CREATE TABLE verdicts (
    -- What the engine concluded, one row an effect, in the order of recording. docs/database.md explains every column.
    id INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,        -- number of the journal's record that caused it
    effect INTEGER NOT NULL,     -- the engine's number of it; 0: an operator's ban
    time_us INTEGER NOT NULL,    -- microseconds since 1970, UTC, by the log's stamps
    action TEXT NOT NULL,        -- ban, extend, unban, hit, stale-device, hub, alarm, gap
    enforced INTEGER NOT NULL,   -- 1: live; 0: shadow, decided and recorded only
    ban INTEGER,                 -- bans.id, for ban, extend, unban
    prefix TEXT,                 -- whom, as 203.0.113.36/32
    address BLOB,                -- the first address of prefix, 4 or 16 bytes
    account TEXT,                -- escaped
    account_form TEXT,           -- null: named in full; cut, last, hidden: what the log shows of it
    service TEXT,
    reason TEXT,                 -- kind of robot; why let in again; name of the alarm
    until_us INTEGER,            -- of ban, extend; null: for ever
    evidence REAL,               -- nats
    needed REAL,                 -- nats that were needed
    attempts INTEGER,            -- tries before the ban
    accounts INTEGER,            -- accounts tried; of a hub: accounts that logged in
    count INTEGER,               -- guesses of a hit, failures, strangers, lines lost
    weak INTEGER,                -- 1: connections are the only evidence
    since_us INTEGER,            -- of a stale device: since when
    UNIQUE (seq, effect)
);
CREATE INDEX verdicts_by_address ON verdicts (address) WHERE address IS NOT NULL;
CREATE INDEX verdicts_by_account ON verdicts (account) WHERE account IS NOT NULL;

CREATE TABLE signals (
    -- What made a verdict's evidence.
    verdict INTEGER NOT NULL REFERENCES verdicts (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    count INTEGER NOT NULL,
    nats REAL NOT NULL,          -- before decay
    PRIMARY KEY (verdict, name)
) WITHOUT ROWID;

CREATE TABLE samples (
    -- Lines of the log behind a verdict: secrets blanked, escaped, cut.
    verdict INTEGER NOT NULL REFERENCES verdicts (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (verdict, place)
) WITHOUT ROWID;

CREATE TABLE remarks (
    -- Sentences: why the sum was what it was, and what would have changed it.
    verdict INTEGER NOT NULL REFERENCES verdicts (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (verdict, place)
) WITHOUT ROWID;

CREATE TABLE tried (
    -- Accounts that a source tried before the verdict.
    verdict INTEGER NOT NULL REFERENCES verdicts (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    account TEXT NOT NULL,       -- escaped
    account_form TEXT,
    source TEXT NOT NULL,
    last TEXT NOT NULL,          -- how its last try ended
    failures INTEGER NOT NULL,
    successes INTEGER NOT NULL,
    time_us INTEGER NOT NULL,    -- of the last try
    PRIMARY KEY (verdict, place)
) WITHOUT ROWID;
CREATE INDEX tried_by_account ON tried (account);

CREATE TABLE bans (
    -- Every ban, from its beginning to its end. In force: begun, not ended, and until_us null or to come.
    id INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    effect INTEGER NOT NULL,     -- the engine's number; 0: an operator's ban
    prefix TEXT NOT NULL,
    address BLOB NOT NULL,
    since_us INTEGER NOT NULL,
    until_us INTEGER,            -- null: for ever
    ended_us INTEGER,            -- ended before its time
    end_reason TEXT,
    enforced INTEGER NOT NULL,
    reason TEXT NOT NULL,        -- kind of robot, or operator
    evidence REAL,               -- nats
    verdict INTEGER              -- verdicts.id: what began or last prolonged it, if it is known
);
CREATE UNIQUE INDEX bans_by_effect ON bans (effect, seq) WHERE effect > 0;
CREATE INDEX bans_by_address ON bans (address);

CREATE TABLE actions (
    -- What operators did.
    id INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL UNIQUE,
    time_us INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    name TEXT NOT NULL,          -- the user's name, escaped
    verb TEXT NOT NULL,          -- ban, unban, allow, disallow, mode, reload, resume, limit, protect,
                                 -- release
    prefix TEXT,                 -- null at unban, with no account either: all
    address BLOB,
    account TEXT,
    until_us INTEGER,
    forgive INTEGER,             -- 1: the excuse is remembered
    mode TEXT,
    reason TEXT NOT NULL,        -- escaped; may be empty
    ban INTEGER                  -- bans.id of the ban that it began
);
CREATE INDEX actions_by_address ON actions (address) WHERE address IS NOT NULL;

CREATE TABLE allowlist (
    -- Prefixes allowed at run time; what the configuration allows is not here.
    prefix TEXT PRIMARY KEY,
    address BLOB NOT NULL,
    seq INTEGER NOT NULL,
    time_us INTEGER NOT NULL,
    until_us INTEGER,
    uid INTEGER NOT NULL,
    name TEXT NOT NULL,
    reason TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE modes (
    -- Changes of the mode.
    seq INTEGER PRIMARY KEY,
    time_us INTEGER NOT NULL,
    mode TEXT NOT NULL,          -- shadow, live
    confirm_us INTEGER,          -- goes back to shadow then unless confirmed
    uid INTEGER NOT NULL,
    name TEXT NOT NULL
);

CREATE TABLE forgiven (
    -- Sources and accounts whose excuse an operator asked to remember.
    seq INTEGER PRIMARY KEY,
    time_us INTEGER NOT NULL,
    prefix TEXT,
    address BLOB,
    account TEXT,
    uid INTEGER NOT NULL,
    name TEXT NOT NULL
);

CREATE TABLE counters (
    -- Per day (UTC) and service.
    day TEXT NOT NULL,           -- 2026-01-21
    service TEXT NOT NULL,       -- empty: of no service
    name TEXT NOT NULL,          -- lines, understood, failures, …
    value INTEGER NOT NULL,
    seq INTEGER NOT NULL,        -- the journal's record at which it was read
    PRIMARY KEY (day, service, name)
) WITHOUT ROWID;

CREATE TABLE status (
    -- The newest status of the daemon, as `fairban status --json` prints it.
    id INTEGER PRIMARY KEY CHECK (id = 1),
    time_us INTEGER NOT NULL,
    json TEXT NOT NULL
);

CREATE TABLE notes (
    -- What befell this database: moved aside, history lost or dropped.
    id INTEGER PRIMARY KEY,
    time_us INTEGER NOT NULL,
    kind TEXT NOT NULL,          -- begun, lost, dropped
    text TEXT NOT NULL
);

CREATE VIEW bans_now AS
    -- Bans in force by this machine's clock.
    SELECT b.prefix,
           strftime('%Y-%m-%dT%H:%M:%SZ', b.since_us / 1000000, 'unixepoch') AS since,
           strftime('%Y-%m-%dT%H:%M:%SZ', b.until_us / 1000000, 'unixepoch') AS until,
           b.reason, round(b.evidence, 1) AS evidence, v.attempts, v.accounts,
           CASE b.enforced WHEN 1 THEN 'live' ELSE 'shadow' END AS mode,
           b.effect AS ban_id, b.verdict
    FROM bans b LEFT JOIN verdicts v ON v.id = b.verdict
    WHERE b.ended_us IS NULL
      AND b.since_us <= CAST(strftime('%s', 'now') AS INTEGER) * 1000000 + 999999
      AND (b.until_us IS NULL OR b.until_us > CAST(strftime('%s', 'now') AS INTEGER) * 1000000);

CREATE VIEW history AS
    -- Verdicts and what operators did, with readable times.
    SELECT strftime('%Y-%m-%dT%H:%M:%SZ', time_us / 1000000, 'unixepoch') AS time, action, prefix, account, service,
           reason, strftime('%Y-%m-%dT%H:%M:%SZ', until_us / 1000000, 'unixepoch') AS until,
           round(evidence, 1) AS evidence, attempts, accounts, count,
           CASE enforced WHEN 1 THEN 'live' ELSE 'shadow' END AS mode, NULL AS who, seq, effect, id AS verdict
    FROM verdicts
    UNION ALL
    SELECT strftime('%Y-%m-%dT%H:%M:%SZ', time_us / 1000000, 'unixepoch'), 'operator-' || verb, prefix, account, NULL,
           reason, strftime('%Y-%m-%dT%H:%M:%SZ', until_us / 1000000, 'unixepoch'),
           NULL, NULL, NULL, NULL, mode, name || ' (' || uid || ')', seq, 0, NULL
    FROM actions;

CREATE VIEW evidence AS
    -- The signals of each verdict.
    SELECT v.prefix, strftime('%Y-%m-%dT%H:%M:%SZ', v.time_us / 1000000, 'unixepoch') AS time, v.action,
           s.name AS signal, s.count, round(s.nats, 1) AS nats, v.id AS verdict
    FROM verdicts v JOIN signals s ON s.verdict = v.id;
