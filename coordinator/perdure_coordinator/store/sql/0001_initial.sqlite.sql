-- Schema 1 of the SQLite store. One file per schema version, in one transaction each; a released
-- file is never edited. Status and kind are stored as the words that people read.

-- One row: who owns the database, and the counters that only go up.
CREATE TABLE owner (
    only           INTEGER PRIMARY KEY CHECK (only = 1),
    epoch          INTEGER NOT NULL,
    name           TEXT    NOT NULL,
    clock_ms       INTEGER NOT NULL,
    next_outbox_id INTEGER NOT NULL,
    next_event     INTEGER NOT NULL
) STRICT;
INSERT INTO owner VALUES (1, 0, '', 0, 0, 1);

-- `number` stands for (namespace, id) in the tables below: a small step must cost few bytes.
CREATE TABLE executions (
    number           INTEGER PRIMARY KEY,
    namespace        TEXT    NOT NULL,
    id               TEXT    NOT NULL,
    shard            INTEGER NOT NULL,
    service          TEXT    NOT NULL,
    method           TEXT    NOT NULL,
    target_key       TEXT    NOT NULL,
    status           TEXT    NOT NULL,
    created_ms       INTEGER NOT NULL,
    input_digest     BLOB    NOT NULL,
    run              INTEGER NOT NULL,
    attempt          INTEGER NOT NULL,
    priority         INTEGER NOT NULL,
    kind             TEXT    NOT NULL,
    parent_namespace TEXT,
    parent_id        TEXT,
    parent_run       INTEGER,
    parent_attempt   INTEGER,
    parent_path      TEXT,
    parent_detached  INTEGER,
    due_ms           INTEGER NOT NULL,
    started_ms       INTEGER NOT NULL,
    ended_ms         INTEGER NOT NULL,
    updated_ms       INTEGER NOT NULL,
    crash_count      INTEGER NOT NULL,
    crash_index      INTEGER NOT NULL,
    build_id         TEXT    NOT NULL,
    error            TEXT    NOT NULL,
    detail           TEXT    NOT NULL,
    progress         BLOB    NOT NULL,
    held             BLOB    NOT NULL,
    lane_order       INTEGER NOT NULL,
    held_objects     TEXT    NOT NULL,
    run_index        INTEGER NOT NULL,
    labels           TEXT    NOT NULL,
    has_place        INTEGER NOT NULL,
    awaited          TEXT    NOT NULL,
    task             TEXT    NOT NULL,
    task_status      TEXT    NOT NULL,
    damage           TEXT    NOT NULL,
    UNIQUE (namespace, id)
) STRICT;
CREATE INDEX executions_by_age ON executions (namespace, created_ms, id);
CREATE INDEX executions_by_status ON executions (namespace, status, created_ms, id);
CREATE INDEX executions_by_service ON executions (namespace, service, created_ms, id);
CREATE INDEX executions_by_parent
    ON executions (parent_namespace, parent_id, namespace, created_ms, id)
    WHERE parent_id IS NOT NULL;
-- What a start-up reads: small however many executions have ended.
CREATE INDEX executions_unfinished ON executions (namespace, id)
    WHERE status NOT IN ('completed', 'failed', 'cancelled', 'timed_out');

-- What retention deletes next.
CREATE INDEX executions_by_end ON executions (ended_ms)
    WHERE status IN ('completed', 'failed', 'cancelled', 'timed_out');

-- The lanes of objects, as a start-up rebuilds them: only what waits for an object or holds one.
CREATE INDEX executions_in_lanes ON executions (lane_order, namespace, id) WHERE lane_order > 0;

-- Who counts for the limit of its method, as a start-up reads it.
CREATE INDEX executions_in_places ON executions (namespace, id) WHERE has_place = 1;

-- What lists filter by, in the order of their pages. Written with the row, removed with it.
CREATE TABLE labels (
    label_namespace TEXT    NOT NULL,
    label           TEXT    NOT NULL,
    value           TEXT    NOT NULL,
    since_ms        INTEGER NOT NULL,
    execution_id    TEXT    NOT NULL,
    PRIMARY KEY (label_namespace, label, value, since_ms, execution_id)
) STRICT, WITHOUT ROWID;
-- Tasks, as their lists read them; and what waits for the ends of others, as a start-up does.
CREATE INDEX executions_by_task ON executions (namespace, task_status, created_ms, id)
    WHERE task_status != '';
