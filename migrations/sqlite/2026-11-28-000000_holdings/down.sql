ALTER TABLE indexes ADD COLUMN backend TEXT NOT NULL DEFAULT 'local';
ALTER TABLE indexes ADD COLUMN remote TEXT; -- JSON object
ALTER TABLE indexes ADD COLUMN moving_to TEXT;
ALTER TABLE indexes ADD COLUMN moving_remote TEXT; -- JSON object
ALTER TABLE indexes ADD COLUMN moving_since TIMESTAMP;
UPDATE indexes SET backend = s.backend, remote = s.remote
    FROM store_objects AS s WHERE s.index_id = indexes.id AND s.role = 'serving';
UPDATE indexes SET moving_to = s.backend, moving_remote = s.remote, moving_since = s.since
    FROM store_objects AS s WHERE s.index_id = indexes.id AND s.role = 'filling';

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
INSERT INTO outbox
    SELECT s.index_id, h.page_id, h.kind, CASE WHEN h.want IS NULL THEN 'delete' ELSE 'upsert' END, COALESCE(h.want, ''),
           CASE WHEN h.accepted_at IS NULL THEN 'waiting' ELSE 'accepted' END, h.accepted_at, h.attempts,
           COALESCE(h.next_try_at, h.since), h.last_error, h.since
    FROM holdings AS h JOIN store_objects AS s ON s.id = h.object_id AND s.role = 'serving'
    WHERE h.open;

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
INSERT INTO move_rows
    SELECT s.index_id, h.page_id, h.kind, CASE WHEN h.want IS NULL THEN 'delete' ELSE 'upsert' END, COALESCE(h.want, ''),
           CASE WHEN NOT h.open THEN 'searchable' WHEN h.accepted_at IS NULL THEN 'waiting' ELSE 'accepted' END,
           h.accepted_at, h.attempts, h.attempts, COALESCE(h.next_try_at, h.since), h.last_error
    FROM holdings AS h JOIN store_objects AS s ON s.id = h.object_id AND s.role = 'filling';

CREATE TABLE tombstones (
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
INSERT OR REPLACE INTO tombstones
    SELECT index_id, backend,
           COALESCE(json_extract(remote, '$.kind') || ' ' || json_extract(remote, '$.id'), ' '), agent_id,
           COALESCE(remote, json_object('kind', '', 'id', '', 'name', 'confluence-' || agent_id, 'extra', NULL)),
           attempts, next_try_at, since
    FROM store_objects WHERE role = 'leaving' AND agent_id IS NOT NULL;

DROP INDEX synced_pages_documents;
ALTER TABLE synced_pages DROP COLUMN document;
ALTER TABLE synced_pages DROP COLUMN kept;
ALTER TABLE synced_pages DROP COLUMN standing;
ALTER TABLE synced_pages ADD COLUMN stored_hash TEXT;
ALTER TABLE synced_pages ADD COLUMN document BOOLEAN NOT NULL DEFAULT FALSE CHECK (document = (
    stored_hash IS NOT NULL AND stored_hash <> ''
    AND state NOT IN ('vanishing', 'removed', 'skipped')
));
UPDATE synced_pages SET
    stored_hash = h.hash,
    document = h.hash IS NOT NULL AND h.hash <> '' AND state NOT IN ('vanishing', 'removed', 'skipped')
FROM (
    SELECT s.index_id, h.page_id,
           CASE h.have WHEN 'none' THEN NULL WHEN 'unknown' THEN '' ELSE h.have END AS hash
    FROM holdings AS h JOIN store_objects AS s ON s.id = h.object_id AND s.role = 'serving'
    WHERE h.want IS NOT NULL
) AS h
WHERE h.index_id = synced_pages.index_id AND h.page_id = synced_pages.page_id;
CREATE INDEX synced_pages_documents ON synced_pages (index_id, document, space_id);
DROP TABLE holdings;
DROP TABLE store_objects;
