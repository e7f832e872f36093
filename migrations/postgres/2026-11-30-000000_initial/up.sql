-- The schema as `sqlite/` has it after all of its migrations up to this day. Texts compare byte by byte (`COLLATE "C"`), as they do in
-- SQLite and in the program itself, whatever the language of the server.

CREATE TABLE indexes (
    id                     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name                   TEXT COLLATE "C" NOT NULL,
    name_lower             TEXT COLLATE "C" NOT NULL,
    agent_id               TEXT COLLATE "C" NOT NULL,
    interval_minutes       INTEGER NOT NULL,
    enabled                BOOLEAN NOT NULL,
    include_blog_posts     BOOLEAN NOT NULL,
    include_comments       BOOLEAN NOT NULL,
    include_attachments    BOOLEAN NOT NULL,
    labels                 TEXT COLLATE "C" NOT NULL, -- JSON array
    exclude_labels         TEXT COLLATE "C" NOT NULL, -- JSON array
    root_page_ids          TEXT COLLATE "C" NOT NULL, -- JSON array
    restricted_pages       TEXT COLLATE "C" NOT NULL,
    status                 TEXT COLLATE "C" NOT NULL,
    status_reason          TEXT COLLATE "C",
    next_run_at            TIMESTAMP,
    created_at             TIMESTAMP NOT NULL,
    updated_at             TIMESTAMP NOT NULL,
    watermark              TIMESTAMP,
    last_sweep_at          TIMESTAMP,
    synced_at              TIMESTAMP,
    scope_revision         INTEGER NOT NULL,
    applied_scope_revision INTEGER NOT NULL,
    awaiting_confirmation  TEXT COLLATE "C",
    deletions_accepted     BOOLEAN NOT NULL,
    guard_answered_at      TIMESTAMP,
    deletions_refused      BOOLEAN NOT NULL DEFAULT FALSE,
    guarded_pages          TEXT COLLATE "C" NOT NULL DEFAULT '[]',
    applied_settings       TEXT COLLATE "C",
    quiet_hours            TEXT COLLATE "C",
    site_id                INTEGER NOT NULL DEFAULT 1,
    guard_answered_by      TEXT COLLATE "C",
    access                 TEXT COLLATE "C" NOT NULL DEFAULT 'everyone'
);

CREATE TABLE index_spaces (
    index_id     TEXT COLLATE "C" NOT NULL REFERENCES indexes (id) ON DELETE CASCADE,
    space_key    TEXT COLLATE "C" NOT NULL, -- as the administrator gave it
    position     INTEGER NOT NULL,
    space_id     TEXT COLLATE "C",
    current_key  TEXT COLLATE "C",
    name         TEXT COLLATE "C",
    url          TEXT COLLATE "C",
    state        TEXT COLLATE "C" NOT NULL,
    reason       TEXT COLLATE "C",
    last_sync_at TIMESTAMP,
    alias        TEXT COLLATE "C",
    PRIMARY KEY (index_id, space_key)
);

CREATE TABLE sync_runs (
    id                  TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- UUID version 7: sorts by the time of its making
    index_id            TEXT COLLATE "C" NOT NULL REFERENCES indexes (id) ON DELETE CASCADE,
    kind                TEXT COLLATE "C" NOT NULL,
    status              TEXT COLLATE "C" NOT NULL,
    dry_run             BOOLEAN NOT NULL,
    plan                TEXT COLLATE "C", -- JSON object
    follow_up           TEXT COLLATE "C", -- kind of the run that is to follow
    created_at          TIMESTAMP NOT NULL,
    heartbeat_at        TIMESTAMP NOT NULL,
    started_at          TIMESTAMP,
    finished_at         TIMESTAMP,
    seen                BIGINT NOT NULL,
    fetched             BIGINT NOT NULL,
    uploaded            BIGINT NOT NULL,
    searchable          BIGINT NOT NULL,
    deleted             BIGINT NOT NULL,
    unchanged           BIGINT NOT NULL,
    skipped             BIGINT NOT NULL,
    failed              BIGINT NOT NULL,
    requests_confluence BIGINT NOT NULL,
    requests_store      BIGINT NOT NULL,
    eta_seconds         BIGINT,
    error               TEXT COLLATE "C", -- JSON object
    follow_up_run_id    TEXT COLLATE "C"
);

