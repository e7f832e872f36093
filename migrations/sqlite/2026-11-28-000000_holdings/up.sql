-- Store objects: the one of an index that answers, the one that it moves to, and those that are still to be removed.
CREATE TABLE store_objects (
    id          INTEGER   NOT NULL PRIMARY KEY AUTOINCREMENT,
    index_id    TEXT      NOT NULL, -- may be deleted: what is to be removed outlives it
    agent_id    TEXT,               -- of what is to be removed: gives its name
    backend     TEXT      NOT NULL,
    remote      TEXT,               -- JSON object; NULL: not made, or not known
    role        TEXT      NOT NULL CHECK (role IN ('serving', 'filling', 'leaving')),
    since       TIMESTAMP NOT NULL,
    attempts    INTEGER   NOT NULL DEFAULT 0,
    next_try_at TIMESTAMP
);
CREATE UNIQUE INDEX store_objects_in_use ON store_objects (index_id, role) WHERE role <> 'leaving';
CREATE INDEX store_objects_leaving ON store_objects (next_try_at) WHERE role = 'leaving';

INSERT INTO store_objects (index_id, backend, remote, role, since)
    SELECT id, backend, remote, 'serving', created_at FROM indexes;
INSERT INTO store_objects (index_id, backend, remote, role, since)
    SELECT id, moving_to, moving_remote, 'filling', COALESCE(moving_since, updated_at)
    FROM indexes WHERE moving_to IS NOT NULL;
-- An object that nobody came to remember had an empty id.
INSERT INTO store_objects (index_id, agent_id, backend, remote, role, since, attempts, next_try_at)
    SELECT index_id, agent_id, backend, CASE WHEN json_extract(remote, '$.id') <> '' THEN remote END,
           'leaving', created_at, attempts, next_attempt_at
    FROM tombstones;

-- What an object is to hold of a page, what it holds by what the store said last, and what is under way in between.
CREATE TABLE holdings (
    object_id   INTEGER   NOT NULL REFERENCES store_objects (id) ON DELETE CASCADE,
    page_id     TEXT      NOT NULL,
    kind        TEXT      NOT NULL,
    want        TEXT,               -- hash; NULL: nothing
    have        TEXT      NOT NULL, -- 'none', 'unknown' or a hash
    in_doubt    BOOLEAN   NOT NULL, -- something was sent and never answered
    claimed_by  TEXT,
    accepted_at TIMESTAMP,
    attempts    INTEGER   NOT NULL, -- runs in which it failed
    failed_at   TIMESTAMP,
    next_try_at TIMESTAMP,
    last_error  TEXT,
    since       TIMESTAMP NOT NULL, -- when `want` last changed
    open        BOOLEAN   NOT NULL, -- not settled
    PRIMARY KEY (object_id, page_id)
) WITHOUT ROWID;
-- Covers what is due, and the counts of what is open.
CREATE INDEX holdings_open ON holdings (object_id, next_try_at, page_id, accepted_at, claimed_by, since, open) WHERE open;

-- Of what waits in the outbox is not known whether it was sent before; where a removal was asked for, what is still there.
INSERT INTO holdings
    SELECT s.id, p.page_id, p.kind,
           CASE WHEN o.op = 'upsert' THEN o.hash WHEN o.op = 'delete' THEN NULL ELSE p.stored_hash END,
           CASE WHEN p.stored_hash IS NULL THEN CASE WHEN o.op = 'delete' THEN 'unknown' ELSE 'none' END
                WHEN p.stored_hash = '' THEN 'unknown'
                ELSE p.stored_hash END,
           COALESCE(o.state = 'waiting' AND o.op = 'upsert', FALSE), NULL,
           CASE WHEN o.state = 'accepted' THEN o.accepted_at END,
           COALESCE(o.attempts, CASE WHEN p.stored_hash = '' THEN p.attempts ELSE 0 END), NULL,
           CASE WHEN o.state = 'waiting' THEN o.next_attempt_at
                WHEN o.op IS NULL AND p.stored_hash = '' THEN COALESCE(p.next_try_at, p.changed_at) END,
           o.last_error, COALESCE(o.created_at, p.changed_at), o.op IS NOT NULL OR p.stored_hash = ''
    FROM synced_pages AS p
    JOIN store_objects AS s ON s.index_id = p.index_id AND s.role = 'serving'
    LEFT JOIN outbox AS o ON o.index_id = p.index_id AND o.page_id = p.page_id
    WHERE p.kind <> 'container' AND (o.op IS NOT NULL OR p.stored_hash IS NOT NULL);
