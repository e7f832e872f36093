-- Who changed what, and whom it was refused: one row a request or command, kept as long as runs are.
CREATE TABLE audit (
    id       INTEGER   NOT NULL PRIMARY KEY AUTOINCREMENT,
    at       TIMESTAMP NOT NULL,
    actor    TEXT      NOT NULL,
    token_id TEXT,
    address  TEXT,
    action   TEXT      NOT NULL,
    outcome  TEXT      NOT NULL,
    index_id TEXT,
    subject  TEXT,
    detail   TEXT
);
CREATE INDEX audit_by_index ON audit (index_id, id);
CREATE INDEX audit_by_time ON audit (at);
