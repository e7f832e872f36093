-- Comments and replies, once for the whole site, shared by every index; the blobs stand last, so that the rest reads
-- without them.
CREATE TABLE comments (
    comment_id   TEXT      NOT NULL PRIMARY KEY,
    page_id      TEXT      NOT NULL, -- page or blog post
    parent_id    TEXT,               -- the comment that it replies to
    place        TEXT      NOT NULL,
    version      INTEGER   NOT NULL,
    modified     TIMESTAMP NOT NULL,
    author       TEXT,
    resolved     BOOLEAN   NOT NULL,
    quoted       TEXT,
    url          TEXT      NOT NULL,
    converter    INTEGER   NOT NULL,
    absent_since TIMESTAMP,          -- first left out by a complete listing
    markdown     BLOB      NOT NULL,
    storage      BLOB      NOT NULL
);
CREATE INDEX comments_of_page ON comments (page_id, comment_id);

-- Hash of the folded comments that a page's document holds.
ALTER TABLE synced_pages ADD COLUMN comments_hash TEXT;
CREATE INDEX synced_pages_commented ON synced_pages (index_id, page_id) WHERE comments_hash IS NOT NULL;
