-- Confluence sites: today one, whose address the service notes when it starts. Ids of spaces, pages, comments and people are unique
-- within a site only, so that whatever is kept once for a site is kept under its key. An index covers spaces of one site; what
-- belongs to an index (pages, runs, checkpoints, holdings) needs no key beside the index's.
CREATE TABLE sites (
    id       INTEGER NOT NULL PRIMARY KEY,
    base_url TEXT    UNIQUE
);
INSERT INTO sites (id, base_url) VALUES (1, NULL);

-- Without a reference: SQLite adds none that has a default to a table that is there, and this one cannot be made anew while others
-- refer to it.
ALTER TABLE indexes ADD COLUMN site_id INTEGER NOT NULL DEFAULT 1;

-- Keys of tables that are there cannot be changed: these are written anew, once.
CREATE TABLE bodies_of_sites (
    site_id       INTEGER NOT NULL DEFAULT 1 REFERENCES sites (id),
    page_id       TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    version       INTEGER NOT NULL,
    converter     INTEGER NOT NULL,
    markdown_hash TEXT    NOT NULL,
    stored_bytes  BIGINT  NOT NULL,
    text_bytes    BIGINT  NOT NULL,
    markdown      BLOB    NOT NULL,
    storage       BLOB    NOT NULL,
    rendered      BLOB,
    PRIMARY KEY (site_id, page_id)
);
INSERT INTO bodies_of_sites
    SELECT 1, page_id, kind, version, converter, markdown_hash, stored_bytes, text_bytes, markdown, storage, rendered FROM bodies;
DROP TABLE bodies;
ALTER TABLE bodies_of_sites RENAME TO bodies;

DROP TABLE body_totals;
CREATE TABLE body_totals (
    site_id      INTEGER NOT NULL PRIMARY KEY REFERENCES sites (id),
    bodies       BIGINT  NOT NULL,
    stored_bytes BIGINT  NOT NULL
);
INSERT INTO body_totals (site_id, bodies, stored_bytes) SELECT 1, count(*), COALESCE(sum(stored_bytes), 0) FROM bodies;
CREATE TRIGGER body_totals_insert AFTER INSERT ON bodies BEGIN
    INSERT INTO body_totals (site_id, bodies, stored_bytes) VALUES (NEW.site_id, 1, NEW.stored_bytes)
    ON CONFLICT (site_id) DO UPDATE SET bodies = bodies + 1, stored_bytes = stored_bytes + NEW.stored_bytes;
END;
CREATE TRIGGER body_totals_update AFTER UPDATE OF stored_bytes ON bodies WHEN OLD.stored_bytes <> NEW.stored_bytes BEGIN
    UPDATE body_totals SET stored_bytes = stored_bytes - OLD.stored_bytes + NEW.stored_bytes WHERE site_id = NEW.site_id;
END;
CREATE TRIGGER body_totals_delete AFTER DELETE ON bodies BEGIN
    UPDATE body_totals SET bodies = bodies - 1, stored_bytes = stored_bytes - OLD.stored_bytes WHERE site_id = OLD.site_id;
END;

CREATE TABLE comments_of_sites (
    site_id      INTEGER   NOT NULL DEFAULT 1 REFERENCES sites (id),
    comment_id   TEXT      NOT NULL,
    page_id      TEXT      NOT NULL, -- page or blog post
    parent_id    TEXT,               -- the comment that it replies to
    place        TEXT      NOT NULL,
    version      INTEGER   NOT NULL,
    modified     TIMESTAMP NOT NULL,
    author       TEXT,
    standing     TEXT      NOT NULL,
    quoted       TEXT,
    url          TEXT      NOT NULL,
    converter    INTEGER   NOT NULL,
    absent_since TIMESTAMP,          -- first left out by a complete listing
    markdown     BLOB      NOT NULL,
    storage      BLOB      NOT NULL,
    PRIMARY KEY (site_id, comment_id)
);
INSERT INTO comments_of_sites
    SELECT 1, comment_id, page_id, parent_id, place, version, modified, author, standing, quoted, url, converter, absent_since,
           markdown, storage
    FROM comments;
DROP TABLE comments;
ALTER TABLE comments_of_sites RENAME TO comments;
CREATE INDEX comments_of_page ON comments (site_id, page_id, comment_id);
CREATE INDEX comments_missed ON comments (absent_since) WHERE absent_since IS NOT NULL;

CREATE TABLE people_of_sites (
    site_id      INTEGER NOT NULL DEFAULT 1 REFERENCES sites (id),
    account_id   TEXT    NOT NULL,
    display_name TEXT    NOT NULL,
    PRIMARY KEY (site_id, account_id)
);
INSERT INTO people_of_sites SELECT 1, account_id, display_name FROM people;
DROP TABLE people;
ALTER TABLE people_of_sites RENAME TO people;
