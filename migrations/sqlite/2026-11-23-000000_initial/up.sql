-- Marks the file as ours, so that a restore refuses any other SQLite file ("MCFS").
PRAGMA application_id = 1296254547;

CREATE TABLE indexes (
    id                     TEXT      NOT NULL PRIMARY KEY,
    name                   TEXT      NOT NULL,
    name_lower             TEXT      NOT NULL,
    agent_id               TEXT      NOT NULL,
    interval_minutes       INTEGER   NOT NULL,
    enabled                BOOLEAN   NOT NULL,
    backend                TEXT      NOT NULL,
    include_blog_posts     BOOLEAN   NOT NULL,
    include_comments       BOOLEAN   NOT NULL,
    include_attachments    BOOLEAN   NOT NULL,
    labels                 TEXT      NOT NULL, -- JSON array
    exclude_labels         TEXT      NOT NULL, -- JSON array
    root_page_ids          TEXT      NOT NULL, -- JSON array
    restricted_pages       TEXT      NOT NULL,
    remote                 TEXT,               -- JSON object
    status                 TEXT      NOT NULL,
    status_reason          TEXT,
    next_run_at            TIMESTAMP,
    created_at             TIMESTAMP NOT NULL,
    updated_at             TIMESTAMP NOT NULL,
    watermark              TIMESTAMP,
    last_sweep_at          TIMESTAMP,
    synced_at              TIMESTAMP,
    scope_revision         INTEGER   NOT NULL,
    applied_scope_revision INTEGER   NOT NULL,
    awaiting_confirmation  TEXT,
    deletions_accepted     BOOLEAN   NOT NULL,
    guard_answered_at      TIMESTAMP
);
CREATE UNIQUE INDEX indexes_agent_id ON indexes (agent_id);
CREATE INDEX indexes_by_name ON indexes (name_lower, id);

CREATE TABLE index_spaces (
    index_id     TEXT    NOT NULL REFERENCES indexes (id) ON DELETE CASCADE,
    space_key    TEXT    NOT NULL, -- as the administrator gave it
    position     INTEGER NOT NULL,
    space_id     TEXT,
    current_key  TEXT,
    name         TEXT,
    url          TEXT,
    state        TEXT    NOT NULL,
    reason       TEXT,
    last_sync_at TIMESTAMP,
    PRIMARY KEY (index_id, space_key)
);

CREATE TABLE sync_runs (
    id                  TEXT      NOT NULL PRIMARY KEY, -- UUID version 7: sorts by the time of its making
    index_id            TEXT      NOT NULL REFERENCES indexes (id) ON DELETE CASCADE,
    kind                TEXT      NOT NULL,
    status              TEXT      NOT NULL,
    dry_run             BOOLEAN   NOT NULL,
    plan                TEXT,                           -- JSON object
    follow_up           TEXT,                           -- kind of the run that is to follow
    created_at          TIMESTAMP NOT NULL,
    heartbeat_at        TIMESTAMP NOT NULL,
    started_at          TIMESTAMP,
    finished_at         TIMESTAMP,
    seen                BIGINT    NOT NULL,
    fetched             BIGINT    NOT NULL,
    uploaded            BIGINT    NOT NULL,
    searchable          BIGINT    NOT NULL,
    deleted             BIGINT    NOT NULL,
    unchanged           BIGINT    NOT NULL,
    skipped             BIGINT    NOT NULL,
    failed              BIGINT    NOT NULL,
    requests_confluence BIGINT    NOT NULL,
    requests_store      BIGINT    NOT NULL,
    eta_seconds         BIGINT,
    error               TEXT                            -- JSON object
);
-- One open run per index, whatever the code thinks.
CREATE UNIQUE INDEX sync_runs_one_open ON sync_runs (index_id) WHERE status IN ('pending', 'running', 'canceling');
CREATE INDEX sync_runs_newest ON sync_runs (index_id, dry_run, id);