CREATE TABLE synced_pages (
    index_id      TEXT COLLATE "C" NOT NULL REFERENCES indexes (id) ON DELETE CASCADE,
    page_id       TEXT COLLATE "C" NOT NULL,
    kind          TEXT COLLATE "C" NOT NULL,
    status        TEXT COLLATE "C" NOT NULL,
    title         TEXT COLLATE "C" NOT NULL,
    title_lower   TEXT COLLATE "C" NOT NULL,
    space_id      TEXT COLLATE "C" NOT NULL,
    parent_id     TEXT COLLATE "C",
    parent_kind   TEXT COLLATE "C",
    version       INTEGER NOT NULL,
    modified      TIMESTAMP NOT NULL,
    url           TEXT COLLATE "C" NOT NULL,
    labels        TEXT COLLATE "C" NOT NULL, -- JSON array
    restriction   TEXT COLLATE "C" NOT NULL,
    breadcrumb    TEXT COLLATE "C" NOT NULL, -- JSON array
    body_version  INTEGER,
    markdown_hash TEXT COLLATE "C",
    state         TEXT COLLATE "C" NOT NULL,
    reason        TEXT COLLATE "C",
    attempts      INTEGER NOT NULL,
    next_try_at   TIMESTAMP,
    seen_in_run   TEXT COLLATE "C",
    vanished_at   TIMESTAMP,
    changed_at    TIMESTAMP NOT NULL,
    body_due      BOOLEAN GENERATED ALWAYS AS (
        kind <> 'container'
        AND state IN ('pending', 'uploaded', 'searchable', 'failed')
        AND (body_version IS NULL OR body_version < version)
    ) STORED,
    comments_hash TEXT COLLATE "C",
    media_type    TEXT COLLATE "C",
    file_size     BIGINT,
    links         TEXT COLLATE "C",
    belongs       BOOLEAN NOT NULL DEFAULT FALSE,
    standing      TEXT COLLATE "C" NOT NULL DEFAULT 'undecided',
    kept          BOOLEAN NOT NULL DEFAULT FALSE,
    document      BOOLEAN NOT NULL DEFAULT FALSE,
    lost_reads    INTEGER NOT NULL DEFAULT 0,
    readers       TEXT COLLATE "C",
    guards        TEXT COLLATE "C" DEFAULT '[]',
    guarded       BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (index_id, page_id)
);

CREATE TABLE checkpoints (
    index_id   TEXT COLLATE "C" NOT NULL REFERENCES indexes (id) ON DELETE CASCADE,
    walk       TEXT COLLATE "C" NOT NULL,
    cursor     TEXT COLLATE "C" NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    PRIMARY KEY (index_id, walk)
);

CREATE TABLE events (
    seq      BIGINT NOT NULL GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    at       TIMESTAMP NOT NULL,
    kind     TEXT COLLATE "C" NOT NULL,
    index_id TEXT COLLATE "C" NOT NULL,
    run_id   TEXT COLLATE "C",
    data     TEXT COLLATE "C" NOT NULL -- JSON
);

CREATE TABLE remembered (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT COLLATE "C" NOT NULL
);

CREATE TABLE store_objects (
    id          BIGINT NOT NULL GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    index_id    TEXT COLLATE "C" NOT NULL, -- may be deleted: what is to be removed outlives it
    agent_id    TEXT COLLATE "C", -- of what is to be removed: gives its name
    backend     TEXT COLLATE "C" NOT NULL,
    remote      TEXT COLLATE "C", -- JSON object; NULL: not made, or not known
    role        TEXT COLLATE "C" NOT NULL CHECK (role IN ('serving', 'filling', 'leaving')),
    since       TIMESTAMP NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    next_try_at TIMESTAMP
);

