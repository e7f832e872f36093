CREATE TABLE people_of_one (
    account_id   TEXT NOT NULL PRIMARY KEY,
    display_name TEXT NOT NULL
);
INSERT INTO people_of_one SELECT account_id, display_name FROM people WHERE site_id = 1;
DROP TABLE people;
ALTER TABLE people_of_one RENAME TO people;

CREATE TABLE comments_of_one (
    comment_id   TEXT      NOT NULL PRIMARY KEY,
    page_id      TEXT      NOT NULL,
    parent_id    TEXT,
    place        TEXT      NOT NULL,
    version      INTEGER   NOT NULL,
    modified     TIMESTAMP NOT NULL,
    author       TEXT,
    quoted       TEXT,
    url          TEXT      NOT NULL,
    converter    INTEGER   NOT NULL,
    absent_since TIMESTAMP,
    markdown     BLOB      NOT NULL,
    storage      BLOB      NOT NULL,
    standing     TEXT      NOT NULL DEFAULT 'open'
);
INSERT INTO comments_of_one
    SELECT comment_id, page_id, parent_id, place, version, modified, author, quoted, url, converter, absent_since, markdown, storage,
           standing
    FROM comments WHERE site_id = 1;
DROP TABLE comments;
ALTER TABLE comments_of_one RENAME TO comments;
CREATE INDEX comments_of_page ON comments (page_id, comment_id);
CREATE INDEX comments_missed ON comments (absent_since) WHERE absent_since IS NOT NULL;

CREATE TABLE bodies_of_one (
    page_id       TEXT    NOT NULL PRIMARY KEY,
    kind          TEXT    NOT NULL,
    version       INTEGER NOT NULL,
    converter     INTEGER NOT NULL,
    markdown_hash TEXT    NOT NULL,
    stored_bytes  BIGINT  NOT NULL,
    markdown      BLOB    NOT NULL,
    storage       BLOB    NOT NULL,
    rendered      BLOB,
    text_bytes    BIGINT  NOT NULL DEFAULT 0
);
INSERT INTO bodies_of_one
    SELECT page_id, kind, version, converter, markdown_hash, stored_bytes, markdown, storage, rendered, text_bytes
    FROM bodies WHERE site_id = 1;
DROP TABLE bodies;
ALTER TABLE bodies_of_one RENAME TO bodies;

DROP TABLE body_totals;
CREATE TABLE body_totals (
    bodies       BIGINT NOT NULL,
    stored_bytes BIGINT NOT NULL,
    only_row     BOOLEAN NOT NULL PRIMARY KEY CHECK (only_row)
);
INSERT INTO body_totals (bodies, stored_bytes, only_row)
SELECT count(*), COALESCE(sum(stored_bytes), 0), TRUE FROM bodies;
CREATE TRIGGER body_totals_insert AFTER INSERT ON bodies BEGIN
    UPDATE body_totals SET bodies = bodies + 1, stored_bytes = stored_bytes + NEW.stored_bytes;
END;
CREATE TRIGGER body_totals_update AFTER UPDATE OF stored_bytes ON bodies WHEN OLD.stored_bytes <> NEW.stored_bytes BEGIN
    UPDATE body_totals SET stored_bytes = stored_bytes - OLD.stored_bytes + NEW.stored_bytes;
END;
CREATE TRIGGER body_totals_delete AFTER DELETE ON bodies BEGIN
    UPDATE body_totals SET bodies = bodies - 1, stored_bytes = stored_bytes - OLD.stored_bytes;
END;

ALTER TABLE indexes DROP COLUMN site_id;
DROP TABLE sites;
