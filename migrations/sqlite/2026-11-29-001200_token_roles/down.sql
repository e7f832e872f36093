ALTER TABLE page_sessions DROP COLUMN token_id;
ALTER TABLE tokens RENAME TO tokens_with_roles;
CREATE TABLE tokens (
    id           TEXT      NOT NULL PRIMARY KEY,
    index_id     TEXT      NOT NULL REFERENCES indexes (id) ON DELETE CASCADE,
    name         TEXT      NOT NULL,
    prefix       TEXT      NOT NULL,
    secret_hash  TEXT      NOT NULL,
    created_at   TIMESTAMP NOT NULL,
    last_used_at TIMESTAMP,
    expires_at   TIMESTAMP
);
-- Only agents are known there, of one index each.
INSERT INTO tokens (id, index_id, name, prefix, secret_hash, created_at, last_used_at, expires_at)
SELECT t.id, min(i.index_id), t.name, t.prefix, t.secret_hash, t.created_at, t.last_used_at, t.expires_at
FROM tokens_with_roles t JOIN token_indexes i ON i.token_id = t.id WHERE t.role = 'agent' GROUP BY t.id;
DROP TABLE token_indexes;
DROP TABLE tokens_with_roles;
CREATE UNIQUE INDEX tokens_secret_hash ON tokens (secret_hash);
CREATE INDEX tokens_of_index ON tokens (index_id, id);
