-- The embedded store, first shape.
--
-- Times are microseconds since 1970-01-01 UTC. Ids are the 16 bytes of a UUID. A column called "sealed" in its comment
-- holds a field sealed for its table, row and column; no other column holds a personal value.

-- Facts about this file: its writer id, proof of the keys that seal it, the sealed head of the audit chain.
CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE requests (
    id                BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant            TEXT    NOT NULL,
    family            TEXT    NOT NULL,
    action            TEXT    NOT NULL,
    subject_type      TEXT    NOT NULL,
    scope             TEXT    NOT NULL,
    formats           TEXT    NOT NULL,                  -- JSON array of words
    is_test           INTEGER NOT NULL CHECK (is_test IN (0, 1)),
    is_silent         INTEGER NOT NULL CHECK (is_silent IN (0, 1)),
    details           BLOB    NOT NULL,                  -- sealed JSON
    subject_lookup    BLOB    CHECK (length(subject_lookup) = 32),  -- keyed hash
    subject_pseudonym TEXT,                              -- keyed hash
    status            TEXT    NOT NULL,                  -- follows the latest job
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX requests_by_subject ON requests (tenant, action, subject_lookup)
    WHERE subject_lookup IS NOT NULL;

CREATE TABLE jobs (
    id              BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    request         BLOB    NOT NULL REFERENCES requests (id),
    tenant          TEXT    NOT NULL,
    attempt         INTEGER NOT NULL CHECK (attempt > 0),
    state           TEXT    NOT NULL,
    wrapped_key     BLOB,                                -- NULL once destroyed
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    fence           INTEGER NOT NULL DEFAULT 0,
    lease_worker    TEXT,                                -- who may write; NULL: nobody
    lease_until     INTEGER,
    worker          TEXT,                                -- who worked on it last
    heartbeat_at    INTEGER,
    rows_collected  INTEGER NOT NULL DEFAULT 0,
    rows_expected   INTEGER,
    bytes_packaged  INTEGER NOT NULL DEFAULT 0,
    sections_done   INTEGER NOT NULL DEFAULT 0,
    sections_total  INTEGER NOT NULL DEFAULT 0,
    failure_code    TEXT,
    failure_message BLOB,                                -- sealed
    failure_worker  TEXT,
    failed_at       INTEGER,
    UNIQUE (request, attempt)
) STRICT, WITHOUT ROWID;

-- What `lease` reads: the few jobs that still have work to do, oldest first.
CREATE INDEX jobs_active ON jobs (created_at, id)
    WHERE state IN ('REQUESTED', 'COLLECTING', 'PACKAGING');

CREATE TABLE timeline (
    number INTEGER PRIMARY KEY,
    job    BLOB    NOT NULL REFERENCES jobs (id),
    at     INTEGER NOT NULL,
    actor  TEXT    NOT NULL,
    notes  TEXT    NOT NULL
) STRICT;

CREATE INDEX timeline_by_job ON timeline (job, number);

CREATE TABLE plans (
    job  BLOB NOT NULL PRIMARY KEY REFERENCES jobs (id),
    plan BLOB NOT NULL                                   -- sealed
) STRICT;

CREATE TABLE sections (
    job       BLOB    NOT NULL REFERENCES jobs (id),
    ordinal   INTEGER NOT NULL,
    silo      TEXT    NOT NULL,
    datapoint TEXT    NOT NULL,
    state     TEXT    NOT NULL CHECK (state IN ('OPEN', 'DONE', 'FAILED')),
    rows      INTEGER NOT NULL DEFAULT 0,
    outcome   BLOB,                                      -- sealed
    PRIMARY KEY (job, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE slices (
    job     BLOB    NOT NULL,
    section INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    rows    INTEGER NOT NULL,
    cursor  BLOB    NOT NULL,                            -- sealed
    state   BLOB    NOT NULL,                            -- sealed
    kept    BLOB    NOT NULL,                            -- sealed
    PRIMARY KEY (job, section, ordinal),
    FOREIGN KEY (job, section) REFERENCES sections (job, ordinal)
) STRICT;

-- Entries of the bundle. `section` is NULL for those of no section (the report), `position` until publication.
CREATE TABLE files (
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
    crc32      INTEGER NOT NULL,
    sha256     BLOB    NOT NULL CHECK (length(sha256) = 32),
    PRIMARY KEY (job, entry)
) STRICT, WITHOUT ROWID;

CREATE TABLE segments (
    job        BLOB    NOT NULL REFERENCES jobs (id),
    entry      TEXT    NOT NULL,
    ordinal    INTEGER NOT NULL,
    section    INTEGER,                                  -- NULL for those of no section
    object     TEXT    NOT NULL,
    "offset"   INTEGER NOT NULL,
    stored_len INTEGER NOT NULL,
    plain_len  INTEGER NOT NULL,
    crc32      INTEGER NOT NULL,
    flushes    BLOB    NOT NULL,                         -- delta varints, see sqlite/flushes.rs
    PRIMARY KEY (job, entry, ordinal)
) STRICT, WITHOUT ROWID;

CREATE INDEX segments_by_section ON segments (job, section);

-- Every object that was ever committed for a job, kept when its segments go, so that leftovers can be found.
CREATE TABLE objects (
    job  BLOB NOT NULL REFERENCES jobs (id),
    name TEXT NOT NULL,
    PRIMARY KEY (job, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE published (
    job            BLOB    NOT NULL PRIMARY KEY REFERENCES jobs (id),
    manifest       BLOB    NOT NULL,                     -- sealed
    signature      BLOB    NOT NULL,
    content_sha256 BLOB    NOT NULL CHECK (length(content_sha256) = 32),
    bundle_len     INTEGER NOT NULL,
    bundle_sha256  BLOB    NOT NULL CHECK (length(bundle_sha256) = 32),
    bundle_time    INTEGER NOT NULL,
    partial        INTEGER NOT NULL CHECK (partial IN (0, 1)),
    expires_at     INTEGER NOT NULL,
    downloaded_at  INTEGER,
    downloaded_by  TEXT
) STRICT;

CREATE TABLE grants (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant     TEXT    NOT NULL,
    request    BLOB    NOT NULL REFERENCES requests (id),
    job        BLOB    NOT NULL REFERENCES jobs (id),
    file       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX grants_by_file ON grants (job, file, expires_at);

CREATE TABLE api_keys (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    tenant     TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    scopes     TEXT    NOT NULL,                         -- JSON array of words
    prefix     TEXT    NOT NULL,
    hash       BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

-- One hash chain: see sqlite/audit.rs for what `hash` covers.
CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    action   TEXT    NOT NULL,
    actor    TEXT    NOT NULL,
    tenant   TEXT    NOT NULL,
    request  TEXT,
    job      TEXT,
    subject  TEXT,                                       -- pseudonym
    facts    TEXT    NOT NULL,                           -- JSON object
    hash     BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;