CREATE TABLE synced_pages (
    index_id      TEXT      NOT NULL REFERENCES indexes (id) ON DELETE CASCADE,
    page_id       TEXT      NOT NULL,
    kind          TEXT      NOT NULL,
    status        TEXT      NOT NULL,
    title         TEXT      NOT NULL,
    title_lower   TEXT      NOT NULL,
    space_id      TEXT      NOT NULL,
    parent_id     TEXT,
    parent_kind   TEXT,
    version       INTEGER   NOT NULL,
    modified      TIMESTAMP NOT NULL,
    url           TEXT      NOT NULL,
    labels        TEXT      NOT NULL, -- JSON array
    restriction   TEXT      NOT NULL,
    breadcrumb    TEXT      NOT NULL, -- JSON array
    body_version  INTEGER,
    markdown_hash TEXT,
    stored_hash   TEXT,
    state         TEXT      NOT NULL,
    reason        TEXT,
    attempts      INTEGER   NOT NULL,
    next_try_at   TIMESTAMP,
    seen_in_run   TEXT,
    vanished_at   TIMESTAMP,
    changed_at    TIMESTAMP NOT NULL,
    -- A body is still to be fetched. Kept by the database, so that no statement can forget it.
    body_due      BOOLEAN   GENERATED ALWAYS AS (
        kind <> 'container'
        AND state IN ('pending', 'uploaded', 'searchable', 'failed')
        AND (body_version IS NULL OR body_version < version)
    ) STORED,
    -- The store holds it and an answer may quote it: what an index counts as its documents. An empty hash means that the
    -- store may hold something under this id, but no document that we know. Written by the statements and checked here,
    -- since SQLite answers no count from an index over a generated column.
    document      BOOLEAN   NOT NULL CHECK (document = (
        stored_hash IS NOT NULL AND stored_hash <> ''
        AND state NOT IN ('vanishing', 'removed', 'skipped')
    )),
    PRIMARY KEY (index_id, page_id)
);
CREATE INDEX synced_pages_by_state ON synced_pages (index_id, state, page_id);
CREATE INDEX synced_pages_by_space ON synced_pages (index_id, space_id, page_id);
CREATE INDEX synced_pages_by_title ON synced_pages (space_id, title_lower);
CREATE INDEX synced_pages_by_change ON synced_pages (index_id, changed_at, page_id);
CREATE INDEX synced_pages_body_due ON synced_pages (index_id, page_id) WHERE body_due;
-- Covers the counts of documents per index and space.
CREATE INDEX synced_pages_documents ON synced_pages (index_id, document, space_id);

CREATE TABLE outbox (
    index_id        TEXT      NOT NULL REFERENCES indexes (id) ON DELETE CASCADE,
    page_id         TEXT      NOT NULL,
    kind            TEXT      NOT NULL,
    op              TEXT      NOT NULL,
    hash            TEXT      NOT NULL,
    state           TEXT      NOT NULL,
    accepted_at     TIMESTAMP,
    attempts        INTEGER   NOT NULL,
    next_attempt_at TIMESTAMP NOT NULL,
    last_error      TEXT,
    created_at      TIMESTAMP NOT NULL,
    PRIMARY KEY (index_id, page_id)
);
CREATE INDEX outbox_due ON outbox (index_id, state, next_attempt_at, page_id);

-- One body per page of the site, shared by every index; the blobs stand last, so that the rest reads without them.
CREATE TABLE bodies (
    page_id       TEXT    NOT NULL PRIMARY KEY,
    kind          TEXT    NOT NULL,
    version       INTEGER NOT NULL,
    converter     INTEGER NOT NULL,
    markdown_hash TEXT    NOT NULL,
    stored_bytes  BIGINT  NOT NULL,
    markdown      BLOB    NOT NULL,
    storage       BLOB    NOT NULL
);
CREATE INDEX bodies_versions ON bodies (page_id, version, stored_bytes);

CREATE TABLE people (
    account_id   TEXT NOT NULL PRIMARY KEY,
    display_name TEXT NOT NULL
);

CREATE TABLE checkpoints (
    index_id   TEXT      NOT NULL REFERENCES indexes (id) ON DELETE CASCADE,
    walk       TEXT      NOT NULL,
    cursor     TEXT      NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    PRIMARY KEY (index_id, walk)
);

-- Outlive their index and run; AUTOINCREMENT, since a number must never come back after pruning.
CREATE TABLE events (
    seq      INTEGER   NOT NULL PRIMARY KEY AUTOINCREMENT,
    at       TIMESTAMP NOT NULL,
    kind     TEXT      NOT NULL,
    index_id TEXT      NOT NULL,
    run_id   TEXT,
    data     TEXT      NOT NULL -- JSON
);
CREATE INDEX events_of_index ON events (index_id, seq);

CREATE TABLE tokens (
    id           TEXT      NOT NULL PRIMARY KEY,
    index_id     TEXT      NOT NULL REFERENCES indexes (id) ON DELETE CASCADE,
    name         TEXT      NOT NULL,
    prefix       TEXT      NOT NULL,
    secret_hash  TEXT      NOT NULL,
    created_at   TIMESTAMP NOT NULL,
    last_used_at TIMESTAMP
);
CREATE UNIQUE INDEX tokens_secret_hash ON tokens (secret_hash);
CREATE INDEX tokens_of_index ON tokens (index_id, id);

CREATE TABLE tombstones (
    index_id        TEXT      NOT NULL PRIMARY KEY,
    agent_id        TEXT      NOT NULL,
    backend         TEXT      NOT NULL,
    remote          TEXT      NOT NULL, -- JSON object
    attempts        INTEGER   NOT NULL,
    next_attempt_at TIMESTAMP NOT NULL,
    created_at      TIMESTAMP NOT NULL
);

CREATE TABLE remembered (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