CREATE TABLE holdings (
    object_id   BIGINT NOT NULL REFERENCES store_objects (id) ON DELETE CASCADE,
    page_id     TEXT COLLATE "C" NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    want        TEXT COLLATE "C", -- hash; NULL: nothing
    have        TEXT COLLATE "C" NOT NULL, -- 'none', 'unknown' or a hash
    in_doubt    BOOLEAN NOT NULL, -- something was sent and never answered
    claimed_by  TEXT COLLATE "C",
    accepted_at TIMESTAMP,
    attempts    INTEGER NOT NULL, -- runs in which it failed
    failed_at   TIMESTAMP,
    next_try_at TIMESTAMP,
    last_error  TEXT COLLATE "C",
    since       TIMESTAMP NOT NULL, -- when `want` last changed
    open        BOOLEAN NOT NULL, -- not settled
    PRIMARY KEY (object_id, page_id)
);

CREATE TABLE document_counts (
    index_id  TEXT COLLATE "C" NOT NULL REFERENCES indexes (id) ON DELETE CASCADE,
    space_id  TEXT COLLATE "C" NOT NULL,
    documents BIGINT NOT NULL,
    PRIMARY KEY (index_id, space_id)
);

CREATE TABLE mcp_sessions (
    id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    owner   TEXT COLLATE "C" NOT NULL,
    opening TEXT COLLATE "C" NOT NULL,
    used_at TIMESTAMP NOT NULL
);

CREATE TABLE notices (
    run_id       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    run          TEXT COLLATE "C" NOT NULL, -- JSON object, as it ended: its index may be deleted before it is told
    index_name   TEXT COLLATE "C" NOT NULL,
    agent_id     TEXT COLLATE "C" NOT NULL,
    at           TIMESTAMP NOT NULL,
    attempts     INTEGER NOT NULL, -- tries that failed
    next_try_at  TIMESTAMP, -- NULL: delivered, or given up
    delivered_at TIMESTAMP,
    last_error   TEXT COLLATE "C"
);

CREATE TABLE sites (
    id       INTEGER NOT NULL PRIMARY KEY,
    base_url TEXT COLLATE "C" UNIQUE
);

CREATE TABLE bodies (
    site_id       INTEGER NOT NULL DEFAULT 1 REFERENCES sites (id),
    page_id       TEXT COLLATE "C" NOT NULL,
    kind          TEXT COLLATE "C" NOT NULL,
    version       INTEGER NOT NULL,
    converter     INTEGER NOT NULL,
    markdown_hash TEXT COLLATE "C" NOT NULL,
    stored_bytes  BIGINT NOT NULL,
    text_bytes    BIGINT NOT NULL,
    markdown      BYTEA NOT NULL,
    storage       BYTEA NOT NULL,
    rendered      BYTEA,
    PRIMARY KEY (site_id, page_id)
);

CREATE TABLE body_totals (
    site_id      INTEGER NOT NULL PRIMARY KEY REFERENCES sites (id),
    bodies       BIGINT NOT NULL,
    stored_bytes BIGINT NOT NULL
);

CREATE TABLE comments (
    site_id      INTEGER NOT NULL DEFAULT 1 REFERENCES sites (id),
    comment_id   TEXT COLLATE "C" NOT NULL,
    page_id      TEXT COLLATE "C" NOT NULL, -- page or blog post
    parent_id    TEXT COLLATE "C", -- the comment that it replies to
    place        TEXT COLLATE "C" NOT NULL,
    version      INTEGER NOT NULL,
    modified     TIMESTAMP NOT NULL,
    author       TEXT COLLATE "C",
    standing     TEXT COLLATE "C" NOT NULL,
    quoted       TEXT COLLATE "C",
    url          TEXT COLLATE "C" NOT NULL,
    converter    INTEGER NOT NULL,
    absent_since TIMESTAMP, -- first left out by a complete listing
    markdown     BYTEA NOT NULL,
    storage      BYTEA NOT NULL,
    PRIMARY KEY (site_id, comment_id)
);

CREATE TABLE people (
    site_id      INTEGER NOT NULL DEFAULT 1 REFERENCES sites (id),
    account_id   TEXT COLLATE "C" NOT NULL,
    display_name TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (site_id, account_id)
);

CREATE TABLE page_sessions (
    hash     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    ends_at  TIMESTAMP NOT NULL,
    token_id TEXT COLLATE "C"
);

