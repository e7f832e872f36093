-- What a run did page by page, at most 1,000 rows for each change; they go with their run.
CREATE TABLE run_pages (
    run_id  TEXT NOT NULL REFERENCES sync_runs (id) ON DELETE CASCADE,
    page_id TEXT NOT NULL,
    kind    TEXT NOT NULL,
    change  TEXT NOT NULL,
    reason  TEXT,
    title   TEXT, -- of a page that the index does not know: a dry run adds none
    url     TEXT,
    PRIMARY KEY (run_id, page_id)
);
CREATE INDEX run_pages_by_change ON run_pages (run_id, change, page_id);
