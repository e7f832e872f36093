CREATE TABLE tombstones_by_index (
    index_id        TEXT      NOT NULL PRIMARY KEY,
    agent_id        TEXT      NOT NULL,
    backend         TEXT      NOT NULL,
    remote          TEXT      NOT NULL, -- JSON object
    attempts        INTEGER   NOT NULL,
    next_attempt_at TIMESTAMP NOT NULL,
    created_at      TIMESTAMP NOT NULL
);
-- The older schema has room for one object of an index; the newest is kept.
INSERT OR REPLACE INTO tombstones_by_index
    SELECT index_id, agent_id, backend, remote, attempts, next_attempt_at, created_at
    FROM tombstones ORDER BY created_at;
DROP TABLE tombstones;
ALTER TABLE tombstones_by_index RENAME TO tombstones;
DROP TABLE move_rows;
ALTER TABLE indexes DROP COLUMN moving_since;
ALTER TABLE indexes DROP COLUMN moving_remote;
ALTER TABLE indexes DROP COLUMN moving_to;