CREATE TABLE run_pages (
    run_id  TEXT COLLATE "C" NOT NULL REFERENCES sync_runs (id) ON DELETE CASCADE,
    page_id TEXT COLLATE "C" NOT NULL,
    kind    TEXT COLLATE "C" NOT NULL,
    change  TEXT COLLATE "C" NOT NULL,
    reason  TEXT COLLATE "C",
    title   TEXT COLLATE "C", -- of a page that the index does not know: a dry run adds none
    url     TEXT COLLATE "C",
    PRIMARY KEY (run_id, page_id)
);

CREATE TABLE page_links (
    index_id  TEXT COLLATE "C" NOT NULL REFERENCES indexes (id) ON DELETE CASCADE,
    target_id TEXT COLLATE "C" NOT NULL,
    page_id   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (index_id, target_id, page_id)
);

CREATE TABLE told (
    index_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES indexes (id) ON DELETE CASCADE,
    state    TEXT COLLATE "C" NOT NULL
);

CREATE TABLE section_edits (
    site_id INTEGER NOT NULL,
    page_id TEXT COLLATE "C" NOT NULL,
    version INTEGER NOT NULL,
    at      TIMESTAMP NOT NULL,
    changes TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (site_id, page_id, version),
    FOREIGN KEY (site_id, page_id) REFERENCES bodies (site_id, page_id) ON DELETE CASCADE
);

CREATE TABLE questions (
    index_id       TEXT COLLATE "C" NOT NULL REFERENCES indexes (id) ON DELETE CASCADE,
    id             TEXT COLLATE "C" NOT NULL, -- hash of the wording
    question       TEXT COLLATE "C" NOT NULL,
    times          BIGINT NOT NULL,
    first_asked_at TIMESTAMP NOT NULL,
    last_asked_at  TIMESTAMP NOT NULL,
    found          TEXT COLLATE "C" NOT NULL,
    unknown_words  TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (index_id, id)
);

CREATE TABLE evaluations (
    index_id      TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES indexes (id) ON DELETE CASCADE,
    questions     TEXT COLLATE "C" NOT NULL, -- the text of a file, as the administrator wrote it
    schedule      TEXT COLLATE "C", -- a time of day with its zone; NULL: when somebody says so
    set_at        TIMESTAMP NOT NULL,
    wanted_at     TIMESTAMP, -- somebody wants them asked now
    ran_at        TIMESTAMP,
    error         TEXT COLLATE "C",
    unknown_pages TEXT COLLATE "C" NOT NULL,
    missed        TEXT COLLATE "C" NOT NULL
);

CREATE TABLE evaluation_results (
    index_id TEXT COLLATE "C" NOT NULL REFERENCES evaluations (index_id) ON DELETE CASCADE,
    at       TIMESTAMP NOT NULL,
    kind     TEXT COLLATE "C" NOT NULL,
    figures  TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (index_id, at, kind)
);

CREATE TABLE tokens (
    id                TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    role              TEXT COLLATE "C" NOT NULL,
    name              TEXT COLLATE "C" NOT NULL,
    prefix            TEXT COLLATE "C" NOT NULL,
    secret_hash       TEXT COLLATE "C" NOT NULL,
    created_at        TIMESTAMP NOT NULL,
    created_by        TEXT COLLATE "C",
    last_used_at      TIMESTAMP,
    expires_at        TIMESTAMP,
    speaks_for_others BOOLEAN NOT NULL DEFAULT FALSE,
    subject           TEXT COLLATE "C",
    email             TEXT COLLATE "C"
);

CREATE TABLE token_indexes (
    token_id TEXT COLLATE "C" NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    index_id TEXT COLLATE "C" NOT NULL REFERENCES indexes (id) ON DELETE CASCADE,
    PRIMARY KEY (token_id, index_id)
);

CREATE TABLE audit (
    id       BIGINT NOT NULL GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    at       TIMESTAMP NOT NULL,
    actor    TEXT COLLATE "C" NOT NULL,
    token_id TEXT COLLATE "C",
    address  TEXT COLLATE "C",
    action   TEXT COLLATE "C" NOT NULL,
    outcome  TEXT COLLATE "C" NOT NULL,
    index_id TEXT COLLATE "C",
    subject  TEXT COLLATE "C",
    detail   TEXT COLLATE "C",
    kind     TEXT COLLATE "C" NOT NULL DEFAULT 'change',
    person   TEXT COLLATE "C"
);