CREATE INDEX executions_awaiting ON executions (namespace, id) WHERE awaited != '';

CREATE TABLE journal (
    execution INTEGER NOT NULL,
    position  INTEGER NOT NULL,
    time_ms   INTEGER NOT NULL,
    chain     BLOB    NOT NULL,
    data      BLOB    NOT NULL,
    PRIMARY KEY (execution, position)
) STRICT, WITHOUT ROWID;

-- Where each journal ends, written with every entry: what is missing at its end is found by this.
-- `first` is the index of the first entry that was not trimmed, `base` the hash before it.
CREATE TABLE journals (
    execution INTEGER PRIMARY KEY,
    length    INTEGER NOT NULL,
    chain     BLOB    NOT NULL,
    first     INTEGER NOT NULL,
    base      BLOB    NOT NULL
) STRICT;

-- `sequence` grows with every timer that is set: the order among timers of one instant.
CREATE TABLE timers (
    sequence  INTEGER PRIMARY KEY,
    execution INTEGER NOT NULL,
    kind      TEXT    NOT NULL,
    path      TEXT    NOT NULL,
    shard     INTEGER NOT NULL,
    due_ms    INTEGER NOT NULL,
    run       INTEGER NOT NULL,
    attempt   INTEGER NOT NULL,
    UNIQUE (execution, kind, path)
) STRICT;
CREATE INDEX timers_by_due ON timers (due_ms, sequence);

CREATE TABLE outbox (
    id        INTEGER PRIMARY KEY,
    shard     INTEGER NOT NULL,
    namespace TEXT    NOT NULL,
    execution TEXT    NOT NULL,
    body      BLOB    NOT NULL
) STRICT;

CREATE TABLE requests (
    namespace  TEXT    NOT NULL,
    request_id TEXT    NOT NULL,
    reply      BLOB    NOT NULL,
    expires_ms INTEGER NOT NULL,
    PRIMARY KEY (namespace, request_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX requests_by_expiry ON requests (expires_ms);

CREATE TABLE catalog (
    namespace TEXT NOT NULL,
    service   TEXT NOT NULL,
    method    TEXT NOT NULL,
    spec      BLOB NOT NULL,
    PRIMARY KEY (namespace, service, method)
) STRICT, WITHOUT ROWID;

CREATE TABLE schedules (
    namespace TEXT NOT NULL,
    id        TEXT NOT NULL,
    data      BLOB NOT NULL,
    PRIMARY KEY (namespace, id)
) STRICT, WITHOUT ROWID;

-- The last committed state of each durable object.
CREATE TABLE objects (
    namespace  TEXT    NOT NULL,
    class_name TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    service    TEXT    NOT NULL,
    updated_ms INTEGER NOT NULL,
    encoding   TEXT    NOT NULL,
    digest     BLOB    NOT NULL,
    metadata   TEXT    NOT NULL,
    data       BLOB    NOT NULL,
    checksum   BLOB    NOT NULL, -- over all of the above
    PRIMARY KEY (namespace, class_name, key)
) STRICT;

-- Mailboxes: an event stays until it expires, whoever has consumed it. `execution_id` '' = everyone.
CREATE TABLE events (
    sequence     INTEGER PRIMARY KEY,
    namespace    TEXT    NOT NULL,
    event_id     TEXT    NOT NULL,
    execution_id TEXT    NOT NULL,
    dedupe       TEXT    NOT NULL,
    payload      BLOB    NOT NULL,
    sent_ms      INTEGER NOT NULL,
    expires_ms   INTEGER NOT NULL
) STRICT;
CREATE INDEX events_by_name ON events (namespace, event_id, sequence);
CREATE INDEX events_by_expiry ON events (expires_ms, sequence);
CREATE UNIQUE INDEX events_once ON events (namespace, event_id, execution_id, dedupe)
    WHERE dedupe != '';

-- Who waits for events of a mailbox above a sequence.
CREATE TABLE waits (
    namespace    TEXT    NOT NULL,
    event_id     TEXT    NOT NULL,
    execution_id TEXT    NOT NULL,
    after        INTEGER NOT NULL,
    PRIMARY KEY (namespace, event_id, execution_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX waits_by_execution ON waits (namespace, execution_id);
