-- An index on its way to another store object.
ALTER TABLE indexes ADD COLUMN moving_to TEXT;
ALTER TABLE indexes ADD COLUMN moving_remote TEXT; -- JSON object
ALTER TABLE indexes ADD COLUMN moving_since TIMESTAMP;

-- What the new object is asked to hold and how far it is: outbox and memory of the move in one.
CREATE TABLE move_rows (
    index_id        TEXT      NOT NULL REFERENCES indexes (id) ON DELETE CASCADE,
    page_id         TEXT      NOT NULL,
    kind            TEXT      NOT NULL,
    op              TEXT      NOT NULL,
    hash            TEXT      NOT NULL,
    state           TEXT      NOT NULL,
    accepted_at     TIMESTAMP,
    attempts        INTEGER   NOT NULL,
    refusals        INTEGER   NOT NULL,
    next_attempt_at TIMESTAMP NOT NULL,
    last_error      TEXT,
    PRIMARY KEY (index_id, page_id)
);
CREATE INDEX move_rows_due ON move_rows (index_id, state, next_attempt_at, page_id);

-- One index may leave several objects behind; `object` is the kind and id of the remote one.
CREATE TABLE tombstones_by_object (
    index_id        TEXT      NOT NULL,
    backend         TEXT      NOT NULL,
    object          TEXT      NOT NULL,
    agent_id        TEXT      NOT NULL,
    remote          TEXT      NOT NULL, -- JSON object
    attempts        INTEGER   NOT NULL,
    next_attempt_at TIMESTAMP NOT NULL,
    created_at      TIMESTAMP NOT NULL,
    PRIMARY KEY (index_id, backend, object)
);
INSERT INTO tombstones_by_object
    SELECT index_id, backend, json_extract(remote, '$.kind') || ' ' || json_extract(remote, '$.id'),
           agent_id, remote, attempts, next_attempt_at, created_at
    FROM tombstones;
DROP TABLE tombstones;
ALTER TABLE tombstones_by_object RENAME TO tombstones;