CREATE TABLE read_restrictions (
    index_id TEXT COLLATE "C" NOT NULL REFERENCES indexes (id) ON DELETE CASCADE,
    space_id TEXT COLLATE "C" NOT NULL,
    read_at  TIMESTAMP NOT NULL,
    PRIMARY KEY (index_id, space_id)
);

CREATE TABLE space_readers (
    site_id  INTEGER NOT NULL REFERENCES sites (id),
    space_id TEXT COLLATE "C" NOT NULL,
    readers  TEXT COLLATE "C" NOT NULL,
    read_at  TIMESTAMP NOT NULL,
    PRIMARY KEY (site_id, space_id)
);

CREATE TABLE read_groups (
    site_id  INTEGER NOT NULL REFERENCES sites (id),
    group_id TEXT COLLATE "C" NOT NULL,
    read_at  TIMESTAMP NOT NULL,
    PRIMARY KEY (site_id, group_id)
);

CREATE TABLE group_members (
    site_id    INTEGER NOT NULL,
    group_id   TEXT COLLATE "C" NOT NULL,
    account_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (site_id, group_id, account_id),
    FOREIGN KEY (site_id, group_id) REFERENCES read_groups (site_id, group_id) ON DELETE CASCADE
);

CREATE TABLE member_emails (
    site_id    INTEGER NOT NULL REFERENCES sites (id),
    account_id TEXT COLLATE "C" NOT NULL,
    email      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (site_id, account_id)
);

CREATE TABLE mapped_emails (
    site_id    INTEGER NOT NULL REFERENCES sites (id),
    email      TEXT COLLATE "C" NOT NULL,
    account_id TEXT COLLATE "C" NOT NULL,
    from_file  BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (site_id, email)
);

CREATE TABLE closed_accounts (
    site_id    INTEGER NOT NULL REFERENCES sites (id),
    account_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (site_id, account_id)
);

CREATE TABLE access_changes (
    index_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES indexes (id) ON DELETE CASCADE,
    number   BIGINT NOT NULL
);

CREATE TABLE confluence_grants (
    site_id        INTEGER NOT NULL PRIMARY KEY REFERENCES sites (id),
    client_id      TEXT COLLATE "C" NOT NULL,
    cloud_id       TEXT COLLATE "C" NOT NULL,
    site_url       TEXT COLLATE "C" NOT NULL, -- as Atlassian names the site
    scopes         TEXT COLLATE "C" NOT NULL, -- with blanks between
    granted_by     TEXT COLLATE "C" NOT NULL,
    granted_at     TIMESTAMP NOT NULL,
    refresh_token  BYTEA NOT NULL,
    access_token   BYTEA NOT NULL,
    refreshed_at   TIMESTAMP NOT NULL,
    access_ends_at TIMESTAMP NOT NULL,
    refused        TEXT COLLATE "C" -- why Atlassian gives no more tokens
);

