-- What rotating, retiring and destroying keys needs; and what told something of a person and was not sealed, is.

-- Which key of the ring wraps the job's; NULL once destroyed. An envelope begins with its version (1), the length of the
-- id and the id. One that does not names no key, and no key opens it.
ALTER TABLE jobs ADD COLUMN key_id TEXT
    CHECK (length(key_id) BETWEEN 1 AND 64 AND key_id NOT GLOB '*[^a-z0-9_-]*');

WITH envelopes AS (
    SELECT id, CAST(substr(wrapped_key, 3, n) AS TEXT) AS key_id
    FROM (SELECT id, wrapped_key,
              16 * (instr('0123456789ABCDEF', substr(hex(substr(wrapped_key, 2, 1)), 1, 1)) - 1)
                 + (instr('0123456789ABCDEF', substr(hex(substr(wrapped_key, 2, 1)), 2, 1)) - 1) AS n
          FROM jobs WHERE length(wrapped_key) > 2 AND substr(wrapped_key, 1, 1) = x'01')
    WHERE n BETWEEN 1 AND 64 AND length(wrapped_key) >= 2 + n
)
UPDATE jobs SET key_id = envelopes.key_id FROM envelopes
WHERE envelopes.id = jobs.id AND length(envelopes.key_id) > 0 AND envelopes.key_id NOT GLOB '*[^a-z0-9_-]*';

-- What `key_use` counts and `keys_not_under` walks.
CREATE INDEX jobs_by_key ON jobs (key_id, id)
    WHERE key_id IS NOT NULL;

-- Keys of the ring under which no job is recorded any more.
CREATE TABLE retired_keys (
    key_id     TEXT    NOT NULL PRIMARY KEY
        CHECK (length(key_id) BETWEEN 1 AND 64 AND key_id NOT GLOB '*[^a-z0-9_-]*'),
    retired_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What an owner calls a key may name a person. sqlite/reseal.rs seals the names, fills this table and gives it its name.
CREATE TABLE api_keys_sealed (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant     TEXT    NOT NULL,
    name       BLOB    NOT NULL,                         -- sealed
    scopes     TEXT    NOT NULL,                         -- JSON array of words
    prefix     TEXT    NOT NULL,
    hash       BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

-- Checksums of what a bundle holds: who has a guess of a short file can confirm it by them, see sqlite/sums.rs. As above.
CREATE TABLE files_sealed (
    job        BLOB    NOT NULL REFERENCES jobs (id),
    entry      TEXT    NOT NULL,
    section    INTEGER,
    position   INTEGER,
    silo       TEXT    NOT NULL,
    datapoint  TEXT    NOT NULL,
    format     TEXT    NOT NULL,
    media_type TEXT    NOT NULL,
    rows       INTEGER,
    deflated   INTEGER NOT NULL CHECK (deflated IN (0, 1)),
    plain_len  INTEGER NOT NULL,
    stored_len INTEGER NOT NULL,
    sums       BLOB    NOT NULL,                         -- sealed: CRC-32, SHA-256
    PRIMARY KEY (job, entry)
) STRICT, WITHOUT ROWID;

CREATE TABLE segments_sealed (
    job        BLOB    NOT NULL REFERENCES jobs (id),
    entry      TEXT    NOT NULL,
    ordinal    INTEGER NOT NULL,
    section    INTEGER,                                  -- NULL for those of no section
    object     TEXT    NOT NULL,
    "offset"   INTEGER NOT NULL,
    stored_len INTEGER NOT NULL,
    plain_len  INTEGER NOT NULL,
    crc32      BLOB    NOT NULL,                         -- sealed
    flushes    BLOB    NOT NULL,                         -- delta varints, see sqlite/flushes.rs
    PRIMARY KEY (job, entry, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE published_sealed (
    job            BLOB    NOT NULL PRIMARY KEY REFERENCES jobs (id),
    manifest       BLOB    NOT NULL,                     -- sealed
    signature      BLOB    NOT NULL,                     -- sealed
    content_sha256 BLOB    NOT NULL,                     -- sealed
    bundle_len     INTEGER NOT NULL,
    bundle_sha256  BLOB    NOT NULL CHECK (length(bundle_sha256) = 32),
    bundle_time    INTEGER NOT NULL,
    partial        INTEGER NOT NULL CHECK (partial IN (0, 1)),
    expires_at     INTEGER NOT NULL,
    downloaded_at  INTEGER,
    downloaded_by  TEXT
) STRICT;