INSERT INTO holdings
    SELECT s.id, o.page_id, o.kind, CASE WHEN o.op = 'upsert' THEN o.hash END, 'unknown', FALSE, NULL,
           CASE WHEN o.state = 'accepted' THEN o.accepted_at END, o.attempts, NULL,
           CASE WHEN o.state = 'waiting' THEN o.next_attempt_at END, o.last_error, o.created_at, TRUE
    FROM outbox AS o
    JOIN store_objects AS s ON s.index_id = o.index_id AND s.role = 'serving'
    WHERE NOT EXISTS (SELECT 1 FROM holdings AS h WHERE h.object_id = s.id AND h.page_id = o.page_id);
INSERT INTO holdings
    SELECT s.id, m.page_id, m.kind, CASE WHEN m.op = 'upsert' THEN m.hash END,
           CASE WHEN m.op = 'upsert' AND m.state IN ('accepted', 'searchable') THEN m.hash
                WHEN m.op = 'upsert' AND m.state = 'waiting' THEN 'none'
                ELSE 'unknown' END,
           m.op = 'upsert' AND m.state = 'waiting', NULL,
           CASE WHEN m.state = 'accepted' THEN m.accepted_at END,
           CASE WHEN m.state = 'failed' THEN m.refusals ELSE 0 END, NULL,
           CASE WHEN m.state IN ('waiting', 'failed') THEN m.next_attempt_at END,
           m.last_error, s.since, m.state <> 'searchable'
    FROM move_rows AS m
    JOIN store_objects AS s ON s.index_id = m.index_id AND s.role = 'filling';

-- How a page stands by itself; `state`, `kept` and `document` follow from it and the holding, and are written with either.
ALTER TABLE synced_pages ADD COLUMN standing TEXT NOT NULL DEFAULT 'undecided';
ALTER TABLE synced_pages ADD COLUMN kept BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE synced_pages SET standing = CASE state
    WHEN 'uploaded' THEN 'member' WHEN 'searchable' THEN 'member'
    WHEN 'failed' THEN 'failed' WHEN 'skipped' THEN 'skipped' WHEN 'removed' THEN 'gone'
    WHEN 'vanishing' THEN CASE WHEN EXISTS (
        SELECT 1 FROM outbox AS o
        WHERE o.index_id = synced_pages.index_id AND o.page_id = synced_pages.page_id AND o.op = 'delete'
    ) THEN 'gone' ELSE 'hidden' END
    ELSE 'undecided' END;
-- What the store says of a removal is told from its holding.
UPDATE synced_pages SET reason = substr(reason, 1, instr(reason, '; its document is still in the store: ') - 1)
    WHERE instr(reason, '; its document is still in the store: ') > 0;
DROP INDEX synced_pages_documents;
ALTER TABLE synced_pages DROP COLUMN document;
ALTER TABLE synced_pages DROP COLUMN stored_hash;
ALTER TABLE synced_pages ADD COLUMN document BOOLEAN NOT NULL DEFAULT FALSE;
-- Covers the counts of documents per index and space.
CREATE INDEX synced_pages_documents ON synced_pages (index_id, document, space_id);

DROP TABLE tombstones;
DROP TABLE move_rows;
DROP TABLE outbox;
ALTER TABLE indexes DROP COLUMN moving_since;
ALTER TABLE indexes DROP COLUMN moving_remote;
ALTER TABLE indexes DROP COLUMN moving_to;
ALTER TABLE indexes DROP COLUMN remote;
ALTER TABLE indexes DROP COLUMN backend;