CREATE UNIQUE INDEX indexes_agent_id ON indexes (agent_id);
CREATE INDEX indexes_by_name ON indexes (name_lower, id);
CREATE UNIQUE INDEX sync_runs_one_open ON sync_runs (index_id) WHERE status IN ('pending', 'running', 'canceling');
CREATE INDEX sync_runs_newest ON sync_runs (index_id, dry_run, id);
CREATE INDEX synced_pages_by_state ON synced_pages (index_id, state, page_id);
CREATE INDEX synced_pages_by_space ON synced_pages (index_id, space_id, page_id);
CREATE INDEX synced_pages_by_title ON synced_pages (space_id, title_lower);
CREATE INDEX synced_pages_by_change ON synced_pages (index_id, changed_at, page_id);
CREATE INDEX synced_pages_body_due ON synced_pages (index_id, page_id) WHERE body_due;
CREATE INDEX events_of_index ON events (index_id, seq);
CREATE INDEX synced_pages_commented ON synced_pages (index_id, page_id) WHERE comments_hash IS NOT NULL;
CREATE INDEX synced_pages_attachments ON synced_pages (index_id, page_id) WHERE kind = 'attachment';
CREATE UNIQUE INDEX store_objects_in_use ON store_objects (index_id, role) WHERE role <> 'leaving';
CREATE INDEX store_objects_leaving ON store_objects (next_try_at) WHERE role = 'leaving';
CREATE INDEX holdings_open ON holdings (object_id, next_try_at, page_id, accepted_at, claimed_by, since, open) WHERE open;
CREATE INDEX synced_pages_next_try ON synced_pages (index_id, next_try_at) WHERE next_try_at IS NOT NULL;
CREATE INDEX notices_due ON notices (next_try_at) WHERE next_try_at IS NOT NULL;
CREATE INDEX comments_of_page ON comments (site_id, page_id, comment_id);
CREATE INDEX comments_missed ON comments (absent_since) WHERE absent_since IS NOT NULL;
CREATE INDEX run_pages_by_change ON run_pages (run_id, change, page_id);
CREATE INDEX page_links_by_page ON page_links (index_id, page_id);
CREATE INDEX synced_pages_by_parent ON synced_pages (index_id, parent_id);
CREATE INDEX section_edits_by_age ON section_edits (at);
CREATE INDEX questions_by_time ON questions (index_id, last_asked_at, id);
CREATE UNIQUE INDEX tokens_secret_hash ON tokens (secret_hash);
CREATE INDEX token_indexes_by_index ON token_indexes (index_id);
CREATE INDEX audit_by_index ON audit (index_id, id);
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX synced_pages_guarded ON synced_pages (index_id, page_id) WHERE guarded;
CREATE INDEX synced_pages_readers ON synced_pages (index_id, page_id) WHERE readers IS NOT NULL;
CREATE INDEX group_members_by_account ON group_members (site_id, account_id);
CREATE INDEX member_emails_by_email ON member_emails (site_id, email);
CREATE UNIQUE INDEX tokens_subject ON tokens (subject);
CREATE INDEX audit_by_kind ON audit (kind, id);
CREATE INDEX audit_by_kind_and_time ON audit (kind, at);
CREATE INDEX audit_by_person ON audit (person, id);

-- What the database counts as rows change: once for each statement, not for each row. A row that is written again and again in one
-- transaction would leave as many dead versions of itself, each of which the next one looks through.

CREATE FUNCTION pages_added() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO document_counts AS kept (index_id, space_id, documents)
    SELECT index_id, space_id, COUNT(*) FROM added WHERE document GROUP BY index_id, space_id
    ON CONFLICT (index_id, space_id) DO UPDATE SET documents = kept.documents + excluded.documents;

    INSERT INTO page_links (index_id, target_id, page_id)
    SELECT index_id, target, page_id FROM added, json_array_elements_text(links::json -> 'body') AS target
    UNION
    SELECT index_id, target, page_id FROM added, json_array_elements_text(links::json -> 'comments') AS target;

    INSERT INTO access_changes AS kept (index_id, number)
    SELECT index_id, COUNT(*) FROM added WHERE guarded OR readers IS NOT NULL GROUP BY index_id
    ON CONFLICT (index_id) DO UPDATE SET number = kept.number + excluded.number;
    RETURN NULL;
END $$;

