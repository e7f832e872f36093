-- What a version of a page changed by heading, against the version that was kept before: at most 20 versions a page.
CREATE TABLE section_edits (
    site_id INTEGER   NOT NULL,
    page_id TEXT      NOT NULL,
    version INTEGER   NOT NULL,
    at      TIMESTAMP NOT NULL,
    changes TEXT      NOT NULL,
    PRIMARY KEY (site_id, page_id, version),
    FOREIGN KEY (site_id, page_id) REFERENCES bodies (site_id, page_id) ON DELETE CASCADE
);
CREATE INDEX section_edits_by_age ON section_edits (at);
