-- Questions whose right pages are known, which an index is asked on a schedule, and what came of that.
CREATE TABLE evaluations (
    index_id      TEXT      NOT NULL PRIMARY KEY REFERENCES indexes (id) ON DELETE CASCADE,
    questions     TEXT      NOT NULL, -- the text of a file, as the administrator wrote it
    schedule      TEXT,               -- a time of day with its zone; NULL: when somebody says so
    set_at        TIMESTAMP NOT NULL,
    wanted_at     TIMESTAMP,          -- somebody wants them asked now
    ran_at        TIMESTAMP,
    error         TEXT,
    unknown_pages TEXT      NOT NULL,
    missed        TEXT      NOT NULL
);
-- One row for all questions (kind is empty) and one for each kind; at most the newest 400 results of an index.
CREATE TABLE evaluation_results (
    index_id TEXT      NOT NULL REFERENCES evaluations (index_id) ON DELETE CASCADE,
    at       TIMESTAMP NOT NULL,
    kind     TEXT      NOT NULL,
    figures  TEXT      NOT NULL,
    PRIMARY KEY (index_id, at, kind)
);