CREATE FUNCTION pages_changed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO document_counts AS kept (index_id, space_id, documents)
    SELECT index_id, space_id, SUM(difference)::BIGINT FROM (
        SELECT index_id, space_id, 1 AS difference FROM added WHERE document
        UNION ALL
        SELECT index_id, space_id, -1 FROM removed WHERE document
    ) AS changes
    GROUP BY index_id, space_id HAVING SUM(difference) <> 0
    ON CONFLICT (index_id, space_id) DO UPDATE SET documents = kept.documents + excluded.documents;

    DELETE FROM page_links USING added, removed
    WHERE added.index_id = removed.index_id AND added.page_id = removed.page_id
    AND added.links IS DISTINCT FROM removed.links
    AND page_links.index_id = removed.index_id AND page_links.page_id = removed.page_id;
    INSERT INTO page_links (index_id, target_id, page_id)
    SELECT added.index_id, target, added.page_id
    FROM added, removed, json_array_elements_text(added.links::json -> 'body') AS target
    WHERE added.index_id = removed.index_id AND added.page_id = removed.page_id
    AND added.links IS DISTINCT FROM removed.links
    UNION
    SELECT added.index_id, target, added.page_id
    FROM added, removed, json_array_elements_text(added.links::json -> 'comments') AS target
    WHERE added.index_id = removed.index_id AND added.page_id = removed.page_id
    AND added.links IS DISTINCT FROM removed.links;

    INSERT INTO access_changes AS kept (index_id, number)
    SELECT added.index_id, COUNT(*) FROM added, removed
    WHERE added.index_id = removed.index_id AND added.page_id = removed.page_id
    AND (added.guarded <> removed.guarded
        OR added.guards IS DISTINCT FROM removed.guards
        OR added.readers IS DISTINCT FROM removed.readers)
    GROUP BY added.index_id
    ON CONFLICT (index_id) DO UPDATE SET number = kept.number + excluded.number;
    RETURN NULL;
END $$;

-- Only what is there is changed: with an index everything of it goes.
CREATE FUNCTION pages_removed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    UPDATE document_counts SET documents = documents - gone.number
    FROM (SELECT index_id, space_id, COUNT(*) AS number FROM removed WHERE document GROUP BY index_id, space_id) AS gone
    WHERE document_counts.index_id = gone.index_id AND document_counts.space_id = gone.space_id;

    DELETE FROM page_links USING removed
    WHERE removed.links IS NOT NULL AND page_links.index_id = removed.index_id AND page_links.page_id = removed.page_id;

    UPDATE access_changes SET number = access_changes.number + gone.number
    FROM (SELECT index_id, COUNT(*) AS number FROM removed WHERE guarded OR readers IS NOT NULL GROUP BY index_id) AS gone
    WHERE access_changes.index_id = gone.index_id;
    RETURN NULL;
END $$;

CREATE TRIGGER synced_pages_insert AFTER INSERT ON synced_pages
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION pages_added();
CREATE TRIGGER synced_pages_update AFTER UPDATE ON synced_pages
REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION pages_changed();
CREATE TRIGGER synced_pages_delete AFTER DELETE ON synced_pages
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION pages_removed();

CREATE FUNCTION bodies_added() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO body_totals AS kept (site_id, bodies, stored_bytes)
    SELECT site_id, COUNT(*), SUM(stored_bytes)::BIGINT FROM added GROUP BY site_id
    ON CONFLICT (site_id) DO UPDATE
    SET bodies = kept.bodies + excluded.bodies, stored_bytes = kept.stored_bytes + excluded.stored_bytes;
    RETURN NULL;
END $$;

CREATE FUNCTION bodies_changed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    UPDATE body_totals SET stored_bytes = body_totals.stored_bytes + changes.bytes
    FROM (
        SELECT site_id, SUM(bytes)::BIGINT AS bytes FROM (
            SELECT site_id, stored_bytes AS bytes FROM added
            UNION ALL
            SELECT site_id, -stored_bytes FROM removed
        ) AS each GROUP BY site_id
    ) AS changes
    WHERE body_totals.site_id = changes.site_id AND changes.bytes <> 0;
    RETURN NULL;
END $$;

CREATE FUNCTION bodies_removed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    UPDATE body_totals
    SET bodies = body_totals.bodies - gone.number, stored_bytes = body_totals.stored_bytes - gone.bytes
    FROM (SELECT site_id, COUNT(*) AS number, SUM(stored_bytes)::BIGINT AS bytes FROM removed GROUP BY site_id) AS gone
    WHERE body_totals.site_id = gone.site_id;
    RETURN NULL;
END $$;

CREATE TRIGGER bodies_insert AFTER INSERT ON bodies
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION bodies_added();
CREATE TRIGGER bodies_update AFTER UPDATE ON bodies
REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION bodies_changed();
CREATE TRIGGER bodies_delete AFTER DELETE ON bodies
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION bodies_removed();

INSERT INTO sites (id) VALUES (1);
INSERT INTO body_totals (site_id, bodies, stored_bytes) VALUES (1, 0, 0);
