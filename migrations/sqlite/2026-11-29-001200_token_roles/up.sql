-- A token has a role, and any number of indexes: those that an agent reads, or that an editor looks after.
ALTER TABLE tokens RENAME TO tokens_of_one_index;
CREATE TABLE tokens (
    id           TEXT      NOT NULL PRIMARY KEY,
    role         TEXT      NOT NULL,
    name         TEXT      NOT NULL,
    prefix       TEXT      NOT NULL,
    secret_hash  TEXT      NOT NULL,
    created_at   TIMESTAMP NOT NULL,
    created_by   TEXT,
    last_used_at TIMESTAMP,
    expires_at   TIMESTAMP
);
CREATE TABLE token_indexes (
    token_id TEXT NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    index_id TEXT NOT NULL REFERENCES indexes (id) ON DELETE CASCADE,
    PRIMARY KEY (token_id, index_id)
);
INSERT INTO tokens (id, role, name, prefix, secret_hash, created_at, last_used_at, expires_at)
SELECT id, 'agent', name, prefix, secret_hash, created_at, last_used_at, expires_at FROM tokens_of_one_index;
INSERT INTO token_indexes (token_id, index_id) SELECT id, index_id FROM tokens_of_one_index;
DROP TABLE tokens_of_one_index;
CREATE UNIQUE INDEX tokens_secret_hash ON tokens (secret_hash);
CREATE INDEX token_indexes_by_index ON token_indexes (index_id);
-- For which token a session of the web page was traded; null: for the first key.
ALTER TABLE page_sessions ADD COLUMN token_id TEXT;
